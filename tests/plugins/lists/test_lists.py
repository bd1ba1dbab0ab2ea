"""What `lists` denies, what it takes out of lists, and which settings it refuses."""

import json
from typing import Any

import pytest

from tidegate import Flow, Message
from tidegate.testing import (
    SettingsError,
    assert_denied,
    assert_passes,
    flow,
    harness,
    notification,
    request,
    result_of,
    samples,
)

SERVERS = ("files", "web")
LISTINGS = {
    "tools/list": ("tools", "name"),
    "prompts/list": ("prompts", "name"),
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
}


def call(name: Any, server: str = "files", principal: str = "anonymous") -> tuple[Message, Flow]:
    message = request("tools/call", {"name": name, "arguments": {}})
    return message, flow(message, server=server, principal=principal)


def read(uri: str, server: str = "files") -> tuple[Message, Flow]:
    message = request("resources/read", {"uri": uri})
    return message, flow(message, server=server)


def listed(method: str, names: list[Any], principal: str = "anonymous", **members: Any) -> tuple[Message, Flow]:
    """A list reply of the server `files` with items of these names, each with a member of its own."""
    member, key = LISTINGS[method]
    asked = request(method)
    reply = result_of(asked, {member: [{key: name, "note": f"of {name}"} for name in names], **members})
    return reply, flow(reply, server="files", request=asked, principal=principal)


def names_in(message: Message) -> list[Any]:
    member, key = LISTINGS[message.method or ""]
    return [item[key] for item in message.body[member]]


async def test_a_denied_tool_can_not_be_called_and_another_can() -> None:
    async with harness("lists", {"deny": ["files/delete_*"]}, servers=SERVERS) as h:
        deny = assert_denied(await h.judge(*call("delete_all")), rule="files/delete_*")
        assert deny.reason == "This tool of the server 'files' is not allowed."
        assert_passes(await h.judge(*call("read_file")))
        assert_passes(await h.judge(*call("delete_all", server="web")))


async def test_a_deny_says_nothing_of_the_message() -> None:
    async with harness("lists", {"deny": ["files/*"]}, servers=SERVERS) as h:
        name = "ignore-all-previous-instructions" * 50
        deny = assert_denied(await h.judge(*call(name)))
        assert "ignore" not in deny.reason + deny.rule


async def test_with_an_allow_list_the_rest_is_denied() -> None:
    async with harness("lists", {"allow": ["files/read_*"]}, servers=SERVERS) as h:
        assert_passes(await h.judge(*call("read_file")))
        assert_denied(await h.judge(*call("write_file")), rule="not-in-allow")
        assert_denied(await h.judge(*call("read_file", server="web")), rule="not-in-allow")


async def test_a_deny_beats_an_allow() -> None:
    config = {"allow": ["files/*"], "deny": ["files/delete_*"]}
    async with harness("lists", config, servers=SERVERS) as h:
        assert_passes(await h.judge(*call("read_file")))
        assert_denied(await h.judge(*call("delete_all")), rule="files/delete_*")


async def test_names_are_compared_case_by_case() -> None:
    async with harness("lists", {"allow": ["files/Read"]}, servers=SERVERS) as h:
        assert_passes(await h.judge(*call("Read")))
        assert_denied(await h.judge(*call("read")))


async def test_with_deny_by_default_and_no_allow_list_nothing_may_be_called() -> None:
    async with harness("lists", {"default": "deny"}, servers=SERVERS) as h:
        assert_denied(await h.judge(*call("read_file")))
        assert_denied(await h.judge(*read("file:///data/x")))
        assert_passes(await h.judge(request("ping")))


async def test_without_lists_everything_passes_untouched() -> None:
    async with harness("lists", servers=SERVERS) as h:
        for sample in samples():
            decision = await h.judge(sample.message, sample.flow)
            assert assert_passes(decision) is sample.message


