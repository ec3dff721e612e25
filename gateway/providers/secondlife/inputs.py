"""What Second Life adds to the inputs of the graph's mutations."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import strawberry

from gateway.model.relations import attribute, graph_input
from gateway.model.scalars import BigInt
from gateway.model.verbs import ContainerPatchInput, ItemPatchInput, NewContainerInput, NewItemInput, NewLinkInput

UNSET = strawberry.UNSET


@graph_input
class SecondLifePermissionsInput:
    """Masks of what may be done with an item; each is cut by what the item allows at all."""

    owner_mask: BigInt | None = attribute("What its owner may do.", default=UNSET)
    group_mask: BigInt | None = attribute("What its group may do.", default=UNSET)
    everyone_mask: BigInt | None = attribute("What everyone may do.", default=UNSET)
    next_owner_mask: BigInt | None = attribute("What the next owner may do.", default=UNSET)


@graph_input
class SecondLifeNewPermissionsInput(SecondLifePermissionsInput):
    """Masks of what may be done with a new item."""

    base_mask: BigInt | None = attribute("What the item allows at all; everything, if absent.", default=UNSET)


@graph_input
class SecondLifeSaleInput:
    """Whether an item is for sale."""

    type: str | None = attribute("`not`, `orig`, `copy` or `cntn`.", default=UNSET)
    price: int | None = attribute("The price in Linden dollars.", default=UNSET)


@graph_input
class SecondLifeNewItemInput:
    """What an item of Second Life is."""

    key: str | None = attribute("The id that it shall have, a free one; a new one, if absent.", default=UNSET)
    asset_type: str = attribute("The word of its asset type, such as `object`.")
    inventory_type: str | None = attribute(
        "The word of its inventory type; the one that goes with the asset type, if absent.", default=UNSET
    )
    asset_id: str | None = attribute("The id of the asset behind it.", default=UNSET)
    flags: BigInt | None = attribute("Bits whose meaning depends on the type.", default=UNSET)
    permissions: SecondLifeNewPermissionsInput | None = attribute("Who may do what with it.", default=UNSET)
    sale: SecondLifeSaleInput | None = attribute("Whether it is for sale.", default=UNSET)
    thumbnail_id: str | None = attribute("The asset id of its picture.", default=UNSET)
    is_favorite: bool | None = attribute("Whether it is marked as a favourite.", default=UNSET)


@graph_input
class SecondLifeNewLinkInput:
    """What a link of Second Life is."""

    key: str | None = attribute("The id that it shall have, a free one; a new one, if absent.", default=UNSET)


@graph_input
class SecondLifeNewContainerInput:
    """What a folder of Second Life is."""

    key: str | None = attribute("The id that it shall have, a free one; a new one, if absent.", default=UNSET)
    type_number: int | None = attribute("The number of the folder's type; -1, if absent.", default=UNSET)
    thumbnail_id: str | None = attribute("The asset id of its picture.", default=UNSET)
    is_favorite: bool | None = attribute("Whether it is marked as a favourite.", default=UNSET)


@graph_input
class SecondLifeContainerPatchInput:
    """What to change in a folder of Second Life; an absent field leaves, null clears."""

    type_number: int | None = attribute("The number of the folder's type.", default=UNSET)
    thumbnail_id: str | None = attribute("The asset id of its picture.", default=UNSET)
    is_favorite: bool | None = attribute("Whether it is marked as a favourite.", default=UNSET)


@graph_input
class SecondLifeItemPatchInput:
    """What to change in an item of Second Life; an absent field leaves, null clears."""

    asset_id: str | None = attribute("The id of the asset behind it.", default=UNSET)
    flags: BigInt | None = attribute("Bits whose meaning depends on the type.", default=UNSET)
    permissions: SecondLifePermissionsInput | None = attribute("Who may do what with it.", default=UNSET)
    sale: SecondLifeSaleInput | None = attribute("Whether it is for sale.", default=UNSET)
    thumbnail_id: str | None = attribute("The asset id of its picture.", default=UNSET)
    is_favorite: bool | None = attribute("Whether it is marked as a favourite.", default=UNSET)
    linked_id: str | None = attribute("Of a link: the id of what it shall point at.", default=UNSET)


INPUTS: Mapping[type, type] = MappingProxyType(
    {
        NewItemInput: SecondLifeNewItemInput,
        NewLinkInput: SecondLifeNewLinkInput,
        NewContainerInput: SecondLifeNewContainerInput,
        ContainerPatchInput: SecondLifeContainerPatchInput,
        ItemPatchInput: SecondLifeItemPatchInput,
    }
)
"""By an input of the graph, what is added to it."""
