# METADATA
# title: Approvals
# description: |
#   What a person has to approve before it is done: calls of certain tools, messages in which something was found, and
#   whatever goes to a server that isn't trusted.
package tidegate.packs.approvals

import data.tidegate.lib.globs
import rego.v1

# METADATA
# description: |
#   tools: globs over SERVER/TOOL. exempt: globs over SERVER/TOOL that need no approval, unless something was found.
#   findings: kinds of findings, such as "secret"; "*" for all. threshold: the least confidence of a finding.
#   low_trust: whether everything sent to a server of low trust needs approval.
defaults := {"tools": [], "exempt": [], "findings": ["*"], "threshold": 0.0, "low_trust": false}

applies := {"phases": ["request"], "methods": ["tools/call", "prompts/get", "resources/read"]}

# Most messages need no approval, which is told first.
decision := {} if {
	input.server.trust == "high"
	input.findings == []
	[pointer | some pointer in input.cut; startswith(pointer, "/findings")] == []
	not listed
} else := {"hold": hold, "deny": deny}

listed if {
	some pattern in data.approvals.tools
	glob.match(pattern, null, called)
}

# METADATA
# title: approvals/tool
# description: The tool is one of those that need approval.
hold contains {"rule": "approvals/tool", "reason": "This tool needs the approval of a person."} if {
	input.method == "tools/call"
	listed
	not exempt
}

# METADATA
# title: approvals/finding
# description: Something was found in the message.
hold contains {"rule": "approvals/finding", "reason": "Something was found in this message, so a person has to approve it."} if {
	some finding in input.findings
	relevant(finding.kind)
	not unsure(finding)
}

# METADATA
# title: approvals/trust
# description: The server isn't one of high trust.
hold contains {"rule": "approvals/trust", "reason": "This server isn't trusted, so a person has to approve what is sent to it."} if {
	data.approvals.low_trust
	input.server.trust != "high"
	not exempt
}

# METADATA
# title: approvals/unseen
# description: The findings aren't whole in the input.
deny contains {"rule": "approvals/unseen", "reason": "What was found in this message isn't known in full."} if {
	some pointer in input.cut
	startswith(pointer, "/findings")
}

unsure(finding) if finding.confidence < data.approvals.threshold

relevant(_) if "*" in data.approvals.findings

relevant(kind) if kind in data.approvals.findings

exempt if {
	input.method == "tools/call"
	globs.matches(data.approvals.exempt, called)
}

called := concat("/", [input.server.name, input.target.name])
