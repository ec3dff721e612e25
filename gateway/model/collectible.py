"""Collectible: the facts of a numbered or tokenised copy."""

from __future__ import annotations

from gateway.model.relations import attribute, graph_type
from gateway.model.scalars import BigInt


@graph_type
class BlockchainToken:
    """A token on a blockchain."""

    blockchain: str = attribute("The chain's name.")
    contract_address: str | None = attribute("The contract that issued it.", default=None)
    token_id: str | None = attribute("The token's id within its contract.", default=None)


@graph_type
class Collectible:
    """What is particular about one numbered or tokenised copy."""

    serial_number: BigInt | None = attribute("The copy's number.", default=None)
    collectible_item_id: str | None = attribute("The provider's id of what was issued.", default=None)
    collectible_instance_id: str | None = attribute("The provider's id of this copy.", default=None)
    asset_instance_id: BigInt | None = attribute("The provider's number of this copy among the owner's.", default=None)
    state: str | None = attribute("The provider's own word for the copy's state.", default=None)
    stock: BigInt | None = attribute("How many were issued.", default=None)
    original_price: BigInt | None = attribute("What it was first sold for.", default=None)
    recent_average_price: BigInt | None = attribute("What copies were sold for lately.", default=None)
    is_on_hold: bool | None = attribute("Whether it cannot be traded for now.", default=None)
    token: BlockchainToken | None = attribute("The token behind it.", default=None)
