"""``scriza user create``: make somebody an account at a running Scriza, the first one above all."""

import argparse
import asyncio
import getpass
import sys

from scriza import data_dir, logs
from scriza.cli.target import target_of
from scriza.kernel.errors import BadInput, Unavailable
from scriza.kernel.principal import Principal, acting
from scriza.kernel.scopes import ALL
from scriza.ports.accounts import Accounts, Invite, SignIn, SignUp
from scriza.settings import load
from scriza.wire import connect, disconnect


def run(told: argparse.Namespace) -> int:
    """Make the account. Raises what the other side raises, and Unavailable when there is none."""
    settings = load()
    logs.configure(settings.log, "error")
    secrets = data_dir.secrets_of(settings, data_dir.prepare(settings.data_dir))
    target = target_of(told.to, settings)
    password = _password(from_input=told.password_stdin)
    with acting(Principal(subject="scriza user", scopes=frozenset({ALL}))):
        asyncio.run(_create(target, secrets.service_token, Invite(told.email, told.role), told.name, password))
    print(f"{told.email} is {told.role} and can log in at {target}.")
    return 0


def _password(*, from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise BadInput("the two passwords are not the same")
    return password


async def _create(target: str, token: str, invite: Invite, name: str, password: str) -> None:
    """Invite, and take the invitation at once."""
    accounts, sign_in = connect(Accounts, target, token=token), connect(SignIn, target, token=token)
    try:
        invitation = await accounts.invite(invite)
        await sign_in.sign_up(SignUp(invitation.token, name or invite.email.partition("@")[0], password))
    except Unavailable as error:
        raise Unavailable(f"{target}: {error.detail}") from error
    finally:
        await disconnect(accounts)
        await disconnect(sign_in)
