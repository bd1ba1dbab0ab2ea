# METADATA
# title: Shell
# description: |
#   Shapes of command injection in arguments that end up in commands: what separates commands, substitutes, redirects, or
#   turns a value into an option. Tools whose purpose is running commands have a list of programs instead.
package tidegate.packs.shell

import rego.v1

# METADATA
# description: |
#   members: members of arguments that end up in commands, and whatever is below them; written in small letters. options: those
#   of them that may not begin with a dash. texts: members that are text, even below one of `members`. commands: globs over
#   SERVER/TOOL, tools whose purpose is running commands. allow: the programs that these may run.
defaults := {
	"members": [
		"command", "commands", "cmd", "command_line", "commandline", "shell_command", "shellcommand", "exec", "executable",
		"program", "args", "argv", "extra_args", "extraargs", "flags", "arg",
		"branch", "branch_name", "branchname", "base_branch", "basebranch", "new_branch", "newbranch", "from_branch", "frombranch",
		"source_branch", "sourcebranch", "target_branch", "targetbranch", "start_point", "startpoint", "ref", "git_ref", "gitref",
		"base_ref", "baseref", "head_ref", "headref", "revision", "rev", "tag", "tag_name", "tagname", "commit", "sha",
		"commit_sha", "commitsha", "remote", "remote_name", "remotename",
		"filename", "file_name", "host", "hostname", "host_name", "interface", "container", "container_id", "containerid",
		"container_name", "containername", "image", "package", "package_name", "packagename", "namespace", "pod", "username",
	],
	"options": [
		"branch", "branch_name", "branchname", "base_branch", "basebranch", "new_branch", "newbranch", "from_branch", "frombranch",
		"source_branch", "sourcebranch", "target_branch", "targetbranch", "start_point", "startpoint", "ref", "git_ref", "gitref",
		"base_ref", "baseref", "head_ref", "headref", "revision", "rev", "tag", "tag_name", "tagname", "commit", "sha",
		"commit_sha", "commitsha", "remote", "remote_name", "remotename", "target", "repo_path", "start_timestamp",
		"filename", "file_name", "host", "hostname", "host_name", "interface", "container", "container_id", "containerid",
		"container_name", "containername", "image", "package", "package_name", "packagename", "namespace", "pod", "username",
		"command", "cmd", "command_line", "commandline", "shell_command", "shellcommand", "executable", "program",
	],
	"texts": ["body", "text", "message", "content", "contents", "query", "sql", "code", "description", "comment", "title"],
	"commands": [],
	"allow": [],
}

applies := {"phases": ["request"], "methods": ["tools/call", "prompts/get"]}

# Most calls have nothing that a shell reads, which one search of all strings tells. It looks for what any of the rules
# needs, as it stands in JSON.
decision := {} if {
	[pointer | some pointer in input.cut; startswith(pointer, "/params")] == []
	data.shell.commands == []
	not regex.match(
		"[;&|<>`=]|--|[$][a-z_({'\"@*#?!\\\\-]|%[a-z_]|\\\\[nr]|\\\\u00[0-9a-f]|[\u0085\u2028\u2029]|\\\\u202|[\"' ]-|\\\\[tf\\\\\"]-|(?:proxy|local|hosts)command|ext::|(?:core|alias|diff|merge|filter|credential|protocol)\\.",
		lower(replace(json.marshal(input.params.strings), "\u0130", "i")),
	)
} else := {"deny": deny} if {
	concerned
	count(deny) > 0
} else := {}

# Most others have no member that is checked.
concerned if regex.match(in_json, lower(replace(json.marshal(input.params.strings), "\u0130", "i")))

concerned if {
	some pointer in input.cut
	startswith(pointer, "/params")
}

concerned if runs_commands

runs_commands if {
	some pattern in data.shell.commands
	glob.match(pattern, null, concat("/", [input.server.name, input.target.name]))
}

# METADATA
# title: shell/operator
# description: "A value has what ends a command or begins another: `;`, `&`, `|`, or a new line."
deny contains {"rule": "shell/operator", "reason": "An argument has what begins another command."} if {
	some text in checked
	not is_command_line(text)
	some reading in readings(text)
	regex.match(`[;&|\n\r\x00\x{0085}\x{2028}\x{2029}]`, reading)
}

# METADATA
# title: shell/substitution
# description: "A value has what a shell replaces: a command in backticks or `$()`, a variable."
deny contains {"rule": "shell/substitution", "reason": "An argument has a command or a variable that a shell replaces."} if {
	some reading in checked_readings
	regex.match(substitutions, reading)
}

# METADATA
# title: shell/redirection
# description: "A value has `<` or `>`."
deny contains {"rule": "shell/redirection", "reason": "An argument redirects the input or output of a command."} if {
	some reading in checked_readings
	regex.match(`[<>]`, reading)
}

# METADATA
# title: shell/option
# description: A value that is to be a name begins with a dash, or an option runs a program.
deny contains {"rule": "shell/option", "reason": "An argument would be taken for an option of a command."} if {
	some text in names
	not regex.match(later_words, lower(replace(text.pointer, "\u0130", "i")))
	some reading in readings(text)
	regex.match(`^[ \t\n\v\f\r\x00'"\\]*-`, reading)
}

deny contains {"rule": "shell/option", "reason": "An option of a command would run a program."} if {
	some reading in checked_readings
	regex.match(running_options, reading)
}

# METADATA
# title: shell/environment
# description: A command begins with the assignment of a variable, or one is set that decides which code is run.
deny contains {"rule": "shell/environment", "reason": "A command sets a variable of its environment."} if {
	some text in checked
	regex.match(command_line, lower(replace(text.pointer, "\u0130", "i")))
	some reading in readings(text)
	regex.match(assignment, reading)
}

