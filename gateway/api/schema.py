"""The schema, built from the types of the providers that are passed in."""

from __future__ import annotations

import functools

import strawberry
from strawberry.federation import Schema
from strawberry.federation.schema import FederationAny
from strawberry.schema.config import StrawberryConfig

from gateway.api.federation import ANY, VERSION, federated
from gateway.api.mutations import Mutation
from gateway.api.queries import NodeQuery, Query
from gateway.api.subscriptions import Subscription
from gateway.model.change import PlainChangeSet, PreconditionFailedError, RefusedError
from gateway.model.inventory import Inventory
from gateway.model.manifest import ProviderKey
from gateway.model.owner import InventoryOwner, show_owner_details
from gateway.model.scalars import SCALARS
from gateway.model.verbs import show_input_details


@functools.cache
def build_schema(
    types: tuple[type, ...],
    accounts: tuple[type, ...],
    inputs: tuple[tuple[ProviderKey, type, type], ...] = (),
    *,
    node_fields: bool = True,
) -> strawberry.Schema:
    """Build the schema: `types` are the providers' concrete types, `accounts` those that tell about an owner.

    `inputs` are what providers add to inputs: see `show_input_details`.

    Without `node_fields` the root has no `node` and `nodes`, for supergraphs that have their own.
    """
    show_owner_details(accounts)
    show_input_details(inputs)
    # Only known below, and only asked later.
    sdl = functools.cache(lambda: schema.as_str())  # noqa: PLW0108
    query = federated(NodeQuery if node_fields else Query, (InventoryOwner, Inventory, *types), sdl)
    schema = Schema(
        query=query,
        mutation=Mutation,
        subscription=Subscription,
        types=[*types, PlainChangeSet, RefusedError, PreconditionFailedError],
        config=StrawberryConfig(scalar_map=SCALARS, enable_experimental_incremental_execution=True),
        scalar_overrides={FederationAny: ANY},
        federation_version=VERSION,
    )
    return schema
