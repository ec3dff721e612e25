"""What the service's refusals mean: errors with its own names, and with their place in the input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import httpx

from gateway.model.errors import (
    Conflict,
    GatewayError,
    InvalidInput,
    NotFound,
    Refusal,
    Unauthenticated,
    UpstreamInvalid,
)
from gateway.providers.community import rules, wire
from gateway.transport.errors import decoded, judge_status

EXPIRED = "SESSION_TOKEN_EXPIRED"
_NAMES = {400: "GENERIC_CLIENT_ERROR", 401: "GENERIC_UNAUTHORIZED", 404: "GENERIC_NOT_FOUND"}
"""What an answer means whose name of an error is missing, unknown, or of another status."""

_REFUSED = {400, 404, 409, 415, 422}
_KINDS: Mapping[int, type[Refusal]] = {404: NotFound, 409: Conflict}
_WORDS = {
    EXPIRED: "The session has expired.",
    "REFRESH_TOKEN_EXPIRED": "The refresh token has expired.",
    "GENERIC_UNAUTHORIZED": "The community does not accept this token.",
}

Place: TypeAlias = tuple[str, ...]
"""Where in an input a fault lies."""


def judge(response: httpx.Response) -> GatewayError | None:
    """Tell what kind of failure an answer is; a refusal is none, as only the caller knows what was asked.

    Of the service's texts only names that are known are passed on: no other can be trusted not to hold a token.
    """
    if response.status_code in _REFUSED:
        return None
    if response.status_code == 401:
        name = name_of(response)
        return Unauthenticated(_WORDS[name], provider_code=name)
    return judge_status(response)


def told(response: httpx.Response) -> object:
    """Give what an error answer tells, None where that cannot be read: its status says enough."""
    try:
        return decoded(response)
    except UpstreamInvalid:
        return None


def name_of(response: httpx.Response) -> str:
    """Give the service's name of an error; the status counts first."""
    status = response.status_code
    name = wire.error_name(told(response))
    return name if name and wire.ERRORS[name][0] == status else _NAMES.get(status, str(status))


def unreadable(response: httpx.Response) -> GatewayError:
    """Make the error of an answer that says that we asked wrongly."""
    status = response.status_code
    return UpstreamInvalid(f"The service does not understand the call ({status}).", provider_code=name_of(response))


def refusal(reason: str, status: int, name: str | None = None) -> Refusal:
    """Make the error of one fault; a reason that is not known is told by the status alone."""
    if reason in rules.REASONS:
        return rules.refusal(reason)
    return _KINDS.get(status, InvalidInput)("The community refuses this.", provider_code=name)


def places_in(entries: Sequence[tuple[str, str | None]], details: Sequence[wire.Detail]) -> Iterator[Place]:
    """Find the entries of an allocation that details are about; equal ones are about equal entries, in their order."""
    placed: set[tuple[str, int]] = set()
    for detail in details:
        found = [
            place
            for place, (slot, item) in enumerate(entries)
            if (detail.slot, detail.item) != (None, None)
            and detail.slot in (None, slot)
            # The service writes one that clears as it was sent.
            and detail.item in (None, item or "")
        ]
        if detail.reason == "duplicate_slot":
            # The first of them is not the one too many.
            found = found[1:] or found
        if not found:
            yield ("slots",)
            continue
        place = next((place for place in found if (detail.reason, place) not in placed), found[-1])
        placed.add((detail.reason, place))
        yield rules.place_of(place, detail.reason)


def places_in_mint(details: Sequence[wire.Detail]) -> Iterator[Place]:
    """Find the parts of a mint's input that details are about."""
    return map(_place_in_mint, details)


def _place_in_mint(detail: wire.Detail) -> Place:
    if detail.reason in ("unsupported_blockchain", "no_wallet", "invalid_field"):
        return ("blockchain",)
    return ("container",) if detail.slot is None else ("container", detail.slot)
