"""What the simulated caller does, line by line, as a YAML file tells it.

```yaml
name: barge-in
lines:
  - wait:                       # until the agent has spoken and then been silent for 700 ms
  - say: what does it do
  - interrupt_after: 1200       # once the agent has been speaking for 1.2 s
  - say: that is too expensive
  - wait: {silence_ms: 900, limit_ms: 8000}
  - hang_up
expect: {ended_by: caller}
```

A line is one of the Structs below: its tag, then either the value of its first field or a mapping of fields.
"""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from scriza.kernel.errors import BadInput, NotFound

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]
Decibels = Annotated[float, msgspec.Meta(ge=-96, le=60)]
EndedBy = Literal["agent", "caller", "carrier"]
"""Who ended the call: the agent's TwiML or REST, the caller, or an error or limit of the line."""
Pickup = Literal["answers", "busy", "no-answer", "failed"]
AnsweredBy = Literal["human", "machine_end_beep", "machine_end_silence", "machine_end_other", "fax", "unknown"]


class _Line(msgspec.Struct, tag_field="do", forbid_unknown_fields=True, frozen=True):
    pass


class Say(_Line, frozen=True, tag="say"):
    """Speak a text; an empty `voice` is the scenario's."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    voice: str = ""


class Play(_Line, frozen=True, tag="play"):
    """Play a WAV file, as loud as it is; its path is relative to the scenario's file."""

    file: Annotated[str, msgspec.Meta(min_length=1)]


class Cough(_Line, frozen=True, tag="cough"):
    """A burst of noise, as loud as speech."""

    ms: Annotated[int, msgspec.Meta(ge=20, le=2000)] = 250


class MmHm(_Line, frozen=True, tag="mm_hm"):
    """Agree without taking the turn, in under half a second."""

    text: str = "uh-huh"


class Pause(_Line, frozen=True, tag="pause"):
    """Do nothing for so long."""

    ms: Milliseconds


class Wait(_Line, frozen=True, tag="wait"):
    """Wait until the agent has spoken and then been silent for `silence_ms`, but no longer than `limit_ms`."""

    silence_ms: Milliseconds = 700
    limit_ms: Milliseconds = 15_000


class InterruptAfter(_Line, frozen=True, tag="interrupt_after"):
    """Wait until the agent has been speaking for `ms`, but no longer than `limit_ms`; the next line cuts in.

    Counted from the caller's last utterance or the agent's last pause of half a second, whichever was later.
    """

    ms: Milliseconds
    limit_ms: Milliseconds = 15_000


class Digits(_Line, frozen=True, tag="digits"):
    """Press keys, `gap_ms` apart. Keys are not heard on the line, as Twilio takes the tones out."""

    digits: Annotated[str, msgspec.Meta(pattern="^[0-9A-D*#]+$", max_length=64)]
    gap_ms: Milliseconds = 250


class Noise(_Line, frozen=True, tag="noise"):
    """White noise from here on for `ms`, under whatever the next lines do; `snr_db` below the caller's speech."""

    ms: Milliseconds
    snr_db: Decibels = 20.0


class Beep(_Line, frozen=True, tag="beep"):
    """The beep of an answering machine: one tone, as loud as speech. From then on it records."""

    ms: Annotated[int, msgspec.Meta(ge=20, le=2000)] = 400


class HangUp(_Line, frozen=True, tag="hang_up"):
    """The caller hangs up."""


class DropSocket(_Line, frozen=True, tag="drop_socket"):
    """The network takes the media socket away, without a stop message; the call itself stays up."""


Line = Say | Play | Cough | MmHm | Pause | Wait | InterruptAfter | Digits | Noise | Beep | HangUp | DropSocket


