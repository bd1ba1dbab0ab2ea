# METADATA
# title: Egress
# description: |
#   Where servers may be sent: URLs in arguments and in resources' URIs, by scheme and by host. Addresses and names of the
#   local network, and of a cloud's metadata, are out of bounds, however they are written.
package tidegate.packs.egress

import data.tidegate.lib.globs
import data.tidegate.lib.urls
import rego.v1

# METADATA
# description: |
#   schemes: those that URLs may have. allow: globs of hosts; if there are any, no other host may be named. deny: globs of
#   hosts. most: how many URLs one message may have. private: "deny" or "allow". trusted: globs of hosts that may be private. userinfo: "deny" or "allow".
#   members: members, besides those that are called like a URL or a host, whose value is one without its scheme. texts:
#   members that are text, which servers store and don't follow; in these only `allow`, `deny` and metadata count.
defaults := {
	"schemes": ["http", "https"],
	"allow": [],
	"deny": [],
	"private": "deny",
	"trusted": [],
	"userinfo": "deny",
	"most": 50,
	"members": [],
	"texts": [
		"body",
		"code",
		"comment",
		"content",
		"contents",
		"description",
		"diff",
		"file_text",
		"message",
		"new_str",
		"new_string",
		"newtext",
		"observations",
		"old_str",
		"old_string",
		"oldtext",
		"patch",
		"sql",
		"summary",
		"title",
	],
}

applies := {"phases": ["request", "notification"]}

# Most messages have no URL, no host and no address, which one search of all strings tells, as they stand in JSON. It looks
# for nothing but literals, for which engines are fastest. Of the others, most have a URL that no rule is about.
decision := {} if {
	[pointer | some pointer in input.cut; startswith(pointer, "/params")] == []
	data.egress.members == []
	text := lower(replace(json.marshal(input.params.strings), "\u0130", "i"))
	not regex.match(`:/|:\\|//|/\\|\\\\\\\\|\\/|\\t|\\r|\\n|http:|https:|ws:|wss:|ftp:|ftps:|gopher:|script:|source:|jar:|mhtml:|blob:|system:|file:|data:|169\.254|100\.100\.100|168\.63\.|192\.0\.0\.192|metadata|instance-data|fd00:`, text)
	not regex.match(`url"|urls"|uri"|uris"|href"|hrefs"|host"|hosts"|hostname"|hostnames"|host_name"|endpoint"|endpoints"|domain"|domains"|webhook"|webhooks"|proxy"|proxies"|callback"|origin"|addr"|address"|addresses"|site"|website"|link"|links"|-ip"|_ip"|"ip"|ips"|url/|urls/|uri/|uris/|href/|hrefs/|host/|hosts/|hostname/|hostnames/|host_name/|endpoint/|endpoints/|domain/|domains/|webhook/|webhooks/|proxy/|proxies/|callback/|origin/|addr/|address/|addresses/|site/|website/|link/|links/|-ip/|_ip/|/ip/|ips/`, text)
} else := {} if {
	input.direction == "server_to_client"
} else := {} if {
	input.method == "initialize"
} else := {} if {
	harmless
} else := {"deny": many} if {
	count(many) > 0
} else := {"deny": deny} if {
	count(deny) > 0
} else := {}

in_urls := `:/|:\\|//|/\\|\\\\\\\\|\\/|\\t|\\r|\\n|http:|https:|ws:|wss:|ftp:|ftps:|gopher:|script:|source:|jar:|mhtml:|blob:|system:|file:|data:|169\.254|100\.100\.100|168\.63\.|192\.0\.0\.192|metadata|instance-data|fd00:`

below_names := `url/|urls/|uri/|uris/|href/|hrefs/|host/|hosts/|hostname/|hostnames/|host_name/|endpoint/|endpoints/|domain/|domains/|webhook/|webhooks/|proxy/|proxies/|callback/|origin/|addr/|address/|addresses/|site/|website/|link/|links/|-ip/|_ip/|/ip/|ips/`

