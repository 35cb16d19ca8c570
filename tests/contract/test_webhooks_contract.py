"""What the webhooks module promises: an event comes to each webhook that wants it, signed, again until it is taken."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from scriza.kernel.errors import BadInput, Conflict, NotFound, UpstreamFailed
from scriza.kernel.events import Event, Topic, event
from scriza.kernel.principal import Principal, acting
from scriza.modules.accounts.sealing import Seal
from scriza.modules.webhooks.documents import WEBHOOK_DOCUMENTS, StoredDelivery, StoredWebhook
from scriza.modules.webhooks.hearing import Hearing
from scriza.modules.webhooks.schedule import PAUSES
from scriza.modules.webhooks.sender import LEASE, Sender
from scriza.modules.webhooks.service import WebhooksService
from scriza.modules.webhooks.stored import MongoWebhooks
from scriza.ports.credit import CreditThreshold
from scriza.ports.mail import Letter
from scriza.ports.webhooks import DeliveryQuery, Webhooks, WebhookWish
from scriza_adapters.http_tools.allowed import pattern
from scriza_adapters.mongo.store import StoreOptions, open_store
from scriza_adapters.webhook_poster import HttpPoster
from tests.contract.doors import Doors
from tests.databases import drop
from tests.standins.tool_server import Doing, ToolServer
from tests.waiting import eventually

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
ME = Principal("default", "a test", frozenset({"*"}))


class Letters:
    """Letters that were sent; fails as often as `fails` says."""

    def __init__(self) -> None:
        self.sent: list[Letter] = []
        self.fails = 0

    async def send(self, letter: Letter) -> None:
        if self.fails:
            self.fails -= 1
            raise UpstreamFailed("nobody takes letters")
        self.sent.append(letter)


@dataclass
class Rig:
    """The module with a real store and a real server that is told; `now` is what a test says."""

    book: MongoWebhooks
    server: ToolServer
    mail: Letters = field(default_factory=Letters)
    now: datetime = NOON

    def __post_init__(self) -> None:
        seal = Seal("key")
        self.poster = HttpPoster([pattern(f"http://127.0.0.1:{self.server.port}")], seconds=5)
        self.service = WebhooksService(self.book, self.poster, seal, lambda: self.now)
        self.sender = Sender(self.book, self.poster, self.mail, seal, lambda: self.now, lambda: 0.0)
        self.hearing = Hearing(self.book, lambda: self.now)

    def wish(self, *events: str, path: str = "/hook") -> WebhookWish:
        return WebhookWish(f"{self.server.url}{path}", list(events) or ["credit.threshold"])  # type: ignore[arg-type]

    async def happens(self, key: str = "1", topic: Topic = Topic.CREDIT_THRESHOLD, workspace: str = "default") -> Event:
        data = CreditThreshold(5_000_000, 4_000_000)
        told = event(topic, data, source="usage", subject=workspace, key=key, time=self.now, workspace=workspace)
        await self.hearing.hear(told)
        return told

    async def passes(self, **span: float) -> int:
        self.now += timedelta(**span)
        return await self.sender.work()


@pytest.fixture
async def rig(store_options: StoreOptions) -> AsyncIterator[Rig]:
    async with open_store(store_options, WEBHOOK_DOCUMENTS) as store, ToolServer() as server:
        rig = Rig(MongoWebhooks(store), server)
        with acting(ME):
            yield rig
        await rig.poster.aclose()
        await drop(store.database)


@pytest.fixture
async def webhooks(doors: Doors, rig: Rig) -> AsyncIterator[Webhooks]:
    async with doors(Webhooks, rig.service) as webhooks:
        yield webhooks


def signature(secret: str, headers: dict[str, str], body: bytes) -> str:
    """As the reference libraries compute it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}"
    return "v1," + base64.b64encode(hmac.new(key, content.encode(), "sha256").digest()).decode()


# ---- telling -------------------------------------------------------------------------------------------------------


async def test_an_event_comes_as_it_was_told_and_signed(rig: Rig, webhooks: Webhooks) -> None:
    made = await webhooks.add(rig.wish())
    told = await rig.happens()
    assert await rig.passes() == 1
    (asked,) = rig.server.asked
    assert (asked.method, asked.target) == ("POST", "/hook")
    assert asked.headers["content-type"] == "application/cloudevents+json"
    assert json.loads(asked.body)["id"] == told.id
    assert json.loads(asked.body)["data"] == {"threshold": 5_000_000, "balance": 4_000_000}
    assert asked.headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    assert asked.headers["webhook-signature"] == signature(made.secret, asked.headers, asked.body)
    (delivery,) = (await webhooks.deliveries(DeliveryQuery())).data
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("delivered", 1, 200)
    assert delivery.delivery_id == asked.headers["webhook-id"]


