package tidegate.packs.hours_test

import rego.v1

import data.tidegate.packs.hours

_at(tool, weekday, hour, minute) := {
	"v": 1,
	"phase": "request",
	"direction": "client_to_server",
	"method": "tools/call",
	"server": {"name": "files", "kind": "process", "trust": "low", "labels": []},
	"target": {"kind": "tool", "name": tool},
	"time": {"unix_ns": 0, "weekday": weekday, "hour": hour, "minute": minute},
}

_rules(message, changed) := {told.rule |
	settings := object.union(hours.defaults, changed)
	some told in hours.decision.deny with input as message with data.hours as settings
}

_workdays := ["monday", "tuesday", "wednesday", "thursday", "friday"]

_office := {"tools": ["files/*"], "days": _workdays, "from": "08:00", "to": "18:00"}

_night := {"tools": ["files/*"], "days": ["friday"], "from": "22:30", "to": "06:15"}

_office_at(weekday, hour, minute) := _rules(_at("read_file", weekday, hour, minute), {"windows": [_office]})

_night_at(weekday, hour, minute) := _rules(_at("read_file", weekday, hour, minute), {"windows": [_night]})

_written(changed) := _rules(
	_at("read_file", "monday", 12, 0),
	{"others": "allow", "windows": [object.union(_office, changed)]},
)

_closed := {"hours/closed"}

_unnamed := {"hours/unnamed"}

_settings := {"hours/settings"}

test_a_call_within_the_hours_passes if _office_at("monday", 12, 30) == set()

test_the_first_minute_is_within if _office_at("friday", 8, 0) == set()

test_the_last_minute_is_within if _office_at("friday", 17, 59) == set()

test_the_evening_of_a_night_is_within if _night_at("friday", 22, 30) == set()

test_the_morning_after_is_within if _night_at("saturday", 6, 14) == set()

test_midnight_is_within if _night_at("saturday", 0, 0) == set()

test_a_whole_day if {
	window := object.union(_office, {"days": ["sunday"], "from": "00:00", "to": "24:00"})
	_rules(_at("read_file", "sunday", 0, 0), {"windows": [window]}) == set()
	_rules(_at("read_file", "sunday", 23, 59), {"windows": [window]}) == set()
	_rules(_at("read_file", "monday", 0, 0), {"windows": [window]}) == _closed
}

test_one_of_several_windows_is_enough if {
	later := object.union(_office, {"from": "20:00", "to": "21:00"})
	_rules(_at("read_file", "monday", 20, 1), {"windows": [_office, later]}) == set()
	_rules(_at("read_file", "monday", 19, 0), {"windows": [_office, later]}) == _closed
}

test_other_tools_pass_where_the_settings_say_so if {
	_rules(_at("x", "sunday", 3, 0), {"others": "allow", "windows": [object.union(_office, {"tools": ["mail/*"]})]}) == set()
}

test_each_tool_has_its_own_hours if {
	writing := {"tools": ["files/write_*"], "days": ["monday"], "from": "09:00", "to": "10:00"}
	reading := {"tools": ["files/read_*", "files/list_*"], "days": _workdays, "from": "00:00", "to": "24:00"}
	_rules(_at("read_file", "monday", 3, 0), {"windows": [writing, reading]}) == set()
	_rules(_at("list_directory", "monday", 3, 0), {"windows": [writing, reading]}) == set()
	_rules(_at("write_file", "monday", 3, 0), {"windows": [writing, reading]}) == _closed
	_rules(_at("write_file", "monday", 9, 30), {"windows": [writing, reading]}) == set()
}

test_bypass_a_minute_early if _office_at("monday", 7, 59) == _closed

test_bypass_the_minute_it_ends if _office_at("monday", 18, 0) == _closed

test_bypass_hour_of_one_digit if _office_at("monday", 9, 0) == set()

test_bypass_hour_of_one_digit_too_early if _office_at("monday", 1, 59) == _closed

test_bypass_minute_of_one_digit if {
	window := object.union(_office, {"from": "08:30"})
	_rules(_at("read_file", "monday", 8, 4), {"windows": [window]}) == _closed
}

test_bypass_saturday if _office_at("saturday", 12, 0) == _closed

test_bypass_sunday if _office_at("sunday", 12, 0) == _closed

test_bypass_unknown_weekday if _office_at("someday", 12, 0) == _closed

test_bypass_weekday_in_capitals if _office_at("Monday", 12, 0) == _closed

test_bypass_a_minute_before_the_night if _night_at("friday", 22, 29) == _closed

test_bypass_the_minute_the_night_ends if _night_at("saturday", 6, 15) == _closed

test_bypass_the_morning_before_the_night if _night_at("friday", 3, 0) == _closed

