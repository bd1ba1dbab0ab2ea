package tidegate.packs.exfiltration_test

import data.tidegate.packs.exfiltration
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
	settings := object.union(exfiltration.defaults, parameters)
	decision := exfiltration.decision with input as message with data.exfiltration as settings
}

rules(parameters, message) := {denial.rule | some denial in decide(parameters, message).deny}

denied(rule, message) if rule in rules({}, message)

denied_with(parameters, rule, message) if rule in rules(parameters, message)

passes(message) if passes_with({}, message)

passes_with(parameters, message) if {
	is_object(decide(parameters, message))
	rules(parameters, message) == set()
}

# A message to an external server, after something private was read.
to_external(method, strings) := object.union(with_strings([]), {
	"method": method,
	"server": {"name": "chat", "labels": ["external"]},
	"session": {"labels": ["private"]},
	"params": {"strings": strings},
})

key(pointer, value) := {"pointer": pointer, "key": value, "value": value, "decoded": [], "is_key": true}

posts := to_external("tools/call", [string("/params/name", "name", "post"), string("/params/arguments/text", "text", "hello")])

by_content := {"by": "content"}

carrying(shares) := object.union(posts, {"findings": [{
	"kind": "carried",
	"rule": "private",
	"pointer": concat("/", ["/params/arguments/a", format_int(i, 10)]),
	"confidence": share,
} |
	some i, share in shares
]})

test_bypass_call if denied_with({}, "exfiltration/label", posts)

test_bypass_prompt if denied_with({}, "exfiltration/label", to_external("prompts/get", [string("/params/arguments/text", "text", "hello")]))

test_bypass_resource if denied_with({}, "exfiltration/label", to_external("resources/read", [string("/params/arguments/text", "text", "hello")]))

test_bypass_subscription if denied_with({}, "exfiltration/label", to_external("resources/subscribe", [string("/params/arguments/text", "text", "hello")]))

test_bypass_end_of_a_subscription if denied_with({}, "exfiltration/label", to_external("resources/unsubscribe", [string("/params/arguments/text", "text", "hello")]))

test_bypass_completion if denied_with({}, "exfiltration/label", to_external("completion/complete", [string("/params/arguments/text", "text", "hello")]))

test_bypass_unknown_method if denied_with({}, "exfiltration/label", to_external("vendor/post", [string("/params/arguments/text", "text", "hello")]))

test_bypass_method_that_looks_like_a_list if denied_with({}, "exfiltration/label", to_external("vendor/list", [string("/params/arguments/text", "text", "hello")]))

test_bypass_method_in_capitals if denied_with({}, "exfiltration/label", to_external("TOOLS/LIST", [string("/params/arguments/text", "text", "hello")]))

test_bypass_method_with_a_space if denied_with({}, "exfiltration/label", to_external("ping ", [string("/params/arguments/text", "text", "hello")]))

test_bypass_input_to_a_task if denied_with({}, "exfiltration/label", to_external("tasks/update", [string("/params/arguments/text", "text", "hello")]))

test_bypass_unknown_notification if denied_with({}, "exfiltration/label", to_external("notifications/vendor", [string("/params/arguments/text", "text", "hello")]))

test_bypass_notification_of_a_status if denied_with({}, "exfiltration/label", to_external("notifications/tasks/status", [string("/params/arguments/text", "text", "hello")]))

test_bypass_call_without_strings if denied_with({}, "exfiltration/label", to_external("tools/call", []))

test_bypass_label_among_others if denied_with({}, "exfiltration/label", object.union(posts, {"session": {"labels": ["a", "private", "b"]}}))

test_bypass_server_with_other_labels if denied_with({}, "exfiltration/label", object.union(posts, {"server": {"name": "chat", "labels": ["a", "external"]}}))

test_bypass_server_both_private_and_external if denied_with({}, "exfiltration/label", object.union(posts, {"server": {"name": "chat", "labels": ["private", "external"]}}))

test_bypass_second_private_label if denied_with({"private": ["private", "hr"]}, "exfiltration/label", object.union(posts, {"session": {"labels": ["hr"]}}))

test_bypass_second_external_label if denied_with({"external": ["external", "web"]}, "exfiltration/label", object.union(posts, {"server": {"labels": ["web"]}}))

test_bypass_server_without_labels if denied_with({"unlabelled": "external"}, "exfiltration/label", object.union(posts, {"server": {"labels": []}}))

test_bypass_answer_of_a_model if denied_with({}, "exfiltration/label", object.union(posts, {"phase": "reply", "method": "sampling/createMessage", "params": {"strings": []}, "result": {"strings": [{"pointer": "/result/content/text", "value": "x"}]}}))

test_bypass_answer_of_a_person if denied_with({}, "exfiltration/label", object.union(posts, {"phase": "reply", "method": "elicitation/create", "params": {"strings": []}}))