async def test_only_what_is_wanted_is_told_and_only_in_the_workspace(rig: Rig, webhooks: Webhooks) -> None:
    await webhooks.add(rig.wish("usage.summary"))
    await webhooks.add(rig.wish("credit.threshold", path="/other"))
    await rig.happens()
    await rig.happens(workspace="acme")
    await rig.passes()
    assert [asked.target for asked in rig.server.asked] == ["/other"]


async def test_an_event_that_is_heard_twice_is_delivered_once(rig: Rig, webhooks: Webhooks) -> None:
    await webhooks.add(rig.wish())
    for _ in range(2):
        await rig.happens()
    await rig.passes()
    await rig.happens()
    assert await rig.passes() == 0
    assert len(rig.server.asked) == 1


async def test_what_is_not_taken_is_sent_again_by_the_schedule_and_then_given_up(rig: Rig, webhooks: Webhooks) -> None:
    await webhooks.add(rig.wish())
    rig.server.will("/hook", Doing(status=500))
    await rig.happens()
    await rig.passes()
    for pause in PAUSES:
        assert await rig.passes(seconds=pause.total_seconds() - 1) == 0
        assert await rig.passes(seconds=1) == 1
    (delivery,) = (await webhooks.deliveries(DeliveryQuery("dead"))).data
    assert (delivery.attempts, delivery.last_status, delivery.next_at) == (len(PAUSES) + 1, 500, None)
    assert len({asked.headers["webhook-id"] for asked in rig.server.asked}) == 1
    assert len({asked.body for asked in rig.server.asked}) == 1
    assert await rig.passes(days=1) == 0


async def test_what_was_given_up_is_sent_again_when_somebody_says_so(rig: Rig, webhooks: Webhooks) -> None:
    made = await webhooks.add(rig.wish())
    rig.server.will("/hook", Doing(status=500))
    for key in ("1", "2"):
        await rig.happens(key)
    await rig.passes()
    for pause in PAUSES:
        await rig.passes(seconds=pause.total_seconds())
    first, second = (await webhooks.deliveries(DeliveryQuery("dead"))).data
    rig.server.will("/hook", Doing())
    assert (await webhooks.resend(first.delivery_id)).state == "waiting"
    await rig.passes()
    assert [each.delivery_id for each in (await webhooks.deliveries(DeliveryQuery("dead"))).data] == [
        second.delivery_id
    ]
    assert (await webhooks.resend_all(made.webhook.webhook_id)).deliveries == 1
    await rig.passes()
    assert (await webhooks.deliveries(DeliveryQuery("dead"))).data == []


async def test_who_dies_in_the_middle_of_a_delivery_leaves_it_to_the_next(rig: Rig, webhooks: Webhooks) -> None:
    await webhooks.add(rig.wish())
    await rig.happens()
    (due,) = await rig.book.due(rig.now, 10)
    assert await rig.book.take(due, rig.now + LEASE)
    assert not await rig.book.take(due, rig.now + LEASE)
    assert await rig.passes() == 0
    assert await rig.passes(seconds=LEASE.total_seconds()) == 1
    assert len(rig.server.asked) == 1


async def test_however_much_waits_for_a_slow_one_others_are_told(rig: Rig, webhooks: Webhooks) -> None:
    stuck = asyncio.Event()
    rig.server.will("/slow", Doing(until=stuck))
    await webhooks.add(rig.wish(path="/slow"))
    for key in range(60):
        await rig.happens(f"{key}")
    await webhooks.add(rig.wish(path="/quick"))
    rig.now += timedelta(seconds=1)
    await rig.happens("last")
    sending = asyncio.create_task(rig.sender.run())
    await eventually(lambda: "/quick" in [asked.target for asked in rig.server.asked])
    assert [asked.target for asked in rig.server.asked].count("/slow") == 2
    sending.cancel()
    stuck.set()
    await asyncio.wait([sending])


# ---- secrets -------------------------------------------------------------------------------------------------------


async def test_a_new_secret_signs_beside_the_old_one_for_a_day(rig: Rig, webhooks: Webhooks) -> None:
    old = await webhooks.add(rig.wish())
    new = await webhooks.new_secret(old.webhook.webhook_id)
    assert new.webhook.old_secret_until == NOON + timedelta(days=1)
    for hours, secrets in ((0, [new.secret, old.secret]), (25, [new.secret])):
        await rig.happens(f"{hours}")
        await rig.passes(hours=hours)
        asked = rig.server.asked[-1]
        expected = [signature(secret, asked.headers, asked.body) for secret in secrets]
        assert asked.headers["webhook-signature"].split(" ") == expected


