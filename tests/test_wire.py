"""Bytes to messages: lossless for what is one, and a clear refusal for whatever two parsers could read differently."""

import json
from typing import Any

import pytest
from hypothesis import given

from support import strategies
from support.strategies import same
from tidegate import wire
from tidegate.message import Message
from tidegate.verdict import CODES
from tidegate.wire import Limits, Rejected

HEAD = '{"jsonrpc":"2.0","id":7,"method":"x","params":'
SECRET = "hunter2-is-not-for-logs"  # what a refusal must not repeat


def refusal(data: bytes | str, limits: Limits = wire.DEFAULT_LIMITS) -> Rejected:
    with pytest.raises(Rejected) as caught:
        wire.parse(data.encode() if isinstance(data, str) else data, "client", limits)
    assert caught.value.code in CODES
    assert SECRET not in f"{caught.value.reason} {caught.value!r} {caught.value.args}"
    return caught.value


# -- lossless -----------------------------------------------------------------------------------------------


@given(strategies.texts_of(strategies.messages))
def test_any_message_is_encoded_as_the_same_json(data: bytes) -> None:
    message = wire.parse(data, "client")
    assert same(json.loads(message.encoded), json.loads(data))
    again = wire.parse(message.encoded, "client")
    assert again.encoded == message.encoded
    assert (again.kind, again.id, again.method) == (message.kind, message.id, message.method)


@given(strategies.texts_of(strategies.messages))
def test_what_a_message_says_of_itself_is_what_its_text_says(data: bytes) -> None:
    tree = json.loads(data)
    message = wire.parse(data, "server")
    kinds = {"request": "id" in tree, "notification": "id" not in tree} if "method" in tree else {}
    kinds |= {"result": "result" in tree, "error": "error" in tree}
    assert kinds[message.kind]
    assert same(message.id, tree.get("id"))
    assert message.method == tree.get("method")
    assert message.sender == "server"
    assert message.body == tree.get("params", tree.get("result", tree.get("error")))


@given(strategies.ids)
def test_an_id_keeps_its_type_and_its_value(identity: str | int) -> None:
    message = wire.parse(json.dumps({"jsonrpc": "2.0", "id": identity, "method": "x"}).encode(), "client")
    assert same(message.id, identity)
    assert same(json.loads(message.encoded)["id"], identity)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":null}',
        "{}",
        '{"a":123456789012345678901234567890}',
        '{"a":-9223372036854775809}',
        '{"a":1.5e-7}',
        '{"a":5e-324}',
        '{"a":1.7976931348623157e308}',
        '{"a":"\\u0000\\u001f\\u007f\\u2028\\ud83d\\ude00"}',
        '{"":""}',
        '{"a":{"a":{"a":[[],{},[null]]}}}',
        '{"resultType":"never heard of"}',
        '{"__proto__":{"constructor":1}}',
    ],
)
def test_odd_but_valid_params_survive(text: str) -> None:
    message = wire.parse((HEAD + text + "}").encode(), "client")
    assert same(json.loads(message.encoded)["params"], json.loads(text))


def test_an_encoding_has_no_white_space_and_keeps_the_order_of_members() -> None:
    message = wire.parse(b'{ "b" : 1 ,\n"jsonrpc" : "2.0", "method" : "x" }', "client")
    assert message.encoded == b'{"b":1,"jsonrpc":"2.0","method":"x"}'
    assert wire.encode(message) == message.encoded


