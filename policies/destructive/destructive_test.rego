package tidegate.packs.destructive_test

import rego.v1

import data.tidegate.packs.destructive

_call(name, annotations, arguments) := {
	"v": 1,
	"phase": "request",
	"direction": "client_to_server",
	"method": "tools/call",
	"server": {"name": "files", "kind": "process", "trust": "low", "labels": []},
	"target": {"kind": "tool", "name": name},
	"tool": {"name": name, "annotations": annotations, "description_sha256": "", "pinned": false},
	"arguments": arguments,
	"params": {"strings": []},
	"cut": [],
}

_decided(message, changed) := decided if {
	settings := object.union(destructive.defaults, changed)
	decided := destructive.decision with input as message with data.destructive as settings
}

_rules(message, changed) := {told.rule | some told in _decided(message, changed).deny}

_named(name) := _rules(_call(name, {}, {}), {})

_annotated(annotations) := _rules(_call("tidy_up", annotations, {}), {})

_asked(arguments) := _rules(_call("manage", {}, arguments), {})

_name := {"destructive/name"}

_unclear := {"destructive/unclear"}

_annotation := {"destructive/annotation"}

_argument := {"destructive/argument"}

test_ordinary_tools_pass if {
	every name in [
		"read_file", "write_file", "edit_file", "create_directory", "list_directory", "directory_tree", "move_file",
		"search_files", "get_file_info", "git_status", "git_diff_unstaged", "git_commit", "git_add", "git_log",
		"git_create_branch", "git_checkout", "git_show", "read_query", "write_query", "create_table", "list_tables",
		"describe_table", "append_insight", "fetch", "create_entities", "create_relations", "add_observations",
		"read_graph", "search_nodes", "open_nodes", "get_current_time", "convert_time", "sequentialthinking",
		"dropbox_list", "get_skills", "swipe", "nuclear_facts", "form_fields", "unclear_question", "rmdb_info",
	] {
		_named(name) == set()
	}
}

test_ordinary_arguments_pass if {
	every arguments in [
		{"path": "/data/delete_me.txt"}, {"timezone": "Europe/Berlin"}, {"action": "list"}, {"method": "GET"},
		{"mode": "append"}, {"operation": 3}, {"action": null}, {"query": "how to remove a stain"},
		{"command": "git status"}, {"action": ["list", "get"]}, {"content": "drop it"},
	] {
		_asked(arguments) == set()
	}
}

test_annotations_that_deny_destruction_grant_nothing_and_change_nothing if {
	_annotated({"destructiveHint": false}) == set()
	_annotated({"readOnlyHint": true}) == set()
	_annotated({"destructiveHint": null, "title": "Tidy"}) == set()
}

test_an_exception_passes if {
	_rules(_call("delete_draft", {"destructiveHint": true}, {"action": "delete"}), {"except": ["files/*_draft"]}) == set()
}

test_an_exception_is_for_its_server if {
	_rules(_call("delete_draft", {}, {}), {"except": ["mail/*_draft"]}) == _name
}

test_a_destructive_tool_is_taken_off_lists if {
	_rules(object.union(_call("delete_file", {}, {}), {"phase": "list"}), {}) == _name
}

test_hold_holds_and_does_not_deny if {
	decided := _decided(_call("delete_file", {}, {}), {"action": "hold"})
	decided.deny == set()
	{told.rule | some told in decided.hold} == _name
}

test_hold_leaves_an_ordinary_call_alone if {
	_decided(_call("read_file", {}, {}), {"action": "hold"}) == {"deny": set(), "hold": set()}
}

test_deny_does_not_hold if _decided(_call("delete_file", {}, {}), {}).hold == set()

test_annotations_can_be_left_out_of_account if {
	_rules(_call("tidy_up", {"destructiveHint": true}, {}), {"annotations": false}) == set()
}

test_words_of_ones_own if {
	_rules(_call("tidy_up", {}, {}), {"also": ["tidy"]}) == _name
	_rules(_call("untidy", {}, {}), {"also": ["tidy"]}) == set()
}

test_members_are_the_settings if {
	_rules(_call("manage", {}, {"what": "delete"}), {"members": ["what"]}) == _argument
	_rules(_call("manage", {}, {"action": "delete"}), {"members": []}) == set()
}

test_no_reason_quotes_the_message if {
	decided := _decided(_call("zzz_delete", {}, {"action": "delete zzz"}), {})
	count(decided.deny) == 2
	every told in decided.deny { not contains(told.reason, "zzz") }
}

test_bypass_snake_case if _named("delete_file") == _name

