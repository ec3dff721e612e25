"""The verbs: what each mutation takes and what it answers. Names are fixed by the schema's contract."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, cast

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField

from gateway.model.arguments import OwnerInput
from gateway.model.change import ChangePayload
from gateway.model.container import Container
from gateway.model.definition import ItemDefinition
from gateway.model.item import Item
from gateway.model.manifest import ProviderKey
from gateway.model.relations import attribute, enum_word, graph_input, graph_type
from gateway.model.scalars import BigInt
from gateway.model.slot import Slot


@strawberry.enum(description="Which part of a container's content.")
class ContentsPart(Enum):
    """Which part of a container's content."""

    ALL = enum_word("all", description="Everything.")
    ITEMS = enum_word("items", description="The items, links included.")
    LINKS = enum_word("links", description="The links.")
    CONTAINERS = enum_word("containers", description="The child containers.")


@graph_input
class ContainerVersionInput:
    """The version that a container must be at."""

    container: strawberry.ID = attribute("The container's id.")
    version: str = attribute("Its version.")


@graph_input
class SharedInput:
    """What every mutation takes."""

    transaction_id: str | None = attribute(
        "A name of the caller's for this write: a repeat with the same input answers the first result.",
        default=strawberry.UNSET,
    )
    if_match: list[ContainerVersionInput] | None = attribute(
        "Refuse unless these containers are at these versions.", default=strawberry.UNSET
    )
    simulate: bool | None = attribute("Tell what would be done, and do nothing.", default=False)
    client_mutation_id: str | None = attribute("A mark of the caller's, given back.", default=strawberry.UNSET)


@graph_input
class NewItemInput:
    """An item to create."""

    name: str = attribute("What it is called.")
    description: str | None = attribute("A description.", default=strawberry.UNSET)
    definition_key: str | None = attribute("What it is a copy of.", default=strawberry.UNSET)
    quantity: BigInt | None = attribute("How many; 1, if absent.", default=strawberry.UNSET)
    details: Any | None = attribute("What only its provider knows of it.", default=strawberry.UNSET)


@graph_input
class NewLinkInput:
    """A link to create."""

    name: str = attribute("What it is called.")
    description: str | None = attribute("A description.", default=strawberry.UNSET)
    target: strawberry.ID = attribute("The id of the item or container that it points at.")
    details: Any | None = attribute("What only its provider knows of it.", default=strawberry.UNSET)


@graph_input
class NewContainerInput:
    """A container to create."""

    name: str = attribute("What it is called.")
    details: Any | None = attribute("What only its provider knows of it.", default=strawberry.UNSET)


@graph_input
class CreateContentsInput(SharedInput):
    """What to create in a container: all of it, or nothing."""

    container: strawberry.ID = attribute("The container's id.")
    items: list[NewItemInput] | None = attribute("Items to create.", default=strawberry.UNSET)
    links: list[NewLinkInput] | None = attribute("Links to create.", default=strawberry.UNSET)
    containers: list[NewContainerInput] | None = attribute("Containers to create.", default=strawberry.UNSET)


@graph_input
class EnsureSpecialContainerInput(SharedInput):
    """Which special container must stand."""

    owner: OwnerInput = attribute("The owner.")
    key: str = attribute("The special container's name.")


@graph_input
class ContainerPatchInput:
    """What to change in a container; an absent field leaves, null clears."""

    id: strawberry.ID = attribute("The container's id.")
    name: str | None = attribute("What it is called.", default=strawberry.UNSET)
    parent: strawberry.ID | None = attribute("The container to lie in.", default=strawberry.UNSET)
    details: Any | None = attribute("What only its provider knows of it.", default=strawberry.UNSET)


@graph_input
class UpdateContainersInput(SharedInput):
    """Which containers to change."""

    containers: list[ContainerPatchInput] = attribute("The changes.")


@graph_input
class ItemPatchInput:
    """What to change in an item; an absent field leaves, null clears."""

    id: strawberry.ID = attribute("The item's id.")
    name: str | None = attribute("What it is called.", default=strawberry.UNSET)
    description: str | None = attribute("Its description.", default=strawberry.UNSET)
    details: Any | None = attribute("What only its provider knows of it.", default=strawberry.UNSET)


@graph_input
class UpdateItemsInput(SharedInput):
    """Which items to change."""

    items: list[ItemPatchInput] = attribute("The changes.")


