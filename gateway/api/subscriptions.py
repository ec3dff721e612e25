"""The subscriptions: what changes in inventories, as it happens."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry
from strawberry.types.info import Info

from gateway.api.context import Context
from gateway.model.arguments import OwnerInput
from gateway.model.change import InventoryChange


@strawberry.type(description="What happens to inventories.")
class Subscription:
    """What happens to inventories."""

    @strawberry.subscription(
        description="What changes in one inventory, in order. Of a service that tells nobody of changes, they are "
        "found by looking again at intervals."
    )
    async def inventory_changed(
        self,
        info: Info[Context, None],
        owner: Annotated[OwnerInput, strawberry.argument(description="The owner.")],
        since: Annotated[
            str | None,
            strawberry.argument(
                description="The cursor of the last change that is known: those after it come first. "
                "Without it, only what changes from now on."
            ),
        ] = strawberry.UNSET,
    ) -> AsyncGenerator[InventoryChange]:
        """Follow the owner's changes; whether they may be followed is known before the first."""
        loaders = info.context.loaders
        ref = await loaders.owner(owner.provider.value, owner.key)
        return await loaders.backend(ref.provider).follow(loaders.credential(ref.provider), ref, since or None)
