# METADATA
# title: Paths
# description: Arguments and URIs that name files stay inside of the folders that the settings name.
package tidegate.packs.paths

import rego.v1

import data.tidegate.lib.paths
import data.tidegate.lib.strings as names

defaults := {
	"roots": [],
	"base": "",
	"members": [
		"path", "paths", "filepath", "file_path", "filename", "file_name", "file", "files", "directory", "dir", "folder",
		"cwd", "root", "workdir", "repo_path", "root_path", "input_path", "output_path", "source_path", "target_path",
	],
	"texts": [
		"base64", "blob", "body", "code", "comment", "content", "contents", "cursor", "data", "description", "diff",
		"file_text", "html", "image", "insert_text", "markdown", "message", "new_str", "new_string", "newstring",
		"newtext", "observations", "old_str", "old_string", "oldstring", "oldtext", "patch", "prompt", "query",
		"replacement", "script", "source_code", "sql", "statement", "summary", "text", "thought", "title",
	],
	"elsewhere": ["http://", "https://"],
	"never": [],
	"ignore_case": false,
}

applies := {"phases": ["request", "notification"]}

# Undefined, and so a deny, where the input lacks what is looked at.
decision := {"deny": deny} if {
	input.params.strings
	input.cut
}

_reasons := {
	"parent": "A path in this message leads up with `..`.",
	"unclear": "It is not clear what file a path in this message means.",
	"link": "A path in this message leads through a link out of any folder.",
	"never": "A path in this message has a part that the settings never allow.",
	"relative": "A path in this message is relative, and the settings name no base for it.",
	"outside": "A path in this message is outside of the allowed folders.",
}

deny contains {"rule": concat("/", ["paths", what]), "reason": _reasons[what]} if {
	some path in _paths
	what := _problem(path)
	what != ""
}

deny contains {"rule": "paths/type", "reason": "An argument that names a file is not a text."} if {
	trim(_types, " string") != ""
	some key, value in input.arguments
	not is_string(value)
	_odd(value)
	_named({"key": key, "is_key": false})
}

# Deeper ones: strings in an object that has such a name.
deny contains {"rule": "paths/type", "reason": "An argument that names a file is not a text."} if {
	_nested
	below := concat("", ["(?i)/(?:", concat("|", data.paths.members), ")/[0-9]*[^0-9~/\n]"])
	regex.match(below, concat("\n", [entry.pointer | some entry in input.params.strings]))
}

deny contains {"rule": "paths/unseen", "reason": "A text that may name a file is too long to be looked at."} if {
	some pointer in input.cut
	input.direction == "client_to_server"
	strings.any_prefix_match(pointer, ["/params", "/arguments"])
	not _known_text(pointer)
}

_values := [entry.value | some entry in input.params.strings]

# The members' names as they are and in small letters.
_keys := split(concat("\n", [names, lower(names)]), "\n") if {
	names := concat("\n", [entry.key | some entry in input.params.strings])
}

# What a member's name says is a path, and what looks like one wherever it is: each in all its readings, but for those
# that are plainly inside. Before strings are looked at one by one, all are looked at at once.
_paths contains path if {
	strings.any_prefix_match(_keys, data.paths.members)
	input.direction == "client_to_server"
	some entry in input.params.strings
	_named(entry)
	not _inside(entry)
	some path in names.readings(entry)
}

_paths contains paths.bare(text) if {
	_hinted
	input.direction == "client_to_server"
	some entry in input.params.strings
	not _named(entry)
	some text in _shaped(entry)
	not _inside(entry)
	not _text(entry)
}

_hinted if {
	strings.any_prefix_match(_values, ["/", `\`, "~", ".", "@", "$", "%", "-", " ", "\t", "\n", "\r"])
} else if {
	_inviting(concat("\n", _values))
} else if {
	{entry.decoded | some entry in input.params.strings} != {[]}
}

# A cheap look before the exact one; whatever has the shape of a path passes it.
_promising(text) if {
	contains("/\\~.@$% \t\r\n-", substring(text, 0, 1))
} else if {
	_inviting(text)
}

_inviting(text) if {
	contains(text, "..")
} else if {
	contains(text, ":")
	regex.match(`(?mi)^[a-z]:|file:`, text)
}

_shaped(entry) := _with_shape([entry.value]) if {
	entry.decoded == []
} else := _with_shape(array.concat([entry.value], entry.decoded))

_with_shape(texts) := [text |
	some text in texts
	_promising(text)
	paths.shaped(text)
]

# An ordinary path below a root, at a glance. What it doesn't tell apart, _problem does.
_inside(entry) if {
	entry.decoded == []
	path := entry.value
	strings.any_prefix_match(path, [concat("", [root, "/"]) | some root in data.paths.roots; startswith(root, "/")])
	trim_left(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+") == ""
	not regex.match(`//|/\.|proc/|dev/`, path)
	data.paths.never == []
}

_named(entry) if {
	entry.key in data.paths.members
	not entry.is_key
} else if {
	lower(entry.key) in data.paths.members
	not entry.is_key
}

_text(entry) if {
	entry.key in data.paths.texts
	not entry.is_key
} else if {
	lower(entry.key) in data.paths.texts
	not entry.is_key
}

_types := concat(" ", [type_name(value) | some value in input.arguments])

_nested if {
	contains(_types, "object")
} else if {
	contains(_types, "array")
} else if {
	strings.any_prefix_match(_values, ["{", "[", "\"", " ", "\t", "\n", "\r"])
}

_problem(path) := "parent" if {
	paths.climbs(path)
} else := "" if {
	contains(path, "://")
	strings.any_prefix_match(lower(path), data.paths.elsewhere)
} else := what if {
	what := _misplaced(paths.tidy(path))
	what != ""
} else := "outside" if {
	some other in paths.otherwise(path)
	_misplaced(other) != ""
} else := ""

_misplaced(path) := "parent" if {
	paths.climbs(path)
} else := "unclear" if {
	paths.unclear(_without_drive(path))
} else := "link" if {
	paths.linked(path)
} else := "never" if {
	count(data.paths.never) > 0
	_forbidden(path)
} else := _astray(path) if {
	paths.absolute(path)
} else := "relative" if {
	data.paths.base == ""
} else := _astray(paths.tidy(concat("/", [data.paths.base, path])))

_without_drive(path) := substring(path, 2, -1) if {
	paths.drive(path)
} else := path

_forbidden(path) if {
	some part in split(lower(path), "/")
	some pattern in data.paths.never
	glob.match(lower(pattern), null, trim_right(part, " ."))
}

_astray(path) := "" if {
	some given in data.paths.roots
	root := paths.tidy(given)
	paths.absolute(root)
	paths.under(_cased(path), _cased(root))
} else := "outside"

# Drives have file systems that ignore capitals.
_cased(path) := lower(path) if {
	data.paths.ignore_case
} else := lower(path) if {
	paths.drive(path)
} else := path

_odd(value) if is_number(value)

_odd(value) if is_boolean(value)

_odd(value) if is_object(value)

_odd(value) if {
	is_array(value)
	some item in value
	not is_string(item)
	not is_object(item)
}

_known_text(pointer) if {
	some entry in input.params.strings
	entry.pointer == pointer
	_text(entry)
}
