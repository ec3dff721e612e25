"""GraphQL over HTTP at one address: operations by POST and GET, and GraphiQL for browsers."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, cast

import orjson
import structlog
from graphql import ExecutionResult, OperationType
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from gateway.api.context import Context
from gateway.api.errors import extensions, formatted
from gateway.execution.documents import Documents, Invalid, NoOperation, Operation
from gateway.http.answers import Answer, Headers, headers_of
from gateway.http.body import Disconnected, Refused, parse_json, read_body
from gateway.http.callers import Credentials, admit
from gateway.http.graphiql import PAGE
from gateway.model.credentials import Credential
from gateway.model.deadline import Limit, deadline
from gateway.model.errors import FAULT, ErrorCode, GatewayError, UpstreamTimeout
from gateway.settings import ServerSettings

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"

# What reads stop by themselves at the deadline; what does not is stopped this much later.
_GRACE = 1.0

# Seconds before a client that leaves is noticed.
_UNWATCHED = 0.1

_log = structlog.get_logger("gateway.http")


class GraphQLEndpoint:
    """The ASGI application at `/graphql`."""

    def __init__(
        self,
        documents: Documents,
        settings: ServerSettings,
        credentials: Credentials,
        context: Callable[[Mapping[str, Credential]], Context],
    ) -> None:
        self._documents = documents
        self._settings = settings
        self._token = settings.token.get_secret_value() if settings.token else None
        self._credentials = credentials
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a client that leaves takes its operation with it."""
        headers = headers_of(scope)
        media_type = _media_type(headers.get("accept", ""))
        try:
            answer = await self._answer(scope, receive, headers, media_type)
        except Disconnected:
            return
        except Refused as refused:
            answer = _refuse(refused, media_type)
        except Exception:
            _log.exception("request_failed")
            answer = _refuse(Refused(500, FAULT), media_type)
        await answer.send(scope, send)

    async def _answer(self, scope: Scope, receive: Receive, headers: Headers, media_type: str) -> Answer:
        method = scope["method"]
        if method not in ("GET", "HEAD", "POST"):
            raise Refused(405, "GraphQL is asked by GET or POST.", {"Allow": "GET, HEAD, POST"})
        query = None if method == "POST" else QueryParams(scope["query_string"])
        if query is not None and "query" not in query and "text/html" in headers.get("accept", ""):
            if self._settings.graphiql:
                return Answer(
                    PAGE.encode(), "text/html; charset=utf-8", 200, {"Vary": "Accept", "X-Frame-Options": "DENY"}
                )
            raise Refused(404, "There is no page here.")
        admit(scope.get("client"), headers, self._token, self._settings.host)
        credentials = self._credentials.read(scope["headers"])
        if query is None:
            _check_content_type(headers)
            body = await read_body(scope, receive, self._settings.max_body_bytes, self._settings.timeout)
            asked = _asked(parse_json(body))
        else:
            asked = _asked({name: _parameter(name, query[name]) for name in _PARTS if name in query})
        try:
            operation = self._documents.get(asked["query"], asked.get("operationName") or None)
        except Invalid as invalid:
            return _told(ExecutionResult(None, [invalid.error]), media_type)
        except NoOperation:
            what = "`operationName` names no operation of" if asked.get("operationName") else "There is no operation in"
            raise Refused(400, f"{what} the document.") from None
        if operation.kind is not OperationType.QUERY and method != "POST":
            raise Refused(405, "Only queries may be asked by GET.", {"Allow": "POST"})
        if operation.kind is OperationType.SUBSCRIPTION:
            raise Refused(400, "Subscriptions are not served here.")
        return await _unless_gone(receive, self._execute(operation, asked, credentials, media_type))

    async def _execute(
        self, operation: Operation, asked: Mapping[str, Any], credentials: Mapping[str, Credential], media_type: str
    ) -> Answer:
        context = self._context(credentials)
        try:
            with deadline(self._settings.timeout), Limit(self._settings.timeout + _GRACE):
                result = await operation.execute(asked.get("variables"), context)
        except TimeoutError:
            return _refuse_operation(UpstreamTimeout("The operation took too long."), media_type)
        except GatewayError as error:
            return _refuse_operation(error, media_type)
        finally:
            await context.aclose()
        return _told(result, media_type)


_PARTS = ("query", "variables", "operationName", "extensions")


def _parameter(name: str, value: str) -> Any:
    return parse_json(value, f"`{name}`") if name in ("variables", "extensions") and value else value or None