@graph_input
class MoveContainersInput(SharedInput):
    """Which containers to move, and where to."""

    ids: list[strawberry.ID] = attribute("The containers' ids.")
    to: strawberry.ID = attribute("The id of the container to move them into.")


@graph_input
class MoveItemsInput(SharedInput):
    """Which items to move, and where to."""

    ids: list[strawberry.ID] = attribute("The items' ids.")
    to: strawberry.ID = attribute("The id of the container to move them into.")


@graph_input
class CopyContainersInput(SharedInput):
    """Which containers to copy, and where to."""

    ids: list[strawberry.ID] = attribute("The containers' ids.")
    to: strawberry.ID = attribute("The id of the container to copy them into.")
    depth: int | None = attribute("How many levels to copy; all, if absent.", default=strawberry.UNSET)


@graph_input
class CopyItemsInput(SharedInput):
    """Which items to copy, and where to."""

    ids: list[strawberry.ID] = attribute("The items' ids.")
    to: strawberry.ID = attribute("The id of the container to copy them into.")


@graph_input
class DeleteContainersInput(SharedInput):
    """Which containers to delete."""

    ids: list[strawberry.ID] = attribute("The containers' ids.")


@graph_input
class DeleteItemsInput(SharedInput):
    """Which items to delete."""

    ids: list[strawberry.ID] = attribute("The items' ids.")


@graph_input
class ClearContainerInput(SharedInput):
    """Which part of a container to empty."""

    container: strawberry.ID = attribute("The container's id.")
    what: ContentsPart = attribute("Which part.")


@graph_input
class CopyContentsInput(SharedInput):
    """Which part of a container to copy, and where to."""

    container: strawberry.ID = attribute("The container's id.")
    what: ContentsPart = attribute("Which part.")
    to: strawberry.ID = attribute("The id of the container to copy into.")
    depth: int | None = attribute("How many levels to copy; all, if absent.", default=strawberry.UNSET)


@graph_input
class MoveContentsInput(SharedInput):
    """Which part of a container to move, and where to."""

    container: strawberry.ID = attribute("The container's id.")
    what: ContentsPart = attribute("Which part.")
    to: strawberry.ID = attribute("The id of the container to move into.")


@graph_input
class ReplaceContentsInput(SharedInput):
    """Which part of a container to replace, and by what: all of it, or nothing."""

    container: strawberry.ID = attribute("The container's id.")
    what: ContentsPart = attribute("Which part.")
    items: list[NewItemInput] | None = attribute("Items to put there.", default=strawberry.UNSET)
    links: list[NewLinkInput] | None = attribute("Links to put there.", default=strawberry.UNSET)
    containers: list[NewContainerInput] | None = attribute("Containers to put there.", default=strawberry.UNSET)


@graph_input
class AddToCollectionInput(SharedInput):
    """What to add to an owner's collection."""

    owner: OwnerInput = attribute("The owner.")
    definition_keys: list[str] = attribute("The definitions' keys.")


@graph_input
class RemoveFromCollectionInput(SharedInput):
    """What to remove from an owner's collection."""

    owner: OwnerInput = attribute("The owner.")
    definition_keys: list[str] = attribute("The definitions' keys.")


@graph_input
class SlotAllocationInput:
    """What to put in a slot."""

    slot: str = attribute("The slot's key.")
    definition_key: str | None = attribute(
        "The key of what to put there; null empties the slot. It must be given.", default=strawberry.UNSET
    )


@graph_input
class AllocateSlotsInput(SharedInput):
    """Which slots of a container to fill or empty, judged on the final state."""

    container: strawberry.ID = attribute("The container's id.")
    slots: list[SlotAllocationInput] = attribute("The slots.")


@graph_input
class MintAvatarInput(SharedInput):
    """Which avatar to mint, and on which blockchain."""

    container: strawberry.ID = attribute("The avatar's id.")
    blockchain: str = attribute("The blockchain's name.")


@graph_type
class CreateContentsPayload(ChangePayload):
    """The answer of `createContents`."""

    container: Container | None = attribute("The container.", default=None)


@graph_type
class EnsureSpecialContainerPayload(ChangePayload):
    """The answer of `ensureSpecialContainer`; one that stands already is success with nothing created."""

    container: Container | None = attribute("The container.", default=None)


@graph_type
class UpdateContainersPayload(ChangePayload):
    """The answer of `updateContainers`."""

    containers: list[Container] | None = attribute("The containers.", default=None)