async def test_deny_by_default_stops_only_what_names_a_tool_a_prompt_or_a_resource() -> None:
    stopped = set()
    async with harness("lists", {"default": "deny"}, servers=("server",)) as h:
        for sample in samples():
            if not (await h.judge(sample.message, sample.flow)).allowed:
                assert not sample.message.is_reply
                stopped.add(sample.message.method)
    assert stopped == {
        "tools/call",
        "prompts/get",
        "resources/read",
        "resources/subscribe",
        "resources/unsubscribe",
        "completion/complete",
        "subscriptions/listen",
        "notifications/resources/updated",
    }


@pytest.mark.parametrize(
    ("glob", "stopped", "passing"),
    [
        ("tool:files/x", ("tools/call", {"name": "x"}), ("prompts/get", {"name": "x"})),
        ("prompt:files/x", ("prompts/get", {"name": "x"}), ("tools/call", {"name": "x"})),
        ("resource:files/m:*", ("resources/read", {"uri": "m:x"}), ("tools/call", {"name": "m:x"})),
        ("prompt:*/*", ("completion/complete", {"ref": {"type": "ref/prompt", "name": "x"}}), ("ping", {})),
    ],
)
async def test_a_kind_before_the_server_limits_a_glob_to_it(glob: str, stopped: Any, passing: Any) -> None:
    async with harness("lists", {"deny": [glob]}, servers=SERVERS) as h:
        for (method, params), allowed in ((stopped, False), (passing, True)):
            message = request(method, params)
            assert (await h.judge(message, flow(message, server="files"))).allowed is allowed


async def test_a_star_crosses_slashes() -> None:
    async with harness("lists", {"deny": ["files/file:///data/*"]}, servers=SERVERS) as h:
        assert_denied(await h.judge(*read("file:///data/a/b/c")))


async def test_a_wildcard_in_the_server_covers_all_that_match() -> None:
    async with harness("lists", {"deny": ["*/delete_*"]}, servers=SERVERS) as h:
        assert_denied(await h.judge(*call("delete_all")))
        assert_denied(await h.judge(*call("delete_all", server="web")))


async def test_one_denied_uri_of_a_listen_request_denies_it() -> None:
    async with harness("lists", {"deny": ["server/file:///etc/*"]}) as h:
        fine, bad = "file:///data/x", "file:///etc/x"
        for uris, allowed in (([fine], True), ([fine, bad], False), ([bad, fine], False)):
            message = request("subscriptions/listen", {"notifications": {"resourceSubscriptions": uris}})
            assert (await h.judge(message)).allowed is allowed


async def test_an_update_of_a_denied_resource_does_not_reach_the_client() -> None:
    async with harness("lists", {"deny": ["server/file:///etc/*"]}) as h:
        assert_denied(await h.judge(notification("notifications/resources/updated", {"uri": "file:///etc/x"})))
        assert_passes(await h.judge(notification("notifications/resources/updated", {"uri": "file:///data/x"})))


async def test_a_completion_is_judged_by_the_template_it_refers_to() -> None:
    async with harness("lists", {"deny": ["server/file:///etc/*"]}) as h:
        for uri, allowed in (("file:///etc/{name}", False), ("file:///{+path}", True), ("file:///etc/x", False)):
            message = request("completion/complete", {"ref": {"type": "ref/resource", "uri": uri}})
            assert (await h.judge(message)).allowed is allowed


async def test_a_completion_for_a_prompt_is_judged_by_its_name_whatever_is_in_it() -> None:
    async with harness("lists", {"allow": ["server/sum{mary}"], "deny": ["server/x{*"]}) as h:
        for name, allowed in (("sum{mary}", True), ("sum{x}", False), ("x{y}", False)):
            message = request("completion/complete", {"ref": {"type": "ref/prompt", "name": name}})
            assert (await h.judge(message)).allowed is allowed
            assert all(step.outcome != "error" for step in h.steps)