def _asked(body: object) -> Mapping[str, Any]:
    """Check the parts of a GraphQL request; what is malformed is refused with 400."""
    if not isinstance(body, dict):
        raise Refused(400, "The request is not a JSON object.")
    asked = cast("dict[str, Any]", body)
    if not isinstance(asked.get("query"), str) or not asked["query"].strip():
        raise Refused(400, "`query` is missing: the text of a GraphQL document.")
    for name, kind, words in (
        ("variables", dict, "an object"),
        ("operationName", str, "a string"),
        ("extensions", dict, "an object"),
    ):
        if asked.get(name) is not None and not isinstance(asked[name], kind):
            raise Refused(400, f"`{name}` is not {words}.")
    return asked


def _check_content_type(headers: Headers) -> None:
    content_type, parameters = _split(headers.get("content-type", ""))
    # A page of another origin may send other types without asking first, and without a charset JSON is UTF-8.
    if content_type != JSON or parameters.get("charset", "utf-8") not in ("utf-8", "utf8"):
        raise Refused(415, "The body must be application/json in UTF-8.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "The body must not be compressed.", {"Accept-Encoding": "identity"})


@functools.lru_cache(1_000)
def _media_type(accept: str) -> str:
    """Choose the media type of the answer: the newer one where it is asked for before, or without, the older."""
    wanted = sorted(map(_preference, accept.split(",")), reverse=True, key=lambda one: one[1])
    return next((name for name, weight in wanted if weight > 0 and name in (JSON, GRAPHQL_JSON)), JSON)


def _preference(part: str) -> tuple[str, float]:
    name, parameters = _split(part)
    try:
        return name, float(parameters.get("q", "1"))
    except ValueError:
        return name, 0.0


@functools.lru_cache(1_000)
def _split(value: str) -> tuple[str, Mapping[str, str]]:
    """Take a media type apart: its name and its parameters, in lower case."""
    name, *given = (part.strip() for part in value.lower().split(";"))
    parameters = (part.partition("=") for part in given)
    return name, {key.strip(): text.strip().strip('"') for key, _, text in parameters}


def _told(result: ExecutionResult, media_type: str) -> Answer:
    """Write what an operation came to."""
    if not result.errors:
        return _json({"data": result.data}, media_type, 200)
    body: dict[str, Any] = {"errors": [formatted(error) for error in result.errors]}
    # A request that was never executed has no data at all; one that was has, if only null.
    executed = result.data is not None or any(error.path for error in result.errors)
    if executed:
        body["data"] = result.data
    return _json(body, media_type, 200 if executed or media_type == JSON else 400)


def _json(body: object, media_type: str, status: int, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(orjson.dumps(body), f"{media_type}; charset=utf-8", status, headers)


_CODES = {
    401: ErrorCode.UNAUTHENTICATED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    413: ErrorCode.LIMIT_EXCEEDED,
    500: ErrorCode.INTERNAL,
}


def _refuse(refused: Refused, media_type: str) -> Answer:
    code = _CODES.get(refused.status, ErrorCode.INVALID_INPUT)
    body = {"errors": [{"message": refused.message, "extensions": {"code": code.value}}]}
    return _json(body, media_type, refused.status, refused.headers)


def _refuse_operation(error: GatewayError, media_type: str) -> Answer:
    body = {"errors": [{"message": error.message, "extensions": extensions(error)}]}
    if media_type == JSON:
        return _json(body, media_type, 200)
    # The newer type has a status that says whether there is any data.
    statuses = {ErrorCode.UPSTREAM_TIMEOUT: 504, ErrorCode.INTERNAL: 500}
    return _json(body, media_type, statuses.get(error.code, 400))


async def _unless_gone(receive: Receive, work: Coroutine[Any, Any, Answer]) -> Answer:
    """Do the work, unless the client leaves: then it is cancelled, with every call that is made for it."""
    working = asyncio.current_task()
    assert working is not None  # noqa: S101 -- a coroutine always runs in a task
    gone = False
    watching: asyncio.Task[None] | None = None

    def leave(watched: asyncio.Task[None]) -> None:
        nonlocal gone
        if not watched.cancelled():
            gone = True
            working.cancel()

    def watch() -> None:
        nonlocal watching
        watching = asyncio.ensure_future(_left(receive))
        watching.add_done_callback(leave)

    # Most are answered before a client could think of leaving, and looking out for it costs a task.
    soon = asyncio.get_running_loop().call_later(_UNWATCHED, watch)
    try:
        return await work
    except asyncio.CancelledError:
        if gone and working.uncancel() == 0:
            raise Disconnected from None
        raise
    finally:
        soon.cancel()
        if watching is not None and not watching.done():
            watching.remove_done_callback(leave)
            watching.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
