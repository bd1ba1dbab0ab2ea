package tidegate.lib.strings_test

import rego.v1

import data.tidegate.lib.strings

test_words_however_a_name_is_put_together if {
	every name in ["delete_file", "deleteFile", "DeleteFile", "delete-file", "DELETE_FILE", "delete.file", "delete/file", "delete file"] {
		strings.words(name) == ["delete", "file"]
	}
}

test_words_around_capitals_and_digits if {
	strings.words("DBDelete2Files") == ["db", "delete2", "files"]
	strings.words("get") == ["get"]
	strings.words("") == [""]
}

test_a_name_with_other_letters_has_no_words if {
	every name in ["dеlete", "get\u200b", "ｇｅｔ", "get\n", "lİst", "\u212aill"] { strings.words(name) == [] }
}

test_readings_are_the_string_and_what_it_decodes_to if {
	strings.readings({"value": "a", "decoded": []}) == {"a"}
	strings.readings({"value": "%61", "decoded": ["a"]}) == {"%61", "a"}
}

test_readings_without_decoded_are_the_string if strings.readings({"value": "a"}) == {"a"}

test_readings_that_may_be_more_say_so if {
	strings.readings({"value": "a", "decoded": ["b", "c", "d", "e"]}) == {"a", "b", "c", "d", "e", "\u0000"}
}
