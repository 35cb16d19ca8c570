"""People: their accounts, and how they are written to."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from scriza.settings.kinds import mail_address


class People(BaseModel):
    """People."""

    accounts_key: SecretStr = Field(
        SecretStr(""),
        description="Seals signing keys and authenticators' secrets in the store; empty makes one in the data "
        "directory. With another one, everybody has to log in again and to set up their second factor anew.",
    )
    oidc_providers: SecretStr = Field(
        SecretStr(""),
        description="Who else may tell who people are, separated by commas: `google=CLIENT_ID:CLIENT_SECRET`, "
        "`github=CLIENT_ID:CLIENT_SECRET`, and any OpenID Connect provider as "
        "`NAME=CLIENT_ID:CLIENT_SECRET@https://ISSUER`. Each is told the redirect URI "
        "`SCRIZA_PUBLIC_URL/console/callback`.",
    )
    mail_url: SecretStr = Field(
        SecretStr(""),
        description="A mail server, `smtp://USER:PASSWORD@HOST:587` or `smtps://HOST:465`; empty writes letters into "
        "the folder `mail` of the data directory.",
    )
    mail_from: Annotated[str, AfterValidator(mail_address)] = Field(
        "scriza@localhost", description="Whom letters are from."
    )