# -- strict -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"a":1,"a":1}', "ambiguous"),
        (f'{{"a":"{SECRET}","\\u0061":2}}', "ambiguous"),
        (f'{{"{SECRET}":1,"{SECRET}":2}}', "ambiguous"),
        ('{"deep":[{"er":{"a":1,"b":2,"a":3}}]}', "ambiguous"),
        ('{"a":1e400}', "ambiguous"),
        ('{"a":[-1e400]}', "ambiguous"),
        ('{"a":1e99999999999999999999}', "ambiguous"),
        ('{"a":NaN}', "parse"),
        ('{"a":Infinity}', "parse"),
        ('{"a":-Infinity}', "parse"),
        ('{"a":"\\ud800"}', "parse"),
        ('{"\\udc00":1}', "parse"),
        ('{"a":"\\ude00\\ud83d"}', "parse"),
        ('{"a":01}', "parse"),
        ('{"a":+1}', "parse"),
        ('{"a":.5}', "parse"),
        ('{"a":1.}', "parse"),
        ('{"a":0x10}', "parse"),
        ('{"a":1,}', "parse"),
        ('{"a":1 /* no */}', "parse"),
        ("{'a':1}", "parse"),
        ('{"a":"\t"}', "parse"),
        ('{"a":"line\nend"}', "parse"),
        ('{"a":"\\x41"}', "parse"),
        ('{"a":tru}', "parse"),
        ('{"a":' + "9" * 5000 + "}", "parse"),
        ("[]", "invalid"),
        ('[{"a":1}]', "invalid"),
        ("null", "invalid"),
        (f'"{SECRET}"', "invalid"),
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(text: str, code: str) -> None:
    refused = refusal(HEAD + text + "}")
    assert refused.code == code
    assert refused.id == 7
    assert refused.size == len(HEAD + text + "}")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"\x00",
        b"\xef\xbb\xbf" + HEAD.encode() + b"{}}",
        (HEAD + "{}}").encode("utf-16"),
        HEAD.encode() + b'{"a":"\xff"}}',
        HEAD.encode() + b'{"a":"\xc0\x80"}}',  # an overlong NUL
        HEAD.encode() + b'{"a":"\xed\xa0\x80"}}',  # a surrogate in UTF-8
        HEAD.encode() + b"{}}x",
        HEAD.encode() + b"{}}" + HEAD.encode() + b"{}}",
        HEAD.encode() + b"{}}\x00",
        b"\x0c" + HEAD.encode() + b"{}}",
        HEAD.encode() + b"{}",
        b'{"jsonrpc":"2.0"',
    ],
)
def test_bytes_that_are_not_one_json_text_in_utf_8_are_refused(data: bytes) -> None:
    assert refusal(data).code == "parse"


def envelope(**members: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", **members})


RESULT: dict[str, Any] = {"result": {}}
LONG_S: dict[str, Any] = {"param\u017f": {}}  # folds to an s; an identifier would be normalised
ERROR: dict[str, Any] = {"error": {"code": 1, "message": "no"}}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (envelope(id=True, method="x"), "ambiguous"),
        (envelope(id=False, method="x"), "ambiguous"),
        (envelope(id=None, method="x"), "ambiguous"),
        (envelope(id=1.5, method="x"), "ambiguous"),
        (envelope(id=1.0, method="x"), "ambiguous"),
        ('{"jsonrpc":"2.0","id":1e2,"method":"x"}', "ambiguous"),
        (envelope(id=[1], method="x"), "ambiguous"),
        (envelope(id={}, method="x"), "ambiguous"),
        (envelope(id=None, **RESULT), "ambiguous"),
        (envelope(**RESULT), "ambiguous"),
        (envelope(id=True, **RESULT), "ambiguous"),
        (envelope(id=1.0, **ERROR), "ambiguous"),
        (envelope(id=1, method="x", **RESULT), "ambiguous"),
        (envelope(id=1, method="x", **ERROR), "ambiguous"),
        (envelope(id=1, method=None, **RESULT), "ambiguous"),
        (envelope(id=1, **RESULT, **ERROR), "ambiguous"),
        (envelope(id=1, result={}, error=None), "ambiguous"),
        (envelope(id=1, params={}, **RESULT), "ambiguous"),
        (envelope(id=1), "invalid"),
        (envelope(id=1, method=5), "invalid"),
        (envelope(id=1, method=None), "invalid"),
        (envelope(id=1, method="x", params=[1]), "invalid"),
        (envelope(id=1, method="x", params=None), "invalid"),
        (envelope(id=1, method="x", params="a"), "invalid"),
        (envelope(id=1, error=None), "invalid"),
        (envelope(id=1, error="no"), "invalid"),
        (envelope(id=1, error={"code": "1", "message": "no"}), "invalid"),
        (envelope(id=1, error={"code": True, "message": "no"}), "invalid"),
        (envelope(id=1, error={"code": 1.5, "message": "no"}), "invalid"),
        (envelope(id=1, error={"code": 1}), "invalid"),
        (envelope(id=1, error={"code": 1, "message": None}), "invalid"),
        ('{"id":1,"method":"x"}', "invalid"),
        ('{"jsonrpc":2.0,"id":1,"method":"x"}', "invalid"),
        ('{"jsonrpc":"2","id":1,"method":"x"}', "invalid"),
        ('{"jsonrpc":"1.0","id":1,"method":"x"}', "invalid"),
        ("null", "invalid"),
        ("1e400", "invalid"),
        ('"text"', "invalid"),
        ("[]", "invalid"),
        ("[" + envelope(id=1, method="x") + "]", "invalid"),
    ],
)
def test_json_that_is_no_one_message_is_refused(text: str, code: str) -> None:
    assert refusal(text).code == code


