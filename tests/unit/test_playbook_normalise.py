"""However a playbook was written, what means the same is kept in one form, and doing it again changes nothing."""

import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriza.modules.strategy.canonical import canonical, version_id
from scriza.modules.strategy.ingest import ingest
from scriza.modules.strategy.normalise import normalise, texts
from scriza.modules.strategy.normalise.money import NoAmount, minor_units
from scriza.modules.strategy.normalise.tidy import tidied
from scriza.modules.strategy.typed import typed
from scriza.modules.strategy.written import to_yaml
from scriza.ports.playbook import Playbook
from tests.messy_playbooks import documents

patient = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

MINIMAL: dict[str, Any] = {
    "schema": "scriza.playbook/1",
    "slug": "tiny",
    "title": "Tiny",
    "locale": "en-GB",
    "goal": "Be there",
    "persona": {"name": "Ada"},
    "opening": {"inbound": "Hello.", "fallback": "Goodbye."},
    "stages": [{"id": "start", "goal": "Be there."}],
    "transfer": {"unavailable": "Nobody is here."},
    "silence": "Are you there?",
    "closing": {"goodbye": "Goodbye."},
    "lines": {"repair": "Pardon?", "trouble": "Sorry?", "resumed": "Back.", "unknown": "What?"},
}


def kept(**sections: Any) -> Playbook:
    """The minimal playbook with these sections, as it is kept."""
    found = normalise(MINIMAL | sections)
    assert found.playbook is not None, found.findings
    return found.playbook


def codes(**sections: Any) -> list[str]:
    return [finding.code for finding in normalise(MINIMAL | sections).findings]


# ---- laws ----


@patient
@given(documents())
def test_normalising_twice_is_normalising_once(document: dict[str, Any]) -> None:
    once = normalise(document).playbook
    if once is not None:
        again = normalise(once)
        assert again.playbook == once
        assert canonical(again.playbook) == canonical(once)
        assert again.findings == []


@patient
@given(documents())
def test_a_document_is_a_playbook_or_there_is_an_error_that_says_why_not(document: dict[str, Any]) -> None:
    found = normalise(document)
    assert (found.playbook is None) <= any(finding.level == "error" for finding in found.findings)


@patient
@given(documents())
def test_what_is_kept_comes_back_from_its_canonical_json_and_from_its_yaml(document: dict[str, Any]) -> None:
    playbook = normalise(document).playbook
    if playbook is not None:
        assert version_id(msgspec.json.decode(canonical(playbook), type=Playbook)) == version_id(playbook)
        draft = ingest(to_yaml(playbook).encode(), "yaml")
        assert normalise(draft.document).playbook == playbook


@patient
@given(documents(), st.data())
def test_the_walk_finds_an_error_exactly_where_msgspec_refuses(document: dict[str, Any], data: st.DataObject) -> None:
    tidy, _ = tidied(document)
    broken = data.draw(st.sampled_from(sorted(tidy)))
    odd = st.sampled_from([None, 7, -1, 0.5, True, "", "x", [], [None], {}, {"id": 1}, [{"id": "a", "zz": 2}], "A B"])
    tidy[broken] = data.draw(odd)
    playbook, findings = typed(tidy)
    try:
        expected = msgspec.convert(tidy, Playbook)
    except msgspec.ValidationError:
        assert playbook is None
        assert findings
        assert "invalid" not in {finding.code for finding in findings}, "the walk knows every rule of the types"
    else:
        assert playbook == expected
        assert findings == []


@given(st.text(max_size=60))
def test_each_form_of_a_text_is_its_own(text: str) -> None:
    for form in (
        texts.clean,
        texts.block,
        texts.line,
        texts.with_placeholders,
        texts.slug,
        texts.variable_id,
        texts.locale,
    ):
        once = form(text)
        assert form(once) == once, form.__name__
    assert unicodedata.is_normalized("NFC", texts.clean(text))


# ---- texts and ids ----


