"""What people are written, in plain text; of ASCII, so that the raw letter can be read too."""

from scriza.ports.accounts import Role
from scriza.ports.mail import Letter


def invitation(to: str, role: Role, token: str, url: str) -> Letter:
    """An invitation."""
    text = f"""Hello,

you are invited to Scriza at {url}, as {role}.

To take the invitation, give a name and a password together with this token, within seven days:

    {token}

By the API: POST {url}/api/v1/auth/signup {{"token": ..., "name": ..., "password": ...}}

If you do not know what this is about, nothing happens when you do nothing.
"""
    return Letter(to, "You are invited to Scriza", text)


def reset(to: str, token: str, url: str) -> Letter:
    """A new password."""
    text = f"""Hello,

somebody, probably you, has asked for a new password at {url}.

To set one, give it together with this token, once, within ten minutes:

    {token}

By the API: POST {url}/api/v1/auth/reset/confirm {{"token": ..., "password": ...}}

If it was not you, nothing happens when you do nothing: your password is still good.
"""
    return Letter(to, "A new password for Scriza", text)


def password_changed(to: str, url: str) -> Letter:
    """For whom it was not."""
    text = f"""Hello,

the password of your account at {url} was changed, and all sessions were ended.

If it was not you, ask for a new password at once, and tell your administrator.
"""
    return Letter(to, "Your password was changed", text)
