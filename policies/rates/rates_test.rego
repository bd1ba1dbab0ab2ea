package tidegate.packs.rates_test

import data.tidegate.packs.rates
import rego.v1

string(pointer, key, value) := {"pointer": pointer, "key": key, "value": value, "decoded": []}

name(key) := {"pointer": concat("/", ["/params/arguments", key]), "key": key, "value": key, "decoded": [], "is_key": true}

with_strings(strings) := {
	"v": 1,
	"phase": "request",
	"direction": "client_to_server",
	"method": "tools/call",
	"server": {"name": "files", "kind": "process", "trust": "high", "labels": []},
	"target": {"kind": "tool", "name": "run"},
	"tool": {"name": "run"},
	"arguments": {},
	"params": {"strings": array.concat([string("/params/name", "name", "run")], strings)},
	"findings": [],
	"session": {"labels": [], "calls": [], "counts": {}, "recent": {"minute": {}, "hour": {}, "day": {}}},
	"cut": [],
}

call(key, value) := object.union(
	with_strings([string(concat("/", ["/params/arguments", key]), key, value), name(key)]),
	{"arguments": {key: value}},
)

decoded(key, value, reading) := with_strings([object.union(
	string(concat("/", ["/params/arguments", key]), key, value),
	{"decoded": [reading]},
)])

decide(parameters, message) := decision if {
	settings := object.union(rates.defaults, parameters)
	decision := rates.decision with input as message with data.rates as settings
}

rules(parameters, message) := {denial.rule | some denial in decide(parameters, message).deny}

denied(rule, message) if rule in rules({}, message)

denied_with(parameters, rule, message) if rule in rules(parameters, message)

passes(message) if passes_with({}, message)

passes_with(parameters, message) if {
	is_object(decide(parameters, message))
	rules(parameters, message) == set()
}

called(server, tool, recent) := object.union(with_strings([]), {
	"server": {"name": server},
	"target": {"kind": "tool", "name": tool},
	"session": {"recent": object.union({"minute": {}, "hour": {}, "day": {}}, recent)},
})

writes := {"limits": [{"tools": ["*/write_*"], "most": 2, "per": "hour"}]}

one(limit) := {"limits": [limit]}

test_bypass_at_the_limit if denied_with(writes, "rates/exceeded", called("files", "write_file", {"hour": {"files/write_file": 2}}))

test_bypass_beyond_the_limit if denied_with(writes, "rates/exceeded", called("files", "write_file", {"hour": {"files/write_file": 200}}))

test_bypass_by_another_tool_of_the_limit if denied_with(writes, "rates/exceeded", called("files", "write_all", {"hour": {"files/write_file": 2}}))

test_bypass_by_another_server if denied_with(writes, "rates/exceeded", called("web", "write_page", {"hour": {"files/write_file": 2}}))

test_bypass_by_many_tools if denied_with(writes, "rates/exceeded", called("a", "write_c", {"hour": {"a/write_a": 1, "b/write_b": 1}}))

test_bypass_by_other_tools_between if denied_with(writes, "rates/exceeded", called("a", "write_c", {"hour": {"a/read": 900, "b/write_b": 2}}))

test_bypass_by_a_slash_in_the_tool if denied_with(writes, "rates/exceeded", called("a", "write_a/b.c", {"hour": {"a/write_x/y.z": 2}}))

test_bypass_by_a_dot_in_the_tool if denied_with(writes, "rates/exceeded", called("a", "write_a.b", {"hour": {"a/write_x": 2}}))

test_bypass_by_a_new_line_in_the_tool if denied_with(writes, "rates/exceeded", called("a", "write_a\nb", {"hour": {"a/write_x": 2}}))

test_bypass_by_letters_of_another_script if denied_with(writes, "rates/exceeded", called("a", "write_é", {"hour": {"a/write_ü": 2}}))

test_bypass_by_an_empty_rest if denied_with(writes, "rates/exceeded", called("a", "write_", {"hour": {"a/write_x": 2}}))

test_bypass_by_several_globs if denied_with({"limits": [{"tools": ["a/*", "b/*"], "most": 2, "per": "hour"}]}, "rates/exceeded", called("b", "x", {"hour": {"a/x": 1, "b/y": 1}}))

test_bypass_by_a_second_limit if denied_with({"limits": [{"tools": ["*"], "most": 100, "per": "day"}, {"tools": ["*/write_*"], "most": 2, "per": "hour"}]}, "rates/exceeded", called("a", "write_x", {"hour": {"a/write_x": 2}, "day": {"a/write_x": 2}}))

test_bypass_by_a_first_limit if denied_with({"limits": [{"tools": ["*/write_*"], "most": 2, "per": "hour"}, {"tools": ["*"], "most": 100, "per": "day"}]}, "rates/exceeded", called("a", "write_x", {"hour": {"a/write_x": 2}, "day": {"a/write_x": 2}}))

