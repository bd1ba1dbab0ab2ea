"""The kinds of secrets whose templates are not to be looked at while rules are written.

The half of a kind follows from its id.
"""

from __future__ import annotations

TOKENS: dict[str, tuple[str, str]] = {
    "github-user": ("GITHUB_USER_TOKEN", "ghu_<<crc30>>"),
    "github-fine-grained": ("GH_TOKEN", "github_pat_11<<up8>>0<<an11>>_<<crc53>>"),
    "npm-token": ("NPM_TOKEN", "npm_<<crc30>>"),
    "gitlab-incoming-mail": ("GITLAB_MAIL_TOKEN", "glimt-<<low25>>"),
    "gitlab-scim": ("SCIM_TOKEN", "glsoat-<<bu20>>"),
    "bitbucket-access": ("BITBUCKET_TOKEN", "ATCTT3xFfGN0<<bu171>>=<<hexu8>>"),
    "bitbucket-app-password": ("BITBUCKET_APP_PASSWORD", "ATBB<<an24>><<hexu8>>"),
    "atlassian-api": ("JIRA_API_TOKEN", "ATATT3xFfGF0<<bu171>>=<<hexu8>>"),
    "aws-access-key": ("AWS_ACCESS_KEY_ID", "AKIA<<bt16>>"),
    "aws-temporary-key": ("AWS_ACCESS_KEY_ID", "ASIA<<bt16>>"),
    "google-api": ("GOOGLE_API_KEY", "AIzaSy<<bu33>>"),
    "google-oauth-secret": ("GOOGLE_CLIENT_SECRET", "GOCSPX-<<bu28>>"),
    "google-refresh": ("GOOGLE_REFRESH_TOKEN", "1//0<<dig1>><<bu97>>"),
    "azure-devops-pat": ("AZURE_DEVOPS_EXT_PAT", "<<an52>>JQQJ99<<an9>>AAAAAAAAAAASAZDO<<an4>>"),
    "stripe-live": ("STRIPE_SECRET_KEY", "sk_live_51<<an97>>"),
    "stripe-live-short": ("STRIPE_API_KEY", "sk_live_<<an24>>"),
    "stripe-test": ("STRIPE_SECRET_KEY", "sk_test_51<<an97>>"),
    "stripe-restricted": ("STRIPE_RESTRICTED_KEY", "rk_live_51<<an97>>"),
    "slack-bot": ("SLACK_BOT_TOKEN", "xoxb-<<nz1>><<dig11>>-<<nz1>><<dig12>>-<<an24>>"),
    "slack-user": ("SLACK_USER_TOKEN", "xoxp-<<nz1>><<dig11>>-<<nz1>><<dig11>>-<<nz1>><<dig12>>-<<hex32>>"),
    "slack-app": ("SLACK_APP_TOKEN", "xapp-1-A<<up10>>-<<nz1>><<dig12>>-<<hex64>>"),
    "openai-legacy": ("OPENAI_API_KEY", "sk-<<an20>>T3BlbkFJ<<an20>>"),
    "openai-project": ("OPENAI_API_KEY", "sk-proj-<<bu74>>T3BlbkFJ<<bu73>>A"),
    "openai-service": ("OPENAI_API_KEY", "sk-svcacct-<<bu74>>T3BlbkFJ<<bu73>>A"),
    "anthropic-admin": ("ANTHROPIC_ADMIN_KEY", "sk-ant-admin01-<<bu93>>AA"),
    "huggingface-user": ("HF_TOKEN", "hf_<<lett34>>"),
    "groq": ("GROQ_API_KEY", "gsk_<<an52>>"),
    "xai": ("XAI_API_KEY", "xai-<<an80>>"),
    "perplexity": ("PERPLEXITY_API_KEY", "pplx-<<an48>>"),
    "openrouter": ("OPENROUTER_API_KEY", "sk-or-v1-<<hex64>>"),
    "cerebras": ("CEREBRAS_API_KEY", "csk-<<low48>>"),
    "langsmith": ("LANGSMITH_API_KEY", "lsv2_pt_<<hex32>>_<<hex10>>"),
    "deepseek": ("DEEPSEEK_API_KEY", "sk-<<hex32>>"),
    "sendgrid": ("SENDGRID_API_KEY", "SG.<<bu22>>.<<bu43>>"),
    "mailgun": ("MAILGUN_API_KEY", "key-<<hex32>>"),
    "mailchimp": ("MAILCHIMP_API_KEY", "<<hex32>>-us<<nz1>>"),
    "mailerlite-brevo": ("BREVO_API_KEY", "xkeysib-<<hex64>>-<<an16>>"),
    "resend": ("RESEND_API_KEY", "re_<<an8>>_<<an24>>"),
    "twilio-api-key": ("TWILIO_API_KEY", "SK<<hex32>>"),
    "digitalocean-pat": ("DIGITALOCEAN_TOKEN", "dop_v1_<<hex64>>"),
    "digitalocean-refresh": ("DO_REFRESH_TOKEN", "dor_v1_<<hex64>>"),
    "heroku-v2": ("HEROKU_API_KEY", "HRKU-AA<<bu58>>"),
    "newrelic-user": ("NEW_RELIC_API_KEY", "NRAK-<<up27>>"),
    "newrelic-insights": ("NEW_RELIC_INSERT_KEY", "NRII-<<bu32>>"),
    "sentry-user": ("SENTRY_AUTH_TOKEN", "sntryu_<<hex64>>"),
    "grafana-service": ("GRAFANA_TOKEN", "glsa_<<an32>>_<<hex8>>"),
    "grafana-cloud": ("GRAFANA_CLOUD_API_KEY", "glc_<<grafana>>"),
    "discord-bot": ("DISCORD_TOKEN", "<<discord>>.<<bu6>>.<<bu38>>"),
    "shopify-custom": ("SHOPIFY_PASSWORD", "shpca_<<hex32>>"),
    "paypal-braintree": ("BRAINTREE_ACCESS_TOKEN", "access_token$production$<<low16>>$<<hex32>>"),
    "linear": ("LINEAR_API_KEY", "lin_api_<<an40>>"),
    "notion-new": ("NOTION_TOKEN", "ntn_<<dig11>><<an35>>"),
    "notion-old": ("NOTION_API_KEY", "secret_<<an43>>"),
    "figma": ("FIGMA_TOKEN", "figd_<<bu40>>"),
    "vault-batch": ("VAULT_TOKEN", "hvb.<<bu140>>"),
    "terraform-cloud": ("TF_TOKEN_app_terraform_io", "<<an14>>.atlasv1.<<an67>>"),
    "pypi": ("TWINE_PASSWORD", "pypi-AgEIcHlwaS5vcmc<<bu150-170>>"),
    "nuget": ("NUGET_API_KEY", "oy2<<low43>>"),
    "docker-hub-pat": ("DOCKERHUB_TOKEN", "dckr_pat_<<bu27>>"),
    "docker-hub-oat": ("DOCKERHUB_TOKEN", "dckr_oat_<<bu32>>"),
    "databricks": ("DATABRICKS_TOKEN", "dapi<<hex32>>"),
    "fly-io": ("FLY_API_TOKEN", "FlyV1 fm2_<<bs300-360>>"),
    "pulumi": ("PULUMI_ACCESS_TOKEN", "pul-<<hex40>>"),
    "hubspot-private-app": ("HUBSPOT_TOKEN", "pat-na1-<<uuid>>"),
    "mapbox-secret": ("MAPBOX_SECRET_TOKEN", "sk.eyJ1Ijoi<<bu60-80>>.<<bu22>>"),
    "planetscale-password": ("DATABASE_PASSWORD", "pscale_pw_<<bu43>>"),
    "planetscale-token": ("PLANETSCALE_SERVICE_TOKEN", "pscale_tkn_<<bu43>>"),
    "easypost": ("EASYPOST_API_KEY", "EZAK<<an54>>"),
    "shippo": ("SHIPPO_TOKEN", "shippo_live_<<hex40>>"),
    "duffel": ("DUFFEL_TOKEN", "duffel_live_<<bu43>>"),
    "frameio": ("FRAMEIO_TOKEN", "fio-u-<<bu64>>"),
    "readme": ("README_API_KEY", "rdme_<<low70>>"),
    "sourcegraph": ("SRC_ACCESS_TOKEN", "sgp_<<hex16>>_<<hex40>>"),
    "tailscale": ("TS_AUTHKEY", "tskey-auth-k<<an12>>CNTRL-<<an32>>"),
    "circleci": ("CIRCLE_TOKEN", "CCIPAT_<<bf22>>_<<hex40>>"),
    "onepassword-service": ("OP_SERVICE_ACCOUNT_TOKEN", "ops_eyJ<<bs250-300>>"),
    "prefect": ("PREFECT_API_KEY", "pnu_<<an36>>"),
    "typeform": ("TYPEFORM_TOKEN", "tfp_<<bu44>>_<<an14>>"),
    "lob": ("LOB_API_KEY", "live_<<hex35>>"),
    "jwt-rsa": ("ID_TOKEN", "<<jwt_rsa>>"),
    "contentful-pat": ("CONTENTFUL_MANAGEMENT_TOKEN", "CFPAT-<<bu43>>"),
    "sonar-user": ("SONAR_TOKEN", "squ_<<hex40>>"),
    "clerk-secret": ("CLERK_SECRET_KEY", "sk_live_<<an42>>"),
    "neon-api": ("NEON_API_KEY", "napi_<<low64>>"),
    "hashicorp-boundary-at": ("BOUNDARY_TOKEN", "at_<<an10>>_s1<<an180>>"),
}
"""Recognisable by themselves: id, the usual name of the setting, the value."""

