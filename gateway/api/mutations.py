"""The mutations: one for each verb, all in the schema from the start; what a backend does not declare is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar, cast

import strawberry
from strawberry.types.info import Info

from gateway.api.context import Context
from gateway.model import verbs
from gateway.model.change import ChangePayload, change_error
from gateway.model.errors import GatewayError, InvalidInput, Refusal, Unsupported
from gateway.model.ids import CONTAINER, ITEM, OwnerRef, decode_id
from gateway.model.manifest import Capability, ProviderKey

PayloadT = TypeVar("PayloadT", bound=ChangePayload)

_SHARED = {
    "transaction_id": Capability.TRANSACTIONS,
    "if_match": Capability.CONDITIONAL_WRITES,
    "simulate": Capability.SIMULATE,
}

_IDS: Mapping[str, str | None] = {
    "container": CONTAINER,
    "to": CONTAINER,
    "ids": None,
    "containers": CONTAINER,
    "items": ITEM,
}
"""The parts of inputs that hold ids, and of what; `ids` are of what the verb's name says."""


async def carry_out(context: Context, verb: Capability, given: Any, payload: type[PayloadT]) -> PayloadT:
    """Carry out a verb and give its payload; a refusal is data in `errors`, a failure a GraphQL error."""
    made = payload(errors=[], client_mutation_id=given.client_mutation_id or None)
    provider: ProviderKey | None = None
    owner: OwnerRef | None = None
    try:
        owner = await _owner(context, verb, given)
        provider = ProviderKey(owner.provider)
        backend = context.loaders.backend(owner.provider)
        declared = backend.manifest.capabilities[backend.kind]
        if verb not in declared:
            raise Unsupported(f"{backend.manifest.title} does not support `{verb.value}` here.")
        for name, capability in _SHARED.items():
            if getattr(given, name) and capability not in declared:
                raise Unsupported(f"{backend.manifest.title} does not support `{capability.value}` here.")
        result = await context.loaders.session(owner.provider).write(verb, owner, given)
        await context.loaders.forget(owner.provider)
        for name, value in result.items():
            setattr(made, name, value)
    except Refusal as error:
        made.errors.append(change_error(error, provider or _blamed(error), owner=owner.owner if owner else None))
    return made


def _blamed(error: GatewayError) -> ProviderKey:
    """Name the provider of an error that came before the provider was known."""
    if error.provider is None:
        raise error
    return ProviderKey(error.provider)


async def _owner(context: Context, verb: Capability, given: Any) -> OwnerRef:
    """Tell whose inventory an input is about; all its ids must be of one."""
    if hasattr(given, "owner"):
        return await context.loaders.owner(given.owner.provider.value, given.owner.key)
    owners: dict[OwnerRef, None] = {}
    for name, kind in _IDS.items():
        wanted = kind or (CONTAINER if verb.value.endswith("Containers") else ITEM)
        for node_id in _ids(getattr(given, name, None)):
            found, ref = decode_id(node_id)
            if found != wanted:
                raise _invalid(f"An id in `{name}` is of {_a(found)}; {_a(wanted)} is wanted.", ref.provider)
            owners[OwnerRef(ref.provider, cast("Any", ref).owner)] = None
    if not owners:
        raise InvalidInput("Nothing is named.")
    if len(owners) > 1:
        raise _invalid("All ids must be of one inventory.", next(iter(owners)).provider)
    return next(iter(owners))


def _ids(part: object) -> Iterable[str]:
    """Give the ids in a part of an input: itself, a list of them, or the `id` of each patch."""
    if isinstance(part, str):
        return [part]
    if isinstance(part, list):
        entries = cast("list[Any]", part)
        return [
            entry if isinstance(entry, str) else entry.id
            for entry in entries
            if isinstance(entry, str) or hasattr(entry, "id")
        ]
    return []


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _invalid(message: str, provider: str) -> InvalidInput:
    error = InvalidInput(message)
    error.provider = provider
    return error


