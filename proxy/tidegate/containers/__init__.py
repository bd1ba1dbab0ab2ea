"""Servers in containers, on the engine's side: all that holds the engine's socket, which is root on its host.

It runs in a process of its own, the launcher (``launcher.py``). The process that faces clients asks it, by a narrow
protocol (``channel.py``, ``client.py``), to start and stop containers of the configured servers and of nothing else,
and gets the streams of a started container as a descriptor, so that no byte of traffic takes a detour.
"""
