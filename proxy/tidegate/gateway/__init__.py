"""The gateway: one endpoint in front of many servers, for clients of every protocol version.

Two eras of MCP meet here: *legacy*, up to 2025-11-25, with sessions and ``initialize``, and *modern*, 2026-07-28 and
later, in which each request says all that is to be known. What is done about that without any input or output is in
``eras.py``, ``older.py``, ``capabilities.py``, ``asking.py`` and ``handles.py``.
"""
