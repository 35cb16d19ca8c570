"""The envelope of what is told."""

from datetime import UTC, datetime

import msgspec

from scriza.kernel.events import Event, Topic, event
from scriza.kernel.principal import Principal, acting
from scriza.kernel.pseudonym import pseudonym
from scriza.ports.telephony import CallStarted

AT = datetime(2026, 1, 1, tzinfo=UTC)


def started(*, subject: str = "CA1", request_id: str = "") -> Event:
    data = CallStarted("CA1", "inbound")
    return event(
        Topic.CALL_STARTED,
        data,
        source="telephony",
        subject=subject,
        key="started",
        time=AT,
        workspace="default",
        request_id=request_id,
    )


def test_an_event_belongs_to_the_request_that_is_being_served_unless_another_is_told() -> None:
    assert started().request_id == ""
    with acting(Principal(), request_id="req_1"):
        assert started().request_id == "req_1"
        assert started(request_id="req_2").request_id == "req_2"


def test_the_same_fact_has_the_same_id_whichever_request_tells_it() -> None:
    assert started(request_id="req_1").id == started(request_id="req_2").id


def test_an_events_call_is_its_subject_unless_that_is_the_request_a_person_or_an_erasure() -> None:
    assert started(subject="CA1", request_id="req_1").call_id == "CA1"
    for subject in ("req_1", pseudonym("key", "default", "+14155550100"), "era_1"):
        assert started(subject=subject, request_id="req_1").call_id == ""


def test_it_is_a_cloudevent_with_attributes_in_lower_case() -> None:
    told = msgspec.json.decode(msgspec.json.encode(started(request_id="req_1")))
    assert told.keys() == {
        *("id", "type", "source", "subject", "time", "workspace", "data"),
        *("specversion", "datacontenttype", "requestid"),
    }
    assert (told["requestid"], told["specversion"]) == ("req_1", "1.0")


def test_an_event_that_was_kept_without_a_request_is_still_read() -> None:
    kept = msgspec.json.decode(msgspec.json.encode(started(request_id="req_1")))
    del kept["requestid"]
    assert msgspec.json.decode(msgspec.json.encode(kept), type=Event) == started()
