"""Plain: the local backend's own part of a provider, as far as things lie as the store has them; it has no verbs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from gateway.model.arguments import ItemFilter
from gateway.model.change import ChangeSet
from gateway.model.container import Container, Contents
from gateway.model.errors import Unsupported
from gateway.model.ids import ContainerRef, FactRef, OwnerRef, SlotRef
from gateway.model.item import Item
from gateway.model.manifest import Capability
from gateway.model.ports import Access, Grant, Results, Shown, Storage, Writing, Written

Lay: TypeAlias = Callable[[Container, Sequence[Container], Sequence[Item]], Contents]
"""Lays out what lies in a container and in its direct children, of which are the items, in natural order."""


class Plain:
    """What the rows of the store tell is all there is, and containers have no contents of their own."""

    async def access(
        self, store: Storage, grant: Grant | None, owners: Sequence[OwnerRef]
    ) -> Mapping[OwnerRef, Access]:
        """Tell that every inventory is open."""
        del store, grant, owners
        return {}

    def narrowed(self, wanted: ItemFilter, access: Access) -> tuple[ItemFilter, bool]:
        """Leave a list as it is."""
        del access
        return wanted, False

    async def containers(
        self, store: Storage, access: Mapping[OwnerRef, Access]
    ) -> Mapping[OwnerRef, Sequence[Container]] | None:
        """Tell that containers are rows of the store."""
        del store, access
        return None

    def shelves(self, container: Container) -> Sequence[str] | None:
        """Tell that no container is a view."""
        del container
        return None

    def lays(self, key: str) -> bool:
        """Say that items know where they lie."""
        del key
        return False

    async def contents(self, store: Storage, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Contents]:
        """Tell that nothing is known of contents."""
        del store, refs
        return {}

    async def facts(self, store: Storage, refs: Sequence[FactRef]) -> Results[FactRef, object]:
        """Give documents as they were stored; one statement."""
        return await store.facts(refs)

    async def places(self, store: Storage, refs: Sequence[SlotRef]) -> Mapping[SlotRef, str]:
        """Tell that nothing is made for any slot."""
        del store, refs
        return {}

    async def resolve(self, store: Storage, refs: Sequence[ContainerRef]) -> Mapping[ContainerRef, ContainerRef]:
        """Tell that containers have no other name than their key."""
        del store, refs
        return {}

    def sources(self, owner: OwnerRef, change: Any) -> Collection[OwnerRef]:
        """Tell that nothing is copied from others."""
        del owner, change
        return ()

    def check(self, verb: Capability, owner: OwnerRef, change: Any) -> None:
        """Refuse every verb."""
        del owner, change
        raise Unsupported(f"`{verb.value}` is not supported here.")

    async def write(self, store: Writing, verb: Capability, owner: OwnerRef, change: Any) -> Written:
        """Refuse every verb."""
        del store, owner, change
        raise Unsupported(f"`{verb.value}` is not supported here.")

    async def replay(self, store: Writing, verb: Capability, owner: OwnerRef, change: Any, changes: ChangeSet) -> Shown:
        """Refuse every verb."""
        del changes
        return (await self.write(store, verb, owner, change)).shown


class Laid(Plain):
    """A provider that only reads: `lay` makes a container's contents of the rows."""

    def __init__(self, lay: Lay) -> None:
        self._lay = lay

    async def contents(self, store: Storage, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Contents]:
        """Lay out containers; two statements."""
        return {ref: self._lay(*inside) for ref, inside in (await store.contents(refs)).items()}
