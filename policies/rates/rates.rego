# METADATA
# title: Rates
# description: |
#   How many calls of which tools a conversation may make in a minute, an hour or a day. The call that is judged isn't
#   counted yet. A limit that isn't one denies every call.
package tidegate.packs.rates

import data.tidegate.lib.globs
import rego.v1

# METADATA
# description: |
#   limits: `tools` are globs over SERVER/TOOL, which share one limit of `most` calls `per` minute, hour or day.
defaults := {"limits": [{"tools": ["*"], "most": 600, "per": "minute"}]}

applies := {"phases": ["request"], "methods": ["tools/call"]}

# Mostly it is far from every limit, whatever the limit's tools are.
decision := {} if {
	[pointer | some pointer in input.cut; startswith(pointer, "/session/recent")] == []
	count([1 |
		some limit in data.rates.limits
		recent := input.session.recent[limit.per]
		is_number(limit.most)
		is_string(limit.tools[0])
		sum([n | some n in recent]) < limit.most
	]) == count(data.rates.limits)
} else := {"deny": deny}

# METADATA
# title: rates/exceeded
# description: The tool is covered by a limit, and that many calls were made.
deny contains {"rule": "rates/exceeded", "reason": reason(limit)} if {
	some limit in data.rates.limits
	not within(limit)
	well_formed(limit)
}

# METADATA
# title: rates/limit
# description: A limit in the settings lacks a member, or has one of another type or an unknown period.
deny contains {"rule": "rates/limit", "reason": "A limit in the settings isn't one, so nothing may be called."} if {
	some limit in data.rates.limits
	not within(limit)
	not well_formed(limit)
}

# METADATA
# title: rates/unseen
# description: What was called lately isn't whole in the input.
deny contains {"rule": "rates/unseen", "reason": "How often tools were called isn't known in full."} if {
	some pointer in input.cut
	startswith(pointer, "/session/recent")
}

# Whatever can't be told makes this undefined, and the call is denied.
within(limit) if {
	well_formed(limit)
	not globs.matches(limit.tools, called)
}

within(limit) if {
	well_formed(limit)
	sum([n | some name, n in input.session.recent[limit.per]; globs.matches(limit.tools, name)]) < limit.most
}

well_formed(limit) if {
	limit.per in {"minute", "hour", "day"}
	is_number(limit.most)
	is_array(limit.tools)
	count(limit.tools) > 0
	every glob in limit.tools {
		is_string(glob)
	}
	count(object.keys(limit)) == 3
}

called := concat("/", [input.server.name, input.target.name])

reason(limit) := sprintf("These tools may be called %v times a %v, and were.", [limit.most, limit.per])