async def test_a_change_beside_a_rotation_leaves_the_new_secret(rig: Rig, webhooks: Webhooks) -> None:
    made = await webhooks.add(rig.wish())
    before = await rig.book.one("default", made.webhook.webhook_id)
    new = await webhooks.new_secret(made.webhook.webhook_id)
    await rig.book.change(before, "url", "events", "note", "enabled")  # who had read it before writes later
    await rig.happens()
    await rig.passes()
    (asked,) = rig.server.asked
    assert signature(new.secret, asked.headers, asked.body) in asked.headers["webhook-signature"].split(" ")


async def test_secrets_are_shown_once_and_sealed_in_the_store(rig: Rig, webhooks: Webhooks) -> None:
    made = await webhooks.add(rig.wish())
    assert made.secret.startswith("whsec_")
    (kept,) = await StoredWebhook.find_all().to_list()
    assert made.secret.encode() not in kept.model_dump_json(exclude={"secret"}).encode() + kept.secret
    assert not hasattr(await webhooks.one(made.webhook.webhook_id), "secret")


# ---- webhooks that do not work -------------------------------------------------------------------------------------


async def test_who_says_that_it_is_gone_is_asked_no_more(rig: Rig, webhooks: Webhooks) -> None:
    made = await webhooks.add(rig.wish())
    rig.server.will("/hook", Doing(status=410))
    await rig.happens("1")
    await rig.passes()
    await rig.happens("2")
    assert await rig.passes() == 0
    webhook = await webhooks.one(made.webhook.webhook_id)
    assert (webhook.enabled, webhook.off_because) == (False, "gone")
    with pytest.raises(Conflict, match="switched off"):
        await webhooks.test(webhook.webhook_id)
    assert (await webhooks.change(webhook.webhook_id, rig.wish())).off_because == ""


async def test_who_has_taken_nothing_for_days_is_switched_off(rig: Rig, webhooks: Webhooks) -> None:
    made = await webhooks.add(rig.wish())
    rig.server.will("/hook", Doing(status=500))
    for day in range(4):
        await rig.happens(f"{day}")
        await rig.passes()
        for pause in PAUSES:
            await rig.passes(seconds=pause.total_seconds())
        await rig.passes(hours=7)
    webhook = await webhooks.one(made.webhook.webhook_id)
    assert (webhook.enabled, webhook.off_because) == (False, "failing")


async def test_one_that_works_again_is_well_again(rig: Rig, webhooks: Webhooks) -> None:
    made = await webhooks.add(rig.wish())
    rig.server.will("/hook", Doing(status=500), Doing())
    await rig.happens()
    await rig.passes()
    assert (await webhooks.one(made.webhook.webhook_id)).failing_since == NOON
    await rig.passes(seconds=5)
    assert (await webhooks.one(made.webhook.webhook_id)).failing_since is None


@pytest.mark.parametrize("status", [301, 307, 404, 503])
async def test_nothing_but_a_2xx_is_taken_for_taken_and_no_redirect_is_followed(
    rig: Rig, webhooks: Webhooks, status: int
) -> None:
    await webhooks.add(rig.wish())
    rig.server.will("/hook", Doing(status=status, headers={"Location": f"{rig.server.url}/elsewhere"}))
    await rig.happens()
    await rig.passes()
    assert [asked.target for asked in rig.server.asked] == ["/hook"]
    (delivery,) = (await webhooks.deliveries(DeliveryQuery())).data
    assert (delivery.state, delivery.last_status) == ("waiting", status)


async def test_trouble_on_the_way_is_told_in_our_own_words(rig: Rig, webhooks: Webhooks) -> None:
    await webhooks.add(rig.wish())
    rig.server.will("/hook", Doing(garbage=b"s3cret nonsense\r\n\r\n"))
    await rig.happens()
    await rig.passes()
    (delivery,) = (await webhooks.deliveries(DeliveryQuery())).data
    assert (delivery.state, delivery.last_status, delivery.last_failure) == ("waiting", 0, "the answer got lost")