deny contains {"rule": "shell/environment", "reason": "An argument sets a variable that decides which code is run."} if {
	some reading in checked_readings
	regex.match(loading_variables, reading)
}

# METADATA
# title: shell/program
# description: A tool that runs commands is to run a program that isn't allowed.
deny contains {"rule": "shell/program", "reason": "A program is to be run that isn't allowed."} if {
	runs_commands
	some program in programs
	not program in data.shell.allow
}

deny contains {"rule": "shell/program", "reason": "It can't be told which program is to be run."} if {
	runs_commands
	count(programs) == 0
}

# METADATA
# title: shell/unseen
# description: An argument that would be checked isn't whole in the input.
deny contains {"rule": "shell/unseen", "reason": "An argument is too long to be checked."} if {
	some pointer in input.cut
	pointer in {"/params", "/params/strings"}
}

deny contains {"rule": "shell/unseen", "reason": "An argument is too long to be checked."} if {
	some pointer in input.cut
	regex.match(relevant_members, lower(replace(pointer, "\u0130", "i")))
	not regex.match(textual, lower(replace(pointer, "\u0130", "i")))
}

# Each value of a member and below it, and each key below it. A text is passed over, but not JSON inside of it.
relevant := [text |
	some text in input.params.strings
	pointer := lower(replace(text.pointer, "\u0130", "i"))
	regex.match(relevant_members, pointer)
	not regex.match(textual, pointer)
	not own_name(text)
]

checked := [text | some text in relevant; regex.match(checked_members, lower(replace(text.pointer, "\u0130", "i")))]

names := [text | some text in relevant; regex.match(named_members, lower(replace(text.pointer, "\u0130", "i")))]

members := array.concat(data.shell.members, data.shell.options)

checked_readings := [reading | some text in checked; some reading in readings(text)]

# In small letters, in which all patterns are written.
readings(text) := [lower(replace(reading, "\u0130", "i")) | some reading in array.concat([text.value], text.decoded)]

own_name(text) if {
	text.is_key
	lower(replace(text.value, "\u0130", "i")) in members
}

# In a tool that runs commands, several may follow one another in a line, if each program is allowed.
is_command_line(text) if {
	runs_commands
	not text.is_key
	regex.match(command_line, lower(replace(text.pointer, "\u0130", "i")))
}

programs contains program if {
	some text in input.params.strings
	not text.is_key
	regex.match(command_line, lower(replace(text.pointer, "\u0130", "i")))
	some reading in array.concat([text.value], text.decoded)
	some part in regex.split(`[;&|\n\r\x00]+`, reading)
	program := first_word(part)
}

programs contains program if {
	some text in input.params.strings
	not text.is_key
	regex.match(command_list, lower(replace(text.pointer, "\u0130", "i")))
	program := text.value
}

# Without quotes and backslashes, as a shell reads it.
first_word(part) := regex.replace(regex.find_n(`[^ \t\v\f]+`, part, 1)[0], `['"\\]`, "")

# A checked member on the way to a string, as it stands in JSON; and as it is.
in_json := concat("", [
	`"pointer":"/params/(?:arguments|inputresponses)/(?:(?:[^"\\]|\\.)*/)?(?:`,
	concat("|", data.shell.members),
	"|",
	concat("|", data.shell.options),
	`)["/]`,
])

relevant_members := below([concat("|", data.shell.members), concat("|", data.shell.options)])

checked_members := below(data.shell.members)

named_members := below(data.shell.options)

below(listed) := concat("", [
	`(?s)^/params/(?:arguments|inputresponses)/(?:.*/)?(?:`,
	concat("|", listed),
	`)(?:/|$)`,
])

textual := concat("", [`/(?:`, concat("|", array.concat(["~"], data.shell.texts)), `)(?:/[0-9]+)*$`])

command_line := `(?s)^/params/arguments/(?:.*/)?(?:command|cmd|command_?line|shell_?command|exec|executable|program|commands/[0-9]+)$`

# After its first, the words of a command may be options.
later_words := `/(?:command|cmd|executable|program)/[1-9][0-9]*$`

command_list := `(?s)^/params/arguments/(?:.*/)?(?:command|cmd|argv)/0$`

substitutions := concat("", [
	"`",
	`|[$][a-z_({'"@*#?!-]`,
	`|%(?:[g-z_]|[a-f][g-z_])[a-z0-9_]*(?::[^%]*)?%`,
])

running_options := concat("", [
	`(?:proxy|local|hosts)command|--upload-pack|--receive-pack|checkpoint-action|--to-command`,
	`|--use-compress-program|--rsh(?:=|$)|core\.(?:sshcommand|fsmonitor|pager|editor|hookspath|gitproxy|askpass)`,
	`|alias\.[^ ]*=|(?:diff|merge|filter)\.[^ ]*(?:external|driver|command|textconv|clean|smudge|cmd)|credential\.[^ ]*helper`,
	`|protocol\.ext\.allow|(?:^|[^a-z0-9])ext::|--open-files-in-pager|--extcmd|--exec(?:[= ]|$)|(?:^| )-exec(?:dir)?(?: |$)`,
])

assignment := `^[ \t'"]*(?:(?:env|export|set|setx)[ \t]+(?:-[^ \t]+[ \t]+)*)?[a-z_][a-z0-9_]*\+?=[^ \t]*[ \t]+[^ \t]`

loading_variables := concat("", [
	`(?:^|[ \t'",])(?:ld_preload|ld_library_path|ld_audit|dyld_[a-z_]+|bash_env|prompt_command|pythonpath|pythonstartup`,
	`|perl5opt|perl5lib|rubyopt|node_options|git_ssh|git_ssh_command|git_exec_path|git_external_diff|git_pager|ifs)=`,
])
