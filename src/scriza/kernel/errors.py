"""Errors that cross doors: each has an RFC 9457 problem type, so both sides of a wire raise the same class."""

from typing import ClassVar

import msgspec

from scriza.kernel.redaction import redact


class Problem(msgspec.Struct, omit_defaults=True):
    """RFC 9457 problem details, as sent in ``application/problem+json``."""

    type: str
    title: str
    status: int
    detail: str = ""
    request_id: str = ""
    retry_after: int | None = None
    reason: str = ""
    """A word for programs, where one kind of refusal has several reasons: ``outside-calling-hours``."""


class ScrizaError(Exception):
    """What callers of a port can expect to be raised. `detail` is for people and holds no personal data."""

    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500

    def __init__(self, detail: str = "", *, retry_after: int | None = None, reason: str = "") -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.retry_after = retry_after
        """Seconds after which a retry makes sense; none when it is not known."""
        self.reason = reason
        """A word for programs, where it matters which of several reasons it was; else empty."""

    def problem(self, request_id: str = "") -> Problem:
        """This error as problem details, which repeat no phone number that was sent."""
        return Problem(
            type=f"urn:scriza:problem:{self.slug}",
            title=self.title,
            status=self.status,
            detail=redact(self.detail),
            request_id=request_id,
            retry_after=self.retry_after,
            reason=self.reason,
        )

    @staticmethod
    def from_problem(problem: Problem) -> "ScrizaError":
        """The exception that the other side raised; an unknown type becomes the nearest class by status."""
        slug = problem.type.rsplit(":", 1)[-1]
        kind = _BY_SLUG.get(slug) or _BY_STATUS.get(problem.status, ScrizaError)
        return kind(problem.detail, retry_after=problem.retry_after, reason=problem.reason)


class BadInput(ScrizaError):
    """The request does not have the shape or the values that the operation takes."""

    slug, title, status = "bad-input", "The request is not valid", 400


class Unauthenticated(ScrizaError):
    """No credential, or one that is not accepted."""

    slug, title, status = "unauthenticated", "A valid credential is needed", 401


class NoCredit(ScrizaError):
    """The workspace's credit is used up; a grant opens the door again."""

    slug, title, status = "no-credit", "There is no credit left", 402


class Forbidden(ScrizaError):
    """The credential is fine but does not open this door."""

    slug, title, status = "forbidden", "This is not allowed", 403


class NotFound(ScrizaError):
    """There is no such thing in this workspace."""

    slug, title, status = "not-found", "There is no such thing", 404


class Conflict(ScrizaError):
    """The state of the thing does not allow this, or somebody else was first."""

    slug, title, status = "conflict", "This conflicts with the current state", 409


class PreconditionFailed(ScrizaError):
    """What was to be changed is not any more what the request says it is: somebody else was first."""

    slug, title, status = "precondition-failed", "It has changed since", 412


class TooLarge(ScrizaError):
    """More bytes, characters or seconds than the operation takes."""

    slug, title, status = "too-large", "The request is too large", 413


class KeyReused(ScrizaError):
    """An idempotency key that belongs to another request."""

    slug, title, status = "idempotency-key-reused", "This key belongs to another request", 422


class RateLimited(ScrizaError):
    """Too many requests; `retry_after` says when to come back."""

    slug, title, status = "rate-limited", "Too many requests", 429


class UpstreamFailed(ScrizaError):
    """A provider or another module answered with an error or with garbage."""

    slug, title, status = "upstream-failed", "A provider failed", 502


class Unavailable(ScrizaError):
    """The operation cannot be served now: not configured, starting, stopping or full."""

    slug, title, status = "unavailable", "Not available now", 503


class DeadlineExceeded(ScrizaError):
    """The time allowed for the operation ran out."""

    slug, title, status = "deadline-exceeded", "It took too long", 504


_KINDS: list[type[ScrizaError]] = [ScrizaError, *ScrizaError.__subclasses__()]
_BY_SLUG = {kind.slug: kind for kind in _KINDS}
_BY_STATUS = {kind.status: kind for kind in _KINDS}
