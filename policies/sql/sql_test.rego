package tidegate.packs.sql_test

import rego.v1

import data.tidegate.packs.sql

_call(arguments, entries, cut) := {
	"v": 1,
	"phase": "request",
	"direction": "client_to_server",
	"method": "tools/call",
	"server": {"name": "db", "kind": "process", "trust": "low", "labels": []},
	"target": {"kind": "tool", "name": "read_query"},
	"arguments": arguments,
	"params": {"strings": array.concat(
		[{"pointer": "/params/name", "key": "name", "value": "read_query", "decoded": []}],
		entries,
	)},
	"cut": cut,
}

_entry(pointer, key, value, decoded) := {
	"pointer": concat("", ["/params/arguments/", pointer]),
	"key": key,
	"value": value,
	"decoded": decoded,
}

_told(message, changed) := {told.rule |
	settings := object.union(sql.defaults, changed)
	some told in sql.decision.deny with input as message with data.sql as settings
}

_flat(arguments) := _call(arguments, [_entry(key, key, value, []) | some key, value in arguments; is_string(value)], [])

_rules(text) := _told(_flat({"sql": text}), {})

_also(text, kinds) := _told(_flat({"sql": text}), {"allow": array.concat(["select"], kinds)})

_kind := {"sql/kind"}

_unclear := {"sql/unclear"}

_several := {"sql/several"}

_type := {"sql/type"}

_function := {"sql/function"}

_unseen := {"sql/unseen"}

test_ordinary_queries_pass if {
	every text in [
		"SELECT 1", "select * from users;", "  SELECT id, name FROM users WHERE age > 30 ORDER BY name LIMIT 10 ; ",
		"SELECT count(*) FROM orders WHERE status IN ('open', 'paid') AND total >= 10.5",
		"select u.name, o.total from users u left join orders o on o.user_id = u.id where u.email like '%@example.com'",
		"-- who is there\nSELECT * FROM users -- all of them\nWHERE id = 1",
		"/* who\n is there */ SELECT /* all */ * FROM users",
		"WITH recent AS (SELECT * FROM orders WHERE at > '2026-01-01') SELECT * FROM recent",
		"(SELECT a FROM t) UNION ALL (SELECT a FROM u)", "SELECT 'it''s', \"a \"\"b\"\"\" FROM t",
		"SELECT `order`, `group by` FROM `my table`", "SELECT [order] FROM [dbo].[my table]", "SELECT tags[1] FROM posts",
		"SELECT * FROM t WHERE id = $1 AND name = ?", "SELECT a::text, b->>'c' FROM t WHERE d @> '{\"e\": 1}'",
		"SELECT replace(name, 'a', 'b'), truncate(x, 2) FROM t", "SELECT updated_at, deleted, created_by FROM t",
		"SELECT * FROM updates WHERE is_deleted = 0", "SELECT name FROM sqlite_master WHERE type='table'",
		"SELECT 'DELETE FROM users; DROP TABLE x'", "SELECT \"delete\", \"update\" FROM t", "select 'größe', 'naïve — ok'",
		"SELECT CASE WHEN a > 1 THEN 'x' ELSE 'y' END FROM t", "SELECT a\r\nFROM t\r\n-- end", "SELECT 'a;b' ;;",
		"SELECT 10 - 3, 10/2, a*-1 FROM t", "SELECT x IN -- these\n (1, 2) FROM t", "SELECT E'a\\nb'", "SELECT 'C:\\x y'",
		"SELECT * FROM pragma_table_info('users')", "VALUES (1)",
	] {
		_also(text, ["values"]) == set()
	}
}

test_other_arguments_are_not_looked_at if {
	_told(_flat({"path": "DELETE FROM x", "content": "DROP TABLE x; --", "limit": 3, "timezone": "Europe/Berlin"}), {}) == set()
}

test_a_null_is_no_statement if _told(_flat({"query": null}), {}) == set()

test_other_tools_are_left_alone if {
	_told(_flat({"query": "weather in Berlin"}), {"tools": ["shop/*"]}) == set()
	_told(_flat({"query": 5}), {"tools": ["shop/*"]}) == set()
}

test_members_are_the_settings if {
	_told(_flat({"statement_text": "DROP TABLE x"}), {"members": ["statement_text"]}) == _kind
	_told(_flat({"sql": "DROP TABLE x"}), {"members": ["q"]}) == set()
}

