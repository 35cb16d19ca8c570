"""Where secrets are read from that settings only point at."""

from pydantic import BaseModel, Field, SecretStr

from scriza.settings.kinds import HttpUrl


class Vault(BaseModel):
    """HashiCorp Vault, or OpenBao."""

    vault_url: HttpUrl = Field("", description="Where Vault answers; `vault:MOUNT/PATH#FIELD` is read there (KV v2).")
    vault_role_id: str = Field("", description="The AppRole that Scriza logs in as.")
    vault_secret_id: SecretStr = Field(SecretStr(""), description="The AppRole's secret id.")
    vault_token: SecretStr = Field(SecretStr(""), description="A token, for who has no AppRole.")
    vault_namespace: str = Field("", description="The namespace, where Vault has several.")
    vault_ca_file: str = Field("", description="A file of the authority that has signed Vault's certificate.")
