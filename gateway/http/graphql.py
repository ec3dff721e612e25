"""GraphQL over HTTP at one address: operations by POST and GET, alone, in batches or by and by, and GraphiQL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any, cast

import structlog
from graphql import ExecutionResult, OperationType
from starlette.types import Receive, Scope, Send

from gateway.execution.documents import Invalid, Operation
from gateway.http.accept import JSON, Accepted, accepted, split, takes_gzip
from gateway.http.answers import Answer, Headers, headers_of
from gateway.http.body import Disconnected, Refused, parse_json, read_body
from gateway.http.callers import Door
from gateway.http.graphiql import Page
from gateway.http.operations import Operations
from gateway.http.persisted import UnknownDocument
from gateway.http.requests import Asked, parse_asked, parse_parameters
from gateway.http.results import body_of, fail, failure, json, refusal, refuse, told
from gateway.http.streams import EVENT_STREAM, Form, Stream, answer_in_parts, changes_in_parts
from gateway.model.credentials import Caller
from gateway.model.errors import FAULT, GatewayError, LimitExceeded, Unauthenticated
from gateway.settings import ServerSettings

# Seconds before a client that leaves is noticed.
_UNWATCHED = 0.1

_SMALLEST = 1_024
"""From how many bytes on an answer is worth being made smaller."""

_LONG = 65_536
"""From how many bytes on making it smaller would keep others waiting."""

_log = structlog.get_logger("gateway.http")


class GraphQLEndpoint:
    """The ASGI application at `/graphql`."""

    def __init__(self, operations: Operations, settings: ServerSettings, door: Door, page: Page | None = None) -> None:
        """Without a `page`, browsers get none."""
        self._operations = operations
        self._settings = settings
        self._door = door
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a client that leaves takes its operation with it."""
        headers = headers_of(scope)
        wanted = accepted(headers.get("accept", ""))
        try:
            answer = await self._answer(scope, receive, send, headers, wanted)
        except Disconnected:
            return
        except Refused as refused:
            answer = refuse(refused, wanted.media_type)
        except (GatewayError, UnknownDocument) as error:
            answer = fail(error, wanted.media_type)
        except Exception:
            _log.exception("request_failed")
            answer = refuse(Refused(500, FAULT), wanted.media_type)
        if answer is not None:
            await (await self._smaller(answer, headers)).send(scope, send)

    async def _smaller(self, answer: Answer, headers: Headers) -> Answer:
        if len(answer.body) < _SMALLEST or not self._settings.compression or answer.status != 200:
            return answer
        answer.headers = {
            **answer.headers,
            "Vary": ", ".join(filter(None, (answer.headers.get("Vary"), "Accept-Encoding"))),
        }
        if not takes_gzip(headers.get("accept-encoding", "")):
            return answer
        return await asyncio.to_thread(answer.compressed) if len(answer.body) > _LONG else answer.compressed()

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, wanted: Accepted
    ) -> Answer | None:
        """Answer, or give None where the answer was sent by and by."""
        method = scope["method"]
        if method not in ("GET", "HEAD", "POST"):
            raise Refused(405, "GraphQL is asked by GET or POST.", {"Allow": "GET, HEAD, POST"})
        is_post = method == "POST"
        if not is_post and b"query=" not in scope["query_string"] and "text/html" in headers.get("accept", ""):
            if self._page is None:
                raise Refused(404, "There is no page here.")
            return Answer(self._page.html, "text/html; charset=utf-8", 200, self._page.headers)
        caller = self._door.admit(scope.get("client"), headers, scope["headers"])
        await self._operations.load.admit(scope.get("client"), caller.principal)
        if is_post:
            _check_content_type(headers)
            body = await self._read(scope, receive)
            given = parse_json(body)
            if isinstance(given, list):
                return await self._batch(cast("list[Any]", given), caller, receive, wanted)
        else:
            self._door.check_foreign(headers)
            given = parse_parameters(scope["query_string"])
        asked = parse_asked(given)
        try:
            operation = self._operations.find(asked)
        except Invalid as invalid:
            return await self._told(ExecutionResult(None, [invalid.error]), send, wanted)
        if operation.kind is not OperationType.QUERY and not is_post:
            raise Refused(405, "Only queries may be asked by GET.", {"Allow": "POST"})
        if operation.errors:
            return await self._told(ExecutionResult(None, operation.errors), send, wanted)
        form = self._form(operation, wanted)
        if form is not None:
            await self._stream(operation, asked, caller, self._opened(send, form), receive)
            return None
        working = self._operations.run(operation, asked, caller)
        return told(await _unless_gone(receive, working), wanted.media_type)

    async def _read(self, scope: Scope, receive: Receive) -> bytearray:
        settings = self._settings
        return await read_body(scope, receive, self._operations.load.bodies, settings.max_body_bytes, settings.timeout)

    async def _told(self, result: ExecutionResult, send: Send, wanted: Accepted) -> Answer | None:
        """Answer at once, if need be as a stream of one event."""
        if wanted.json is not None or not wanted.events:
            return told(result, wanted.media_type)
        async with self._opened(send, EVENT_STREAM) as stream:
            await stream.put(body_of(result))
        return None

    def _opened(self, send: Send, form: Form) -> Stream:
        return Stream(send, form, patience=self._settings.send_timeout, keep_alive=self._settings.keep_alive)

    def _form(self, operation: Operation, wanted: Accepted) -> Form | None:
        """Choose how the answer comes by and by; None where it comes at once."""
        if operation.kind is OperationType.SUBSCRIPTION:
            if wanted.events > 0 and wanted.events >= wanted.multipart:
                return EVENT_STREAM
            if wanted.multipart > 0:
                return changes_in_parts(wanted)
            raise Refused(406, "The answers of a subscription come as text/event-stream or multipart/mixed.")
        if wanted.events > wanted.plain:
            return EVENT_STREAM
        if operation.is_incremental and wanted.multipart > 0:
            return answer_in_parts(wanted)
        if wanted.json is None:
            raise Refused(406, "Answers are application/graphql-response+json or application/json.")
        return None

    async def _stream(
        self, operation: Operation, asked: Asked, caller: Caller, stream: Stream, receive: Receive
    ) -> None:
        """Send an answer by and by; a subscription takes its room before anything is sent."""
        is_endless = operation.kind is OperationType.SUBSCRIPTION
        with self._operations.room() if is_endless else contextlib.nullcontext():
            async with stream:
                try:
                    work = self._operations.send_all(operation, asked, caller, stream)
                    if is_endless:
                        await _unless_gone(receive, self._until_drained(work, stream, caller.principal.time_left()))
                    else:
                        await _unless_gone(receive, work)
                except GatewayError as error:
                    await stream.fail(failure(error))
                except Refused as refused:
                    await stream.fail(refusal(refused))
                except Disconnected:
                    raise
                except Exception:
                    _log.exception("request_failed")
                    await stream.fail(refusal(Refused(500, FAULT)))

    async def _until_drained(self, work: Coroutine[Any, Any, None], stream: Stream, seconds: float | None) -> None:
        """Do what may go on for ever until the gateway is about to stop; then the stream ends in the middle.

        It goes on for no more than so many seconds, after which the caller is no longer who he was.
        """
        working, draining = asyncio.ensure_future(work), asyncio.ensure_future(self._operations.draining.wait())
        try:
            await asyncio.wait((working, draining), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
            elif draining.done():
                stream.break_off()
            else:
                raise Unauthenticated("The token has expired.")
        finally:
            draining.cancel()
            working.cancel()
            await asyncio.gather(working, draining, return_exceptions=True)

    async def _batch(self, given: Sequence[Any], caller: Caller, receive: Receive, wanted: Accepted) -> Answer:
        """Answer operations that came together, each for itself, in their order."""
        most = self._settings.batch
        if most == 0:
            raise Refused(400, "Operations are not taken in batches here.")
        if not 0 < len(given) <= most:
            raise Refused(413 if given else 400, f"A batch has 1 to {most} operations; this one has {len(given):,}.")
        if wanted.json is None:
            raise Refused(406, "A batch is answered with application/graphql-response+json or application/json.")
        bodies: dict[int, Any] = {}
        pairs: dict[int, tuple[Operation, Asked]] = {}
        left = self._settings.max_tokens
        for place, one in enumerate(given):
            # What it takes to look at all of them is what it takes for one document of the largest size.
            await asyncio.sleep(0)
            try:
                asked = parse_asked(one)
                operation = self._operations.find(asked)
                left -= operation.tokens
                if operation.kind is OperationType.SUBSCRIPTION:
                    raise Refused(406, "A subscription cannot be answered in a batch.")
                pairs[place] = (operation, asked)
            except Invalid as invalid:
                left -= invalid.tokens
                bodies[place] = body_of(ExecutionResult(None, [invalid.error]))
            except UnknownDocument as unknown:
                bodies[place] = failure(unknown)
            except Refused as refused:
                bodies[place] = refusal(refused)
            if left < 0:
                raise LimitExceeded(f"The documents of a batch may have {self._settings.max_tokens:,} tokens together.")
        try:
            self._operations.check_together([operation for operation, _ in pairs.values()])
        except Invalid as invalid:
            return told(ExecutionResult(None, [invalid.error]), wanted.media_type)
        working = self._operations.run_together([*pairs.values()], caller)
        results = await _unless_gone(receive, working)
        bodies |= {place: body_of(result) for place, result in zip(pairs, results, strict=True)}
        return json([bodies[place] for place in range(len(given))], wanted.media_type, 200)


def _check_content_type(headers: Headers) -> None:
    given = headers.get("content-type", "")
    # As most write it; taking it apart is felt in a small query.
    if given != JSON:
        content_type, parameters = split(given)
        # A page of another origin may send other types without asking first, and without a charset JSON is UTF-8.
        if content_type != JSON or parameters.get("charset", "utf-8") not in ("utf-8", "utf8"):
            raise Refused(415, "The body must be application/json in UTF-8.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "The body must not be compressed.", {"Accept-Encoding": "identity"})


async def _unless_gone(receive: Receive, work: Coroutine[Any, Any, Any]) -> Any:
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
