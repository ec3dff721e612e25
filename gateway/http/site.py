"""The site: the graph, by requests and by sockets, and every other address beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import chain

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.callers import Door, cors
from gateway.http.graphiql import Page
from gateway.http.graphql import GraphQLEndpoint
from gateway.http.operations import Operations
from gateway.http.sockets import SocketEndpoint
from gateway.settings import ServerSettings

PATH = "/graphql"

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def site(
    operations: Operations,
    settings: ServerSettings,
    door: Door,
    page: Page | None,
    *,
    others: Sequence[BaseRoute],
    lifespan: Lifespan,
) -> ASGIApp:
    """Make the ASGI application; `others` are the addresses beside the graph's, `page` what browsers get there."""
    requests: ASGIApp = cors(GraphQLEndpoint(operations, settings, door, page), settings)
    sockets: ASGIApp = SocketEndpoint(operations, settings, door)
    pages = page.routes() if page else []
    routes = [Route(PATH, requests), WebSocketRoute(PATH, sockets), *pages, *others]
    application = Starlette(routes=routes, lifespan=lifespan)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        size, is_long = _head(scope)
        if size > settings.max_header_bytes:
            await _refuse_head(settings.max_header_bytes)(scope, receive, send)
            return
        if is_long:
            receive, send = _ending(receive, send)
        # Past the router, which takes as long to find the graph as a small query takes in all.
        straight = scope["type"] == "http" and scope["path"] == PATH
        await (requests if straight else application)(scope, receive, send)

    return app


_SOON = 1 << 16
"""Bytes of a body that the server takes in anyway: an answer before its end need not end the connection."""


def _ending(receive: Receive, send: Send) -> tuple[Receive, Send]:
    """End the connection with an answer that did not wait for the whole body: the rest may never come."""
    whole = False

    async def received() -> Message:
        nonlocal whole
        message = await receive()
        whole = whole or not message.get("more_body", False)
        return message

    async def sent(message: Message) -> None:
        if not whole and message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await send(message)

    return received, sent


def _head(scope: Scope) -> tuple[int, bool]:
    """Tell how large what comes before the body is, which whoever reads it later has to bear, and if the body is long.

    One that does not say how long it is may be.
    """
    if scope["type"] == "lifespan":
        return 0, False
    headers = scope["headers"]
    # As it was sent: what is escaped is three times as long.
    size = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
    size += sum(map(len, chain.from_iterable(headers)))
    if scope["type"] != "http":
        return size, False
    # Of each the server lets through no more than one.
    named = dict(headers)
    length = named.get(b"content-length", b"0")
    is_long = not length.isdigit() or len(length) > 9 or int(length) > _SOON
    return size, is_long or b"transfer-encoding" in named


def _refuse_head(most: int) -> ASGIApp:
    message = f"The address and the headers are larger than {most} bytes."
    answer = JSONResponse({"errors": [{"message": message, "extensions": {"code": "LIMIT_EXCEEDED"}}]}, 431)

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await answer(scope, receive, send)

    return refuse
