"""The site: the graph, by requests and by sockets, and every other address beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

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
        # Past the router, which takes as long to find the graph as a small query takes in all.
        straight = scope["type"] == "http" and scope["path"] == PATH
        await (requests if straight else application)(scope, receive, send)

    return app
