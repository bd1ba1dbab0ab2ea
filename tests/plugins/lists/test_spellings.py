"""However a denied resource is spelled, it stays denied; and what is allowed is allowed in every reading."""

import pytest

from tidegate.testing import assert_denied, assert_passes, flow, harness, request

SECRET = "file:///etc/passwd"
SPELLINGS = (
    "FILE:///etc/passwd",
    "file:///%65tc/passwd",
    "file:///%65%74%63/%70asswd",
    "file:///a/../etc/passwd",
    "file:///a/%2e%2E/etc/passwd",
    "file:///./etc/passwd",
    "file:///../etc/passwd",
    "file:/etc/passwd",
    "file:etc/passwd",
    "file://localhost/etc/passwd",
    "file://LOCALHOST/etc/passwd",
    "file://elsewhere/etc/passwd",
    "file://etc/passwd",
    "file:////etc/passwd",
    "file:///etc//passwd",
    "file:///etc/./passwd",
    "file:///etc%2Fpasswd",
    "file:///a%2F..%2fetc/passwd",
    "file:///%2565tc/passwd",
    "file:///%252e%252e/etc/passwd",
    "file:///a\\..\\etc\\passwd",
    "file:\\\\\\etc\\passwd",
    "file:///a%5C..%5Cetc/passwd",
    "fi\tle:///etc/passwd",
    "file:///et\nc/passwd",
    " file:///etc/passwd ",
    "file:///etc/passwd%00",
    "file:///etc/passwd?x",
    "file:///etc/passwd#x",
    "FILE:///etc%2Fpasswd?#/../../data/x",
    "file:///etc%2Fpasswd#/../../data/x",
    "/etc/passwd",
    "/a/../etc/passwd",
)


@pytest.mark.parametrize("uri", SPELLINGS)
async def test_another_spelling_of_a_denied_file_is_denied(uri: str) -> None:
    async with harness("lists", {"deny": [f"server/{SECRET}"]}) as h:
        assert_denied(await h.judge(request("resources/read", {"uri": uri})), rule=f"server/{SECRET}")


@pytest.mark.parametrize("uri", [spelling for spelling in SPELLINGS if not spelling.startswith("file:///etc/passwd")])
async def test_another_spelling_is_denied_by_a_glob_over_its_folder(uri: str) -> None:
    async with harness("lists", {"deny": ["server/file:///etc/*"]}) as h:
        assert_denied(await h.judge(request("resources/read", {"uri": uri})))


@pytest.mark.parametrize(
    "uri",
    [
        "HTTPS://example.com/admin/x",
        "https://EXAMPLE.com/admin/x",
        "https://example.com:443/admin/x",
        "https://example.com:/admin/x",
        "https://example.com./admin/x",
        "https://someone@example.com/admin/x",
        "https://a:b@c@example.com/admin/x",
        "https://ex%61mple.com/admin/x",
        "https://\uff45xample.com/admin/x",
        "https:\\\\example.com\\admin\\x",
        "https://example.com/public/../admin/x",
        "https://example.com//admin/x",
    ],
)
async def test_another_spelling_of_a_denied_address_is_denied(uri: str) -> None:
    async with harness("lists", {"deny": ["server/https://example.com/admin/*"]}) as h:
        assert_denied(await h.judge(request("resources/read", {"uri": uri})))


@pytest.mark.parametrize(
    "glob",
    [
        "FILE:///etc/*",
        "file:/etc/*",
        "file://localhost/etc/*",
        "file:///%65tc/*",
        "[fF]ile:///etc/*",
        "file:///?tc/*",
        "file:///etc%2Fpasswd",
        "file:///etc/passw*d",
    ],
)
async def test_a_glob_denies_however_it_is_spelled_itself(glob: str) -> None:
    async with harness("lists", {"deny": [f"server/{glob}"]}) as h:
        assert_denied(await h.judge(request("resources/read", {"uri": SECRET})), rule=f"server/{glob}")


@pytest.mark.parametrize(
    "uri",
    [
        "file:///data/../etc/passwd",
        "file:///data/%2e%2e/etc/passwd",
        "file:///data/%2e%2e%2fetc%2fpasswd",
        "file:///data/..%252f..%252fetc/passwd",
        "file:///data/..\\etc\\passwd",
        "file:///data/x?/../../etc/passwd",
        "file:///data/x#/../../etc/passwd",
        "file:///data/..",
    ],
)
async def test_a_way_out_of_an_allowed_folder_is_denied(uri: str) -> None:
    async with harness("lists", {"allow": ["server/file:///data/*"]}) as h:
        assert_denied(await h.judge(request("resources/read", {"uri": uri})), rule="not-in-allow")


@pytest.mark.parametrize(
    ("glob", "uri"),
    [
        ("file:///data/*", "file:///data/a%20b.txt"),
        ("file:///data/*", "file:///data/a..b/.hidden/.../c"),
        ("file:///data/100%25.txt", "file:///data/100%25.txt"),
        ("file:///data/a%2Fb", "file:///data/a%2Fb"),
        ("file:///data/[[]x]", "file:///data/[x]"),
        ("https://Example.com/*", "https://Example.com/x?next=https://other.example/y"),
        ("https://example.com", "https://example.com"),
        ("https://example.com:8443/*", "https://example.com:8443/x"),
        ("urn:isbn:*", "urn:isbn:0451450523"),
        ("mem:now", "mem:now"),
        ("mem:now#*", "mem:now#today"),
        ("note://a//b", "note://a//b"),
        ("Café/menu", "Café/menu"),
        ("x*", "x\\y"),
    ],
)
async def test_what_is_allowed_as_it_is_spelled_passes(glob: str, uri: str) -> None:
    async with harness("lists", {"allow": [f"resource:server/{glob}"]}) as h:
        assert_passes(await h.judge(request("resources/read", {"uri": uri})))


@pytest.mark.parametrize(
    ("glob", "uri"),
    [
        ("mem:%2A", "mem:x"),
        ("mem:%252A", "mem:x"),
        ("mem:%5Bxy%5D", "mem:x"),
        ("mem:%3F", "mem:x"),
        ("db:a%2Fb", "db:a/b"),
        ("mem:now#1", "mem:now"),
    ],
)
async def test_what_a_glob_has_encoded_allows_nothing_more(glob: str, uri: str) -> None:
    async with harness("lists", {"allow": [f"server/{glob}"]}) as h:
        assert_denied(await h.judge(request("resources/read", {"uri": uri})))


async def test_names_of_tools_are_not_read_as_uris() -> None:
    async with harness("lists", {"deny": ["server/file:///etc/*"]}) as h:
        message = request("tools/call", {"name": "file:///%65tc/x"})
        assert_passes(await h.judge(message, flow(message)))
