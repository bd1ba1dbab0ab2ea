package tidegate.packs.paths_test

import rego.v1

import data.tidegate.packs.paths

_message(method, arguments, entries, cut) := {
	"v": 1,
	"phase": "request",
	"direction": "client_to_server",
	"method": method,
	"server": {"name": "files", "kind": "process", "trust": "low", "labels": []},
	"target": {"kind": "tool", "name": "read_file"},
	"arguments": arguments,
	"params": {"strings": array.concat(
		[{"pointer": "/params/name", "key": "name", "value": "read_file", "decoded": []}],
		entries,
	)},
	"cut": cut,
}

_entry(pointer, key, value, decoded) := {
	"pointer": concat("", ["/params/arguments/", pointer]),
	"key": key,
	"value": value,
	"decoded": decoded,
}

_key(value, decoded) := {
	"pointer": concat("", ["/params/arguments/files/", replace(value, "/", "~1")]),
	"key": value,
	"value": value,
	"decoded": decoded,
	"is_key": true,
}

_told(message, changed) := {told.rule |
	settings := object.union(paths.defaults, object.union({"roots": ["/data", "/srv/share/"], "base": "/data/work"}, changed))
	some told in paths.decision.deny with input as message with data.paths as settings
}

_with(arguments, entries) := _message("tools/call", arguments, entries, [])

_flat(arguments) := _with(arguments, [_entry(key, key, value, []) | some key, value in arguments; is_string(value)])

_listed(member, values) := _with(
	{member: values},
	[_entry(concat("/", [member, format_int(index, 10)]), member, value, []) |
		some index, value in values
		is_string(value)
	],
)

_path(value) := _told(_flat({"path": value}), {})

_other(value) := _told(_flat({"thing": value}), {})

_decoded(value, readings) := _told(_with({"path": value}, [_entry("path", "path", value, readings)]), {})

_windows(value) := _told(_flat({"path": value}), {"roots": [`C:\Data`, "//server/share"], "base": "C:/Data"})

_uri(value, readings) := _told(
	_message("resources/read", {}, [{"pointer": "/params/uri", "key": "uri", "value": value, "decoded": readings}], []),
	{},
)

_parent := {"paths/parent"}

_outside := {"paths/outside"}

_unclear := {"paths/unclear"}

_link := {"paths/link"}

_type := {"paths/type"}

_unseen := {"paths/unseen"}

_relative := {"paths/relative"}

test_paths_inside_pass if {
	every path in [
		"/data", "/data/", "/data/a.txt", "/data/a/b c/d.txt", "/data//a", "/data/./a", "/srv/share/x", "/srv/share",
		"a.txt", "./a.txt", "a/b", ".", "", "/data/a..b", "/data/..a", "/data/a,b+c", "/data/größe.txt", "/data/.git/config",
		"/data/Rapport….pdf", "/data/a@2x.png", "/data/it's.txt", "/data/(1).txt", "/data/a~", "/data/$id.tsx",
		"/data/2026-01-01T10:00.log", "/data/100%", "/data/a;b", "file:///data/a.txt", "file:/data/a.txt",
		"file://localhost/data/a.txt", "FILE:///data/a", " /data/a", "/data/日本語/x", "/data/a=b", "/data/[x]/y",
	] {
		_path(path) == set()
	}
}

test_ordinary_arguments_pass if {
	every value in [
		"Europe/Berlin", "16:30", "2026-01-01T10:00:00Z", "https://example.com/a/b?c=d", "HEAD~1", "HEAD..main", "origin/main",
		"main...feature/x", "alice", "a/b", "N/A", "50%", "-5", "--oneline", "*.py", "**/*.ts", "user@example.com",
		"@scope/package", "#channel", "wait...", "a: b", "key=value", "mailto:a@b.c", "memo://notes/1", "1/2", "$AAPL", "~approx x",
		"feat: add paths", "node:fs", "x..y", "=SUM(A1:B2)", "C: drive", "10:00/11:00",
	] {
		_other(value) == set()
	}
}

