package tidegate.packs.egress_test

import data.tidegate.packs.egress
import rego.v1

string(pointer, key, value) := {"pointer": pointer, "key": key, "value": value, "decoded": []}

name(key) := {"pointer": concat("/", ["/params/arguments", key]), "key": key, "value": key, "decoded": [], "is_key": true}

with_strings(strings) := {
	"v": 1,
	"phase": "request",
	"direction": "client_to_server",
	"method": "tools/call",
	"server": {"name": "web", "kind": "process", "trust": "high", "labels": []},
	"target": {"kind": "tool", "name": "fetch"},
	"arguments": {},
	"params": {"strings": array.concat([string("/params/name", "name", "fetch")], strings)},
	"findings": [],
	"cut": [],
}

call(key, value) := object.union(
	with_strings([string(concat("/", ["/params/arguments", key]), key, value), name(key)]),
	{"arguments": {key: value}},
)

decoded(key, value, reading) := with_strings([object.union(
	string(concat("/", ["/params/arguments", key]), key, value),
	{"decoded": [reading]},
)])

resource(uri) := object.union(with_strings([]), {
	"method": "resources/read",
	"target": {"kind": "resource", "name": uri},
	"params": {"strings": [string("/params/uri", "uri", uri)]},
})

rules(parameters, message) := {denial.rule | some denial in decision.deny} if {
	settings := object.union(egress.defaults, parameters)
	decision := egress.decision with input as message with data.egress as settings
}

denied(rule, message) if rule in rules({}, message)

denied_with(parameters, rule, message) if rule in rules(parameters, message)

passes(message) if rules({}, message) == set()

passes_with(parameters, message) if rules(parameters, message) == set()

test_bypass_loopback if denied("egress/private", call("url", "http://127.0.0.1/"))

test_bypass_other_loopback if denied("egress/private", call("url", "http://127.8.9.10:8080/x"))

test_bypass_private_ten if denied("egress/private", call("url", "https://10.1.2.3"))

test_bypass_private_172 if denied("egress/private", call("url", "https://172.31.255.1/"))

test_bypass_private_192 if denied("egress/private", call("url", "https://192.168.0.1/"))

test_bypass_shared_range if denied("egress/private", call("url", "http://100.64.0.1/"))

test_bypass_link_local if denied("egress/private", call("url", "http://169.254.1.1/"))

test_bypass_multicast if denied("egress/private", call("url", "http://224.0.0.1/"))

test_bypass_broadcast if denied("egress/private", call("url", "http://255.255.255.255/"))

test_bypass_unspecified if denied("egress/private", call("url", "http://0.0.0.0:8000/"))

test_bypass_metadata if denied("egress/metadata", call("url", "http://169.254.169.254/latest/meta-data/"))

test_bypass_metadata_by_name if denied("egress/metadata", call("url", "http://metadata.google.internal/computeMetadata/v1/"))

test_bypass_metadata_of_alibaba if denied("egress/metadata", call("url", "http://100.100.100.200/latest/"))

test_bypass_metadata_by_ipv6 if denied("egress/metadata", call("url", "http://[fd00:ec2::254]/latest/"))

test_bypass_metadata_by_long_ipv6 if denied("egress/metadata", call("url", "http://[fd00:0ec2:0:0:0:0:0:254]/latest/"))

test_bypass_metadata_of_containers if denied("egress/metadata", call("url", "http://169.254.170.2/v2/credentials"))

test_bypass_metadata_by_a_short_name if denied("egress/metadata", call("url", "http://metadata/computeMetadata"))

test_bypass_metadata_with_a_trailing_dot if denied("egress/metadata", call("url", "http://metadata.google.internal./"))

test_bypass_metadata_without_a_scheme_in_any_member if denied("egress/metadata", call("note", "curl -s 169.254.169.254/latest"))

test_bypass_metadata_in_a_text if denied("egress/metadata", call("content", "![x](http://169.254.169.254/latest) and more"))

