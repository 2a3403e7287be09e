"""Every environment variable that Osiris reads, once: name, default, meaning.

`docs/settings.md` and `template.yaml` are checked against this table. AWS's own variables (region,
credentials, endpoints) are here only for the lean transport; boto3 reads them itself.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Setting(NamedTuple):
    """One variable: a number when its default is one; required when it has none."""

    variable: str
    default: str | int | None
    meaning: str


class SettingMissing(Exception):
    """A required variable is not set, or one has a value that can't be read; it says which."""


class Settings(NamedTuple):
    """The settings, read. A text is empty where a variable that nobody needs here is not set."""

    keys_table: str
    ledger_table: str
    usage_table: str
    orders_table: str
    catalogue_table: str
    secrets_path: str
    rate_limit: int
    open_requests_max: int
    hold_lapse_ms: int
    keep_alive_ms: int
    upstream_silence_ms: int
    deadline_margin_ms: int
    oidc_issuer: str
    oidc_audience: str
    oidc_jwks_url: str
    oidc_authorize_url: str
    oidc_token_url: str
    oidc_logout_url: str
    oidc_client_secret: str
    site_url: str
    trial_amount: str
    trial_days: int
    packages: str
    qris_provider: str
    crypto_provider: str
    provider_urls: str
    quote_minutes: int
    er_api_url: str
    frankfurter_url: str
    rate_margin_percent: str
    rate_difference_percent: str
    rate_age_hours: int
    balance_low: str
    mail_from: str
    support_contact: str
    region: str
    endpoint_url: str
    dynamodb_endpoint_url: str
    ssm_endpoint_url: str
    access_key_id: str
    secret_access_key: str
    session_token: str