async def test_a_reference_that_names_both_a_prompt_and_a_resource_is_judged_as_both() -> None:
    async with harness("lists", {"deny": ["resource:server/*"]}) as h:
        ref = {"type": "ref/resource", "uri": "file:///x", "name": "harmless"}
        assert_denied(await h.judge(request("completion/complete", {"ref": ref})))


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {}),
        ("tools/call", {"name": ["delete_all"]}),
        ("tools/call", {"name": None}),
        ("resources/read", {"uri": {"href": "file:///etc/x"}}),
        ("completion/complete", {"ref": {"name": 1}}),
        ("completion/complete", {}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["file:///data/x", 7]}}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": {"0": "file:///data/x"}}}),
    ],
)
async def test_a_target_that_can_not_be_read_is_denied(method: str, params: Any) -> None:
    async with harness("lists", {"deny": ["server/nothing-of-this"]}) as h:
        assert_denied(await h.judge(request(method, params)), code="ambiguous", rule="unreadable")
    async with harness("lists", {"deny": ["other/*"]}, servers=("server", "other")) as h:
        assert_passes(await h.judge(request(method, params)))


async def test_a_call_without_an_id_is_judged_too() -> None:
    async with harness("lists", {"deny": ["server/delete_*"]}) as h:
        assert_denied(await h.judge(notification("tools/call", {"name": "delete_all"})))


async def test_a_name_too_long_to_judge_is_denied_and_not_listed() -> None:
    async with harness("lists", {"deny": ["files/delete_*"]}, servers=SERVERS) as h:
        long = "x" * 8193
        assert_denied(await h.judge(*call(long)), code="limit", rule="too-long")
        assert_passes(await h.judge(*call(long[1:])))
        assert names_in(assert_passes(await h.judge(*listed("tools/list", ["a", long])))) == ["a"]


async def test_the_name_that_goes_on_is_judged_and_not_the_one_that_came() -> None:
    """Whatever the flow was made of."""
    async with harness("lists", {"deny": ["files/delete_*"]}, servers=SERVERS) as h:
        came, context = call("tidy")
        assert_denied(await h.judge(came.replace("/params/name", "delete_all", label="renamed"), context))


@pytest.mark.parametrize("method", LISTINGS)
async def test_what_may_not_be_called_is_not_listed(method: str) -> None:
    names = ["m:a", "m:delete/1", "m:b", "m:delete/2"]
    async with harness("lists", {"deny": ["files/m:delete/*"]}, servers=SERVERS) as h:
        message, context = listed(method, names, nextCursor="page 2", ttlMs=5, cacheScope="public", _meta={"a": None})
        passed = assert_passes(await h.judge(message, context))
        assert names_in(passed) == ["m:a", "m:b"]
        assert [edit.label for edit in passed.edits] == ["2 of 4 removed"]
        member, _ = LISTINGS[method]
        was, now = (json.loads(m.encoded) for m in (message, passed))
        assert {**was["result"], member: None} == {**now["result"], member: None}
        assert now["result"][member] == [was["result"][member][0], was["result"][member][2]]


async def test_every_page_is_filtered_and_an_empty_one_keeps_its_cursor() -> None:
    async with harness("lists", {"allow": ["files/a*"]}, servers=SERVERS) as h:
        passed = assert_passes(await h.judge(*listed("tools/list", ["b", "c"], nextCursor="")))
        assert passed.body == {"tools": [], "nextCursor": ""}


async def test_a_list_without_anything_to_hide_goes_on_as_it_came() -> None:
    async with harness("lists", {"deny": ["files/z", "web/*"]}, servers=SERVERS) as h:
        message, context = listed("tools/list", ["a", "b"])
        assert assert_passes(await h.judge(message, context)) is message


async def test_an_item_that_can_not_be_judged_is_removed() -> None:
    async with harness("lists", {"deny": ["files/z"]}, servers=SERVERS) as h:
        asked = request("tools/list")
        items = ["z", None, {"title": "z"}, {"name": 1}, {"name": ["z"]}, {"name": "a"}]
        reply = result_of(asked, {"tools": items})
        passed = assert_passes(await h.judge(reply, flow(reply, server="files", request=asked)))
        assert passed.body["tools"] == [{"name": "a"}]