test_bypass_decimal if denied("egress/notation", call("url", "http://2130706433/"))

test_bypass_octal if denied("egress/notation", call("url", "http://0177.0.0.1/"))

test_bypass_hexadecimal if denied("egress/notation", call("url", "http://0x7f000001/"))

test_bypass_hexadecimal_parts if denied("egress/notation", call("url", "http://0x7f.0x0.0x0.0x1/"))

test_bypass_short if denied("egress/notation", call("url", "http://127.1/"))

test_bypass_shorter if denied("egress/notation", call("url", "http://0/"))

test_bypass_mixed_notations if denied("egress/notation", call("url", "http://0x7f.1/"))

test_bypass_leading_zeros if denied("egress/notation", call("url", "http://127.000.000.001/"))

test_bypass_too_large_octets if denied("egress/notation", call("url", "http://383.256.256.257/"))

test_bypass_overflowing_number if denied("egress/notation", call("url", "http://4294967297/"))

test_bypass_ipv6_loopback if denied("egress/private", call("url", "http://[::1]/"))

test_bypass_ipv6_long_loopback if denied("egress/private", call("url", "http://[0:0:0:0:0:0:0:1]:80/"))

test_bypass_ipv6_unspecified if denied("egress/private", call("url", "http://[::]/"))

test_bypass_ipv6_mapped if denied("egress/notation", call("url", "http://[::ffff:127.0.0.1]/"))

test_bypass_ipv6_mapped_hexadecimal if denied("egress/private", call("url", "http://[::ffff:7f00:1]/"))

test_bypass_ipv6_link_local_with_a_zone if denied("egress/private", call("url", "http://[fe80::1%25eth0]/"))

test_bypass_ipv6_unique_local if denied("egress/private", call("url", "http://[fc00::1]/"))

test_bypass_ipv6_translated if denied("egress/private", call("url", "http://[64:ff9b::7f00:1]/"))

test_bypass_ipv6_6to4 if denied("egress/private", call("url", "http://[2002:7f00:1::]/"))

test_bypass_ipv6_teredo if denied("egress/private", call("url", "http://[2001:0:53aa:64c::1]/"))

test_bypass_upper_case if denied("egress/private", call("url", "HTTP://LOCALHOST/"))

test_bypass_localhost if denied("egress/private", call("url", "http://localhost:3000/"))

test_bypass_subdomain_of_localhost if denied("egress/private", call("url", "http://a.localhost/"))

test_bypass_trailing_dots if denied("egress/private", call("url", "http://localhost./"))

test_bypass_name_of_the_local_network if denied("egress/private", call("url", "http://printer.local/"))

test_bypass_internal_name if denied("egress/private", call("url", "https://wiki.corp.internal/"))

test_bypass_single_label if denied("egress/private", call("url", "http://redis:6379/"))

test_bypass_cluster_name if denied("egress/private", call("url", "http://api.default.svc/"))

test_bypass_wildcard_dns if denied("egress/private", call("url", "http://10.0.0.1.nip.io/"))

test_bypass_wildcard_dns_with_dashes if denied("egress/private", call("url", "http://www.192-168-1-1.sslip.io/"))

test_bypass_wildcard_dns_in_hexadecimal if denied("egress/private", call("url", "http://7f000001.nip.io/"))

test_bypass_name_that_resolves_to_loopback if denied("egress/private", call("url", "http://localtest.me/"))

test_bypass_address_in_a_name if denied("egress/private", call("url", "http://127.0.0.1.evil.example.com/"))

test_bypass_userinfo_that_looks_like_a_host if denied("egress/userinfo", call("url", "http://example.com@10.0.0.1/"))

test_bypass_host_behind_userinfo if denied("egress/private", call("url", "http://example.com:80@10.0.0.1/"))

test_bypass_two_ats if denied("egress/private", call("url", "http://a@b@127.0.0.1/"))

test_bypass_fragment_before_an_at if denied("egress/userinfo", call("url", "http://example.com#@evil.example.org/"))

