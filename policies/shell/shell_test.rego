package tidegate.packs.shell_test

import data.tidegate.packs.shell
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
	settings := object.union(shell.defaults, parameters)
	decision := shell.decision with input as message with data.shell as settings
}

rules(parameters, message) := {denial.rule | some denial in decide(parameters, message).deny}

denied(rule, message) if rule in rules({}, message)

denied_with(parameters, rule, message) if rule in rules(parameters, message)

passes(message) if passes_with({}, message)

passes_with(parameters, message) if {
	is_object(decide(parameters, message))
	rules(parameters, message) == set()
}

test_bypass_semicolon if denied("shell/operator", call("branch", "main; id"))

test_bypass_semicolon_without_spaces if denied("shell/operator", call("filename", "a.txt;id"))

test_bypass_and if denied("shell/operator", call("command", "ls && id"))

test_bypass_or if denied("shell/operator", call("command", "ls || id"))

test_bypass_pipe if denied("shell/operator", call("command", "ls | sh"))

test_bypass_pipe_with_errors if denied("shell/operator", call("command", "ls|&sh"))

test_bypass_background if denied("shell/operator", call("command", "x & calc"))

test_bypass_background_at_the_end if denied("shell/operator", call("cmd", "x&"))

test_bypass_new_line if denied("shell/operator", call("ref", "main\nid"))

test_bypass_carriage_return if denied("shell/operator", call("ref", "main\rid"))

test_bypass_nul if denied("shell/operator", call("filename", "a\u0000b"))

test_bypass_line_separator if denied("shell/operator", call("ref", "a id"))

test_bypass_next_line if denied("shell/operator", call("ref", "aid"))

test_bypass_backticks if denied("shell/substitution", call("branch", "`id`"))

test_bypass_dollar_parenthesis if denied("shell/substitution", call("branch", "$(id)"))

test_bypass_arithmetic if denied("shell/substitution", call("tag", "$((1))"))

test_bypass_variable if denied("shell/substitution", call("host", "$HOME"))

test_bypass_variable_in_braces if denied("shell/substitution", call("command", "cat${IFS}x"))

test_bypass_field_separator if denied("shell/substitution", call("command", "cat$IFS$9x"))

test_bypass_ansi_quotes if denied("shell/substitution", call("command", `$'\x3bid'`))

test_bypass_all_arguments if denied("shell/substitution", call("args", "$@"))

test_bypass_variable_of_windows if denied("shell/substitution", call("command", "%COMSPEC%"))

test_bypass_substring_of_windows if denied("shell/substitution", call("command", "%PATH:~0,1%"))

test_bypass_process_substitution if denied("shell/redirection", call("command", "diff <(id) x"))

test_bypass_redirection_out if denied("shell/redirection", call("command", "x > /etc/passwd"))

test_bypass_redirection_in if denied("shell/redirection", call("cmd", "sh < x"))

test_bypass_append if denied("shell/redirection", call("args", "x>>y"))

test_bypass_here_document if denied("shell/redirection", call("command", "cat << X"))

test_bypass_error_redirection if denied("shell/redirection", call("command", "x 2>y"))

test_bypass_option_for_a_branch if denied("shell/option", call("branch", "--upload-pack=id"))

test_bypass_short_option_for_a_ref if denied("shell/option", call("ref", "-o"))

test_bypass_proxy_command_for_a_host if denied("shell/option", call("host", "-oProxyCommand=id"))

test_bypass_option_behind_spaces if denied("shell/option", call("filename", "  -rf"))

test_bypass_option_in_quotes if denied("shell/option", call("filename", "'-rf'"))

test_bypass_option_behind_a_tab if denied("shell/option", call("remote", "\t-x"))

test_bypass_option_for_a_target if denied("shell/option", call("target", "--output=/etc/x"))

test_bypass_proxy_command_in_arguments if denied("shell/option", call("args", "-oProxyCommand=id"))

