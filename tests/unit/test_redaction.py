"""Neither personal data nor secrets in what is logged or answered, however they are written; the rest stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.errors import BadInput
from scriza.kernel.redaction import Redactor, redact, without_cards

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("to +14155550123", "to +1••••••••23"),
        ("From=%2B14155550123&To=%2b4930123456", "From=%2B1••••••••23&To=%2b4•••••••56"),
        ("%252B14155550123", "%252B1••••••••23"),
        ("tel:14155550123", "tel:1••••••••23"),
        ("tel:+14155550123", "tel:+1••••••••23"),
        ("From=14155550123&To=4930123456", "From=1••••••••23&To=4•••••••56"),
        ("ForwardedFrom=14155550123", "ForwardedFrom=1••••••••23"),
        ("call +1 (415) 555-0123 now", "call +1••••••••23 now"),
        ("call +91 98765 43210", "call +9•••••••••10"),
    ],
)
def test_a_phone_number_is_masked_however_it_is_written(text: str, told: str) -> None:
    assert redact(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mail ravi.kumar+demo@example.co.in today", "mail [e-mail] today"),
        ("?email=ravi%40example.com", "?email=[e-mail]"),
        ("card 4111 1111 1111 1111 please", "card [card] please"),
        ("card 5500-0000-0000-0004", "card [card]"),
        ("amex 378282246310005", "amex [card]"),
        ("pay to DE89 3704 0044 0532 0130 00", "pay to [iban]"),
        ("pay to GB29NWBK60161331926819", "pay to [iban]"),
    ],
)
def test_addresses_cards_and_accounts_are_left_out(text: str, told: str) -> None:
    assert redact(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"Authorization: Bearer {JWT}", "Authorization: Bearer [secret]"),
        (f"got {JWT}", "got [secret]"),
        ("Authorization: Basic QUM6c2VjcmV0LXRva2Vu", "Authorization: Basic [secret]"),
        ("key sk-proj-abcdefghijklmnop0123 refused", "key [secret] refused"),
        ("by SK0123456789abcdef0123456789abcdef", "by [secret]"),
        ("password=correct-horse&next=/", "password=[secret]&next=/"),
        ('{"refresh_token": "r-0123456789"}', '{"refresh_token": "[secret]"}'),
        ("mongodb://scriza:hunter22@db.example/scriza", "mongodb://scriza:[secret]@db.example/scriza"),
    ],
)
def test_tokens_keys_and_passwords_are_left_out(text: str, told: str) -> None:
    assert redact(text) == told


@pytest.mark.parametrize(
    "text",
    [
        "took 14155550 ms",
        "duration_ms=14155550",
        "time=1700000000000",
        "at 1700000000000000",
        "port=27017",
        "CallSid=CA14155550123415555012341555501234",
        "CA14155550123415555012341555501234",
        "req_14155550123",
        "?size=14155550123",
        "4111 1111 1111 1112",
        "2026-11-30T22:01:14.123456Z",
        "sv_0123456789abcdef0123456789abcdef",
        "prompt_tokens=123 completion_tokens=45 total_tokens=168",
        "usage.llm recorded",
        "+1 and +2 make 3",
    ],
)
def test_whatever_else_there_is_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "said",
    [
        "four one one one one one one one one one one one one one one one",
        "it is four triple one, double one double one, 1 1 1 1, 1111 thanks",
        "5500 0000 0000 0004",
    ],
)
def test_a_card_that_is_said_digit_by_digit_is_left_out(said: str) -> None:
    assert "[card]" in without_cards(said)
    assert not any(word in without_cards(said).split() for word in ("one", "1111", "0004"))


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("it is 4111 1111 1111 1111 thanks", "it is [card] thanks"),
        ("4111 1111 1111 1111 12 26 123", "[card] 12 26 123"),
        ("it is 4111/1111/1111/1111, and 12 26", "it is [card], and 12 26"),
        ("\u096a\u0967\u0967\u0967 " + "\u0967\u0967\u0967\u0967 " * 3 + "ok", "[card] ok"),
        (
            "four one one one um one one one one then one one one one and one one one one expires twelve twenty six",
            "[card] expires twelve twenty six",
        ),
        ("my account is GB82 WEST 1234 5698 7654 32", "my account is [iban]"),
        ("call me at +14155550123 or ada@team.example", "call me at +14155550123 or ada@team.example"),
    ],
)
def test_of_what_callers_say_only_cards_and_accounts_are_left_out(said: str, kept: str) -> None:
    assert without_cards(said) == kept


@pytest.mark.parametrize("said", ["one two three testing", "I have two or three offices, one in four is closed"])
def test_other_numbers_in_words_stay(said: str) -> None:
    assert without_cards(said) == said


def test_what_a_process_keeps_secret_is_left_out_whatever_it_looks_like() -> None:
    redactor = Redactor(["plain-old-value", "short"])
    assert redactor("sent plain-old-value, in short") == "sent [secret], in short"


def test_calls_of_one_person_can_be_told_from_others_without_the_number() -> None:
    redactor = Redactor(key="k", workspace="default")
    first, again, other = redactor("+14155550123"), redactor("from +14155550123"), redactor("+14155550124")
    assert first in again
    assert first[-13:] != other[-13:]
    assert "4155550123" not in first
    assert Redactor(key="another", workspace="default")("+14155550123") != first


@given(st.text(max_size=200))
def test_redacting_never_fails_and_what_is_redacted_stays_as_it_is(text: str) -> None:
    once = redact(without_cards(text))
    assert redact(once) == once


@given(st.integers(10**9, 10**11), st.text(" abc,.", max_size=20))
def test_no_number_behind_a_plus_sign_gets_through(number: int, around: str) -> None:
    assert str(number) not in redact(f"{around}+{number}{around}")


def test_a_problem_tells_no_phone_number() -> None:
    assert BadInput("Invalid enum value '+14155550123'").problem().detail == "Invalid enum value '+1••••••••23'"


@pytest.mark.parametrize("piece", ["1-", "sk-", "secret-", "password ", "eyJabcdefgh-", "4-1-", "a@a.", "+1 4"])
def test_the_time_it_takes_grows_with_the_text_and_not_with_its_square(piece: str) -> None:
    """Otherwise this takes minutes; problem details repeat what was sent."""
    assert redact(piece * 100_000)


def test_a_long_row_of_what_is_no_number_takes_no_long_time() -> None:
    for said in ("one um " * 5_000, "1 " * 20_000, "double " * 5_000):
        assert without_cards(said)