test_bypass_question_mark_before_an_at if denied("egress/userinfo", call("url", "http://example.com?@evil.example.org/"))

test_bypass_backslash_before_an_at if denied("egress/userinfo", call("url", `http://example.com\@evil.example.org/`))

test_bypass_backslashes_for_slashes if denied("egress/private", call("url", `http:\\127.0.0.1\x`))

test_bypass_one_slash if denied("egress/private", call("url", "http:/127.0.0.1/"))

test_bypass_no_slash if denied("egress/private", call("url", "http:127.0.0.1"))

test_bypass_many_slashes if denied("egress/private", call("url", "http://///127.0.0.1/"))

test_bypass_mixed_slashes if denied("egress/private", call("url", `http:/\/127.0.0.1/`))

test_bypass_escaped_slashes if denied("egress/private", call("q", `{"a": "http:\/\/127.0.0.1\/"}`))

test_bypass_tab_in_the_host if denied("egress/private", call("url", "http://127.0.\t0.1/"))

test_bypass_new_line_in_the_scheme if denied("egress/private", call("url", "ht\ntp://127.0.0.1/"))

test_bypass_new_line_in_the_host if denied("egress/metadata", call("url", "http://169.254.\n169.254/"))

test_bypass_spaces_before if denied("egress/private", call("url", "  \n http://127.0.0.1/"))

test_bypass_relative_to_the_scheme if denied("egress/private", call("url", "//127.0.0.1/x"))

test_bypass_relative_with_backslashes if denied("egress/private", call("url", `\\127.0.0.1\share`))

test_bypass_port if denied("egress/private", call("url", "http://127.0.0.1:65535"))

test_bypass_empty_port if denied("egress/private", call("url", "http://127.0.0.1:/"))

test_bypass_ideographic_dots if denied("egress/private", call("url", "http://127。0。0。1/"))

test_bypass_soft_hyphen if denied("egress/private", call("url", "http://local­host/"))

test_bypass_full_width_digits if denied("egress/private", decoded("url", "http://１２７.０.０.１/", "http://127.0.0.1/"))

test_bypass_full_width_slashes if denied("egress/private", decoded("url", "http:／／127.0.0.1/", "http://127.0.0.1/"))

test_bypass_circled_letters if denied("egress/private", decoded("url", "http://ⓛocalhost/", "http://localhost/"))

test_bypass_percent_encoded_host if denied("egress/private", decoded("url", "http://%31%32%37.0.0.1/", "http://127.0.0.1/"))

test_bypass_percent_in_the_host if denied("egress/unreadable", call("url", "http://%31%32%37.0.0.1/"))

test_bypass_percent_encoded_whole if denied("egress/private", decoded("q", "http%3A%2F%2F127.0.0.1%2F", "http://127.0.0.1/"))

test_bypass_escapes if denied("egress/private", decoded("q", `http:\x2f\x2f127.0.0.1`, "http://127.0.0.1"))

test_bypass_html_entities if denied("egress/private", decoded("q", "http&#58;//127.0.0.1", "http://127.0.0.1"))

test_bypass_file if denied("egress/scheme", call("url", "file:///etc/passwd"))

test_bypass_file_with_one_slash if denied("egress/scheme", call("url", "file:/etc/passwd"))

test_bypass_file_in_upper_case if denied("egress/scheme", call("q", "FILE:///etc/passwd"))

test_bypass_gopher if denied("egress/scheme", call("url", "gopher://127.0.0.1:6379/_INFO"))

test_bypass_dict if denied("egress/scheme", call("url", "dict://example.com:11211/stat"))

test_bypass_data if denied("egress/scheme", call("url", "data:text/html;base64,PHNjcmlwdD4="))

test_bypass_short_data if denied("egress/scheme", call("url", "data:,x"))

test_bypass_jar if denied("egress/scheme", call("url", "jar:https://example.com/a.jar!/x"))

