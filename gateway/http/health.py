"""Health: whether the process lives, and whether it can serve."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Check = Callable[[], Awaitable[None]]

PATIENCE = 5.0
"""Seconds that a check may take; whoever asks gives up soon after."""

_log = structlog.get_logger("gateway.http")


def routes(checks: Mapping[str, Check]) -> list[Route]:
    """Make `/health/live` and `/health/ready`; a check that raises makes the gateway not ready, and is named."""

    async def live(_request: Request) -> Response:
        return _told(200, {"status": "live"})

    async def ready(_request: Request) -> Response:
        failed: list[str] = []
        for name, check in checks.items():
            try:
                async with asyncio.timeout(PATIENCE):
                    await check()
            except Exception as error:
                _log.warning("not_ready", part=name, reason=str(error) or type(error).__name__)
                failed.append(name)
        return _told(503, {"status": "not ready", "failed": failed}) if failed else _told(200, {"status": "ready"})

    return [Route("/health/live", live), Route("/health/ready", ready)]


def _told(status: int, body: object) -> Response:
    return Response(
        orjson.dumps(body), status_code=status, media_type="application/json", headers={"Cache-Control": "no-store"}
    )