# Nothing is left when URLs of ordinary public names are taken out, and what is to be a host is one of these.
harmless if {
	[pointer | some pointer in input.cut; startswith(pointer, "/params")] == []
	data.egress.members == []
	data.egress.allow == []
	data.egress.deny == []
	data.egress.schemes == ["http", "https"]
	text := lower(replace(json.marshal(input.params.strings), "\u0130", "i"))
	not regex.match(`"decoded":\["|metadata`, text)
	left := regex.replace(text, `["( ]https?://(?:[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*\.)+(?:com|org|net|edu|gov|dev|app|ai|de|uk|eu|fr|ch|nl|jp)[/"]`, "")
	not regex.match(in_urls, replace(left, `\n`, " "))
	not regex.match(below_names, left)
	not regex.match(`\\n[a-z0-9+.-]{0,9}:[^ \\]`, left)
	not regex.match(`[0-9]{8}|[0-9]e`, json.marshal(input.arguments))
	[1 |
		some member in input.params.strings
		not member.is_key
		not regex.match(`^https?://`, member.value)
		regex.match(`(?:url|uri|href|host|hostname|host_name|endpoint|domain|webhook)s?$|[/_-](?:ip|ips|addr|address|addresses|proxy|proxies|origin|callback|link|links|site|website)$`, lower(replace(member.pointer, "\u0130", "i")))
	] == []
}

# METADATA
# title: egress/scheme
# description: A URL has a scheme that isn't one of `schemes`. Resources may have schemes of their own.
deny contains {"rule": "egress/scheme", "reason": "A URL has a scheme that isn't allowed."} if {
	some place in places
	place.strict
	place.scheme != ""
	not place.scheme in data.egress.schemes
	not own_scheme(place)
}

# METADATA
# title: egress/host
# description: A host is on `deny`, or not on `allow`.
deny contains {"rule": "egress/host", "reason": "A URL leads to a host that is denied."} if {
	data.egress.deny != []
	some place in hosts
	place.listed
	globs.matches(data.egress.deny, place.host)
}

deny contains {"rule": "egress/host", "reason": "A URL leads to a host that isn't among those allowed."} if {
	data.egress.allow != []
	some place in hosts
	place.listed
	not globs.matches(data.egress.allow, place.host)
}

# METADATA
# title: egress/private
# description: A host is an address or a name of the local network, or not one of the public Internet.
deny contains {"rule": "egress/private", "reason": "A URL leads to the local network."} if {
	data.egress.private != "allow"
	some place in odd
	not_public(place)
	not globs.matches(data.egress.trusted, place.host)
}

# METADATA
# title: egress/metadata
# description: A host is the metadata service of a cloud, or a text names one.
deny contains {"rule": "egress/metadata", "reason": "A URL leads to the metadata of a cloud."} if {
	some place in hosts
	urls.is_metadata(place.host)
}

deny contains {"rule": "egress/metadata", "reason": "The metadata of a cloud are named."} if {
	some item in readings
	regex.match(named_metadata, item.reading)
}

# METADATA
# title: egress/notation
# description: "An address is written in a way that readers disagree on: a number, octal, hexadecimal, parts left out."
deny contains {"rule": "egress/notation", "reason": "A URL has an address in an unusual notation."} if {
	some place in odd
	urls.is_unusual(place.host)
	not is_small_number(place)
}

deny contains {"rule": "egress/notation", "reason": "A host is given as a number."} if {
	some name, number in input.arguments
	is_number(number)
	number > 16777215
	regex.match(`(?:url|uri|host|hostname|addr|address|["_]ip|^ip)$`, lower(replace(name, "\u0130", "i")))
}

# METADATA
# title: egress/unreadable
# description: What should be a host can't be one, so that it can't be told what a reader makes of it.
deny contains {"rule": "egress/unreadable", "reason": "A URL has a host that can't be read."} if {
	some place in odd
	not urls.is_host(place.host)
}

# METADATA
# title: egress/userinfo
# description: A URL has a user or a password, which may look like its host, or something that looks like one.
deny contains {"rule": "egress/userinfo", "reason": "A URL has a user or a password before its host."} if {
	data.egress.userinfo != "allow"
	some place in places
	place.strict
	place.listed
	place.kind == "url"
	urls.has_userinfo(place.authority)
}

deny contains {"rule": "egress/userinfo", "reason": "A URL can be read in two ways, with two hosts."} if {
	some item in readings
	item.strict
	regex.match(`(?:[a-z]{2}:|^)[/\\]+[^/ \t"'<>]*[\\?#][^/ \t"'<>=&]*@`, item.reading)
}

deny contains {"rule": "egress/userinfo", "reason": "A URL can be read in two ways, with two hosts."} if {
	some item in readings
	item.strict
	regex.match("^[ \t\n\r]*(?:[a-z][a-z0-9+.-]*:)?[/\\\\]{2,}[^/\\\\?#]*[ \"'<>|`][^/\\\\?#]*@", item.reading)
}