test_bypass_proxy_command_in_capitals if denied("shell/option", call("args", "-o PROXYCOMMAND=id"))

test_bypass_exec_of_find if denied("shell/option", call("cmd", "find . -exec id"))

test_bypass_checkpoint_action if denied("shell/option", call("args", "--checkpoint-action=exec=id"))

test_bypass_ssh_command_of_git if denied("shell/option", call("args", "core.sshCommand=id"))

test_bypass_alias_of_git if denied("shell/option", call("args", "alias.x=!id"))

test_bypass_external_transport_of_git if denied("shell/option", call("remote", "ext::sh -c id"))

test_bypass_external_diff if denied("shell/option", call("args", "diff.external=id"))

test_bypass_receive_pack if denied("shell/option", call("args", "--receive-pack=id"))

test_bypass_credential_helper if denied("shell/option", call("args", "credential.helper=id"))

test_bypass_assignment if denied("shell/environment", call("command", "LD_PRELOAD=x.so ls"))

test_bypass_assignment_by_env if denied("shell/environment", call("command", "env FOO=x ls"))

test_bypass_assignment_by_export if denied("shell/environment", call("command", "export PATH=/tmp ls"))

test_bypass_preload_in_arguments if denied("shell/environment", call("args", "LD_PRELOAD=/tmp/x.so"))

test_bypass_preload_in_small_letters if denied("shell/environment", call("args", "ld_preload=/tmp/x.so"))

test_bypass_options_of_node if denied("shell/environment", call("args", "NODE_OPTIONS=--require=/x"))

test_bypass_pager_of_git if denied("shell/environment", call("args", "GIT_PAGER=id"))

test_bypass_percent_encoded if denied("shell/operator", decoded("branch", "main%3Bid", "main;id"))

test_bypass_percent_encoded_new_line if denied("shell/operator", decoded("branch", "main%0aid", "main\nid"))

test_bypass_full_width_semicolon if denied("shell/operator", decoded("branch", "main；id", "main;id"))

test_bypass_full_width_dollar if denied("shell/substitution", decoded("branch", "＄(id)", "$(id)"))

test_bypass_full_width_dash if denied("shell/option", decoded("branch", "－x", "-x"))

test_bypass_html_entity if denied("shell/redirection", decoded("branch", "a&gt;b", "a>b"))

test_bypass_escapes if denied("shell/operator", decoded("branch", `a\x3bid`, "a;id"))

test_bypass_zero_width_space if denied("shell/option", decoded("filename", "​-rf", "-rf"))

test_bypass_member_capitals if denied("shell/operator", call("COMMAND", "x;id"))

test_bypass_member_camel_case if denied("shell/operator", call("branchName", "x;id"))

test_bypass_member_snake_case if denied("shell/operator", call("branch_name", "x;id"))

test_bypass_member_file_name if denied("shell/operator", call("fileName", "x;id"))

test_bypass_member_git_ref if denied("shell/operator", call("gitRef", "x;id"))

test_bypass_member_hostname if denied("shell/operator", call("hostname", "x;id"))

test_bypass_member_container if denied("shell/operator", call("containerId", "x;id"))

test_bypass_member_package if denied("shell/operator", call("package", "x;id"))

test_bypass_array if denied("shell/operator", with_strings([
	string("/params/arguments/args/0", "args", "-l"),
	string("/params/arguments/args/1", "args", "x;id"),
]))

test_bypass_nested_array if denied("shell/operator", with_strings([
	string("/params/arguments/args/0/3/0", "args", "x|id"),
]))

test_bypass_object_below_a_member if denied("shell/operator", with_strings([
	string("/params/arguments/command/line", "line", "x;id"),
]))

test_bypass_text_member_below_a_member_in_a_list if denied("shell/substitution", with_strings([
	string("/params/arguments/args/0/value", "value", "$(id)"),
]))

