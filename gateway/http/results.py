"""Results of operations, and refusals, as clients read them: their bodies and their statuses."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson
from graphql import ExecutionResult, GraphQLError
from graphql.execution.types import (
    InitialIncrementalExecutionResult,
    SubsequentIncrementalExecutionResult,
)

from gateway.api.errors import extensions, formatted
from gateway.http.accept import JSON
from gateway.http.answers import Answer
from gateway.http.body import Refused
from gateway.http.persisted import UnknownDocument
from gateway.model.errors import ErrorCode, GatewayError

Body = dict[str, Any]

_CODES = {
    401: ErrorCode.UNAUTHENTICATED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    406: ErrorCode.UNSUPPORTED,
    413: ErrorCode.LIMIT_EXCEEDED,
    415: ErrorCode.UNSUPPORTED,
    429: ErrorCode.RATE_LIMITED,
    431: ErrorCode.LIMIT_EXCEEDED,
    500: ErrorCode.INTERNAL,
    503: ErrorCode.RATE_LIMITED,
}

_STATUSES = {ErrorCode.UPSTREAM_TIMEOUT: 504, ErrorCode.INTERNAL: 500}
"""What the newer media type says of an operation that came to nothing at all, where the request is not at fault."""


def body_of(result: ExecutionResult) -> Body:
    """Write what an operation came to; a request that was never executed has no data at all."""
    if not result.errors:
        return {"data": result.data}
    body: Body = {"errors": [formatted(error) for error in result.errors]}
    if is_executed(result):
        body["data"] = result.data
    return body


def is_executed(result: ExecutionResult) -> bool:
    """Say whether the operation was run, if only to come to nothing."""
    return result.data is not None or any(error.path for error in result.errors or ())


def told(result: ExecutionResult, media_type: str) -> Answer:
    """Answer with what an operation came to."""
    status = 200 if not result.errors or media_type == JSON or is_executed(result) else 400
    return json(body_of(result), media_type, status)


def refusal(refused: Refused) -> Body:
    """Write why a request is refused."""
    code = _CODES.get(refused.status, ErrorCode.INVALID_INPUT)
    return {"errors": [{"message": refused.message, "extensions": {"code": code.value}}]}


def refuse(refused: Refused, media_type: str) -> Answer:
    """Answer that a request is refused."""
    return json(refusal(refused), media_type, refused.status, refused.headers)


def failure(error: GatewayError | UnknownDocument) -> Body:
    """Write why an operation came to nothing."""
    told = {"code": error.code} if isinstance(error, UnknownDocument) else extensions(error)
    return {"errors": [{"message": error.message, "extensions": told}]}


def fail(error: GatewayError | UnknownDocument, media_type: str) -> Answer:
    """Answer that an operation came to nothing."""
    if media_type == JSON:
        return json(failure(error), media_type, 200)
    status = 400 if isinstance(error, UnknownDocument) else _STATUSES.get(error.code, 400)
    return json(failure(error), media_type, status)


def json(body: object, media_type: str, status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """Make an answer of one of the media types that are JSON."""
    return Answer(orjson.dumps(body), f"{media_type}; charset=utf-8", status, headers)


class Parts:
    """Writes the parts of an answer that comes by and by.

    Clients know two forms: the one where each part says by an id which pending one it is, and that of 2022, where each
    says its path. `is_newer` chooses; graphql-core has the newer one. In it fields that two fragments share come once;
    so they do in the older form here, where each fragment should have all of its fields.
    """

    def __init__(self, *, is_newer: bool) -> None:
        self._is_newer = is_newer
        self._pending: dict[str, Any] = {}
        # What the client has so far: where the first of some streamed entries stands, only the list tells.
        self._data: Any = None

    def first(self, result: InitialIncrementalExecutionResult) -> Body:
        """Write what is there at once."""
        body: Body = {"data": result.data, "hasNext": result.has_next}
        if result.errors:
            body["errors"] = [formatted(error) for error in result.errors]
        if self._is_newer:
            body["pending"] = [pending.formatted for pending in result.pending]
        self._data = copy.deepcopy(result.data)
        self._pending = {pending.id: pending for pending in result.pending}
        return body

    def later(self, result: SubsequentIncrementalExecutionResult) -> Body:
        """Write what has come since."""
        body: Body = {"hasNext": result.has_next}
        if self._is_newer:
            written = cast("Mapping[str, Any]", result.formatted)
            body |= {name: written[name] for name in ("pending", "incremental", "completed") if written.get(name)}
            given = (*(result.incremental or ()), *(result.completed or ()))
            for one, shown in zip(given, (*body.get("incremental", ()), *body.get("completed", ())), strict=True):
                if one.errors:
                    shown["errors"] = [formatted(error) for error in one.errors]
            return body
        self._pending |= {pending.id: pending for pending in result.pending or ()}
        entries = [self._placed(part) for part in result.incremental or ()]
        for completed in result.completed or ():
            pending = self._pending.pop(completed.id)
            if completed.errors:
                # It came to nothing: where it would have been, there is nothing.
                there = self._at(pending.path)
                is_list = isinstance(there, list)
                path = [*pending.path, len(cast("list[Any]", there))] if is_list else [*pending.path]
                entries.append(_entry(pending, path, completed.errors) | {"items" if is_list else "data": None})
        if entries:
            body["incremental"] = entries
        return body

    def _placed(self, part: Any) -> Body:
        pending = self._pending[part.id]
        path = [*pending.path, *(part.sub_path or ())]
        there = self._at(path)
        if not hasattr(part, "items"):
            if there is not None:
                there.update(copy.deepcopy(part.data))
            return _entry(pending, path, part.errors) | {"data": part.data}
        # In the older form the path of streamed entries ends with the place of the first of them.
        path.append(len(there or ()))
        if there is not None:
            there.extend(copy.deepcopy(part.items))
        return _entry(pending, path, part.errors) | {"items": part.items}

    def _at(self, path: Sequence[str | int]) -> Any:
        return functools.reduce(_inside, path, self._data)


def _entry(pending: Any, path: list[str | int], errors: list[GraphQLError] | None) -> Body:
    entry: Body = {"path": path}
    if pending.label is not None:
        entry["label"] = pending.label
    if errors:
        entry["errors"] = [formatted(error) for error in errors]
    return entry


def _inside(value: Any, at: str | int) -> Any:
    try:
        return value[at]
    except (TypeError, KeyError, IndexError):
        return None
