"""Twilio's signatures: its own published vectors, rotation, shared keys, and what a forger might try."""

import hmac
from base64 import b64encode

import pytest
from structlog.testing import capture_logs

from scriza.kernel.errors import BadInput, Forbidden
from scriza.modules.telephony.forms import Form, parse_form
from scriza.modules.telephony.signatures import (
    Match,
    Signature,
    SignatureGate,
    SigningKeys,
    check_body,
    check_form,
    check_socket,
    signed_text,
    socket_url,
)

KEYS = SigningKeys(("12345",))
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
FORM: Form = {
    "CallSid": ["CA1234567890ABCDE"],
    "Digits": ["1234"],
    "From": ["+14158675309"],
    "To": ["+18005551212"],
    "Caller": ["+14158675309"],
}
GOOD = Signature("RSOYDt4T1cUTdK1PDd93/VVr8B8=")


def sign(url: str, form: Form | None = None, *, secret: str = "12345", hash_name: str = "sha1") -> str:
    return b64encode(hmac.digest(secret.encode(), signed_text(url, form or {}).encode(), hash_name)).decode()


def test_the_published_form_is_accepted() -> None:
    assert check_form(URL, FORM, GOOD, KEYS) == Match("as configured", "token 1")


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        ("https://mycompany.com/myapp.php?foo=1&bar=2", "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("https://mycompany.com:443/myapp.php?foo=1&bar=2", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("http://mycompany.com/myapp.php?foo=1&bar=2", "0ZXoZLH/DfblKGATFgpif+LLRf4="),
    ],
)
def test_the_port_may_be_signed_or_left_out(url: str, signature: str) -> None:
    assert check_form(url, FORM, Signature(signature), KEYS).variant == "other port"


def test_a_port_of_ones_own_is_signed_as_it_is() -> None:
    url = "http://mycompany.com:1234/myapp.php?foo=1&bar=2"
    assert check_form(url, FORM, Signature("Zmvh+3yNM1Phv2jhDCwEM3q5ebU="), KEYS).variant == "as configured"


def test_repeated_values_are_sorted_and_counted_once() -> None:
    form = parse_form(b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234")
    assert check_form(URL, form, Signature("IK+Dwps556ElfBT0I3Rgjkr1wJU="), KEYS)


def test_blank_fields_are_part_of_what_is_signed() -> None:
    form = parse_form(b"CallSid=CA1&ToState=&ToZip=&From=%2B1415")
    assert form == {"CallSid": ["CA1"], "ToState": [""], "ToZip": [""], "From": ["+1415"]}
    signature = Signature(sign(URL, form))
    assert check_form(URL, form, signature, KEYS)
    with pytest.raises(Forbidden):
        check_form(URL, {name: values for name, values in form.items() if values != [""]}, signature, KEYS)


def test_a_json_body_is_checked_by_its_hash_in_the_url() -> None:
    body = b'{"property": "value", "boolean": true}'
    url = URL + "&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    signature = Signature("a9nBmqA0ju/hNViExpshrM61xv4=")
    assert check_body(url, body, signature, KEYS)
    with pytest.raises(Forbidden, match="body is not the one"):
        check_body(url, body + b" ", signature, KEYS)
    with pytest.raises(Forbidden, match="body is not the one"):
        check_body(URL, body, GOOD, KEYS)


@pytest.mark.parametrize(
    ("signed", "variant"),
    [
        ("wss://h.example/stream/tok", "as configured"),
        ("wss://h.example:443/stream/tok", "other port"),
        ("https://h.example/stream/tok", "as https"),
        ("https://h.example:443/stream/tok", "as https, other port"),
    ],
)
def test_a_sockets_upgrade_is_accepted_in_each_known_form_and_tells_which(signed: str, variant: str) -> None:
    match = check_socket("wss://h.example/stream/tok", Signature(sign(signed)), KEYS)
    assert match.variant == variant


def test_the_published_socket_signatures_are_accepted() -> None:
    assert check_socket("wss://h.example/stream", Signature("41Fd2KXSiy0nuCd5v264BIw5qls="), KEYS)
    with pytest.raises(Forbidden):
        check_socket("wss://h.example/stream", Signature("A1jEv+EcLs0M9V6DFdQz90r/mHs="), KEYS)


def test_only_a_root_socket_may_differ_by_its_slash() -> None:
    assert check_socket("wss://h.example", Signature(sign("wss://h.example/")), KEYS).variant == "other slash"
    assert check_socket("wss://h.example/", Signature(sign("wss://h.example")), KEYS).variant == "other slash"
    with pytest.raises(Forbidden):
        check_socket("wss://h.example/stream", Signature(sign("wss://h.example/stream/")), KEYS)


def test_a_shared_key_signs_with_sha256() -> None:
    keys = SigningKeys((), {"webhooks_sharedkey_1": "12345"})
    settings = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
    signature = Signature("033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=", settings)
    assert check_form(URL, FORM, signature, keys) == Match("as configured", "webhooks_sharedkey_1")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("key=another,algorithm=HMAC_SHA256", "shared key that is not known"),
        ("key=mine,algorithm=HMAC_MD5", "algorithm that is not known"),
        ("key=mine,algorithm=HMAC_SHA1", "does not fit"),
    ],
)
def test_another_key_or_hash_than_the_agreed_one_is_refused(settings: str, reason: str) -> None:
    keys = SigningKeys(("12345",), {"mine": "12345"})
    with pytest.raises(Forbidden, match=reason):
        check_form(URL, FORM, Signature("033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=", settings), keys)


