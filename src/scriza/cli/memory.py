"""``scriza memory``: what a running Scriza knows of somebody who calls, and how it forgets them."""

import argparse
import asyncio
from collections.abc import Iterator

from scriza import data_dir, logs
from scriza.cli.target import target_of
from scriza.kernel.errors import Unavailable
from scriza.kernel.principal import Principal, acting
from scriza.kernel.scopes import ALL
from scriza.ports.memory import CallerMemory, Erasure, Memory, Remembered
from scriza.settings import load
from scriza.wire import connect, disconnect

_LOOK_SECONDS = 0.5


def run(told: argparse.Namespace) -> int:
    """Show or forget; 1 when the proof did not come in time. Raises what the other side raises, and Unavailable."""
    settings = load()
    logs.configure(settings.log, "error")
    secrets = data_dir.secrets_of(settings, data_dir.prepare(settings.data_dir))
    target = target_of(told.to, settings)
    with acting(Principal(subject="scriza memory", scopes=frozenset({ALL}))):
        if told.act == "show":
            lines = shown(asyncio.run(_ask(target, secrets.service_token, told.number)))
            print("\n".join(lines))
            return 0
        erasure = asyncio.run(_forget(target, secrets.service_token, told.number, told.wait))
    print("\n".join(proven(erasure)))
    return 0 if erasure.done else 1


def shown(known: CallerMemory) -> Iterator[str]:
    """What is known of a caller, for people."""
    if not known.calls and not known.known:
        yield "Nothing is known of this number."
        return
    last = f", the last on {known.last_call_at:%Y-%m-%d %H:%M}" if known.last_call_at else ""
    yield f"{_counted(known.calls, 'call')}{last}"
    if known.last_summary:
        yield f"  {known.last_summary}"
    yield from (f"  {_told(item)}" for item in known.known)


def proven(erasure: Erasure) -> Iterator[str]:
    """How far an erasure is, by module."""
    for part in erasure.modules:
        counts = ", ".join(
            f"{number} {kind.replace('_', ' ')}" for kind, number in sorted(part.erased.items()) if number
        )
        yield f"{part.module:<10} {(counts or 'had nothing') if part.state == 'done' else 'not done yet'}"
    if erasure.done:
        yield f"Everything about this number is erased ({erasure.erasure_id})."
    else:
        yield "The rest is erased when it can be: what lives when it has ended, what is being made when it is made."
        yield f"Ask again by GET /api/v1/memory/erasures/{erasure.erasure_id}"


def _told(item: Remembered) -> str:
    source = "put right by the team" if item.corrected else f"call {item.call_id}, turn {item.turn}"
    return f"{item.kind:<8} {item.name}: {item.text}  ({source})"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


async def _ask(target: str, token: str, number: str) -> CallerMemory:
    memory = connect(Memory, target, token=token)
    try:
        return await memory.caller(number)
    except Unavailable as error:
        raise Unavailable(f"{target}: {error.detail}") from error
    finally:
        await disconnect(memory)


async def _forget(target: str, token: str, number: str, wait_seconds: int) -> Erasure:
    """Forget, and wait for the proof, but not for ever: a call that lives is erased when it has ended."""
    memory = connect(Memory, target, token=token)
    loop = asyncio.get_running_loop()
    try:
        erasure = await memory.forget(number)
        until = loop.time() + wait_seconds
        while not erasure.done and loop.time() < until:
            await asyncio.sleep(_LOOK_SECONDS)
            erasure = await memory.erasure(erasure.erasure_id)
        return erasure
    except Unavailable as error:
        raise Unavailable(f"{target}: {error.detail}") from error
    finally:
        await disconnect(memory)
