"""Our check of signatures and Twilio's own `RequestValidator` agree on random forms, genuine and forged.

`SCRIZA_TEST_SIGNED_FORMS` sets how many forms are tried; 200 unless told.
"""

import os
from collections.abc import Mapping, Sequence
from urllib.parse import quote_plus

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from scriza.kernel.errors import Forbidden
from scriza.modules.telephony.forms import parse_form
from scriza.modules.telephony.signatures import Signature, SigningKeys, check_form

FORMS = int(os.environ.get("SCRIZA_TEST_SIGNED_FORMS", "200"))

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.just("")
fields = st.lists(st.tuples(text, text), max_size=12).flatmap(
    lambda pairs: st.lists(st.sampled_from(pairs or [("", "")]), max_size=3).map(lambda again: pairs + again)
)
hosts = st.sampled_from(
    [
        "https://h.example",
        "https://h.example:443",
        "https://h.example:8443",
        "http://h.example",
        "http://h.example:8000",
    ]
)
targets = st.sampled_from(["/voice", "/voice?a=1&b=", "/status-callback", "/%7Efolder/x?q=%20"])
algorithms = st.sampled_from(["HMAC_SHA1", "HMAC_SHA256"])


class MultiDict(dict[str, list[str]]):
    """As web frameworks give forms to the validator."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def posted(pairs: Sequence[tuple[str, str]]) -> bytes:
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs).encode()


def multidict(pairs: Sequence[tuple[str, str]]) -> MultiDict:
    form = MultiDict()
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


def ours(url: str, form: Mapping[str, Sequence[str]], signature: str, algorithm: str, token: str) -> bool:
    header = "" if algorithm == "HMAC_SHA1" else f"key=shared,algorithm={algorithm}"
    try:
        check_form(url, form, Signature(signature, header), SigningKeys((token,), {"shared": token}))
    except Forbidden:
        return False
    return True


@settings(max_examples=FORMS, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hosts, targets, fields, algorithms, st.text("0123456789abcdef", min_size=1, max_size=32), st.data())
def test_ours_and_twilios_agree(
    host: str, target: str, pairs: list[tuple[str, str]], algorithm: str, token: str, data: st.DataObject
) -> None:
    url = host + target
    validator = RequestValidator(token)
    genuine = validator.compute_signature(url, multidict(pairs), algorithm)

    assert ours(url, parse_form(posted(pairs)), genuine, algorithm, token)

    changed = data.draw(
        st.one_of(
            st.tuples(st.just(pairs), hosts.map(lambda other: other + target), st.just(genuine)),
            st.tuples(fields, st.just(url), st.just(genuine)),
            st.tuples(st.just(pairs), st.just(url + "x"), st.just(genuine)),
            st.tuples(
                st.just(pairs), st.just(url), st.sampled_from([genuine[:-1], genuine.swapcase(), "", "x" + genuine])
            ),
        )
    )
    other_pairs, other_url, signature = changed
    theirs = validator.validate(other_url, multidict(other_pairs), signature, algorithm)
    assert ours(other_url, parse_form(posted(other_pairs)), signature, algorithm, token) == theirs
