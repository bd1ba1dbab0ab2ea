"""The kinds of secrets whose templates may be looked at while rules are written.

The half of a kind follows from its id.
"""

from __future__ import annotations

TOKENS: dict[str, tuple[str, str]] = {
    "github-classic": ("GITHUB_TOKEN", "ghp_<<crc30>>"),
    "github-oauth": ("GH_OAUTH_TOKEN", "gho_<<crc30>>"),
    "github-server": ("GH_APP_TOKEN", "ghs_<<crc30>>"),
    "github-refresh": ("GITHUB_REFRESH_TOKEN", "ghr_<<crc30>>"),
    "gitlab-pat": ("GITLAB_TOKEN", "glpat-<<bu20>>"),
    "gitlab-pat-routable": ("GITLAB_TOKEN", "glpat-<<glr>>"),
    "gitlab-pipeline-trigger": ("TRIGGER_TOKEN", "glptt-<<hex40>>"),
    "gitlab-runner": ("RUNNER_TOKEN", "glrt-<<bu20>>"),
    "gitlab-runner-registration": ("REGISTRATION_TOKEN", "GR1348941<<bu20>>"),
    "gitlab-deploy": ("CI_DEPLOY_PASSWORD", "gldt-<<bu20>>"),
    "gitlab-feed": ("GITLAB_FEED_TOKEN", "glft-<<bu20>>"),
    "gitlab-agent": ("KAS_TOKEN", "glagent-<<bu50>>"),
    "gitlab-oauth-secret": ("GITLAB_CLIENT_SECRET", "gloas-<<hex64>>"),
    "aws-bedrock": ("AWS_BEARER_TOKEN_BEDROCK", "ABSK<<noise96>>"),
    "google-oauth-access": ("ACCESS_TOKEN", "ya29.a0<<bu140-180>>"),
    "azure-client-secret": ("AZURE_CLIENT_SECRET", "<<an3>>8Q~<<pwu34>>"),
    "stripe-webhook": ("STRIPE_WEBHOOK_SECRET", "whsec_<<an32>>"),
    "slack-legacy": ("SLACK_TOKEN", "xoxs-<<nz1>><<dig10>>-<<nz1>><<dig10>>-<<nz1>><<dig10>>-<<hex10>>"),
    "slack-config-refresh": ("SLACK_CONFIG_REFRESH", "xoxe-1-<<an146>>"),
    "openai-admin": ("OPENAI_ADMIN_KEY", "sk-admin-<<bu58>>T3BlbkFJ<<bu57>>A"),
    "anthropic-api": ("ANTHROPIC_API_KEY", "sk-ant-api03-<<bu93>>AA"),
    "anthropic-oauth": ("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-<<bu93>>AA"),
    "replicate": ("REPLICATE_API_TOKEN", "r8_<<an37>>"),
    "nvidia-nim": ("NVIDIA_API_KEY", "nvapi-<<bu64>>"),
    "elevenlabs": ("ELEVENLABS_API_KEY", "sk_<<hex48>>"),
    "pinecone": ("PINECONE_API_KEY", "pcsk_<<an6>>_<<an63>>"),
    "langfuse": ("LANGFUSE_SECRET_KEY", "sk-lf-<<uuid>>"),
    "tavily": ("TAVILY_API_KEY", "tvly-dev-<<an32>>"),
    "firecrawl": ("FIRECRAWL_API_KEY", "fc-<<hex32>>"),
    "digitalocean-oauth": ("DO_OAUTH_TOKEN", "doo_v1_<<hex64>>"),
    "cloudflare-origin-ca": ("CF_ORIGIN_CA_KEY", "v1.0-<<hex24>>-<<hex146>>"),
    "newrelic-license": ("NEW_RELIC_LICENSE_KEY", "<<hex36>>NRAL"),
    "sentry-org": ("SENTRY_AUTH_TOKEN", "sntrys_<<sentry>>_<<bs43>>"),
    "telegram-bot": ("TELEGRAM_BOT_TOKEN", "<<nz1>><<dig9>>:AA<<bu33>>"),
    "shopify-admin": ("SHOPIFY_ACCESS_TOKEN", "shpat_<<hex32>>"),
    "shopify-private": ("SHOPIFY_API_PASSWORD", "shppa_<<hex32>>"),
    "shopify-shared": ("SHOPIFY_API_SECRET", "shpss_<<hex32>>"),
    "square-access": ("SQUARE_ACCESS_TOKEN", "EAAA<<bu60>>"),
    "square-oauth-secret": ("SQUARE_APPLICATION_SECRET", "sq0csp-<<bu43>>"),
    "plaid-access": ("PLAID_ACCESS_TOKEN", "access-production-<<uuid>>"),
    "airtable-pat": ("AIRTABLE_TOKEN", "pat<<an14>>.<<hex64>>"),
    "postman": ("POSTMAN_API_KEY", "PMAK-<<hex24>>-<<hex34>>"),
    "doppler-personal": ("DOPPLER_TOKEN", "dp.pt.<<an43>>"),
    "doppler-service": ("DOPPLER_TOKEN", "dp.st.prd.<<an43>>"),
    "vault-service": ("VAULT_TOKEN", "hvs.<<bu95>>"),
    "rubygems": ("GEM_HOST_API_KEY", "rubygems_<<hex48>>"),
    "crates-io": ("CARGO_REGISTRY_TOKEN", "cio<<an32>>"),
    "supabase-access": ("SUPABASE_ACCESS_TOKEN", "sbp_<<hex40>>"),
    "supabase-secret": ("SUPABASE_SECRET_KEY", "sb_secret_<<bu22>>_<<bu8>>"),
    "supabase-service-role": ("SUPABASE_SERVICE_ROLE_KEY", "<<jwt_supabase>>"),
    "netlify": ("NETLIFY_AUTH_TOKEN", "nfp_<<an36>>"),
    "render": ("RENDER_API_KEY", "rnd_<<an28>>"),
    "launchdarkly-sdk": ("LAUNCHDARKLY_SDK_KEY", "sdk-<<uuid>>"),
    "launchdarkly-api": ("LAUNCHDARKLY_ACCESS_TOKEN", "api-<<uuid>>"),
    "dropbox-short": ("DROPBOX_TOKEN", "sl.<<bu130-140>>"),
    "flutterwave": ("FLW_SECRET_KEY", "FLWSECK-<<hex32>>-X"),
    "dynatrace": ("DT_API_TOKEN", "dt0c01.<<bt24>>.<<bt64>>"),
    "artifactory-api": ("ARTIFACTORY_API_KEY", "AKCp<<an69>>"),
    "buildkite": ("BUILDKITE_API_TOKEN", "bkua_<<hex40>>"),
    "scalingo": ("SCALINGO_API_TOKEN", "tk-us-<<bu48>>"),
    "age-identity": ("AGE_KEY", "<<age>>"),
    "jwt-hmac": ("ACCESS_TOKEN", "<<jwt>>"),
    "posthog-personal": ("POSTHOG_PERSONAL_API_KEY", "phx_<<an43>>"),
    "clojars": ("CLOJARS_PASSWORD", "CLOJARS_<<hex60>>"),
    "infracost": ("INFRACOST_API_KEY", "ico-<<an32>>"),
    "adafruit-io": ("ADAFRUIT_IO_KEY", "aio_<<an28>>"),
    "ionic": ("IONIC_TOKEN", "ion_<<an42>>"),
    "github-installation-jwt": ("GITHUB_TOKEN", "ghs_<<nz1>><<dig6>>_<<jwt>>"),
    "authress": ("AUTHRESS_KEY", "sc_<<low14>>.<<low4>>.acc_<<low14>>.<<bu43>>"),
    "dnkey": ("DEFINED_API_KEY", "dnkey-<<low26>>-<<low52>>"),
    "fortytwo": ("FT_SECRET", "s-s4t2ud-<<hex64>>"),
    "canva-secret": ("CANVA_CLIENT_SECRET", "cnvca<<an45>>"),
    "kimi": ("KIMI_API_KEY", "sk-kimi-<<an64>>"),
    "phpass": ("USER_PASS_HASH", "$P$B<<an30>>"),
}
"""Recognisable by themselves: id, the usual name of the setting, the value."""

