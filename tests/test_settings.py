"""The settings: what they default to, and that whatever is wrong with them is said in one sentence with its place."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from tidegate import settings
from tidegate.flow import Principal, Server
from tidegate.secret_stores import Secret
from tidegate.settings import Settings, SettingsError, build, command_server, load, parse
from tidegate.wire import Limits

HERE = Path("/nonexistent")
TOKEN = "a-token-that-is-nobodys-business"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()


def read(text: str) -> Settings:
    return parse(text, folder=HERE)


def wrong(text: str) -> str:
    """Return what is said of settings that are not well, after seeing that it is one sentence."""
    with pytest.raises(SettingsError) as caught:
        read(text)
    said = str(caught.value)
    assert said.isprintable(), "one line"
    assert said.startswith("settings: ")
    return said.removeprefix("settings: ")


def test_no_settings_are_settings() -> None:
    empty = read("")
    assert (empty.proxy.listen, empty.proxy.admin, empty.proxy.deny_as) == ("127.0.0.1:8811", None, "tool_result")
    assert empty.proxy.limits == Limits()
    assert (empty.proxy.deadline, empty.session.by, empty.session.ttl) == (2.0, "principal", 8 * 3600)
    assert (empty.auth.tokens, empty.servers, empty.interceptors) == ((), {}, ())


def test_all_of_them_are_read() -> None:
    found = read(f"""
        [proxy]
        listen = "0.0.0.0:80"
        admin = "[::1]:8812"
        max_message_bytes = 2048
        max_depth = 10
        max_members = 20
        max_string_bytes = 100
        deadline = 1
        [auth]
        tokens = [{{ name = "ci", sha256 = "{DIGEST}" }}]
        [servers.time]
        command = ["mcp-server-time"]
        env = {{ TZ = "UTC" }}
        labels = ["internal"]
        trust = "high"
        [servers.files]
        image = "mcp-files"
        pull = "tag-ok"
        mounts = ["./data:/data"]
        [servers."my.docs-2"]
        url = "https://docs.example.com/mcp"
        headers = {{ Authorization = "env:DOCS_TOKEN" }}
        [[interceptors]]
        use = "lists"
        when = {{ servers = ["t*"] }}
        deadline = 0.5
        deny = ["files/*"]
    """)
    assert found.proxy.limits == Limits(2048, 10, 20, 100)
    assert found.server("time") == Server("time", "process", "high", ("internal",))
    assert [found.server(name).kind for name in found.servers] == ["process", "container", "remote"]
    (entry,) = found.interceptors
    assert (entry.use, entry.deadline, entry.when.servers) == ("lists", 0.5, ("t*",))
    assert entry.config == {"deny": ["files/*"]}
    assert found.folder == HERE


PROCESS = '[servers.a]\ncommand = ["x"]\n'
REMOTE = '[servers.a]\nurl = "https://example.com/mcp"\n'
USED = '[[interceptors]]\nuse = "x"\n'
LISTEN = "proxy.listen: an address is HOST:PORT, like 127.0.0.1:8811"
NAME = "a name has 1 to 64 letters, digits, '-', '_' or '.', and no '__'"
ONE_OF = "servers.a: a server has exactly one of command, image and url"

MISTAKES = {
    # keys
    "prxy = 1": "prxy: there is no such setting",
    "[proxy]\nlisen = '127.0.0.1:1'": "proxy.lisen: there is no such setting",
    f"{PROCESS}comand = ['x']": "servers.a.comand: there is no such setting",
    f"{USED}when = {{ server = ['a'] }}": "interceptors.0.when.server: there is no such setting",
    '"two\\nlines" = 1': "'two\\nlines': there is no such setting",
    "a = 1\nb = 2": "a: there is no such setting (and 1 more)",
    # types
    "servers = 1": "servers: input should be a table",
    "proxy = []": "proxy: input should be a table",
    "[proxy]\nlisten = 8811": "proxy.listen: input should be a valid string",
    "[proxy]\nmax_depth = '64'": "proxy.max_depth: input should be a valid integer",
    "[proxy]\nmax_members = 100.0": "proxy.max_members: input should be a valid integer",
    "[proxy]\nmax_sessions = true": "proxy.max_sessions: input should be a valid integer",
    "[proxy]\ndeadline = '2'": "proxy.deadline: input should be a valid number",
    "[proxy]\ndeadline = true": "proxy.deadline: input should be a valid number",
    "[session]\nttl = '8h'": "session.ttl: input should be a valid number",
    "[proxy]\nallowed_hosts = 'a'": "proxy.allowed_hosts: input should be a list",
    "[servers.a]\ncommand = 'npx server'": "servers.a.command: input should be a list",
    f"{PROCESS}env = {{ PORT = 1 }}": "servers.a.env.PORT: input should be a valid string",
    f"{USED}required = 'no'": "interceptors.0.required: input should be a valid boolean",
    f"{USED}report_only = 0": "interceptors.0.report_only: input should be a valid boolean",
    f"{USED}deadline = true": "interceptors.0.deadline: input should be a valid number",
    "interceptors = { use = 'x' }": "interceptors: input should be a list",
    "[[interceptors]]\nname = 'x'": "interceptors.0.use: field required",
    # values
    "[proxy]\ndeny_as = 'silence'": "proxy.deny_as: input should be 'tool_result' or 'error'",
    "[proxy]\nmax_message_bytes = 1": "proxy.max_message_bytes: input should be greater than or equal to 1024",
    "[proxy]\nmax_depth = 191": "proxy.max_depth: input should be less than or equal to 190",
    "[proxy]\ndeadline = 0": "proxy.deadline: input should be greater than 0",
    "[proxy]\ndeadline = nan": "proxy.deadline: input should be a finite number",
    "[proxy]\ncall_timeout = inf": "proxy.call_timeout: input should be a finite number",
    "[session]\nttl = -inf": "session.ttl: input should be a finite number",
    "[session]\nby = 'client'": "session.by: input should be 'principal' or 'mcp-session'",
    f"{PROCESS}trust = 'some'": "servers.a.trust: input should be 'low' or 'high'",
    f"{REMOTE}transport = 'ws'": "servers.a.transport: input should be 'streamable-http' or 'sse'",
    # addresses
    "[proxy]\nlisten = 'localhost'": LISTEN,
    "[proxy]\nlisten = ':8811'": LISTEN,
    "[proxy]\nlisten = '127.0.0.1:'": LISTEN,
    "[proxy]\nlisten = '127.0.0.1:65536'": LISTEN,
    "[proxy]\nlisten = '127.0.0.1:-1'": LISTEN,
    "[proxy]\nlisten = '127.0.0.1:٣'": LISTEN,
    "[proxy]\nadmin = 'here'": LISTEN.replace("listen", "admin"),
    # names
    "[servers.a__b]\ncommand = ['x']": f"servers.a__b: {NAME}",
    "[servers.'a/b']\ncommand = ['x']": f"servers.a/b: {NAME}",
    "[servers.'']\ncommand = ['x']": f"servers.: {NAME}",
    "[servers.-a]\ncommand = ['x']": f"servers.-a: {NAME}",
    "[servers.'ä']\ncommand = ['x']": f"servers.ä: {NAME}",
    f"[servers.{'a' * 65}]\ncommand = ['x']": f"servers.{'a' * 65}: {NAME}",
    f"{USED}name = 'a b'": f"interceptors.0.name: {NAME}",
    # servers
    "[servers.a]": ONE_OF,
    f"{PROCESS}image = 'y'": ONE_OF,
    f"{PROCESS}url = 'http://h/'": ONE_OF,
    "[servers.a]\nimage = 'x'\nurl = 'http://h/'": ONE_OF,
    "[servers.a]\ncommand = []": "servers.a: command is a list: the program and its arguments",
    "[servers.a]\ncommand = ['']": "servers.a: command is a list: the program and its arguments",
    "[servers.a]\nimage = ''": "servers.a: image names no container image",
    f"{PROCESS}args = ['y']": "servers.a: args has no meaning for a server with command",
    f"{REMOTE}mounts = []": "servers.a: mounts has no meaning for a server with url",
    f"{PROCESS}headers = {{}}": "servers.a: headers has no meaning for a server with command",
    "[servers.a]\nimage = 'x'\npull = 'tag-ok'\ncwd = '/'": "servers.a: cwd has no meaning for a server with image",
    f"{REMOTE}env = {{}}": "servers.a: env has no meaning for a server with url",
    # remote servers
    "[servers.a]\nurl = 'ftp://h/'": "servers.a: url starts with http:// or https://",
    "[servers.a]\nurl = 'https:///mcp'": "servers.a: url starts with http:// or https://",
    "[servers.a]\nurl = 'http://h/a b'": "servers.a: url is visible ASCII; percent-encode what isn't",
    '[servers.a]\nurl = "http://h/\\r\\nx: y"': "servers.a: url is visible ASCII; percent-encode what isn't",
    "[servers.a]\nurl = 'http://h:99999/'": "servers.a: url has no host, or no port between 1 and 65535",
    "[servers.a]\nurl = 'http://h:x/'": "servers.a: url has no host, or no port between 1 and 65535",
    "[servers.a]\nurl = 'http://[::1/'": "servers.a: url has no host, or no port between 1 and 65535",
    "[servers.a]\nurl = 'http://:80/'": "servers.a: url has no host, or no port between 1 and 65535",
    "[servers.a]\nurl = 'http://u:p@h/'": "servers.a: url holds no name and password; put them into headers, "
    "as `env:NAME`",
    f"{REMOTE}headers = {{ 'a b' = 'x' }}": "servers.a: headers: 'a b' is no name of a header",
    f"{REMOTE}headers = {{ '' = 'x' }}": "servers.a: headers: '' is no name of a header",
    f"{REMOTE}headers = {{ A = 'x', a = 'y' }}": "servers.a: headers: a stands twice",
    f"{REMOTE}headers = {{ Host = 'x' }}": "servers.a: headers: Host is Tidegate's to set",
    f"{REMOTE}headers = {{ Content-Length = '1' }}": "servers.a: headers: Content-Length is Tidegate's to set",
    f"{REMOTE}headers = {{ Mcp-Session-Id = 'x' }}": "servers.a: headers: Mcp-Session-Id is Tidegate's to set",
    f"{REMOTE}headers = {{ Mcp-Param-X = 'x' }}": "servers.a: headers: Mcp-Param-X is Tidegate's to set",
    f'{REMOTE}headers = {{ A = "x\\r\\ny: z" }}': "servers.a: headers: the value of A is no plain text on one line",
    f"{REMOTE}headers = {{ A = 'ž' }}": "servers.a: headers: the value of A is no plain text on one line",
    # tokens
    "[auth]\ntokens = [{ name = 'a' }]": "auth.tokens.0.sha256: field required",
    f"[auth]\ntokens = [{{ name = 'a', sha256 = '{DIGEST.upper()}' }}]": "auth.tokens.0: sha256 is 64 lower-case "
    "hexadecimal digits, as `tidegate token new` prints them",
    f"[auth]\ntokens = [{{ name = 'a', sha256 = '{DIGEST}' }}, {{ name = 'b', sha256 = '{DIGEST}' }}]": "auth: two "
    "tokens have the same sha256",
    # interceptors
    f"{USED}{USED}": "two interceptors are called 'x'; give one of them another `name`",
    f"{USED}[[interceptors]]\nuse = 'y'\nname = 'x'": "two interceptors are called 'x'; give one of them another "
    "`name`",
    # no TOML at all
    "a = ": "not TOML: Invalid value (at end of document)",
    "a = [" + "[" * 5000: "not TOML that can be read: it is nested too deeply",
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.items(), ids=list(MISTAKES.values()))
@pytest.mark.requirement("explicit-only")
def test_a_mistake_is_named_in_one_sentence_with_its_place(text: str, said: str) -> None:
    assert wrong(text) == said


def test_an_integer_of_too_many_digits_is_a_mistake_like_any_other() -> None:
    assert wrong("[proxy]\nmax_depth = " + "1" * 5000).startswith("not TOML: ")


@pytest.mark.requirement("secrets-stay-in")
@pytest.mark.parametrize(
    "text",
    [
        f"{REMOTE}headers = {{ Authorization = '{TOKEN}', a = 1 }}",
        f'{REMOTE}headers = {{ Authorization = "{TOKEN}\\n" }}',
        f"[servers.a]\nurl = 'https://u:{TOKEN}@h/'",
        f"{PROCESS}env = {{ KEY = ['{TOKEN}'] }}",
        f"[auth]\ntokens = [{{ name = 'a', sha256 = '{TOKEN}' }}]",
        f"[auth]\ntokens = '{TOKEN}'",
        f"{USED}deadline = '{TOKEN}'",
    ],
)
def test_what_is_said_of_a_mistake_holds_no_value(text: str) -> None:
    assert TOKEN not in wrong(text)


# -- who can reach it -------------------------------------------------------------------------------------------------


@pytest.mark.requirement("loopback-or-token")
@pytest.mark.parametrize("key", ["listen", "admin"])
@pytest.mark.parametrize(
    "host", ["0.0.0.0", "[::]", "192.0.2.7", "example.com", "127.0.0.1.example.com", "[::ffff:1.2.3.4]"]
)
def test_an_address_that_other_machines_reach_needs_tokens(host: str, key: str) -> None:
    text = f"[proxy]\n{key} = '{host}:80'\n"
    assert wrong(text).startswith(f"{host}:80 can be reached from other machines, so [auth] must have tokens")
    assert wrong(f"{text}[auth]\ntokens = []").startswith(f"{host}:80 can be reached")
    assert read(f"{text}[auth]\ntokens = [{{ name = 'a', sha256 = '{DIGEST}' }}]").auth.tokens


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "[::1]", "localhost"])
def test_an_address_of_this_machine_alone_needs_none(host: str) -> None:
    assert read(f"[proxy]\nlisten = '{host}:0'\nadmin = '{host}:0'").proxy.admin == f"{host}:0"


def test_a_token_is_known_by_its_digest_and_nothing_like_it_is() -> None:
    auth = read(f"[auth]\ntokens = [{{ name = 'ann', sha256 = '{DIGEST}' }}]").auth
    assert auth.principal(TOKEN) == Principal("ann", "token")
    for other in ("", DIGEST, TOKEN.upper(), f"{TOKEN} ", TOKEN[:-1], f"{TOKEN}\0"):
        assert auth.principal(other) is None


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5, unique=True), st.text())
def test_each_token_is_its_own_principals(tokens: list[str], other: str) -> None:
    listed = [
        {"name": f"p{number}", "sha256": hashlib.sha256(token.encode()).hexdigest()}
        for number, token in enumerate(tokens)
    ]
    auth = build({"auth": {"tokens": listed}}, folder=HERE).auth
    for number, token in enumerate(tokens):
        assert auth.principal(token) == Principal(f"p{number}", "token")
    if other not in tokens and other.isprintable():
        assert auth.principal(other) is None


def test_a_principal_has_the_roles_of_its_token() -> None:
    auth = read(f"[auth]\ntokens = [{{ name = 'ann', sha256 = '{DIGEST}', roles = ['dev'] }}]").auth
    assert auth.principal(TOKEN) == Principal("ann", "token", ("dev",))


def test_two_tokens_may_be_of_one_principal() -> None:
    second = hashlib.sha256(b"second").hexdigest()
    auth = read(
        f"[auth]\ntokens = [{{ name = 'ann', sha256 = '{DIGEST}' }}, {{ name = 'ann', sha256 = '{second}' }}]"
    ).auth
    assert auth.principal(TOKEN) == auth.principal("second") == Principal("ann", "token")


# -- headers ----------------------------------------------------------------------------------------------------------


def test_a_header_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCS_TOKEN", f"Bearer {TOKEN}")
    found = read(f"{REMOTE}headers = {{ Authorization = 'env:DOCS_TOKEN', X-Plain = 'as it is' }}")
    found.check_environment()
    resolved = found.servers["a"].resolved_headers(Secret)
    assert resolved == {"authorization": f"Bearer {TOKEN}", "x-plain": "as it is"}
    assert TOKEN not in repr(found)


def test_a_variable_that_is_not_set_is_named_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCS_TOKEN", raising=False)
    found = read(f"{PROCESS}\n[servers.docs]\nurl = 'https://h/'\nheaders = {{ Authorization = 'env:DOCS_TOKEN' }}")
    with pytest.raises(SettingsError) as caught:
        found.check_environment()
    assert str(caught.value) == "servers.docs.headers.Authorization: the environment variable DOCS_TOKEN is not set"


# -- files ------------------------------------------------------------------------------------------------------------


def test_relative_paths_start_at_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "tidegate.toml").write_text(PROCESS)
    monkeypatch.chdir(tmp_path)
    assert load(Path("a/tidegate.toml")).folder == tmp_path / "a"


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"tidegate\.toml: no such file \(write one with `tidegate init`\)$"):
        load(tmp_path / "tidegate.toml")


def test_what_can_not_be_read_is_said_so_and_not_shown(tmp_path: Path) -> None:
    (latin := tmp_path / "latin.toml").write_bytes(b"a = '\xe9'")
    for path, said in ((tmp_path, "can't be read: Is a directory"), (latin, "is not text in UTF-8")):
        with pytest.raises(SettingsError) as caught:
            load(path)
        assert str(caught.value) == f"{path}: {said}"


def test_a_mistake_in_a_file_is_said_with_the_files_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[proxy]\nlisten = 1")
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert str(caught.value) == f"{path}: proxy.listen: input should be a valid string"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["npx", "-y", "@scope/x"], "npx"),
        (["/usr/bin/mcp_server.time"], "mcp-server-time"),
        (["…"], "server"),
        ([""], ""),
    ],
)
def test_a_command_alone_makes_a_server_of_its_programs_name(command: list[str], name: str) -> None:
    if not name:
        with pytest.raises(SettingsError):
            command_server(command)
        return
    assert command_server(command)[0] == name
    assert command_server(command)[1].command == tuple(command)


@pytest.mark.parametrize("command", [[], [""], [" "], ["", "x"]])
def test_no_command_is_said_so(command: list[str]) -> None:
    with pytest.raises(SettingsError, match=r"^say which server to run"):
        command_server(command)


# -- junk -------------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
scalars = st.one_of(
    texts, st.integers(), st.floats(), st.booleans(), st.dates(), st.datetimes(), st.sampled_from(["127.0.0.1:1", "x"])
)
junk = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)


def members(*names: str) -> st.SearchStrategy[Any]:
    """Tables with some of these keys, and others."""
    return st.one_of(junk, st.dictionaries(st.one_of(st.sampled_from(names), texts), junk, max_size=4))


SERVER = members(*settings.ServerSettings.model_fields)
trees = st.fixed_dictionaries(
    {},
    optional={
        "proxy": members(*settings.ProxySettings.model_fields),
        "auth": members("tokens"),
        "session": members("by", "ttl"),
        "servers": st.one_of(junk, st.dictionaries(texts, SERVER, max_size=2)),
        "interceptors": st.lists(members(*settings.InterceptorSettings.model_fields), max_size=2),
    },
)


def said_of(work: Callable[[], Settings]) -> str:
    """Return what is said of settings; nothing where they are well."""
    try:
        work()
    except SettingsError as error:
        return str(error)
    return ""


@given(st.one_of(trees, junk.filter(lambda tree: isinstance(tree, dict))))
@example({"servers": {"a": {"url": "http://[", "headers": {"a": "\n"}}}})
@example({"proxy": {"listen": "[:1"}, "\u2028": 1})
@hypothesis(max_examples=300)
def test_junk_is_either_settings_or_one_sentence(tree: Any) -> None:
    assert said_of(lambda: build(tree, folder=HERE)).isprintable()


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("a = 1" + "0" * 5000)
@example("a = " + "{a=" * 3000)
def test_any_text_is_either_settings_or_one_sentence(text: str) -> None:
    assert said_of(lambda: read(text)).isprintable()
