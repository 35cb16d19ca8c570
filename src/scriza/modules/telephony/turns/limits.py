"""How long a call waits for what."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """All in milliseconds."""

    opening_on_wire: int = 10_000
    """From `start` until our opening must be on the wire; then the polite fallback ends the call."""
    first_words: int = 10_000
    """From the end of the heard opening until the caller must have said something; a noise is no word."""
    silence: int = 8_000
    """From the end of what was heard last, through noises, until the caller is prompted; also between prompts."""
    words: int = 4_000
    """From the end of a turn until the recogniser must have told its words."""
    digits: int = 2_000
    """From a key to the next one; `#` ends the input at once."""
    playout_slack: int = 2_000
    """How much later than computed the last mark may echo before what was sent counts as heard."""
    longest_call: int = 30 * 60_000
    longest_turn: int = 30_000
    """Speech without a pause for as long as this is taken as a turn."""
    failures: int = 2
    """So many failed answers in a row end the call politely (a count, not a time)."""