test_texts_are_not_looked_at if {
	every member in ["content", "text", "query", "newText", "message", "thought", "data", "cursor", "CODE"] {
		_told(_flat({member: "/etc/passwd and ../../x"}), {}) == set()
	}
}

test_calls_of_real_servers_pass if {
	every arguments in [
		{"path": "/data/a.txt", "head": 10}, {"path": "/data/a.txt", "content": "#!/bin/sh\ncat /etc/passwd ../x"},
		{"source": "/data/a", "destination": "/data/b"}, {"repo_path": "/data/repo", "target": "main..HEAD"},
		{"repo_path": "/data/repo", "message": "../fix"}, {"query": "SELECT '/' FROM t"}, {"url": "https://example.com/../a?x=/etc"},
		{"timezone": "America/New_York"}, {"names": null}, {"path": null, "limit": 5}, {"path": "/data", "pattern": "*.md"},
		{"file": "https://example.com/report.pdf"},
	] {
		_told(_flat(arguments), {"texts": array.concat(paths.defaults.texts, ["url"])}) == set()
	}
}

test_lists_of_paths_pass if _told(_listed("paths", ["/data/a", "/data/b"]), {}) == set()

test_lists_of_files_with_their_contents_pass if {
	message := _with({"files": [{"path": "src/a.ts", "content": "import '../../x'"}]}, [
		_entry("files/0/path", "path", "src/a.ts", []), _entry("files/0/content", "content", "import '../../x'", []),
	])
	_told(message, {}) == set()
}

test_edits_pass if {
	message := _with({"path": "/data/a", "edits": [{"oldText": "/a", "newText": "../b"}]}, [
		_entry("path", "path", "/data/a", []), _entry("edits/0/oldText", "oldText", "/a", []),
		_entry("edits/0/newText", "newText", "../b", []),
	])
	_told(message, {}) == set()
}

test_requests_of_the_server_pass if {
	message := object.union(
		_message("sampling/createMessage", {}, [_entry("x", "path", "/etc/passwd", [])], []),
		{"direction": "server_to_client"},
	)
	_told(message, {}) == set()
}

test_long_requests_of_the_server_pass if {
	message := object.union(
		_message("sampling/createMessage", {}, [_entry("x", "systemPrompt", "x", [])], ["/params/systemPrompt"]),
		{"direction": "server_to_client"},
	)
	_told(message, {}) == set()
}

test_resources_inside_pass if {
	_uri("file:///data/a%20b.txt", ["file:///data/a b.txt"]) == set()
	_uri("memo://insights", []) == set()
	_uri("https://example.com/a", []) == set()
	_uri("postgres://db/users/schema", []) == set()
}

test_windows_paths_inside_pass if {
	every path in [
		`C:\Data\a.txt`, "C:/Data/a", `c:\data\A.TXT`, "file:///C:/Data/a", `sub\a.txt`, `\\server\share\a`, `C:\Data`,
	] {
		_windows(path) == set()
	}
}

test_a_root_of_everything if {
	_told(_flat({"path": "/etc/passwd"}), {"roots": ["/"]}) == set()
	_told(_flat({"path": "/"}), {"roots": ["/"]}) == set()
}

test_capitals_can_be_ignored if {
	_told(_flat({"path": "/DATA/a"}), {"ignore_case": true}) == set()
	_told(_flat({"path": "/DATA/a"}), {}) == _outside
}

test_parts_that_are_never_allowed if {
	settings := {"never": [".git", ".env*", "*.pem"]}
	every path in ["/data/.git/config", "/data/.GIT/config", "/data/x/.env", "/data/.env.local", "key.pem", "/data/.git./x"] {
		_told(_flat({"path": path}), settings) == {"paths/never"}
	}
	_told(_flat({"path": "/data/.gitignore"}), settings) == set()
}

test_members_are_the_settings if {
	_told(_flat({"thing": "secret.txt"}), {"members": ["thing"], "base": ""}) == _relative
	_told(_flat({"path": "secret.txt"}), {"members": ["x"], "base": ""}) == set()
}

