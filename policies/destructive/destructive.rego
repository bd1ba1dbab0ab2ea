# METADATA
# title: Destructive tools
# description: Tools that say they destroy, by name, by annotation or by what they are asked to do, are denied or held.
package tidegate.packs.destructive

import rego.v1

import data.tidegate.lib.strings as names

defaults := {
	"action": "deny",
	"except": [],
	"parts": [
		"delet", "destroy", "eradicate", "erase", "expunge", "obliterate", "overwrite", "purge", "remove", "truncate",
		"uninstall", "unlink",
	],
	"words": [
		"clean", "clear", "decommission", "del", "deprovision", "discard", "drop", "erasing", "evict", "flush", "kill",
		"killall", "nuke", "prune", "reset", "revoke", "rm", "rmdir", "shred", "shutdown", "terminate", "trash",
		"truncating", "wipe", "zap",
	],
	"also": [],
	"members": ["action", "command", "method", "mode", "op", "operation", "verb"],
	"annotations": true,
}

applies := {"phases": ["request", "list"], "methods": ["tools/call"]}

decision := {"deny": deny, "hold": hold}

deny contains told if {
	data.destructive.action != "hold"
	some told in _told
}

hold contains told if {
	data.destructive.action == "hold"
	some told in _told
}

_told contains {"rule": "destructive/name", "reason": "The name of this tool says that it destroys."} if {
	_destroys(input.target.name)
	not _excepted
}

_told contains {"rule": "destructive/unclear", "reason": "The name of this tool has letters that may stand for others."} if {
	trim_left(input.target.name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./: ") != ""
	not _excepted
}

_told contains {"rule": "destructive/annotation", "reason": "The server says of this tool that it destroys."} if {
	input.tool.annotations != {}
	data.destructive.annotations
	not object.get(input.tool.annotations, "destructiveHint", false) in {false, null}
	not _excepted
}

_told contains {"rule": "destructive/argument", "reason": "An argument of this call says that it destroys."} if {
	input.phase == "request"
	some key, value in input.arguments
	lower(key) in data.destructive.members
	_asks(value)
	not _excepted
}

_any := concat("|", array.concat(data.destructive.parts, array.concat(data.destructive.words, data.destructive.also)))

# A cheap look before the exact one.
_destroys(text) if {
	regex.match(_any, lower(text))
	_means(text)
}

_means(text) if {
	some word in names.words(text)
	word in array.concat(data.destructive.words, data.destructive.also)
} else if {
	regex.match(concat("|", data.destructive.parts), lower(text))
}

# What an argument asks for, in one text or in a list of texts.
_asks(value) if {
	is_string(value)
	_destroys(value)
} else if {
	is_array(value)
	some item in value
	is_string(item)
	_destroys(item)
}

_excepted if {
	name := concat("/", [input.server.name, input.target.name])
	some pattern in data.destructive.except
	glob.match(pattern, null, name)
}