# METADATA
# title: egress/many
# description: |
#   A message has more different URLs than are judged in one message; those of ordinary public names count only if there are
#   lists of hosts. Nothing else is asked then.
many contains {"rule": "egress/many", "reason": "There are too many different URLs in this to judge them all."} if {
	count({url |
		some item in readings
		item.followed
		some url in urls.found(item.reading)
		not is_passed(url[2])
	}) > data.egress.most
}

is_passed(authority) if {
	data.egress.allow == []
	data.egress.deny == []
	regex.match(`^(?:[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*\.)+(?:com|org|net|edu|gov|dev|app|ai|de|uk|eu|fr|ch|nl|jp)$`, authority)
}

# METADATA
# title: egress/unseen
# description: A string that isn't a text is too long to be seen whole.
deny contains {"rule": "egress/unseen", "reason": "An argument is too long to be searched for URLs."} if {
	some pointer in input.cut
	startswith(pointer, "/params")
	not regex.match(textual, lower(replace(pointer, "\u0130", "i")))
}

hosts := array.concat(
	[place | some place in linked; place.host != ""; not no_host(place)],
	[place | some place in bare; place.host != ""],
)

# Those that aren't plainly public names; most of the rules are about these alone.
odd := [place |
	some place in hosts
	place.strict
	not urls.is_plain(place.host)
]

places := array.concat(array.concat(linked, opaque), bare)

# In texts that aren't followed, hosts matter to `allow` and `deny` only.
linked := [{
	"scheme": url[0],
	"head": url[1],
	"authority": url[2],
	"host": urls.host(url[2]),
	"kind": "url",
	"strict": item.strict,
	"listed": item.whole,
	"pointer": item.pointer,
} |
	some item in readings
	item.followed
	some url in urls.found(item.reading)
	url != ["", "", ""]
	not is_path(url)
	not is_comment(url, item.strict)
]

# One slash at the beginning of a text begins a path.
is_path(url) if {
	url[0] == ""
	url[1] == ""
}

# Two of them in a text are more often a comment.
is_comment(url, false) if url[0] == ""

opaque := [{
	"scheme": scheme,
	"head": "",
	"authority": "",
	"host": "",
	"kind": "opaque",
	"strict": item.strict,
	"listed": false,
	"pointer": item.pointer,
} |
	some item in readings
	some scheme in urls.opaque(item.reading)
]

# Members whose name says that there is a URL or a host in them, and what is below these.
bare := [{
	"scheme": bare_scheme(text),
	"head": "",
	"authority": text,
	"host": bare_host(text),
	"kind": "bare",
	"strict": true,
	"listed": contains(text, "."),
	"pointer": place.pointer,
} |
	some place in input.params.strings
	regex.match(host_members, lower(replace(place.pointer, "\u0130", "i")))
	not own_name(place)
	not regex.match(textual, lower(replace(place.pointer, "\u0130", "i")))
	not is_resource(place.pointer)
	not startswith(place.pointer, "/params/_meta/io.modelcontextprotocol")
	some given in array.concat([place.value], place.decoded)
	text := trim(regex.replace(lower(replace(given, "\u0130", "i")), `[\t\n\r]`, ""), " \u0000")
	regex.match(`^[^ /\\.#?][^ ]*$`, text)
	not regex.match(`^[a-z][a-z0-9+.-]*:[/\\]`, text)
]

host_members := concat("", [
	`(?:url|uri|href|host|hostname|host_name|endpoint|domain|webhook)s?(?:/|$)`,
	`|[/_-](?:ip|ips|addr|address|addresses|proxy|proxies|origin|callback|link|links|site|website`,
	concat("|", array.concat([""], data.egress.members)),
	`)(?:/|$)`,
])

own_name(text) if {
	text.is_key
	not regex.match(host_members, regex.replace(lower(replace(text.pointer, "\u0130", "i")), `/[^/]*$`, ""))
}

# `localhost:8080` is a host with a port, `fe80::1` an address, and `urn:example` has a scheme.
bare_scheme(text) := "" if {
	not contains(text, ":")
} else := scheme if {
	scheme := regex.find_all_string_submatch_n(`^([a-z][a-z0-9+.-]+):`, text, 1)[0][1]
	not regex.match(`^[^:]*:[0-9]*(?:$|[/\\?#])`, text)
	not urls.is_ipv6(urls.host(urls.authority(text)))
} else := ""