@pytest.mark.parametrize("what", [{"z": {"name": "z"}}, "z", 1])
async def test_a_list_that_is_none_is_emptied(what: Any) -> None:
    async with harness("lists", {"deny": ["files/z"]}, servers=SERVERS) as h:
        asked = request("tools/list")
        reply = result_of(asked, {"tools": what})
        assert assert_passes(await h.judge(reply, flow(reply, server="files", request=asked))).body["tools"] == []


@pytest.mark.parametrize("result", [{}, {"tools": None}, {"resultType": "unheard-of"}, []])
async def test_a_reply_that_lists_nothing_passes_untouched(result: Any) -> None:
    async with harness("lists", {"allow": ["files/a"]}, servers=SERVERS) as h:
        asked = request("tools/list")
        reply = result_of(asked, result)
        assert assert_passes(await h.judge(reply, flow(reply, server="files", request=asked))) is reply


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        (
            {"deny": ["files/file:///etc/*"]},
            ["file:///{+path}", "file:///{x}/etc", "mem:{x}", "{+uri}", "file:///et{x}"],
        ),
        ({"deny": ["files/FILE:///e*"]}, ["file:///{+path}", "file:///{x}/etc", "mem:{x}", "{+uri}"]),
        ({"deny": ["files/*"]}, []),
        (
            {"allow": ["files/file:///etc/*.md"]},
            ["file:///etc/{x}", "file:///{+path}", "file:///{x}/etc", "{+uri}", "file:///et{x}"],
        ),
        ({"allow": ["files/mem:now"]}, ["mem:{x}", "{+uri}"]),
        ({"default": "deny"}, []),
    ],
)
async def test_a_template_is_listed_if_it_can_expand_to_what_may_be_read(config: Any, kept: list[str]) -> None:
    templates = [
        "file:///etc/{x}",
        "FILE:///%65tc/{x}",
        "file:///data/../etc/{+x}",
        "file:///{+path}",
        "file:///{x}/etc",
        "mem:{x}",
        "{+uri}",
        "file:///et{x}",
        "file:///etc/passwd",
    ]
    async with harness("lists", config, servers=SERVERS) as h:
        passed = assert_passes(await h.judge(*listed("resources/templates/list", templates)))
        assert names_in(passed) == kept


async def test_a_principal_can_have_more_denied() -> None:
    config = {"deny": ["files/delete_*"], "principals": {"ci": {"deny": ["files/write_*"]}}}
    async with harness("lists", config, servers=SERVERS, principals=("ci", "ada")) as h:
        assert_denied(await h.judge(*call("write_file", principal="ci")), rule="files/write_*")
        assert_denied(await h.judge(*call("delete_all", principal="ci")), rule="files/delete_*")
        assert_passes(await h.judge(*call("read_file", principal="ci")))
        assert_passes(await h.judge(*call("write_file", principal="ada")))


async def test_a_principals_own_allow_list_narrows_what_all_may() -> None:
    config = {"allow": ["files/*"], "principals": {"ci": {"allow": ["*/read_*"]}, "eve": {"allow": []}}}
    async with harness("lists", config, servers=SERVERS, principals=("ci", "ada", "eve")) as h:
        assert_passes(await h.judge(*call("read_file", principal="ci")))
        assert_denied(await h.judge(*call("write_file", principal="ci")))
        assert_denied(await h.judge(*call("read_page", server="web", principal="ci")))
        assert_passes(await h.judge(*call("write_file", principal="ada")))
        assert_denied(await h.judge(*call("read_file", principal="eve")))


async def test_the_lists_of_a_star_are_for_principals_that_are_not_named() -> None:
    config = {"principals": {"ci": {"allow": ["files/*"]}, "*": {"allow": []}}}
    async with harness("lists", config, servers=SERVERS, principals=("ci", "ada")) as h:
        assert_passes(await h.judge(*call("read_file", principal="ci")))
        assert_denied(await h.judge(*call("read_file", principal="ada")))


