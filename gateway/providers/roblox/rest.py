"""The REST dialects of Roblox, served from any backend: which call is answered by what, and how failures look."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import quote, unquote

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.backends.limiter import Limiter
from gateway.model.ports import Backend, Clock
from gateway.providers.roblox.cloud import Cloud
from gateway.providers.roblox.dialect import Answer, Dialect, Refused, answered
from gateway.providers.roblox.keys import PROVIDER
from gateway.providers.roblox.settings import RobloxOptions
from gateway.providers.roblox.web import Web

_log = structlog.get_logger("gateway.rest")

Handler = Callable[[Request, Mapping[str, str]], Awaitable[Answer]]


def routes(backend: Backend, limiter: Limiter | None, clock: Clock, options: RobloxOptions) -> list[Route]:
    """Make the routes of the dialects, to be mounted under `/rest/roblox`."""
    dialect = Dialect(backend, clock, options, is_limited=limiter is not None)
    web, cloud = Web(dialect), Cloud(dialect)
    return [
        *(
            _route(path, cloud.routes, cloud.not_there, cloud.not_done, cloud.broken)
            for path in ("/cloud/{rest:path}", "/oauth/{rest:path}", "/api-keys/{rest:path}")
        ),
        _route("/{rest:path}", web.routes, web.not_there, web.not_done, web.broken),
    ]


def _route(
    path: str,
    table: Sequence[tuple[str, str, Handler]],
    not_there: Callable[[], Refused],
    not_done: Callable[[], Refused],
    broken: Callable[[Exception], Refused],
) -> Route:
    """Make the route of a dialect: its calls are found by their paths as they were sent."""
    calls = [(method, re.compile(rf"{pattern}\Z"), handler) for method, pattern, handler in table]

    async def found(request: Request) -> Answer:
        raw = request.scope["raw_path"].decode("latin-1")
        raw = raw.removeprefix(quote(request.scope["root_path"]))
        method = "GET" if request.method == "HEAD" else request.method
        there = [(one, handler, match) for one, form, handler in calls if (match := form.match(raw))]
        if not there:
            raise not_there()
        for one, handler, match in there:
            if one == method:
                # Decoded only now: a slash that was quoted is a part of an id, and not of the path.
                return await handler(request, {name: unquote(part) for name, part in match.groupdict().items()})
        raise not_done()

    async def answer(request: Request) -> Response:
        try:
            made = await found(request)
        except Refused as refused:
            made = refused.answer
        except Exception as error:
            made = broken(error).answer
            if made.status >= 500:
                _log.exception("rest_failed", provider=PROVIDER)
        return answered(request, made)

    route = Route(path, answer)
    route.methods = None
    return route
