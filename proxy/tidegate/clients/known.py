"""The clients that are known: where each keeps its MCP servers, and how it writes one down.

All of it comes from the clients' own documentation, which ``source`` names; looked up in November 2026. Places are
written with ``~`` for the home folder and ``$NAME`` for a folder that a variable names, as ``places`` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.clients.edits import Format

_LINUX, _MAC, _WINDOWS = "linux", "darwin", "win32"
SYSTEMS = (_LINUX, _MAC, _WINDOWS)


@dataclass(frozen=True, slots=True)
class Shape:
    """How a client writes a server down.

    Attributes:
        url: the key of a remote server's address; ``None`` where the file holds local servers only.
        http: what else an entry of streamable HTTP has.
        headers: where in an entry the headers stand.
        token: how the value of a header refers to the variable ``NAME``; ``None`` where the documentation knows no way.
        token_key: the key that names the variable of a bearer token, where there is such a key.
        stdio: what else an entry of a local server has.
        command: the key of a local server's program.
        whole: whether that key holds a list, the arguments too.
        env: the key of a local server's variables.
        named: whether an entry has its name in it, too.
    """

    url: str | None = "url"
    http: dict[str, Any] = field(default_factory=dict)
    headers: tuple[str, ...] = ("headers",)
    token: str | None = None
    token_key: str | None = None
    stdio: dict[str, Any] = field(default_factory=dict)
    command: str = "command"
    whole: bool = False
    env: str = "env"
    named: bool = False


@dataclass(frozen=True, slots=True)
class Client:
    """A client.

    Attributes:
        name: what it is called here.
        title: what it calls itself.
        source: the page that says what is said here.
        shape: how it writes a server down.
        files: per system, the places of its file for the user, of which ``places.file_of`` says which is meant.
        project: the same for a project, from its folder.
        at: where in the file the servers stand.
        format: of the file.
        listed: whether the servers are a list, each with its name.
        preamble: what a new file begins with.
        programs: programs that show that it is installed.
    """

    name: str
    title: str
    source: str
    shape: Shape
    files: dict[str, tuple[str, ...]]
    project: tuple[str, ...] = ()
    at: tuple[str, ...] = ("mcpServers",)
    format: Format = "json"
    listed: bool = False
    preamble: dict[str, str] = field(default_factory=dict)
    programs: tuple[str, ...] = ()


def _everywhere(*places: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(SYSTEMS, places)


def _each(linux: str, mac: str, windows: str) -> dict[str, tuple[str, ...]]:
    return {_LINUX: (linux,), _MAC: (mac,), _WINDOWS: (windows,)}


_CODE = {
    _LINUX: "$XDG_CONFIG_HOME/Code/User",
    _MAC: "~/Library/Application Support/Code/User",
    _WINDOWS: "$APPDATA/Code/User",
}
_CLINE = "globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"

CLIENTS: tuple[Client, ...] = (
    Client(
        "claude-desktop",
        "Claude Desktop",
        "https://modelcontextprotocol.io/docs/develop/connect-local-servers",
        Shape(url=None),
        _each(
            "$XDG_CONFIG_HOME/Claude/claude_desktop_config.json",  # not documented: where it would be
            "~/Library/Application Support/Claude/claude_desktop_config.json",
            "$APPDATA/Claude/claude_desktop_config.json",
        ),
    ),
    Client(
        "claude-code",
        "Claude Code",
        "https://code.claude.com/docs/en/mcp",
        Shape(http={"type": "http"}, token="Bearer ${NAME}", stdio={"type": "stdio"}),  # noqa: S106 - a reference
        _everywhere("~/.claude.json"),
        project=(".mcp.json",),
        programs=("claude",),
    ),
    Client(
        "vscode",
        "VS Code",
        "https://code.visualstudio.com/docs/copilot/reference/mcp-configuration",
        Shape(http={"type": "http"}, token="Bearer ${env:NAME}", stdio={"type": "stdio"}),  # noqa: S106 - a reference
        {system: (f"{folder}/mcp.json",) for system, folder in _CODE.items()},
        project=(".vscode/mcp.json",),
        at=("servers",),
        programs=("code",),
    ),
    Client(
        "cursor",
        "Cursor",
        "https://cursor.com/docs/mcp",
        Shape(token="Bearer ${env:NAME}"),  # noqa: S106 - a reference
        _everywhere("~/.cursor/mcp.json"),
        project=(".cursor/mcp.json",),
        programs=("cursor", "cursor-agent"),
    ),
    Client(
        "windsurf",
        "Windsurf",
        "https://docs.windsurf.com/windsurf/cascade/mcp",
        Shape(url="serverUrl", token="Bearer ${env:NAME}"),  # noqa: S106 - a reference
        _everywhere("~/.codeium/windsurf/mcp_config.json"),
        programs=("windsurf",),
    ),
    Client(
        "zed",
        "Zed",
        "https://zed.dev/docs/ai/mcp",
        Shape(),
        _each("$XDG_CONFIG_HOME/zed/settings.json", "~/.config/zed/settings.json", "$APPDATA/Zed/settings.json"),
        project=(".zed/settings.json",),
        at=("context_servers",),
        programs=("zed", "zeditor"),
    ),
    Client(
        "cline",
        "Cline",
        "https://docs.cline.bot/mcp/configuring-mcp-servers",
        # Without a timeout its program waits 3 seconds for a server's first answer.
        Shape(http={"type": "streamableHttp", "timeout": 60}, stdio={"timeout": 60}),
        {
            system: (f"{folder}/{_CLINE}", "~/.cline/data/settings/cline_mcp_settings.json")
            for system, folder in _CODE.items()
        },
        programs=("cline",),
    ),
    Client(
        "continue",
        "Continue",
        "https://docs.continue.dev/customize/deep-dives/mcp",
        Shape(
            http={"type": "streamable-http"},
            headers=("requestOptions", "headers"),
            token="Bearer ${{ secrets.NAME }}",  # noqa: S106 - a reference
            named=True,
        ),
        _everywhere("~/.continue/config.yaml"),
        project=(".continue/mcpServers/tidegate.yaml",),
        format="yaml",
        listed=True,
        preamble={"name": "Tidegate", "version": "0.0.1", "schema": "v1"},
        programs=("cn",),
    ),
    Client(
        "gemini",
        "Gemini CLI",
        "https://geminicli.com/docs/tools/mcp-server",
        Shape(url="httpUrl", token="Bearer ${NAME}"),  # noqa: S106 - a reference
        _everywhere("~/.gemini/settings.json"),
        project=(".gemini/settings.json",),
        programs=("gemini",),
    ),
    Client(
        "goose",
        "Goose",
        "https://block.github.io/goose/docs/guides/config-files",
        Shape(
            url="uri",
            http={"enabled": True, "type": "streamable_http", "timeout": 300},
            stdio={"enabled": True, "type": "stdio", "timeout": 300},
            command="cmd",
            env="envs",
            named=True,
        ),
        _each("~/.config/goose/config.yaml", "~/.config/goose/config.yaml", "$APPDATA/Block/goose/config/config.yaml"),
        at=("extensions",),
        format="yaml",
        programs=("goose",),
    ),
    Client(
        "lmstudio",
        "LM Studio",
        "https://lmstudio.ai/docs/app/mcp",
        Shape(),
        _everywhere("~/.lmstudio/mcp.json"),
        programs=("lms",),
    ),
    Client(
        "opencode",
        "opencode",
        "https://opencode.ai/docs/mcp-servers",
        Shape(
            http={"type": "remote"},
            token="Bearer {env:NAME}",  # noqa: S106 - a reference
            stdio={"type": "local"},
            whole=True,
            env="environment",
        ),
        _everywhere("~/.config/opencode/opencode.json", "~/.config/opencode/opencode.jsonc"),
        project=("opencode.json", "opencode.jsonc", ".opencode/opencode.json", ".opencode/opencode.jsonc"),
        at=("mcp",),
        programs=("opencode",),
    ),
    Client(
        "codex",
        "Codex",
        "https://developers.openai.com/codex/mcp",
        Shape(headers=("http_headers",), token="NAME", token_key="bearer_token_env_var"),  # noqa: S106 - a reference
        _everywhere("$CODEX_HOME/config.toml"),
        project=(".codex/config.toml",),
        at=("mcp_servers",),
        format="toml",
        programs=("codex",),
    ),
    Client(
        "kiro",
        "Kiro",
        "https://kiro.dev/docs/mcp/configuration",
        Shape(token="Bearer ${NAME}"),  # noqa: S106 - a reference
        _everywhere("~/.kiro/settings/mcp.json"),
        project=(".kiro/settings/mcp.json",),
        programs=("kiro", "kiro-cli"),
    ),
    Client(
        "crush",
        "Crush",
        "https://github.com/charmbracelet/crush/blob/main/docs/config/README.md",
        Shape(http={"type": "http"}, token="Bearer $NAME", stdio={"type": "stdio"}),  # noqa: S106 - a reference
        _each("$XDG_CONFIG_HOME/crush/crush.json", "$XDG_CONFIG_HOME/crush/crush.json", "~/.config/crush/crush.json"),
        project=(".crush.json", "crush.json"),
        at=("mcp",),
        programs=("crush",),
    ),
    Client(
        "amazon-q",
        "Amazon Q",
        "https://docs.aws.amazon.com/amazonq/latest/qdeveloper-ug/mcp-ide.html",
        Shape(http={"type": "http"}),
        _everywhere("~/.aws/amazonq/mcp.json", "~/.aws/amazonq/default.json"),
        project=(".amazonq/mcp.json", ".amazonq/default.json"),
        programs=("q",),
    ),
)


def find(name: str) -> Client | None:
    """Return a client by its name, or by what it calls itself, in whatever case."""

    def plain(text: str) -> str:
        return "".join(char for char in text.lower() if char.isalnum())

    wanted = plain(name)
    return next((one for one in CLIENTS if wanted in (plain(one.name), plain(one.title))), None)