test_bypass_member_deep_inside if denied("shell/operator", with_strings([
	string("/params/arguments/a/0/b/branch", "branch", "x;id"),
]))

test_bypass_json_in_a_string if denied("shell/operator", with_strings([
	string("/params/arguments/payload/~2/command", "command", "x;id"),
]))

test_bypass_json_in_a_text if denied("shell/operator", with_strings([
	string("/params/arguments/body/~2/command", "command", "x;id"),
]))

test_bypass_answer_to_a_question if denied("shell/operator", with_strings([
	string("/params/inputResponses/q/content/branch", "branch", "x;id"),
]))

test_bypass_quote_in_a_name_on_the_way if denied("shell/operator", with_strings([
	string(`/params/arguments/a"b/command`, "command", "x;id"),
]))

test_bypass_backslash_in_a_name_on_the_way if denied("shell/operator", with_strings([
	string(`/params/arguments/a\/command`, "command", "x;id"),
]))

test_bypass_new_line_in_a_name_on_the_way if denied("shell/operator", with_strings([
	string("/params/arguments/a\nb/command", "command", "x;id"),
]))

test_bypass_key if denied("shell/operator", with_strings([{
	"pointer": "/params/arguments/args/; id",
	"key": "; id",
	"value": "; id",
	"decoded": [],
	"is_key": true,
}]))

test_bypass_prompt if denied("shell/operator", object.union(call("branch", "x;id"), {"method": "prompts/get"}))

test_bypass_cut_member if {
	denied("shell/unseen", object.union(call("command", "x"), {"cut": ["/params/arguments/command"]}))
	denied("shell/unseen", object.union(call("q", "x"), {"cut": ["/params/strings"]}))
}

test_bypass_program_that_is_not_allowed if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "rm -rf /"))

test_bypass_second_program if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "ls; rm x"))

test_bypass_program_behind_a_pipe if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "ls | sh"))

test_bypass_program_behind_and if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "ls && curl x"))

test_bypass_program_behind_ampersand if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "ls&rm x"))

test_bypass_program_behind_a_new_line if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "ls\nrm x"))

test_bypass_program_by_path if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "/tmp/ls"))

test_bypass_program_in_capitals if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "LS"))

test_bypass_program_in_quotes if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "'r'm x"))

test_bypass_program_with_a_backslash if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", `r\m x`))

test_bypass_program_behind_an_assignment if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "FOO=1 ls"))

test_bypass_program_in_a_subshell if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "(rm x)"))

test_bypass_program_in_braces if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "{ rm x; }"))

test_bypass_program_behind_not if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "! rm x"))

test_bypass_substitution_in_a_program if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/substitution", call("command", "ls $(id)"))

test_bypass_redirection_of_a_program if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/redirection", call("command", "ls > x"))

test_bypass_backticks_in_a_program if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/substitution", call("command", "ls `id`"))

test_bypass_program_with_nothing_allowed if denied_with({"commands": ["files/run"], "allow": []}, "shell/program", call("command", "ls"))

test_bypass_no_program if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", ""))

test_bypass_keyword_before_a_program if denied_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, "shell/program", call("command", "if rm x"))

test_bypass_operator_beside_a_command if denied_with({"commands": ["*"], "allow": ["ls"]}, "shell/operator", with_strings([
	string("/params/arguments/command", "command", "ls"),
	string("/params/arguments/args/0", "args", "x; id"),
]))

test_bypass_program_in_a_list if denied_with({"commands": ["*"], "allow": ["ls"]}, "shell/program", with_strings([
	string("/params/arguments/command/0", "command", "rm"),
	string("/params/arguments/command/1", "command", "x"),
]))

test_bypass_program_deep_inside if denied_with({"commands": ["*"], "allow": ["ls"]}, "shell/program", with_strings([
	string("/params/arguments/command", "command", "ls"),
	string("/params/arguments/a/command", "command", "rm x"),
]))

