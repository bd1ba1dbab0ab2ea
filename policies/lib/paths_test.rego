package tidegate.lib.paths_test

import rego.v1

import data.tidegate.lib.paths

test_tidy_paths if {
	every given, tidy in {
		"/a/b/": "/a/b", "/a//b/./c": "/a/b/c", `\a\b`: "/a/b", " /a ": "/a", "/": "/", "///": "/", "a/b": "a/b",
		"//server/share": "//server/share", `\\server\share\`: "//server/share", "file:///a": "/a", "file:/a": "/a",
		"FILE://localhost/a": "/a", "file://server/a": "//server/a", "file:a": "/a", "file:///C:/a": "C:/a", "C:\\a": "C:/a",
		"jar:file:/a": "/a",
	} {
		paths.tidy(given) == tidy
	}
}

test_under_a_root if {
	paths.under("/a/b", "/a")
	paths.under("/a", "/a")
	paths.under("/a", "/")
	paths.under("//s/t/u", "//s/t")
}

test_not_under_a_root if {
	not paths.under("/ab", "/a")
	not paths.under("/", "/a")
	not paths.under("//s/t", "/")
	not paths.under("a", "/a")
}

test_shapes if {
	every text in ["/a", `\a`, "~", "~a/b", ".", "./a", "..", "a/../b", "C:/", "file:a", "$A/b", "%ABC%/b", "@/a", "--a=/b", " /a"] {
		paths.shaped(text)
	}
	every text in ["a", "a/b", "", "1.5", "a..b", "~ 5", "$5", "https://a/b", "50%", "-a", "@a", "x=/a", "10:30"] {
		not paths.shaped(text)
	}
}
