"""Provider: the parts that a provider's folder brings, joined for the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import httpx
from starlette.routing import Route

from gateway.backends.limiter import Limiter
from gateway.model.errors import GatewayError
from gateway.model.manifest import Manifest
from gateway.model.options import Options
from gateway.model.ports import Archive, Backend, Clock, Local, Rules, Source
from gateway.transport.client import Client

Dialect = Callable[[Backend, Limiter | None, Clock, Any], list[Route]]
"""Make the routes of a provider's own REST dialect over a backend, from a clock and its options; without a limiter,
callers are not held back."""

Serve = Callable[[Clock, Any], Local]
"""Make the provider's own part of the local backend from a clock and the provider's options."""

Connect = Callable[[Client, Mapping[str, str], float], Source]
"""Make the upstream source from a client, the service's base URLs by host name, and the seconds for which what a
credential has read is kept for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider, whole.

    `types` are the graph types that its backends return, `documents` what else the store keeps of it, `owners` those of
    the types that tell about an owner; `inputs` are what it adds to inputs of the graph, by the input that they are
    added to; `options` are its own settings; `judge` reads the service's error answers.
    """

    manifest: Manifest
    types: tuple[type, ...]
    documents: tuple[type, ...]
    owners: tuple[type, ...]
    inputs: Mapping[type, type]
    options: type[Options]
    rules: Rules
    local: Serve
    archive: Archive
    judge: Callable[[httpx.Response], GatewayError | None]
    connect: Connect
    routes: Dialect
    demo: str
    """The package whose `demo.json`, in the service's own format, `--demo` starts with; beside it lie the examples."""
    demo_owner: str
    """The owner among the samples whom `--demo` makes credentials for."""

    @property
    def key(self) -> str:
        """The provider's key."""
        return self.manifest.key

    @property
    def examples(self) -> str:
        """Example operations, each with a comment above that says what it shows; they are good for the samples."""
        return (resources.files(self.demo) / "examples.graphql").read_text("utf-8")