@pytest.mark.parametrize(
    "text",
    [
        envelope(id=1, method="x", Method="y"),
        envelope(id=1, method="x", ID=2),
        envelope(method="x", Id=2),
        envelope(id=1, method="x", **LONG_S),  # a long s, which folds to an s
        envelope(id=1, Result={}, **ERROR),
        envelope(id=1, method="x", JSONRPC="1.0"),
        envelope(id=1, method="tools/call", params={"name": "a", "Name": "b"}),
        envelope(id=1, method="tools/call", params={"NAME": "b"}),
        envelope(id=1, method="tools/call", params={"name": "a", "Arguments": {}}),
        envelope(id=1, method="resources/read", params={"uri": "a", "URI": "b"}),
        envelope(id=1, method="tasks/get", params={"ta\u017fkId": "a"}),
        envelope(id=1, method="tools/call", params={"name": "a", "_Meta": {}}),
    ],
)
def test_a_member_that_a_parser_without_case_would_take_for_another_is_refused(text: str) -> None:
    assert refusal(text).code == "ambiguous"


def test_members_that_differ_in_case_only_are_free_where_they_decide_nothing() -> None:
    tree = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "a", "arguments": {"Name": 1, "name": 2}}}
    assert same(json.loads(wire.parse(json.dumps(tree).encode(), "client").encoded), tree)


# -- the answer to a refusal ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ('{"jsonrpc":"2.0","id":"a-1","method":"x","params":{"a":NaN}}', "a-1"),
        ('{"jsonrpc":"2.0","id":5,"method":"x","params":{"id":6,"a":NaN}}', None),  # two ids: which one is it?
        ('{"jsonrpc":"2.0","\\u0069d":5,"method":"x","params":{"a":NaN}}', None),
        ('{"jsonrpc":"2.0","id":1.5,"method":"x","params":{"a":NaN}}', None),
        ('{"jsonrpc":"2.0","id":true,"method":"x","params":{"a":NaN}}', None),
        ('{"jsonrpc":"2.0","id":1,"id":1,"method":"x"}', None),
        ('{"jsonrpc":"2.0","id":5,"method":"x","params":[]}', 5),
        ('{"jsonrpc":"2.0","method":"x","params":[]}', None),
    ],
)
def test_a_refusal_knows_the_id_only_where_there_is_no_doubt(text: str, identity: str | int | None) -> None:
    assert same(refusal(text).id, identity)


# -- limits -------------------------------------------------------------------------------------------------


def test_a_message_over_the_limit_of_bytes_is_refused_before_it_is_parsed() -> None:
    limits = Limits(max_bytes=100)
    fits = envelope(id=1, method="x", params={"a": ""})
    fits = envelope(id=1, method="x", params={"a": "b" * (100 - len(fits))})
    assert wire.parse(fits.encode(), "client", limits).id == 1
    refused = refusal(fits + " ", limits)
    assert (refused.code, refused.size) == ("limit", 101)
    assert "100 bytes" in refused.reason


def nested_message(depth: int, opening: str = "[", closing: str = "]") -> str:
    inner = depth - 2
    return envelope(id=1, method="x", params={"a": "@"}).replace('"@"', opening * inner + closing * inner)


def test_a_message_over_the_limit_of_depth_is_refused() -> None:
    limits = Limits(max_depth=10)
    assert wire.parse(nested_message(10).encode(), "client", limits).id == 1
    refused = refusal(nested_message(11), limits)
    assert (refused.code, refused.id) == ("limit", 1)
    assert "deeper than 10 levels" in refused.reason


