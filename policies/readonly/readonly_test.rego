package tidegate.packs.readonly_test

import rego.v1

import data.tidegate.packs.readonly

_settings(changed) := object.union(readonly.defaults, changed)

_call(name, annotations) := {
	"v": 1,
	"phase": "request",
	"direction": "client_to_server",
	"method": "tools/call",
	"server": {"name": "files", "kind": "process", "trust": "low", "labels": []},
	"target": {"kind": "tool", "name": name},
	"tool": {"name": name, "annotations": annotations, "description_sha256": "", "pinned": false},
	"arguments": {},
	"params": {"strings": []},
	"cut": [],
}

_sent(phase, direction, method) := {
	"v": 1,
	"phase": phase,
	"direction": direction,
	"method": method,
	"server": {"name": "files", "kind": "process", "trust": "low", "labels": []},
	"target": {"kind": "", "name": ""},
	"tool": {"name": "", "annotations": {}, "description_sha256": "", "pinned": false},
	"arguments": {},
	"params": {"strings": []},
	"cut": [],
}

_rules(message, changed) := {told.rule |
	settings := _settings(changed)
	some told in readonly.decision.deny with input as message with data.readonly as settings
}

_named(name) := _rules(_call(name, {}), {})

_annotated(annotations) := _rules(_call("get_file", annotations), {})

_tool := {"readonly/tool"}

_method := {"readonly/method"}

_annotation := {"readonly/annotation"}

test_tools_that_read_pass if {
	every name in [
		"read_file", "list_directory", "get_file_info", "search_files", "read_multiple_files", "list_allowed_directories",
		"get_current_time", "read_graph", "search_nodes", "fetch", "list_tables", "describe_table", "get_pull_request",
		"list_commits", "get_commit", "getUpdates", "readFile", "list-issues", "GetIssue", "find_by_name", "show.status",
		"view", "count_rows", "get_merge_request", "list_workflow_runs",
	] {
		_named(name) == set()
	}
}

test_a_tool_on_the_list_passes if {
	_rules(_call("git_status", {}), {"allow": ["files/git_*"]}) == set()
}

test_a_tool_of_another_server_is_not_on_the_list if {
	_rules(_call("git_status", {}), {"allow": ["repo/git_*"]}) == _tool
}

test_what_the_settings_deny_is_denied_though_it_reads if {
	_rules(_call("get_secret", {}), {"deny": ["*/*secret*"]}) == {"readonly/denied"}
}

test_deny_wins_over_allow if {
	_rules(_call("stat", {}), {"allow": ["*/stat"], "deny": ["files/*"]}) == {"readonly/denied"}
}

test_annotations_for_a_reading_tool_change_nothing if {
	_annotated({"readOnlyHint": true, "destructiveHint": false, "title": "x"}) == set()
}

test_annotations_that_say_nothing_change_nothing if _annotated({"title": "Get", "openWorldHint": true}) == set()

test_annotations_that_are_null_say_nothing if _annotated({"readOnlyHint": null, "destructiveHint": null}) == set()

test_annotations_can_be_left_out_of_account if {
	_rules(_call("get_file", {"readOnlyHint": false}), {"annotations": false}) == set()
}

test_a_tool_that_writes_is_taken_off_lists if {
	_rules(object.union(_call("write_file", {}), {"phase": "list"}), {}) == _tool
}

test_a_tool_that_reads_stays_on_lists if {
	_rules(object.union(_call("read_file", {}), {"phase": "list"}), {}) == set()
}

test_methods_that_read_pass if {
	every method in [
		"initialize", "ping", "tools/list", "resources/read", "resources/list", "prompts/get", "completion/complete",
		"logging/setLevel", "server/discover", "subscriptions/listen", "tasks/get",
	] {
		_rules(_sent("request", "client_to_server", method), {}) == set()
	}
}

test_notifications_of_the_protocol_pass if {
	every method in ["notifications/initialized", "notifications/cancelled", "notifications/progress"] {
		_rules(_sent("notification", "client_to_server", method), {}) == set()
	}
}

test_requests_of_the_server_pass if {
	every method in ["sampling/createMessage", "elicitation/create", "roots/list", "notifications/message"] {
		_rules(_sent("request", "server_to_client", method), {}) == set()
	}
}

test_verbs_and_methods_are_the_settings if {
	_rules(_call("peek_file", {}), {"verbs": ["peek"]}) == set()
	_rules(_call("get_file", {}), {"verbs": ["peek"]}) == _tool
	_rules(_sent("request", "client_to_server", "x/look"), {"methods": ["x/look"]}) == set()
}

test_no_reason_quotes_the_message if {
	message := _call("zzz_tool", {})
	settings := readonly.defaults
	told := readonly.decision.deny with input as message with data.readonly as settings
	count(told) == 1
	every denial in told { not contains(denial.reason, "zzz") }
}

