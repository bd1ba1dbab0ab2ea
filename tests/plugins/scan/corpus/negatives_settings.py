"""Negatives: placeholders, documented examples, public identifiers, and code that names secrets without holding one."""

# ruff: noqa: E501 - each text stands on its line as it comes, with \n for its line ends

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from plugins.scan.corpus.families import family, templates
from plugins.scan.corpus.making import WORDS, say

if TYPE_CHECKING:
    from random import Random

templates(
    "placeholders-your",
    "API_KEY=YOUR_API_KEY",
    "api_key: your-api-key-here",
    'token = "your_token_here"',
    "export OPENAI_API_KEY=sk-your-key-here",
    "SECRET=replace-me-with-a-secret",
    "password: enter_your_password",
    "GITHUB_TOKEN=ghp_your_token_here",
    'client_secret="YOUR-CLIENT-SECRET"',
    "STRIPE_KEY=sk_test_your_key_here",
    "ANTHROPIC_API_KEY=sk-ant-your-key",
    "-H 'Authorization: Bearer YOUR_ACCESS_TOKEN'",
)
templates(
    "placeholders-angle",
    "Authorization: Bearer <token>",
    "password: <password>",
    "API_TOKEN=<your <<word>> token>",
    "curl -u <user>:<password> https://<<host>>/",
    "postgres://<user>:<password>@<host>:5432/<db>",
    "--api-key <API_KEY>",
    'secret: "<insert secret here>"',
    "mongodb+srv://<username>:<password>@<<word>>.example.mongodb.net/",
)
templates(
    "placeholders-template",
    "PASSWORD=${DB_PASSWORD}",
    "token: {{ secrets.<<word>>_token }}",
    "api_key: ${{ secrets.API_KEY }}",
    "DATABASE_URL=postgres://${DB_USER}:${DB_PASS}@${DB_HOST}:5432/app",
    "password: {{ .Values.db.password | quote }}",
    "secret = var.<<word>>_secret",
    "Authorization: Bearer $TOKEN",
    "<%= ENV['SECRET_KEY_BASE'] %>",
    "password=%(DB_PASSWORD)s",
    "token: !vault secret/<<word>>#token",
    "--password=$(cat /run/secrets/db)",
    'api_key = "@@API_KEY@@"',
    "redis://:${REDIS_PASSWORD}@<<host>>:6379/0",
    "password: ENC[file:/etc/keys]",
    "key: op://vault/<<word>>/credential",
    "token: ref+vault://secret/<<word>>",
)
templates(
    "placeholders-filled",
    "password: changeme",
    "API_KEY=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "token: ********",
    "secret: XXXX-XXXX-XXXX",
    "password=password",
    "api_key: '0000000000000000000000000000000000000000'",
    "SECRET_KEY=secret",
    "TOKEN=...",
    "auth_token: TODO",
    "password: null",
    'password: ""',
    "api_token: none",
    "client_secret: [REDACTED]",
    "AWS_SECRET_ACCESS_KEY=****************************************",
    "token = 'abc123'",
    "password: hidden",
    "GH_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "OPENAI_API_KEY=sk-...",
    "slack: xoxb-xxxxxxxxxxxx-xxxxxxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx",
    "SG.xxxxxxxxxxxxxxxxxxxxxx.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
)
templates(
    "aws-documentation",
    "aws_access_key_id = AKIA" + "IOSFODNN7EXAMPLE",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY",
    "The key ID AKIA" + "I44QH8DHBEXAMPLE belongs to the second example user.",
    "[default]\naws_access_key_id=AKIA"
    "IOSFODNN7EXAMPLE\naws_secret_access_key=wJalrXUtnFEMI/K7MDENG/"
    "bPxRfiCYEXAMPLEKEY\nregion=<<az2>>-east-1",
)
templates(
    "redacted-output",
    "token: ghp_****************************<<an4>>",
    "password=[redacted]",
    "Using key sk-...<<an4>>",
    "Authorization: Bearer ***",
    "api key ending in <<an4>>",
    "[redacted:github-pat:<<hex4>>]",
    "secret: (sensitive value)",
    "db_password = (sensitive)",
    "AWS_SECRET_ACCESS_KEY: '***'",
    "::add-mask::***",
)
templates(
    "reads-environment",
    'api_key = os.environ["<<word>>_API_KEY"]',
    "const token = process.env.GITHUB_TOKEN;",
    'password := os.Getenv("DB_PASSWORD")',
    'String secret = System.getenv("CLIENT_SECRET");',
    "password = ENV.fetch('DB_PASSWORD')",
    'let key = std::env::var("API_KEY")?;',
    "$token = getenv('API_TOKEN');",
    "SECRET_KEY = config('SECRET_KEY')",
    'token = keyring.get_password("<<word>>", user)',
    "api_key=settings.api_key,",
    "client = Client(api_key=args.api_key, token=token)",
    'password = getpass.getpass("Password: ")',
    'secret = client.get_secret_value(SecretId="prod/<<word>>")["SecretString"]',
    "const apiKey = await keychain.getPassword(service, account);",
    repeat=(1, 3),
)
templates(
    "code-about-secrets",
    "def check_password(password: str, hashed: bytes) -> bool:\n    return bcrypt.checkpw(password.encode(), hashed)\n",
    'class TokenResponse(BaseModel):\n    access_token: str\n    token_type: str = "bearer"\n    expires_in: int\n',
    "if (!user.passwordHash || user.passwordResetToken !== token) {\n  throw new UnauthorizedError('invalid token');\n}\n",
    "func (c *Client) SetToken(token string) { c.token = token }\n",
    "interface Credentials {\n  username: string;\n  password: string;\n  apiKey?: string;\n}\n",
    "private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)\n",
    "token = secrets.token_urlsafe(32)\npassword = generate_password(length=24)\n",
    "SELECT id, password_hash, api_key_id FROM users WHERE reset_token = $1;",
    "assert response.json()['token'] == expected_token",
    "password_field = driver.find_element(By.ID, 'password-input-field')",
    "self.secret_manager_client = SecretManagerServiceClient()",
    "const passwordValidator = createPasswordValidator({ minLength: 12 });",
)
templates(
    "regexes-for-secrets",
    "TOKEN = re.compile(r'ghp_[A-Za-z0-9]{36}')",
    "/AKIA[0-9A-Z]{16}/",
    "pattern: 'sk-ant-[a-zA-Z0-9_-]{95}'",
    "xox[baprs]-[0-9]{10,12}-[0-9a-zA-Z]{24}",
    "grep -rE 'password\\s*=\\s*.+' .",
    "-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "^eyJ[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$",
)
templates(
    "prose-about-secrets",
    "Never commit your API keys. Store the token in the environment variable <<word>>_TOKEN and rotate it every 90 days.",
    "To create a password reset token, open Settings > Security and choose Tokens. The secret is shown once.",
    "A JSON Web Token has three parts: header, payload and signature, each base64url without padding.",
    "The password must be at least 12 characters long and hold a digit, an upper case letter and a symbol.",
    "GitHub tokens begin with ghp_, gho_, ghu_, ghs_ or ghr_, and end in a checksum.",
    "What is the difference between an access token and a refresh token? The secret key signs; the public key verifies.",
    "The password: it must never be shared, said <<word>>.",
    "Passwords are hashed with bcrypt; the salt is part of the hash.",
    "Use `Authorization: Bearer` followed by the token that the login endpoint returned.",
    "Anthropic keys start with sk-ant- and OpenAI project keys with sk-proj-; neither belongs into a prompt.",
)
templates(
    "public-site-keys",
    '<div class="g-recaptcha" data-sitekey="6Le<<bu37>>"></div>',
    "gtag('config', 'G-<<up10>>');",
    "ga('create', 'UA-<<dig8>>-1', 'auto');",
    "GTM-<<up7>>",
    "hcaptcha site key: <<uuid>>",
    '<meta name="google-site-verification" content="<<bu43>>" />',
    'data-turnstile-sitekey="0x4AAAAAAA<<bu14>>"',
    "fbq('init', '<<dig15>>');",
)
templates(
    "publishable-keys",
    "const stripe = Stripe('pk_live_<<an24>>');",
    "STRIPE_PUBLISHABLE_KEY=pk_test_51<<an97>>",
    "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=pk_test_<<an44>>",
    "mapboxgl.accessToken = 'pk.eyJ1Ijoi<<bu60>>.<<bu22>>';",
    "NEXT_PUBLIC_SUPABASE_URL=https://<<az20>>.supabase.co",
    "posthog.init('phc_<<an43>>')",
    "SUPABASE_PUBLISHABLE_KEY=sb_publishable_<<bu22>>_<<bu8>>",
    "square application id: sq0idp-<<bu22>>",
)
templates(
    "public-dsns",
    "Sentry.init({ dsn: 'https://<<hex32>>@o<<dig6>>.ingest.sentry.io/<<dig7>>' });",
    "SENTRY_DSN=https://<<hex32>>@sentry.<<word>>.io/4",
)
templates(
    "client-ids",
    "client_id: <<uuid>>",
    "GOOGLE_CLIENT_ID=<<dig12>>-<<low32>>.apps.googleusercontent.com",
    "AZURE_TENANT_ID=<<uuid>>\nAZURE_CLIENT_ID=<<uuid>>",
    "oauth_client_id = Iv1.<<hex16>>",
    "TWILIO_ACCOUNT_SID=AC<<hex32>>",
    "key_id: <<hexu16>>",
    "kid: <<bu22>>",
    "public_key_fingerprint: <<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>",
    "aws_account_id: <<dig12>>",
    "cloudflare zone_id = <<hex32>>",
)
templates(
    "secret-paths-and-names",
    "secretName: <<word>>-tls\nsecretKeyRef:\n  name: <<word>>\n  key: password",
    "tls_key_file: /etc/ssl/private/<<word>>.key",
    "password_file: /run/secrets/<<word>>_password",
    "vault kv get -field=password secret/<<word>>",
    "TOKEN_PATH=/var/run/secrets/kubernetes.io/serviceaccount/token",
    "kubectl create secret generic <<word>> --from-file=key.json",
    "credentials_provider: <<word>>",
    "token_endpoint: https://<<host>>/oauth2/token",
    "token_type: Bearer",
    "secret_rotation_days: 90",
    "max_tokens: 4096",
    "password_policy: strict",
    "tokenizer: cl100k_base",
    "pad_token: '<pad>'",
    "keyboard: us-international",
    "primary_key: customer_id",
    "sort_key: created_at",
    "api_key_header: X-Api-Key",
    "token_url: https://login.example.com/<<uuid>>/v2.0/token",
    "foreign_key: fk_<<word>>_<<word>>",
)
templates(
    "connection-strings-without-secret",
    "postgres://localhost:5432/<<word>>",
    "redis://<<host>>:6379/0",
    "mongodb://localhost:27017/<<word>>",
    "jdbc:postgresql://<<host>>/<<word>>?ssl=true",
    "Server=<<host>>;Database=<<word>>;Integrated Security=true;",
    "amqp://<<host>>:5672/",
    "git@github.com:<<word>>/<<word>>.git",
    "ssh://git@<<host>>:22/<<word>>.git",
    "https://<<user>>@<<host>>/<<word>>/",
    "postgres://user:password@localhost:5432/db",
    "mysql://root:root@127.0.0.1:3306/test",
    "postgresql://postgres:postgres@localhost/postgres",
)
templates(
    "i18n",
    '{"login.password.label": "Passwort", "login.password.hint": "Mindestens zwölf Zeichen", "login.submit": "Anmelden"}',
    'password: "Mot de passe"\npassword_confirmation: "Confirmez le mot de passe"\ntoken_expired: "Votre jeton a expiré"',
    'msgid "Password"\nmsgstr "Contraseña"\n\nmsgid "API token"\nmsgstr "Token de la API"',
    '<string name="password_hint">パスワードを入力してください</string>',
    '"apiKey": "Clé d\u2019API", "secret": "Clé secrète", "token": "Jeton d\u2019accès"',
)
templates(
    "form-html",
    '<label for="pw">Password</label><input type="password" id="pw" name="password" autocomplete="current-password" required>',
    '<input type="hidden" name="authenticity_token" value="">',
    '<a href="/password/reset">Forgot your password?</a>',
    '<input name="api_key" placeholder="Paste your API key here" minlength="32">',
)
templates(
    "openapi-security",
    "securitySchemes:\n  ApiKeyAuth:\n    type: apiKey\n    in: header\n    name: X-API-Key\n  BearerAuth:\n    type: http\n    scheme: bearer\n    bearerFormat: JWT",
    '"parameters": [{"name": "access_token", "in": "query", "required": true, "schema": {"type": "string"}}]',
)
templates(
    "password-errors",
    'FATAL: password authentication failed for user "<<user>>"',
    "remote: Invalid username or password.",
    "401 Unauthorized: token expired at 2025-03-14T09:26:53Z",
    "Error: Bad credentials (secret not found in vault path secret/<<word>>)",
    "WARN: password for <<user>> will expire in <<nz1>> days",
    "error: invalid api key provided",
    "The security token included in the request is invalid.",
    "sudo: a password is required",
    "Token refreshed successfully",
    "token=<nil> err=context deadline exceeded",
)
templates(
    "test-fixtures",
    "TEST_PASSWORD = 'test'",
    "const FAKE_TOKEN = 'fake-token';",
    "user = User(password='password123')",
    "monkeypatch.setenv('API_KEY', 'dummy')",
    "auth: { token: 'test-token' }",
    "api_key='example-key'",
    "expect(login('alice', 'wrong-password')).rejects.toThrow()",
    "self.client.login(username='admin', password='admin')",
    "mock_secret = 'mock-secret-value'",
    "PASSWORD=example",
    "--from-literal=password=test",
)


@family
def schema_with_password(random: Random) -> dict[str, object]:
    return {"type": "object", "title": random.choice(WORDS), "required": ["username", "password"], "properties": {
        "username": {"type": "string"}, "password": {"type": "string", "format": "password", "minLength": 12},
        "api_key": {"type": "string", "description": "The API key, 32 hexadecimal digits."},
        "token": {"$ref": "#/definitions/token"}, "secret": {"type": ["string", "null"], "default": None}}}  # fmt: skip


@family
def empty_credentials(random: Random) -> dict[str, object]:
    return {"user": random.choice(WORDS), "password": random.choice(("", None, "********", "<hidden>", "${PASSWORD}")),
            "token": None, "api_key": random.choice(("", "YOUR_API_KEY", "***")), "has_secret": True, "tokens": 512}  # fmt: skip


@family
def usage_counters(random: Random) -> dict[str, object]:
    used = random.randrange(10**4)
    return {
        "usage": {"prompt_tokens": used, "completion_tokens": 17, "total_tokens": used + 17},
        "stop": "end_turn",
        "token_limit": "200000",
    }


@family
def encoded_placeholder(random: Random) -> str:
    text = random.choice(("API_KEY=YOUR_API_KEY", "password: changeme", "TOKEN=${TOKEN}", "secret=<your secret>"))
    return base64.b64encode(f"# {random.choice(WORDS)}\n{text}\n".encode()).decode()


@family
def kubernetes_manifest(random: Random) -> str:
    return say(random, "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: <<word>>\nspec:\n  template:\n    spec:\n      containers:\n"
               "      - name: app\n        image: <<word>>:1.<<dig1>>\n        env:\n        - name: DB_PASSWORD\n          valueFrom:\n"
               "            secretKeyRef:\n              name: <<word>>-db\n              key: password\n")  # fmt: skip


@family
def github_workflow(random: Random) -> str:
    return say(random, "on: push\njobs:\n  build:\n    steps:\n    - uses: actions/checkout@<<hex40>> # v4\n"
               "    - run: make deploy\n      env:\n        TOKEN: ${{ secrets.GITHUB_TOKEN }}\n        KEY: ${{ secrets.<<word>>_KEY }}\n")  # fmt: skip


@family
def package_manifest(random: Random) -> str:
    word = random.choice(WORDS)
    dependencies = {"jsonwebtoken": "^9.0.2", "passport": "^0.7.0", "dotenv": "^16.4.5", word: "^1.0.0"}
    return json.dumps(
        {"name": word, "version": "1.2.3", "scripts": {"test": "jest"}, "dependencies": dependencies}, indent=2
    )
