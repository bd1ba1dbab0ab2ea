# METADATA
# title: Paths
# description: What a text says of files, without looking at any file system.
package tidegate.lib.paths

import rego.v1

# Characters that mean the same to every reader of paths. What has others is looked at closely.
simple(path) if {
	trim_left(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+") == ""
	not contains(path, "//")
	not startswith(path, "-")
}

# Whether a text looks like a path, wherever it stands. It may begin with blanks, with @ or as an option; then come a slash, a
# home, one or two dots, a drive, a file's scheme, or a variable. Or a segment leads up.
shaped(text) if regex.match(
	`^[ \t\r\n]*(?:@|--?[A-Za-z][A-Za-z0-9_-]*=)?(?:[/\\]|~[A-Za-z0-9_.-]*(?:[/\\\x00]|[ \t\r\n]*$)|\.\.?(?:[/\\\x00]|[ \t\r\n]*$)|[A-Za-z]:(?:[/\\]|\.\.|$)|(?:[A-Za-z][A-Za-z0-9+.-]*:)*[Ff][Ii][Ll][Ee]:|\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z0-9_]+\})[/\\]|%[A-Za-z_][A-Za-z0-9_()]{2,}%[/\\])|(?:^|[/\\])\.\.[ \t\r\n]*(?:[/\\\x00]|$)`,
	text,
)

# The path in an option (--file=/a) or in what names a file to read from (@/a).
bare(text) := regex.replace(text, `^[ \t\r\n]*(?:@|--?[A-Za-z][A-Za-z0-9_-]*=)`, "") if {
	strings.any_prefix_match(trim_space(text), ["@", "-"])
} else := text

# A segment that leads up, also to readers that drop dots and spaces around it.
climbs(path) if {
	contains(path, "..")
	regex.match(`(?:^|^[A-Za-z]:|[/\\])[. \t\r\n]*\.\.[. \t\r\n]*(?:[/\\\x00]|$)`, path)
}

# In this order: control characters, letters that look like / or dots; what was encoded more often than it was decoded;
# options, homes, variables and commands; several paths in one, or a scheme; segments of spaces; a drive's own folder.
_unclear := concat("", [
	`[\x00-\x1f\x7f]`,
	`|[\x{2024}\x{2025}\x{2044}\x{2215}\x{2216}\x{29f5}\x{29f8}\x{29f9}\x{fe52}\x{fe68}\x{ff0e}\x{ff0f}\x{ff3c}]`,
	`|%(?:25){3}|%[uU][0-9A-Fa-f]{4}`,
	`|^[-$~|\x60]|^%[A-Za-z_][A-Za-z0-9_()]{2,}%`,
	`|[,;:| ]~?[/\\]|[,;:| ][A-Za-z]:[/\\]`,
	`|[/\\] [ .]*[/\\]|[/\\]\.+ [ .]*[/\\]`,
	`|^[A-Za-z]:(?:[^/\\]|$)`,
])

# Whether readers may differ in what file a path means. The path is without scheme and drive.
unclear(path) if {
	not simple(path)
	regex.match(_unclear, path)
}

# A path with one kind of slash, none of them doubled but a first one, without a file's scheme, and without its end.
tidy(path) := trim_right(path, "/") if {
	simple(path)
	not contains(path, "/./")
	path != "/"
} else := tidied if {
	tidied := _tidy(_local(replace(trim_space(path), `\`, "/")))
	tidied != ""
} else := "/"

_local(path) := regex.replace(
	regex.replace(
		regex.replace(path, `^(?:[A-Za-z][A-Za-z0-9+.-]*:)*[Ff][Ii][Ll][Ee]:(//(?:[Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt])?/|/)?`, "/"),
		`^/([A-Za-z]:/)`, "${1}",
	),
	`^/([A-Za-z]:)$`, "${1}/",
) if {
	contains(path, ":")
} else := path

_tidy(path) := concat("", ["/", trim_right(regex.replace(path, `/(?:\.?/)+`, "/"), "/")]) if {
	startswith(path, "//")
} else := trim_right(regex.replace(path, `/(?:\.?/)+`, "/"), "/")

absolute(path) if {
	startswith(path, "/")
} else if {
	drive(path)
}

drive(path) if {
	contains(path, ":")
	regex.match(`^[A-Za-z]:(?:/|$)`, path)
}

# How else a path may be meant where names may have backslashes in them, or end with a blank: those are letters then.
otherwise(path) := {tidy(replace(path, `\`, "_")) | contains(path, `\`); _rooted(path)} | {tidy(concat("", [trim_space(path), "_"])) | trim_space(path) != path}

_rooted(path) if {
	tidied := tidy(path)
	startswith(tidied, "/")
	not startswith(tidied, "//")
}

# Whether a tidy path is a tidy root or below it.
under(path, root) if path == root

under(path, root) if {
	root == "/"
	startswith(path, "/")
	not startswith(path, "//")
}

under(path, root) if {
	startswith(path, root)
	startswith(trim_prefix(path, root), "/")
	_shared(path) == _shared(root)
}

# Two slashes at the beginning are a machine of its own on some systems.
_shared(path) if startswith(path, "//")

else := false

# Links that every Linux has, which lead out of any folder.
_link := concat("", [
	`(?:^|/)proc/(?:[0-9]+|self|thread-self)/(?:task/[0-9]+/)?(?:root|cwd|exe|fd|fdinfo|map_files|mem|environ|ns)(?:/|$)`,
	`|(?:^|/)dev/(?:fd|stdin|stdout|stderr|tcp|udp)(?:/|$)`,
])

linked(path) if {
	contains(path, "proc/")
	regex.match(_link, path)
}

linked(path) if {
	contains(path, "dev/")
	regex.match(_link, path)
}