test_kinds_are_the_settings if {
	_also("INSERT INTO t (a) VALUES ('x')", ["insert"]) == set()
	_also("UPDATE t SET a = 1 WHERE b = 2", ["update"]) == set()
	_also("INSERT INTO t SELECT * FROM u ON CONFLICT (a) DO UPDATE SET b = 1", ["insert", "update"]) == set()
	_also("INSERT OR IGNORE INTO t VALUES (1)", ["insert"]) == set()
	_also("PRAGMA table_info(t)", ["pragma"]) == set()
	_also("EXPLAIN SELECT * FROM t", ["explain"]) == set()
	_also("CREATE TABLE t (a int)", ["create"]) == set()
	_also("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", ["insert"]) == set()
	_also("REPLACE INTO t VALUES (1)", ["replace"]) == set()
}

test_several_where_the_settings_say_so if {
	_told(_flat({"sql": "SELECT 1; SELECT 2"}), {"several": true}) == set()
	_told(_flat({"sql": "SELECT 1; DELETE FROM t"}), {"several": true}) == _kind
}

test_functions_are_the_settings if {
	_told(_flat({"sql": "SELECT pg_sleep(1)"}), {"functions": []}) == set()
	_told(_flat({"sql": "SELECT my_purge(1)"}), {"functions": ["my_purge"]}) == _function
}

test_a_cut_text_that_is_no_statement_passes if {
	message := _call(
		{"content": "x", "sql": "SELECT 1"}, [
			_entry("content", "content", "x", []), _entry("sql", "sql", "SELECT 1", []),
		],
		["/params/arguments/content", "/session/calls"],
	)
	_told(message, {}) == set()
}

test_a_list_of_parameters_passes if {
	message := _call(
		{"sql": "SELECT ?", "params": ["a", {"b": "c"}]}, [
			_entry("sql", "sql", "SELECT ?", []), _entry("params/0", "params", "a", []), _entry("params/1/b", "b", "c", []),
		],
		[],
	)
	_told(message, {}) == set()
}

test_no_reason_quotes_the_message if {
	message := _flat({"sql": "DROP TABLE zzz"})
	settings := sql.defaults
	told := sql.decision.deny with input as message with data.sql as settings
	count(told) == 1
	every denial in told { not contains(denial.reason, "zzz") }
}

test_bypass_delete if _rules("DELETE FROM users") == _kind

test_bypass_small_and_large_letters if _rules("dElEtE fRoM users") == _kind

test_bypass_blanks_before if _rules("\n\t  DROP TABLE users") == _kind

test_bypass_comment_before if _rules("/* SELECT */ DROP TABLE users") == _kind

test_bypass_line_comment_before if _rules("-- SELECT\nDROP TABLE users") == _kind

test_bypass_select_in_a_string_before if _rules("'SELECT' DROP TABLE users") == _kind

test_bypass_second_statement if _rules("SELECT 1; DROP TABLE users") == _several

test_bypass_second_statement_of_the_same_kind if _rules("SELECT 1; SELECT 2") == _several

test_bypass_second_statement_behind_a_comment if _rules("SELECT 1; -- fine\nDROP TABLE users") == _several

test_bypass_second_statement_behind_a_string if _rules("SELECT ';'; DROP TABLE users") == _several

test_bypass_second_statement_without_a_semicolon if _rules("SELECT 1 DELETE FROM users") == _kind

test_bypass_exec_without_a_semicolon if _rules("SELECT 1 EXEC('dro' + 'p table users')") == _kind

test_bypass_shutdown_without_a_semicolon if _rules("SELECT 1 SHUTDOWN") == _kind

test_bypass_trigger_without_a_semicolon if _rules("SELECT 1 DISABLE TRIGGER t ON u") == _kind

test_bypass_delete_glued_to_a_string if _rules("SELECT 'x'DELETE FROM users") == _kind

test_bypass_delete_glued_to_a_quoted_name if _rules("SELECT \"x\"DELETE FROM users") == _kind

test_bypass_delete_glued_to_a_comment if _rules("SELECT 1/**/DELETE/**/FROM users") == _kind

test_bypass_delete_behind_a_number if _rules("SELECT 1.DELETE FROM users") == _kind

test_bypass_common_table_expression_that_deletes if {
	_rules("WITH x AS (DELETE FROM users RETURNING *) SELECT * FROM x") == _kind
}

test_bypass_common_table_expression_before_an_update if _rules("WITH x AS (SELECT 1) UPDATE t SET a = 1") == _kind

test_bypass_common_table_expression_before_an_insert if _rules("WITH x AS (SELECT 1) INSERT INTO t SELECT 1") == _kind

