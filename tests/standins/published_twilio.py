"""Twilio's API as Twilio describes it: requests are held against the published OpenAPI, and answered by its examples.

`tests/data/twilio_api_v2010.reduced.json` holds the operations that Scriza asks for.
"""

import json
import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

from jsonschema import Draft202012Validator, FormatChecker

DESCRIPTION = json.loads((Path(__file__).parents[1] / "data" / "twilio_api_v2010.reduced.json").read_text())
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("uri")
def _is_uri(value: object) -> bool:
    parts = urlsplit(str(value))
    return str(value).startswith("/") or bool(parts.scheme and parts.hostname)


@_FORMATS.checks("phone-number")
def _is_phone_number(value: object) -> bool:
    return bool(_E164.fullmatch(str(value)))


@_FORMATS.checks("endpoint")
def _is_endpoint(value: object) -> bool:
    return _is_phone_number(value) or str(value).startswith(("sip:", "client:"))


@_FORMATS.checks("twiml", raises=ElementTree.ParseError)
def _is_twiml(value: object) -> bool:
    return len(str(value)) <= 4000 and ElementTree.fromstring(str(value)).tag == "Response"


@_FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    return bool(datetime.fromisoformat(str(value)))


@_FORMATS.checks("date-time-rfc-2822", raises=ValueError)
def _is_rfc_2822(value: object) -> bool:
    return bool(parsedate_to_datetime(str(value)))


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": _nullable(DESCRIPTION["components"])}, format_checker=_FORMATS)


def _nullable(schema: Any) -> Any:
    """OpenAPI 3.0 says `nullable` where JSON Schema lists null among the types."""
    if isinstance(schema, list):
        return [_nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _nullable(value) for key, value in schema.items() if key != "nullable"}
    if schema.get("nullable"):
        kept = {"$ref": made["$ref"]} if "$ref" in made else made
        return {"anyOf": [kept, {"type": "null"}]}
    return made


def operation(method: str, path: str) -> dict[str, Any] | None:
    """The operation that serves a path, if Twilio has it."""
    for template, operations in DESCRIPTION["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in operations:
            found: dict[str, Any] = operations[method.lower()]
            return found
    return None


def faults_of_request(method: str, path: str, query: str, form: str) -> list[str]:
    """What Twilio would not understand of a request, by its own description."""
    described = operation(method, path)
    if described is None:
        return [f"there is no {method} {path}"]
    parameters = {one["name"]: one for one in described["parameters"] if one["in"] == "query"}
    asked = _faults(
        {
            "type": "object",
            "properties": {name: one["schema"] for name, one in parameters.items()},
            "required": [name for name, one in parameters.items() if one["required"]],
        },
        query,
    )
    sid = path.rsplit("/", 1)[-1].removesuffix(".json")
    for one in described["parameters"]:
        if one["in"] == "path" and one["name"] == "Sid":
            asked += [error.message for error in _validator(one["schema"]).iter_errors(sid)]
    if "form" not in described:
        return asked + ([f"a form for {method} {path}"] if form else [])
    return asked + _faults(described["form"]["schema"], form)


def faults_of_answer(method: str, path: str, body: Any) -> list[str]:
    """In what an answer is not as Twilio describes it."""
    described = operation(method, path)
    if described is None:
        return [f"there is no {method} {path}"]
    return _told(_validator(_nullable(described["answer"]["schema"])), body)


def _faults(schema: dict[str, Any], encoded: str) -> list[str]:
    fields = parse_qs(encoded, keep_blank_values=True)
    properties = schema.get("properties", {})
    told = [f"there is no parameter {name}" for name in fields if name not in properties]
    value = {name: _typed(properties.get(name, {}), given) for name, given in fields.items()}
    return told + _told(_validator(_nullable(schema)), value)


def _typed(schema: dict[str, Any], given: list[str]) -> Any:
    """A form has texts only; what is meant as something else is taken for it."""
    if schema.get("type") == "array":
        return given
    [text] = given
    if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if schema.get("type") == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def _told(validator: Draft202012Validator, value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


class PublishedTwilio:
    """An ASGI application. `asked` holds each request's method, path and form, `faults` what is wrong with any."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []
        self.faults: list[str] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        body += message.get("body", b"")
        method, path, form = scope["method"], scope["path"], body.decode()
        self.asked.append((method, path, parse_qs(form, keep_blank_values=True)))
        self.faults += faults_of_request(method, path, scope["query_string"].decode(), form)
        described = operation(method, path) or {"status": 404}
        example = described.get("answer", {}).get("example")
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": described["status"], "headers": headers})
        await send({"type": "http.response.body", "body": b"" if example is None else json.dumps(example).encode()})
