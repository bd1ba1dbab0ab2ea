# METADATA
# title: URLs
# description: |
#   URLs in texts, and the hosts in them, as the most lenient of the usual readers take them. Whoever reads a URL in more
#   than one way gets the reading that hides least. Everything here takes small letters.
package tidegate.lib.urls

import rego.v1

# METADATA
# description: |
#   The URLs in a text, each as its scheme, its slashes, and its authority: what stands between the slashes and the path.
#   `http:host` and `http:\host` are URLs too, `//host` is one at the beginning, and one URL may begin inside of another.
found(text) := {[match[1], match[2], match[3]] |
	some match in regex.find_all_string_submatch_n(marked, regex.replace(text, head, "\u0001$0"), -1)
}

# How a URL begins. One slash is enough for readers of the well-known schemes. C:\ is a drive of Windows.
head := `(?:[a-z][a-z0-9+.-]+:[/\\]|[a-z]:/|(?:https?|wss?|ftps?|gopher|file|netdoc):)[/\\]+|(?:https?|wss?|ftps?|gopher):`

marked := "(?:\u0001([a-z][a-z0-9+.-]*):|^[ \t\n\r]*[/\\\\])([/\\\\]*)([^/\\\\?# \t\n\r\"'<>|`\u0001\u000b\u000c]*)"

# METADATA
# description: The schemes of URLs in a text that have no host at all, or another URL inside.
opaque(text) := [concat("", [match[1], match[2], match[3]]) |
	some match in regex.find_all_string_submatch_n(opaque_pattern, text, -1)
]

opaque_pattern := concat("", [
	`(?:^|[^a-z0-9+.-])(?:(javascript|vbscript|view-source|jar|mhtml|blob|filesystem):[a-z/\\(]`,
	`|(file):[^ \t\n\r\f\v"'<>]*[/\\%~]|(data):[a-z0-9.+-]*(?:/[a-z0-9.+-]*)?[;,])`,
])

# METADATA
# description: What a text without a scheme begins with, if it is read as a URL, or as a host with a port.
authority(rest) := regex.find_n("^[^/\\\\?# \\t\\n\\r\\f\\v\"'<>|`]*", rest, 1)[0]

# METADATA
# description: Whether there is a user or a password before the host.
has_userinfo(authority) if contains(authority, "@")

# METADATA
# description: |
#   The host of an authority: without user, port, trailing dots, and what ends a sentence. Brackets of IPv6 addresses are
#   taken off. Ideographic dots count as dots, and characters that IDNA ignores are left out.
host(authority) := authority if {
	regex.match(`^[a-z0-9-]+(?:\.[a-z0-9-]+)*$`, authority)
} else := bracketed if {
	bracketed := regex.find_all_string_submatch_n(`^\[([^\]]*)\]`, last(authority), 1)[0][1]
} else := address if {
	address := last(authority)
	regex.match(`^[0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*(?:%.*)?$`, address)
} else := trim_right(regex.replace(mapped(last(authority)), ports, ""), endings)

ports := `:[0-9]*[.,;:!()\[\]{}*_~]*$`

endings := ".,;:!()[]{}*_~"

last(authority) := parts[count(parts) - 1] if parts := split(authority, "@")

mapped(name) := name if {
	regex.match(`^[ -~]*$`, name)
} else := regex.replace(
	replace(regex.replace(name, `[\x{3002}\x{ff0e}\x{ff61}]`, "."), "\u0130", "i"),
	`[\x{ad}\x{34f}\x{180b}-\x{180f}\x{200b}-\x{200f}\x{2060}-\x{2064}\x{feff}\x{fe00}-\x{fe0f}]`,
	"",
)

# METADATA
# description: Whether this can be a host at all.
is_host(name) if regex.match(`^[a-z0-9_.\x{80}-\x{10ffff}-]+$`, name)

is_host(name) if is_ipv6(name)

is_ipv4(name) if regex.match(`^(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{2}|[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{2}|[0-9])$`, name)

is_ipv6(name) if regex.match(`^[0-9a-f]{0,4}:[0-9a-f:]*:[0-9a-f:.]*(?:%.*)?$`, name)

# METADATA
# description: Whether this is a name that is neither local, nor has an address in it.
is_plain(name) if {
	regex.match(`^(?:[a-z0-9_-]+\.)+[a-z]{2,}$`, name)
	not regex.match(`[0-9][.-][0-9]`, name)
	not regex.match(local_names, name)
}

