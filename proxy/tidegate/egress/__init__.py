"""The way out of a container: what a server may reach, and the sidecar that holds it to that.

``rules.py``, ``hello.py``, ``heads.py``, ``dns.py``, ``records.py``, ``copying.py`` and ``sidecar.py`` are also a
program of their own: they run in the sidecar's container with the standard library, and import but each other.
"""
