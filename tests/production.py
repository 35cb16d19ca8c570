"""A Scriza on its production engines, in this process, and every provider a stand-in behind a line that can go bad."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
from moto.server import ThreadedMotoServer

from scriza.app import application, container_of
from scriza.container import Container
from scriza.settings import load
from scriza.simulator.simulator import Simulator
from scriza_adapters.espeak.engine import EspeakVoice, espeak_worker
from scriza_adapters.mongo.store import StoreOptions
from tests.serving import listening_socket, serving
from tests.standins.bad_line import BadLine
from tests.standins.elevenlabs import ElevenLabsStandIn, standing_in
from tests.standins.openai import Behaviour, OpenAiStandIn

ANSWER = "It is nineteen dollars a month for the whole team."
BUCKET = "production"


@dataclass(frozen=True)
class Providers:
    """The stand-ins, and a line to each of them."""

    model: OpenAiStandIn
    voice: ElevenLabsStandIn
    lines: dict[str, BadLine]
    s3: Any
    """A client of the object store's own, past its line."""


@dataclass(frozen=True)
class House:
    """A running Scriza with its phone."""

    container: Container
    twilio: Simulator
    api: httpx.AsyncClient
    providers: Providers


@asynccontextmanager
async def providers() -> AsyncIterator[Providers]:
    """All of them but the phone's, whose line leads to where the simulator is to listen."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(OpenAiStandIn(Behaviour(text=ANSWER, gap_s=0.005)))
        voice = await stack.enter_async_context(standing_in(ElevenLabsStandIn()))
        bucket = ThreadedMotoServer(port=0, verbose=False)
        bucket.start()
        stack.callback(bucket.stop)
        host, port = bucket.get_host_and_port()
        s3 = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        with listening_socket() as twilio:
            rest = twilio.getsockname()[1]
        bad = {
            "openai": BadLine(model.url, middle=900),
            "elevenlabs": BadLine(voice.url, middle=20_000),
            "s3": BadLine(f"http://{host}:{port}", middle=10),
            "twilio": BadLine(f"http://127.0.0.1:{rest}", middle=10),
        }
        yield Providers(model, voice, {name: await stack.enter_async_context(line) for name, line in bad.items()}, s3)


@asynccontextmanager
async def house(
    at: Providers, store: StoreOptions, folder: Path, *, secure: str = "", **settings: Any
) -> AsyncIterator[House]:
    """Scriza by its production engines; the provider that `secure` names is asked by TLS, which it does not speak."""
    url = {name: line.secure_url if name == secure else line.url for name, line in at.lines.items()}
    sock = listening_socket()
    told = {
        "data_dir": folder / "data",
        "public_url": f"http://127.0.0.1:{sock.getsockname()[1]}",
        "mongo_url": store.url,
        "mongo_database": store.database,
        "openai_api_key": "sk-weather",
        "openai_base_url": url["openai"],
        "elevenlabs_api_key": "key",
        "elevenlabs_base_url": url["elevenlabs"],
        "objects_url": f"s3://{BUCKET}?endpoint={url['s3']}&region=us-east-1",
        "twilio_base_url": url["twilio"],
    }
    container = container_of(load(**told | settings))
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(serving(application(container), sock, lifespan="on"))
        voice = espeak_worker()
        stack.push_async_callback(voice.close)
        twilio = await stack.enter_async_context(
            Simulator(
                base_url,
                auth_token=container.secrets().twilio_auth_token,
                voice=EspeakVoice(voice).samples,
                rest_port=at.lines["twilio"].provider_port,
            )
        )
        bearer = {"authorization": f"Bearer {container.secrets().service_token}"}
        api = await stack.enter_async_context(
            httpx.AsyncClient(base_url=base_url, headers=bearer, trust_env=False, timeout=10)
        )
        yield House(container, twilio, api, at)