def test_texts_are_in_nfc_without_carriage_returns_and_trimmed() -> None:
    playbook = kept(
        title="  Caf\u0065\u0301\r\n calls ", stages=[{"goal": "One.", "prompt": " First.  \r\nSecond.\r\n\r\n"}]
    )
    assert playbook.title == "Caf\u00e9 calls"
    assert playbook.stages[0].prompt == "First.\nSecond."


@pytest.mark.parametrize(
    ("title", "id_"),
    [
        ("Too expensive!", "too-expensive"),
        ("It\u2019s \u201ctoo\u201d much", "its-too-much"),
        ("Fees & taxes", "fees-and-taxes"),
        ("Über uns", "uber-uns"),
        ("24 hours?", "n-24-hours"),
        (
            "We have been with our supplier for more than twenty years now",
            "we-have-been-with-our-supplier-for-more-than",
        ),
    ],
)
def test_a_record_without_an_id_gets_one_from_its_title(title: str, id_: str) -> None:
    assert kept(objections=[{"title": title, "response": "I see."}]).objections[0].id == id_


def test_a_title_that_no_id_can_be_made_of_gives_one_by_its_content() -> None:
    first, again = (kept(faqs=[{"q": "कितना है?", "a": "Nineteen."}]).faqs[0].id for _ in range(2))
    assert first == again
    assert first.startswith("faq-")


def test_smart_quotes_stay_in_what_is_spoken() -> None:
    assert kept(opening={"inbound": "It\u2019s Ada.", "fallback": "Bye."}).opening.inbound == "It\u2019s Ada."


def test_ids_and_who_refers_to_them_are_respelt_alike() -> None:
    stages = [
        {
            "id": "Say Hello",
            "goal": "Greet.",
            "next": "Book It!",
            "exits": [{"to": "Book It!", "filled": ["First Name"]}],
        },
        {"id": "Book It!", "goal": "Book.", "final": True},
    ]
    playbook = kept(
        stages=stages, variables=["First Name"], opening={"inbound": "Hi {{ First Name }}.", "fallback": "Bye."}
    )
    assert [stage.id for stage in playbook.stages] == ["say-hello", "book-it"]
    assert playbook.stages[0].next == playbook.stages[0].exits[0].to == "book-it"
    assert playbook.stages[0].exits[0].filled == [playbook.variables[0].name] == ["first_name"]
    assert playbook.opening.inbound == "Hi {first_name}."


def test_an_id_that_is_there_twice_gets_a_number_which_is_told() -> None:
    facts = [{"id": "size", "text": "Small."}, {"id": "size", "text": "Large."}, {"id": "size-2", "text": "Other."}]
    found = normalise(MINIMAL | {"facts": facts})
    assert found.playbook is not None
    assert {fact.id: fact.text for fact in found.playbook.facts} == {
        "size": "Small.",
        "size-2": "Other.",
        "size-3": "Large.",
    }
    assert [(f.level, f.code, f.pointer) for f in found.findings] == [("warning", "duplicate-id", "/facts/1/id")]


def test_two_stages_of_one_id_are_an_error_since_others_lead_to_them() -> None:
    found = normalise(MINIMAL | {"stages": [{"id": "a", "goal": "One."}, {"id": "a", "goal": "Two."}]})
    assert [(f.level, f.code) for f in found.findings] == [("error", "duplicate-id")]


# ---- numbers, languages, money ----


@pytest.mark.parametrize(
    ("written", "kept_as"),
    [
        ("020 7946 0958", "+442079460958"),
        ("tel:+44-20-7946-0958", "+442079460958"),
        ("+1 (415) 555-0123", "+14155550123"),
        ("sip:desk@example.com", "sip:desk@example.com"),
        (442079460958, "+442079460958"),
        ("1234", None),
        ("+44 20 7946 0958 ext. 12", None),
    ],
)
def test_phone_numbers_are_e164_by_the_country_of_the_locale(written: object, kept_as: str | None) -> None:
    found = normalise(MINIMAL | {"transfer": {"to": written, "unavailable": "Nobody."}})
    if kept_as is None:
        assert [(f.code, f.pointer) for f in found.findings] == [("wrong-form", "/transfer/to")]
    else:
        assert found.playbook is not None
        assert found.playbook.transfer.to == kept_as


