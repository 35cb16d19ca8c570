"""Time-based one-time passwords (RFC 6238) as a second factor, and the recovery codes beside them."""

import hashlib
import secrets
from datetime import datetime

import pyotp

_STEP_SECONDS = 30
_RECOVERY_CODES = 10
_RECOVERY_DIGITS = 10


def new_secret() -> str:
    """160 random bits, in base 32."""
    return pyotp.random_base32()


def uri(secret: str, email: str) -> str:
    """What an authenticator's QR code holds."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name="Scriza")


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step that the code is of, the present one or a neighbour, for slow hands and clocks; else none.

    A step is good once: who takes the code remembers it.
    """
    present = int(now.timestamp()) // _STEP_SECONDS
    steps = (present, present - 1, present + 1)
    totp = pyotp.TOTP(secret)
    return next((step for step in steps if _same(totp.generate_otp(step), code.strip())), None)


def _same(code: str, given: str) -> bool:
    """As bytes: texts are compared in constant time only where they are ASCII."""
    return secrets.compare_digest(code.encode(), given.encode())


def new_recovery_codes() -> list[str]:
    """Each is good once in the place of a code: ``1234567890``."""
    return [f"{secrets.randbelow(10**_RECOVERY_DIGITS):0{_RECOVERY_DIGITS}}" for _ in range(_RECOVERY_CODES)]


def recovery_digest(user_id: str, code: str) -> str:
    """What is kept of a recovery code. Few try, since guesses are counted, so that a plain digest will do."""
    return hashlib.sha256(f"{user_id}\n{code.replace(' ', '')}".encode()).hexdigest()
