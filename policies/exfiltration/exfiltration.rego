# METADATA
# title: Exfiltration
# description: |
#   What was read from something private doesn't leave through something external. By label, nothing goes to an external
#   server any more; by content, only what carries what was read is stopped.
package tidegate.packs.exfiltration

import rego.v1

# METADATA
# description: |
#   by: "label" or "content". private: labels of a conversation. external: labels of servers. unlabelled: "external", if
#   servers without any label count as external. threshold: the share of one string that may not be what was read.
#   total: the same for all strings of a message together.
defaults := {
	"by": "label",
	"private": ["private"],
	"external": ["external"],
	"unlabelled": "",
	"threshold": 0.2,
	"total": 0.5,
}

applies := {"phases": ["request", "notification", "reply"]}

# Mostly there is no label, no finding, and nothing left out.
decision := {} if {
	input.session.labels == []
	input.findings == []
	input.cut == []
} else := {} if {
	input.direction == "server_to_client"
} else := {"deny": deny} if {
	is_external
} else := {}

is_external if {
	some label in input.server.labels
	label in data.exfiltration.external
}

is_external if {
	data.exfiltration.unlabelled == "external"
	count(input.server.labels) == 0
}

# METADATA
# title: exfiltration/label
# description: Something private was read in this conversation, and this is about to go to an external server.
deny contains {"rule": "exfiltration/label", "reason": "Something private was read, so nothing may be sent to this server."} if {
	data.exfiltration.by == "label"
	read_private
	not harmless
}

# METADATA
# title: exfiltration/content
# description: A string of the message repeats what was read from something private.
deny contains {"rule": "exfiltration/content", "reason": "This carries something private, which may not be sent to this server."} if {
	some share in carried
	not share < data.exfiltration.threshold
}

# METADATA
# title: exfiltration/total
# description: The strings of the message together repeat what was read from something private.
deny contains {"rule": "exfiltration/total", "reason": "This carries something private in pieces, which may not be sent to this server."} if {
	count(carried) > 1
	not sum(carried) < data.exfiltration.total
}

# METADATA
# title: exfiltration/unseen
# description: |
#   By content, something private was read, and not all findings are in the input. Strings that are cut don't matter: what
#   they carry was looked for in the whole message.
deny contains {"rule": "exfiltration/unseen", "reason": "There is too much in this to tell whether it carries something private."} if {
	data.exfiltration.by == "content"
	read_private
	"/findings" in input.cut
}

# METADATA
# title: exfiltration/settings
# description: The settings say neither "label" nor "content".
deny contains {"rule": "exfiltration/settings", "reason": "The settings of exfiltration say neither label nor content."} if {
	not data.exfiltration.by in {"label", "content"}
}

read_private if {
	some label in input.session.labels
	label in data.exfiltration.private
}

read_private if labels_cut

labels_cut if {
	some pointer in input.cut
	startswith(pointer, "/session/labels")
}

carried := [object.get(finding, "confidence", 1) |
	some finding in input.findings
	finding.kind == "carried"
	finding.rule in data.exfiltration.private
]

# What begins and ends a conversation, and lists: a client sends these by itself, and they carry nothing of a model's.
harmless if input.method in {
	"initialize",
	"notifications/initialized",
	"notifications/roots/list_changed",
	"ping",
	"server/discover",
	"roots/list",
	"tools/list",
	"prompts/list",
	"resources/list",
	"resources/templates/list",
	"tasks/list",
}

# These name something that the server named before; what is long, or more than that, isn't only a name.
harmless if {
	input.method in {
		"logging/setLevel",
		"notifications/cancelled",
		"notifications/progress",
		"tasks/cancel",
		"tasks/get",
		"tasks/result",
	}
	input.phase != "reply"
	not wordy
	not "/params/strings" in input.cut
}

# An open stream of notifications, but not of resources named by the client.
harmless if {
	input.method == "subscriptions/listen"
	not wordy
	not "/params/strings" in input.cut
}

wordy if {
	some text in input.params.strings
	not text.is_key
	not names(text)
	not startswith(text.pointer, "/params/_meta/io.modelcontextprotocol")
}

wordy if {
	some text in input.params.strings
	text.is_key
	not text.value in {
		"_meta",
		"level",
		"message",
		"notifications",
		"progress",
		"progressToken",
		"promptsListChanged",
		"reason",
		"requestId",
		"resourceSubscriptions",
		"resourcesListChanged",
		"taskId",
		"taskIds",
		"toolsListChanged",
		"total",
		"traceparent",
	}
	not startswith(text.pointer, "/params/_meta/io.modelcontextprotocol")
}

names(text) if {
	text.pointer in {
		"/params/_meta/progressToken",
		"/params/_meta/traceparent",
		"/params/level",
		"/params/progressToken",
		"/params/requestId",
		"/params/taskId",
	}
	count(text.value) <= 128
}

# Clients say why they cancel in a few words of their own.
names(text) if {
	text.pointer == "/params/reason"
	input.method == "notifications/cancelled"
	count(text.value) <= 64
}
