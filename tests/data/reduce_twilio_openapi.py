"""Makes twilio_api_v2010.reduced.json out of Twilio's published OpenAPI: the operations that Scriza asks for, no prose.

    git clone https://github.com/twilio/twilio-oai
    python reduce_twilio_openapi.py twilio-oai/spec/json/twilio_api_v2010.json COMMIT > twilio_api_v2010.reduced.json

The description is MIT-licensed: see twilio_api_v2010.LICENSE.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ACCOUNT = "/2010-04-01/Accounts/{AccountSid}"
OPERATIONS = {
    "/2010-04-01/Accounts/{Sid}.json": ["get"],
    f"{ACCOUNT}/Calls.json": ["get", "post"],
    f"{ACCOUNT}/Calls/{{Sid}}.json": ["get", "post"],
    f"{ACCOUNT}/Calls/{{CallSid}}/Recordings.json": ["get", "post"],
    f"{ACCOUNT}/Messages.json": ["get", "post"],
    f"{ACCOUNT}/IncomingPhoneNumbers.json": ["get"],
    f"{ACCOUNT}/IncomingPhoneNumbers/{{Sid}}.json": ["get", "post"],
    f"{ACCOUNT}/Recordings/{{Sid}}.json": ["get", "delete"],
}
PROSE = {"description", "summary", "title", "tags", "example", "examples", "externalDocs", "x-twilio"}


def plain(schema: Any) -> Any:
    """A schema without prose; a property may have prose's name."""
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key not in PROSE}
    return {
        key: {name: plain(item) for name, item in value.items()} if key == "properties" else plain(value)
        for key, value in kept.items()
    }


def operation(full: dict[str, Any]) -> dict[str, Any]:
    """An operation's parameters, form and successful answer, with the first example of it."""
    kept: dict[str, Any] = {
        "parameters": [
            {
                "name": one["name"],
                "in": one["in"],
                "required": one.get("required", False),
                "schema": plain(one["schema"]),
            }
            for one in full["parameters"]
        ]
    }
    for kind, content in full.get("requestBody", {}).get("content", {}).items():
        kept["form"] = {"type": kind, "schema": plain(content["schema"])}
    status, answer = next((status, answer) for status, answer in full["responses"].items() if status.startswith("2"))
    kept["status"] = int(status)
    for content in answer.get("content", {}).values():
        kept["answer"] = {
            "schema": plain(content["schema"]),
            "example": next(iter(content.get("examples", {"": {"value": None}}).values()))["value"],
        }
    return kept


def references(part: Any) -> Iterator[str]:
    """The names of the schemas that a part refers to."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value.removeprefix("#/components/schemas/")
            else:
                yield from references(value)
    elif isinstance(part, list):
        for item in part:
            yield from references(item)


def main(path: str, commit: str) -> None:
    """Print the reduction."""
    full = json.loads(Path(path).read_text())
    paths = {
        path: {method: operation(full["paths"][path][method]) for method in methods}
        for path, methods in OPERATIONS.items()
    }
    schemas: dict[str, Any] = {}
    wanted = list(references(paths))
    while wanted:
        name = wanted.pop()
        if name not in schemas:
            schemas[name] = plain(full["components"]["schemas"][name])
            wanted += references(schemas[name])
    reduced = {
        "source": {
            "repository": "https://github.com/twilio/twilio-oai",
            "file": "spec/json/twilio_api_v2010.json",
            "commit": commit,
            "licence": "MIT, Copyright (C) 2023, Twilio, Inc.; see twilio_api_v2010.LICENSE",
        },
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }
    json.dump(reduced, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
