"""What leads calls, and who carries them."""

from functools import partial

from scriza.data_dir import Secrets
from scriza.kernel.pseudonym import NameOf, pseudonym
from scriza.modules.telephony.live.session import SessionOptions
from scriza.modules.telephony.signatures import SignatureGate, SigningKeys, socket_url
from scriza.modules.telephony.turns.adaptive_silence import AdaptiveSilence
from scriza.modules.telephony.turns.callee import CalleeOptions
from scriza.modules.telephony.turns.endpointing import Endpointer
from scriza.modules.telephony.turns.fixed_silence import FixedSilence
from scriza.modules.telephony.turns.limits import Limits
from scriza.modules.telephony.twiml import Twiml
from scriza.settings import SIMULATED_ACCOUNT, SIMULATED_CARRIER_URL, BadSettings, Settings
from scriza_adapters.twilio.carrier import TwilioCarrier


def signature_gate(settings: Settings, secrets: Secrets) -> SignatureGate:
    """Checks what Twilio, or the simulator, has signed."""
    other = settings.twilio_auth_token_secondary.get_secret_value()
    pairs = settings.twilio_shared_keys.get_secret_value().split(",")
    shared = {name.strip(): key.strip() for name, _, key in (pair.partition("=") for pair in pairs) if name.strip()}
    if not all(shared.values()):
        raise BadSettings("TWILIO_SHARED_KEYS: write ID=SECRET, separated by commas")
    return SignatureGate(
        SigningKeys((secrets.twilio_auth_token, other) if other else (secrets.twilio_auth_token,), shared),
        public_url=settings.public_url,
        stream_url=settings.stream_url,
        mode=settings.signatures,
    )


def name_of(secrets: Secrets) -> NameOf:
    """The pseudonyms of this installation."""
    return partial(pseudonym, secrets.pseudonym_key)


def twiml(settings: Settings) -> Twiml:
    """Leads Twilio back to this Scriza."""
    return Twiml(
        public_url=settings.public_url,
        stream_url=settings.stream_url or socket_url(settings.public_url),
        carried_in=settings.stream_token,
        ring_seconds=settings.transfer_ring_seconds,
    )


def carrier(settings: Settings, secrets: Secrets) -> TwilioCarrier:
    """Twilio with an account; without one there is nobody to ask but the simulator."""
    account = settings.twilio_account_sid
    if account and not settings.twilio_auth_token:
        raise BadSettings("TWILIO_ACCOUNT_SID needs TWILIO_AUTH_TOKEN")
    base_url = settings.twilio_base_url or ("" if account else SIMULATED_CARRIER_URL)
    return TwilioCarrier(
        account or SIMULATED_ACCOUNT,
        secrets.twilio_auth_token,
        base_url=base_url,
        timeout=settings.twilio_timeout_ms / 1000,
        calls_per_second=settings.twilio_calls_per_second,
    )


def endpointer(settings: Settings) -> Endpointer:
    """The policy of one call."""
    return FixedSilence(settings.endpoint_silence_ms) if settings.endpointing == "fixed" else AdaptiveSilence()


def session_options(settings: Settings) -> SessionOptions:
    """How every call is led."""
    limits = Limits(
        opening_on_wire=settings.opening_on_wire_ms,
        first_words=settings.first_words_ms,
        silence=settings.silence_ms,
        words=settings.words_ms,
        digits=settings.digits_ms,
        longest_call=settings.longest_call_ms,
        longest_turn=settings.longest_turn_ms,
        failures=settings.most_failures,
    )
    callee = CalleeOptions(first_words=settings.callee_silence_ms)
    return SessionOptions(limits=limits, callee=callee, speculate=settings.speculation)
