# METADATA
# title: Hours
# description: Tools may be called on the weekdays and at the hours that the settings name, and at no other time.
package tidegate.packs.hours

import rego.v1

defaults := {
	"windows": [],
	"others": "deny",
}

applies := {"phases": ["request"], "methods": ["tools/call"]}

decision := {"deny": deny}

deny contains {"rule": "hours/closed", "reason": "This tool may not be called at this time."} if {
	count(_windows) > 0
	not _open
}

deny contains {"rule": "hours/unnamed", "reason": "The settings name no hours for this tool."} if {
	data.hours.others != "allow"
	count(_windows) == 0
}

# A window that can't be read opens nothing and closes everything: whose it is can't be known.
deny contains {"rule": "hours/settings", "reason": "A window of hours in the settings is not written as it has to be."} if {
	not regex.match(_written, json.marshal(data.hours.windows))
}

# All windows at once, with their members in the order of the alphabet.
_written := concat("", [
	`^\[(?:\{"days":\[(?:"(?:mon|tues|wednes|thurs|fri|satur|sun)day",?)*\],`,
	`"from":"(?:[01][0-9]|2[0-3]):[0-5][0-9]",`,
	`"to":"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)",`,
	`"tools":\[(?:"(?:[^"\\]|\\.)*",?)*\]\},?)*\]$`,
])

# The windows that are for this tool.
_windows := [window |
	some window in data.hours.windows
	is_array(window.tools)
	some pattern in window.tools
	glob.match(pattern, null, _name)
]

_name := concat("/", [input.server.name, input.target.name])

# Two digits each, so that times compare as texts do.
_now := sprintf("%02d:%02d", [input.time.hour, input.time.minute])

_open if {
	some window in _windows
	_within(window)
}

_within(window) if {
	window.from < window.to
	input.time.weekday in window.days
	_now >= window.from
	_now < window.to
}

# Over midnight: the evening of a day that is named, and the morning after it.
_within(window) if {
	window.from > window.to
	input.time.weekday in window.days
	_now >= window.from
}

_within(window) if {
	window.from > window.to
	_before[input.time.weekday] in window.days
	_now < window.to
}

_before := {
	"monday": "sunday", "tuesday": "monday", "wednesday": "tuesday", "thursday": "wednesday",
	"friday": "thursday", "saturday": "friday", "sunday": "saturday",
}
