"""What a failed call means: HTTP statuses and headers, translated into the gateway's errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias

import httpx
import orjson

from gateway.model.errors import (
    Forbidden,
    GatewayError,
    RateLimited,
    Unauthenticated,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)

Judge: TypeAlias = Callable[[httpx.Response], GatewayError | None]
"""Tells which failure an answer is, None for an answer that the caller wants to see."""

# The methods that change nothing, so that they may be repeated. PUT and DELETE are not among them: repeating one that
# was done can undo what somebody else did in between.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

MAX_RETRY_AFTER = 3600.0


class DeadlinePassed(UpstreamTimeout):
    """The operation's own deadline came before the service's time was up, which tells nothing about the service."""


class CircuitOpen(UpstreamUnavailable):
    """Not called at all, after too many failures in a row; `retry_after` tells when it will be tried again."""


def judge_status(response: httpx.Response) -> GatewayError | None:
    """Judge an answer by its status alone; a provider's own judge falls back to this.

    404 is None, since only the caller knows whether that is an error or an absence.
    """
    status = response.status_code
    if 200 <= status < 300 or status in {304, 404}:
        return None
    code = str(status)
    match status:
        case 401:
            return Unauthenticated("the service does not accept the credential", provider_code=code)
        case 403:
            return Forbidden("the service does not allow this with the credential", provider_code=code)
        case 408 | 504:
            return UpstreamTimeout(
                "the service says that it took too long", provider_code=code, retry_after=retry_after(response)
            )
        case 429:
            return RateLimited(
                "the service asks for fewer calls", provider_code=code, retry_after=retry_after(response)
            )
        case _ if status >= 500:
            return UpstreamUnavailable(
                f"the service says that it cannot answer ({status})",
                provider_code=code,
                retry_after=retry_after(response),
            )
        case _ if status < 400:
            return UpstreamInvalid(f"the service points to another address ({status})", provider_code=code)
        case _:
            return UpstreamInvalid(f"the service does not understand the call ({status})", provider_code=code)


def retry_after(response: httpx.Response) -> float | None:
    """Read Retry-After, as seconds or as a date: 0 to an hour from now; None where it is absent or not readable."""
    value = response.headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        # A date without a zone is in UTC: HTTP knows no other.
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return None if math.isnan(seconds) else min(max(seconds, 0.0), MAX_RETRY_AFTER)


def decoded(response: httpx.Response) -> object:
    """Decode an answer's JSON; raises UpstreamInvalid for anything else."""
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        pass
    # Raised out here because orjson's error carries the whole document.
    raise UpstreamInvalid("the service's answer is not JSON")
