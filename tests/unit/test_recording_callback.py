"""What the carrier tells of its recordings: signed, known calls alone, and as often as it likes."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from scriza.kernel.errors import BadInput, Forbidden
from scriza.modules.telephony.recordings.at_carrier import RecordingsAtCarrier
from scriza.modules.telephony.recordings.callback import RecordingCallback
from scriza.modules.telephony.recordings.log import CallRecording
from scriza.modules.telephony.recordings.service import RecordingOptions, Recordings
from scriza.modules.telephony.signatures import Signature, SignatureGate, SigningKeys
from scriza.modules.telephony.webhooks import Webhook
from tests.memory_log import MemoryCallLog
from tests.memory_objects import MemoryObjects
from tests.memory_recordings import MemoryRecordingLog
from tests.scenarios.engines import SilentCarrier

PUBLIC = "https://pbx.example"
COMPLETED = {"CallSid": "CA1", "RecordingSid": "RE1", "RecordingStatus": "completed"}


class Rig:
    def __init__(self) -> None:
        self.log = MemoryRecordingLog()
        at_carrier = RecordingsAtCarrier(SilentCarrier(), "")  # type: ignore[arg-type]  # it is asked nothing here
        recordings = Recordings(RecordingOptions(by="carrier"), self.log, MemoryCallLog(), MemoryObjects(), at_carrier)
        gate = SignatureGate(SigningKeys(("auth-token",)), public_url=PUBLIC, mode="enforce")
        self._callback = RecordingCallback(gate, recordings)

    async def begun(self) -> None:
        await self.log.begin(CallRecording("CA1", "default", "carrier", datetime(2030, 1, 1, tzinfo=UTC)))

    async def tell(self, form: dict[str, str], *, token: str = "auth-token") -> None:
        target = "/recording-callback"
        signature = Signature(RequestValidator(token).compute_signature(PUBLIC + target, form), "")
        body = urlencode(form).encode()
        await self._callback.tell(Webhook(target, "application/x-www-form-urlencoded", body, signature))

    async def found(self) -> tuple[str, str]:
        recording = await self.log.find("CA1")
        assert recording is not None
        return recording.state, recording.carrier_id


async def test_a_complete_recording_is_noted_once_however_often_it_is_told() -> None:
    rig = Rig()
    await rig.begun()
    await rig.tell(COMPLETED)
    await rig.tell(COMPLETED)
    assert await rig.found() == ("open", "RE1")


async def test_an_absent_recording_is_lost() -> None:
    rig = Rig()
    await rig.begun()
    await rig.tell(COMPLETED | {"RecordingStatus": "absent"})
    assert await rig.found() == ("lost", "")


async def test_other_words_change_nothing() -> None:
    rig = Rig()
    await rig.begun()
    await rig.tell(COMPLETED | {"RecordingStatus": "in-progress"})
    assert await rig.found() == ("open", "")


async def test_a_recording_that_was_not_asked_for_is_not_fetched() -> None:
    rig = Rig()
    await rig.tell(COMPLETED)
    await rig.tell(COMPLETED | {"RecordingStatus": "absent"})
    assert await rig.log.find("CA1") is None


async def test_what_is_not_signed_is_refused() -> None:
    rig = Rig()
    await rig.begun()
    with pytest.raises(Forbidden):
        await rig.tell(COMPLETED, token="another-token")
    assert await rig.found() == ("open", "")


@pytest.mark.parametrize("missing", ["CallSid", "RecordingSid"])
@pytest.mark.parametrize("value", ["", "../etc", "a" * 65])
async def test_a_form_without_usable_ids_is_refused(missing: str, value: str) -> None:
    with pytest.raises(BadInput):
        await Rig().tell(COMPLETED | {missing: value})
