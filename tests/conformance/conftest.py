"""The matrix: providers from the registry, times the backends that each must answer alike from."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.model.manifest import BackendKind, Capability
from gateway.model.ports import Holder
from gateway.providers.provider import Provider
from gateway.registry import PROVIDERS
from tests.conformance.worlds import WORLDS, World
from tests.databases import lent_database, make_database
from tests.gateways import Answer, Asked, header, local, mint, running, settings, upstream

KINDS = {"sqlite": BackendKind.LOCAL, "postgres": BackendKind.LOCAL, "upstream": BackendKind.UPSTREAM}
BACKENDS = (*KINDS,)


@dataclass
class Subject:
    """One cell of the matrix, up and seeded."""

    provider: Provider
    world: World
    backend: BackendKind
    asked: Asked
    dialect: Asked
    """The gateway that holds the samples: the same one, or the one behind the upstream."""

    async def ask(self, query: str, /, *, headers: dict[str, str] | None = None, **variables: Any) -> Answer:
        return await self.asked.ask(query, headers=headers, owner=self.owner, **variables)

    @property
    def name(self) -> str:
        return self.provider.manifest.provider.name

    @property
    def owner(self) -> dict[str, str]:
        return self.to(self.world.owner)

    def to(self, key: str) -> dict[str, str]:
        """Give the input for an owner."""
        return {"provider": self.name, "key": key}

    def holder(self, owner: str) -> Holder:
        """Give the holder of a credential that was made for an owner."""
        return Holder(owner, self.provider.manifest.credential_parts[0].key)

    def declares(self, capability: Capability) -> bool:
        return capability in self.provider.manifest.capabilities[self.backend]


def matrix(*needed: Capability) -> list[Any]:
    """Give the cells that declare all of these."""
    return [
        pytest.param((key, backend), id=f"{key}-{backend}")
        for key, provider in PROVIDERS.items()
        for backend in BACKENDS
        if {*needed} <= provider.manifest.capabilities[KINDS[backend]]
    ]


def needs(*needed: Capability) -> pytest.MarkDecorator:
    """Run a test in the cells that declare all of these; that the others refuse is tested among the capabilities."""
    return pytest.mark.parametrize("subject", matrix(*needed), indirect=True)


_SEEDED: dict[tuple[str, str], tuple[str, dict[str, str]]] = {}
"""Databases with the samples and a credential in them, made on first use and copied for each test."""


async def seeded(provider: Provider, backend: str, request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """Give the URL of the database to copy, and the headers with the credential of the samples' owner."""
    at = (provider.key, "postgres" if backend == "postgres" else "sqlite")
    if at not in _SEEDED:
        if backend == "postgres":
            url = await make_database(request.getfixturevalue("postgres_url"))
        else:
            factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
            url = f"sqlite:///{factory.mktemp('seeded')}/store.db"
        async with local(provider, url) as asked:
            world = WORLDS[provider.key]
            parts = world.parts or (provider.manifest.credential_parts[0].key,)
            _SEEDED[at] = (
                url,
                {header(provider, part): await mint(asked.gateway, provider, world.owner, part=part) for part in parts},
            )
    return _SEEDED[at]


@pytest.fixture(params=matrix())
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Subject]:
    """Give every cell of the matrix in turn."""
    key, backend = request.param
    provider, world = PROVIDERS[key], WORLDS[key]
    name: str = request.node.originalname
    if reason := world.gaps.get(f"{name}[{backend}]"):
        request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    template, credential = await seeded(provider, backend, request)
    async with AsyncExitStack() as stack:
        if backend == "postgres":
            url = await stack.enter_async_context(lent_database(request.getfixturevalue("postgres_url"), template))
        else:
            url = f"sqlite:///{shutil.copy(template.removeprefix('sqlite:///'), tmp_path)}"
        dialect = await stack.enter_async_context(running(settings(url)))
        asked = dialect
        if backend == "upstream":
            asked = await stack.enter_async_context(upstream(provider, dialect))
        asked.headers.update(credential)
        yield Subject(provider, world, KINDS[backend], asked, dialect)