test_bypass_javascript if denied("egress/scheme", call("url", "javascript:alert(1)"))

test_bypass_ftp if denied("egress/scheme", call("url", "ftp://example.com/x"))

test_bypass_unknown_scheme if denied("egress/scheme", call("url", "foo+bar://example.com/"))

test_bypass_view_source if denied("egress/scheme", call("url", "view-source:https://example.com/"))

test_bypass_helper_of_git if denied("egress/scheme", call("url", "ext::sh%20-c%20id"))

test_bypass_urn_in_a_url if denied("egress/scheme", call("url", "mailto:a@example.com"))

test_bypass_second_url_in_a_text if denied("egress/private", call("q", "See https://example.com/a and http://10.0.0.7/b."))

test_bypass_url_in_a_list_without_spaces if denied("egress/private", call("q", "https://example.com,http://127.0.0.1/"))

test_bypass_url_in_a_query if denied("egress/private", call("url", "https://example.com/?next=http://127.0.0.1/"))

test_bypass_url_in_markdown if denied("egress/private", call("q", "[x](http://127.0.0.1)"))

test_bypass_url_in_brackets if denied("egress/private", call("q", "<http://127.0.0.1>"))

test_bypass_url_in_quotes if denied("egress/private", call("q", "fetch('http://127.0.0.1')"))

test_bypass_range_of_curl if denied("egress/unreadable", call("url", "http://127.0.0.[1-5]/"))

test_bypass_alternatives_of_curl if denied("egress/unreadable", call("url", "http://{127.0.0.1,x}/"))

test_bypass_variable if denied("egress/unreadable", call("url", "http://$HOST/"))

test_bypass_whole_url_in_a_text_member if denied("egress/private", call("body", "http://127.0.0.1/"))

test_bypass_host_member if denied("egress/private", call("host", "127.0.0.1"))

test_bypass_host_member_with_a_port if denied("egress/private", call("db_host", "localhost:5432"))

test_bypass_host_member_in_capitals if denied("egress/private", call("HostName", "10.0.0.1"))

test_bypass_endpoint_member if denied("egress/private", call("s3Endpoint", "192.168.1.1:9000/x"))

test_bypass_bare_ipv6 if denied("egress/private", call("host", "::1"))

test_bypass_bare_ipv6_with_a_zone if denied("egress/private", call("ip", "fe80::1%eth0"))

test_bypass_bare_decimal if denied("egress/notation", call("host", "2130706433"))

test_bypass_bare_short if denied("egress/notation", call("host", "127.1"))

test_bypass_bare_with_a_user if denied("egress/private", call("repo_url", "git@10.0.0.1:repo.git"))

test_bypass_number_for_a_host if {
	denied("egress/notation", object.union(call("host", "x"), {"arguments": {"host": 2130706433}, "params": {"strings": [name("host")]}}))
}

test_bypass_key if denied("egress/private", with_strings([{
	"pointer": "/params/arguments/a/http:~1~1127.0.0.1",
	"key": "http://127.0.0.1",
	"value": "http://127.0.0.1",
	"decoded": [],
	"is_key": true,
}]))

test_bypass_key_among_hosts if denied("egress/private", with_strings([{
	"pointer": "/params/arguments/hosts/10.0.0.1",
	"key": "10.0.0.1",
	"value": "10.0.0.1",
	"decoded": [],
	"is_key": true,
}]))

test_bypass_array if denied("egress/private", with_strings([
	string("/params/arguments/url/0", "url", "https://example.com"),
	string("/params/arguments/url/1", "url", "http://127.0.0.1"),
]))

test_bypass_bare_host_in_an_array if denied("egress/private", with_strings([string("/params/arguments/hosts/3/0", "hosts", "127.0.0.1")]))

test_bypass_object_for_a_host if denied("egress/private", with_strings([string("/params/arguments/host/value", "value", "127.0.0.1")]))

test_bypass_json_in_a_string if denied("egress/private", with_strings([
	string("/params/arguments/q/~2/host", "host", "127.0.0.1"),
]))