NAMED: dict[str, tuple[str, str]] = {
    "together-ai": ("TOGETHER_API_KEY", "<<hex64>>"),
    "twilio-auth-token": ("TWILIO_AUTH_TOKEN", "<<hex32>>"),
    "cloudflare-global-key": ("CLOUDFLARE_API_KEY", "<<hex37>>"),
    "fastly": ("FASTLY_API_TOKEN", "<<bu32>>"),
    "vercel": ("VERCEL_TOKEN", "<<an24>>"),
    "railway": ("RAILWAY_TOKEN", "<<uuid>>"),
    "okta": ("OKTA_API_TOKEN", "00<<bu40>>"),
    "rails-master-key": ("RAILS_MASTER_KEY", "<<hex32>>"),
    "jwt-signing-secret": ("JWT_SECRET", "<<noise48>>"),
    "generic-api-key": ("PAYMENTS_API_KEY", "<<an40>>"),
    "generic-secret": ("WEBHOOK_SIGNING_SECRET", "<<bu43>>"),
    "generic-token": ("SERVICE_AUTH_TOKEN", "<<hex40>>"),
    "generic-encryption-key": ("ENCRYPTION_KEY", "<<noise32>>"),
    "wandb": ("WANDB_API_KEY", "<<hex40>>"),
    "plaid-secret": ("PLAID_SECRET", "<<hex30>>"),
    "twitter-consumer-secret": ("TWITTER_API_SECRET", "<<an50>>"),
}
"""Told only by the name beside them: id, that name, the value."""