test_bypass_camel_case if _named("deleteFile") == _name

test_bypass_pascal_case if _named("DropTable") == _name

test_bypass_kebab_case if _named("drop-table") == _name

test_bypass_capitals if _named("DROP_TABLE") == _name

test_bypass_capitals_before_a_word if _named("DBDrop") == _name

test_bypass_capitals_after_a_word if _named("dropDB") == _name

test_bypass_mixed_case if _named("dElEtE_file") == _name

test_bypass_dots if _named("files.drop") == _name

test_bypass_slashes if _named("files/drop") == _name

test_bypass_colons if _named("files:drop") == _name

test_bypass_blanks if _named("drop it") == _name

test_bypass_word_at_the_end if _named("table_drop") == _name

test_bypass_word_in_the_middle if _named("force_kill_all") == _name

test_bypass_words_run_together if _named("deletefile") == _name

test_bypass_words_run_together_behind if _named("harddelete") == _name

test_bypass_words_run_together_around if _named("softdeleteitem") == _name

test_bypass_other_forms if {
	every name in ["file_deletion", "deleting_files", "removes_user", "purged", "truncation_destroyer"] {
		_named(name) == _name
	}
}

test_bypass_short_words if {
	every name in ["rm", "del", "kill", "wipe", "nuke", "zap", "rmdir", "prune", "flush", "shred"] {
		_named(name) == _name
	}
}

test_bypass_other_verbs if {
	every name in ["truncate_log", "overwrite_file", "uninstall_package", "unlink_file", "purge_cache", "erase_disk"] {
		_named(name) == _name
	}
}

test_bypass_digits_after_the_word if _named("drop_2") == _name

test_bypass_camel_case_with_digits if _named("db2Drop") == _name

test_bypass_read_first if _named("read_and_wipe") == _name

test_bypass_cyrillic_letter if _named("dеlete_file") == _unclear

test_bypass_fullwidth_letters if _named("ｄｅｌｅｔｅ") == _unclear

test_bypass_zero_width_space if _named("de\u200blete") == _unclear

test_bypass_bidi_override if _named("\u202eeteled") == _unclear

test_bypass_soft_hyphen if _named("wi\u00adpe") == _unclear

test_bypass_dotted_capital_i if "destructive/unclear" in _named("wİpe")

test_bypass_long_s if _named("ſhred") == _unclear

test_bypass_kelvin_sign if _named("\u212aill") == _unclear

test_bypass_nul if "destructive/unclear" in _named("wipe\u0000")

test_bypass_annotation_true if _annotated({"destructiveHint": true}) == _annotation

test_bypass_annotation_beside_read_only if {
	_annotated({"readOnlyHint": true, "destructiveHint": true}) == _annotation
}

test_bypass_annotation_as_a_text if _annotated({"destructiveHint": "true"}) == _annotation

test_bypass_annotation_as_a_number if _annotated({"destructiveHint": 1}) == _annotation

test_bypass_annotation_as_a_list if _annotated({"destructiveHint": [true]}) == _annotation

test_bypass_annotation_as_an_object if _annotated({"destructiveHint": {}}) == _annotation

test_bypass_annotation_that_contradicts_the_name if {
	_rules(_call("delete_file", {"destructiveHint": false, "readOnlyHint": true}, {}), {}) == _name
}

test_bypass_argument_that_destroys if _asked({"action": "delete"}) == _argument

test_bypass_argument_in_capitals if _asked({"method": "DELETE"}) == _argument

test_bypass_argument_name_in_capitals if _asked({"Action": "drop"}) == _argument

test_bypass_argument_with_blanks_around if _asked({"op": " drop "}) == _argument

test_bypass_argument_in_camel_case if _asked({"operation": "dropTable"}) == _argument

test_bypass_argument_in_a_list if _asked({"action": ["list", "delete"]}) == _argument

test_bypass_argument_with_more_words if _asked({"command": "git clean -fd"}) == _argument

test_bypass_unknown_action_is_deny if {
	_rules(_call("delete_file", {}, {}), {"action": "Hold"}) == _name
}

test_bypass_exception_covers_whole_names if {
	_rules(_call("delete_draft_and_all", {}, {}), {"except": ["files/delete_draft"]}) == _name
}

test_bypass_exception_does_not_ignore_capitals if {
	_rules(_call("DELETE_DRAFT", {}, {}), {"except": ["files/delete_draft"]}) == _name
}

test_bypass_server_name_in_the_tool_name if {
	_rules(_call("mail/delete_draft", {}, {}), {"except": ["mail/delete_draft"]}) == _name
}
