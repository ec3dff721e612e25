"""Provider: the parts that a provider's folder brings, joined for the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx
from starlette.routing import Route

from gateway.backends.limiter import Limiter
from gateway.model.errors import GatewayError
from gateway.model.manifest import Manifest
from gateway.model.ports import Archive, Backend, Rules
from gateway.transport.client import Client

Dialect = Callable[[Backend, Limiter | None], list[Route]]
"""Make the routes of a provider's own REST dialect over a backend; without a limiter, callers are not held back."""

Connect = Callable[[Client, Mapping[str, str], float], Backend]
"""Make the upstream backend from a client, the service's base URLs by host name, and the seconds for which what a
credential has read is kept for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider, whole: `types` are all that its backends return, `judge` reads its error answers."""

    manifest: Manifest
    types: tuple[type, ...]
    account: type
    rules: Rules
    archive: Archive
    judge: Callable[[httpx.Response], GatewayError | None]
    connect: Connect
    routes: Dialect
    demo: str
    """The package whose `demo.json`, in the service's own format, `--demo` starts with."""

    @property
    def key(self) -> str:
        """The provider's key."""
        return self.manifest.key
