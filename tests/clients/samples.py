"""A file of each client, in the form that its documentation shows, with comments and odd layout where it allows."""

from typing import Any, NamedTuple


class Sample(NamedTuple):
    """One client's file: its text, the names of its servers that run locally, and those that are remote."""

    client: str
    text: str
    local: tuple[str, ...] = ("files",)
    remote: tuple[str, ...] = ("docs",)
    project: bool = False


_USUAL = """{
  "mcpServers": {
    "files": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-filesystem", "/srv/notes"],
      "env": { "LOG_LEVEL": "info" }
    },
    "docs": {
      "url": "https://docs.example.com/mcp",
      "headers": { "X-Team": "blue" }
    }
  }
}
"""
_CLAUDE_CODE = """{
  "numStartups": 41,
  "tipsHistory": {"shift-enter": 3},
  "mcpServers": {
    "files": {
      "type": "stdio",
      "command": "npx",
      "args": [
        "-y",
        "@modelcontextprotocol/server-filesystem"
      ],
      "env": {}
    },
    "docs": {"type": "http", "url": "https://docs.example.com/mcp"}
  },
  "projects": {"/srv/a": {"mcpServers": {}, "history": [{"display": "hello"}]}}
}"""
_VSCODE = """{
\t// asked for once
\t"inputs": [
\t\t{ "type": "promptString", "id": "key", "description": "API key", "password": true },
\t],
\t"servers": {
\t\t/* local */
\t\t"files": {
\t\t\t"type": "stdio",
\t\t\t"command": "npx",
\t\t\t"args": ["-y", "server-filesystem", "${workspaceFolder}"],
\t\t},
\t\t"docs": { "type": "http", "url": "https://docs.example.com/mcp" }, // remote
\t},
}
"""
_ZED = """// Zed settings
{
  "theme": { "mode": "system", "light": "One Light", "dark": "One Dark" },
  "context_servers": {
    "files": {
      "command": "npx", // node's
      "args": [],
      "env": {}
    },
    // "old": { "command": "x" },
    "docs": { "url": "https://docs.example.com/mcp" }
  },
  "buffer_font_size": 15,
}
"""
_CONTINUE = """name: My Config
version: 1.0.0
schema: v1

models:   # the usual
  - name: GPT
    provider: openai
    apiKey: ${{ secrets.OPENAI_API_KEY }}

mcpServers:
  - name: files
    command: npx
    args:
      - "-y"
      - server-filesystem   # local
    env:
      LOG_LEVEL: info
  # the documentation
  - name: docs
    type: streamable-http
    url: https://docs.example.com/mcp

# that's it
context: []
"""
_GOOSE = """GOOSE_PROVIDER: openai
GOOSE_MODEL: gpt-4o   # big enough
extensions:
  developer:
    bundled: true
    enabled: true
    name: developer
    timeout: 300
    type: builtin
  files:
    name: files
    enabled: true
    type: stdio
    cmd: npx
    args: [-y, server-filesystem]
    envs: {LOG_LEVEL: info}
    timeout: 300
  docs:
    name: docs
    enabled: true
    type: streamable_http
    uri: 'https://docs.example.com/mcp'
    timeout: 300
GOOSE_TELEMETRY_ENABLED: false
"""
_OPENCODE = """{
  "$schema": "https://opencode.ai/config.json",
  "mcp": {
    "files": {
      "type": "local",
      "command": ["npx", "-y", "server-filesystem"],
      "environment": { "LOG_LEVEL": "info" },
    },
    // remote
    "docs": { "type": "remote", "url": "https://docs.example.com/mcp", "headers": { "X-Team": "{env:TEAM}" } },
  },
}
"""
_OPENCODE_2 = """{
  "mcp": {
    "servers": {
      "files": { "type": "local", "command": ["npx", "-y", "server-filesystem"] },
      "docs": { "type": "remote", "url": "https://docs.example.com/mcp" },
    },
  },
}
"""
_CODEX = """# Codex
model = "gpt-5"   # big
approval_policy = "on-request"

[mcp_servers.files]   # local
command = "npx"
args = [
  "-y",   # don't ask
  "server-filesystem",
]
env = { LOG_LEVEL = "info" }

[mcp_servers.files.tools.write_file]
approval_mode = "prompt"

# remote
[mcp_servers.docs]
url = "https://docs.example.com/mcp"
bearer_token_env_var = "DOCS_TOKEN"
http_headers = { "X-Team" = "blue" }

[tui]
notifications = true
"""
_CRUSH = """{
  "$schema": "https://charm.land/crush.json",
  "lsp": { "go": { "command": "gopls" } },
  "mcp": {
    "files": { "type": "stdio", "command": "npx", "args": ["-y", "server-filesystem"] },
    "docs": { "type": "http", "url": "https://docs.example.com/mcp", "headers": { "X-Team": "$TEAM" } }
  }
}
"""
_KIRO = """{
  "mcpServers": {
    "files": {
      "command": "uvx",
      "args": ["server-filesystem@latest"],
      "env": { "FASTMCP_LOG_LEVEL": "ERROR" },
      "disabled": false,
      "autoApprove": ["read_file"]
    },
    "docs": { "url": "https://docs.example.com/mcp", "headers": { "Authorization": "Bearer ${DOCS_TOKEN}" } }
  }
}
"""

SAMPLES = [
    Sample("claude-desktop", _USUAL.replace('"mcpServers"', '"globalShortcut": "",\n  "mcpServers"')),
    Sample("claude-code", _CLAUDE_CODE),
    Sample("claude-code", _USUAL, project=True),
    Sample("vscode", _VSCODE),
    Sample("vscode", _VSCODE.replace("\n", "\r\n"), project=True),
    Sample("cursor", _USUAL),
    Sample("windsurf", _USUAL.replace('"url"', '"serverUrl"')),
    Sample("zed", _ZED),
    Sample("cline", _USUAL.replace('"url"', '"type": "streamableHttp", "disabled": false, "url"')),
    Sample("continue", _CONTINUE),
    Sample("gemini", _USUAL.replace('"url"', '"httpUrl"').replace("{\n", '{\n  "theme": "Dracula",\n', 1)),
    Sample("goose", _GOOSE),
    Sample("lmstudio", _USUAL),
    Sample("opencode", _OPENCODE),
    Sample("opencode", _OPENCODE_2, project=True),
    Sample("codex", _CODEX),
    Sample("codex", _CODEX.replace("\n", "\r\n"), project=True),
    Sample("kiro", _KIRO),
    Sample("crush", _CRUSH),
    Sample("amazon-q", _USUAL),
]


def ids(sample: Any) -> str:
    """What a test of a sample is called."""
    return f"{sample.client}{'-project' if sample.project else ''}"
