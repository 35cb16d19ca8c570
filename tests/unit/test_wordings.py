"""Patterns of words as playbooks have them: what they find, and that none of them takes long."""

import pytest

from scriza.kernel.wordings import wording


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("money back", "Your Money-back, today.", "Money-back"),
        ("guarantee*", "we are guaranteeing it", "guaranteeing"),
        ("a* b*", "all, but not", "all, but"),
        ("free", "freedom", None),
        ("c++", "we write C++ here", "C++"),
        ("a*b", "axb", None),
        ("a*b", "it is a*b", "a*b"),
        ("a**", "abc", "abc"),
        ("save * money", "you save much money", "save much money"),
    ],
)
def test_it_finds_whole_words_and_any_ending_of_those_with_a_star(pattern: str, text: str, found: str | None) -> None:
    compiled = wording([pattern])
    assert compiled is not None
    seen = compiled.search(text)
    assert (seen[0] if seen else None) == found


@pytest.mark.parametrize("pattern", ["a*" * 40 + "b", "a* " * 40 + "b", "*" * 40 + "b", "a " + "* " * 40 + "b"])
def test_no_pattern_takes_longer_than_the_text_is_long(pattern: str) -> None:
    """Stars within a word would be tried in all ways that a text can be cut, for longer than anybody lives."""
    compiled = wording([pattern])
    assert compiled is not None
    assert compiled.search("a" * 2000) is None
    assert compiled.search("a " * 1000) is None
    assert compiled.search("a" + " " * 2000) is None
