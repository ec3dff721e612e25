"""Remembered: the store as one request sees it, each row read once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from gateway.model.container import Container
from gateway.model.definition import ItemDefinition
from gateway.model.errors import Internal
from gateway.model.ids import ContainerRef, DefinitionRef, FactRef, ItemRef, OwnerRef, OwnershipRef
from gateway.model.item import Item
from gateway.model.loader import Loader
from gateway.model.owner import InventoryOwner
from gateway.model.ports import ENDLESS, Storage, Writing

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered:
    """Reads of a store that several parts of one request ask for; each key is looked up once."""

    def __init__(self, store: Storage) -> None:
        self._store = store
        self._outdated: list[Loader[FactRef, object]] = []
        self._owners: Loader[OwnerRef, InventoryOwner] = Loader(store.owners)
        self._containers: Loader[ContainerRef, Container] = Loader(store.containers)
        self._facts: Loader[FactRef, object] = Loader(store.facts)
        self._items: Loader[ItemRef, Item] = Loader(store.items)
        self._definitions: Loader[DefinitionRef, ItemDefinition | Internal] = Loader(store.definitions)

    async def owners(self, refs: Sequence[OwnerRef]) -> dict[OwnerRef, InventoryOwner]:
        """Give owners."""
        return await _found(self._owners, refs)

    async def containers(self, refs: Sequence[ContainerRef]) -> dict[ContainerRef, Container]:
        """Give containers."""
        return await _found(self._containers, refs)

    async def facts(self, refs: Sequence[FactRef]) -> dict[FactRef, object]:
        """Give documents about owners."""
        return await _found(self._facts, refs)

    async def items(self, refs: Sequence[ItemRef]) -> dict[ItemRef, Item]:
        """Give holdings."""
        return await _found(self._items, refs)

    async def definitions(self, refs: Sequence[DefinitionRef]) -> dict[DefinitionRef, ItemDefinition | Internal]:
        """Give catalogue entries; one that cannot be read is an error."""
        found = await self._definitions.load_many(list(dict.fromkeys(refs)))
        known: dict[DefinitionRef, ItemDefinition | Internal] = {}
        for ref in refs:
            entry = found.get(ref)
            if isinstance(entry, ItemDefinition | Internal):
                known[ref] = entry
            elif entry is not None:
                raise entry
        return known

    async def contents(
        self, refs: Sequence[ContainerRef]
    ) -> Mapping[ContainerRef, tuple[Container, list[Container], list[Item]]]:
        """Give containers with what lies in them; nobody else asks for the same."""
        return await self._store.contents(refs)

    async def below(
        self, refs: Sequence[ContainerRef], *, depth: int | None = None, most: int = ENDLESS
    ) -> Sequence[Container]:
        """Give the containers below these."""
        return await self._store.below(refs, depth=depth, most=most)

    async def above(self, refs: Sequence[ContainerRef]) -> Sequence[Container]:
        """Give the containers that these lie in."""
        return await self._store.above(refs)

    async def with_role(self, refs: Sequence[ContainerRef]) -> Sequence[Container]:
        """Give the containers that have a role."""
        return await self._store.with_role(refs)

    async def inside(self, refs: Sequence[ContainerRef], *, most: int = ENDLESS) -> Sequence[Item]:
        """Give what lies directly in containers."""
        return await self._store.inside(refs, most=most)

    async def loose(self, ref: OwnerRef, *, most: int = ENDLESS) -> Sequence[Item]:
        """Give what lies in no container."""
        return await self._store.loose(ref, most=most)

    async def links_to(self, refs: Sequence[ItemRef]) -> Sequence[Item]:
        """Give what points at these keys."""
        return await self._store.links_to(refs)

    async def holds(self, refs: Sequence[OwnershipRef]) -> Mapping[OwnershipRef, bool]:
        """Tell what owners hold."""
        return await self._store.holds(refs)

    async def count_definitions(self, provider: str, families: Sequence[str]) -> Mapping[str, int]:
        """Count families of definitions."""
        return await self._store.count_definitions(provider, families)

    @asynccontextmanager
    async def writing(self, *refs: OwnerRef) -> AsyncGenerator[Writing]:
        """Open a transaction; documents that were read before it are read anew after it."""
        async with self._store.writing(*refs) as writer:
            yield writer
        self._outdated.append(self._facts)
        self._facts = Loader(self._store.facts)

    async def aclose(self) -> None:
        """Cancel the reads still under way."""
        for loader in (*self._outdated, self._owners, self._containers, self._facts, self._items, self._definitions):
            await loader.aclose()


async def _found(loader: Loader[K, V], keys: Sequence[K]) -> dict[K, V]:
    """Load keys together, and give those that exist."""
    unique = list(dict.fromkeys(keys))
    if not unique:
        return {}
    loaded = await loader.load_many(unique)
    found: dict[K, V] = {}
    for key in unique:
        value = loaded.get(key)
        if isinstance(value, Exception):
            raise value
        if value is not None:
            found[key] = value
    return found
