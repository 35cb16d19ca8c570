"""The application: what the container holds, behind the edge's routes."""

import gc
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from litestar import Litestar
from litestar.openapi.spec import Tag
from litestar.types import ControllerRouterHandler

from scriza import data_dir
from scriza.container import Container
from scriza.factories import edge
from scriza.gateway.access import Authenticator, Bearer, KnownCredentials, Open, OwnCheck, ServiceAccess, behind
from scriza.gateway.browser import browser_routes
from scriza.gateway.chat import chat_route
from scriza.gateway.edge import edge_around
from scriza.gateway.examples import EXAMPLES
from scriza.gateway.health import Check, health_routes
from scriza.gateway.metrics import metrics_route
from scriza.gateway.objects import objects_route
from scriza.kernel.scopes import Scope
from scriza.modules.memory.reports.routes import or_csv
from scriza.modules.telephony.routes import message_routes, recording_routes, stream_routes, webhook_routes
from scriza.modules.usage.routes import invoices_or_csv
from scriza.opening import running
from scriza.places import DOORS, place, served
from scriza.ports.accounts import Accounts, SignIn
from scriza.ports.agent import Agent
from scriza.ports.asr import Asr
from scriza.ports.call_desk import CallDesk
from scriza.ports.conversations import Conversations
from scriza.ports.credit import UsageBook
from scriza.ports.llm import Llm
from scriza.ports.memory import Memory
from scriza.ports.reports import Reports
from scriza.ports.retention import Retention
from scriza.ports.strategy import Strategy
from scriza.ports.telephony import Telephony
from scriza.ports.tts import Tts
from scriza.ports.webhooks import Webhooks
from scriza.settings import Settings
from scriza.wire import serve
from scriza_adapters.objects_directory import DirectoryObjects

PORTS: dict[str, type] = {
    "accounts": Accounts,
    "sign_in": SignIn,
    "telephony": Telephony,
    "call_desk": CallDesk,
    "agent": Agent,
    "conversations": Conversations,
    "asr": Asr,
    "tts": Tts,
    "llm": Llm,
    "usage": UsageBook,
    "team_webhooks": Webhooks,
    "strategy": Strategy,
    "memory": Memory,
    "reports": Reports,
    "retention": Retention,
}
"""By the provider that stands behind each."""

OPEN_DOORS = {"sign_in": Open("its messages hold what proves who sends them")}
"""Ports that ask for no credential."""

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]
"""What runs while the application does."""


def container_of(settings: Settings) -> Container:
    """The object graph that `settings` describe; nothing is opened yet.

    Raises BadSettings when the data directory cannot be used.
    """
    directory = data_dir.prepare(settings.data_dir)
    return Container(settings=settings, secrets=data_dir.secrets_of(settings, directory), data_dir=directory)


def application(container: Container, *, around: Sequence[Lifespan] = ()) -> Litestar:
    """The routes of what the container holds; entering the application's `lifespan` starts what it needs.

    `around` is entered behind all that.
    """
    settings, secrets = container.settings(), container.secrets()
    modules = served(settings)
    replays = container.replays()
    doors = [door for module in modules for door in DOORS.get(module, (module,))]
    ports = {door: serve(PORTS[door], container.providers[door], replays=replays, examples=EXAMPLES) for door in doors}
    if "reports" in ports:
        ports["reports"] = or_csv(ports["reports"], container.reports)
    if "usage" in ports:
        ports["usage"] = invoices_or_csv(ports["usage"], container.usage)
    checks: dict[str, Check] = {"store": lambda: container.store().ping()}
    if leads_calls(settings):
        checks["calls"] = lambda: container.switchboard().takes_calls()
    routes: list[ControllerRouterHandler] = [
        behind(Bearer(), *(port for door, port in ports.items() if door not in OPEN_DOORS)),
        *(behind(rule, ports[door]) for door, rule in OPEN_DOORS.items() if door in ports),
        health_routes(checks),
        metrics_route(),
        edge.pages(settings, modules),
    ]
    if "sign_in" in ports:
        routes.append(browser_routes(container.sign_in))
    if "llm" in modules:
        routes.append(behind(Bearer(Scope.ENGINES), chat_route(container.llm)))
    if leads_calls(settings):
        routes.append(behind(OwnCheck("Twilio signs"), *webhook_routes(container.webhooks)))
        routes.append(behind(OwnCheck("Twilio signs"), *message_routes(container.messages)))
        routes.append(behind(OwnCheck("Twilio signs"), *recording_routes(container.recording_callback)))
        routes.append(
            behind(OwnCheck("Twilio signs, and the token is good once"), *stream_routes(container.stream_door))
        )
    objects = container.objects()
    if isinstance(objects, DirectoryObjects):
        routes.append(behind(OwnCheck("the URL is signed"), objects_route(objects)))
    tokens = [secrets.service_token]
    if old := settings.service_token_old.get_secret_value():
        tokens.append(old)
    authenticators: list[Authenticator] = [ServiceAccess(*tokens)]
    if "accounts" in modules or settings.accounts_url:
        authenticators.append(KnownCredentials(container.accounts))
    return edge_around(
        routes,
        authenticators,
        inside=[edge.rate_limits(settings, container.shared_state())],
        cors=edge.cors(settings),
        https=settings.public_url.startswith("https://"),
        tags=[_tag(PORTS[door]) for door in PORTS if door in ports],
        lifespan=[lambda app: running(container), *around],
    )


def _tag(port: type) -> Tag:
    """A port's operations are one group of the OpenAPI page; what it is for is the first sentence of its file."""
    return Tag(port.__name__, description=(sys.modules[port.__module__].__doc__ or "").partition("\n")[0])


def leads_calls(settings: Settings) -> bool:
    """Whether the carrier's webhooks and media sockets come to this process."""
    return settings.serves("telephony") and place(settings, "telephony") == "local"


async def drain(container: Container) -> None:
    """Let the calls that live here go on for as long as the settings say, and take no new ones."""
    settings = container.settings()
    if leads_calls(settings):
        await container.switchboard().drain(settings.drain_seconds)


@asynccontextmanager
async def settled(app: Litestar) -> AsyncIterator[None]:
    """Take out of the collector's sight what starting has made: it lives as long as the process.

    To walk it takes over 50 ms, in which no call would be served.
    """
    gc.collect()
    gc.freeze()
    yield
