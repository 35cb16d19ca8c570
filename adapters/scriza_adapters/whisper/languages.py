"""Languages by the codes that Whisper has for them."""

from collections.abc import Container

from scriza.kernel.errors import BadInput

_OF_ITS_OWN = {"nb": "no", "fil": "tl", "cmn": "zh", "jv": "jw", "iw": "he", "in": "id", "ji": "yi"}
"""Whisper's code where BCP-47 has another for the language, or had one."""


def whisper_language(language: str, known: Container[str]) -> str:
    """Whisper's code of a BCP-47 tag; empty for an empty one. Raises BadInput for what the model does not know."""
    code = language.replace("_", "-").lower().partition("-")[0]
    code = _OF_ITS_OWN.get(code, code)
    if code and code not in known:
        raise BadInput(f"this model does not know {code!r}" + ("; it knows English only" if known == ["en"] else ""))
    return code
