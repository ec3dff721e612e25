"""GraphQL over WebSockets: the protocol `graphql-transport-ws`, with its close codes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, cast

import orjson
import structlog
from graphql import ExecutionResult, OperationType
from starlette.types import Message, Receive, Scope, Send

from gateway.execution.documents import Invalid
from gateway.http.answers import Headers, headers_of
from gateway.http.body import Disconnected, Refused
from gateway.http.callers import Door
from gateway.http.operations import Operations
from gateway.http.persisted import UnknownDocument
from gateway.http.requests import parse_asked
from gateway.http.results import Body, body_of, failure, is_executed, refusal
from gateway.http.streams import send_within
from gateway.model.credentials import Caller
from gateway.model.errors import FAULT, GatewayError
from gateway.settings import ServerSettings

PROTOCOL = "graphql-transport-ws"
"""The name of the protocol; see the document PROTOCOL.md of the npm package graphql-ws."""

# The protocol's own codes, but for the first, which is that of WebSockets for whatever breaks a policy.
TOO_SLOW = 1008
INVALID = 4400
UNAUTHORIZED = 4401
FORBIDDEN = 4403
NO_PROTOCOL = 4406
INIT_TIMEOUT = 4408
DUPLICATE = 4409
TOO_MANY = 4429

_AUTHORIZATION, _CREDENTIAL = "authorization", "x-credential-"
"""Headers that a page cannot send with a socket: they may stand in the payload that initialises it."""

_LONGEST_ID = 128

_log = structlog.get_logger("gateway.http")


class Closed(Exception):
    """The socket is to be closed, with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class SocketEndpoint:
    """The ASGI application for WebSockets at `/graphql`."""

    def __init__(self, operations: Operations, settings: ServerSettings, door: Door) -> None:
        self._operations = operations
        self._settings = settings
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket, until either side closes it."""
        await receive()
        headers = headers_of(scope)
        try:
            self._door.check_origin(headers)
        except Refused:
            # Before it is accepted, this is a 403: who is refused learns no more.
            await send({"type": "websocket.close", "code": FORBIDDEN})
            return
        if PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": NO_PROTOCOL, "reason": "Subprotocol not acceptable"})
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        await _Socket(self._operations, self._settings, self._door, scope, headers, receive, send).serve()


class _Socket:
    """One socket: what it is initialised with, and the operations under way over it, by their ids."""

    def __init__(
        self,
        operations: Operations,
        settings: ServerSettings,
        door: Door,
        scope: Scope,
        headers: Headers,
        receive: Receive,
        send: Send,
    ) -> None:
        self._operations = operations
        self._settings = settings
        self._door = door
        self._scope = scope
        self._headers = headers
        self._receive = receive
        self._send = send
        self._caller: Caller | None = None
        self._is_initialised = False
        self._working: dict[str, asyncio.Task[None]] = {}
        # Those too whose id may be used again, but whose last message is still to be taken.
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused = 0
        self._turn = asyncio.Lock()
        self._closed: Closed | None = None
        self._expiring: asyncio.TimerHandle | None = None
        self._serving: asyncio.Task[Any] | None = None

    async def serve(self) -> None:
        """Read what the client sends, until the end."""
        self._serving = asyncio.current_task()
        timeout = asyncio.get_running_loop().call_later(
            self._settings.socket_init_timeout, self._close, INIT_TIMEOUT, "Connection initialisation timeout"
        )
        try:
            while True:
                await self._take(self._read(await self._receive()))
                if self._caller is not None:
                    timeout.cancel()
        except Closed as closed:
            self._closed = closed
        except Disconnected:
            return
        except asyncio.CancelledError:
            if self._closed is None or cast("asyncio.Task[Any]", self._serving).uncancel() > 0:
                raise
        except Exception:
            _log.exception("socket_failed")
            self._closed = Closed(1011, "Internal error")
        finally:
            # From here on nobody else ends it.
            self._serving = None
            timeout.cancel()
            if self._expiring is not None:
                self._expiring.cancel()
            await self._end()

    async def _end(self) -> None:
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._closed is not None:
            message = {"type": "websocket.close", "code": self._closed.code, "reason": self._closed.reason}
            with contextlib.suppress(Disconnected):
                await self._write(message)

    def _close(self, code: int, reason: str) -> None:
        """End the socket from outside of the reading of it."""
        if self._closed is None and self._serving is not None:
            self._closed = Closed(code, reason)
            self._serving.cancel()

    def _read(self, message: Message) -> Mapping[str, Any]:
        if message["type"] == "websocket.disconnect":
            raise Disconnected
        text = message.get("text")
        try:
            if not isinstance(text, str) or len(text) > self._settings.max_body_bytes:
                raise ValueError
            found: object = orjson.loads(text)
        except ValueError:
            raise Closed(INVALID, "Invalid message received") from None
        if not isinstance(found, dict):
            raise Closed(INVALID, "Invalid message received")
        return cast("dict[str, Any]", found)

    async def _take(self, message: Mapping[str, Any]) -> None:
        payload: Any = message.get("payload")
        match message.get("type"):
            case "connection_init":
                await self._initialise(payload)
            case "ping" | "pong" if not _is_object(payload):
                raise Closed(INVALID, "Invalid message received")
            case "ping":
                await self._pong(payload)
            case "pong":
                pass
            case "subscribe":
                await self._subscribe(message.get("id"), payload)
            case "complete":
                if not isinstance(message.get("id"), str):
                    raise Closed(INVALID, "Invalid message received")
                task = self._working.pop(message["id"], None)
                if task is not None:
                    task.cancel()
            case _:
                raise Closed(INVALID, "Invalid message received")

    async def _initialise(self, payload: object) -> None:
        if self._is_initialised:
            raise Closed(TOO_MANY, "Too many initialisation requests")
        self._is_initialised = True
        if payload is not None and not isinstance(payload, dict):
            raise Closed(INVALID, "Invalid message received")
        sent = [
            (name.lower(), value)
            for name, value in cast("dict[str, object]", payload or {}).items()
            if (name.lower() == _AUTHORIZATION or name.lower().startswith(_CREDENTIAL)) and isinstance(value, str)
        ]
        # A provider that is named in both is the payload's alone: parts of two credentials are never mixed.
        named = {_provider(name) for name, _ in sent}
        try:
            raw = [one for one in self._scope["headers"] if _provider(one[0].decode("latin-1")) not in named]
            raw += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent]
            caller = self._door.admit(self._scope.get("client"), {**self._headers, **dict(sent)}, raw)
        except UnicodeEncodeError:
            raise Closed(FORBIDDEN, "A header in the payload is malformed.") from None
        except Refused as refused:
            raise Closed(FORBIDDEN, _reason(refused.message)) from None
        self._caller = caller
        if (left := caller.principal.time_left()) is not None:
            self._expiring = asyncio.get_running_loop().call_later(left, self._close, FORBIDDEN, "Token expired")
        await self._tell({"type": "connection_ack"})

    async def _pong(self, payload: object) -> None:
        try:
            await self._tell({"type": "pong"} | ({} if payload is None else {"payload": payload}))
        except TypeError:
            # JSON may be read deeper than it may be written.
            raise Closed(INVALID, "Invalid message received") from None

    async def _subscribe(self, key: object, payload: object) -> None:
        if self._caller is None:
            raise Closed(UNAUTHORIZED, "Unauthorized")
        if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_ID or not isinstance(payload, dict):
            raise Closed(INVALID, "Invalid message received")
        if key in self._working:
            raise Closed(DUPLICATE, _reason(f"Subscriber for {key} already exists"))
        most = self._settings.max_operations_per_socket
        if len(self._tasks) >= most:
            # One who goes on is flooding, and answering would keep the others waiting.
            self._refused += 1
            if self._refused > most:
                raise Closed(TOO_MANY, "Too many operations")
            refused = Refused(413, f"The most operations over one socket are {most}.")
            await self._tell({"id": key, "type": "error", "payload": refusal(refused)["errors"]})
            return
        self._refused = 0
        task = asyncio.create_task(self._run(key, cast("object", payload), self._caller))
        self._working[key] = task
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(key, ended))

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._working.get(key) is task:
            del self._working[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, Disconnected):
                self._close(TOO_SLOW, "Too slow")
            else:
                _log.error("operation_failed", exc_info=error)
                self._close(1011, "Internal error")

    async def _run(self, key: str, payload: object, caller: Caller) -> None:
        """Run one operation: each answer is a message `next`, and an error, or `complete`, the last."""

        async def put(body: Body) -> None:
            await self._tell({"id": key, "type": "next", "payload": body})

        try:
            errors = await self._answer(payload, caller, put)
        except Invalid as invalid:
            errors = body_of(ExecutionResult(None, [invalid.error]))
        except (GatewayError, UnknownDocument) as error:
            errors = failure(error)
        except Refused as refused:
            errors = refusal(refused)
        except Disconnected:
            raise
        except Exception:
            _log.exception("operation_failed")
            errors = refusal(Refused(500, FAULT))
        # From here on the id may be used again.
        self._working.pop(key, None)
        if errors is None:
            await self._tell({"id": key, "type": "complete"})
        else:
            await self._tell({"id": key, "type": "error", "payload": errors["errors"]})

    async def _answer(self, payload: object, caller: Caller, put: Any) -> Body | None:
        """Put the answers; give the errors of an operation that was not, or is no longer, executed."""
        await self._operations.load.admit(self._scope.get("client"), caller.principal)
        asked = parse_asked(payload)
        operation = self._operations.find(asked)
        if operation.kind is OperationType.SUBSCRIPTION:
            with self._operations.room():
                ended = await self._operations.follow(operation, asked, caller, put)
            return None if ended is None else body_of(ended)
        result = await self._operations.run(operation, asked, caller)
        if not is_executed(result) and result.errors:
            return body_of(result)
        await put(body_of(result))
        return None

    async def _tell(self, message: Mapping[str, Any]) -> None:
        await self._write({"type": "websocket.send", "text": orjson.dumps(message).decode()})

    async def _write(self, message: Message) -> None:
        async with self._turn:
            await send_within(self._settings.send_timeout, self._send, message)


def _is_object(payload: object) -> bool:
    return payload is None or isinstance(payload, dict)


def _provider(header: str) -> str:
    """Name the provider whose credential a header is a part of; another header by itself."""
    return header.removeprefix(_CREDENTIAL).partition("-")[0] if header.startswith(_CREDENTIAL) else header


def _reason(text: str) -> str:
    """Cut a reason to the 123 bytes that a close frame holds."""
    return text.encode()[:123].decode(errors="ignore")
