package tidegate_test

import rego.v1

import data.tidegate

# A call as Tidegate shows it, with what the policy reads; `tidegate policy fmt-input` prints the whole.
_call(name, arguments) := {
	"phase": "request",
	"method": "tools/call",
	"server": {"name": "files", "labels": []},
	"target": {"kind": "tool", "name": name},
	"arguments": arguments,
	"findings": [],
	"session": {"labels": []},
	"cut": [],
}

_reply(findings, labels) := {
	"phase": "reply",
	"method": "tools/call",
	"server": {"name": "files", "labels": labels},
	"target": {"kind": "tool", "name": "read_file"},
	"arguments": {},
	"findings": findings,
	"session": {"labels": []},
	"cut": [],
}

_rules(message) := {said.rule | some said in tidegate.decision.deny with input as message}

test_a_deletion_is_denied if {
	_rules(_call("delete_file", {"path": "/data/a"})) == {"delete"}
}

test_a_tool_that_deletes_is_not_listed if {
	_rules(object.union(_call("delete_file", {}), {"phase": "list"})) == {"delete"}
}

test_reading_passes if {
	_rules(_call("read_file", {"path": "/data/a"})) == set()
}

test_writing_inside_passes if {
	_rules(_call("write_file", {"path": "/data/a"})) == set() with data.writable as ["/data/"]
}

test_writing_elsewhere_is_denied if {
	every path in ["/etc/passwd", "/data/../etc/passwd", "", ["/data/a"], null, 7] {
		_rules(_call("write_file", {"path": path})) == {"path"} with data.writable as ["/data/"]
	}
}

test_writing_nowhere_is_denied if {
	_rules(_call("write_file", {})) == {"path"}
}

test_what_was_cut_is_denied if {
	_rules(object.union(_call("read_file", {}), {"cut": ["/params/arguments/text"]})) == {"unseen"}
}

test_a_payment_is_held if {
	held := tidegate.decision.hold with input as _call("pay", {}) with data.approvals as {"tools": ["pay"]}
	{said.rule | some said in held} == {"payment"}
}

test_personal_data_is_redacted if {
	found := {"kind": "pii", "rule": "iban", "pointer": "/result/content/0/text", "confidence": 0.9}
	redacted := tidegate.decision.redact with input as _reply([found], [])
	redacted == {{"pointer": "/result/content/0/text", "label": "iban"}}
}

test_what_is_read_inside_is_private if {
	tidegate.decision.labels == {"private"} with input as _reply([], ["internal"])
	tidegate.decision.labels == set() with input as _reply([], [])
}

test_nothing_goes_outside_after_a_private_read if {
	call := object.union(_call("post", {}), {"session": {"labels": ["private"]}})
	_rules(call) == set()
	_rules(object.union(call, {"server": {"name": "web", "labels": ["external"]}})) == {"private"}
}
