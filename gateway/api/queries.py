"""The root fields of queries; each is a relation, as every field that may call a backend."""

from __future__ import annotations

from gateway.api.arguments import (
    DefinitionsArguments,
    NodeArguments,
    NodesArguments,
    OwnerArguments,
    OwnersArguments,
    SearchArguments,
)
from gateway.api.keys import ViewerKey
from gateway.model.account import LinkedAccount
from gateway.model.definition import ItemDefinition
from gateway.model.inventory import Inventory
from gateway.model.item import ItemConnection
from gateway.model.node import Node
from gateway.model.owner import InventoryOwner
from gateway.model.provider import InventoryProvider
from gateway.model.relations import graph_type, loaded


@graph_type
class InventoryViewer:
    """Who is asking."""

    owners: list[InventoryOwner] = loaded(
        "owners_by_viewer", "The owners whose inventories may be read.", key=lambda _: ViewerKey()
    )
    linked_accounts: list[LinkedAccount] = loaded(
        "accounts_by_viewer",
        "The accounts whose credentials are kept for the one who asks; of each provider at most one.",
        key=lambda _: ViewerKey(),
    )


@graph_type
class Query:
    """Inventories of games and virtual worlds, as one graph."""

    inventory_providers: list[InventoryProvider] = loaded(
        "providers", "The services whose inventories this gateway shows.", key=lambda _: ViewerKey()
    )
    inventory_viewer: InventoryViewer = loaded(
        "viewer", "Who is asking, and whose inventories they may read.", key=lambda _: ViewerKey()
    )
    inventory_owner: InventoryOwner | None = loaded(
        "owner_by_input",
        "One owner; null where it is unknown, or not the caller's to know.",
        key=lambda asked: asked.key,
        arguments=OwnerArguments,
    )
    inventory: Inventory | None = loaded(
        "inventory_by_input",
        "One owner's inventory; null where the owner is unknown, or not the caller's to know.",
        key=lambda asked: asked.key,
        arguments=OwnerArguments,
    )
    inventories: list[Inventory | None] = loaded(
        "inventory_by_input",
        "Many inventories in one query, in the order asked; one that fails is null with its own error.",
        key=lambda asked: asked.keys,
        many=True,
        arguments=OwnersArguments,
    )
    item_definitions: list[ItemDefinition | None] = loaded(
        "definitions_by_key",
        "Catalogue entries of one provider, in the order asked; null for those that it does not know.",
        key=lambda asked: asked.refs,
        many=True,
        arguments=DefinitionsArguments,
    )
    search_items: ItemConnection | None = loaded(
        "items_by_search",
        "The items of several inventories as one list.",
        key=lambda asked: asked.key,
        arguments=SearchArguments,
    )


@graph_type(name="Query")
class NodeQuery(Query):
    """Inventories of games and virtual worlds, as one graph."""

    node: Node | None = loaded(
        "node_by_id",
        "Anything that has an id; null where there is no such thing.",
        key=lambda asked: asked.key,
        arguments=NodeArguments,
    )
    nodes: list[Node | None] = loaded(
        "node_by_id",
        "Several things by id, in the order asked; null for those that do not exist.",
        key=lambda asked: asked.keys,
        many=True,
        arguments=NodesArguments,
    )
