# METADATA
# title: Read only
# description: Only tools that read may be called, and only methods that read may be used.
package tidegate.packs.readonly

import rego.v1

import data.tidegate.lib.strings as names

defaults := {
	"allow": [],
	"deny": [],
	"verbs": ["count", "describe", "fetch", "find", "get", "list", "lookup", "read", "search", "show", "view"],
	"writes": [
		"and", "create", "delete", "destroy", "drop", "erase", "exec", "execute", "insert", "kill", "modify", "or",
		"overwrite", "purge", "remove", "rename", "replace", "rm", "send", "then", "truncate", "uninstall", "update",
		"upload", "upsert", "wipe", "write",
	],
	"annotations": true,
	"methods": [
		"tools/call", "tools/list", "prompts/get", "prompts/list", "resources/list", "resources/read",
		"resources/subscribe", "resources/templates/list", "resources/unsubscribe", "completion/complete",
		"initialize", "logging/setLevel", "notifications/cancelled", "notifications/initialized",
		"notifications/progress", "notifications/roots/list_changed", "notifications/tasks/status", "ping",
		"server/discover", "subscriptions/listen", "tasks/cancel", "tasks/get", "tasks/list", "tasks/result",
		"tasks/update",
	],
}

applies := {"phases": ["request", "notification", "list"]}

decision := {"deny": deny}

deny contains {"rule": "readonly/tool", "reason": "This tool is not known to read only."} if {
	input.method == "tools/call"
	not _reads
}

deny contains {"rule": "readonly/denied", "reason": "This tool is among those that the settings deny."} if {
	input.method == "tools/call"
	some pattern in data.readonly.deny
	glob.match(pattern, null, _name)
}

deny contains {"rule": "readonly/annotation", "reason": "The server says of this tool that it changes something."} if {
	input.tool.annotations != {}
	input.method == "tools/call"
	data.readonly.annotations
	_admits(input.tool.annotations)
}

deny contains {"rule": "readonly/method", "reason": "This method is not known to read only."} if {
	input.method != "tools/call"
	input.direction != "server_to_client"
	not input.method in data.readonly.methods
}

_name := concat("/", [input.server.name, input.target.name])

# By its first word. A later one that writes takes it back; a letter that only looks like another is in no word.
_reads if {
	words := names.words(input.target.name)
	words[0] in data.readonly.verbs
	not _writes(words)
}

_reads if {
	some pattern in data.readonly.allow
	glob.match(pattern, null, _name)
}

_writes(words) if {
	some word in words
	word in data.readonly.writes
}

# What a server says of its tools is believed where it speaks against them, never where it speaks for them.
_admits(annotations) if not object.get(annotations, "readOnlyHint", null) in {true, null}

_admits(annotations) if not object.get(annotations, "destructiveHint", null) in {false, null}