SETTINGS: dict[str, Setting] = {
    "keys_table": Setting("OSIRIS_KEYS_TABLE", None, "Table of keys and accounts."),
    "ledger_table": Setting("OSIRIS_LEDGER_TABLE", None, "Table of ledger entries."),
    "usage_table": Setting("OSIRIS_USAGE_TABLE", None, "Table of hourly usage rollups."),
    "orders_table": Setting("OSIRIS_ORDERS_TABLE", None, "Table of orders, payments and events."),
    "catalogue_table": Setting(
        "OSIRIS_CATALOGUE_TABLE", None, "Table of models, rates and lists of coins."
    ),
    "secrets_path": Setting(
        "OSIRIS_SECRETS_PATH",
        "/osiris",
        "Path of the SSM SecureString parameters: upstreams' API keys, payment providers' secrets.",
    ),
    "rate_limit": Setting("OSIRIS_RATE_LIMIT", 40, "Requests a minute of a new key."),
    "open_requests_max": Setting(
        "OSIRIS_OPEN_REQUESTS_MAX", 40, "Requests of one key that may be open at once."
    ),
    "hold_lapse_ms": Setting(
        "OSIRIS_HOLD_LAPSE_MS",
        960000,
        "Age at which a hold has lost its function: Lambda's longest run and a minute.",
    ),
    "keep_alive_ms": Setting(
        "OSIRIS_KEEP_ALIVE_MS",
        15000,
        "Silence of the upstream after which a stream gets a comment, so that nobody hangs up.",
    ),
    "upstream_silence_ms": Setting(
        "OSIRIS_UPSTREAM_SILENCE_MS",
        270000,
        "Silence of the upstream that ends a request; below API Gateway's five idle minutes.",
    ),
    "deadline_margin_ms": Setting(
        "OSIRIS_DEADLINE_MARGIN_MS",
        30000,
        "How long before the function's end an answer is cut, to be charged and ended properly.",
    ),
    "oidc_issuer": Setting("OSIRIS_OIDC_ISSUER", None, "Issuer that sign-in tokens must name."),
    "oidc_audience": Setting("OSIRIS_OIDC_AUDIENCE", None, "Audience that they must be meant for."),
    "oidc_jwks_url": Setting("OSIRIS_OIDC_JWKS_URL", None, "Where the issuer's keys are read."),
    "oidc_authorize_url": Setting(
        "OSIRIS_OIDC_AUTHORIZE_URL", None, "Where the issuer signs people in."
    ),
    "oidc_token_url": Setting(
        "OSIRIS_OIDC_TOKEN_URL", None, "Where it gives a token for a sign-in's code."
    ),
    "oidc_logout_url": Setting(
        "OSIRIS_OIDC_LOGOUT_URL", "", "Where it signs people out; empty signs out here alone."
    ),
    "oidc_client_secret": Setting(
        "OSIRIS_OIDC_CLIENT_SECRET",
        "",
        "Name of the secret that the issuer knows us by; empty is a public client with PKCE alone.",
    ),
    "site_url": Setting(
        "OSIRIS_SITE_URL",
        "",
        "Where browsers find the pages, such as https://osiris.example; empty: the URL called.",
    ),
    "trial_amount": Setting(
        "OSIRIS_TRIAL_AMOUNT", "0", "Dollars of credit of a trial key; 0 means no trials."
    ),
    "trial_days": Setting("OSIRIS_TRIAL_DAYS", 7, "Days after which a trial's credit expires."),
    "packages": Setting(
        "OSIRIS_PACKAGES", "100 250 500 1000 2500", "Packages on sale, in whole dollars up to 5000."
    ),
    "qris_provider": Setting(
        "OSIRIS_QRIS_PROVIDER", "midtrans", "Who takes QRIS: a module of osiris.payments, or none."
    ),
    "crypto_provider": Setting(
        "OSIRIS_CRYPTO_PROVIDER", "nowpayments", "Who takes crypto: a module as above, or none."
    ),
    "provider_urls": Setting(
        "OSIRIS_PROVIDER_URLS",
        "",
        "Other base URLs of payment providers, such as a sandbox's: name=https://… with spaces.",
    ),
    "quote_minutes": Setting(
        "OSIRIS_QUOTE_MINUTES", 20, "Minutes for which a quote can be paid at its price."
    ),
    "er_api_url": Setting(
        "OSIRIS_ER_API_URL", "https://open.er-api.com", "First source of the rupiah's rate."
    ),
    "frankfurter_url": Setting(
        "OSIRIS_FRANKFURTER_URL", "https://api.frankfurter.dev", "Second source of it."
    ),
    "rate_margin_percent": Setting(
        "OSIRIS_RATE_MARGIN_PERCENT", "0", "What the operator adds to the rate, in percent."
    ),
    "rate_difference_percent": Setting(
        "OSIRIS_RATE_DIFFERENCE_PERCENT",
        "3",
        "How far the sources may be apart, in percent, before QRIS stops.",
    ),
    "rate_age_hours": Setting(
        "OSIRIS_RATE_AGE_HOURS", 72, "Age at which a source's rate is not relied on any more."
    ),
    "balance_low": Setting(
        "OSIRIS_BALANCE_LOW", "5", "Dollars below which a key's owner is told by an event."
    ),
    "mail_from": Setting(
        "OSIRIS_MAIL_FROM",
        "",
        "Sender of mails to keys' owners. Without one none are sent, and no addresses are kept.",
    ),
    "support_contact": Setting(
        "OSIRIS_SUPPORT_CONTACT",
        "",
        "Where people write to: an e-mail address, or a page's https URL. It stands on every page.",
    ),
    "region": Setting("AWS_REGION", None, "AWS's: the region. Lambda sets it."),
    "endpoint_url": Setting("AWS_ENDPOINT_URL", "", "AWS's: another endpoint for all services."),
    "dynamodb_endpoint_url": Setting(
        "AWS_ENDPOINT_URL_DYNAMODB", "", "AWS's: another endpoint for DynamoDB."
    ),
    "ssm_endpoint_url": Setting("AWS_ENDPOINT_URL_SSM", "", "AWS's: another endpoint for SSM."),
    "access_key_id": Setting("AWS_ACCESS_KEY_ID", "", "AWS's: credentials. Lambda sets them."),
    "secret_access_key": Setting("AWS_SECRET_ACCESS_KEY", "", "AWS's: credentials."),
    "session_token": Setting("AWS_SESSION_TOKEN", "", "AWS's: credentials."),
}


def from_environ(environ: Mapping[str, str], *, needs: Iterable[str]) -> Settings:
    """The settings of an environment; `needs` names the required fields that the caller uses.

    Raises SettingMissing for a needed variable that is not set, and for a number that is none.
    """
    needed = frozenset(needs)
    return Settings(**{field: _read(field, environ, needed) for field in SETTINGS})  # type: ignore[arg-type]


def _read(field: str, environ: Mapping[str, str], needed: frozenset[str]) -> str | int:
    setting = SETTINGS[field]
    text = environ.get(setting.variable)
    if not text:
        if setting.default is None and field in needed:
            raise SettingMissing(f"{setting.variable} is not set. It is: {setting.meaning}")
        return "" if setting.default is None else setting.default
    if not isinstance(setting.default, int):
        return text
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise SettingMissing(f"{setting.variable} must be a whole number above 0, not {text!r}.")
    return int(text)
