"""LinkedAccount: what the graph shows of an account whose credential is kept in the vault."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from gateway.model.ids import OwnerRef
from gateway.model.manifest import ProviderKey
from gateway.model.owner import InventoryOwner
from gateway.model.relations import attribute, graph_type


@graph_type
class LinkedAccount:
    """An account at a provider whose credential is kept here, encrypted, for the one who linked it."""

    owner: InventoryOwner = attribute("Whose it is.")
    linked_at: datetime = attribute("When it was linked.")

    @classmethod
    def of(cls, owner: OwnerRef, linked_at: datetime) -> Self:
        """Make it; of the credential nothing is shown."""
        return cls(
            owner=InventoryOwner(provider=ProviderKey(owner.provider), key=owner.owner),
            linked_at=linked_at,
        )
