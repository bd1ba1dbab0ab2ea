"""What a flow holds: who talks to whom about what, in which version and conversation, as far as anyone said it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from support.rig import running_core
from tidegate.correlate import Table
from tidegate.flow import Client, Principal, Server
from tidegate.flows import MAX_TOOLS, Core, Flows
from tidegate.methods import CLIENT_KEY, MODERN, V2025_06, V2025_11, VERSION_KEY, Target
from tidegate.testing import notification, request, result_of

ANN = Principal("ann", "token")
SERVER = Server("server", "process", "high", ("internal",))
INITIALIZE = request("initialize", {"protocolVersion": V2025_06, "clientInfo": {"name": "claude", "version": "2"}})
CALL = request("tools/call", {"name": "add"})


@pytest_asyncio.fixture
async def core() -> AsyncIterator[Core]:
    async with running_core() as core:
        yield core


def flows_of(core: Core, *, stateless: bool = False, principal: Principal = ANN, server: Server = SERVER) -> Flows:
    return Flows(core, server, principal, stateless=stateless)


def listed(*tools: Any) -> Any:
    return result_of(request("tools/list"), {"tools": list(tools)})


async def test_a_flow_says_who_talks_to_whom_about_what(core: Core) -> None:
    flow = flows_of(core).of(CALL)
    assert (flow.server, flow.principal, flow.client, flow.version) == (SERVER, ANN, Client(), "")
    assert flow.targets == (Target("tool", "add"),)
    assert (flow.tool, flow.request) == (None, None)
    assert flow.session is core.store.open("ann")


async def test_every_flow_has_an_id_of_its_own_unless_it_belongs_to_another(core: Core) -> None:
    flows = flows_of(core)
    assert len({flows.of(CALL).id for _ in range(10)} | {flows_of(core).of().id}) == 11
    assert flows.of(CALL, "that one").id == "that one"


async def test_the_profile_of_the_clients_endpoint_is_in_every_flow_and_so_in_that_of_a_reply(core: Core) -> None:
    flows = Flows(core, SERVER, ANN, stateless=False, profile="work")
    asked = flows.of(CALL)
    entry = Table().open(CALL, asked.id, asked)
    found = (asked, flows.of(), flows.answering(entry), flows.answering(None))
    assert [flow.profile for flow in found] == ["work"] * 4
    assert flows_of(core).of(CALL).profile == ""


async def test_an_event_has_a_flow_without_a_message(core: Core) -> None:
    flow = flows_of(core).of()
    assert (flow.server, flow.principal, flow.targets, flow.request) == (SERVER, ANN, (), None)


# -- the version ------------------------------------------------------------------------------------------------------


async def test_the_version_is_the_bodys_else_that_of_initialize_else_the_headers(core: Core) -> None:
    flows = flows_of(core)
    said = request("tools/call", {"name": "add", "_meta": {VERSION_KEY: MODERN}})
    assert flows.of(CALL).version == ""
    assert flows.of(CALL, version=V2025_11).version == V2025_11
    assert flows.of(said, version=V2025_11).version == MODERN
    flows.learn(result_of(INITIALIZE, {"protocolVersion": V2025_06}))
    assert flows.of(CALL, version=V2025_11).version == V2025_06
    assert flows.of(said).version == MODERN


async def test_initialize_asks_in_a_version_and_its_result_agrees_on_one(core: Core) -> None:
    flows = flows_of(core)
    assert flows.of(INITIALIZE).version == V2025_06
    assert flows.version == ""  # what the client wants isn't agreed on
    flows.learn(result_of(INITIALIZE, {"protocolVersion": V2025_11}))
    assert flows.version == V2025_11


@pytest.mark.parametrize("result", [{}, [], {"protocolVersion": 3}, None])
async def test_a_result_that_names_no_version_agrees_on_none(core: Core, result: Any) -> None:
    flows = flows_of(core)
    flows.learn(result_of(INITIALIZE, result))
    assert flows.version == ""


async def test_without_sessions_one_clients_initialize_says_nothing_of_the_others(core: Core) -> None:
    flows = flows_of(core, stateless=True)
    flows.learn(result_of(INITIALIZE, {"protocolVersion": V2025_06}))
    assert flows.version == ""


# -- the client -------------------------------------------------------------------------------------------------------


async def test_the_client_is_what_this_message_says_of_it_else_what_was_said_before(core: Core) -> None:
    flows = flows_of(core)
    assert flows.of(INITIALIZE).client == Client("claude", "2")
    assert flows.of(CALL).client == Client()  # the relay remembers it once it was judged
    flows.client = Client("claude", "2")
    assert flows.of(CALL).client == Client("claude", "2")
    said = request("tools/call", {"name": "add", "_meta": {CLIENT_KEY: {"name": "other", "version": "9"}}})
    assert flows.of(said).client == Client("other", "9")


async def test_a_server_can_not_say_who_the_client_is(core: Core) -> None:
    flows = flows_of(core)
    flows.client = Client("claude", "2")
    said = request("sampling/createMessage", {"_meta": {CLIENT_KEY: {"name": "other", "version": "9"}}})
    assert flows.of(said).client == Client("claude", "2")


# -- tools ------------------------------------------------------------------------------------------------------------


async def test_the_definition_of_the_tool_is_the_one_last_listed_and_frozen(core: Core) -> None:
    flows = flows_of(core)
    flows.learn(listed({"name": "add", "inputSchema": {"properties": {}}}, {"name": "sub"}))
    tool = flows.of(CALL).tool
    assert tool == {"name": "add", "inputSchema": {"properties": {}}}
    with pytest.raises(TypeError):
        tool["inputSchema"]["properties"]["x"] = 1
    flows.learn(listed({"name": "add", "title": "changed"}))
    assert flows.of(CALL).tool == {"name": "add", "title": "changed"}
    assert flows.of(request("tools/call", {"name": "sub"})).tool == {"name": "sub"}  # of an earlier page
    assert flows.of(request("prompts/get", {"name": "add"})).tool is None
    assert flows.of(request("tools/call", {"name": "ADD"})).tool is None


@pytest.mark.parametrize(
    "result",
    [None, [], "tools", {}, {"tools": None}, {"tools": {"name": "add"}}, {"tools": ["add", 1, {"name": 1}, {}]}],
)
async def test_a_list_that_is_none_teaches_nothing(core: Core, result: Any) -> None:
    flows = flows_of(core)
    flows.learn(result_of(request("tools/list"), result))
    assert len(flows.tools) == 0


async def test_no_more_tools_are_remembered_than_the_bound_and_known_ones_still_change(core: Core) -> None:
    flows = flows_of(core)
    flows.learn(listed(*({"name": str(number)} for number in range(MAX_TOOLS + 5))))
    assert len(flows.tools) == MAX_TOOLS
    flows.learn(listed({"name": "new"}, {"name": "0", "title": "changed"}))
    assert len(flows.tools) == MAX_TOOLS
    assert flows.tools.get("0") == {"name": "0", "title": "changed"}


# -- replies ----------------------------------------------------------------------------------------------------------


async def test_the_flow_of_a_reply_is_that_of_its_request_with_the_request(core: Core) -> None:
    flows = flows_of(core)
    flows.learn(listed({"name": "add"}))
    asked = flows.of(CALL, version=V2025_06)
    entry = Table().open(CALL, asked.id, asked)
    flows.tools.clear()
    flows.version, flows.client = V2025_11, Client("other")
    answered = flows.answering(entry)
    assert answered.request is CALL
    for name in ("id", "server", "principal", "client", "version", "targets", "tool", "session", "profile"):
        assert getattr(answered, name) is getattr(asked, name), name


async def test_a_reply_to_nothing_has_a_flow_of_its_own(core: Core) -> None:
    flow = flows_of(core).answering(None, V2025_06)
    assert (flow.request, flow.version, flow.targets) == (None, V2025_06, ())


# -- the conversation -------------------------------------------------------------------------------------------------


async def test_a_conversation_is_a_principal_whatever_server_session_or_client_it_uses(core: Core) -> None:
    other = Server("other")
    found = []
    for number, (server, stateless) in enumerate([(SERVER, False), (SERVER, True), (other, False)]):
        flows = flows_of(core, server=server, stateless=stateless)
        flows.session_id, flows.client = f"session {number}", Client(str(number))
        found += [flows.of(CALL).session, flows.of(notification("notifications/initialized")).session]
    assert all(session is found[0] for session in found)
    assert flows_of(core, principal=Principal("bob", "token")).of(CALL).session is not found[0]


async def test_a_conversation_may_be_narrowed_to_one_session() -> None:
    async with running_core(session={"by": "mcp-session"}) as core:
        flows = [flows_of(core) for _ in range(3)]
        flows[0].session_id = flows[1].session_id = "one"
        flows[2].session_id = "two"
        sessions = [each.of(CALL).session for each in flows]
        assert sessions[0] is sessions[1]
        assert sessions[2] is not sessions[0]
        bob = flows_of(core, principal=Principal("bob"))
        bob.session_id = "one"
        assert bob.of(CALL).session is not sessions[0]
