"""The paced sender, on virtual time."""

import asyncio
from collections.abc import Awaitable, Callable

from scriza.audio import mulaw
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.live.player import Pacing, Player
from tests.scenarios.memory_phone import MemoryPhone
from tests.unit.call_rig import word_times
from tests.virtual_time import run_virtual

Told = list[on.Event]


def played(script: Callable[[Player, MemoryPhone, Told], Awaitable[None]]) -> tuple[MemoryPhone, Told]:
    """Run a script against a player that sends to a phone."""

    async def main() -> tuple[MemoryPhone, Told]:
        phone, told = MemoryPhone(), Told()
        player = Player(phone, "MZ1", told.append, Pacing())
        sending = asyncio.create_task(player.run())
        await script(player, phone, told)
        sending.cancel()
        return phone, told

    return run_virtual(main())


def rounded(phone: MemoryPhone) -> list[tuple[float, float]]:
    return [(round(start, 6), round(end, 6)) for start, end in phone.played]


def ready_clip(player: Player, number: int, ms: int, text: str = "one two three four five") -> None:
    clip = player.clip(number)
    clip.time(word_times(text))
    clip.add(mulaw.silence(ms))
    clip.finish()
    player.play(clip)


def marks(told: Told) -> list[on.MarkSent]:
    return [event for event in told if isinstance(event, on.MarkSent)]


def test_audio_leaves_a_little_ahead_of_the_phone_and_without_gaps() -> None:
    ahead: list[float] = []

    async def script(player: Player, phone: MemoryPhone, told: Told) -> None:
        ready_clip(player, 1, 1_000)
        ready_clip(player, 2, 1_000)
        await asyncio.sleep(0.05)
        while phone.elapsed < 1.8:
            ahead.append(phone.plays_until - asyncio.get_running_loop().time())
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)

    phone, _ = played(script)
    assert rounded(phone) == [(0.0, 2.0)]
    assert max(ahead) <= 0.161
    assert min(ahead) >= 0.09


def test_marks_are_at_most_two_hundred_ms_apart_and_the_last_one_says_so() -> None:
    async def script(player: Player, phone: MemoryPhone, told: Told) -> None:
        ready_clip(player, 1, 1_000)
        await asyncio.sleep(2)

    _, told = played(script)
    ends = [mark.until_ms for mark in marks(told)]
    assert ends[-1] == 1_000
    assert [mark.last for mark in marks(told)] == [False] * (len(ends) - 1) + [True]
    assert max(late - early for early, late in zip([0, *ends], ends, strict=False)) <= 200
    assert sum(end % 200 == 0 for end in ends) >= 4, "marks follow the words' ends"


def test_a_hold_shorter_than_the_lead_is_not_heard() -> None:
    async def script(player: Player, phone: MemoryPhone, told: Told) -> None:
        ready_clip(player, 1, 1_000)
        await asyncio.sleep(0.4)
        player.hold()
        await asyncio.sleep(0.09)
        player.go_on()
        await asyncio.sleep(2)

    phone, _ = played(script)
    assert rounded(phone) == [(0.0, 1.0)]


def test_a_longer_hold_is_a_gap_and_nothing_is_lost() -> None:
    async def script(player: Player, phone: MemoryPhone, told: Told) -> None:
        ready_clip(player, 1, 1_000)
        await asyncio.sleep(0.4)
        player.hold()
        await asyncio.sleep(0.5)
        player.go_on()
        await asyncio.sleep(2)

    phone, _ = played(script)
    (start, silent), (again, end) = rounded(phone)
    assert start == 0.0
    assert silent - 0.4 <= 0.161
    assert again == 0.9
    assert abs((silent - start) + (end - again) - 1.0) < 1e-6


def test_clear_drops_what_is_queued_and_tells_the_phone() -> None:
    async def script(player: Player, phone: MemoryPhone, told: Told) -> None:
        ready_clip(player, 1, 1_000)
        ready_clip(player, 2, 1_000)
        await asyncio.sleep(0.3)
        player.clear()
        await asyncio.sleep(0.3)
        ready_clip(player, 3, 200)
        await asyncio.sleep(1)

    phone, told = played(script)
    assert phone.clears == 1
    assert [event.clip for event in told if isinstance(event, on.ClipStarted)] == [1, 3]
    assert phone.played[0][1] <= 0.31


def test_a_clip_is_sent_while_it_is_still_being_made() -> None:
    async def script(player: Player, phone: MemoryPhone, told: Told) -> None:
        clip = player.clip(1)
        player.play(clip)
        for _ in range(10):
            clip.add(mulaw.silence(100))
            await asyncio.sleep(0.05)
        clip.finish()
        await asyncio.sleep(2)

    phone, told = played(script)
    assert rounded(phone) == [(0.0, 1.0)]
    assert marks(told)[-1].last


def test_a_clip_that_ends_without_audio_is_over_at_once() -> None:
    async def script(player: Player, phone: MemoryPhone, told: Told) -> None:
        clip = player.clip(1)
        player.play(clip)
        clip.finish()
        await asyncio.sleep(0.1)

    phone, told = played(script)
    assert rounded(phone) == []
    assert marks(told)[-1] == on.MarkSent("1:1", 1, 0, True)


def test_a_socket_that_takes_nothing_any_more_is_a_lost_stream() -> None:
    async def main() -> None:
        phone, told = MemoryPhone(), Told()
        player = Player(phone, "MZ1", told.append, Pacing())
        ready_clip(player, 1, 1_000)
        async with asyncio.timeout(5):
            sending = asyncio.create_task(player.run())
            await asyncio.sleep(0.2)
            phone.drop()
            await sending
        assert told[-1] == on.StreamLost()

    run_virtual(main())
