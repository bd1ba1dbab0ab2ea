"""The versions of MCP, and what their own names begin with."""

LATEST = "2025-11-25"  # with sessions
MODERN = "2026-07-28"
VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", LATEST, MODERN)
META = "io.modelcontextprotocol/"
RELATED_TASK = f"{META}related-task"
TASKS = f"{META}tasks"  # the extension
