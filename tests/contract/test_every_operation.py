"""Every operation that any port declares is reached through the wire with what it was asked, and answers through it."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from scriza.app import PORTS
from scriza.kernel.errors import Conflict
from scriza.kernel.operation import Kind, Operation, operations
from scriza.kernel.scopes import Scope
from scriza.ports import asr, tts
from scriza.ports.accounts import (
    Credential,
    ExternalAnswer,
    ExternalLogIn,
    FactorCode,
    Invite,
    LogIn,
    NewKey,
    Page,
    PasswordChange,
    RefreshToken,
    Reset,
    ResetAsked,
    RoleChange,
    SecondFactor,
    SignIn,
    SignUp,
)
from scriza.ports.agent import CallFacts, Conversation, Exchange, Reply
from scriza.ports.call_desk import BarredQuery, BarredReason, NumberSettings, PlaceCall
from scriza.ports.conversations import StartConversation, Utterance
from scriza.ports.credit import (
    CreditCheck,
    CreditRules,
    GrantWish,
    HoldWish,
    LedgerQuery,
    QuarantineQuery,
    RepriceAsked,
    SummaryAsked,
)
from scriza.ports.llm import Message, Turn
from scriza.ports.memory import CallsQuery, Correction, Recall
from scriza.ports.reports import ComparisonQuery, GroupedQuery, ReportQuery, UnansweredQuery
from scriza.ports.retention import RetentionPolicy
from scriza.ports.strategy import (
    AskAssets,
    AssetQuery,
    BundleFile,
    DiffQuery,
    Edit,
    Lint,
    MergeVersions,
    PlaybookRef,
    Publish,
    Resolution,
    RollBack,
    SaveVersion,
    StrategyQuery,
    VersionQuery,
)
from scriza.ports.telephony import CallQuery
from scriza.ports.tts import Speak
from scriza.ports.webhooks import DeliveryQuery, WebhookWish
from tests.contract.doors import Doors

WEBHOOK = WebhookWish("https://crm.example/hook", ["call.outcome", "lead.hot"], "the CRM", enabled=False)
CONVERSATION = Conversation("book/1", "pitch", "Hello", [Exchange("hi", "Hello there")])
WHICH: dict[str, Any] = {"since": date(2026, 3, 1), "until": date(2026, 3, 2), "tz": "Asia/Kolkata", "agent": "kite"}
ASKED: dict[str, tuple[Any, ...]] = {
    "POST /api/v1/auth/signup": (SignUp("scz_invitation_1_a", "Ada", "Grüße an alle"),),
    "POST /api/v1/auth/login": (LogIn("ada@team.example", "Grüße an alle"),),
    "POST /api/v1/auth/second-factor": (SecondFactor("scz_challenge_1_a", "123456"),),
    "POST /api/v1/auth/refresh": (RefreshToken("scz_refresh_1_a"),),
    "POST /api/v1/auth/logout": (RefreshToken("scz_refresh_1_a"),),
    "POST /api/v1/auth/reset": (ResetAsked("ada@team.example"),),
    "POST /api/v1/auth/reset/confirm": (Reset("scz_reset_1_a", "Grüße an alle"),),
    "POST /api/v1/auth/external": (ExternalLogIn("github", "scz_invitation_1_a"),),
    "POST /api/v1/auth/external/finish": (ExternalAnswer("scz_oidc_1_a", "1", "a code", "https://issuer.example"),),
    "POST /api/v1/users/me/identities": (ExternalLogIn("github"),),
    "POST /api/v1/users/me/identities/finish": (ExternalAnswer("scz_oidc_1_a", "1", "a code"),),
    "GET /.well-known/jwks.json": (),
    "POST /v1/identify": (Credential("scz_key_1_a"),),
    "GET /api/v1/users/me": (),
    "POST /api/v1/users/me/password": (PasswordChange("Grüße an alle", "und an niemand"),),
    "POST /api/v1/users/me/second-factor": (),
    "POST /api/v1/users/me/second-factor/confirm": (FactorCode("123456"),),
    "POST /api/v1/users/me/second-factor/remove": (FactorCode("123456"),),
    "POST /api/v1/users/me/log-out-everywhere": (),
    "GET /api/v1/users": (Page(limit=7, cursor="usr_1"),),
    "GET /api/v1/auth/external": (),
    "GET /api/v1/users/me/identities": (),
    "DELETE /api/v1/users/me/identities/{identity_id}": ("idn_1",),
    "POST /api/v1/invitations": (Invite("ben@team.example", "manager"),),
    "PUT /api/v1/users/{user_id}/role": ("usr_1", RoleChange("admin")),
    "POST /api/v1/users/{user_id}/disable": ("usr_1",),
    "POST /api/v1/users/{user_id}/enable": ("usr_1",),
    "POST /api/v1/keys": (NewKey("crm", [Scope.CALLS_READ], 30),),
    "GET /api/v1/keys": (),
    "DELETE /api/v1/keys/{key_id}": ("1",),
    "GET /api/v1/audit": (Page(limit=7, cursor="1"),),
    "POST /api/v1/credit/check": (CreditCheck(7, HoldWish("CA1", 60)),),
    "POST /api/v1/credit/grants": (GrantWish(7, "g", "default", 1, datetime(2027, 1, 1, tzinfo=UTC), "a note"),),
    "GET /api/v1/credit": (),
    "PUT /api/v1/credit/rules": (CreditRules([7], 1, "Asia/Kolkata"),),
    "GET /api/v1/credit/rules": (),
    "GET /api/v1/credit/ledger": (LedgerQuery(7, "abc", "CA1"),),
    "POST /api/v1/usage/recompute": (
        RepriceAsked(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), "abc", 7),
    ),
    "GET /api/v1/usage/quarantine": (QuarantineQuery(7),),
    "GET /api/v1/usage/summary": (SummaryAsked("24h", "2026-03-02", "Asia/Kolkata", "agent"),),
    "GET /api/v1/invoices/{month}": ("2026-03",),
    "POST /api/v1/webhooks": (WEBHOOK,),
    "GET /api/v1/webhooks": (),
    "GET /api/v1/webhooks/{webhook_id}": ("whk_1",),
    "PUT /api/v1/webhooks/{webhook_id}": ("whk_1", WEBHOOK),
    "DELETE /api/v1/webhooks/{webhook_id}": ("whk_1",),
    "POST /api/v1/webhooks/{webhook_id}/secret": ("whk_1",),
    "POST /api/v1/webhooks/{webhook_id}/test": ("whk_1",),
    "POST /api/v1/webhooks/{webhook_id}/resend": ("whk_1",),
    "GET /api/v1/webhook-deliveries": (DeliveryQuery("dead", "whk_1", 7, "abc"),),
    "POST /api/v1/webhook-deliveries/{delivery_id}/resend": ("dlv_1",),
    "POST /v1/begin": (CallFacts("CA1", "inbound", "+14155550100", "+14155550199"),),
    "POST /v1/reply": (Reply("CA1", 2, "what is the price", CONVERSATION, 0.5, "1", speculative=True),),
    "POST /api/v1/conversations": (StartConversation("book", "+14155550100", variables={"name": "Ada"}, speak=True),),
    "POST /api/v1/conversations/{conversation_id}/turns": ("chat_1", Utterance("hi", "12", speak=True)),
    "POST /api/v1/conversations/{conversation_id}/stream-turns": ("chat_1", Utterance("hi")),
    "GET /api/v1/conversations/{conversation_id}": ("chat_1",),
    "DELETE /api/v1/conversations/{conversation_id}": ("chat_1",),
    "POST /v1/transcribe": (asr.Transcribe(b"\x00\xff", "pcm16", 16000, "en", ["a price"], "CA1"),),
    "WS /v1/stream": (asr.Start("CA1", "en", "mulaw", 8000, ["a price"]), [asr.Audio(b"\xff" * 800), asr.Stop()]),
    "POST /v1/speak": (Speak("Grüße", voice_id="v", tone="friendly", format="wav", delivery="url"),),
    "POST /v1/stream-speak": (Speak("Grüße"),),
    "WS /v1/stream-speak": (
        tts.StartTalk("v", "calm", "hi-IN", "CA1"),
        [tts.TalkText("Grüße", "a"), tts.TalkFlush("a"), tts.TalkCancel("a"), tts.TalkStop()],
    ),
    "POST /v1/kept-clips": (tts.FixedTexts(["Grüße"], "v", "calm", "hi-IN", {"a": "b"}),),
    "GET /v1/speech-cache": (),
    "POST /v1/turn": (Turn([Message("user", "hi")], "CA1"),),
    "POST /v1/stream-turn": (Turn([Message("user", "hi")], "CA1"),),
    "GET /v1/models": (),
    "GET /api/v1/calls/{call_id}": ("CA1",),
    "POST /api/v1/calls": (
        PlaceCall("+14155550123", "+14155550100", "book", "a reason", {"name": "Ada"}, "order-1", detect_machine=False),
    ),
    "GET /api/v1/orders/{order_id}": ("order-1",),
    "POST /api/v1/calls/stop": (),
    "POST /api/v1/calls/resume": (),
    "GET /api/v1/switch": (),
    "GET /api/v1/numbers": (),
    "GET /api/v1/numbers/{number}": ("+14155550100",),
    "PUT /api/v1/numbers/{number}": ("+14155550100", NumberSettings("Sales", "book", closed="answer")),
    "DELETE /api/v1/numbers/{number}": ("+14155550100",),
    "GET /api/v1/do-not-call": (BarredQuery(limit=7, cursor="+14155550100"),),
    "GET /api/v1/do-not-call/{number}": ("+14155550100",),
    "PUT /api/v1/do-not-call/{number}": ("+14155550100", BarredReason("asked us")),
    "DELETE /api/v1/do-not-call/{number}": ("+14155550100",),
    "GET /api/v1/calls/{call_id}/recording": ("CA1",),
    "POST /v1/playbook": (PlaybookRef("paper-kite"),),
    "POST /v1/spoken-lines": (PlaybookRef("paper-kite"),),
    "POST /api/v1/strategies": (
        SaveVersion(slug="a", base="sv_1", edits=[Edit("/title", "T"), Edit("/faqs/x")], message="why", if_match="r1"),
    ),
    "GET /api/v1/strategies": (StrategyQuery(limit=7, cursor="a"),),
    "POST /api/v1/strategies/lint": (Lint(text="Grüße", file=b"\xff", kind="csv", name="f", slug="a", version="1"),),
    "POST /api/v1/strategies/bundles": (BundleFile(b"\xff{}"),),
    "GET /api/v1/strategies/{slug}": ("a",),
    "GET /api/v1/strategies/{slug}/versions": ("a", VersionQuery(limit=7, cursor="5")),
    "GET /api/v1/strategies/{slug}/versions/{version}": ("a", "draft"),
    "GET /api/v1/strategies/{slug}/versions/{version}/yaml": ("a", "draft"),
    "GET /api/v1/strategies/{slug}/diff": ("a", DiffQuery("1", "sv_2")),
    "POST /api/v1/strategies/{slug}/merge": (
        "a",
        MergeVersions("1", "2", "sv_0", "union", [Resolution("/title", "value", {"a": 1})], True, "why", "r1"),
    ),
    "POST /api/v1/strategies/{slug}/publish": ("a", Publish("1", "why", "r1")),
    "POST /api/v1/strategies/{slug}/rollback": ("a", RollBack("1", "why", "r1")),
    "GET /api/v1/strategies/{slug}/log": ("a", VersionQuery(limit=7, cursor="5")),
    "GET /api/v1/strategies/{slug}/assets": ("a", AssetQuery("draft", lines=True)),
    "POST /api/v1/strategies/{slug}/assets": ("a", AskAssets("draft")),
    "GET /api/v1/strategies/{slug}/bundle": ("a",),
    "GET /api/v1/calls": (CallQuery(limit=7, cursor="abc"),),
    "POST /v1/recall": (Recall("+14155550123"),),
    "GET /api/v1/memory/calls/{call_id}": ("CA1",),
    "GET /api/v1/memory/calls": (CallsQuery(date(2026, 3, 2), "demo_booked", "sv_1", limit=7, cursor="abc"),),
    "GET /api/v1/memory/callers/{number}": ("+14155550123",),
    "POST /api/v1/memory/callers/{number}/corrections": ("+14155550123", Correction("mem_1", "Ada")),
    "DELETE /api/v1/memory/callers/{number}/known/{known_id}": ("+14155550123", "mem_1"),
    "DELETE /api/v1/memory/callers/{number}": ("+14155550123",),
    "GET /api/v1/memory/erasures/{erasure_id}": ("era_1",),
    "GET /api/v1/memory/retention": (),
    "PUT /api/v1/memory/retention": (RetentionPolicy(30, 90, 365),),
    "GET /api/v1/reports/overview": (GroupedQuery(by="agent", **WHICH, outcome="booked"),),
    "GET /api/v1/reports/objections": (ReportQuery(**WHICH),),
    "GET /api/v1/reports/unanswered": (UnansweredQuery(limit=7, **WHICH),),
    "GET /api/v1/reports/interruptions": (GroupedQuery(by="playbook", **WHICH),),
    "GET /api/v1/reports/sentiment": (ReportQuery(**WHICH),),
    "GET /api/v1/reports/latency": (GroupedQuery(**WHICH),),
    "GET /api/v1/reports/funnel": (ReportQuery(**WHICH),),
    "GET /api/v1/reports/comparison": (ComparisonQuery(a="sv_1", b="sv_2", since=date(2026, 3, 1), tz="Asia/Kolkata"),),
}
"""One request to each operation. One that is new needs one here."""

DECLARED = [(port, operation) for port in PORTS.values() for operation in operations(port)]


def taking_note(operation: Operation, asked: list[object]) -> Callable[..., Any]:
    """An implementation that keeps what it was asked, and then refuses."""

    async def note(args: tuple[object, ...]) -> None:
        asked.extend([[block async for block in arg] if isinstance(arg, AsyncIterator) else arg for arg in args])
        raise Conflict(f"this is {operation.name}")

    async def one(*args: object) -> None:
        await note(args)

    async def many(*args: object) -> AsyncIterator[None]:
        await note(args)
        yield

    return one if operation.kind is Kind.UNARY else many


async def ask(port: Any, operation: Operation) -> None:
    request = ASKED[f"{operation.verb} {operation.path}"]
    method = getattr(port, operation.name)
    match operation.kind:
        case Kind.UNARY:
            await method(*request)
        case Kind.STREAM:
            async for _ in method(*request):
                pass
        case Kind.DUPLEX:
            opening, blocks = request

            async def sent() -> AsyncIterator[msgspec.Struct]:
                for block in blocks:
                    yield block

            async for _ in method(opening, sent()):
                pass


@pytest.mark.parametrize(
    ("port", "operation"), DECLARED, ids=[f"{operation.verb} {operation.path}" for _, operation in DECLARED]
)
async def test_an_operation_is_asked_for_what_it_is_asked(doors: Doors, port: type, operation: Operation) -> None:
    asked: list[object] = []
    noting = {each.name: taking_note(each, asked) for each in operations(port)}
    async with doors(port, SimpleNamespace(**noting)) as reached:
        with pytest.raises(Conflict, match=f"this is {operation.name}"):
            await ask(reached, operation)
    assert asked == list(ASKED[f"{operation.verb} {operation.path}"])


def test_only_what_processes_of_ours_ask_each_other_names_no_scope() -> None:
    internal = {f"{operation.verb} {operation.path}" for _, operation in DECLARED if not operation.scope}
    signing_in = {f"{operation.verb} {operation.path}" for operation in operations(SignIn)}
    assert internal - signing_in == {
        "POST /v1/begin",
        "POST /v1/identify",
        "POST /v1/kept-clips",
        "POST /v1/playbook",
        "POST /v1/recall",
        "POST /v1/reply",
        "POST /v1/spoken-lines",
        "GET /v1/speech-cache",
    }
    assert {operation.scope for _, operation in DECLARED if operation.scope} <= set(Scope)


def test_no_two_operations_share_a_route() -> None:
    routes = [(operation.verb, operation.path) for _, operation in DECLARED]
    assert len(set(routes)) == len(routes)