@pytest.mark.parametrize(
    ("written", "kept_as"), [("en_in", "en-IN"), ("EN-us", "en-US"), ("zh-HANT-tw", "zh-Hant-TW"), ("es-419", "es-419")]
)
def test_languages_are_in_their_canonical_case_wherever_they_stand(written: str, kept_as: str) -> None:
    playbook = kept(locale=written, locales=[written], opening={"inbound": {written: "Hi."}, "fallback": "Bye."})
    assert playbook.locale == kept_as
    assert playbook.locales == [kept_as]
    assert playbook.opening.inbound == {kept_as: "Hi."}


@pytest.mark.parametrize(
    ("price", "minor", "currency"),
    [
        ({"amount": "19.00 USD"}, 1900, "USD"),
        ({"amount": 19, "currency": "usd"}, 1900, "USD"),
        ({"amount": 19.99, "currency": "EUR"}, 1999, "EUR"),
        ({"amount": "£1,299"}, 129900, "GBP"),
        ({"amount": "INR 1,29,900.50"}, 12990050, "INR"),
        ({"amount": "1500 JPY"}, 1500, "JPY"),
        ({"amount": "1.250 KWD"}, 1250, "KWD"),
        ({"amount_minor": 5, "currency": "USD"}, 5, "USD"),
    ],
)
def test_amounts_are_kept_in_minor_units_of_their_currency(price: dict[str, Any], minor: int, currency: str) -> None:
    found = kept(pricing=[{"plan": "Team", "per": "monthly"} | price]).pricing[0]
    assert (found.amount_minor, found.currency, found.per) == (minor, currency, "month")


@pytest.mark.parametrize(
    "amount",
    [
        "19.00",
        "$19",
        "19,00 EUR",
        "1.299,00 EUR",
        "19.005 USD",
        "0.5 JPY",
        "-1 USD",
        "free",
        "19 USD EUR",
        True,
        None,
        "1e9 USD",
        ["19"],
    ],
)
def test_an_amount_of_no_certain_meaning_is_an_error(amount: object) -> None:
    with pytest.raises(NoAmount):
        minor_units(amount, "", "GB")
    assert "error" in {f.level for f in normalise(MINIMAL | {"pricing": [{"plan": "Team", "amount": amount}]}).findings}


def test_a_dollar_is_that_of_the_locale() -> None:
    assert minor_units("$19", "", "CA") == (1900, "CAD")


# ---- forms ----


def test_a_text_may_stand_where_a_record_or_a_list_belongs() -> None:
    playbook = kept(facts="One plan.", faqs=[{"q": "How much?", "a": "Nineteen."}], guardrails=["Promise nothing."])
    assert playbook.goal.primary == "Be there"
    assert playbook.transfer.unavailable.say == ["Nobody is here."]
    assert playbook.facts[0].text == "One plan."
    assert playbook.faqs[0].a == ["Nineteen."]
    assert playbook.guardrails[0].id == "promise-nothing"


def test_what_is_nobodys_business_is_kept_and_what_is_nothing_is_left_out() -> None:
    playbook = kept(
        **{"x-crm": {"Board": 7}, "facts": [{"text": "A.", "x-owner": "Mia", "source": None}], "voicemail": None}
    )
    assert playbook.ext == {"x-crm": {"Board": 7}}
    assert playbook.facts[0].ext == {"x-owner": "Mia"}


@pytest.mark.parametrize(
    ("text", "kept_as"),
    [
        ("{{ name }}", "{name}"),
        ("{name}", "{name}"),
        ("{{First Name}}!", "{first_name}!"),
        ("{a}{{ b }}", "{a}{b}"),
        ("{}", "{}"),
    ],
)
def test_placeholders_have_one_brace(text: str, kept_as: str) -> None:
    assert texts.with_placeholders(text) == kept_as