@pytest.mark.parametrize("depth", [65, 190, 199, 200, 201, 300, 100_000])
def test_no_depth_is_too_deep_to_be_refused(depth: int) -> None:
    refused = refusal(nested_message(depth))
    assert refused.code == "limit"
    assert "deeper than" in refused.reason


def test_a_message_over_the_limit_of_members_is_refused() -> None:
    limits = Limits(max_members=20)
    fits = {"a": list(range(10)), "b": {str(number): 1 for number in range(4)}}  # 4 + 2 + 10 + 4
    assert wire.parse(envelope(id=1, method="x", params=fits).encode(), "client", limits).id == 1
    fits["a"].append(1)  # type: ignore[attr-defined]  # it is a list, as can be seen above
    refused = refusal(envelope(id=1, method="x", params=fits), limits)
    assert refused.code == "limit"
    assert "more than 20 members" in refused.reason


@pytest.mark.parametrize("place", ["value", "key", "method", "id", "item", "extra"])
def test_a_message_with_a_string_over_the_limit_is_refused(place: str) -> None:
    limits = Limits(max_string_bytes=64)

    def message(text: str) -> str:
        tree: dict[str, Any] = {"id": "1", "method": "x", "params": {"fill": ["b" * 60] * 4}}
        places: dict[str, dict[str, Any]] = {
            "value": {"params": {**tree["params"], "a": text}},
            "key": {"params": {**tree["params"], text: 1}},
            "method": {"method": text},
            "id": {"id": text},
            "item": {"params": {**tree["params"], "a": [[text]]}},
            "extra": {"extra": text},
        }
        return envelope(**{**tree, **places[place]})

    assert wire.parse(message("é" * 32).encode(), "client", limits).kind == "request"
    refused = refusal(message("é" * 32 + "b"), limits)
    assert refused.code == "limit"
    assert "longer than 64 bytes" in refused.reason


# -- batches ------------------------------------------------------------------------------------------------


def test_a_batch_is_read_only_where_the_version_has_batches() -> None:
    data = f"[{envelope(id=1, method='x')},{envelope(method='y')}]".encode()
    found = wire.parse_many(data, "client", batch=True)
    assert isinstance(found, list)
    assert [(one.kind, one.id, one.method) for one in found if isinstance(one, Message)] == [
        ("request", 1, "x"),
        ("notification", None, "y"),
    ]
    with pytest.raises(Rejected) as caught:
        wire.parse_many(data, "client")
    assert caught.value.code == "invalid"
    assert "2025-03-26" in caught.value.reason


def test_where_batches_are_allowed_one_message_is_still_one() -> None:
    found = wire.parse_many(envelope(id=1, method="x").encode(), "client", batch=True)
    assert isinstance(found, Message)
    assert found.id == 1


@pytest.mark.parametrize("odd", ["1", "[]", "null", "{}", f"[{envelope(id=1, method='x')}]", '{"id":7,"result":1}'])
def test_what_is_no_message_in_a_batch_is_refused_by_itself(odd: str) -> None:
    data = f"[{envelope(id=1, result='x')},{odd},{envelope(method='y')}]".encode()
    found = wire.parse_many(data, "server", batch=True)
    assert isinstance(found, list)
    first, refused, last = found
    assert isinstance(first, Message)
    assert isinstance(last, Message)
    assert (first.id, last.method) == (1, "y")
    assert isinstance(refused, Rejected)
    assert (refused.code, refused.size) == ("invalid", len(odd.replace(" ", "")))
    assert refused.id == (7 if "result" in odd and "7" in odd else None)


def test_a_batch_of_nothing_or_of_too_much_or_that_is_no_json_is_refused_whole() -> None:
    note = envelope(method="y")
    assert len(wire.parse_many(f"[{','.join([note] * wire.MAX_BATCH)}]".encode(), "server", batch=True)) == 1000  # type: ignore[arg-type]  # a list
    for text, code in [
        ("[]", "invalid"),
        (f"[{','.join([note] * (wire.MAX_BATCH + 1))}]", "limit"),
        (f'[{note},{{"id":1,"id":2}}]', "ambiguous"),
    ]:
        with pytest.raises(Rejected) as caught:
            wire.parse_many(text.encode(), "server", batch=True)
        assert (caught.value.code, caught.value.size) == (code, len(text))
