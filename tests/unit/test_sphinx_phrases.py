import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza_adapters.sphinx.phrases import FILLERS, in_words, phrase_list, spoken
from scriza_adapters.sphinx.pronunciation import by_letters

PHONES = frozenset(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()
)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("How much does it cost per month?", "how much does it cost per month"),
        ("I'm not interested.", "i'm not interested"),
        ("It\u2019s too expensive!", "it's too expensive"),
        ("an e-mail, please", "an e mail please"),
        ("24/7 support", "twenty four seven support"),
        ("is it $19 per month", "is it nineteen dollars per month"),
        ("$19.99", "nineteen dollars ninety nine"),
        ("50% off", "fifty percent off"),
        ("Café & bar", "cafe and bar"),
        ("we are 1,250 people", "we are one thousand two hundred fifty people"),
        ("'quoted'", "quoted"),
    ],
)
def test_a_phrase_is_brought_to_how_it_sounds(written: str, said: str) -> None:
    assert spoken(written) == said


@pytest.mark.parametrize("written", ["", "   ", "?!", "मुझे दिलचस्पी नहीं है", "多少钱", "call me 今天"])
def test_what_english_cannot_say_is_empty(written: str) -> None:
    assert spoken(written) == ""


@pytest.mark.parametrize(
    ("digits", "words"),
    [("0", "zero"), ("13", "thirteen"), ("40", "forty"), ("305", "three hundred five"), ("007", "zero zero seven"),
     ("12000", "twelve thousand"), ("999999", "nine hundred ninety nine thousand nine hundred ninety nine"),
     ("12345678", "one two three four five six seven eight")],
)  # fmt: skip
def test_numbers_are_read(digits: str, words: str) -> None:
    assert in_words(digits) == words


@given(st.text())
def test_whatever_a_playbook_holds_only_plain_words_come_out(phrase: str) -> None:
    assert all(set(word) <= set("abcdefghijklmnopqrstuvwxyz'") for word in spoken(phrase).split())


def test_the_list_keeps_the_playbooks_own_spelling_and_leaves_out_what_cannot_be_said() -> None:
    phrases = phrase_list(["Who are you?", "who are you", "多少钱"])
    assert phrases == {"who are you": "Who are you?"} | {filler: filler for filler in FILLERS}


@pytest.mark.parametrize(
    ("name", "phones"),
    [
        ("scriza", "S K R IH Z AH"),
        ("zephlo", "Z EH F L OW"),
        ("brightlane", "B R AY T L EY N"),
        ("xqz", "EH K S K Y UW Z IY"),
    ],
)
def test_an_unknown_name_is_read_by_its_letters(name: str, phones: str) -> None:
    assert by_letters(name) == phones


@given(st.from_regex(r"[a-z]+(?:'[a-z]+)*", fullmatch=True))
def test_every_word_gets_sounds_that_the_model_has(word: str) -> None:
    sounds = by_letters(word).split()
    assert sounds
    assert PHONES.issuperset(sounds)