class Answer(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a called phone does after ringing for `after_ms`."""

    pickup: Pickup = "answers"
    after_ms: Milliseconds = 300
    by: AnsweredBy = "human"
    """Who it is, as the carrier finds out where it is asked to."""
    known_after_ms: Milliseconds | None = None
    """When it has, from the answer on; by default 2 s for a person, and for a machine at the end of its beep."""


class Transfer(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the phone does that a `<Dial>` calls, and for how long the two then talk.

    `presses` are the keys that are pressed where they are asked for; a machine that answers presses none.
    """

    pickup: Pickup = "answers"
    after_ms: Milliseconds = 300
    talk_ms: Milliseconds = 1000
    presses: Annotated[str, msgspec.Meta(pattern="^[0-9*#]*$", max_length=64)] = "1"


class Expect(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What must come of the call; whatever is left out may be anything."""

    ended_by: EndedBy | None = None
    status: str | None = None
    min_agent_stretches: int | None = None
    """Stretches of the agent's speech, parted by 300 ms of silence or more."""
    max_response_ms: Milliseconds | None = None
    max_barge_in_ms: Milliseconds | None = None
    barge_ins: int | None = None
    """Caller's utterances at which the agent stopped speaking."""
    messages: int | None = None
    streams: int | None = None
    keys: str | None = None
    """Keys that the agent pressed, as the caller's end hears their tones."""


class Scenario(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One simulated caller. `level_dbfs` is how loud it speaks, `line_noise_dbfs` the hiss of its line.

    With the direction `outbound` it is called.
    """

    name: Annotated[str, msgspec.Meta(pattern="^[^/]{1,100}$")]
    """Also of its recording's file."""
    lines: list[Line]
    description: str = ""
    direction: Literal["inbound", "outbound"] = "inbound"
    caller: str = "+14155550123"
    voice: str = "en-us"
    level_dbfs: Decibels = -22.0
    line_noise_dbfs: Decibels = -66.0
    answer: Answer = Answer()
    """Only for calls that are placed to this caller."""
    transfer: Transfer = Transfer()
    patience_ms: Milliseconds = 15_000
    """So long the caller stays on the line after the last line, before hanging up."""
    limit_ms: Milliseconds = 300_000
    """The carrier's longest call."""
    expect: Expect = Expect()
    folder: str = ""
    """Where the files of `Play` lines are."""

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every text with its voice."""
        for line in self.lines:
            if isinstance(line, Say):
                yield line.text, line.voice or self.voice
            elif isinstance(line, MmHm):
                yield line.text, self.voice


_FIRST_FIELD = {
    kind.__struct_config__.tag: kind.__struct_fields__[0] if kind.__struct_fields__ else ""
    for kind in (Say, Play, Cough, MmHm, Pause, Wait, InterruptAfter, Digits, Noise, Beep, HangUp, DropSocket)
}


def parse(text: str, source: str = "scenario", folder: str = "") -> Scenario:
    """A scenario from YAML. Raises BadInput, naming the place, for anything that is not a scenario."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(f"{source}: not YAML: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("lines"), list):
        raise BadInput(f"{source}: a scenario is a mapping with a list of `lines`")
    lines = [_spell_out(line, f"{source}: line {number}") for number, line in enumerate(document["lines"], 1)]
    try:
        return msgspec.convert({"folder": folder, **document, "lines": lines}, Scenario)
    except msgspec.ValidationError as error:
        raise BadInput(f"{source}: {error}") from error


def load(name_or_path: str) -> Scenario:
    """A scenario by the name of a shipped one or by its file's path. Raises NotFound, BadInput."""
    if name_or_path in shipped():
        file = resources.files(__package__) / "scenarios" / f"{name_or_path}.yaml"
        return parse(file.read_text("utf-8"), name_or_path)
    path = Path(name_or_path)
    try:
        return parse(path.read_text("utf-8"), path.name, str(path.parent))
    except OSError as error:
        raise NotFound(
            f"no scenario {name_or_path}: neither a file nor one of the shipped {', '.join(shipped())}"
        ) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path.name}: not UTF-8 text") from error


def shipped() -> list[str]:
    """The names of the scenarios that come with Scriza."""
    folder = resources.files(__package__) / "scenarios"
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


def _spell_out(line: object, where: str) -> dict[str, object]:
    if isinstance(line, str):
        line = {line: None}
    if not isinstance(line, dict) or len(line) != 1:
        raise BadInput(f"{where}: a line is one word, or one word with its value")
    [(word, value)] = line.items()
    if word not in _FIRST_FIELD:
        raise BadInput(f"{where}: there is no `{word}`; there are {', '.join(map(str, _FIRST_FIELD))}")
    if value is None:
        return {"do": word}
    if isinstance(value, dict):
        return {**value, "do": word}
    if not _FIRST_FIELD[word]:
        raise BadInput(f"{where}: `{word}` takes no value")
    return {"do": word, _FIRST_FIELD[word]: value}
