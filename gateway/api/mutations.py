"""The mutations: one for each verb, all in the schema from the start; what a backend does not declare is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TypeVar, cast

import strawberry
from strawberry.types.info import Info

from gateway.api.accounts import LINK_ACCOUNT, UNLINK_ACCOUNT
from gateway.api.context import Context
from gateway.model import verbs
from gateway.model.arguments import check_count
from gateway.model.change import ChangeError, ChangePayload, change_error
from gateway.model.errors import Forbidden, InvalidInput, NotFound, Refusal
from gateway.model.ids import CONTAINER, ITEM, OwnerRef, decode_id
from gateway.model.manifest import Capability, ProviderKey
from gateway.model.ports import Written

PayloadT = TypeVar("PayloadT", bound=ChangePayload)

_KINDS = {"container": (CONTAINER,), "to": (CONTAINER,), "parent": (CONTAINER,), "target": (CONTAINER, ITEM)}
"""Of what an id in an input is, by the name of its part; `id` and `ids` are of what the verb's name says."""


async def carry_out(context: Context, verb: Capability, given: Any, payload: type[PayloadT]) -> PayloadT:
    """Carry out a verb and give its payload; a refusal is data in `errors`, a failure a GraphQL error.

    An input that names no provider, such as a malformed id, is one too: the data could not say whose error it is.
    """
    made = payload(errors=[], client_mutation_id=given.client_mutation_id or None)
    owner: OwnerRef | None = None
    done: Written | None = None
    try:
        owner = await _owner(context, verb, given)
        _check(given)
        # What an earlier field of the operation read, or made believe, is not what this one finds.
        await context.loaders.forget(owner.provider)
        done = await context.loaders.session(owner.provider).write(verb, owner, given)
        made.changes = done.changes
        made.errors += [_shown(fault, owner) for fault in done.refused]
        for name, value in done.shown.parts.items():
            setattr(made, name, value)
        context.loaders.hold(done.shown.contents)
    except Refusal as error:
        error.part()
        provider = owner.provider if owner else error.provider
        if provider not in _PROVIDERS:
            raise
        if isinstance(error, Forbidden) and error.path is None:
            # Whose it is, is told by the first id, or by the owner that is named.
            error.at(next((name for name, _ in _ids(given)), "owner"))
        made.errors += [_shown(fault, owner or OwnerRef(provider, "")) for fault in error.all]
    finally:
        # Whatever became of the write: what was read before it may no longer hold.
        if owner is not None:
            await context.loaders.forget(owner.provider)
    if owner is not None and done is not None and done.changes.is_simulated:
        # There is nothing to read of it: what the payload shows further down is what would be there.
        context.loaders.session(owner.provider).assume(done.shown)
    return made


_PROVIDERS = frozenset(key.value for key in ProviderKey)
"""Those whose errors the data can name; an id may hold the key of none."""


def _shown(fault: Refusal, owner: OwnerRef) -> ChangeError:
    return change_error(fault, ProviderKey(owner.provider), owner=owner.owner or None)


_COPIES = (Capability.COPY_CONTAINERS, Capability.COPY_ITEMS, Capability.COPY_CONTENTS)
"""The verbs that take from one inventory, perhaps, and put into another."""


async def _owner(context: Context, verb: Capability, given: Any) -> OwnerRef:
    """Tell whose inventory an input is about; all its ids must be of one, but for those of what is copied."""
    if hasattr(given, "owner"):
        owner = await context.loaders.owner(given.owner.provider.value, given.owner.key)
        if not _conditions(given.if_match or ()) <= {owner}:
            raise _invalid("All ids must be of one inventory.", owner.provider).at("ifMatch")
        return owner
    owners: dict[OwnerRef, None] = {}
    sources: dict[OwnerRef, None] = {}
    for name, node_id in _ids(dataclasses.replace(given, if_match=None)):
        kind, ref = decode_id(node_id)
        wanted = _KINDS.get(name) or ((CONTAINER,) if verb.value.endswith("Containers") else (ITEM,))
        if kind not in wanted:
            message = f"An id in `{name}` is of another kind: {kind}, not {' or '.join(wanted)}."
            raise _invalid(message, ref.provider).at(name)
        owner = OwnerRef(ref.provider, cast("Any", ref).owner)
        if verb in _COPIES and name in ("ids", "container"):
            sources[owner] = None
        else:
            owners[owner] = None
    if not owners:
        raise InvalidInput("Nothing is named.")
    (owner, *others) = owners
    # What a write is conditional on may be what it copies, or where to.
    held = _conditions(given.if_match or ())
    strange = any(source.provider != owner.provider for source in sources) or not held <= {owner, *sources}
    if others or strange or len(sources) > 1:
        raise _invalid("All ids must be of one inventory.", owner.provider)
    for source in sources:
        if not context.loaders.credential(source.provider).principal.may_read(*source):
            raise NotFound("There is no such owner.", provider=source.provider)
    return owner


def _conditions(if_match: Sequence[verbs.ContainerVersionInput]) -> set[OwnerRef]:
    """Tell whose containers a write is conditional on."""
    found: set[OwnerRef] = set()
    for condition in if_match:
        kind, ref = decode_id(condition.container)
        if kind != CONTAINER:
            raise _invalid(f"An id in `ifMatch` is of another kind: {kind}, not {CONTAINER}.", ref.provider).at(
                "ifMatch"
            )
        found.add(OwnerRef(ref.provider, cast("Any", ref).owner))
    return found


def _invalid(message: str, provider: str) -> InvalidInput:
    error = InvalidInput(message)
    error.provider = provider
    return error


def _ids(part: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Give every id in an input, however deep, with the name of its part."""
    if isinstance(part, list):
        for entry in cast("list[Any]", part):
            yield from _ids(entry, name)
    elif dataclasses.is_dataclass(part):
        for field in dataclasses.fields(part):
            yield from _ids(getattr(part, field.name), field.name)
    elif isinstance(part, str) and (name in _KINDS or name in ("id", "ids")):
        yield name, part


_LONGEST_NAME = 200


def _check(given: Any) -> None:
    """Raise InvalidInput for lists that are too long, and for a transaction id that cannot be one."""
    name = given.transaction_id
    if isinstance(name, str) and not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
        raise InvalidInput(f"`transactionId` is a text of 1 to {_LONGEST_NAME} characters.").at("transactionId")
    for field in dataclasses.fields(given):
        value = getattr(given, field.name)
        if isinstance(value, list):
            check_count(field.name, cast("list[Any]", value))


def _mutation(verb: Capability, taken: type[Any], payload: type[PayloadT], description: str) -> Any:
    """Make the field of a verb: all take one `input` and differ in nothing but their types."""

    async def resolve(info: Info[Context, None], input: Any) -> PayloadT:  # noqa: A002 -- the contract's name
        return await carry_out(info.context, verb, input, payload)

    # Strawberry reads the types from the annotations, which here are known only now.
    resolve.__annotations__ = {
        "info": Info[Context, None],
        "input": Annotated[taken, strawberry.argument(description="What to do.")],
        # Null where it failed, so that what other fields of the same operation did is still told.
        "return": payload | None,
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
    link_account = LINK_ACCOUNT
    unlink_account = UNLINK_ACCOUNT