test_members_are_compared_as_they_are_and_in_small_letters if {
	every member in ["repoPath", "repopath", "REPOPATH"] {
		_told(_flat({member: "secret.txt"}), {"members": ["repoPath", "repopath"], "base": ""}) == _relative
	}
	_told(_flat({"repoPath": "secret.txt"}), {"members": ["repoPath"], "base": ""}) == _relative
}

test_addresses_elsewhere_are_the_settings if {
	_told(_flat({"path": "s3://bucket/a"}), {"elsewhere": ["s3://"]}) == set()
	_told(_flat({"path": "s3://bucket/a"}), {}) == _unclear
}

test_a_cut_text_passes if {
	message := _message("tools/call", {"content": "x"}, [_entry("content", "content", "x", [])], ["/params/arguments/content"])
	_told(message, {}) == set()
}

test_what_else_is_cut_does_not_matter if _told(_message("tools/call", {}, [], ["/session/calls"]), {}) == set()

test_no_reason_quotes_the_message if {
	message := _flat({"path": "/zzz", "thing": "/zzz/../zzz"})
	settings := paths.defaults
	told := paths.decision.deny with input as message with data.paths as settings
	count(told) == 2
	every denial in told { not contains(denial.reason, "zzz") }
}

test_bypass_absolute_path if _path("/etc/passwd") == _outside

test_bypass_without_roots if _told(_flat({"path": "/data/a"}), {"roots": []}) == _outside

test_bypass_empty_root if _told(_flat({"path": "/etc/passwd"}), {"roots": [""]}) == _outside

test_bypass_relative_root if _told(_flat({"path": "data/a"}), {"roots": ["data"], "base": "/etc"}) == _outside

test_bypass_root_that_climbs if _told(_flat({"path": "/etc/passwd"}), {"roots": ["/data/.."]}) == _outside

test_bypass_path_in_any_argument if _other("/etc/passwd") == _outside

test_bypass_prefix_of_a_name if _path("/database/a") == _outside

test_bypass_prefix_of_a_name_with_dots if _path("/data.bak/a") == _outside

test_bypass_root_without_its_last_letter if _path("/dat") == _outside

test_bypass_above_a_root if _path("/srv") == _outside

test_bypass_file_system_root if _path("/") == _outside

test_bypass_climbing if _path("/data/../etc/passwd") == _parent

test_bypass_climbing_and_coming_back if _path("/data/../data/a") == _parent

test_bypass_climbing_from_the_base if _path("../../etc/passwd") == _parent

test_bypass_climbing_only if _path("..") == _parent

test_bypass_climbing_at_the_end if _path("/data/a/..") == _parent

test_bypass_climbing_in_any_argument if _other("a/../../etc/passwd") == _parent

test_bypass_climbing_with_backslashes if _path(`/data\..\..\etc\passwd`) == _parent

test_bypass_climbing_with_mixed_slashes if _path(`a/..\../etc`) == _parent

test_bypass_climbing_with_double_slashes if _path("/data//..//etc") == _parent

test_bypass_climbing_with_single_dots_between if _path("/data/./../etc") == _parent

test_bypass_climbing_with_a_blank_behind if _path("/data/.. /etc") == _parent

test_bypass_climbing_with_a_dot_behind if _path("/data/.../etc") == _parent

test_bypass_climbing_with_a_blank_before if _path("/data/ ../etc") == _parent

test_bypass_climbing_behind_a_line_feed if _path("/data/a\n/../../etc") == _parent

test_bypass_climbing_in_four_dots if _path("/data/..../etc") == _parent

test_bypass_climbing_in_an_address if _path("https://x/../../etc/passwd") == _parent

test_bypass_climbing_in_a_file_uri if _path("file:///data/../etc/passwd") == _parent

test_bypass_climbing_before_a_line_end if _path("/data/..\n") == _parent

test_bypass_climbing_before_a_tab if _path("/data/..\t/etc") == _parent

