"""A public issue tracker over MCP, on standard input and output: what is posted here, everybody can read."""

from mcp.server import MCPServer

server = MCPServer("tracker")


@server.tool()
def create_issue(title: str, body: str) -> str:
    """Post an issue."""
    return f"posted {len(title) + len(body)} characters"


if __name__ == "__main__":
    server.run("stdio")
