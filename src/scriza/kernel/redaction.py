"""Keeping personal data and secrets out of whatever is logged, traced or answered: in one place, pure.

`redact` knows the shapes: phone numbers, e-mail addresses, payment cards (also digit by digit in words), IBANs, bearer
tokens and keys. A `Redactor` also knows what this process keeps secret, and gives phone numbers their pseudonym, so
that the lines about one caller can be told from those about another.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from scriza.kernel.pseudonym import pseudonym

_PHONE = re.compile(
    r"(\+|%(?:25)*2B|\btel:|\b(?:(?:forwarded)?from|to|caller|called|phone|number)=)([1-9]\d{6,14})", re.IGNORECASE
)
"""An E.164 number behind what says that it is one, since a row of digits alone may as well be a duration or an id."""
_SPACED_PHONE = re.compile(r"\+[1-9]\d{0,3}(?:[ ().\-]{1,2}\d{1,5}){2,6}(?!\d)")
"""The same as people write it: ``+1 (415) 555-0123``."""
_EMAIL = re.compile(r"[\w.+%-]{1,64}(?:@|%40)(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}\b")
_CARD = re.compile(r"(?<![\w.+-])[2-6](?:[ -]?\d){12,18}(?![\w-])")
"""No card number begins with another digit; a time in milliseconds does."""
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b")
_JWT = re.compile(r"\beyJ[\w-]{8,1000}\.[\w-]{8,}\.[\w-]*")
_VENDOR_KEY = re.compile(r"\b(?:sk|pk|rk|xox[abprs]|ghp|gho|hvs|whsec|scz)[-_][\w-]{20,}|\bSK[0-9a-f]{32}\b")
_CREDENTIAL = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_NAMED = re.compile(
    r"""((?:password|passwd|secret|token|api[_-]?key|credential|cookie)["']?\s*[=:]\s*["']?)"""
    r"""([^\s"'&,;{}\[\]]{6,})""",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{0,64}):[^\s:/@]{1,256}@", re.IGNORECASE)

_SECRET = "[secret]"  # noqa: S105 - what is shown in its place
_EMAIL_SHOWN, _CARD_SHOWN, _IBAN_SHOWN = "[e-mail]", "[card]", "[iban]"

_FIGURES = {word: str(value) for value, word in enumerate("zero one two three four five six seven eight nine".split())}
_DIGITS = _FIGURES | dict.fromkeys(("oh", "o", "nought"), "0")
_REPEATED = {"double": 2, "triple": 3}
_TOKEN = re.compile(r"[A-Za-z]+|\d+|[^A-Za-z\d]+")
_SHORTEST_CARD, _LONGEST_CARD = 13, 19
_SHORTEST_SECRET = 8
_LONGEST_ROW = 80
"""Tokens, spaces among them."""
_FILLERS = frozenset(("um", "uh", "er", "and", "then", "dash"))
"""Said between the digits of a number."""
_KEEPS = re.compile(r"[\s,.\-/]*")


def mask_phone(number: str) -> str:
    """``+14155550123`` becomes ``+1•••••••••23``: enough to tell two callers apart, not enough to call them."""
    if len(number) < 6:
        return "•" * len(number)
    return number[:2] + "•" * (len(number) - 4) + number[-2:]


def redact(text: str) -> str:
    """The text without phone numbers (masked), e-mail addresses, cards, IBANs, tokens and keys."""
    return _shapes(text, mask_phone)


def without_cards(text: str) -> str:
    """What somebody said, without numbers of cards, which may be rows of words (``four one …``), and of accounts.

    Other numbers and addresses stay: they are what people call for.
    """
    return _without_accounts(_without_spoken_cards(text))


class Redactor:
    """`redact`, and what only this process knows.

    `secrets` are values that must never be seen, whatever they look like; those of less than 8 characters are left
    out, since they would also be found in what is none. With a `key` a phone number is followed by its pseudonym.
    """

    def __init__(self, secrets: Iterable[str] = (), *, key: str = "", workspace: str = "") -> None:
        known = sorted({secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None
        self._key = key
        self._workspace = workspace

    def __call__(self, text: str) -> str:
        """The text as it may be seen."""
        if self._known is not None:
            text = self._known.sub(_SECRET, text)
        return _shapes(text, self._shown if self._key else mask_phone)

    def _shown(self, number: str) -> str:
        return f"{mask_phone(number)}({pseudonym(self._key, self._workspace, number)[:12]})"


def _shapes(text: str, shown: Callable[[str], str]) -> str:
    """Each expression runs only over text that holds what it must begin with: most lines hold nothing of the kind."""
    if "@" in text or "%40" in text:
        text = _IN_URL.sub(r"\1:" + _SECRET + "@", text)
        text = _EMAIL.sub(_EMAIL_SHOWN, text)
    if "eyJ" in text:
        text = _JWT.sub(_SECRET, text)
    text = _CREDENTIAL.sub(lambda found: f"{found[1]} {_SECRET}", text)
    text = _NAMED.sub(lambda found: found[1] + _SECRET, text)
    text = _VENDOR_KEY.sub(_SECRET, text)
    if not any(map(str.isdigit, text)):
        return text
    text = _without_accounts(text)
    text = _PHONE.sub(lambda found: found[1] + shown(f"+{found[2]}")[1:], text)
    return _SPACED_PHONE.sub(lambda found: _shown_if_phone(found[0], shown), text)


def _without_accounts(text: str) -> str:
    text = _CARD.sub(lambda found: _CARD_SHOWN if _is_card(_digits(found[0])) else found[0], text)
    return _IBAN.sub(lambda found: _IBAN_SHOWN if _is_iban(found[0].replace(" ", "")) else found[0], text)


def _shown_if_phone(text: str, shown: Callable[[str], str]) -> str:
    digits = _digits(text)
    return shown(f"+{digits}") if 7 <= len(digits) <= 15 else text


def _digits(text: str) -> str:
    return "".join(char for char in text if "0" <= char <= "9")


def _is_card(digits: str) -> bool:
    """The check digit of ISO/IEC 7812 (Luhn)."""
    if not _SHORTEST_CARD <= len(digits) <= _LONGEST_CARD:
        return False
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_iban(iban: str) -> bool:
    """The check digits of ISO 13616: the rearranged number leaves 1 when divided by 97."""
    return 15 <= len(iban) <= 34 and int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97 == 1


def _without_spoken_cards(text: str) -> str:
    """Rows of digits, as figures or as words, that are a card's number together, also where more digits follow it."""
    tokens = _TOKEN.findall(text)
    shown: list[str] = []
    position = 0
    while position < len(tokens):
        ends = [end for end, digits in _rows(tokens, position) if _is_card(digits) and digits[0] in "23456"]
        if ends:
            shown.append(_CARD_SHOWN)
            position = ends[-1]
        else:
            shown.append(tokens[position])
            position += 1
    return "".join(shown)


def _rows(tokens: list[str], position: int) -> Iterator[tuple[int, str]]:
    """The rows of digits that begin at a token, each a token longer than the one before, and where each ends."""
    digits, times = "", 1
    for end, token in enumerate(tokens[position : position + _LONGEST_ROW], position + 1):
        word = token.lower()
        if word in _REPEATED and times == 1:
            times = _REPEATED[word]
        elif word in _DIGITS or word.isdecimal():
            digits += (_DIGITS.get(word) or "".join(str(int(char)) for char in word)) * times
            times = 1
            if len(digits) > _LONGEST_CARD:
                return
            yield end, digits
        elif not digits or not (word in _FILLERS or _KEEPS.fullmatch(word)):
            return