test_bypass_climbing_before_a_no_break_space if _path("/data/..\u00a0") == _parent

test_bypass_climbing_in_any_argument_before_a_line_end if _other("a/..\r\n") == _parent

test_bypass_backslash_that_is_a_letter if _path(`/data\secret`) == _outside

test_bypass_backslash_at_the_end if _path(`/srv/share\`) == _outside

test_bypass_blank_that_is_a_letter if _path("/data ") == _outside

test_bypass_percent_encoded if _decoded("%2e%2e/%2e%2e/etc", ["../../etc"]) == _parent

test_bypass_percent_encoded_slash if _decoded("/data/..%2f..%2fetc", ["/data/../../etc"]) == _parent

test_bypass_percent_encoded_twice if _decoded("%252e%252e%252fetc", ["%2e%2e%2fetc", "../etc"]) == _parent

test_bypass_percent_encoded_four_times if _decoded("%2525252e%2525252e/etc", ["%25252e%25252e/etc"]) == _unclear

test_bypass_overlong_form if _decoded("%c0%ae%c0%ae/etc", ["../etc"]) == _parent

test_bypass_percent_encoded_in_any_argument if {
	_told(_with({"thing": "x"}, [_entry("thing", "thing", "%2fetc%2fpasswd", ["/etc/passwd"])]), {}) == _outside
}

test_bypass_percent_encoding_of_other_kind if _path("%u002e%u002e/etc") == _unclear

test_bypass_escapes if _decoded(`\x2fetc\x2fpasswd`, ["/etc/passwd"]) == _outside

test_bypass_character_references if _decoded("&#47;etc&#47;passwd", ["/etc/passwd"]) == _outside

test_bypass_more_disguises_than_are_undone if _decoded("a", ["b", "c", "d", "e"]) == _unclear

test_bypass_fullwidth_dots_and_slashes if _decoded("．．／etc", ["../etc"]) == _unclear | _parent

test_bypass_two_dot_leader if _decoded("‥/etc", ["../etc"]) == _unclear | _parent

test_bypass_fraction_slash if _path("/data/a⁄..⁄..⁄etc") == _unclear

test_bypass_division_slash if _path("∕etc∕passwd") == _unclear

test_bypass_zero_width_space if _decoded("/data/.\u200b./etc", ["/data/../etc"]) == _parent

test_bypass_nul if _path("/data/a\u0000/../../etc") & _parent == _parent

test_bypass_nul_before_an_ending if _path("/data/a\u0000.txt") == _unclear

test_bypass_line_feed if _path("/data/a\n/etc/passwd") == _unclear

test_bypass_blank_before if _path(" /etc/passwd") == _outside

test_bypass_blanks_of_all_kinds_before if _path("\t\r\n/etc/passwd") == _outside

test_bypass_blank_before_in_any_argument if _other(" /etc/passwd") == _outside

test_bypass_no_break_space_before if _decoded("\u00a0/etc/passwd", [" /etc/passwd"]) == _outside

test_bypass_two_paths_with_a_colon if _path("/data/a:/etc/passwd") == _unclear

test_bypass_two_paths_with_a_comma if _path("/data/a,/etc/passwd") == _unclear

test_bypass_two_paths_with_a_blank if _path("/data/a /etc/passwd") == _unclear

test_bypass_two_paths_with_a_semicolon if _path("/data/a; ~/x") == _unclear

test_bypass_home if _path("~/.ssh/id_rsa") == _unclear

test_bypass_home_alone if _path("~") == _unclear

test_bypass_home_of_another if _path("~root/.bashrc") == _unclear

test_bypass_home_before_a_line_end if _other("~root\n") == _unclear

test_bypass_home_before_a_nul if _other("~\u0000.txt") == _unclear

test_bypass_climbing_before_a_nul if _other("a/..\u0000/x") == _parent

test_bypass_home_in_any_argument if _other("~/.ssh/id_rsa") == _unclear

test_bypass_variable if _path("$HOME/.ssh") == _unclear

test_bypass_variable_in_braces if _other("${HOME}/.ssh") == _unclear

test_bypass_variable_of_windows if _other(`%USERPROFILE%\x`) == _unclear

test_bypass_option_as_a_path if _path("--output=/etc/passwd") == _unclear

test_bypass_path_in_an_option if _other("--output=/etc/passwd") == _outside

test_bypass_climbing_in_an_option if _other("-o=../../x") == _parent

test_bypass_file_to_read_from if _other("@/etc/passwd") == _outside

test_bypass_command_as_a_path if _path("|cat") == _unclear

test_bypass_link_to_the_root if _told(_flat({"path": "/proc/self/root/etc"}), {"roots": ["/"]}) == _link

test_bypass_link_to_a_folder if _told(_flat({"path": "/proc/1/cwd/x"}), {"roots": ["/"]}) == _link

test_bypass_link_to_a_thread if _told(_flat({"path": "/proc/self/task/1/root"}), {"roots": ["/proc"]}) == _link

test_bypass_link_with_more_slashes if _told(_flat({"path": "/proc//self/./fd/3"}), {"roots": ["/"]}) == _link

test_bypass_link_to_a_descriptor if _told(_flat({"path": "/dev/fd/3"}), {"roots": ["/"]}) == _link

test_bypass_link_to_standard_input if _told(_flat({"path": "/dev/stdin"}), {"roots": ["/dev"]}) == _link

test_bypass_link_below_a_root if _path("/data/proc/self/root/etc") == _link

test_bypass_relative_link if _path("proc/self/root/etc/passwd") == _link

test_bypass_file_uri if _path("file:///etc/passwd") == _outside

test_bypass_file_uri_in_any_argument if _other("FiLe:/etc/passwd") == _outside

test_bypass_file_uri_with_a_host if _path("file://server/data/a") == _outside

test_bypass_file_uri_that_looks_inside if _path("file://data/a") == _outside

test_bypass_file_uri_without_a_slash if _path("file:etc/passwd") == _outside

test_bypass_file_uri_with_many_slashes if _path("file:////etc/passwd") == _outside

test_bypass_file_uri_in_another if _other("jar:file:/etc/x.jar!/a") == _outside

test_bypass_view_source if _other("view-source:file:///etc/passwd") == _outside

test_bypass_other_scheme_as_a_path if _path("php://filter/resource=/etc/passwd") == _unclear

test_bypass_two_slashes if _path("//data/a") == _outside

test_bypass_three_slashes if _path("///etc/passwd") == _outside

test_bypass_network_share if _path(`\\server\share\a`) == _outside

test_bypass_network_share_in_any_argument if _other(`\\server\share`) == _outside

test_bypass_device_path if _windows(`\\?\C:\Windows`) == _unclear

test_bypass_drive if _path(`C:\Windows\win.ini`) == _outside

test_bypass_drive_in_any_argument if _other("c:/windows") == _outside

test_bypass_other_drive if _windows(`D:\Data\a`) == _outside

test_bypass_folder_of_a_drive if _windows("C:Windows") == _unclear

test_bypass_climbing_from_a_drives_own_folder if _other("D:..") == _parent

test_bypass_drive_alone if _other("D:") == _outside

test_bypass_drive_prefix_of_a_name if _windows("C:/DataX/a") == _outside

test_bypass_climbing_on_a_drive if _windows(`C:\Data\..\Windows`) == _parent

test_bypass_drive_in_a_file_uri if _windows("file:///C:/Windows") == _outside

test_bypass_backslash_as_a_root if _path(`\etc\passwd`) == _outside

test_bypass_capitals if _path("/DATA/a") == _outside

test_bypass_argument_name_in_capitals if _told(_flat({"PATH": "../x"}), {}) == _parent

test_bypass_list if _told(_listed("paths", ["/data/a", "/etc/passwd"]), {}) == _outside

test_bypass_list_where_a_text_is_expected if _told(_listed("path", ["/etc/passwd"]), {}) == _outside

test_bypass_nested_list if {
	_told(_with({"a": [["x", "/etc/passwd"]]}, [_entry("a/0/1", "a", "/etc/passwd", [])]), {}) == _outside
}

test_bypass_nested_argument if {
	_told(_with({"a": {"path": "x"}}, [_entry("a/path", "path", "../x", [])]), {}) == _parent
}

test_bypass_json_in_a_text if {
	text := "{\"path\": \"/etc/passwd\"}"
	_told(_with({"a": text}, [_entry("a", "a", text, []), _entry("a/~2/path", "path", "/etc/passwd", [])]), {}) == _outside
}

test_bypass_json_in_a_path if {
	text := "[\"/etc/passwd\"]"
	"paths/outside" in _told(_with({"path": text}, [_entry("path", "path", text, []), _entry("path/~2/0", "path", "/etc/passwd", [])]), {})
}

test_bypass_name_that_is_a_path if _told(_with({}, [_key("/etc/passwd", [])]), {}) == _outside

test_bypass_name_that_climbs if _told(_with({}, [_key("a/../../x", [])]), {}) == _parent

test_bypass_encoded_name if _told(_with({}, [_key("%2fetc", ["/etc"])]), {}) == _outside

test_bypass_number if _told(_flat({"path": 3}), {}) == _type

test_bypass_boolean if _told(_flat({"file": true}), {}) == _type

test_bypass_object if _told(_with({"path": {"x": "a"}}, [_entry("path/x", "x", "a", [])]), {}) == _type

test_bypass_empty_object if _told(_flat({"Path": {}}), {}) == _type

test_bypass_list_of_numbers if _told(_flat({"paths": ["a", 3]}), {}) == _type

test_bypass_list_in_a_list if _told(_flat({"paths": [["a"]]}), {}) == _type

test_bypass_nested_object if {
	_told(_with({"a": {"path": {"x": "b"}}}, [_entry("a/path/x", "x", "b", [])]), {}) == _type
}

test_bypass_nested_object_in_a_list if {
	_told(_with({"a": [{"FILE": {"x": "b"}}]}, [_entry("a/0/FILE/x", "x", "b", [])]), {}) == _type
}

test_bypass_relative_without_a_base if _told(_flat({"path": "a.txt"}), {"base": ""}) == _relative

test_bypass_base_outside_of_the_roots if _told(_flat({"path": "a.txt"}), {"base": "/etc"}) == _outside

test_bypass_resource if _uri("file:///etc/passwd", []) == _outside

test_bypass_resource_encoded if _uri("file:///%65tc/passwd", ["file:///etc/passwd"]) == _outside

test_bypass_resource_climbing if _uri("file:///data/%2e%2e/etc", ["file:///data/../etc"]) == _parent

test_bypass_resource_without_a_scheme if _uri("/etc/passwd", []) == _outside

test_bypass_resource_in_capitals if _uri("FILE:/etc/passwd", []) == _outside

test_bypass_other_methods if {
	every method in ["prompts/get", "completion/complete", "resources/subscribe", "x/unknown", "notifications/x"] {
		_told(_message(method, {}, [_entry("x", "value", "/etc/passwd", [])], []), {}) == _outside
	}
}

test_bypass_cut_path if {
	message := _message("tools/call", {"path": "/data/a"}, [_entry("path", "path", "/data/a", [])], ["/params/arguments/path"])
	_told(message, {}) == _unseen
}

test_bypass_cut_text_of_another_name if {
	message := _message("tools/call", {"x": "a"}, [_entry("x", "x", "a", [])], ["/params/arguments/x"])
	_told(message, {}) == _unseen
}

test_bypass_too_many_strings if _told(_message("tools/call", {}, [], ["/params/strings"]), {}) == _unseen

test_bypass_cut_arguments if _told(_message("tools/call", {}, [], ["/params/arguments"]), {}) == _unseen

test_bypass_missing_strings if {
	message := object.remove(_flat({"path": "/data/a"}), ["params"])
	settings := object.union(paths.defaults, {"roots": ["/data"]})
	not paths.decision with input as message with data.paths as settings
}