MEMBERS: dict[str, tuple[str, str]] = {
    "member-password": ("password", "<<pw16>>"),
    "member-client-secret": ("client_secret", "<<bu40>>"),
    "member-authorization": ("Authorization", "Bearer [[<<bu48>>]]"),
    "member-secret-key": ("secretAccessKey", "<<bs40>>"),
}
"""Values told only by the name of the JSON member they stand in: id, that name, the value."""

TEMPLATES: dict[str, tuple[str, ...]] = {
    "aws-credentials-file": (
        "[default]\naws_secret_access_key = [[<<bs40>>]]\nregion = eu-west-1\n",
        "[prod]\naws_secret_access_key=[[<<bs40>>]]\noutput=json\n",
    ),
    "gcp-service-account": (
        (
            '{\n  "type": "service_account",\n  "project_id": "<<word>>-prod",\n  "private_key_id": "'
            '<<hex40>>",\n  "private_key": "[[<<pem_pkcs_escaped>>]]",\n  "client_email": "ci@'
            '<<word>>-prod.iam.gserviceaccount.com",\n  "client_id": "1<<dig20>>"\n}'
        ),
    ),
    "slack-webhook": ("<|https://hooks.slack.com/services/[[T<<up10>>/B<<up10>>/<<an24>>]]|>",),
    "slack-workflow": ("<|https://hooks.slack.com/workflows/[[T<<up10>>/A<<up10>>/<<nz1>><<dig17>>/<<an24>>]]|>",),
    "google-chat-webhook": (
        "<|https://chat.googleapis.com/v1/spaces/AAAA<<bu7>>/messages?key=[[AIzaSy<<bu33>>]]&token=<<bu43>>%3D|>",
    ),
    "pem-rsa": ("[[<<pem_rsa>>]]\n",),
    "pem-ec": ("[[<<pem_ec>>]]\n",),
    "pem-encrypted": ("[[<<pem_encrypted>>]]\n",),
    "pem-legacy-encrypted": ("[[<<pem_legacy>>]]\n",),
    "pem-openssh": ("[[<<pem_ssh>>]]\n",),
    "postgres-url": (
        "DATABASE_URL=<|postgres://<<user>>:[[<<pwu18>>]]@<<host>>:5432/<<word>>|>",
        "<|postgresql://<<user>>:[[<<pwu14>>]]@<<host>>/<<word>>?sslmode=require|>",
    ),
    "postgres-async-url": (
        "SQLALCHEMY_DATABASE_URI = '<|postgresql+asyncpg://<<user>>:[[<<pwu20>>]]@<<host>>:6432/<<word>>|>'",
    ),
    "mongodb-url": (
        "MONGO_URI=<|mongodb+srv://<<user>>:[[<<pwu18>>]]@<<word>>.ab1cd.mongodb.net/?retryWrites=true|>",
        "<|mongodb://<<user>>:[[<<pwu16>>]]@<<host>>:27017/<<word>>|>",
    ),
    "ado-net-string": (
        "<|Server=<<host>>;Database=<<word>>;User Id=<<user>>;Password=[[<<pwu16>>]];TrustServerCertificate=True|>",
    ),
    "libpq-dsn": ("<|host=<<host>> port=5432 dbname=<<word>> user=<<user>> password=[[<<pwu16>>]]|>",),
    "basic-auth-url": (
        "git clone <|https://<<user>>:[[<<an24>>]]@git.<<word>>.dev/team/repo.git|>",
        "<|https://<<user>>:[[<<pwu16>>]]@<<host>>/api/v2/export|>",
    ),
    "shadow-sha512": ("<|<<user>>:[[$6$<<an16>>$<<an86>>]]|>:19700:0:99999:7:::",),
    "kubeconfig-token": (
        "apiVersion: v1\nkind: Config\nusers:\n- name: <<user>>\n  user:\n    token: [[<<jwt_rsa>>]]\n",
    ),
    "kubeconfig-client-key": (
        (
            "apiVersion: v1\nkind: Config\nusers:\n- name: "
            "<<user>>\n  user:\n    client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1J"
            "<<bs200>>\n    client-key-data: [[<<pem_coded>>]]\n"
        ),
    ),
    "kubernetes-secret": (
        (
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: <<word>>-db\ntype: Opaque\ndata:\n  password: [["
            "<<pw_coded>>]]\n"
        ),
    ),
    "session-cookie": (
        "Cookie: theme=dark; sessionid=[[<<low32>>]]; lang=en",
        "Set-Cookie: session=[[<<bu86>>]]; HttpOnly; Secure; SameSite=Lax",
    ),
    "php-session": ("Cookie: PHPSESSID=[[<<low26>>]]; lang=en",),
    "curl-user": (
        "curl -u <<user>>:[[<<pwu18>>]] https://<<host>>/health",
        "curl --user '<<user>>:[[<<pw16>>]]' -X POST https://<<host>>/jobs",
    ),
    "mysql-cnf": ("[client]\nuser=<<user>>\npassword=[[<<pw16>>]]\nhost=<<host>>\n",),
    "ansible-vars": (
        "ansible_user: <<user>>\nansible_become_password: [[<<pw14>>]]\n",
        "ansible_ssh_pass=[[<<pw14>>]]",
    ),
    "spring-properties": ("spring.datasource.username=<<user>>\nspring.datasource.password=[[<<pw16>>]]\n",),
    "wordpress-config": (
        "define( 'DB_PASSWORD', '[[<<pw16>>]]' );",
        "define('AUTH_KEY',         '[[<<pw64>>]]');",
    ),
    "rails-database-yml": ("production:\n  adapter: postgresql\n  username: <<user>>\n  password: [[<<pw16>>]]\n",),
    "sql-create-user": (
        "CREATE USER '<<user>>'@'%' IDENTIFIED BY '[[<<pw16>>]]';",
        "ALTER ROLE <<user>> WITH LOGIN PASSWORD '[[<<pw16>>]]';",
    ),
    "prose-password": (
        "The password for <<user>> is [[<<pw14>>]]",
        "Login with user <<user>> and password: [[<<human>>]]",
    ),
    "ssh-config-wifi": ('network={\n  ssid="office"\n  psk="[[<<pw16>>]]"\n}',),
    "ethereum-private-key": (
        "PRIVATE_KEY=[[0x<<hex64>>]]",
        'const privateKey = "[[0x<<hex64>>]]";',
    ),
    "oauth-client-json": (
        (
            '{"web":{"client_id":"<<dig12>>-<<low32>>.apps.googleusercontent.com","client_secret":"[[GOCSPX-'
            '<<bu28>>]]","redirect_uris":["http://localhost"]}}'
        ),
    ),
    "oauth-form-body": ("grant_type=client_credentials&client_id=<<word>>-web&client_secret=[[<<an40>>]]&scope=read",),
    "gradle-properties": ("nexusUsername=<<user>>\nnexusPassword=[[<<pw16>>]]\nsigning.keyId=<<hexu8>>\n",),
    "sentry-legacy-dsn": ("SENTRY_DSN=<|https://<<hex32>>:[[<<hex32>>]]@sentry.<<word>>.io/42|>",),
    "cloudinary-url": ("CLOUDINARY_URL=<|cloudinary://<<dig15>>:[[<<bu27>>]]@<<word>>|>",),
    "proxy-url": ("export HTTPS_PROXY=<|http://<<user>>:[[<<pwu14>>]]@<<host>>:3128|>",),
}
"""Told by the text around them: id, and the texts that they come in."""