test_bypass_unknown_verb if _named("tidy_up") == _tool

test_bypass_no_verb_at_all if _named("file") == _tool

test_bypass_empty_name if _named("") == _tool

test_bypass_writing_verb if _named("write_file") == _tool

test_bypass_read_and_delete if _named("read_and_delete") == _tool

test_bypass_get_or_create if _named("get_or_create_branch") == _tool

test_bypass_find_and_replace if _named("find_and_replace") == _tool

test_bypass_get_then_lock if _named("get_then_lock") == _tool

test_bypass_camel_case_read_and_delete if _named("readAndDelete") == _tool

test_bypass_capitals_inside if _named("getDBDelete") == _tool

test_bypass_all_capitals if _named("GET_AND_DELETE") == _tool

test_bypass_kebab_case if _named("get-or-create") == _tool

test_bypass_dots if _named("list.remove.all") == _tool

test_bypass_slashes if _named("read/../write") == _tool

test_bypass_colons if _named("get:delete") == _tool

test_bypass_blanks if _named("get delete") == _tool

test_bypass_verb_run_together if _named("getorcreate") == _tool

test_bypass_verb_as_a_prefix_of_another_word if _named("getaway") == _tool

test_bypass_reader_is_no_verb if _named("listen") == _tool

test_bypass_readwrite if _named("readwrite_file") == _tool

test_bypass_verb_at_the_end if _named("file_read") == _tool

test_bypass_leading_underscore if _named("_read_file") == _tool

test_bypass_leading_blank if _named(" read_file") == _tool

test_bypass_cyrillic_letter_in_the_verb if _named("rеad_file") == _tool

test_bypass_cyrillic_letter_in_the_writing_word if _named("get_or_dеlete") == _tool

test_bypass_cyrillic_letter_in_a_later_word if _named("get_dеlete") == _tool

test_bypass_fullwidth_letters if _named("ｇｅｔ_file") == _tool

test_bypass_zero_width_space if _named("get_del\u200bete") == _tool

test_bypass_bidi_override if _named("get_\u202eeteled") == _tool

test_bypass_dotted_capital_i if _named("lİst_files") == _tool

test_bypass_nul if _named("read_file\u0000") == _tool

test_bypass_line_feed if _named("read_file\n") == _tool

test_bypass_annotation_grants_nothing if {
	_rules(_call("tidy_up", {"readOnlyHint": true, "destructiveHint": false}), {}) == _tool
}

test_bypass_annotation_of_a_writing_tool_grants_nothing if {
	_rules(_call("delete_file", {"readOnlyHint": true}), {}) == _tool
}

test_bypass_read_only_hint_false if _annotated({"readOnlyHint": false}) == _annotation

test_bypass_destructive_hint_true if _annotated({"destructiveHint": true}) == _annotation

test_bypass_hints_that_contradict_each_other if {
	_annotated({"readOnlyHint": true, "destructiveHint": true}) == _annotation
}

test_bypass_read_only_hint_as_a_text if _annotated({"readOnlyHint": "false"}) == _annotation

test_bypass_read_only_hint_as_a_number if _annotated({"readOnlyHint": 0}) == _annotation

test_bypass_destructive_hint_as_a_text if _annotated({"destructiveHint": "true"}) == _annotation

test_bypass_destructive_hint_as_a_list if _annotated({"destructiveHint": [true]}) == _annotation

test_bypass_annotation_against_a_tool_on_the_list if {
	_rules(_call("stat", {"destructiveHint": true}), {"allow": ["files/stat"]}) == _annotation
}

test_bypass_unknown_tool_on_a_list if {
	_rules(object.union(_call("tidy_up", {"readOnlyHint": true}), {"phase": "list"}), {}) == _tool
}

test_bypass_glob_does_not_ignore_capitals if {
	_rules(_call("Stat", {}), {"allow": ["files/stat"]}) == _tool
}

test_bypass_glob_covers_whole_names if {
	_rules(_call("stat_and_delete", {}), {"allow": ["files/stat"]}) == _tool
}

test_bypass_server_name_in_the_tool_name if {
	_rules(_call("x/stat", {}), {"allow": ["x/stat"]}) == _tool
}

test_bypass_unknown_method if _rules(_sent("request", "client_to_server", "files/write"), {}) == _method

test_bypass_method_of_another_case if _rules(_sent("request", "client_to_server", "Tools/Call"), {}) == _method

test_bypass_method_with_a_blank if _rules(_sent("request", "client_to_server", "tools/call "), {}) == _method

test_bypass_empty_method if _rules(_sent("request", "client_to_server", ""), {}) == _method

test_bypass_unknown_notification if {
	_rules(_sent("notification", "client_to_server", "notifications/write"), {}) == _method
}

test_bypass_method_of_servers_sent_by_a_client if {
	_rules(_sent("request", "client_to_server", "sampling/createMessage"), {}) == _method
}