test_bypass_deep_nesting if denied("egress/private", with_strings([
	string("/params/arguments/a/0/b/1/c/d", "d", "x http://[::1]/ x"),
]))

test_bypass_resource if {
	denied("egress/private", resource("http://127.0.0.1/x"))
	denied("egress/scheme", resource("gopher://example.com/"))
	denied("egress/metadata", resource("http://169.254.169.254/"))
}

test_bypass_unknown_method if denied("egress/private", object.union(
	call("url", "http://127.0.0.1"),
	{"method": "vendor/fetch"},
))

test_bypass_answer_to_a_question if denied("egress/private", with_strings([
	string("/params/inputResponses/a/content/site_url", "site_url", "http://10.0.0.1"),
]))

test_bypass_meta if denied("egress/private", with_strings([string("/params/_meta/example.com~1x", "example.com/x", "http://10.0.0.1")]))

test_bypass_cut_string if {
	denied("egress/unseen", object.union(call("q", "x"), {"cut": ["/params/arguments/q"]}))
	denied("egress/unseen", object.union(call("q", "x"), {"cut": ["/params/strings"]}))
}

test_bypass_host_that_is_not_allowed if denied_with({"allow": ["*.example.com"]}, "egress/host", call("url", "https://evil.example.org/"))

test_bypass_host_that_ends_like_an_allowed_one if denied_with({"allow": ["*.example.com"]}, "egress/host", call("url", "https://evilexample.com/"))

test_bypass_allowed_host_as_a_user if denied_with({"allow": ["*.example.com"]}, "egress/host", call("url", "https://api.example.com@evil.example.org/"))

test_bypass_allowed_host_as_a_subdomain if denied_with({"allow": ["*.example.com"]}, "egress/host", call("url", "https://api.example.com.evil.example.org/"))

test_bypass_allowed_host_broken_by_a_new_line if denied_with({"allow": ["*.example.com"]}, "egress/host", call("url", "https://api.example.com\n.evil.example.org/"))

test_bypass_second_host_that_is_not_allowed if denied_with({"allow": ["*.example.com"]}, "egress/host", call("url", "https://api.example.com/ https://evil.example.org/"))

test_bypass_bare_host_that_is_not_allowed if denied_with({"allow": ["*.example.com"]}, "egress/host", call("url", "evil.example.org/x"))

test_bypass_relative_host_that_is_not_allowed if denied_with({"allow": ["*.example.com"]}, "egress/host", call("url", "//evil.example.org/x"))

test_bypass_image_in_a_text_to_a_host_that_is_not_allowed if denied_with({"allow": ["*.example.com"]}, "egress/host", call("body", "Hello ![x](https://evil.example.org/?q=1)"))

test_bypass_denied_host_upper_case if denied_with({"deny": ["evil.example.org"]}, "egress/host", call("url", "https://EVIL.example.org/"))

test_bypass_denied_host_trailing_dot if denied_with({"deny": ["evil.example.org"]}, "egress/host", call("url", "https://evil.example.org./"))

test_bypass_denied_host_port if denied_with({"deny": ["evil.example.org"]}, "egress/host", call("url", "https://evil.example.org:444/"))

test_bypass_metadata_where_private_hosts_are_allowed if denied_with({"private": "allow"}, "egress/metadata", call("url", "http://169.254.169.254/"))

test_bypass_notation_where_private_hosts_are_allowed if denied_with({"private": "allow"}, "egress/notation", call("url", "http://2852039166/"))

test_bypass_mapped_address_where_private_hosts_are_allowed if denied_with({"private": "allow"}, "egress/notation", call("url", "http://[::ffff:a9fe:a9fe]/"))

test_bypass_misspelt_private if denied_with({"private": "Deny"}, "egress/private", call("url", "http://127.0.0.1/"))

test_pass_fetch if passes(call("url", "https://example.com/a/b?c=d&e=f#g"))

