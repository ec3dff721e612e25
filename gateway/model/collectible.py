"""Collectible: the facts of a numbered or tokenised copy."""

from __future__ import annotations

import strawberry

from gateway.model.ids import FactRef
from gateway.model.relations import attribute, graph_type, hidden, loaded
from gateway.model.scalars import BigInt


@graph_type
class BlockchainToken:
    """A token on a blockchain."""

    blockchain: str = attribute("The chain's name.")
    contract_address: str | None = attribute("The contract that issued it.", default=None)
    token_id: str | None = attribute("The token's id within its contract.", default=None)


SALE = "sale"
"""The kind of fact that tells, by an item's key, its `stock`, `original_price` and `recent_average_price`."""


@graph_type
class Collectible:
    """What is particular about one numbered or tokenised copy."""

    serial_number: BigInt | None = attribute("The copy's number.", default=None)
    collectible_item_id: str | None = attribute("The provider's id of what was issued.", default=None)
    collectible_instance_id: str | None = attribute("The provider's id of this copy.", default=None)
    asset_instance_id: BigInt | None = attribute("The provider's number of this copy among the owner's.", default=None)
    state: str | None = attribute("The provider's own word for the copy's state.", default=None)
    stock: BigInt | None = loaded("facts_by_key", "How many were issued.", key="sale_ref", pick="stock")
    original_price: BigInt | None = loaded(
        "facts_by_key", "What it was first sold for.", key="sale_ref", pick="original_price"
    )
    recent_average_price: BigInt | None = loaded(
        "facts_by_key", "What copies were sold for lately.", key="sale_ref", pick="recent_average_price"
    )
    is_on_hold: bool | None = attribute("Whether it cannot be traded for now.", default=None)
    token: BlockchainToken | None = attribute("The token behind it.", default=None)
    sold_as: strawberry.Private[str | None] = hidden(default=None)
    """The reference of what is told of its sale, its parts in lines, as no key has one; None where nothing is told."""

    @property
    def sale_ref(self) -> FactRef | None:
        """The reference of what is told of its sale."""
        if self.sold_as is None:
            return None
        return FactRef(*self.sold_as.split("\n"))
