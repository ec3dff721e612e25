"""The composition root: settings in, the ASGI application out. It joins the parts and decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Mapping
from functools import partial

import httpx
import strawberry
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Router
from starlette.types import ASGIApp

from gateway.api.context import Context
from gateway.api.schema import build_schema
from gateway.backends.compared import Compared
from gateway.backends.guarded import Guarded
from gateway.backends.limiter import Limiter
from gateway.backends.local import LocalBackend, now
from gateway.backends.vault import vault
from gateway.execution.documents import Documents
from gateway.http import health, metrics
from gateway.http.access import Access
from gateway.http.callers import Credentials, Door
from gateway.http.graphiql import Page
from gateway.http.operations import Operations
from gateway.http.persisted import persisted
from gateway.http.shedding import bearing
from gateway.http.site import site
from gateway.model.credentials import MIXED
from gateway.model.manifest import BackendKind
from gateway.model.ports import Backend, Clock
from gateway.providers.provider import Provider
from gateway.registry import MANIFESTS, PROVIDERS, STORED, examples, is_owner
from gateway.settings import ProviderSettings, Settings
from gateway.store.store import Store
from gateway.telemetry import Figure
from gateway.transport.client import Client
from gateway.transport.fetch import fetch
from gateway.transport.pool import Pool


class Gateway:
    """The parts of one running gateway; `async with` opens and closes them."""

    def __init__(
        self,
        settings: Settings,
        *,
        pool: httpx.AsyncBaseTransport | None = None,
        clock: Clock = now,
    ) -> None:
        """`pool` replaces the network, for tests: calls of the services go through it."""
        self.settings, self.clock = settings, clock
        self.pool = pool if pool is not None else Pool()
        self.store = Store(settings.store.url, types=STORED)
        self.backends: Mapping[str, Backend] = {
            key: self._backend(provider, settings.provider(key), clock)
            for key, provider in PROVIDERS.items()
            if settings.provider(key).backend != "off"
        }
        self.schema = schema(settings)
        self.documents = Documents.of(self.schema, settings.server)
        known = persisted(settings.server, self.documents)
        self.vault = vault(settings.vault, self.store, clock)
        context = partial(Context.opened, self.backends, self.vault)
        often = settings.access.requests_per_minute
        self.operations = Operations(self.documents, known, settings.server, context, often)
        self.access = Access(settings.server, settings.access, is_owner)
        self.door = Door(settings.server, self.access, Credentials.of(MANIFESTS, settings.providers))
        self.page = Page(MANIFESTS, examples()) if settings.server.graphiql else None

    def _backend(self, provider: Provider, settings: ProviderSettings, clock: Clock) -> Backend:
        if settings.backend == "local":
            own = provider.local(clock, provider.options(**settings.options))
            local = LocalBackend(provider.manifest, provider.rules, own, self.store, clock=clock)
            return Guarded(local, provider.rules, local)
        budget, rate = provider.manifest.limits.budget, settings.requests_per_minute
        if budget is not None and rate is not None:
            budget = dataclasses.replace(budget, burst=rate, per_minute=rate)
        client = Client(provider.key, pool=self.pool, judge=provider.judge, budget=budget, timeout=settings.timeout)
        addresses = settings.addresses(provider.manifest.base_urls)
        source = provider.connect(client, addresses, settings.account_cache)
        interval = settings.watch_interval or provider.manifest.limits.watch_interval
        return Guarded(source, provider.rules, Compared(source, interval, clock))

    @property
    def uses_store(self) -> bool:
        """Say whether any provider is served from the store, or the vault lies there."""
        return self.vault is not None or any(one.kind is BackendKind.LOCAL for one in self.backends.values())

    def routes(self) -> list[BaseRoute]:
        """List every address that the gateway serves beside the graph's."""
        server = self.settings.server
        checks = {"load": self.operations.load.check, **({"store": self.store.check} if self.uses_store else {})}
        routes: list[BaseRoute] = [*health.routes(checks)]
        if server.metrics:
            routes += metrics.routes(self.figures(), self.door)
        for key, backend in self.backends.items() if server.rest else ():
            budget = backend.manifest.limits.budget if server.rest_rate_limit else None
            limiter = Limiter(budget) if budget else None
            options = PROVIDERS[key].options(**self.settings.provider(key).options)
            dialect = PROVIDERS[key].routes(backend, limiter, self.clock, options)
            held = bearing(Router(dialect), self.operations.load, server.timeout, options.body_limit)
            routes.append(Mount(f"/rest/{key}", held))
        return routes

    def figures(self) -> list[Figure]:
        """List what `/metrics` tells."""
        own = [*self.documents.figures(), *self.operations.figures(), *self.operations.load.figures(), MIXED]
        return [*own, *(part for backend in self.backends.values() for part in backend.figures())]

    def app(self) -> ASGIApp:
        """Make the ASGI application; its lifespan opens and closes the parts."""

        @contextlib.asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
            async with self:
                yield

        others = self.routes()
        return site(self.operations, self.settings.server, self.door, self.page, others=others, lifespan=lifespan)

    async def __aenter__(self) -> Gateway:
        if self.uses_store:
            await self.store.start()
        self._keeping = asyncio.create_task(self.access.keep(partial(fetch, self.pool)))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._keeping.cancel()
        await self.pool.aclose()
        await self.store.aclose()


def schema(settings: Settings) -> strawberry.Schema:
    """Build the schema over every provider."""
    types = tuple(kind for provider in PROVIDERS.values() for kind in provider.types)
    owners = tuple(kind for provider in PROVIDERS.values() for kind in provider.owners)
    inputs = tuple((one.manifest.provider, *pair) for one in PROVIDERS.values() for pair in one.inputs.items())
    return build_schema(types, owners, inputs, node_fields=settings.server.node_fields)