@pytest.mark.parametrize("scope", ["public", "shared-by-all", None])
async def test_what_differs_per_principal_is_kept_out_of_shared_caches(scope: Any) -> None:
    config = {"principals": {"ci": {"deny": ["files/a"]}}}
    async with harness("lists", config, servers=SERVERS, principals=("ci", "ada")) as h:
        for principal in ("ci", "ada"):  # the second one sees it all, and would fill the cache for the first
            passed = assert_passes(await h.judge(*listed("tools/list", ["a", "b"], principal, cacheScope=scope)))
            assert passed.body["cacheScope"] == "private"
        asked, context = read("file:///data/x")
        reply = result_of(asked, {"contents": [], "cacheScope": scope})
        passed = assert_passes(await h.judge(reply, flow(reply, server=context.server, request=asked)))
        assert passed.body["cacheScope"] == "private"


async def test_no_cache_scope_is_made_up() -> None:
    config = {"principals": {"*": {"deny": ["files/a"]}}}
    async with harness("lists", config, servers=SERVERS) as h:
        assert "cacheScope" not in assert_passes(await h.judge(*listed("tools/list", ["b"]))).body
        message, context = listed("tools/list", ["b"], cacheScope="private")
        assert assert_passes(await h.judge(message, context)) is message


async def test_the_gateways_own_tools_can_be_named_though_no_server_is_called_so() -> None:
    async with harness("lists", {"deny": ["gateway/add-server"]}, servers=SERVERS) as lists:
        assert lists is not None


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"deny": ["delete_all"]}, "interceptor 'lists': deny.0: 'delete_all' is not SERVER/NAME"),
        ({"deny": ["/x"]}, "'/x' is not SERVER/NAME"),
        ({"deny": ["files/"]}, "'files/' is not SERVER/NAME"),
        ({"allow": ["tools:files/x"]}, "starts with the kind 'tools'; the kinds are tool, prompt, resource"),
        ({"deny": ["files/file:///a/../b"]}, "has a segment '.' or '..' in its path"),
        ({"deny": ["flies/x"]}, "'flies/x' names the server 'flies', which isn't there (there are: files, web)"),
        ({"principals": {"ci": {"deny": ["flies/x"]}}}, "names the server 'flies'"),
        ({"principals": {"eve": {}}}, "principals names 'eve', who has no token in [auth] (there are: ci)"),
        ({"allow": ["files/x"], "default": "allow"}, "allow has no effect with default = 'allow'"),
        ({"allow": []}, "allow is empty"),
        ({"denied": ["files/x"]}, "has no setting 'denied'"),
        ({"principals": {"ci": {"denied": []}}}, "principals.ci.denied: there is no such setting"),
    ],
)
async def test_settings_that_can_not_be_meant_stop_the_start_with_one_sentence(config: Any, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        async with harness("lists", config, servers=SERVERS, principals=("ci",)):
            pass
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_without_tokens_the_one_principal_is_anonymous() -> None:
    async with harness("lists", {"principals": {"anonymous": {"deny": ["files/x"]}}}, servers=SERVERS) as h:
        assert_denied(await h.judge(*call("x")))
    with pytest.raises(SettingsError, match="'ci', who has no token"):
        async with harness("lists", {"principals": {"ci": {}}}, servers=SERVERS):
            pass


async def test_in_report_only_nothing_is_denied_or_removed() -> None:
    async with harness("lists", {"deny": ["files/a"]}, servers=SERVERS, report_only=True) as h:
        decision = await h.judge(*call("a"))
        assert_passes(decision)
        assert [step.outcome for step in decision.steps if step.hook == "decide"] == ["deny"]
        message, context = listed("tools/list", ["a"])
        assert assert_passes(await h.judge(message, context)) is message
