package tidegate.packs.approvals_test

import data.tidegate.packs.approvals
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
	settings := object.union(approvals.defaults, parameters)
	decision := approvals.decision with input as message with data.approvals as settings
}

held(parameters, message) := {hold.rule | some hold in decide(parameters, message).hold}

denied(parameters, message) := {denial.rule | some denial in decide(parameters, message).deny}

on(server, tool) := object.union(with_strings([]), {"server": {"name": server}, "target": {"kind": "tool", "name": tool}})

found(kind, confidence) := object.union(with_strings([]), {"findings": [{
	"kind": kind,
	"rule": "x",
	"pointer": "/params/arguments/a",
	"confidence": confidence,
}]})

passes(parameters, message) if {
	is_object(decide(parameters, message))
	held(parameters, message) == set()
	denied(parameters, message) == set()
}

test_bypass_tool if "approvals/tool" in held({"tools": ["*/delete_*", "db/*"]}, on("files", "delete_file"))

test_bypass_tool_of_another_server if "approvals/tool" in held({"tools": ["*/delete_*", "db/*"]}, on("web", "delete_page"))

test_bypass_every_tool_of_a_server if "approvals/tool" in held({"tools": ["*/delete_*", "db/*"]}, on("db", "query"))

test_bypass_tool_with_a_slash if "approvals/tool" in held({"tools": ["*/delete_*", "db/*"]}, on("x", "delete_a/b.c"))

test_bypass_tool_with_a_dot if "approvals/tool" in held({"tools": ["*/delete_*", "db/*"]}, on("x", "delete_a.b"))

test_bypass_tool_with_a_new_line if "approvals/tool" in held({"tools": ["*/delete_*", "db/*"]}, on("x", "delete_a\nb"))

test_bypass_tool_of_another_script if "approvals/tool" in held({"tools": ["*/delete_*", "db/*"]}, on("x", "delete_é"))

test_bypass_tool_without_a_rest if "approvals/tool" in held({"tools": ["*/delete_*", "db/*"]}, on("x", "delete_"))

test_bypass_tool_without_a_name if "approvals/tool" in held({"tools": ["*"]}, on("x", ""))

test_bypass_server_without_a_name if "approvals/tool" in held({"tools": ["*"]}, on("", "x"))

test_bypass_exact_name if "approvals/tool" in held({"tools": ["files/move"]}, on("files", "move"))

test_bypass_alternatives if "approvals/tool" in held({"tools": ["files/{move,copy}"]}, on("files", "copy"))

test_bypass_one_of_several_globs if "approvals/tool" in held({"tools": ["a/*", "b/*", "c/*"]}, on("c", "x"))

test_bypass_server_with_a_dot if "approvals/tool" in held({"tools": ["a.b/*"]}, on("a.b", "x"))

test_bypass_star_for_the_server if "approvals/tool" in held({"tools": ["*/x"]}, on("a/b", "x"))

test_bypass_exempt_tool_of_another_name if "approvals/tool" in held({"tools": ["*"], "exempt": ["a/read_*"]}, on("b", "read_x"))

test_bypass_exempt_tool_in_capitals if "approvals/tool" in held({"tools": ["*"], "exempt": ["a/read_*"]}, on("a", "READ_x"))

test_bypass_exempt_tool_with_a_finding if "approvals/finding" in held({"exempt": ["*"]}, found("secret", 0.9))

test_bypass_finding_by_default if "approvals/finding" in held({}, found("secret", 0.9))

test_bypass_finding_of_any_kind if "approvals/finding" in held({}, found("injection", 0))

test_bypass_finding_of_no_confidence if "approvals/finding" in held({}, found("pii", 0.0))

test_bypass_finding_of_the_kind if "approvals/finding" in held({"findings": ["pii", "secret"]}, found("secret", 0.5))

test_bypass_finding_at_the_threshold if "approvals/finding" in held({"threshold": 0.5}, found("secret", 0.5))

test_bypass_confidence_that_is_no_number if "approvals/finding" in held({"threshold": 0.5}, found("secret", "high"))

test_bypass_confidence_of_null if "approvals/finding" in held({"threshold": 0}, found("secret", 0.01))

test_bypass_second_finding if "approvals/finding" in held({"findings": ["secret"]}, object.union(with_strings([]), {"findings": [{"kind": "pii", "confidence": 1}, {"kind": "secret", "confidence": 1}]}))

test_bypass_finding_without_a_confidence if "approvals/finding" in held({"threshold": 0.5}, object.union(with_strings([]), {"findings": [{"kind": "secret"}]}))

test_bypass_server_of_low_trust if "approvals/trust" in held({"low_trust": true}, object.union(with_strings([]), {"server": {"name": "x", "trust": "low"}}))

test_bypass_server_of_unknown_trust if "approvals/trust" in held({"low_trust": true}, object.union(with_strings([]), {"server": {"name": "x", "trust": "medium"}}))

test_bypass_server_of_trust_in_capitals if "approvals/trust" in held({"low_trust": true}, object.union(with_strings([]), {"server": {"name": "x", "trust": "HIGH"}}))

test_bypass_server_without_trust if "approvals/trust" in held({"low_trust": true}, object.union(with_strings([]), {"server": {"name": "x", "trust": ""}}))

test_bypass_trust_of_another_type if "approvals/trust" in held({"low_trust": true}, object.union(with_strings([]), {"server": {"name": "x", "trust": true}}))

test_bypass_prompt_of_low_trust if "approvals/trust" in held({"low_trust": true}, object.union(object.union(with_strings([]), {"server": {"name": "x", "trust": "low"}}), {"method": "prompts/get"}))

test_bypass_resource_of_low_trust if "approvals/trust" in held({"exempt": ["*"], "low_trust": true}, object.union(object.union(with_strings([]), {"server": {"name": "x", "trust": "low"}}), {"method": "resources/read"}))

test_bypass_finding_in_a_resource if "approvals/finding" in held({}, object.union(found("pii", 1), {"method": "resources/read"}))

test_bypass_findings_that_are_cut if "approvals/unseen" in denied({}, object.union(with_strings([]), {"cut": ["/findings"]}))

test_pass_call if passes({}, with_strings([]))

test_pass_other_tool if passes({"tools": ["*/delete_*", "db/*"]}, on("files", "read_file"))

test_pass_tool_in_capitals if passes({"tools": ["*/delete_*", "db/*"]}, on("files", "DELETE_file"))

test_pass_exempt_tool if passes({"tools": ["*"], "exempt": ["files/read_*"]}, on("files", "read_file"))

test_pass_low_trust_where_it_is_well if passes({}, object.union(with_strings([]), {"server": {"name": "x", "trust": "low"}}))

test_pass_exempt_tool_of_low_trust if passes({"exempt": ["x/run"], "low_trust": true}, object.union(with_strings([]), {"server": {"name": "x", "trust": "low"}}))

test_pass_finding_of_another_kind if passes({"findings": ["secret"]}, found("pii", 1))

test_pass_finding_below_the_threshold if passes({"threshold": 0.5}, found("secret", 0.4))

test_pass_no_kinds if passes({"findings": []}, found("secret", 1))

test_pass_prompt_of_the_name_of_a_tool if passes({"tools": ["*/x"]}, object.union(on("a", "x"), {"method": "prompts/get", "target": {"kind": "prompt", "name": "x"}}))

test_pass_long_argument if passes({}, object.union(with_strings([]), {"cut": ["/params/arguments/a"]}))
