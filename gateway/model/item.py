"""Item: one holding, a stack or a copy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from gateway.model.collectible import Collectible
from gateway.model.definition import ItemDefinition
from gateway.model.ids import ITEM, ContainerRef, DefinitionRef, ItemRef, OwnerRef, SlotRef, definition_ref
from gateway.model.node import Connection, Node
from gateway.model.relations import attribute, computed, graph_interface, hidden, loaded
from gateway.model.scalars import BigInt

if TYPE_CHECKING:
    from gateway.model.container import Container
    from gateway.model.inventory import Inventory
    from gateway.model.slot import Slot


@graph_interface
class Item(Node):
    """One holding of an owner: a stack, or a copy."""

    id_kind = ITEM
    entity_keys = ("id",)

    key: str = attribute("The holding's key within its inventory.")
    name: str | None = attribute("What it is called.", default=None)
    kind: str | None = attribute("The provider's own word for what it is.", default=None)
    quantity: BigInt = attribute("How many the holding has.", default=BigInt(1))
    container: Annotated[Container, strawberry.lazy("gateway.model.container")] | None = loaded(
        "containers_by_key", "Where it lies; null where it lies nowhere in particular.", key="container_ref"
    )
    slot: Annotated[Slot, strawberry.lazy("gateway.model.slot")] | None = loaded(
        "slots_by_key", "The position it lies in; null where its container has none.", key="slot_ref"
    )
    definition: ItemDefinition | None = loaded(
        "definitions_by_key", "What it is a copy of; null when the catalogue does not know it.", key="definition_ref"
    )
    collectible: Collectible | None = attribute("What is particular about this copy.", default=None)
    acquired_at: datetime | None = attribute("When the owner got it.", default=None)

    owner: strawberry.Private[OwnerRef] = hidden()
    container_key: strawberry.Private[str | None] = hidden(default=None)
    slot_key: strawberry.Private[str | None] = hidden(default=None)
    definition_key: strawberry.Private[str | None] = hidden(default=None)
    linked_key: strawberry.Private[str | None] = hidden(default=None)
    """The key of what it points at, where it is a link."""
    sort: strawberry.Private[str] = hidden()
    """The text that natural order goes by, unique in the inventory and the same whatever the backend."""

    @computed("The inventory it belongs to.")
    def inventory(self) -> Annotated[Inventory, strawberry.lazy("gateway.model.inventory")]:
        """Make the back-link."""
        from gateway.model.inventory import Inventory  # noqa: PLC0415 -- the nouns refer to each other

        return Inventory(owner_ref=self.owner)

    def settle(self, definition: ItemDefinition) -> None:
        """Take over, at an import, what only the catalogue knows of it; most have nothing to."""

    @property
    def ref(self) -> ItemRef:
        """The reference of this holding."""
        return ItemRef(*self.owner, self.key)

    @property
    def container_ref(self) -> ContainerRef | None:
        """The reference of its container."""
        return None if self.container_key is None else ContainerRef(*self.owner, self.container_key)

    @property
    def slot_ref(self) -> SlotRef | None:
        """The reference of its position."""
        if self.container_key is None or self.slot_key is None:
            return None
        return SlotRef(*self.owner, self.container_key, self.slot_key)

    @property
    def definition_ref(self) -> DefinitionRef | None:
        """The reference of its definition."""
        return None if self.definition_key is None else definition_ref(self.owner.provider, self.definition_key)


@dataclass(slots=True, kw_only=True)
class Target:
    """What a link points at; the node is None where there is no such thing."""

    node: Node | None

    @property
    def is_broken(self) -> bool:
        """Whether there is no such thing, or none any more."""
        return self.node is None


ItemConnection = Connection[Item]
"""A page of items."""
