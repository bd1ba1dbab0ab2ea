# METADATA
# title: Globs
# description: |
#   Names matched by globs. `*` stands for any characters, `/` and `.` too; capitals matter. There are no separators,
#   because engines differ in what they take for one.
package tidegate.lib.globs

import rego.v1

# METADATA
# description: Whether a name is matched by one of the globs.
matches(globs, name) if {
	some pattern in globs
	glob.match(pattern, null, name)
}