test_bypass_of_a_limit_per_minute if denied_with(one({"tools": ["*"], "most": 2, "per": "minute"}), "rates/exceeded", called("a", "x", {"minute": {"a/x": 2}}))

test_bypass_of_a_limit_per_hour if denied_with(one({"tools": ["*"], "most": 2, "per": "hour"}), "rates/exceeded", called("a", "x", {"hour": {"a/x": 2}}))

test_bypass_of_a_limit_per_day if denied_with(one({"tools": ["*"], "most": 2, "per": "day"}), "rates/exceeded", called("a", "x", {"day": {"a/x": 2}}))

test_bypass_of_a_limit_of_none if denied_with(one({"tools": ["*/x"], "most": 0, "per": "day"}), "rates/exceeded", called("a", "x", {}))

test_bypass_of_a_limit_below_none if denied_with(one({"tools": ["*/x"], "most": -1, "per": "day"}), "rates/exceeded", called("a", "x", {}))

test_bypass_of_a_fraction if denied_with(one({"tools": ["*"], "most": 0.5, "per": "day"}), "rates/exceeded", called("a", "x", {"day": {"a/x": 1}}))

test_bypass_of_the_limit_by_default if denied_with({}, "rates/exceeded", called("a", "x", {"minute": {"a/x": 400, "b/y": 200}}))

test_bypass_without_a_name if denied_with({}, "rates/exceeded", called("", "", {"minute": {"a/x": 600}}))

test_bypass_by_an_unknown_period if denied_with(one({"tools": ["*"], "most": 2, "per": "week"}), "rates/limit", called("a", "x", {}))

test_bypass_by_a_period_in_capitals if denied_with(one({"tools": ["*"], "most": 2, "per": "Hour"}), "rates/limit", called("a", "x", {}))

test_bypass_by_no_period if denied_with(one({"tools": ["*"], "most": 2}), "rates/limit", called("a", "x", {}))

test_bypass_by_no_tools if denied_with(one({"most": 2, "per": "hour"}), "rates/limit", called("a", "x", {}))

test_bypass_by_an_empty_list_of_tools if denied_with(one({"tools": [], "most": 2, "per": "hour"}), "rates/limit", called("a", "x", {}))

test_bypass_by_a_string_for_tools if denied_with(one({"tools": "*", "most": 2, "per": "hour"}), "rates/limit", called("a", "x", {}))

test_bypass_by_a_number_among_tools if denied_with(one({"tools": [1], "most": 2, "per": "hour"}), "rates/limit", called("a", "x", {}))

test_bypass_by_no_number if denied_with(one({"tools": ["*"], "per": "hour"}), "rates/limit", called("a", "x", {}))

test_bypass_by_null_for_a_number if denied_with(one({"tools": ["*"], "most": null, "per": "week"}), "rates/limit", called("a", "x", {}))

test_bypass_by_a_member_too_many if denied_with(one({"tools": ["*"], "most": 0, "per": "hour", "x": 1}), "rates/limit", called("a", "x", {}))

test_bypass_by_no_limit_at_all_but_a_name if denied_with({"limits": ["*"]}, "rates/limit", called("a", "x", {}))

test_bypass_by_counts_that_are_cut if denied("rates/unseen", object.union(called("a", "x", {}), {"cut": ["/session/recent"]}))

test_bypass_by_counts_of_a_period_that_are_cut if denied("rates/unseen", object.union(called("a", "x", {}), {"cut": ["/params/arguments/a", "/session/recent/hour"]}))

test_pass_below_the_limit if passes_with(writes, called("files", "write_file", {"hour": {"files/write_file": 1}}))

test_pass_another_tool if passes_with(writes, called("files", "read_file", {"hour": {"files/write_file": 2, "files/read_file": 50}}))

test_pass_after_an_hour if passes_with(writes, called("files", "write_file", {"hour": {}, "day": {"files/write_file": 9}}))

test_pass_calls_of_other_tools if passes_with(writes, called("files", "write_file", {"hour": {"files/read_file": 50}}))

test_pass_a_tool_in_capitals if passes_with(writes, called("files", "WRITE_file", {"hour": {"files/write_file": 2}}))

test_pass_the_first_call if passes_with({}, called("a", "x", {}))

test_pass_599_calls if passes_with({}, called("a", "x", {"minute": {"a/x": 599}}))

test_pass_without_limits if passes_with({"limits": []}, called("a", "x", {"minute": {"a/x": 5000}}))

test_pass_a_long_argument if passes(object.union(called("a", "x", {}), {"cut": ["/params/arguments/a"]}))
