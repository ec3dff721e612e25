"""Every way in which an answer can fail, as one tree.

GatewayError
  Refusal                      data in the `errors` of a payload; an error at its path in a query
    Unauthenticated            no credential, or one that the service does not accept
    Forbidden                  a good credential that may not do this
    NotFound                   no such thing, where that is an error and not a null
    Gone                       was there, is no more
    InvalidInput               the caller's arguments are malformed
    Unsupported                the backend in use cannot do this
    PreconditionFailed         an `ifMatch` version is not the current one
    DuplicateTransaction       a transaction id was used before with another input
    Conflict                   the state of the inventory does not allow it
    LimitExceeded              a count or a size is over the provider's limit
  Failure                      always a GraphQL error
    RateLimited                the service, or our budget for it, asks to wait
    UpstreamTimeout            no answer within the time allowed
    UpstreamUnavailable        refused, unreachable, broken off, or answering that it cannot
    UpstreamInvalid            an answer that is not in the provider's format
    OutcomeUnknown             a write was sent and never answered: not "not done"
    Internal                   our own fault
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import ClassVar, Self

import strawberry

from gateway.model.relations import enum_word


@strawberry.enum(description="What went wrong, in one word that programs can act on.")
class ErrorCode(Enum):
    """What went wrong, in one word that programs can act on."""

    UNAUTHENTICATED = enum_word("UNAUTHENTICATED", description="No credential, or one that is not accepted.")
    FORBIDDEN = enum_word("FORBIDDEN", description="The credential is good but may not do this.")
    NOT_FOUND = enum_word("NOT_FOUND", description="No such thing.")
    GONE = enum_word("GONE", description="It was there and is no more.")
    INVALID_INPUT = enum_word("INVALID_INPUT", description="An argument is malformed or out of range.")
    UNSUPPORTED = enum_word("UNSUPPORTED", description="The provider's backend in use cannot do this.")
    PRECONDITION_FAILED = enum_word(
        "PRECONDITION_FAILED", description="A container is not at the version that `ifMatch` names."
    )
    DUPLICATE_TRANSACTION = enum_word(
        "DUPLICATE_TRANSACTION", description="The transaction id was used before with another input."
    )
    CONFLICT = enum_word("CONFLICT", description="The state of the inventory does not allow it.")
    LIMIT_EXCEEDED = enum_word("LIMIT_EXCEEDED", description="Over the provider's limit of count or size.")
    RATE_LIMITED = enum_word("RATE_LIMITED", description="Too many calls: wait, then try again.")
    UPSTREAM_TIMEOUT = enum_word("UPSTREAM_TIMEOUT", description="The service did not answer in time.")
    UPSTREAM_UNAVAILABLE = enum_word(
        "UPSTREAM_UNAVAILABLE", description="The service cannot be reached, or says that it cannot answer."
    )
    UPSTREAM_INVALID = enum_word("UPSTREAM_INVALID", description="The service's answer is not in its own format.")
    OUTCOME_UNKNOWN = enum_word(
        "OUTCOME_UNKNOWN", description="A write was sent and never answered: it may or may not have been done."
    )
    INTERNAL = enum_word("INTERNAL", description="A fault of the gateway itself.")


class GatewayError(Exception):
    """Anything that goes wrong in a way that a client may be told.

    `provider` is the provider's key, `provider_code` the service's own number or name, `retry_after` seconds.
    The message is shown to clients: it never holds a credential, a URL or a query of ours.
    """

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        provider_code: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.provider_code = provider_code
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable


class Refusal(GatewayError):
    """The request cannot be granted as it stands.

    Of a write, `path` is where in its input the fault lies, and `others` are the further faults of the same input.
    """

    path: tuple[str, ...] | None = None
    others: tuple[Refusal, ...] = ()

    def at(self, *path: str) -> Self:
        """Tell where in the input the fault lies."""
        self.path = path
        return self

    @property
    def all(self) -> tuple[Refusal, ...]:
        """Every fault of the input."""
        return (self, *self.others)

    def part(self) -> None:
        """Part the faults from the frames that they were raised in, which hold them: they are told, not looked into."""
        for fault in self.all:
            fault.__traceback__ = None


def refuse(faults: Sequence[Refusal]) -> None:
    """Raise the first of these, the others with it; nothing where there are none."""
    if faults:
        first, *others = faults
        first.others = tuple(others)
        raise first


class Unauthenticated(Refusal):
    """No credential, or one that is not accepted."""

    code = ErrorCode.UNAUTHENTICATED


class Forbidden(Refusal):
    """A good credential that may not do this; `scopes` are the ones it lacks, where known."""

    code = ErrorCode.FORBIDDEN

    def __init__(self, message: str, *, scopes: tuple[str, ...] = (), provider_code: str | None = None) -> None:
        super().__init__(message, provider_code=provider_code)
        self.scopes = scopes


class NotFound(Refusal):
    """No such thing, where that is an error and not a null."""

    code = ErrorCode.NOT_FOUND


class Gone(Refusal):
    """It was there and is no more."""

    code = ErrorCode.GONE


class InvalidInput(Refusal):
    """An argument is malformed or out of range."""

    code = ErrorCode.INVALID_INPUT


class Unsupported(Refusal):
    """The backend in use cannot do this."""

    code = ErrorCode.UNSUPPORTED


class PreconditionFailed(Refusal):
    """A container is not at the version asked for; `versions` maps container keys to the current ones."""

    code = ErrorCode.PRECONDITION_FAILED

    def __init__(self, message: str, *, versions: dict[str, str]) -> None:
        super().__init__(message)
        self.versions = versions


class DuplicateTransaction(Refusal):
    """A transaction id was used before with another input."""

    code = ErrorCode.DUPLICATE_TRANSACTION


class Conflict(Refusal):
    """The state of the inventory does not allow it."""

    code = ErrorCode.CONFLICT


class LimitExceeded(Refusal):
    """A count or a size is over the provider's limit, or over one of ours.

    `explain` says which of ours, how much was found, and the most that there may be.
    """

    code = ErrorCode.LIMIT_EXCEEDED
    explain: Mapping[str, object] | None = None


class Failure(GatewayError):
    """Something broke; the same request may do well another time."""


class RateLimited(Failure):
    """The service, or our own budget for it, asks to wait."""

    code = ErrorCode.RATE_LIMITED
    retryable = True


class UpstreamTimeout(Failure):
    """No answer within the time allowed."""

    code = ErrorCode.UPSTREAM_TIMEOUT
    retryable = True


class UpstreamUnavailable(Failure):
    """Refused, unreachable, broken off, or answering that it cannot."""

    code = ErrorCode.UPSTREAM_UNAVAILABLE
    retryable = True


class UpstreamInvalid(Failure):
    """An answer that is not in the provider's format."""

    code = ErrorCode.UPSTREAM_INVALID


class OutcomeUnknown(Failure):
    """A write was sent and never answered."""

    code = ErrorCode.OUTCOME_UNKNOWN


FAULT = "The gateway failed; the fault is in its log."
"""All that a client is told of a fault of ours."""


class Internal(Failure):
    """Our own fault; the cause is in the log, not in the message."""

    code = ErrorCode.INTERNAL
