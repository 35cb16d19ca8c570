"""What records calls."""

from scriza.modules.telephony.call_log import CallLog
from scriza.modules.telephony.recordings.at_carrier import RecordingsAtCarrier
from scriza.modules.telephony.recordings.callback import PATH
from scriza.modules.telephony.recordings.service import RecordingOptions, Recordings
from scriza.modules.telephony.recordings.stored import MongoRecordingLog
from scriza.ports.carrier import Carrier
from scriza.ports.objects import Objects
from scriza.settings import Settings
from scriza_adapters.mongo.store import MongoStore


def recordings(settings: Settings, store: MongoStore, calls: CallLog, objects: Objects, carrier: Carrier) -> Recordings:
    """Made by whom the settings name."""
    options = RecordingOptions(
        by=settings.recording,
        keep_days=settings.recording_days,
        leaves_carrier=settings.recording_leaves_carrier,
    )
    at_carrier = RecordingsAtCarrier(carrier, settings.public_url.rstrip("/") + PATH)
    return Recordings(options, MongoRecordingLog(store), calls, objects, at_carrier)