def _mutation(verb: Capability, taken: type[Any], payload: type[PayloadT], description: str) -> Any:
    """Make the field of a verb: all take one `input` and differ in nothing but their types."""

    async def resolve(info: Info[Context, None], input: Any) -> PayloadT:  # noqa: A002 -- the contract's name
        return await carry_out(info.context, verb, input, payload)

    # Strawberry reads the types from the annotations, which here are known only now.
    resolve.__annotations__ = {
        "info": Info[Context, None],
        "input": Annotated[taken, strawberry.argument(description="What to do.")],
        "return": payload,
    }
    return strawberry.mutation(resolver=resolve, description=description)


@strawberry.type(description="What can be done to inventories.")
class Mutation:
    """What can be done to inventories."""

    create_contents = _mutation(
        Capability.CREATE_CONTENTS,
        verbs.CreateContentsInput,
        verbs.CreateContentsPayload,
        "Create items, links and containers in a container: all of them, or nothing.",
    )
    ensure_special_container = _mutation(
        Capability.ENSURE_SPECIAL_CONTAINER,
        verbs.EnsureSpecialContainerInput,
        verbs.EnsureSpecialContainerPayload,
        "See to it that a special container stands.",
    )
    update_containers = _mutation(
        Capability.UPDATE_CONTAINERS,
        verbs.UpdateContainersInput,
        verbs.UpdateContainersPayload,
        "Change containers in place.",
    )
    update_items = _mutation(
        Capability.UPDATE_ITEMS, verbs.UpdateItemsInput, verbs.UpdateItemsPayload, "Change items in place."
    )
    move_containers = _mutation(
        Capability.MOVE_CONTAINERS,
        verbs.MoveContainersInput,
        verbs.MoveContainersPayload,
        "Move containers, with all that they hold, into another.",
    )
    move_items = _mutation(
        Capability.MOVE_ITEMS, verbs.MoveItemsInput, verbs.MoveItemsPayload, "Move items into a container."
    )
    copy_containers = _mutation(
        Capability.COPY_CONTAINERS,
        verbs.CopyContainersInput,
        verbs.CopyContainersPayload,
        "Copy containers, with what they hold, into another.",
    )
    copy_items = _mutation(
        Capability.COPY_ITEMS, verbs.CopyItemsInput, verbs.CopyItemsPayload, "Copy items into a container."
    )
    delete_containers = _mutation(
        Capability.DELETE_CONTAINERS,
        verbs.DeleteContainersInput,
        verbs.DeleteContainersPayload,
        "Delete containers, with all that they hold.",
    )
    delete_items = _mutation(Capability.DELETE_ITEMS, verbs.DeleteItemsInput, verbs.DeleteItemsPayload, "Delete items.")
    clear_container = _mutation(
        Capability.CLEAR_CONTAINER,
        verbs.ClearContainerInput,
        verbs.ClearContainerPayload,
        "Delete what a container holds.",
    )
    copy_contents = _mutation(
        Capability.COPY_CONTENTS,
        verbs.CopyContentsInput,
        verbs.CopyContentsPayload,
        "Copy what a container holds into another.",
    )
    move_contents = _mutation(
        Capability.MOVE_CONTENTS,
        verbs.MoveContentsInput,
        verbs.MoveContentsPayload,
        "Move what a container holds into another.",
    )
    replace_contents = _mutation(
        Capability.REPLACE_CONTENTS,
        verbs.ReplaceContentsInput,
        verbs.ReplaceContentsPayload,
        "Put something else in place of what a container holds: all of it, or nothing.",
    )
    add_to_collection = _mutation(
        Capability.ADD_TO_COLLECTION,
        verbs.AddToCollectionInput,
        verbs.AddToCollectionPayload,
        "Add definitions to an owner's collection.",
    )
    remove_from_collection = _mutation(
        Capability.REMOVE_FROM_COLLECTION,
        verbs.RemoveFromCollectionInput,
        verbs.RemoveFromCollectionPayload,
        "Remove definitions from an owner's collection.",
    )
    allocate_slots = _mutation(
        Capability.ALLOCATE_SLOTS,
        verbs.AllocateSlotsInput,
        verbs.AllocateSlotsPayload,
        "Fill and empty slots, judged on the final state.",
    )
    mint_avatar = _mutation(
        Capability.MINT_AVATAR,
        verbs.MintAvatarInput,
        verbs.MintAvatarPayload,
        "Record an avatar as a token on a blockchain.",
    )