# As in user@host:folder, too.
bare_host(text) := text if {
	regex.match(`^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$`, text)
} else := host if {
	host := urls.host(urls.authority(text))
	urls.is_host(host)
} else := host if {
	host := urls.host(split(urls.last(urls.authority(text)), ":")[0])
	urls.is_host(host)
} else := ""

not_public(place) if urls.is_private(place.host)

not_public(place) if urls.is_local(place.host)

# A name without a dot is one of the local network.
not_public(place) if {
	place.kind == "url"
	place.scheme != ""
	regex.match(`^[a-z_][a-z0-9_-]*$`, place.host)
}

# file:///data has no host, and what follows a server's own scheme isn't one.
no_host(place) if {
	place.scheme == "file"
	not place.head in {"//", `\\`}
}

no_host(place) if own_scheme(place)

own_scheme(place) if {
	is_resource(place.pointer)
	not place.scheme in network_schemes
}

# The roots that a client tells a server of are files.
own_scheme(place) if {
	place.scheme == "file"
	regex.match(`^/params/inputResponses/.*/uri$`, place.pointer)
}

is_resource(pointer) if {
	pointer in {"/params/uri", "/params/ref/uri"}
	input.method in {"resources/read", "resources/subscribe", "resources/unsubscribe", "completion/complete"}
}

is_resource(pointer) if {
	input.method == "subscriptions/listen"
	contains(pointer, "/resourceSubscriptions/")
}

network_schemes := {
	"", "dict", "ftp", "ftps", "gopher", "http", "https", "imap", "imaps", "javascript", "jar", "ldap", "ldaps", "netdoc",
	"pop3", "rtsp", "scp", "sftp", "smb", "smtp", "ssh", "telnet", "tftp", "view-source", "ws", "wss",
}

# The number of something, rather than an address: what is below 2^24 would be an address that nothing has.
is_small_number(place) if {
	place.kind == "bare"
	regex.match(`^[1-9][0-9]{0,6}$`, place.host)
}

named_metadata := concat("", [
	`(?:^|[^0-9.])(?:169\.254\.169\.25[34]|169\.254\.170\.23?|100\.100\.100\.200|168\.63\.129\.16|192\.0\.0\.192)(?:\.?[^0-9.]|\.?$)`,
	`|(?:^|[^a-z0-9.-])(?:metadata\.google\.internal|metadata\.goog|metadata\.azure\.internal|instance-data\.ec2\.internal)`,
	`|fd00:0?ec2:(?::|0:0:0:0:0:)0{0,3}2?254`,
])

# What is read: each string that may have a URL in it, and each other reading of it, in small letters. Where there are tabs
# or new lines, also without them, as readers of URLs leave them out.
readings := [{
	"reading": reading.text,
	"whole": reading.whole,
	"strict": strictly,
	"followed": is_followed(strictly),
	"pointer": text.pointer,
} |
	some text in input.params.strings
	regex.match(`:|[/\\][/\\\t\n\r]|[0-9]\.[0-9]|metadata|instance-data|[^ -~]|%|\\|&`, lower(replace(text.value, "\u0130", "i")))
	not startswith(text.pointer, "/params/_meta/io.modelcontextprotocol")
	some given in array.concat([text.value], text.decoded)
	some reading in variants(lower(replace(given, "\u0130", "i")))
	strictly := strict(text.pointer, reading.text)
]

is_followed(strictly) if {
	strictly
} else if {
	count(data.egress.allow) + count(data.egress.deny) > 0
} else := false

variants(text) := [{"text": text, "whole": true}] if {
	not regex.match(`[\t\n\r]`, text)
} else := [
	{"text": text, "whole": true},
	{"text": regex.replace(text, `[\t\n\r]`, ""), "whole": regex.match(`^[^ ]*$`, text)},
]

# Texts aren't followed, unless they are nothing but a URL.
strict(pointer, text) if {
	regex.match(text_members, lower(replace(pointer, "\u0130", "i")))
	regex.match(`^[ \t\n\r]*[a-z][a-z0-9+.-]*:[^ \t\n\r]*[ \t\n\r]*$`, text)
} else := false if {
	regex.match(textual, lower(replace(pointer, "\u0130", "i")))
} else := true

text_members := concat("", [`/(?:`, concat("|", array.concat(["~"], data.egress.texts)), `)(?:/[0-9]+)*$`])

# JSON in a text is a text too.
textual := concat("", [`/(?:`, concat("|", array.concat(["~"], data.egress.texts)), `)(?:/[0-9]+)*(?:/~2(?:/.*)?)?$`])
