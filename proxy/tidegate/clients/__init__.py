"""MCP clients' own configuration files: where they are, what stands in them, changing them, and changing them back.

``known`` is the table of clients, ``places`` their files, ``shapes`` how each writes a server down. ``jsonc``,
``tomls`` and ``yamls`` change a text in place; ``edits`` holds each change against what it should mean. ``planning``
says what connecting changes, ``records`` remembers it, ``undoing`` takes it back, ``files`` reads and replaces.
"""
