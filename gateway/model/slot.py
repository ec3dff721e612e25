"""Slot: a position in a container, which may be empty."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from gateway.model.arguments import AcceptArguments
from gateway.model.definition import DefinitionConnection
from gateway.model.ids import SLOT, ItemRef, SlotRef
from gateway.model.item import Item
from gateway.model.node import Node
from gateway.model.relations import attribute, graph_type, hidden, loaded, shape

if TYPE_CHECKING:
    from gateway.model.container import Container


@graph_type
class Slot(Node):
    """A position in a container; it may be empty."""

    id_kind = SLOT

    index: int = attribute("The place in the container's order, from 0.")
    key: str = attribute("The slot's key within its container.")
    name: str | None = attribute("What it is called.", default=None)
    is_required: bool = attribute("Whether it may not be emptied.", default=False)
    allocated_at: datetime | None = attribute("When something was last put here.", default=None)
    container: Annotated[Container, strawberry.lazy("gateway.model.container")] = attribute("The container.")
    item: Item | None = loaded("items_by_key", "What lies here; null when empty.", key="item_ref")
    accepts: DefinitionConnection | None = loaded(
        "definitions_by_slot",
        "What fits here, for the container's owner, the quantity owned on each edge; null where nothing tells.",
        key="ref",
        arguments=AcceptArguments,
    )
    item_key: strawberry.Private[str | None] = hidden(default=None)

    @property
    def ref(self) -> SlotRef:
        """The reference of this position."""
        return SlotRef(*self.container.owner, self.container.key, self.key)

    @property
    def item_ref(self) -> ItemRef | None:
        """The reference of what lies here."""
        return None if self.item_key is None else ItemRef(*self.container.owner, self.item_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where in a container an item lies: the container is None where it lies in none of its slots."""

    container: Container | None
    slots: list[Slot]

    @property
    def slot(self) -> Slot | None:
        """The first of the slots."""
        return self.slots[0] if self.slots else None


shape(Slot, "index", "key", "container", "item", "item_key", "name", "is_required", "allocated_at")
