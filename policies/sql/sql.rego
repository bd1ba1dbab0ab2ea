# METADATA
# title: SQL
# description: Only statements of the kinds that the settings allow, one at a time, and none that is not read for sure.
package tidegate.packs.sql

import rego.v1

import data.tidegate.lib.strings as names

defaults := {
	"allow": ["select"],
	"members": ["sql", "query", "statement"],
	"tools": ["*"],
	"several": false,
	"functions": [
		"benchmark", "dblink", "dblink_exec", "dblink_connect", "edit", "get_lock", "load_extension", "load_file",
		"lo_create", "lo_export", "lo_import", "lo_put", "lo_unlink", "nextval", "pg_cancel_backend", "pg_ls_dir",
		"pg_read_binary_file", "pg_read_file", "pg_reload_conf", "pg_rotate_logfile", "pg_sleep", "pg_sleep_for",
		"pg_sleep_until", "pg_stat_file", "pg_terminate_backend", "query_to_xml", "readfile", "set_config", "setval",
		"sleep", "sys_eval", "sys_exec", "writefile", "xp_cmdshell",
	],
}

applies := {"phases": ["request"], "methods": ["tools/call", "prompts/get"]}

# Undefined, and so a deny, where the input lacks what is looked at.
decision := {"deny": deny} if {
	input.params.strings
	input.cut
}

_reasons := {
	"unclear": "A statement in this call can't be read for sure.",
	"kind": "A statement in this call is of a kind that the settings don't allow.",
	"several": "There is more than one statement in this call.",
	"function": "A statement in this call uses a function that does more than reading.",
}

deny contains {"rule": concat("/", ["sql", what]), "reason": _reasons[what]} if {
	some entry in _entries
	some text in names.readings(entry)
	what := _problem(text)
	what != ""
}

deny contains {"rule": "sql/type", "reason": "An argument that holds a statement is not a text."} if {
	trim(_types, " string") != ""
	some key, value in input.arguments
	not is_string(value)
	not is_null(value)
	_named(key)
	_concerned
}

# Deeper ones: strings in a list or an object that has such a name.
deny contains {"rule": "sql/type", "reason": "An argument that holds a statement is not a text."} if {
	_nested
	below := concat("", ["(?i)/(?:", concat("|", data.sql.members), ")/[^~]"])
	regex.match(below, concat("\n", [entry.pointer | some entry in input.params.strings]))
	_concerned
}

deny contains {"rule": "sql/unseen", "reason": "A statement in this call is too long to be looked at."} if {
	some pointer in input.cut
	strings.any_prefix_match(pointer, ["/params", "/arguments"])
	not _other(pointer)
	_concerned
}

# The members' names as they are and in small letters.
_keys := split(concat("\n", [keys, lower(keys)]), "\n") if {
	keys := concat("\n", [entry.key | some entry in input.params.strings])
}

# Before names are looked at one by one, all are looked at at once.
_entries contains entry if {
	strings.any_prefix_match(_keys, data.sql.members)
	_concerned
	some entry in input.params.strings
	_named(entry.key)
	not entry.is_key
}

_named(key) if {
	key in data.sql.members
} else if {
	lower(key) in data.sql.members
}

_concerned if {
	name := concat("/", [input.server.name, input.target.name])
	some pattern in data.sql.tools
	glob.match(pattern, null, name)
}

_types := concat(" ", [type_name(value) | some value in input.arguments])

_nested if {
	contains(_types, "object")
} else if {
	contains(_types, "array")
} else if {
	strings.any_prefix_match([entry.value | some entry in input.params.strings], ["{", "[", "\"", " ", "\t", "\n", "\r"])
}

# A text that was cut, but by its name holds no statement.
_other(pointer) if {
	some entry in input.params.strings
	entry.pointer == pointer
	not _named(entry.key)
	not entry.is_key
}

# Strings, quoted names and comments, as all dialects read them alike. Each becomes two characters that can't be in the text
# before, with the quote between them. What is not read alike is left over.
_quoted := concat("", [
	`(')(?:[^']|'')*'`,
	`|(")(?:[^"]|"")*"`,
	`|(\x60)[A-Za-z0-9_ .]*\x60`,
	`|/\*(?:[^*/]|\*+[^*/]|/+[^*/])*\*+/`,
	`|--(?:[ \t\r][^\n]*)?(?:\n|$)`,
])

# Before: control characters, a quote behind a backslash, comments that run, a line end that isn't one for all.
_before := `[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\\['"\x60]|/\*M?!|\r(?:[^\n]|$)`

# After: open quotes and comments, other quotes and comments, letters that only look alike, Oracle's q'[..]', names in escapes,
# a function by a quoted name.
_left := concat("", [
	`(?:^|[^\x01])['"\x60]|[\\#]|--|/\*|\$(?:[^0-9]|$)|[^\x00-\x7f]`,
	`|[qQ]\x01'|[uU]&\x01|\x01["\x60]\x02[ \t\r\n]*\(`,
])

_problem(text) := "unclear" if {
	regex.match(_before, text)
} else := _uncommented(regex.replace(text, _quoted, "\u0001${1}${2}${3}\u0002"))

# Brackets are names for some and indexes for others: nothing may be in them that ends elsewhere for one of them.
_uncommented(marked) := "unclear" if {
	contains(marked, "[")
	regex.match(`\[[^\[\]]*[\x01;]|\]\]`, marked)
} else := _judged(replace(marked, "\u0001\u0002", " "))

_judged(bare) := "unclear" if {
	regex.match(_left, bare)
} else := _weighed(
	[lower(statement) | some statement in split(bare, ";"); trim(statement, " \t\r\n") != ""],
	bare,
)

_weighed(statements, bare) := "kind" if {
	statements == []
} else := "several" if {
	count(statements) > 1
	not data.sql.several
} else := "kind" if {
	some statement in statements
	not _allowed(statement)
} else := "function" if {
	contains(bare, "(")
	data.sql.functions != []
	called := concat("", [`(?i)(?:^|[^a-z0-9_])(?:`, concat("|", data.sql.functions), `)[ \t\r\n]*\(`])
	regex.match(called, bare)
} else := ""

# A statement is of the kind that its first word says, and of each kind that a word in it could begin: not all dialects want
# a semicolon between two statements, and a common table expression can write.
_allowed(statement) if {
	some first in regex.find_n(`^[ \t\r\n(]*[a-z_][a-z0-9_]*`, statement, 1)
	_permitted(trim_left(first, " \t\r\n("))
	every words in regex.find_n(_kinds, statement, -1) {
		some word in regex.find_n(`^[a-z]+`, words, 1)
		word in data.sql.allow
	}
}

_permitted(first) if first in data.sql.allow

_permitted(first) if {
	first == "with"
	"select" in data.sql.allow
}

_kinds := concat("", [
	`\b(?:(?:insert|replace|merge)(?:[ \t\r\n]+(?:or|ignore|replace|rollback|abort|fail|low_priority|delayed))*[ \t\r\n]+into\b`,
	`|(?:replace|truncate)[ \t\r\n]+[a-z_\x01\[]`,
	`|(?:enable|disable)[ \t\r\n]+trigger\b`,
	`|(?:insert|update|delete|merge|drop|alter|create|grant|revoke|deny|exec|execute|backup|restore|bulk|dbcc|kill)\b`,
	`|(?:shutdown|reconfigure|waitfor|openrowset|opendatasource|openquery|writetext|updatetext|into)\b)`,
])