NAMED: dict[str, tuple[str, str]] = {
    "aws-secret-key": ("AWS_SECRET_ACCESS_KEY", "<<bs40>>"),
    "aws-session-token": ("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2Vj<<bs300-360>>"),
    "azure-storage-key": ("AZURE_STORAGE_KEY", "<<noise64>>"),
    "cohere": ("COHERE_API_KEY", "<<an40>>"),
    "mistral": ("MISTRAL_API_KEY", "<<an32>>"),
    "deepgram": ("DEEPGRAM_API_KEY", "<<hex40>>"),
    "cloudflare-api-token": ("CLOUDFLARE_API_TOKEN", "<<bu40>>"),
    "datadog-api-key": ("DD_API_KEY", "<<hex32>>"),
    "datadog-app-key": ("DD_APP_KEY", "<<hex40>>"),
    "pagerduty": ("PAGERDUTY_API_KEY", "u+<<an18>>"),
    "snowflake-password": ("SNOWFLAKE_PASSWORD", "<<pw20>>"),
    "auth0-client-secret": ("AUTH0_CLIENT_SECRET", "<<bu64>>"),
    "box-client-secret": ("BOX_CLIENT_SECRET", "<<an32>>"),
    "zoom-client-secret": ("ZOOM_CLIENT_SECRET", "<<an32>>"),
    "zendesk": ("ZENDESK_API_TOKEN", "<<an40>>"),
    "algolia-admin": ("ALGOLIA_ADMIN_API_KEY", "<<hex32>>"),
    "intercom": ("INTERCOM_ACCESS_TOKEN", "dG9rO<<bs55>>="),
    "asana-pat": ("ASANA_ACCESS_TOKEN", "1/<<nz1>><<dig15>>:<<hex32>>"),
    "django-secret-key": ("SECRET_KEY", "<<pw50>>"),
    "generic-password": ("DB_PASSWORD", "<<pw16>>"),
    "generic-password-human": ("ADMIN_PASSWORD", "<<human>>"),
    "heroku-uuid": ("HEROKU_API_KEY", "<<uuid>>"),
    "facebook-app-secret": ("FACEBOOK_APP_SECRET", "<<hex32>>"),
    "twitch-client-secret": ("TWITCH_CLIENT_SECRET", "<<low30>>"),
    "spotify-client-secret": ("SPOTIFY_CLIENT_SECRET", "<<hex32>>"),
    "smtp-password": ("SMTP_PASSWORD", "<<pw14>>"),
    "keystore-password": ("KEYSTORE_PASSWORD", "<<human>>"),
}
"""Told only by the name beside them: id, that name, the value."""

