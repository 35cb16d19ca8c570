"""Secrets in HashiCorp Vault, or OpenBao: its KV store, version 2. https://developer.hashicorp.com/vault/api-docs"""

import hvac
import hvac.exceptions

from scriza.kernel.errors import Forbidden, NotFound, Unavailable

_SECONDS = 5.0


class Vault:
    """Logs in once, when it is first read from: by a token, or as an AppRole. It blocks: it is for the start."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        role_id: str = "",
        secret_id: str = "",
        namespace: str = "",
        ca_file: str = "",
    ) -> None:
        self._url, self._role = url, (role_id, secret_id)
        self._client = hvac.Client(url, token, namespace=namespace or None, verify=ca_file or True, timeout=_SECONDS)
        self._logged_in = bool(token)

    def read(self, mount: str, path: str, field: str) -> str:
        """One field of a secret. Raises Unavailable, Forbidden, NotFound; none tells more than where it is."""
        place = f"{mount}/{path}"
        try:
            self._log_in()
            found = self._client.secrets.kv.v2.read_secret_version(
                path, mount_point=mount, raise_on_deleted_version=True
            )
            value = found["data"]["data"].get(field)
        except hvac.exceptions.InvalidPath:
            raise NotFound(f"Vault has no {place}") from None
        except (hvac.exceptions.Forbidden, hvac.exceptions.Unauthorized, hvac.exceptions.InvalidRequest):
            raise Forbidden(f"Vault does not let Scriza read {place}: look at its role and policy") from None
        except (hvac.exceptions.VaultError, OSError, ValueError, KeyError, TypeError):
            raise Unavailable(f"Vault at {self._url} does not answer as it should: is it up, and unsealed?") from None
        if not isinstance(value, str):
            raise NotFound(f"{place} in Vault has no field {field}")
        return value

    def _log_in(self) -> None:
        if not self._logged_in:
            role_id, secret_id = self._role
            self._client.auth.approle.login(role_id, secret_id)
            self._logged_in = True
