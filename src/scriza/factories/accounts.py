"""Who may use Scriza."""

import re
from pathlib import Path
from typing import NamedTuple

from scriza.data_dir import Secrets
from scriza.kernel.errors import UpstreamFailed
from scriza.modules.accounts.api_keys import Keys
from scriza.modules.accounts.audit import Audit
from scriza.modules.accounts.external import External
from scriza.modules.accounts.factors import Factors
from scriza.modules.accounts.one_time import OneTime
from scriza.modules.accounts.passwords import Passwords
from scriza.modules.accounts.sealing import Seal
from scriza.modules.accounts.service import AccountsService
from scriza.modules.accounts.sessions import Sessions
from scriza.modules.accounts.sign_in import SignInService
from scriza.modules.accounts.signing import Signing
from scriza.modules.accounts.stored import (
    MongoAuditBook,
    MongoKeyBook,
    MongoOneTimeBook,
    MongoSessionBook,
    MongoSignerBook,
    MongoUserBook,
)
from scriza.ports.credit import UsageBook
from scriza.ports.identity_provider import IdentityProvider
from scriza.ports.mail import Mail
from scriza.ports.shared_state import SharedState
from scriza.settings import BadSettings, Settings
from scriza_adapters.identity_http import IdentityHttp
from scriza_adapters.mail_folder import FolderMail
from scriza_adapters.mongo.store import MongoStore
from scriza_adapters.oidc import GitHub, OidcProvider, check_url

_ISSUERS = {"google": "https://accounts.google.com"}
_PROVIDER = re.compile(r"([a-z][a-z0-9-]{0,31})=([^:\s]+):(\S+?)(?:@(https?://\S+))?")


class AccountsHere(NamedTuple):
    """The module in this process: its two ports stand on the same books."""

    sign_in: SignInService
    accounts: AccountsService


def accounts(
    settings: Settings,
    secrets: Secrets,
    store: MongoStore,
    state: SharedState,
    letters: Mail,
    usage: UsageBook,
    identity_http: IdentityHttp,
) -> AccountsHere:
    """Both ports of the module; `usage` tells people what credit their workspace has."""

    async def balance() -> int:
        return (await usage.credit()).balance

    users, one_time, passwords = MongoUserBook(store), OneTime(MongoOneTimeBook(store)), Passwords()
    seal, url = Seal(secrets.accounts_key), settings.public_url
    external = External(identity_providers(settings, identity_http), one_time, seal)
    audit_book = MongoAuditBook(store)
    audit = Audit(audit_book)
    signing = Signing(MongoSignerBook(store), seal, url)
    sessions = Sessions(MongoSessionBook(store), users, signing, state, audit)
    factors = Factors(users, seal)
    return AccountsHere(
        SignInService(users, sessions, one_time, passwords, factors, signing, letters, state, audit, external, url=url),
        AccountsService(
            *(users, sessions, one_time, passwords, factors, signing, Keys(MongoKeyBook(store)), letters),
            audit,
            audit_book,
            external,
            url=url,
            balance=balance,
        ),
    )


def mail(settings: Settings, data_dir: Path) -> Mail:
    """By the mail server that is set, else a folder."""
    url = settings.mail_url.get_secret_value()
    if not url:
        return FolderMail(data_dir / "mail", settings.mail_from)
    from scriza_adapters.mail_smtp import SmtpMail

    try:
        return SmtpMail(url, settings.mail_from)
    except ValueError as error:
        raise BadSettings(f"SCRIZA_MAIL_URL: {error}") from error


def identity_providers(settings: Settings, http: IdentityHttp) -> dict[str, IdentityProvider]:
    """By their names, as the log-in asks for them. Raises BadSettings, which shows no secret."""
    redirect_uri = f"{settings.public_url}/console/callback"
    providers: dict[str, IdentityProvider] = {}
    for number, entry in enumerate(
        filter(None, map(str.strip, settings.oidc_providers.get_secret_value().split(","))), 1
    ):
        found = _PROVIDER.fullmatch(entry)
        if found is None:
            raise BadSettings(
                f"SCRIZA_OIDC_PROVIDERS: entry {number} is not NAME=CLIENT_ID:CLIENT_SECRET[@https://ISSUER]"
            )
        name, client_id, client_secret, issuer = found.groups("")
        if name in providers:
            raise BadSettings(f"SCRIZA_OIDC_PROVIDERS: {name} is there twice")
        if name == "github" and not issuer:
            providers[name] = GitHub(client_id, client_secret, redirect_uri, http)
            continue
        issuer = issuer or _ISSUERS.get(name, "")
        try:
            check_url(issuer)
        except UpstreamFailed as error:
            raise BadSettings(f"SCRIZA_OIDC_PROVIDERS: {name} needs @https://ISSUER behind its secret") from error
        providers[name] = OidcProvider(issuer, client_id, client_secret, redirect_uri, http)
    return providers