test_bypass_common_table_expression_before_a_merge if _rules("WITH x AS (SELECT 1) MERGE INTO t USING x ON 1=1") == _kind

test_bypass_common_table_expression_before_a_replace if _rules("WITH x AS (SELECT 1) REPLACE INTO t SELECT 1") == _kind

test_bypass_select_into if _rules("SELECT * INTO copied FROM users") == _kind

test_bypass_select_into_outfile if _rules("SELECT * FROM users INTO OUTFILE '/tmp/x'") == _kind

test_bypass_select_into_though_inserts_are_allowed if _also("SELECT * INTO copied FROM users", ["insert"]) == _kind

test_bypass_select_for_update if _rules("SELECT * FROM users FOR UPDATE") == _kind

test_bypass_explain if _rules("EXPLAIN SELECT 1") == _kind

test_bypass_explain_analyze_delete if _also("EXPLAIN ANALYZE DELETE FROM users", ["explain"]) == _kind

test_bypass_explain_with_options if _also("EXPLAIN (ANALYZE true) UPDATE t SET a = 1", ["explain"]) == _kind

test_bypass_explain_execute if _also("EXPLAIN ANALYZE EXECUTE purge", ["explain"]) == _kind

test_bypass_other_kinds if {
	every text in [
		"COPY users TO '/tmp/x'", "COPY (SELECT 1) TO PROGRAM 'sh'", "PRAGMA writable_schema = 1",
		"ATTACH DATABASE '/tmp/x' AS y", "DETACH y", "VACUUM INTO '/tmp/x'", "CALL purge()", "DO 'x'", "SET ROLE admin",
		"LOAD DATA INFILE 'x' INTO TABLE t", "HANDLER t OPEN", "LOCK TABLE t", "GRANT ALL ON t TO x", "TRUNCATE t",
		"ALTER TABLE t DROP a", "CREATE TABLE t (a int)", "MERGE INTO t USING u ON 1=1", "REPLACE INTO t VALUES (1)",
		"IMPORT FOREIGN SCHEMA x", "BEGIN", "sp_who", "USE master", "KILL 5", "DECLARE @a int", "IF 1=1 SELECT 1", "TABLE t",
		"VALUES (1)", "SHOW TABLES", "REINDEX", "ANALYZE", "PREPARE x", "EXECUTE x", "NOTIFY x", "RENAME TABLE a TO b",
	] {
		_rules(text) == _kind
	}
}

test_bypass_procedure_by_a_quoted_name if _rules("\"xp_cmdshell\" select") == _kind

test_bypass_procedure_by_a_name_in_brackets if _rules("[xp_cmdshell] select") == _kind

test_bypass_comment_that_runs if _rules("SELECT 1 /*!50000 ; DELETE FROM users */") == _unclear

test_bypass_comment_that_runs_in_mariadb if _rules("SELECT 1 /*M!100100 ; DELETE FROM users */") == _unclear

test_bypass_nested_comment if _rules("SELECT 1 /* /* */ ; DELETE FROM users -- */ */") == _unclear

test_bypass_nested_comment_behind_a_slash if _rules("SELECT 1 /* //* */ ; DELETE FROM users -- */ */") == _unclear

test_bypass_comment_that_does_not_end if _rules("SELECT 1 /* ; DELETE FROM users") == _unclear

test_bypass_comment_end_in_a_comment_start if _rules("SELECT 1 /*/ ; DELETE FROM users") == _unclear

test_bypass_two_dashes_that_are_no_comment if _rules("SELECT 1--1\n; DELETE FROM users") == _unclear

test_bypass_line_comment_ended_by_a_carriage_return if _rules("SELECT 1 -- x\rDELETE FROM users") == _unclear

test_bypass_number_sign_comment if _rules("SELECT 1 # '\n; DELETE FROM users -- '") == _unclear

test_bypass_comment_start_in_a_string if _rules("SELECT '/*'; DELETE FROM users; SELECT '*/'") == _several

test_bypass_comment_start_in_a_quoted_name if _rules("SELECT \"/*\" DELETE FROM users -- */") == _kind

test_bypass_dashes_in_a_string if _rules("SELECT '-- ' DELETE FROM users") == _kind

test_bypass_quote_in_a_comment if _rules("SELECT 1 /* ' */ DELETE FROM users -- '") == _kind

test_bypass_quote_in_a_line_comment if _rules("SELECT 1 -- '\nDELETE FROM users -- '") == _kind

test_bypass_backslash_before_a_quote if _rules("SELECT '\\' ; DELETE FROM users -- '") == _unclear

