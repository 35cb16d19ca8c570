"""A person's second factor: begun, confirmed, answered, removed."""

import msgspec

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import Conflict, Forbidden
from scriza.modules.accounts import second_factor
from scriza.modules.accounts.books import UserBook, UserRecord
from scriza.modules.accounts.sealing import Seal
from scriza.ports.accounts import FactorSecret

replaced = msgspec.structs.replace


class Factors:
    """Keeps authenticators' secrets sealed, and takes each code once."""

    def __init__(self, users: UserBook, seal: Seal, clock: WallClock = utc_now) -> None:
        self._users = users
        self._seal = seal
        self._clock = clock

    async def begin(self, user: UserRecord) -> FactorSecret:
        """A new secret, not yet in force. Raises Conflict when there is one in force."""
        if user.factor_confirmed:
            raise Conflict("there is a second factor: remove it first")
        secret = second_factor.new_secret()
        await self._change(user, replaced(user, factor=self._seal.seal(secret.encode(), user.user_id)))
        return FactorSecret(secret, second_factor.uri(secret, user.email))

    async def confirm(self, user: UserRecord, code: str) -> list[str]:
        """Put it in force; returns the recovery codes. Raises Conflict when nothing was begun, Forbidden."""
        if user.factor_confirmed or not user.factor:
            raise Conflict("no second factor was begun")
        step = self._step(user, code)
        if step is None:
            raise Forbidden("the code is not right")
        codes = second_factor.new_recovery_codes()
        digests = [second_factor.recovery_digest(user.user_id, code) for code in codes]
        await self._change(user, replaced(user, factor_confirmed=True, factor_step=step, recovery=digests))
        return codes

    async def remove(self, user: UserRecord, code: str) -> None:
        """Go without. Raises Conflict when there is none, Forbidden."""
        if not user.factor_confirmed:
            raise Conflict("there is no second factor")
        if not await self.take(user, code):
            raise Forbidden("the code is not right")
        present = await self._users.by_id(user.user_id)
        assert present is not None, "who has just proven who they are is there"
        await self._change(present, replaced(present, factor=b"", factor_confirmed=False, recovery=[]))

    async def take(self, user: UserRecord, code: str) -> bool:
        """Whether the code is right, and this the first time that it is used."""
        step = self._step(user, code)
        if step is not None:
            return step > user.factor_step and await self._users.change(user, replaced(user, factor_step=step))
        digest = second_factor.recovery_digest(user.user_id, code)
        if digest not in user.recovery:
            return False
        left = [kept for kept in user.recovery if kept != digest]
        return await self._users.change(user, replaced(user, recovery=left))

    def _step(self, user: UserRecord, code: str) -> int | None:
        secret = self._seal.open(user.factor, user.user_id).decode()
        return second_factor.step_of(secret, code, self._clock())

    async def _change(self, old: UserRecord, new: UserRecord) -> None:
        if not await self._users.change(old, new):
            raise Conflict("the account has just been changed: try again")
