# METADATA
# title: Strings
# description: What the packs ask of names and of the strings of a message.
package tidegate.lib.strings

import rego.v1

# Constants are written where they are used: to refer to one of another package costs as much as a small rule.

# The words of a name in small letters, however it is put together: delete_file, deleteFile, DBDelete, delete-file. A
# name with letters that may only look like others has no words.
words(name) := split(name, "_") if {
	trim_left(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
} else := split(regex.replace(lower(_parted(name)), `[-./: ]`, "_"), "_") if {
	trim_left(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./: ") == ""
} else := []

_parted(name) := regex.replace(
	regex.replace(name, `([a-z0-9])([A-Z])`, "${1}_${2}"),
	`([A-Z])([A-Z][a-z])`, "${1}_${2}",
)

# Every way in which one string of the input may be read: as it is, and decoded. Where there may be more ways than the input
# has room for, one is a text that nothing takes for anything.
readings(entry) := {entry.value} if {
	entry.decoded == []
} else := ({entry.value} | {reading | some reading in entry.decoded}) | {"\u0000" | count(entry.decoded) > 3}