# METADATA
# description: |
#   Whether an address is written in a way that readers take for different addresses: as one number, in octal or hexadecimal,
#   with parts left out, or as IPv4 within IPv6.
is_unusual(name) if {
	regex.match(`(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$`, name)
	not is_usual_ipv4(name)
}

is_unusual(name) if {
	contains(name, ":")
	regex.match(`\.|%|^[0:]*:ffff:|^64:ff9b:|^2002:|^2001:0{0,4}:`, name)
}

is_usual_ipv4(name) if {
	is_ipv4(name)
	not regex.match(`(?:^|\.)0[0-9]`, name)
}

# METADATA
# description: |
#   Whether an address isn't one of the public Internet: private, shared, loopback, link-local, multicast, reserved, for
#   documentation. Of IPv6, only what is given out for unicast is public.
is_private(name) if {
	regex.match(`^[0-9.]+$`, name)
	regex.match(private_ipv4, name)
}

is_private(name) if {
	contains(name, ":")
	not regex.match(`^[23][0-9a-f]{3}:`, name)
}

is_private(name) if {
	contains(name, ":")
	regex.match(`%|^2001:0{0,4}:|^2001:0?db8:|^2002:|^3fff:`, name)
}

private_ipv4 := concat("", [
	`^(?:0|10|127|22[4-9]|2[3-5][0-9])\.|^169\.254\.|^192\.168\.|^172\.(?:1[6-9]|2[0-9]|3[01])\.`,
	`|^100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|^192\.0\.[02]\.|^198\.1[89]\.|^198\.51\.100\.|^203\.0\.113\.|^192\.88\.99\.`,
])

# METADATA
# description: Whether a name stands for a machine of the local network, or has a private address in it.
is_local(name) if regex.match(local_names, name)

is_local(name) if {
	regex.match(`[0-9][.-][0-9]`, name)
	not is_ipv4(name)
	regex.match(embedded, name)
}

local_names := concat("", [
	`(?:^|\.)(?:localhost[0-9]*|local|localdomain[0-9]*|internal|intranet|lan|home|corp|private|home\.arpa|in-addr\.arpa|ip6\.arpa`,
	`|localtest\.me|lvh\.me|vcap\.me|localho\.st|local\.gd|fuf\.me|nip\.io|sslip\.io|xip\.io|xip\.name`,
	`|rbndr\.us|1u\.ms|traefik\.me|backname\.io|ip6\.name|svc|consul)$`,
	`|^(?:ip6-(?:localhost|loopback)|broadcasthost|metadata|kubernetes|kubernetes\.default|instance-data)$`,
])

embedded := concat("", [
	`(?:^|[.-])(?:(?:0|10|127)(?:[.-][0-9]{1,3}){3}|169[.-]254(?:[.-][0-9]{1,3}){2}|192[.-]168(?:[.-][0-9]{1,3}){2}`,
	`|172[.-](?:1[6-9]|2[0-9]|3[01])(?:[.-][0-9]{1,3}){2}|100[.-](?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])(?:[.-][0-9]{1,3}){2})`,
	`(?:[.-]|$)`,
])

# METADATA
# description: |
#   Whether it is where a cloud tells its machines who they are, and gives them credentials.
is_metadata(name) if name in metadata

is_metadata(name) if regex.match(`^fd00:0?ec2:|^fd20:ce:|^fe80:.*a9fe:a9fe|^[0:]*(?:ffff:)?a9fe:(?:a9fe|aa02)$|[.-]?169[.-]254[.-]169[.-]254`, name)

metadata := {
	"100.100.100.200",
	"168.63.129.16",
	"169.254.0.23",
	"169.254.10.10",
	"169.254.169.123",
	"169.254.169.249",
	"169.254.169.253",
	"169.254.169.254",
	"169.254.170.2",
	"169.254.170.23",
	"169.254.42.42",
	"192.0.0.192",
	"instance-data",
	"instance-data.ec2.internal",
	"kubernetes.default.svc",
	"metadata",
	"metadata.azure.internal",
	"metadata.google.internal",
	"metadata.goog",
	"metadata.oraclecloud.com",
	"metadata.tencentyun.com",
	"metadata.nicecloud.com",
}