test_bypass_answer_to_an_unknown_method if denied_with({}, "exfiltration/label", object.union(posts, {"phase": "reply", "method": "vendor/ask", "params": {"strings": []}}))

test_bypass_answer_about_a_task if denied_with({}, "exfiltration/label", object.union(posts, {"phase": "reply", "method": "tasks/result", "params": {"strings": []}}))

test_bypass_notification if denied_with({}, "exfiltration/label", object.union(posts, {"phase": "notification", "method": "notifications/message"}))

test_bypass_progress_with_a_message if denied_with({}, "exfiltration/label", object.union(to_external("notifications/progress", [string("/params/message", "message", "hello")]), {"phase": "notification"}))

test_bypass_long_progress_token if denied_with({}, "exfiltration/label", to_external("notifications/progress", [string("/params/progressToken", "progressToken", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]))

test_bypass_long_reason if denied_with({}, "exfiltration/label", to_external("notifications/cancelled", [string("/params/reason", "reason", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]))

test_bypass_member_of_a_cancellation if denied_with({}, "exfiltration/label", to_external("notifications/cancelled", [string("/params/note", "note", "x")]))

test_bypass_key_of_a_cancellation if denied_with({}, "exfiltration/label", to_external("notifications/cancelled", [key("/params/secret text", "secret text")]))

test_bypass_member_of_a_task if denied_with({}, "exfiltration/label", to_external("tasks/get", [string("/params/taskId", "taskId", "1"), string("/params/note", "note", "x")]))

test_bypass_meta_of_a_task if denied_with({}, "exfiltration/label", to_external("tasks/get", [string("/params/_meta/x", "x", "hello")]))

test_bypass_nested_task_id if denied_with({}, "exfiltration/label", to_external("tasks/get", [string("/params/taskId/0", "taskId", "hello")]))

test_bypass_long_level if denied_with({}, "exfiltration/label", to_external("logging/setLevel", [string("/params/level", "level", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]))

test_bypass_resources_to_listen_to if denied_with({}, "exfiltration/label", to_external("subscriptions/listen", [string("/params/notifications/resourceSubscriptions/0", "resourceSubscriptions", "x://hello")]))

test_bypass_strings_of_a_task_that_are_cut if denied_with({}, "exfiltration/label", object.union(to_external("tasks/get", []), {"cut": ["/params/strings"]}))

test_bypass_labels_that_are_cut if denied_with({}, "exfiltration/label", object.union(posts, {"session": {"labels": []}, "cut": ["/session/labels"]}))

test_bypass_content if denied_with(by_content, "exfiltration/content", carrying([0.9]))

test_bypass_content_at_the_threshold if denied_with(by_content, "exfiltration/content", carrying([0.2]))

test_bypass_content_in_a_second_string if denied_with(by_content, "exfiltration/content", carrying([0, 0.3]))

test_bypass_content_in_pieces if denied_with(by_content, "exfiltration/total", carrying([0.15, 0.15, 0.1, 0.1]))

test_bypass_content_of_a_label_that_faded if denied_with(by_content, "exfiltration/content", object.union(carrying([0.9]), {"session": {"labels": []}}))

test_bypass_content_in_a_list if denied_with(by_content, "exfiltration/content", object.union(carrying([0.9]), {"method": "tools/list"}))

test_bypass_content_in_an_answer if denied_with(by_content, "exfiltration/content", object.union(carrying([0.9]), {"phase": "reply", "method": "sampling/createMessage"}))

test_bypass_content_in_a_progress if denied_with(by_content, "exfiltration/content", object.union(carrying([0.9]), {"phase": "notification", "method": "notifications/progress"}))

test_bypass_content_of_another_label if denied_with({"by": "content", "private": ["private", "hr"]}, "exfiltration/content", object.union(carrying([0.9]), {"findings": [{"kind": "carried", "rule": "hr", "pointer": "", "confidence": 1}]}))

test_bypass_content_with_a_lower_threshold if denied_with({"by": "content", "threshold": 0.1}, "exfiltration/content", carrying([0.1]))

test_bypass_content_where_labels_count if denied_with({}, "exfiltration/content", object.union(carrying([0.9]), {"session": {"labels": []}}))

test_bypass_confidence_that_is_no_number if denied_with(by_content, "exfiltration/content", carrying(["much"]))

# What is carried was looked for in the whole message, so what the input has of it doesn't matter.
test_pass_cut_strings if {
	every pointer in ["/params/arguments/text", "/params/strings", "/result/strings"] {
		not denied_with(by_content, "exfiltration/unseen", object.union(posts, {"cut": [pointer]}))
	}
}

test_bypass_cut_findings if denied_with(by_content, "exfiltration/unseen", object.union(posts, {"cut": ["/findings"]}))

test_bypass_settings_misspelt if denied_with({"by": "labels"}, "exfiltration/settings", posts)

test_bypass_settings_in_capitals if denied_with({"by": "Label"}, "exfiltration/settings", posts)

test_bypass_settings_empty if denied_with({"by": ""}, "exfiltration/settings", posts)

test_pass_call_before_anything_private if passes_with({}, object.union(posts, {"session": {"labels": []}}))

test_pass_call_after_something_else if passes_with({}, object.union(posts, {"session": {"labels": ["external", "public"]}}))

test_pass_call_to_the_private_server if passes_with({}, object.union(posts, {"server": {"labels": ["private"]}}))

test_pass_call_to_a_server_without_labels if passes_with({}, object.union(posts, {"server": {"labels": []}}))

test_pass_call_to_a_labelled_server if passes_with({"unlabelled": "external"}, object.union(posts, {"server": {"labels": ["private"]}}))

test_pass_what_the_server_sends if passes_with({}, object.union(posts, {"direction": "server_to_client"}))

test_pass_answer_of_the_server if passes_with({}, object.union(posts, {"direction": "server_to_client", "phase": "reply"}))

test_pass_initialize if passes_with({}, to_external("initialize", [string("/params/_meta/io.modelcontextprotocol~1clientInfo/name", "name", "x")]))

test_pass_notifications_initialized if passes_with({}, to_external("notifications/initialized", [string("/params/_meta/io.modelcontextprotocol~1clientInfo/name", "name", "x")]))

test_pass_ping if passes_with({}, to_external("ping", [string("/params/_meta/io.modelcontextprotocol~1clientInfo/name", "name", "x")]))

test_pass_server_discover if passes_with({}, to_external("server/discover", [string("/params/_meta/io.modelcontextprotocol~1clientInfo/name", "name", "x")]))

test_pass_tools_list if passes_with({}, to_external("tools/list", [string("/params/_meta/io.modelcontextprotocol~1clientInfo/name", "name", "x")]))

test_pass_prompts_list if passes_with({}, to_external("prompts/list", [string("/params/_meta/io.modelcontextprotocol~1clientInfo/name", "name", "x")]))

test_pass_resources_list if passes_with({}, to_external("resources/list", [string("/params/_meta/io.modelcontextprotocol~1clientInfo/name", "name", "x")]))

test_pass_resources_templates_list if passes_with({}, to_external("resources/templates/list", [string("/params/_meta/io.modelcontextprotocol~1clientInfo/name", "name", "x")]))

test_pass_tasks_list if passes_with({}, to_external("tasks/list", [string("/params/_meta/io.modelcontextprotocol~1clientInfo/name", "name", "x")]))

test_pass_notifications_roots_list_changed if passes_with({}, to_external("notifications/roots/list_changed", [string("/params/_meta/io.modelcontextprotocol~1clientInfo/name", "name", "x")]))

test_pass_roots if passes_with({}, object.union(to_external("roots/list", []), {"phase": "reply"}))

test_pass_cancellation if passes_with({}, to_external("notifications/cancelled", [key("/params/requestId", "requestId"), string("/params/requestId", "requestId", "7"), key("/params/reason", "reason"), string("/params/reason", "reason", "Request timed out")]))

test_pass_progress if passes_with({}, to_external("notifications/progress", [key("/params/progressToken", "progressToken"), string("/params/progressToken", "progressToken", "t-1"), key("/params/progress", "progress"), key("/params/total", "total")]))

test_pass_task if passes_with({}, to_external("tasks/get", [key("/params/taskId", "taskId"), string("/params/taskId", "taskId", "786512e2-9e0d-44bd-8f29-789f320fe840")]))

test_pass_level if passes_with({}, to_external("logging/setLevel", [key("/params/level", "level"), string("/params/level", "level", "debug")]))

test_pass_listening if passes_with({}, to_external("subscriptions/listen", [key("/params/notifications", "notifications"), key("/params/notifications/toolsListChanged", "toolsListChanged")]))

test_pass_content_that_carries_nothing if passes_with(by_content, posts)

test_pass_content_below_the_threshold if passes_with(by_content, carrying([0.1]))

test_pass_content_of_a_few_strings if passes_with(by_content, carrying([0.1, 0.1, 0.1]))

test_pass_content_of_a_public_label if passes_with(by_content, object.union(posts, {"findings": [{"kind": "carried", "rule": "public", "pointer": "", "confidence": 1}]}))

test_pass_other_finding if passes_with(by_content, object.union(posts, {"findings": [{"kind": "pii", "rule": "private", "pointer": "", "confidence": 1}]}))

test_pass_cut_string_before_anything_private if passes_with(by_content, object.union(posts, {"session": {"labels": []}, "cut": ["/params/arguments/text"]}))

test_pass_finding_before_anything_private if passes_with({}, object.union(posts, {"session": {"labels": []}, "findings": [{"kind": "pii", "rule": "x", "pointer": "", "confidence": 1}]}))