MEMBERS: dict[str, tuple[str, str]] = {
    "member-api-key": ("apiKey", "<<an32>>"),
    "member-access-token": ("access_token", "<<hex40>>"),
    "member-passphrase": ("passphrase", "<<human>>"),
    "member-private-token": ("private_token", "<<an20>>"),
}
"""Values told only by the name of the JSON member they stand in: id, that name, the value."""

TEMPLATES: dict[str, tuple[str, ...]] = {
    "azure-storage-connection": (
        (
            "<|DefaultEndpointsProtocol=https;AccountName=<<az12>>;AccountKey=[["
            "<<noise64>>]];EndpointSuffix=core.windows.net|>"
        ),
    ),
    "azure-service-bus": (
        (
            "<|Endpoint=sb://<<az10>>.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;"
            "SharedAccessKey=[[<<noise32>>]]|>"
        ),
    ),
    "azure-sas-url": (
        (
            "<|https://<<az12>>.blob.core.windows.net/exports/report.csv?sv=2023-11-03&st=2024-05-01T00%3A00"
            "%3A00Z&se=2025-05-01T00%3A00%3A00Z&sr=b&sp=r&sig=[[<<bs43>>%3D]]|>"
        ),
    ),
    "azure-cosmos": ("<|AccountEndpoint=https://<<az10>>.documents.azure.com:443/;AccountKey=[[<<noise64>>]];|>",),
    "azure-function-key": ("<|https://<<az10>>.azurewebsites.net/api/ingest?code=[[<<bu54>>==]]|>",),
    "aws-presigned": (
        (
            "<|https://<<az9>>.s3.amazonaws.com/backup.tar?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential"
            "=[[ASIA<<bt16>>]]%2F20250211%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20250211T101500Z&X-Amz-"
            "Expires=900&X-Amz-Signature=<<hex64>>|>"
        ),
    ),
    "discord-webhook": (
        "<|https://discord.com/api/webhooks/[[<<nz1>><<dig18>>/<<bu68>>]]|>",
        "<|https://discordapp.com/api/webhooks/[[<<nz1>><<dig17>>/<<bu68>>]]|>",
    ),
    "teams-webhook": (
        "<|https://<<az9>>.webhook.office.com/webhookb2/[[<<uuid>>@<<uuid>>/IncomingWebhook/<<hex32>>/<<uuid>>]]|>",
    ),
    "zapier-webhook": ("<|https://hooks.zapier.com/hooks/catch/[[<<nz1>><<dig6>>/<<low7>>]]/|>",),
    "pem-pkcs8": ("[[<<pem_pkcs>>]]\n",),
    "pem-ed25519": ("[[<<pem_ed>>]]\n",),
    "pem-dsa": ("[[<<pem_dsa>>]]\n",),
    "pgp-private": ("[[<<pgp>>]]\n",),
    "pem-one-line": ('TLS_PRIVATE_KEY="[[<<pem_pkcs_escaped>>]]"',),
    "putty-ppk": ("[[<<ppk>>]]\n",),
    "mysql-url": ("<|mysql://<<user>>:[[<<pwu16>>]]@<<host>>:3306/<<word>>|>",),
    "redis-url": (
        "REDIS_URL=<|redis://:[[<<pwu24>>]]@<<host>>:6379/0|>",
        "<|rediss://default:[[<<an32>>]]@<<host>>:6380|>",
    ),
    "amqp-url": ("CELERY_BROKER_URL=<|amqp://<<user>>:[[<<pwu18>>]]@<<host>>:5672/prod|>",),
    "jdbc-url": (
        "<|jdbc:postgresql://<<host>>:5432/<<word>>?user=<<user>>&password=[[<<pwu16>>]]|>",
        "<|jdbc:mysql://<<host>>/<<word>>?user=<<user>>&password=[[<<an16>>]]&useSSL=true|>",
    ),
    "jdbc-sqlserver": (
        "<|jdbc:sqlserver://<<host>>:1433;databaseName=<<word>>;user=<<user>>;password=[[<<pwu16>>]];encrypt=true|>",
    ),
    "odbc-string": (
        (
            "<|Driver={ODBC Driver 18 for SQL Server};Server=tcp:<<host>>,1433;Database=<<word>>;Uid="
            "<<user>>;Pwd=[[<<pwu18>>]];Encrypt=yes;|>"
        ),
    ),
    "ftp-url": (
        "<|ftp://<<user>>:[[<<pwu12>>]]@<<host>>/incoming|>",
        "<|sftp://<<user>>:[[<<pwu14>>]]@<<host>>:2222/|>",
    ),
    "ldap-bind": (
        "bind_dn = cn=svc,dc=<<word>>,dc=net\nbind_password = [[<<pw16>>]]\n",
        "ldapsearch -x -H ldaps://<<host>> -D cn=admin,dc=<<word>> -w '[[<<pw14>>]]' -b dc=<<word>>",
    ),
    "netrc": (
        "machine <<host>>\n  login <<user>>\n  password [[<<pwu20>>]]\n",
        "machine api.<<word>>.io login <<user>> password [[<<an24>>]]",
    ),
    "htpasswd-apr1": ("<|<<user>>:[[$apr1$<<an8>>$<<an22>>]]|>",),
    "htpasswd-bcrypt": ("<|<<user>>:[[$2y$10$<<an53>>]]|>",),
    "pgpass": ("<|<<host>>:5432:<<word>>:<<user>>:[[<<an20>>]]|>",),
    "docker-config-auth": (
        '{"auths":{"https://index.docker.io/v1/":{"auth":"[[<<basic>>]]"}}}',
        '{\n  "auths": {\n    "registry.<<word>>.io": {\n      "auth": "[[<<basic>>]]"\n    }\n  }\n}',
    ),
    "npmrc-legacy": (
        "//registry.<<word>>.dev/:_authToken=[[<<uuid>>]]",
        "registry=https://npm.<<word>>.io/\n_auth=[[<<basic>>]]\nalways-auth=true\n",
    ),
    "pypirc": ("[pypi]\nusername = <<user>>\npassword = [[<<pw18>>]]\n",),
    "git-credentials": ("<|https://<<user>>:[[<<hex40>>]]@github.com|>",),
    "bearer-opaque": (
        "Authorization: Bearer [[<<an64>>]]",
        "curl -H 'Authorization: Bearer [[<<bu48>>]]' https://<<host>>/v1/me",
    ),
    "basic-header": (
        "Authorization: Basic [[<<basic>>]]",
        "'Authorization': 'Basic [[<<basic>>]]'",
    ),
    "x-api-key-header": (
        "X-Api-Key: [[<<an36>>]]",
        'curl -s -H "x-api-key: [[<<hex32>>]]" https://<<host>>/v1/items',
    ),
    "token-header": (
        "Authorization: Token [[<<hex40>>]]",
        "X-Auth-Token: [[<<bu32>>]]",
    ),
    "csrf-and-sid": ("Set-Cookie: connect.sid=[[s%3A<<bu32>>.<<an43>>]]; Path=/; HttpOnly",),
    "cli-password-flag": (
        "mysqldump -h <<host>> -u <<user>> --password=[[<<pwu16>>]] <<word>>",
        "sshpass -p '[[<<pw14>>]]' ssh <<user>>@<<host>>",
        "psql-tool --user <<user>> --password [[<<pwu16>>]] --host <<host>>",
    ),
    "cli-token-flag": (
        "deployctl push --api-key [[<<an40>>]] --env prod",
        "helm login --token=[[<<hex40>>]] <<host>>",
    ),
    "docker-login": ("docker login -u <<user>> -p [[<<pwu20>>]] registry.<<word>>.io",),
    "url-query-token": (
        "<|https://<<host>>/feed?access_token=[[<<hex40>>]]&limit=20|>",
        "GET /v1/search?api_key=[[<<an32>>]]&q=weather HTTP/1.1",
    ),
    "password-german": ("Passwort: [[<<pw14>>]]", "Das Kennwort ist [[<<pw14>>]]\n"),
    "password-foreign": (
        "contraseña: [[<<pw14>>]]",
        "mot de passe : [[<<pw14>>]]",
        "пароль: [[<<pw14>>]]",
        "密码：[[<<pw14>>]]",  # noqa: RUF001 - the colon that is used there
        "パスワードは [[<<pw14>>]]",
    ),
    "terraform-variable": (
        'variable "db_password" {\n  type    = string\n  default = "[[<<pw16>>]]"\n}',
        'db_password = "[[<<pw18>>]]"\n',
    ),
    "web-config": (
        (
            '<add name="Main" connectionString="<|Data Source=<<host>>;Initial Catalog=<<word>>;User ID='
            '<<user>>;Password=[[<<pwu16>>]]|>" />'
        ),
        '<add key="ApiSecret" value="[[<<an32>>]]" />',
    ),
    "compose-environment": (
        "services:\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: [[<<pw16>>]]\n",
    ),
    "wireguard": ("[Interface]\nPrivateKey = [[<<noise32>>]]\nAddress = 10.8.0.2/32\n",),
    "otp-uri": ("<|otpauth://totp/<<word>>:<<user>>?secret=[[<<bt32>>]]&issuer=<<word>>|>",),
    "s3cmd-config": ("[default]\nhost_base = s3.amazonaws.com\nsecret_key = [[<<bs40>>]]\n",),
    "oauth-token-response": ('{"access_token":"[[<<bu64>>]]","token_type":"Bearer","expires_in":3600}',),
    "maven-settings": (
        (
            "<server>\n  <id>releases</id>\n  <username><<user>></username>\n  <password>[["
            "<<pwu16>>]]</password>\n</server>"
        ),
    ),
    "nats-url": ("<|nats://<<user>>:[[<<pwu18>>]]@<<host>>:4222|>",),
    "elastic-url": ("<|https://elastic:[[<<an24>>]]@<<host>>:9243|>",),
}
"""Told by the text around them: id, and the texts that they come in."""