def test_the_order_of_stages_and_variants_stays_and_sets_are_sorted() -> None:
    playbook = kept(
        stages=[{"id": "z", "goal": "Z."}, {"id": "a", "goal": "A."}],
        facts=[{"id": "z", "text": "Z."}, {"id": "a", "text": "A."}],
        objections=[
            {"id": "o", "triggers": ["Too Much", "dear", "too much"], "response": ["Second.", "First.", "Second."]}
        ],
    )
    assert [stage.id for stage in playbook.stages] == ["z", "a"]
    assert [fact.id for fact in playbook.facts] == ["a", "z"]
    assert playbook.objections[0].triggers == ["dear", "too much"]
    assert playbook.objections[0].response == ["Second.", "First."]


# ---- FAQs that ask the same ----


def test_faqs_with_the_same_question_become_one_with_both_answers() -> None:
    faqs = [
        {"id": "price", "q": ["How much is it?"], "a": "Nineteen.", "triggers": ["cost"]},
        {"id": "cost", "q": ["how much IS it", "What does it cost?"], "a": ["Nineteen a month."]},
    ]
    found = normalise(MINIMAL | {"faqs": faqs})
    assert found.playbook is not None
    (faq,) = found.playbook.faqs
    assert faq.a == ["Nineteen a month.", "Nineteen."]
    assert len(faq.q) == 3
    assert faq.triggers == ["cost"]
    assert [finding.code for finding in found.findings] == ["faqs-merged"]


def test_faqs_that_lead_elsewhere_or_are_referred_to_stay_two() -> None:
    two = [
        {"id": "a", "q": "How much?", "a": "Nineteen."},
        {"id": "b", "q": "How much?", "a": "It depends.", "to": "start"},
    ]
    assert len(kept(faqs=two).faqs) == 2
    answered = [{"id": "start", "goal": "Be there.", "answers": {"b": "Twenty."}}]
    two[1].pop("to")
    assert len(kept(faqs=two, stages=answered).faqs) == 2


# ---- the canonical form ----


def test_a_version_is_named_by_what_it_says_and_not_by_how_it_was_written() -> None:
    plain = kept()
    wordy = kept(
        locale="en_gb",
        faqs=[],
        model_policy={"temperature": 0.4, "max_tokens": 160},
        persona={"name": " Ada ", "disclosure": {}},
    )
    assert version_id(plain) == version_id(wordy)
    assert b"temperature" not in canonical(wordy)
    assert version_id(kept(title="Other")) != version_id(plain)
    assert len(version_id(plain)) == 3 + 32


def test_all_that_is_wrong_is_told_at_once_with_its_pointer_and_a_fix() -> None:
    found = normalise(
        MINIMAL
        | {
            "titel": "Tiny",
            "stages": [{"id": "a", "gaol": "x"}, {"goal": ["a", "b"]}],
            "objections": [{"title": "x", "response": [], "max_uses": 99, "question": "?"}],
            "persona": {"name": "Ada", "tone": [{}]},
            "compliance": {"call_hours": "9 to 5"},
        }
    )
    assert found.playbook is None
    assert {(f.code, f.pointer, f.fix) for f in found.findings} >= {
        ("unknown-field", "/titel", "did you mean 'title'?"),
        ("unknown-field", "/stages/0/gaol", "did you mean 'goal'?"),
        ("missing-field", "/stages/0", "add `goal:` here"),
        ("wrong-type", "/stages/1/goal", "write it in quotes"),
        ("empty", "/objections/0/response", "write something, or leave it out"),
        ("out-of-bounds", "/objections/0/max_uses", "write a number from 1 to 10"),
        ("wrong-type", "/persona/tone/0", "write it in quotes"),
        ("wrong-form", "/compliance/call_hours", "write it as 09:00-18:00"),
    }