def test_the_auth_token_does_not_stand_in_for_a_shared_key() -> None:
    keys = SigningKeys(("12345",), {"mine": "other secret"})
    signature = Signature(sign(URL, FORM, hash_name="sha256"), "key=mine,algorithm=HMAC_SHA256")
    with pytest.raises(Forbidden, match="does not fit"):
        check_form(URL, FORM, signature, keys)


def test_both_tokens_are_accepted_while_they_are_rotated_and_the_old_one_no_longer_after() -> None:
    stale = Signature(sign(URL, FORM, secret="old token"))
    assert check_form(URL, FORM, stale, SigningKeys(("new token", "old token"))).key == "token 2"
    with pytest.raises(Forbidden, match="does not fit"):
        check_form(URL, FORM, stale, SigningKeys(("new token",)))


FORGED = {
    "absent": "",
    "of another secret": sign(URL, FORM, secret="guess"),
    "of an empty secret": sign(URL, FORM, secret=""),
    "of another path": sign("https://mycompany.com/other", FORM),
    "of another host": sign("https://evil.com/myapp.php?foo=1&bar=2", FORM),
    "of another form": sign(URL, {**FORM, "Digits": ["9999"]}),
    "without its end": GOOD.value[:-1],
    "in another case": GOOD.value.lower(),
    "not ASCII": "RSOYDt4T1cUTdK1PDd93/VVr8Bé=",
    "very long": GOOD.value * 1000,
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
def test_a_forged_signature_is_refused(forged: str) -> None:
    with pytest.raises(Forbidden):
        check_form(URL, FORM, Signature(forged), KEYS)


@pytest.mark.parametrize("body", [b"\xff\xfe=1", b"a=%ff", b"&".join(b"f=%d" % n for n in range(500))])
def test_a_form_that_cannot_be_read_is_refused_as_bad_input(body: bytes) -> None:
    with pytest.raises(BadInput):
        parse_form(body)


def test_a_blank_secret_is_never_a_key() -> None:
    with pytest.raises(ValueError, match="blank"):
        SigningKeys(("12345", ""))
    with pytest.raises(ValueError, match="blank"):
        SigningKeys((), {"mine": ""})


def test_keys_do_not_show_in_a_traceback() -> None:
    assert "12345" not in repr(KEYS)


FORM_TYPE = "application/x-www-form-urlencoded"


def test_the_gate_takes_the_public_url_whatever_the_host_header_says() -> None:
    gate = SignatureGate(KEYS, public_url="https://pbx.example/scriza", mode="enforce")
    signature = Signature(sign("https://pbx.example/scriza/voice?x=1", {"CallSid": ["CA1"]}))
    assert gate.webhook("/voice?x=1", FORM_TYPE, b"CallSid=CA1", signature) == {"CallSid": ["CA1"]}
    with pytest.raises(Forbidden):
        gate.webhook("/voice?x=2", FORM_TYPE, b"CallSid=CA1", signature)
    gate.upgrade("/stream/t", Signature(sign("wss://pbx.example/scriza/stream/t")))


def test_sockets_may_have_a_base_of_their_own() -> None:
    gate = SignatureGate(KEYS, public_url="https://a.example", stream_url="wss://b.example", mode="enforce")
    gate.upgrade("/stream/t", Signature(sign("wss://b.example/stream/t")))
    with pytest.raises(Forbidden):
        gate.upgrade("/stream/t", Signature(sign("wss://a.example/stream/t")))


def test_a_json_webhook_has_its_fields_read_after_the_check() -> None:
    gate = SignatureGate(KEYS, public_url="https://mycompany.com", mode="enforce")
    body = b'{"property": "value", "boolean": true}'
    target = "/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    signature = Signature("a9nBmqA0ju/hNViExpshrM61xv4=")
    fields = gate.webhook(target, "application/json; charset=utf-8", body, signature)
    assert fields == {"property": ["value"], "boolean": ["True"]}
    with pytest.raises(Forbidden):
        gate.webhook(target, FORM_TYPE, body, signature)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"a":{"b":1}}', b"[" * 100_000])
def test_bad_json_is_refused_as_bad_input_even_when_nothing_is_checked(body: bytes) -> None:
    gate = SignatureGate(KEYS, public_url="http://127.0.0.1:8000", mode="off")
    with pytest.raises(BadInput):
        gate.webhook("/voice", "application/json", body, Signature(""))


def test_warn_lets_in_and_says_so_and_off_says_nothing() -> None:
    for mode, said in (("warn", ["signature.refused"]), ("off", [])):
        gate = SignatureGate(KEYS, public_url="http://127.0.0.1:8000", mode=mode)  # type: ignore[arg-type]  # both are modes
        with capture_logs() as logs:
            assert gate.webhook("/voice", FORM_TYPE, b"CallSid=CA1", Signature("x")) == {"CallSid": ["CA1"]}
        assert [line["event"] for line in logs] == said


def test_another_form_of_the_url_than_the_configured_one_is_told() -> None:
    gate = SignatureGate(KEYS, public_url="https://h.example", mode="enforce")
    with capture_logs() as logs:
        gate.upgrade("/stream/secret-token", Signature(sign("https://h.example/stream/secret-token")))
    assert [(line["event"], line["variant"]) for line in logs] == [("signature.other_variant", "as https")]
    assert "secret-token" not in str(logs)


def test_sockets_are_secure_where_the_public_url_is() -> None:
    assert socket_url("https://h.example/base") == "wss://h.example/base"
    assert socket_url("http://127.0.0.1:8000") == "ws://127.0.0.1:8000"
