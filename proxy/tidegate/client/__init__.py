"""A small MCP client, for the commands that ask servers: it shows what they say, and drops nothing of it."""
