"""``scriza calls``: stop all calls of a running Scriza at once, or take them up again."""

import argparse
import asyncio

from scriza import data_dir, logs
from scriza.cli.target import target_of
from scriza.kernel.errors import Unavailable
from scriza.kernel.principal import Principal, acting
from scriza.ports.call_desk import CallDesk, Switch
from scriza.settings import load
from scriza.wire import connect, disconnect


def run(told: argparse.Namespace) -> int:
    """Turn the switch and say how it stands. Raises what the other side raises, and Unavailable when there is none."""
    settings = load()
    logs.configure(settings.log, "error")
    secrets = data_dir.secrets_of(settings, data_dir.prepare(settings.data_dir))
    target = target_of(told.to, settings)
    with acting(Principal(subject="scriza calls", scopes=frozenset({"*"}))):
        switch = asyncio.run(_turn(target, secrets.service_token, stop=told.act == "stop"))
    print(_said(switch))
    return 0


async def _turn(target: str, token: str, *, stop: bool) -> Switch:
    desk = connect(CallDesk, target, token=token)
    try:
        return await (desk.stop() if stop else desk.resume())
    except Unavailable as error:
        raise Unavailable(f"{target}: {error.detail}") from error
    finally:
        await disconnect(desk)


def _said(switch: Switch) -> str:
    if switch.stopped:
        return (
            "All calls are stopped: live ones say goodbye within seconds, new ones hear a line and are hung up.\n"
            "Take them up again with `scriza calls resume`."
        )
    return "Calls are taken and placed."
