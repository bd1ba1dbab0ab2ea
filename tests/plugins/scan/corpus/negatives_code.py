"""Negatives that real files showed: code whose names say secret, what tools print, and words of protocols."""

# ruff: noqa: E501 - each text stands on its line as it comes, with \n for its line ends

from __future__ import annotations

from typing import TYPE_CHECKING

from plugins.scan.corpus.families import family, templates
from plugins.scan.corpus.making import say

if TYPE_CHECKING:
    from random import Random

templates(
    "code-members",
    "username = parsed.username\npassword = parsed.password\n",
    "self._username = to_bytes(username)\nself._password = to_bytes(password)\n",
    "password = getpass.getpass('Password of <<word>>: ')",
    "name = messages.StringField(3)\npassword = messages.StringField(4)\n",
    "my ($user, $pass) = $self->_lookup_credentials($user);",
    "$PROXY_PASSWORD = $CPAN::Config->{proxy_pass};",
    "type AccessToken = v1.AccessToken",
    "IdentityToken: cred1.RefreshToken,\nRegistryToken: cred1.AccessToken,",
    "PrivateKey = rust_openssl.hpke.X25519PrivateKey",
    "'WebIdentityToken': web_identity_token,",
    "aws_secret_access_key=layer1.aws_secret_access_key,",
    "privateKeyPassword=key_password)\n\nreturn <<word>>_messages.Export",
    'data["password"] = base64.b64encode(creds.encode("utf-8"))',
    "password = SHA224Password()\npassword.set(value)",
    'print(f"password={password!r}")',
    "user_pass = '%s:%s' % (unquote(user), unquote(password))",
    'LOG.debug("TokenCache.GetToken: key=%s%s present", key, hint)',
)
templates(
    "code-types",
    "type session struct {\n\tName     string\n\tPassword *uint16\n\tSecret   []byte\n\ttoken    []byte\n}",
    "set token [lindex $queue($id) 0]\n",
    "set token [namespace current]::[incr http(uid)]",
    'os.Setenv; cmd.Env = append(cmd.Env, "PWD="+cmd.Dir)',
    'if token == "#bygroup":\n    continue',
    "cred.token = TEST_ANOTHER_DATA_BASE64",
    "#define NL80211_CMD_EXTERNAL_AUTH 127\n#define EAUTH 80\n",
    "NL80211_ATTR_PREAUTH\tNL80211_ATTR_SURVEY_INFO\n",
    "token = 1*tchar ; RFC 9110",
    "s3_host = config.get('Credentials', 's3_host')",
)
templates(
    "tests-that-pass",
    "=== RUN   Test<<word>>\n--- PASS: Test<<word>>/sub_case (0.0<<dig1>>s)\nPASS\nok  \texample.com/<<word>>\t0.412s",
    '{"Action":"output","Test":"Test<<word>>","Output":"    --- PASS: Test<<word>>/127.0.0.1:0 (0.00s)\\\\n"}',
    "PASS: TestWith<<word>>/ipv4\nPASS: test_<<word>>_2\n",
    "SyslogFacility AUTH\nLogLevel DEBUG2\nLoginGraceTime 120\n",
)
templates(
    "hyphens-and-flags",
    "gcloud auth application-default login --scopes=https://www.example.com/auth/<<word>>",
    "uses: docker/login-action@<<hex40>> # v4",
    "--credential-source-file=$PATH_TO_TOKEN --secret-version=projects/<<word>>/secrets/x/versions/latest",
    "lib/<<word>>-password-impl-2.6.0.Final.jar",
    "see oauth-json-web-token-32#section-4.1.3 and token-types#at-lifetime",
    "urn:ietf:params:oauth:token-type:saml2",
    "https://iamcredentials-us-east-1.example.com",
    "$ {command} my-secret --next-rotation-time=2030-01-01",
    "gsutil du -a gs://<<word>>-bucket\n",
    "the instance requires an AUTH string (automatically generated)",
    "Return the uri with the username and password stripped.",
    "Add PSK (pre-shared key) support",
    "**Credentials:**\n- **datasources:** Configure endpoints\n- **files:** Local files\n",
)
templates(
    "documented-oauth",
    "oauth_consumer_key=dpf43f3p2l4k3l03&oauth_token=nnch734d00sl2jdk&oauth_signature=x",
    "Authorization: Bearer h480djs93hd8",
    "token=45ghiukldjahdnhzdauz&token_type_hint=refresh_token",
    'oauth_token="kkk9d7dh3k39sjv7"',
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
)
templates(
    "public-beside-a-secret-s-name",
    "[![codecov](https://codecov.io/gh/acme/<<word>>/graph/badge.svg?token=<<up10>>)](https://codecov.io/gh/acme/<<word>>)",
    "Next page token: <<an24>>\nItems remaining: 0",
    "<ListResult>\n  <NextToken><<bs40>></NextToken>\n</ListResult>",
    "Authorization: AWS4-HMAC-SHA256 Credential=<<word>>/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=<<hex64>>",
    "x-amz-security-token,Signature=<<hex64>>",
    "list:*:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin\nirc:*:39:39:ircd:/run/ircd:/usr/sbin/nologin\n",
)


@family
def _record_of_a_wheel(random: Random) -> str:
    """Digests in base64 for URLs, of which some begin like tokens."""
    starts = ("ak-<<an40>>", "<<bu4>>-fw_<<an35>>", "<<bu20>>EAA<<bu20>>", "<<bu43>>")
    rows = [
        say(random, f"<<word>>/<<word>>.py,sha256={random.choice(starts)},<<nz1>><<dig3>>")
        for _ in range(random.randint(3, 8))
    ]
    return "\n".join(rows) + "\n"


@family
def _binary_as_base64(random: Random) -> str:
    """Binary files are full of zeros, so of As."""
    zeros = "A" * random.randint(60, 110)
    return say(random, f"<<bs40>>{zeros}<<bs60>>\n<<bs60>>{zeros}\n")
