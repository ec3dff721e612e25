"""What a mutation's payload shows of an order that was carried out, whichever backend has done it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import strawberry

from gateway.model.change import ContainerVersion
from gateway.model.ids import CONTAINER, ITEM, ContainerRef, ItemRef, OwnerRef, encode_id
from gateway.model.ports import Shown
from gateway.providers.secondlife import orders
from gateway.providers.secondlife.orders import Order
from gateway.providers.secondlife.tree import Outcome
from gateway.providers.secondlife.types import SecondLifeCategory, SecondLifeChangeSet, SecondLifeLink, Thing

Objects = Mapping[str, SecondLifeCategory | Thing]


@dataclass(slots=True, kw_only=True)
class Done(Shown):
    """What an order did, the things that it was about, by id, as it left them, and the versions of the categories."""

    outcome: Outcome
    categories: Mapping[str, SecondLifeCategory] = field(default_factory=dict[str, SecondLifeCategory])
    things: Mapping[str, Thing] = field(default_factory=dict[str, Thing])
    versions: Mapping[str, int] = field(default_factory=dict[str, int])


def changed(
    owner: OwnerRef, outcome: Outcome, versions: Mapping[str, int], things: Mapping[str, Thing]
) -> SecondLifeChangeSet:
    """Tell what an order did; `versions` are of the categories that it changed, `things` tell what links are to."""

    def items(keys: Iterable[str]) -> list[strawberry.ID]:
        return [strawberry.ID(encode_id(ITEM, ItemRef(*owner, key))) for key in keys]

    def containers(keys: Iterable[str]) -> list[strawberry.ID]:
        return [strawberry.ID(encode_id(CONTAINER, ContainerRef(*owner, key))) for key in keys]

    folders = {
        thing.linked_key
        for thing in things.values()
        if isinstance(thing, SecondLifeLink) and thing.target_ref.kind == CONTAINER
    }
    linked = [(containers if key in folders else items)([key])[0] for key in outcome.linked]
    return SecondLifeChangeSet(
        created_ids=[*containers(outcome.created_categories), *items(outcome.created_items)],
        updated_ids=[*containers(outcome.updated_categories), *items(outcome.updated_items)],
        moved_ids=[*containers(outcome.moved_categories), *items(outcome.moved_items)],
        removed_ids=[
            *containers(outcome.removed_categories),
            *items(outcome.removed_items),
            *items(outcome.broken_links),
        ],
        versions=[
            ContainerVersion(container=containers([key])[0], version=str(number)) for key, number in versions.items()
        ],
        is_simulated=False,
        is_replayed=False,
        provider=owner.provider,
        broken_link_ids=items(outcome.broken_links),
        attachment_ids=items(outcome.attachments),
        wearable_ids=items(outcome.wearables),
        active_gesture_ids=items(outcome.gestures),
        total_items_removed=len(outcome.removed_items),
        linked_ids=linked,
        top_category_id=None if outcome.top is None else containers([outcome.top])[0],
    )


def parts_of(
    order: Order, outcome: Outcome, categories: Mapping[str, SecondLifeCategory], things: Mapping[str, Thing]
) -> dict[str, Any]:
    """Give what a payload shows beside its changes, as far as it is there."""

    def containers(keys: Sequence[str]) -> dict[str, Any]:
        return {"containers": [categories[key] for key in keys if key in categories]}

    def items(keys: Sequence[str]) -> dict[str, Any]:
        return {"items": [things[key] for key in keys if key in things]}

    match order:
        case (
            orders.Create(category=key)
            | orders.Clear(category=key)
            | orders.Replace(category=key)
            | orders.CopyContents(to=key)
            | orders.MoveContents(to=key)
        ):
            return {"container": categories.get(key)}
        case orders.Ensure():
            return {"container": categories.get(outcome.top or "")}
        case orders.ChangeCategories(patches=patches):
            return containers([patch.key for patch in patches])
        case orders.ChangeItems(patches=patches):
            return items([patch.key for patch in patches])
        case orders.MoveCategories(keys=keys):
            return containers(keys)
        case orders.MoveItems(keys=keys):
            return items(keys)
        case orders.CopyCategories(to=to):
            made = [key for key in outcome.created_categories if key in categories]
            return containers([key for key in made if categories[key].parent_key == to])
        case orders.CopyItems():
            return items(outcome.created_items)
        case _:
            return {}
