"""How errors look to clients: coded as the schema's contract says, and without anything of ours."""

from __future__ import annotations

from typing import Any

import structlog
from graphql import FieldNode, GraphQLError

from gateway.model.errors import FAULT, ErrorCode, GatewayError, Internal, LimitExceeded
from gateway.model.manifest import ProviderKey

_log = structlog.get_logger("gateway.api")


def formatted(error: GraphQLError) -> dict[str, Any]:
    """Write an error of an execution; a fault of ours is logged, and told as no more than that."""
    original = root_of(error)
    if isinstance(original, GatewayError):
        found = original
    elif original is None and not _completing(error):
        # The document, the variables or the choice of operation is at fault: graphql-core tells about those.
        return {**_placed(error), "message": error.message, "extensions": {"code": ErrorCode.INVALID_INPUT.value}}
    else:
        _log.error("resolver_failed", path=error.path, exc_info=original or error)
        found = Internal(FAULT)
    return {**_placed(error), "message": found.message, "extensions": extensions(found)}


_NAMES = {key.value: key.name for key in ProviderKey}
"""What the schema calls each provider; an id may hold the key of none."""


def extensions(error: GatewayError) -> dict[str, Any]:
    """Give the extensions of an error."""
    told = {
        "code": error.code.value,
        "provider": _NAMES.get(error.provider or ""),
        "providerCode": error.provider_code,
        "retryable": error.retryable,
        "retryAfter": error.retry_after,
        "explain": error.explain if isinstance(error, LimitExceeded) else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _completing(error: GraphQLError) -> bool:
    """Say whether a value of ours did not fit its field: then the whole field is named, not a part of the document."""
    return bool(error.path) and all(isinstance(node, FieldNode) for node in error.nodes or ())


def root_of(error: GraphQLError) -> BaseException | None:
    """Give what a resolver raised, None for an error of graphql-core's own."""
    original: BaseException | None = error
    while isinstance(original, GraphQLError):
        original = original.original_error
    return original


def _placed(error: GraphQLError) -> dict[str, Any]:
    placed: dict[str, Any] = {"message": ""}
    if error.locations:
        placed["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        placed["path"] = error.path
    return placed
