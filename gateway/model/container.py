"""Container: where things lie; containers form a tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import strawberry

from gateway.model.arguments import ContainerKind, DescendantArguments, ItemArguments, PageArguments
from gateway.model.ids import CONTAINER, ContainerRef, DefinitionRef, OwnerRef
from gateway.model.item import Item, ItemConnection
from gateway.model.node import Connection, Node
from gateway.model.paging import Part
from gateway.model.relations import UNLOADED, attribute, computed, graph_interface, hidden, loaded

if TYPE_CHECKING:
    from gateway.model.inventory import Inventory
    from gateway.model.slot import Slot


@graph_interface
class Container(Node):
    """A place where things lie: a folder, a bag, an account's storage. Containers form a tree."""

    id_kind = CONTAINER
    entity_keys = ("id",)

    versioned_by: ClassVar[str | None] = None
    """The hidden attribute that the version is made of, where a container knows it: it changes with what lies there."""

    key: str = attribute("The container's key within its inventory.")
    name: str = attribute("What it is called.")
    kind: ContainerKind = attribute("What it is.")
    parent: Container | None = loaded(
        "containers_by_key", "The container it lies in; null at the top level.", key="parent_ref"
    )
    capacity: int | None = loaded(
        "contents_by_container",
        "How many slots it has, those of its children included; null where there is no fixed size.",
        key="ref",
        pick="capacity",
    )
    free_slots: int | None = loaded(
        "contents_by_container", "How many of the slots are empty.", key="ref", pick="free_slots"
    )
    version: str | None = loaded(
        "contents_by_container", "Changes whenever the content does.", key="ref", pick="version"
    )
    containers: ContainerConnection | None = loaded(
        "containers_by_container", "The direct children that exist.", key="ref", arguments=PageArguments
    )
    descendants: ContainerConnection | None = loaded(
        "descendants_by_container",
        "The tree below, parents before their children.",
        key="ref",
        arguments=DescendantArguments,
    )
    items: ItemConnection | None = loaded(
        "items_by_container", "What lies directly in it, links included.", key="ref", arguments=ItemArguments
    )
    slots: list[Annotated[Slot, strawberry.lazy("gateway.model.slot")]] | None = loaded(
        "contents_by_container",
        "Its positions in order, the empty ones too; null where it has none.",
        key="ref",
        pick="slots",
    )

    owner: strawberry.Private[OwnerRef] = hidden()
    parent_key: strawberry.Private[str | None] = hidden(default=None)
    role: strawberry.Private[str | None] = hidden(default=None)
    """The provider's word for a purpose that it is found by; None for most."""
    sort: strawberry.Private[str] = hidden()
    """The text that natural order goes by, unique in the inventory and the same whatever the backend."""

    @computed("The inventory it belongs to.")
    def inventory(self) -> Annotated[Inventory, strawberry.lazy("gateway.model.inventory")]:
        """Make the back-link."""
        from gateway.model.inventory import Inventory  # noqa: PLC0415 -- the nouns refer to each other

        return Inventory(owner_ref=self.owner)

    def follow(self, before: Container) -> None:
        """Take into account what stood in this one's place, which an import replaces; most have nothing to."""

    @property
    def ref(self) -> ContainerRef:
        """The reference of this container."""
        return ContainerRef(*self.owner, self.key)

    @property
    def parent_ref(self) -> ContainerRef | None:
        """The reference of the container it lies in."""
        return None if self.parent_key is None else ContainerRef(*self.owner, self.parent_key)


ContainerConnection = Connection[Container]
"""A page of containers."""


@dataclass(slots=True, kw_only=True)
class Contents:
    """What lies in one container, read together; a provider adds its own parts in a subclass.

    `capacity` and `free_slots` count slots, None where there is no fixed size; `slots` is None where there are none;
    `items` lie directly in the container, in natural order. `digest` gives the version, worked out only when asked.
    """

    container: Container
    capacity: int | None
    free_slots: int | None
    slots: list[Slot] | None
    items: list[Item]
    digest: Callable[[], str | None]
    _places: dict[str, list[Slot]] | None = None

    @property
    def version(self) -> str | None:
        """What changes whenever the content does."""
        return self.digest()

    def definitions(self, asked: PageArguments) -> Part[tuple[DefinitionRef, int | None]] | None:
        """List the definitions that it holds; None where it holds items."""
        del asked
        return None

    @property
    def places(self) -> Mapping[str, list[Slot]]:
        """By key of an item, the slots that it lies in, in order."""
        if self._places is None:
            self._places = {}
            for slot in self.slots or ():
                if slot.item_key is not None:
                    self._places.setdefault(slot.item_key, []).append(slot)
        return self._places

    def release(self) -> None:
        """Part what refers to each other, so that it is gone with the request that read it.

        Else it would wait, by thousands, for Python to look for circles. What is parted would be loaded again.
        """
        self.container.slots = UNLOADED
        self._places = None
        for slot in self.slots or ():
            item = slot.item
            if item is not None and item is not UNLOADED:
                item.slot = UNLOADED
