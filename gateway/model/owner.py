"""InventoryOwner: who holds things at a provider."""

from __future__ import annotations

from typing import Any, cast

from strawberry.annotation import StrawberryAnnotation
from strawberry.types.base import get_object_definition
from strawberry.types.union import StrawberryUnion

from gateway.model.arguments import DefinitionKeyArguments
from gateway.model.ids import OWNER, FactRef, OwnerRef
from gateway.model.inventory import Inventory
from gateway.model.manifest import ProviderKey
from gateway.model.node import Node
from gateway.model.relations import attribute, computed, graph_type, loaded

ACCOUNT, CREDENTIAL = "account", "credential"
"""Kinds of fact that every provider may have: what `InventoryOwner.details` shows, and about the credential in use."""


@graph_type
class InventoryOwner(Node):
    """Who holds things at a provider: an account, a user, an agent."""

    id_kind = OWNER
    entity_keys = ("id", "provider key")

    provider: ProviderKey = attribute("The provider.")
    key: str = attribute("The owner's key at that provider.")
    name: str | None = loaded("owners_by_key", "What the owner is called.", key="ref", pick="name")
    details: Any | None = loaded("facts_by_key", "What the provider tells about the owner.", key="account_ref")
    owns: bool | None = loaded(
        "ownership_by_key",
        "Whether the owner holds at least one; null with NOT_FOUND where the provider says that no such thing exists.",
        key="ref",
        arguments=DefinitionKeyArguments,
    )

    @property
    def ref(self) -> OwnerRef:
        """The reference of this owner."""
        return OwnerRef(self.provider.value, self.key)

    @property
    def account_ref(self) -> FactRef:
        """The reference of what the provider tells about the owner."""
        return FactRef(*self.ref, ACCOUNT, "")

    @computed("All that the owner holds.")
    def inventory(self) -> Inventory | None:
        """Make the link."""
        return Inventory(owner_ref=self.ref)


def show_owner_details(types: tuple[type, ...]) -> None:
    """Let `InventoryOwner.details` be one of these types; the model knows no provider, so it must be told."""
    definition = get_object_definition(InventoryOwner, strict=True)
    union = StrawberryUnion(
        name="OwnerDetails",
        type_annotations=tuple(StrawberryAnnotation(shown) for shown in types),
        description="What a provider tells about an owner.",
    )
    field = next(field for field in definition.fields if field.python_name == "details")
    field.type_annotation = StrawberryAnnotation(cast("Any", union) | None)
