"""What goes wrong, in the service's words: refusals, their statuses, and the bodies that tell of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from gateway.model.errors import (
    Conflict,
    Forbidden,
    GatewayError,
    Gone,
    InvalidInput,
    LimitExceeded,
    NotFound,
    PreconditionFailed,
    RateLimited,
    Unauthenticated,
    Unsupported,
    UpstreamUnavailable,
)
from gateway.providers.secondlife.keys import UUID

INVALID, SHAPE, DEPTH, BROKEN, NOT_FOUND, METHOD, CONFLICT, GONE, PRECONDITION, FAULT, PERMISSIONS, LACKING, MEDIA = (
    *(0, 1, 2, 3, 4),
    *(7, 8, 9, 10, 11),
    *(14, 15, 17),
)
"""Numbers of `error_code`: the document has none, these are a public imitation's."""


class CategoryNotFound(NotFound):
    """There is no such category."""

    def __init__(self, key: str) -> None:
        super().__init__("There is no such category.", provider_code=str(NOT_FOUND))
        self.key = key


class ItemNotFound(NotFound):
    """There is no such item."""

    def __init__(self, key: str) -> None:
        super().__init__("There is no such item.", provider_code=str(NOT_FOUND))
        self.key = key


class CategoryGone(Gone):
    """The category to delete, copy or move is not there, or not any more."""

    def __init__(self, key: str) -> None:
        super().__init__("There is no such category any more.", provider_code=str(GONE))
        self.key = key


class ItemGone(Gone):
    """The item to delete, copy or move is not there, or not any more."""

    def __init__(self, key: str) -> None:
        super().__init__("There is no such item any more.", provider_code=str(GONE))
        self.key = key


class InvalidCategory(InvalidInput):
    """This cannot be done to the category."""

    def __init__(self, message: str, key: str) -> None:
        super().__init__(message, provider_code=str(INVALID))
        self.key = key


class InvalidItem(InvalidInput):
    """This cannot be done to the item."""

    def __init__(self, message: str, key: str) -> None:
        super().__init__(message, provider_code=str(INVALID))
        self.key = key


class InvalidLinks(InvalidInput):
    """A link that points at nothing, or at what no link may point at."""

    def __init__(self, message: str, linked: str) -> None:
        super().__init__(message, provider_code=str(SHAPE))
        self.linked = linked


class InvalidDepth(InvalidInput):
    """A depth that is none."""

    def __init__(self) -> None:
        super().__init__("A depth is a number from 0, or `*`.", provider_code=str(DEPTH))


class TooLarge(LimitExceeded):
    """An answer would have more objects than one may have."""

    def __init__(self) -> None:
        super().__init__("This is too much for one answer: less depth, or fewer folders.", provider_code=str(DEPTH))


def invalid(message: str) -> InvalidInput:
    """Refuse a request that is malformed."""
    return InvalidInput(message, provider_code=str(INVALID))


def forbidden(message: str) -> Forbidden:
    """Refuse what the folder's or the item's permissions do not allow."""
    return Forbidden(message, provider_code=str(PERMISSIONS))


_STATUSES: Sequence[tuple[type[GatewayError], int, int]] = (
    (NotFound, 404, NOT_FOUND),
    (Unauthenticated, 404, NOT_FOUND),
    (Gone, 410, GONE),
    (TooLarge, 403, DEPTH),
    (LimitExceeded, 400, INVALID),
    (Forbidden, 403, PERMISSIONS),
    (PreconditionFailed, 412, PRECONDITION),
    (Unsupported, 501, LACKING),
    (InvalidInput, 400, INVALID),
    (Conflict, 503, CONFLICT),
    (RateLimited, 503, FAULT),
    (UpstreamUnavailable, 503, FAULT),
)
"""By kind of error the status that it is answered with, and the number where it has none of its own."""


def status_of(error: GatewayError) -> int:
    """Give the status that an error is answered with; 500 for a fault of ours."""
    return next((status for kind, status, _ in _STATUSES if isinstance(error, kind)), 500)


def body_of(error: GatewayError) -> dict[str, Any]:
    """Write an error as the service does; all faults of one request tell their links together."""
    number = next((number for kind, _, number in _STATUSES if isinstance(error, kind)), FAULT)
    if error.provider_code is not None and error.provider_code.isdecimal():
        number = int(error.provider_code)
    body: dict[str, Any] = {"error_code": number, "error_description": error.message}
    if isinstance(error, CategoryNotFound | CategoryGone | InvalidCategory):
        body |= _told("category_id", error.key)
    if isinstance(error, ItemNotFound | ItemGone | InvalidItem):
        body |= _told("item_id", error.key)
    if isinstance(error, InvalidLinks):
        body["invalid_linked_ids"] = [uuid.UUID(one.linked) for one in error.all if isinstance(one, InvalidLinks)]
    return body


def _told(name: str, key: str) -> dict[str, Any]:
    """Name what an error is about, where it has an id: a name, or whatever else was asked for, is none."""
    return {name: uuid.UUID(key)} if UUID.match(key) else {}
