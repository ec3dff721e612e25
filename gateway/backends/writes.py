"""Writes to the store: what every verb shares, its transaction, repeats, conditions, simulation and change log."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import orjson

from gateway.model.change import ChangeSet
from gateway.model.errors import DuplicateTransaction, InvalidInput, NotFound, PreconditionFailed
from gateway.model.ids import ContainerRef, OwnerRef, decode_id
from gateway.model.manifest import Capability
from gateway.model.ports import Local, Written
from gateway.store.store import Store
from gateway.store.writes import Writer


class _Undone(Exception):
    """A simulated write has told what it would do, and is undone."""

    def __init__(self, told: Written) -> None:
        super().__init__()
        self.told = told


async def write(store: Store, own: Local, verb: Capability, owner: OwnerRef, change: Any, *, at: datetime) -> Written:
    """Carry out a verb of a provider, all or nothing, and tell what it did.

    The owner's lock is held from before anything is read. A repeat of a transaction that was committed answers with
    its change set, and with the things as they stand now; one that is only simulated is undone at its end.
    """
    own.check(verb, owner, change)
    try:
        async with store.writing(owner) as writer:
            told = await _written(writer, own, verb, owner, change, at=at)
            if told.changes.is_simulated:
                raise _Undone(told)
    except _Undone as undone:
        return undone.told
    return told


async def _written(
    writer: Writer, own: Local, verb: Capability, owner: OwnerRef, change: Any, *, at: datetime
) -> Written:
    name: str | None = change.transaction_id or None
    simulate = bool(change.simulate)
    digest = _digest(verb, change)
    before = None if name is None else await writer.recorded(owner, name)
    if before is not None:
        if before.input_hash != digest:
            raise DuplicateTransaction("This transaction id was used before, with another input.").at("transactionId")
        # Only verbs have transaction ids.
        recorded = cast("ChangeSet", writer.change_set(before))
        changes = replace(recorded, is_replayed=True, is_simulated=simulate)
        return Written(changes=changes, shown=await own.replay(writer, verb, owner, change, changes))
    await _check_versions(writer, own, owner, change)
    told = await own.write(writer, verb, owner, change)
    told.changes.is_simulated = simulate
    if not simulate and (name is not None or _is_change(told.changes)):
        await writer.record(owner, verb.value, told.changes, at=at, transaction_id=name, input_hash=digest)
    return told


def _is_change(changes: ChangeSet) -> bool:
    return any((changes.created_ids, changes.updated_ids, changes.moved_ids, changes.removed_ids, changes.versions))


async def _check_versions(writer: Writer, own: Local, owner: OwnerRef, change: Any) -> None:
    """Hold a write to the versions that it names; the current ones of all of them are told."""
    wanted = {cast("ContainerRef", decode_id(one.container)[1]): one.version for one in change.if_match or ()}
    if len(wanted) < len(change.if_match or ()):
        raise InvalidInput("`ifMatch` names a container twice.").at("ifMatch")
    if not wanted:
        return
    # Whoever asked has been held to these owners, and to no others.
    if not {OwnerRef(ref.provider, ref.owner) for ref in wanted} <= {owner, *own.sources(owner, change)}:
        raise InvalidInput("`ifMatch` names a container of another inventory.").at("ifMatch")
    found = await own.contents(writer, [*wanted])
    current: dict[str, str] = {}
    for at, ref in enumerate(wanted):
        contents = found.get(ref)
        if isinstance(contents, Exception):
            raise contents
        version = None if contents is None else contents.version
        if contents is None or version is None:
            raise NotFound("There is no such container, or none that has a version.").at("ifMatch", str(at))
        current[ref.key] = version
        contents.release()
    if any(current[ref.key] != version for ref, version in wanted.items()):
        raise PreconditionFailed("A container is not at the version that was named.", versions=current).at("ifMatch")


def _digest(verb: Capability, change: Any) -> str:
    """Tell an input from every other; what only names it, or asks to simulate it, is no part of it."""
    bare = replace(change, transaction_id=None, client_mutation_id=None, simulate=False)
    # UNSET is what no JSON has: an absent part is not one that is null.
    written = orjson.dumps((verb.value, bare), default=lambda _: {"absent": True})
    return hashlib.blake2b(written, digest_size=16).hexdigest()