@graph_type
class UpdateItemsPayload(ChangePayload):
    """The answer of `updateItems`."""

    items: list[Item] | None = attribute("The items.", default=None)


@graph_type
class MoveContainersPayload(ChangePayload):
    """The answer of `moveContainers`."""

    containers: list[Container] | None = attribute("The containers.", default=None)


@graph_type
class MoveItemsPayload(ChangePayload):
    """The answer of `moveItems`."""

    items: list[Item] | None = attribute("The items.", default=None)


@graph_type
class CopyContainersPayload(ChangePayload):
    """The answer of `copyContainers`."""

    containers: list[Container] | None = attribute("The copies.", default=None)


@graph_type
class CopyItemsPayload(ChangePayload):
    """The answer of `copyItems`."""

    items: list[Item] | None = attribute("The copies.", default=None)


@graph_type
class DeleteContainersPayload(ChangePayload):
    """The answer of `deleteContainers`."""


@graph_type
class DeleteItemsPayload(ChangePayload):
    """The answer of `deleteItems`."""


@graph_type
class ClearContainerPayload(ChangePayload):
    """The answer of `clearContainer`."""

    container: Container | None = attribute("The container.", default=None)


@graph_type
class CopyContentsPayload(ChangePayload):
    """The answer of `copyContents`."""

    container: Container | None = attribute("The container copied into.", default=None)


@graph_type
class MoveContentsPayload(ChangePayload):
    """The answer of `moveContents`."""

    container: Container | None = attribute("The container moved into.", default=None)


@graph_type
class ReplaceContentsPayload(ChangePayload):
    """The answer of `replaceContents`."""

    container: Container | None = attribute("The container.", default=None)


@graph_type
class AddToCollectionPayload(ChangePayload):
    """The answer of `addToCollection`."""

    container: Container | None = attribute("The collection.", default=None)
    definitions: list[ItemDefinition] | None = attribute("What was added.", default=None)


@graph_type
class RemoveFromCollectionPayload(ChangePayload):
    """The answer of `removeFromCollection`."""

    container: Container | None = attribute("The collection.", default=None)
    definitions: list[ItemDefinition] | None = attribute("What was removed.", default=None)


@graph_type
class AllocateSlotsPayload(ChangePayload):
    """The answer of `allocateSlots`."""

    container: Container | None = attribute("The container.", default=None)
    slots: list[Slot] | None = attribute("The slots that were named.", default=None)


@graph_type
class MintAvatarPayload(ChangePayload):
    """The answer of `mintAvatar`."""

    container: Container | None = attribute("The avatar.", default=None)


DETAILED = (NewItemInput, NewLinkInput, NewContainerInput, ContainerPatchInput, ItemPatchInput)
"""The inputs to which providers may add what only they know, as `details`."""

_TOLD: set[type] = set()
"""Those that have had something added: other schemas of this process may have them."""

_FIELDS = {taken: [*get_object_definition(taken, strict=True).fields] for taken in DETAILED}


def show_input_details(inputs: Iterable[tuple[ProviderKey, type, type]]) -> None:
    """Let `details` of the inputs be one of these: for a provider, the input that it adds to, and what it adds.

    The model knows no provider, so it must be told; where nothing is added there is no such field.
    """
    added: dict[type, dict[str, type]] = {taken: {} for taken in DETAILED}
    for provider, taken, kind in inputs:
        added[taken][provider.name.lower()] = kind
    for taken, kinds in added.items():
        definition = get_object_definition(taken, strict=True)
        if kinds:
            (field,) = (field for field in _FIELDS[taken] if field.python_name == "details")
            field.type_annotation = StrawberryAnnotation(cast("Any", _one_of(taken, kinds)) | None)
            definition.fields = _FIELDS[taken]
            _TOLD.add(taken)
        elif taken not in _TOLD:
            definition.fields = [field for field in _FIELDS[taken] if field.python_name != "details"]


def _one_of(taken: type, kinds: dict[str, type]) -> type:
    """Make the input of which exactly one part is given: the provider's that it is for."""
    name = taken.__name__.removesuffix("Input") + "DetailsInput"
    parts: dict[str, StrawberryField | None] = {
        provider: strawberry.field(description="For this provider.", default=strawberry.UNSET) for provider in kinds
    }
    annotations = {provider: kind | None for provider, kind in kinds.items()}
    made = type(name, (), {**parts, "__annotations__": annotations, "__module__": __name__})
    return strawberry.input(made, one_of=True, description="What only one provider knows; give its part alone.")