# ---- where nobody is told ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example/hook",
        "https://user:pass@crm.example/hook",
        "ftp://crm.example/hook",
        "https://crm.example\\@10.0.0.1/",
        "https://2130706433/",
        "mailto:ada@team.example?bcc=eve@else.example",
        "mailto:ada@team.example,eve@else.example",
        "javascript:alert(1)",
    ],
)
async def test_a_url_that_is_not_posted_to_is_refused(rig: Rig, webhooks: Webhooks, url: str) -> None:
    with pytest.raises(BadInput, match=r"^url:"):
        await webhooks.add(WebhookWish(url, ["credit.threshold"]))


@pytest.mark.parametrize("url", ["https://127.0.0.1/hook", "https://169.254.169.254/latest", "https://[::1]:1/hook"])
async def test_what_only_this_machine_or_its_network_can_reach_is_not_posted_to(
    rig: Rig, webhooks: Webhooks, url: str
) -> None:
    await webhooks.add(WebhookWish(url, ["credit.threshold"]))
    await rig.happens()
    await rig.passes()
    (delivery,) = (await webhooks.deliveries(DeliveryQuery())).data
    assert "not public: SCRIZA_WEBHOOK_PRIVATE_HOSTS" in delivery.last_failure


async def test_a_workspace_sees_and_changes_only_its_own(rig: Rig, webhooks: Webhooks) -> None:
    made = await webhooks.add(rig.wish())
    trial = await webhooks.test(made.webhook.webhook_id)
    with acting(Principal("acme", "somebody", frozenset({"webhooks:write"}))):
        assert (await webhooks.all()).data == []
        assert (await webhooks.deliveries(DeliveryQuery())).data == []
        for act in (
            webhooks.one(made.webhook.webhook_id),
            webhooks.new_secret(made.webhook.webhook_id),
            webhooks.test(made.webhook.webhook_id),
            webhooks.resend(trial.delivery_id),
        ):
            with pytest.raises(NotFound):
                await act
        await webhooks.remove(made.webhook.webhook_id)
    assert len((await webhooks.all()).data) == 1


async def test_what_is_taken_away_is_told_no_more(rig: Rig, webhooks: Webhooks) -> None:
    made = await webhooks.add(rig.wish())
    await rig.happens()
    await webhooks.remove(made.webhook.webhook_id)
    assert await rig.passes() == 0
    assert await StoredDelivery.find_all().to_list() == []


async def test_deliveries_come_page_by_page(rig: Rig, webhooks: Webhooks) -> None:
    await webhooks.add(rig.wish())
    for key in range(5):
        await rig.happens(f"{key}")
        rig.now += timedelta(seconds=1)
    seen, cursor = [], ""
    while True:
        page = await webhooks.deliveries(DeliveryQuery(limit=2, cursor=cursor))
        seen += page.data
        if not (cursor := page.next):
            break
    assert len(seen) == len({each.delivery_id for each in seen}) == 5
    assert [each.told_at for each in seen] == sorted((each.told_at for each in seen), reverse=True)
    with pytest.raises(BadInput, match="cursor"):
        await webhooks.deliveries(DeliveryQuery(cursor="nonsense"))


async def test_a_workspace_has_a_bounded_number(rig: Rig, webhooks: Webhooks) -> None:
    for _ in range(20):
        await webhooks.add(rig.wish())
    with pytest.raises(Conflict, match="at most 20"):
        await webhooks.add(rig.wish())


# ---- letters -------------------------------------------------------------------------------------------------------


async def test_credit_that_runs_low_is_told_in_a_letter_again_until_it_is_taken(rig: Rig, webhooks: Webhooks) -> None:
    made = await webhooks.add(WebhookWish("mailto:ada@team.example", ["credit.threshold", "usage.summary"]))
    assert made.secret == ""
    rig.mail.fails = 1
    await rig.happens()
    await rig.passes()
    assert rig.mail.sent == []
    await rig.passes(seconds=5)
    (letter,) = rig.mail.sent
    assert (letter.to, letter.subject) == ("ada@team.example", "Scriza: your credit is $4.00")
    assert "below the $5.00" in letter.text


async def test_nothing_of_calls_is_told_in_letters(rig: Rig, webhooks: Webhooks) -> None:
    with pytest.raises(BadInput, match=r"call\.outcome is not told in letters"):
        await webhooks.add(WebhookWish("mailto:ada@team.example", ["call.outcome"]))
    made = await webhooks.add(WebhookWish("mailto:ada@team.example", ["credit.threshold"]))
    with pytest.raises(BadInput, match="not signed"):
        await webhooks.new_secret(made.webhook.webhook_id)
    with pytest.raises(BadInput, match="two kinds"):
        await webhooks.change(made.webhook.webhook_id, rig.wish())