test_pass_fetch_with_a_port if passes(call("url", "https://example.com:8443/"))

test_pass_public_address if passes(call("url", "http://93.184.215.14/"))

test_pass_public_ipv6 if passes(call("url", "http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/"))

test_pass_digits_in_a_host if passes(call("url", "https://s3.eu-west-1.amazonaws.com/x"))

test_pass_international_name if passes(call("url", "https://bücher.example/"))

test_pass_punycode if passes(call("url", "https://xn--bcher-kva.example/"))

test_pass_path if passes(call("path", "/data/notes/2024-01-01.txt"))

test_pass_path_of_windows if passes(call("path", `C:\Users\ada\notes.txt`))

test_pass_path_with_two_slashes if passes(call("path", "/data//notes.txt"))

test_pass_sql if passes(call("query", "SELECT a::text, b FROM t WHERE c = '10.0.0.1' -- note: x"))

test_pass_time if passes(call("timezone", "Europe/Berlin"))

test_pass_clock if passes(call("time", "12:30:00"))

test_pass_date if passes(call("time", "2024-01-01T12:00:00Z"))

test_pass_git if passes(call("message", "fix(ui): a/b, see #12"))

test_pass_branch if passes(call("branch_name", "feature/a-b"))

test_pass_memory if passes(call("entityType", "person"))

test_pass_slack if passes(call("text", "Hello <@U123>: see https://example.com/x."))

test_pass_markdown_link if passes(call("text", "([x](https://example.com/a)), and **https://example.org**."))

test_pass_email if passes(call("text", "write to ada@example.com"))

test_pass_email_member if passes(call("address", "ada@example.com"))

test_pass_street if passes(call("address", "12 Main Street, 10115 Berlin"))

test_pass_version if passes(call("version", "10.0.1.2"))

test_pass_code if passes(call("content", "a = {x:1, y:2}  // note: localhost"))

test_pass_link_to_localhost_in_a_file if passes(call("content", "Open http://localhost:3000 to see it."))

test_pass_package_json if passes(call("content", `"url": "git+https://github.com/a/b.git"`))

test_pass_template_in_code if passes(call("content", `url = f"https://{host}/x"`))

test_pass_issue if passes(call("body", "Steps:\n1. open http://127.0.0.1:8000\n2. see https://example.com"))

test_pass_relative_url if passes(call("url", "/a/b"))

test_pass_small_number if passes(call("host", "12"))

test_pass_name_of_a_host if passes(call("host", "db.example.com:5432"))

test_pass_emoji if passes(call("text", "☃ https://example.com/☃"))

test_pass_path_with_an_at if passes(call("url", "https://example.com/@ada/x"))

test_pass_query_with_an_address if passes(call("url", "https://example.com/?mail=a@example.com"))

test_pass_two_lines if passes(call("text", "https://example.com/\nThanks, bob@example.com"))

test_pass_owner if passes(call("owner", "octocat"))

test_pass_colon if passes(call("q", "label:bug is:open"))

test_pass_data_in_prose if passes(call("q", "the data: none"))

test_pass_cpp if passes(call("q", "std::vector<int>"))

test_pass_digest if passes(call("image", "nginx@sha256:abcdef"))

test_pass_resource_memo if passes(resource("memo://insights"))

test_pass_resource_file if passes(resource("file:///data/a.txt"))

test_pass_resource_repository if passes(resource("repo://o/r/contents/a"))

test_pass_resource_database if passes(resource("postgres://db.internal/t/schema"))

test_pass_resource_web if passes(resource("https://example.com/a"))

test_pass_client_info if passes(with_strings([
	string("/params/_meta/io.modelcontextprotocol~1clientInfo/icons/0/src", "src", "data:image/png;base64,AA=="),
	string("/params/_meta/io.modelcontextprotocol~1clientInfo/websiteUrl", "websiteUrl", "http://localhost/"),
]))

