# METADATA
# title: What our tools may be asked to do
# description: Deletions and strangers' servers. See https://www.openpolicyagent.org/docs/policy-language for the language.
package tidegate

import rego.v1

# What Tidegate asks for, about each message. A message that nothing is said about passes.
decision := {"deny": deny, "redact": redact, "hold": hold, "labels": labels}

# Denied: the rule's name goes into the audit log, the reason to who asked. So nothing secret belongs in a reason.
# In phase "list" each tool of a server's list is asked about, too: what is denied whatever its arguments isn't listed.
deny contains {"rule": "delete", "reason": "Nothing is deleted through tools."} if {
	input.method == "tools/call"
	startswith(input.target.name, "delete_")
}

# Two conditions of one rule are "and"; two rules of one name are "or". A member that may be missing is read by
# `object.get`: `not f(input.x)` says nothing where there is no `input.x`, so such a rule would not deny.
deny contains {"rule": "path", "reason": "This path is none of those that may be written."} if {
	input.method == "tools/call"
	startswith(input.target.name, "write_")
	input.phase == "request"
	not _inside(object.get(input.arguments, "path", null))
}

# What wasn't seen whole can't be judged.
deny contains {"rule": "unseen", "reason": "The message is too large to be judged."} if {
	input.phase == "request"
	count(input.cut) > 0
}

# Held: it needs a person's approval.
hold contains {"rule": "payment", "reason": "Payments need an approval."} if {
	input.method == "tools/call"
	input.phase == "request"
	input.target.name in data.approvals.tools
}

# Redacted: the string at this place of an answer is replaced.
redact contains {"pointer": found.pointer, "label": found.rule} if {
	input.phase == "reply"
	some found in input.findings
	found.kind == "pii"
	found.confidence > 0.8
}

# Labelled: the conversation remembers it, and later messages have it in `input.session.labels`.
labels contains "private" if {
	input.phase == "reply"
	"internal" in input.server.labels
}

deny contains {"rule": "private", "reason": "What was read is private, and this server is not ours."} if {
	input.phase == "request"
	"private" in input.session.labels
	"external" in input.server.labels
}

_inside(path) if {
	is_string(path)
	not contains(path, "..")
	some folder in data.writable
	startswith(path, folder)
}