test_bypass_two_backslashes_before_a_quote if _rules("SELECT '\\\\' ; DELETE FROM users -- '") == _unclear

test_bypass_backslash_before_a_double_quote if _rules("SELECT \"\\\" ; DELETE FROM users -- \"") == _unclear

test_bypass_escaped_string if _rules("SELECT E'\\'' ; DELETE FROM users -- '") == _unclear

test_bypass_open_string if _rules("SELECT 'a ; DELETE FROM users") == _unclear

test_bypass_open_string_behind_a_comment if _rules("SELECT /**/'a ; DELETE FROM users") == _unclear

test_bypass_open_quoted_name if _rules("SELECT \"a ; DELETE FROM users") == _unclear

test_bypass_backticks_with_a_quote_inside if _rules("SELECT `'` ; DELETE FROM users -- '") == _unclear

test_bypass_backticks_with_dashes_inside if _rules("SELECT `-- \n; DELETE FROM users -- `") == _unclear

test_bypass_brackets_with_a_quote_inside if _rules("SELECT [a'b] ; DELETE FROM users -- '") == _unclear

test_bypass_brackets_with_a_comment_inside if _rules("SELECT [/*] ; DELETE FROM users -- */]") == _unclear

test_bypass_brackets_with_a_bracket_inside if _rules("SELECT [a]]/*] ; DELETE FROM users -- */") == _unclear

test_bypass_brackets_in_a_comment if _rules("SELECT 1 /* [ */ DELETE FROM users -- ]") == _kind

test_bypass_open_bracket_before_a_comment if _rules("SELECT [a -- ] \n DELETE FROM users") == _unclear

test_bypass_dollar_quotes if _rules("SELECT $$ ' $$ ; DELETE FROM users -- '") == _unclear

test_bypass_tagged_dollar_quotes if _rules("SELECT $a$ ' $a$ ; DELETE FROM users -- '") == _unclear

test_bypass_dollar_quotes_behind_a_parameter if _rules("SELECT $1$$ ' $$ ; DELETE FROM users -- '") == _unclear

test_bypass_oracle_quotes if _rules("SELECT q'[ ' ]' , 'DELETE' FROM users") == _unclear

test_bypass_name_in_unicode_escapes if _rules("SELECT U&\"pg_\\0073leep\" (5)") == _unclear

test_bypass_backslash_outside_of_strings if _rules("SELECT 1 \\g /tmp/x") == _unclear

test_bypass_shell_of_a_client if _rules("\\! rm -rf /") == _unclear

test_bypass_dot_command_of_a_client if _rules(".shell rm -rf /") == _kind

test_bypass_nul if _rules("SELECT 1\u0000; DELETE FROM users") == _unclear

test_bypass_placeholder_in_the_text if _rules("SELECT \u0001'\u0002 ; DELETE FROM users") == _unclear

test_bypass_vertical_tab if _rules("SELECT 1\u000bDELETE FROM users") == _unclear

test_bypass_no_break_space if _rules("SELECT 1\u00a0DELETE\u00a0FROM users") == _unclear

test_bypass_fullwidth_letters if _rules("ＤＥＬＥＴＥ FROM users") == _unclear

test_bypass_long_s if _rules("ſelect 1") == _unclear

test_bypass_cyrillic_letter if _rules("SELECT 1 DELETЕ FROM users") == _unclear

test_bypass_dotless_i if _rules("ıNSERT INTO t VALUES (1)") == _unclear

test_bypass_kelvin_sign if _rules("SELECT 1 \u212aILL 5") == _unclear

test_bypass_fullwidth_quote if _rules("SELECT ＇ ; DELETE FROM users") == _unclear

test_bypass_zero_width_space if _rules("SELECT 1 DEL\u200bETE FROM users") == _unclear

test_bypass_byte_order_mark if _rules("\ufeffDELETE FROM users") == _unclear

test_bypass_percent_encoded if {
	message := _call({"sql": "x"}, [_entry("sql", "sql", "SELECT '%27 DELETE FROM users -- '", ["SELECT '' DELETE FROM users -- '"])], [])
	_told(message, {}) == _kind
}

test_bypass_fullwidth_quote_in_a_string if {
	message := _call({"sql": "x"}, [_entry("sql", "sql", "SELECT '＇ DELETE FROM users -- '", ["SELECT '' DELETE FROM users -- '"])], [])
	_told(message, {}) == _kind
}