test_pass_roots if passes(with_strings([
	string("/params/inputResponses/r/roots/0/uri", "uri", "file:///data"),
	string("/params/inputResponses/r/roots/0/name", "name", "data"),
]))

test_pass_initialize if passes(object.union(call("url", "http://127.0.0.1"), {"method": "initialize"}))

test_pass_what_servers_ask if passes(object.union(call("url", "http://127.0.0.1"), {"direction": "server_to_client"}))

test_pass_long_text if passes(object.union(call("content", "x"), {"cut": ["/params/arguments/content"]}))

test_pass_json_in_a_text if passes(with_strings([string("/params/arguments/content/~2/repository/url", "url", "git+https://github.com/a/b.git")]))

test_pass_allowed_host if passes_with({"allow": ["*.example.com"]}, call("url", "https://api.example.com/x"))

test_pass_trusted_host if passes_with({"trusted": ["localhost", "10.0.0.*"]}, call("url", "http://localhost:3000/ http://10.0.0.7"))

test_pass_private_where_allowed if passes_with({"private": "allow"}, call("url", "http://10.0.0.7/"))

test_pass_scheme_that_is_allowed if passes_with({"schemes": ["https", "s3"]}, call("url", "s3://my-bucket.example/x"))

test_pass_userinfo_where_allowed if passes_with({"userinfo": "allow"}, call("url", "https://ada:x@example.com/"))

test_deny_scheme_that_is_not_listed if denied_with({"schemes": ["https"]}, "egress/scheme", call("url", "http://example.com/"))

test_deny_member_of_ones_own if denied_with({"members": ["peer"]}, "egress/private", call("peer", "10.0.0.1"))

test_bypass_too_many_urls if denied("egress/many", call("q", concat(" ", [url |
	some i in numbers.range(1, 60)
	url := sprintf("http://a%d.example.io/", [i])
])))

test_pass_many_ordinary_urls if passes(call("q", concat(" ", [url |
	some i in numbers.range(1, 60)
	url := sprintf("http://a%d.example.com/", [i])
])))

test_bypass_space_before_an_at if denied("egress/userinfo", call("url", "https://example.com @127.0.0.1/"))

test_bypass_bracket_before_an_at if denied("egress/userinfo", call("url", "https://example.com)@127.0.0.1/"))

test_bypass_quote_before_an_at if denied("egress/userinfo", call("url", "https://example.com'@127.0.0.1/"))

test_bypass_double_quote_before_an_at if denied("egress/userinfo", call("url", "https://example.com\"@127.0.0.1/"))

test_bypass_angle_before_an_at if denied("egress/userinfo", call("url", "https://example.com<@127.0.0.1/"))

test_bypass_relative_with_a_backslash_before_an_at if denied("egress/userinfo", call("url", "//example.com\\@127.0.0.1/"))

test_bypass_one_slash_with_a_backslash_before_an_at if denied("egress/userinfo", call("url", "http:/example.com\\@127.0.0.1/"))

test_bypass_bare_ideographic_dots if count(rules({}, call("host", "127。0。0。1"))) > 0

test_bypass_ipv6_without_brackets if count(rules({}, call("url", "http://::1/"))) > 0

test_bypass_metadata_mapped_into_ipv6 if count(rules({}, call("url", "http://[::ffff:169.254.169.254]/"))) > 0

test_bypass_nul_in_the_host if denied("egress/unreadable", call("url", "http://127.0.0.1\u0000.example.com/"))

test_pass_html if passes(call("text", "<a href=\"https://example.com\">ada@example.com</a>"))

test_pass_url_then_address if passes(call("text", "See https://example.com or write to ada@example.com"))

test_bypass_bar_before_an_at if denied("egress/userinfo", call("url", "https://example.com|@127.0.0.1/"))

test_pass_slack_link if passes(call("text", "see <https://s3.example.com|the bucket>"))

test_pass_markdown_link_of_a_url if passes(call("text", "[https://s3.example.io](https://s3.example.io), (https://s3.example.io)"))