test_bypass_program_in_another_reading if denied_with({"commands": ["*"], "allow": ["ls"]}, "shell/program", decoded("command", "ls%3Brm", "ls;rm"))

test_pass_allowed_program if passes_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, call("command", "ls -la /data"))

test_pass_allowed_programs_in_a_pipe if passes_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, call("command", "git log --oneline | grep fix"))

test_pass_programs_in_lines if passes_with({"commands": ["files/run"], "allow": ["ls", "git", "grep"]}, call("command", "ls\ngit status\n"))

test_pass_other_tool if passes_with({"commands": ["*/exec"], "allow": ["ls"]}, call("branch", "main"))

test_pass_program_in_a_list if passes_with({"commands": ["*"], "allow": ["ls"]}, with_strings([
	string("/params/arguments/command/0", "command", "ls"),
	string("/params/arguments/command/1", "command", "-la"),
]))

test_deny_member_of_ones_own if denied_with({"members": ["peer"]}, "shell/operator", call("peer", "x;id"))

test_pass_branch if passes(call("branch_name", "feature/fix-a_b.c"))

test_pass_ref if passes(call("ref", "HEAD~2"))

test_pass_range if passes(call("target", "v1.0..main"))

test_pass_parent if passes(call("revision", "HEAD^"))

test_pass_stash if passes(call("ref", "stash@{0}"))

test_pass_scope if passes(call("branch", "feat(ui)/x"))

test_pass_filename if passes(call("filename", "Report (final) - 2024, v2.pdf"))

test_pass_price if passes(call("filename", "costs $5.txt"))

test_pass_percent_encoded if passes(call("filename", "caf%C3%A9%20au%20lait.txt"))

test_pass_host if passes(call("host", "db.example.com:5432"))

test_pass_ipv6 if passes(call("host", "[2001:db8::1]:80"))

test_pass_image if passes(call("image", "ghcr.io/a/b:1.2@sha256:0123"))

test_pass_package if passes(call("package", "@scope/name@^1.2.3"))

test_pass_options if passes(call("args", "--since=2 weeks ago"))

test_pass_short_option if passes(call("args", "-n"))

test_pass_assignment_in_arguments if passes(call("args", "KEY=value"))

test_pass_setting_in_arguments if passes(call("args", "MESSAGE=hello world"))

test_pass_command if passes(call("command", "make CC=gcc all"))

test_pass_path if passes(call("path", "/data/a;b.txt"))

test_pass_message if passes(call("message", "fix: a; b && c | d > e `f` $(g)"))

test_pass_sql if passes(call("query", "SELECT a FROM b WHERE c > 1; -- x"))

test_pass_sql_member if passes(call("sql", "SELECT 1; SELECT 2"))

test_pass_code if passes(call("code", "a && b | c; `d`"))

test_pass_content if passes(call("content", "#!/bin/sh\nls | wc > x"))

test_pass_body if passes(call("body", "- a\n- b; c"))

test_pass_text if passes(call("text", "R&D <@U1> `x`"))

test_pass_search if passes(call("q", `is:open label:"a|b"`))

test_pass_timezone if passes(call("timezone", "Europe/Berlin"))

test_pass_memory if passes(call("name", "Ada & Co"))

test_pass_sha if passes(call("sha", "0123abcd"))

test_pass_title if passes(call("title", "a & b"))

test_pass_url if passes(call("url", "https://example.com/?a=1&b=2;c"))

test_pass_time if passes(call("time", "12:30"))

test_pass_owner if passes(call("owner", "octo-cat"))

test_pass_umlauts if passes(call("filename", "Übersicht – neu.txt"))

test_pass_edit if passes(call("oldText", "a = b; c |= d"))

test_pass_text_below_a_member if passes(with_strings([string("/params/arguments/args/query", "query", "a; b")]))

test_pass_long_text if passes(object.union(call("content", "x"), {"cut": ["/params/arguments/content"]}))
