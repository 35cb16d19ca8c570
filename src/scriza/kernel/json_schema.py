"""JSON Schemas that others have written, compiled so that they can neither reach anything nor take long."""

from collections.abc import Mapping

import jsonschema_rs

_LINEAR = jsonschema_rs.RegexOptions()
"""Patterns run on an engine whose time is linear in the text; they have no look-around and no back-references."""
_LONGEST_REASON = 200


def compiled(schema: Mapping[str, object]) -> jsonschema_rs.Validator:
    """A validator for the schema; `format` counts, and nothing is fetched.

    Raises ValueError for what is no JSON Schema, has a pattern that the engine does not know, or refers to another
    document; `reason` says of it in one line what is wrong.
    """
    return jsonschema_rs.validator_for(
        dict(schema), validate_formats=True, pattern_options=_LINEAR, retriever=_nothing_is_fetched
    )


def reason(error: ValueError) -> str:
    """What an error of a schema or of a value says, on one line of 200 characters at most, without a full stop."""
    message = getattr(error, "message", "") or str(error)
    return message.partition("\n")[0][:_LONGEST_REASON].rstrip(".")


def _nothing_is_fetched(uri: str) -> dict[str, object]:
    raise ValueError("it refers to another document")
