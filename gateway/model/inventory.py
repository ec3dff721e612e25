"""Inventory: all that an owner holds at one provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from gateway.model.arguments import (
    BothWaysArguments,
    CatalogueArguments,
    CollectibleArguments,
    ContainerArguments,
    KeyArguments,
    TotalArguments,
)
from gateway.model.container import Container, ContainerConnection
from gateway.model.definition import DefinitionConnection
from gateway.model.ids import INVENTORY, OwnerRef
from gateway.model.item import ItemConnection
from gateway.model.manifest import ProviderKey
from gateway.model.node import Node
from gateway.model.relations import computed, graph_type, hidden, loaded

if TYPE_CHECKING:
    from gateway.model.owner import InventoryOwner


@graph_type
class Inventory(Node):
    """All that an owner holds at one provider."""

    id_kind = INVENTORY
    entity_keys = ("id",)

    is_visible: bool | None = loaded(
        "visibility_by_owner", "Whether the credential in use may see what is inside.", key="owner_ref"
    )
    containers: ContainerConnection | None = loaded(
        "containers_by_owner", "The top level.", key="owner_ref", arguments=ContainerArguments
    )
    container: Container | None = loaded(
        "containers_by_key",
        "One container by key, wherever it lies; null where there is none.",
        key="owner_ref",
        arguments=KeyArguments,
    )
    items: ItemConnection | None = loaded(
        "items_by_owner", "All holdings, wherever they lie.", key="owner_ref", arguments=BothWaysArguments
    )
    collectibles: ItemConnection | None = loaded(
        "items_by_owner", "The numbered or tokenised copies.", key="owner_ref", arguments=CollectibleArguments
    )
    totals: DefinitionConnection | None = loaded(
        "totals_by_owner",
        "The quantity held of each definition, over all containers.",
        key="owner_ref",
        arguments=TotalArguments,
    )
    catalogue: DefinitionConnection | None = loaded(
        "catalogue_by_owner",
        "What this inventory could hold, the quantity owned on each edge; null without a bounded catalogue.",
        key="owner_ref",
        arguments=CatalogueArguments,
    )
    owner_ref: strawberry.Private[OwnerRef] = hidden()

    @property
    def ref(self) -> OwnerRef:
        """The reference of the owner, which is the inventory's as well."""
        return self.owner_ref

    @computed("The provider.")
    def provider(self) -> ProviderKey:
        """Name the provider."""
        return ProviderKey(self.owner_ref.provider)

    @computed("Who holds it.")
    def owner(self) -> Annotated[InventoryOwner, strawberry.lazy("gateway.model.owner")]:
        """Make the back-link."""
        from gateway.model.owner import InventoryOwner  # noqa: PLC0415 -- the nouns refer to each other

        return InventoryOwner(provider=ProviderKey(self.owner_ref.provider), key=self.owner_ref.owner)
