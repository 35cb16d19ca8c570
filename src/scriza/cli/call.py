"""``scriza call``: a simulated phone calls a running Scriza, or is called, over the real protocol and in real time."""

import argparse
import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from scriza import data_dir, logs
from scriza.cli.conversation import Conversation, summary
from scriza.cli.target import target_of
from scriza.data_dir import Secrets
from scriza.kernel.errors import Unavailable
from scriza.kernel.principal import Principal, acting
from scriza.ports.call_desk import CallDesk, PlaceCall
from scriza.ports.telephony import Telephony
from scriza.settings import SIMULATED_ACCOUNT, SIMULATED_CARRIER_URL, Settings, load
from scriza.simulator.options import Options
from scriza.simulator.report import CallOutcome
from scriza.simulator.scenario import Scenario, shipped
from scriza.simulator.scenario import load as load_scenario
from scriza.simulator.simulator import Simulator
from scriza.wire import connect, disconnect
from scriza_adapters.espeak.engine import EspeakVoice, espeak_worker

SAMPLE = "sample"
NOT_AS_IT_SHOULD_BE = 1


def run(told: argparse.Namespace) -> int:
    """Place the call; 0 when nothing was done that Twilio would refuse, and all went as the scenario expects."""
    settings = load()
    if told.list:
        names = shipped()
        width = max(map(len, names))
        for name in names:
            print(f"{name:<{width}}  {load_scenario(name).description}")
        return 0
    logs.configure(settings.log, "warning")  # the conversation is what is to be read
    folder = data_dir.prepare(settings.data_dir)
    secrets = data_dir.secrets_of(settings, folder)
    target = target_of(told.to, settings)
    with acting(Principal(subject="scriza call", scopes=frozenset({"*"}))):
        return asyncio.run(_call(load_scenario(told.scenario or SAMPLE), target, settings, secrets, folder))


async def _call(scenario: Scenario, target: str, settings: Settings, secrets: Secrets, folder: Path) -> int:
    await _reach(target)
    calls = connect(Telephony, target, token=secrets.service_token)
    desk = connect(CallDesk, target, token=secrets.service_token)
    voice = espeak_worker()
    conversation = Conversation(calls)
    try:
        simulator = Simulator(
            target,
            auth_token=secrets.twilio_auth_token,
            voice=EspeakVoice(voice).samples,
            rest_port=_rest_port(settings),
            options=_options(target, settings),
            on_happening=conversation.happens,
        )
        asks = "Calling" if scenario.direction == "inbound" else "Asking for a call from"
        print(f"{asks} {target}, scenario {scenario.name}: {scenario.description}\n", flush=True)
        async with simulator, asyncio.TaskGroup() as tasks:
            following = tasks.create_task(conversation.follow())
            if scenario.direction == "inbound":
                outcome = await simulator.call(scenario)
            else:
                outcome = await _be_called(simulator, desk, scenario)
            following.cancel()
        record = await conversation.record()
    finally:
        await voice.close()
        await disconnect(calls)
        await disconnect(desk)
    print("", *summary(outcome, record), sep="\n")
    wav = folder / "calls" / f"{scenario.name}-{outcome.call_sid}.wav"
    try:
        wav.parent.mkdir(exist_ok=True)
        wav.write_bytes(outcome.wav)
        print(f"To hear it:   {wav} (left the caller, right the agent)")
    except OSError as error:
        print(f"To hear it:   it cannot be kept in {wav.parent} ({error.strerror})")
    if record is not None:
        token = "$SCRIZA_SERVICE_TOKEN" if settings.service_token else f"$(cat {folder}/secrets/service-token)"
        print(f'The record:   curl -H "Authorization: Bearer {token}" {target}/api/v1/calls/{outcome.call_sid}')
    return 0 if outcome.ok else NOT_AS_IT_SHOULD_BE


async def _be_called(simulator: Simulator, desk: CallDesk, scenario: Scenario) -> CallOutcome:
    """Have Scriza place the call, as a customer's program does, and be the one who is called."""
    if not simulator.rest_url:
        raise Unavailable("Scriza asks another carrier than this simulator for calls, or its port is taken")
    simulator.callee = scenario
    order = PlaceCall(to=scenario.caller, sender=simulator.options.number, reason=f"the scenario {scenario.name}")
    placed = await desk.place(order)
    if placed.status != "placed":
        raise Unavailable(f"the call was not placed: {placed.detail or placed.status}")
    return await simulator.outcome(placed.call_id)


async def _reach(target: str) -> None:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=3) as client:
            await client.get(f"{target}/health/live")
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise Unavailable(f"nothing answers at {target}: start it with `scriza serve`, or name it with --to") from error


def _options(target: str, settings: Settings) -> Options:
    """As Scriza sees itself: under its public URL when that is a real one, else where it is called."""
    local = urlsplit(settings.public_url).hostname in {"127.0.0.1", "localhost", "::1"}
    streams = settings.stream_url.replace("ws", "http", 1)
    return Options(
        account_sid=settings.twilio_account_sid or SIMULATED_ACCOUNT,
        public_url=target if local else settings.public_url,
        routes={streams: target} if streams else {},
    )


def _rest_port(settings: Settings) -> int | None:
    """The port on which Scriza looks for Twilio's REST API, where that is the simulator's."""
    if settings.twilio_account_sid and not settings.twilio_base_url:
        return None
    url = urlsplit(settings.twilio_base_url or SIMULATED_CARRIER_URL)
    if url.hostname not in {"127.0.0.1", "localhost"}:
        return None
    try:
        socket.create_server(("127.0.0.1", url.port or 80)).close()
    except OSError:
        print(f"Port {url.port} is taken, perhaps by another simulated call: this one can get no text messages.")
        return None
    return url.port
