"""What can go wrong at each provider, in its own words."""

import json

from tests.standins import bad_line
from tests.standins.bad_line import Fault, Refusal

PRIVATE = "sk-secret of +14155550123"
"""In every refusal's text: it must not get any further."""

_ANYWHERE: list[Fault] = [
    bad_line.REFUSED,
    bad_line.TLS,
    bad_line.SLOW_HEADERS,
    bad_line.STALL,
    bad_line.CUT_OFF,
    bad_line.WRONG_TYPE,
    bad_line.BROKEN_JSON,
    bad_line.EMPTY,
]


def _openai(status: int, code: str, *, retry_after: int | None = None, name: str = "") -> Refusal:
    body = json.dumps({"error": {"message": PRIVATE, "type": code, "code": code}})
    return Refusal(name or f"{status} {code}", status, body, retry_after=retry_after)


def _elevenlabs(status: int, code: str, *, retry_after: int | None = None, name: str = "") -> Refusal:
    body = json.dumps({"detail": {"status": code, "message": PRIVATE}})
    return Refusal(name or f"{status} {code}", status, body, retry_after=retry_after)


def _s3(status: int, code: str, *, retry_after: int | None = None, name: str = "") -> Refusal:
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{PRIVATE}</Message></Error>'
    return Refusal(name or f"{status} {code}", status, body, "application/xml", retry_after)


def _twilio(status: int, code: int, *, retry_after: int | None = None, name: str = "") -> Refusal:
    body = json.dumps({"code": code, "message": PRIVATE, "more_info": "", "status": status})
    return Refusal(name or f"{status} {code}", status, body, retry_after=retry_after)


FAULTS: dict[str, list[Fault]] = {
    "openai": [
        *_ANYWHERE,
        _openai(401, "invalid_api_key"),
        _openai(404, "model_not_found"),
        _openai(402, "insufficient_quota"),
        _openai(429, "rate_limit_exceeded"),
        _openai(429, "rate_limit_exceeded", retry_after=7, name="429 with Retry-After: 7"),
        _openai(500, "server_error"),
    ],
    "elevenlabs": [
        *_ANYWHERE,
        _elevenlabs(401, "invalid_api_key"),
        _elevenlabs(404, "voice_not_found"),
        _elevenlabs(402, "quota_exceeded"),
        _elevenlabs(429, "too_many_concurrent_requests"),
        _elevenlabs(429, "system_busy", retry_after=7, name="429 with Retry-After: 7"),
        _elevenlabs(500, "internal_server_error"),
    ],
    "s3": [
        *_ANYWHERE,
        _s3(403, "InvalidAccessKeyId"),
        _s3(404, "NoSuchBucket"),
        _s3(402, "AccountProblem"),
        _s3(503, "SlowDown"),
        _s3(503, "SlowDown", retry_after=7, name="503 with Retry-After: 7"),
        _s3(500, "InternalError"),
    ],
    "twilio": [
        *_ANYWHERE,
        _twilio(401, 20003),
        _twilio(404, 20404),
        _twilio(402, 20005, name="402 account not active"),
        _twilio(429, 20429),
        _twilio(429, 20429, retry_after=7, name="429 with Retry-After: 7"),
        _twilio(500, 20500),
    ],
}