test_bypass_the_evening_after_the_night if _night_at("saturday", 23, 0) == _closed

test_bypass_noon_of_a_night if _night_at("friday", 12, 0) == _closed

test_bypass_sunday_night_into_monday if {
	window := object.union(_night, {"days": ["sunday"]})
	_rules(_at("read_file", "monday", 1, 0), {"windows": [window]}) == set()
	_rules(_at("read_file", "sunday", 1, 0), {"windows": [window]}) == _closed
}

test_bypass_tool_without_hours if _rules(_at("x", "monday", 12, 0), {"windows": [object.union(_office, {"tools": ["mail/*"]})]}) == _unnamed

test_bypass_no_windows_at_all if _rules(_at("x", "monday", 12, 0), {}) == _unnamed

test_bypass_window_without_tools if {
	_rules(_at("x", "monday", 12, 0), {"windows": [object.union(_office, {"tools": []})]}) == _unnamed
}

test_bypass_window_without_days if _rules(_at("x", "monday", 12, 0), {"windows": [object.union(_office, {"days": []})]}) == _closed

test_bypass_misspelt_others if _rules(_at("x", "monday", 12, 0), {"others": "Allow"}) == _unnamed

test_bypass_server_of_another_name if {
	_rules(_at("x", "monday", 12, 0), {"windows": [object.union(_office, {"tools": ["file/*"]})]}) == _unnamed
}

test_bypass_glob_does_not_ignore_capitals if {
	_rules(_at("READ_FILE", "monday", 12, 0), {"windows": [object.union(_office, {"tools": ["files/read_*"]})]}) == _unnamed
}

test_bypass_glob_covers_whole_names if {
	_rules(_at("read_file_and_more", "monday", 12, 0), {"windows": [object.union(_office, {"tools": ["files/read_file"]})]}) == _unnamed
}

test_bypass_server_name_in_the_tool_name if {
	_rules(_at("mail/x", "monday", 12, 0), {"windows": [object.union(_office, {"tools": ["mail/*"]})]}) == _unnamed
}

test_bypass_line_feed_in_the_tool_name if {
	_rules(_at("read_file\n", "monday", 12, 0), {"windows": [object.union(_office, {"tools": ["files/read_file"]})]}) == _unnamed
}

test_bypass_hour_missing if {
	message := object.remove(_at("read_file", "monday", 12, 0), ["time"])
	_rules(message, {"windows": [_office]}) == _closed
}

test_bypass_hour_missing_at_night if {
	message := object.remove(_at("read_file", "friday", 23, 0), ["time"])
	_rules(message, {"windows": [_night]}) == _closed
}

test_bypass_settings_with_one_digit if "hours/settings" in _written({"from": "8:00"})

test_bypass_settings_with_a_wrong_hour if "hours/settings" in _written({"to": "25:00"})

test_bypass_settings_with_a_wrong_minute if _written({"to": "18:60"}) == _settings

test_bypass_settings_with_midnight_at_the_beginning if "hours/settings" in _written({"from": "24:00"})

test_bypass_settings_with_am_and_pm if "hours/settings" in _written({"to": "6 pm"})

test_bypass_settings_that_begin_when_they_end if {
	_written({"from": "08:00", "to": "08:00"}) == _closed
	_written({"from": "12:00", "to": "12:00"}) == _closed
}

test_globs_of_all_kinds_can_be_written if {
	_written({"tools": ["files/*", "a\"b\\c/<é>&"]}) == set()
}

test_bypass_settings_with_a_misspelt_day if "hours/settings" in _written({"days": ["Monday"]})

test_bypass_settings_with_a_day_that_is_no_list if "hours/settings" in _written({"days": "monday"})

test_bypass_settings_with_tools_that_are_no_list if "hours/settings" in _written({"tools": "files/*"})

test_bypass_settings_with_a_misspelt_member if "hours/settings" in _written({"day": ["monday"]})

test_bypass_settings_with_a_member_too_few if {
	window := object.remove(_office, ["days"])
	"hours/settings" in _rules(_at("read_file", "monday", 12, 0), {"windows": [window], "others": "allow"})
}

test_bypass_settings_without_tools_beside_good_ones if {
	window := object.remove(_office, ["tools"])
	"hours/settings" in _rules(_at("read_file", "monday", 12, 0), {"windows": [window, _office], "others": "allow"})
}

test_bypass_settings_with_a_window_that_is_a_text if {
	"hours/settings" in _rules(_at("read_file", "monday", 12, 0), {"windows": ["files/* 08:00-18:00"]})
}

test_bypass_settings_with_hours_that_are_numbers if "hours/settings" in _written({"from": 8, "to": 18})