test_bypass_more_disguises_than_are_undone if {
	message := _call({"sql": "x"}, [_entry("sql", "sql", "SELECT 1", ["SELECT 1", "SELECT 2", "SELECT 3", "SELECT 4"])], [])
	_told(message, {}) == _unclear
}

test_bypass_argument_name_in_capitals if _told(_flat({"SQL": "DELETE FROM users"}), {}) == _kind

test_bypass_other_argument_names if {
	_told(_flat({"query": "DELETE FROM users"}), {}) == _kind
	_told(_flat({"Statement": "DELETE FROM users"}), {}) == _kind
}

test_bypass_list_of_statements if {
	_type & _told(_call({"sql": ["SELECT 1"]}, [_entry("sql/0", "sql", "SELECT 1", [])], []), {}) == _type
}

test_bypass_object_in_place_of_a_statement if {
	_told(_call({"sql": {"text": "DELETE FROM users"}}, [_entry("sql/text", "text", "DELETE FROM users", [])], []), {}) == _type
}

test_bypass_number_in_place_of_a_statement if _told(_flat({"sql": 5}), {}) == _type

test_bypass_nested_argument if {
	_told(_call({"a": {"sql": "DROP TABLE x"}}, [_entry("a/sql", "sql", "DROP TABLE x", [])], []), {}) == _kind
}

test_bypass_nested_list if {
	message := _call(
		{"a": {"sql": ["SELECT 1 -", "- x"]}}, [
			_entry("a/sql/0", "sql", "SELECT 1", []), _entry("a/sql/1", "sql", "SELECT 1", []),
		],
		[],
	)
	_told(message, {}) == _type
}

test_bypass_nested_object if {
	message := _call({"a": [{"SQL": {"text": "DROP TABLE x"}}]}, [_entry("a/0/SQL/text", "text", "DROP TABLE x", [])], [])
	_told(message, {}) == _type
}

test_bypass_object_in_json_in_a_text if {
	message := _call(
		{"a": "{\"sql\":{\"b\":\"DROP TABLE x\"}}"}, [
			_entry("a", "a", "{\"sql\":{\"b\":\"DROP TABLE x\"}}", []), _entry("a/~2/sql/b", "b", "DROP TABLE x", []),
		],
		[],
	)
	_told(message, {}) == _type
}

test_bypass_json_in_a_text if {
	message := _call(
		{"a": "{\"sql\":\"DROP TABLE x\"}"}, [
			_entry("a", "a", "{\"sql\":\"DROP TABLE x\"}", []), _entry("a/~2/sql", "sql", "DROP TABLE x", []),
		],
		[],
	)
	_told(message, {}) == _kind
}

test_bypass_statement_in_json if _rules("[\"DROP TABLE x\"]") == _unclear

test_bypass_empty_statement if _rules("") == _kind

test_bypass_only_a_comment if _rules("/* nothing */") == _kind

test_bypass_function if {
	every text in [
		"SELECT pg_sleep(100)", "SELECT PG_SLEEP (100)", "SELECT pg_catalog.pg_read_file('/etc/passwd')",
		"SELECT load_extension('/tmp/x')", "SELECT lo_export(1, '/tmp/x')", "SELECT pg_sleep/**/(5)",
		"SELECT load_file\n('/etc/passwd')", "SELECT * FROM dblink('a', 'b') AS t", "SELECT sleep(5)",
	] {
		_rules(text) == _function
	}
}

test_bypass_function_by_a_quoted_name if _rules("SELECT \"pg_sleep\"(5)") == _unclear

test_bypass_function_by_a_name_in_backticks if _rules("SELECT `load_file` ('/etc/passwd')") == _unclear

test_bypass_function_by_a_name_and_a_comment if _rules("SELECT \"pg_sleep\"/**/(5)") == _unclear

test_bypass_cut_statement if {
	message := _call({"sql": "SELECT 1"}, [_entry("sql", "sql", "SELECT 1", [])], ["/params/arguments/sql"])
	_told(message, {}) == _unseen
}

test_bypass_too_many_strings if {
	_told(_call({}, [], ["/params/strings"]), {}) == _unseen
}

test_bypass_cut_arguments if _told(_call({}, [], ["/params/arguments/a"]), {}) == _unseen

test_bypass_missing_strings if {
	message := object.remove(_flat({"sql": "SELECT 1"}), ["params"])
	settings := sql.defaults
	not sql.decision with input as message with data.sql as settings
}

test_bypass_glob_covers_the_server if {
	_told(_flat({"sql": "DROP TABLE x"}), {"tools": ["d[ab]/*"]}) == _kind
}
