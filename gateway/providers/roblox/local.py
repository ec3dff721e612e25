"""Roblox served from the store: who may see what, the categories as views, the collection, and giving up assets."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast

import strawberry

from gateway.backends.plain import Plain
from gateway.model.arguments import ItemFilter
from gateway.model.change import ChangeSet, ContainerVersion, PlainChangeSet
from gateway.model.container import Container, Contents
from gateway.model.errors import NotFound
from gateway.model.ids import (
    CONTAINER,
    ITEM,
    ContainerRef,
    DefinitionRef,
    FactRef,
    ItemRef,
    OwnerRef,
    OwnershipRef,
    decode_id,
    definition_ref,
    encode_id,
)
from gateway.model.manifest import Capability
from gateway.model.ports import Access, Clock, Fact, Grant, Results, Shown, Storage, Writing, Written
from gateway.providers.roblox import rules
from gateway.providers.roblox.keys import (
    ASSET,
    CATEGORIES,
    COLLECTION,
    ENTRIES,
    FAVORITES,
    MEMBERS,
    PRIVACY,
    PROVIDER,
    SECRET,
    key_of,
)
from gateway.providers.roblox.settings import RobloxOptions
from gateway.providers.roblox.types import (
    RobloxCategories,
    RobloxCategory,
    RobloxContents,
    RobloxDefinition,
    RobloxEntries,
    RobloxMembers,
    RobloxPrivacy,
    RobloxSecret,
)
from gateway.providers.roblox.vocabulary import FAVORITE_CATEGORIES, INVENTORY_CATEGORIES, PACKAGE_TYPE

_NOBODY = OwnerRef(PROVIDER, "")


class Local(Plain):
    """The part of the local backend that is Roblox's own."""

    def __init__(self, clock: Clock, options: RobloxOptions) -> None:
        self._clock = clock
        self._capacity = options.collection_capacity
        self._privacy = RobloxPrivacy(level=options.default_privacy)

    # --- who may see what ---------------------------------------------------------------------------------------------

    async def access(
        self, store: Storage, grant: Grant | None, owners: Sequence[OwnerRef]
    ) -> Mapping[OwnerRef, Access]:
        """Tell what a caller may see; one statement, unless the caller is trusted."""
        if grant is None:
            return {}
        refs = {owner: FactRef(*owner, PRIVACY, "") for owner in owners if owner.owner}
        found = await store.facts([*refs.values()])
        return {
            owner: rules.access(cast("RobloxPrivacy", found.get(ref, self._privacy)), grant, owner.owner)
            for owner, ref in refs.items()
        }

    def narrowed(self, wanted: ItemFilter, access: Access) -> tuple[ItemFilter, bool]:
        """Narrow a list to what it is of, and what may be seen."""
        return rules.narrowed(wanted, access)

    # --- containers ---------------------------------------------------------------------------------------------------

    async def containers(
        self, store: Storage, access: Mapping[OwnerRef, Access]
    ) -> Mapping[OwnerRef, Sequence[Container]] | None:
        """Make the containers of owners who are there; two statements."""
        owners = await store.owners([*access])
        refs = [FactRef(*owner, kind, "") for owner in owners for kind in (CATEGORIES, FAVORITES)]
        facts = await store.facts(refs)
        return {
            owner: rules.containers(
                owner,
                _categories(facts, FactRef(*owner, CATEGORIES, "")),
                _categories(facts, FactRef(*owner, FAVORITES, "")),
                is_owner=not access[owner].hidden,
            )
            for owner in owners
        }

    def shelves(self, container: Container) -> Sequence[str] | None:
        """Give the shelves that a view shows; a collection has no copies in it."""
        if isinstance(container, RobloxCategory):
            return container.selected
        return ()

    async def contents(self, store: Storage, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Contents]:
        """Tell the versions and sizes of collections; of views there is nothing to tell. Two statements."""
        of = {ref: OwnerRef(ref.provider, ref.owner) for ref in refs if ref.key == COLLECTION}
        owners = await store.owners([*dict.fromkeys(of.values())])
        entries = await self._entries(store, [*owners])
        return {ref: _contents(owner, entries[owner], self._capacity) for ref, owner in of.items() if owner in owners}

    async def _entries(self, store: Storage, owners: Sequence[OwnerRef]) -> dict[OwnerRef, RobloxEntries]:
        refs = {owner: FactRef(*owner, ENTRIES, "") for owner in owners}
        found = await store.facts([*refs.values()])
        return {owner: cast("RobloxEntries", found.get(ref)) or RobloxEntries() for owner, ref in refs.items()}

    # --- documents ----------------------------------------------------------------------------------------------------

    async def facts(self, store: Storage, refs: Sequence[FactRef]) -> Results[FactRef, object]:
        """Give documents about owners, and, of the catalogue, what bundles are made of; up to four statements."""
        found: dict[FactRef, object] = dict(await store.facts([ref for ref in refs if ref.kind != MEMBERS]))
        for ref in refs:
            if ref not in found and ref.kind in _DEFAULTS:
                found[ref] = _DEFAULTS[ref.kind]
            elif ref not in found and ref.kind == SECRET:
                found[ref] = await self._secret(store, ref)
        return {**found, **await self._members(store, [ref for ref in refs if ref.kind == MEMBERS])}

    async def _members(self, store: Storage, refs: Sequence[FactRef]) -> dict[FactRef, object]:
        """Give what packages and bundles are made of; two statements."""
        if not refs:
            return {}
        known = await store.definitions([DefinitionRef(PROVIDER, ref.key) for ref in refs])
        ids: dict[FactRef, list[int]] = {}
        for ref in refs:
            one = known.get(DefinitionRef(PROVIDER, ref.key))
            is_package = isinstance(one, RobloxDefinition) and one.asset_type_id == PACKAGE_TYPE
            if isinstance(one, RobloxDefinition) and (is_package or one.member_ids is not None):
                ids[ref] = one.member_ids or []
        wanted = {number: definition_ref(PROVIDER, key_of(ASSET, number)) for each in ids.values() for number in each}
        members = await store.definitions([*wanted.values()])
        return {
            ref: RobloxMembers(
                numbers=numbers,
                definitions=[
                    found if isinstance(found := members.get(wanted[number]), RobloxDefinition) else None
                    for number in numbers
                ],
            )
            for ref, numbers in ids.items()
        }

    async def _secret(self, store: Storage, ref: FactRef) -> RobloxSecret:
        """Make the secret that this store's cursors are signed with: once, whichever process comes first."""
        async with store.writing(_NOBODY) as writer:
            known = (await writer.facts([ref])).get(ref)
            if isinstance(known, RobloxSecret):
                return known
            made = RobloxSecret(text=secrets.token_hex(32))
            await writer.put_facts([Fact(ref=ref, value=made)])
            return made

    # --- verbs --------------------------------------------------------------------------------------------------------

    def check(self, verb: Capability, owner: OwnerRef, change: Any) -> None:
        """Refuse keys that no collection takes, and to give up anything but assets."""
        del owner
        if verb is Capability.DELETE_ITEMS:
            rules.check_given_up(_keys(change))
        else:
            rules.check_keys(change.definition_keys)

    async def write(self, store: Writing, verb: Capability, owner: OwnerRef, change: Any) -> Written:
        """Add to a collection, or take out of it; give up copies."""
        if verb is Capability.DELETE_ITEMS:
            return await self._give_up(store, owner, _keys(change))
        if not await store.owners([owner]):
            raise NotFound("There is no such user.").at("owner")
        before = (await self._entries(store, [owner]))[owner]
        keys: list[str] = change.definition_keys
        found = await store.definitions([DefinitionRef(PROVIDER, key) for key in keys])
        known = {ref.key: one for ref, one in found.items() if isinstance(one, RobloxDefinition)}
        if verb is Capability.ADD_TO_COLLECTION:
            held = await store.holds([OwnershipRef(*owner, key) for key in keys])
            owned = {ref.definition for ref, is_held in held.items() if is_held}
            after = rules.add(before, keys, known, owned, capacity=self._capacity, at=self._clock())
        else:
            after = rules.remove(before, keys, known)
        await store.put_facts([Fact(ref=FactRef(*owner, ENTRIES, ""), value=after)])
        return Written(changes=_changed(owner, after), shown=_shown(owner, after, keys, known, self._capacity))

    async def _give_up(self, store: Writing, owner: OwnerRef, keys: Sequence[str]) -> Written:
        """Remove copies of assets."""
        found = await store.items([ItemRef(*owner, key) for key in keys])
        items = {ref.key: item for ref, item in found.items()}
        refs = {item.definition_ref for item in items.values() if item.definition_ref is not None}
        known = {ref.key: one for ref, one in (await store.definitions([*refs])).items()}
        rules.give_up(keys, items, known)
        await store.delete_items([ItemRef(*owner, key) for key in keys])
        removed = [encode_id(ITEM, ItemRef(*owner, key)) for key in keys]
        return Written(changes=rules.change_set(removed=removed), shown=Shown(parts={}, contents=[]))

    async def replay(self, store: Writing, verb: Capability, owner: OwnerRef, change: Any, changes: ChangeSet) -> Shown:
        """Give the collection as it stands now, and the definitions that were named."""
        del changes
        if verb is Capability.DELETE_ITEMS:
            return Shown(parts={}, contents=[])
        keys: list[str] = change.definition_keys
        found = await store.definitions([DefinitionRef(PROVIDER, key) for key in keys])
        known = {ref.key: one for ref, one in found.items() if isinstance(one, RobloxDefinition)}
        entries = (await self._entries(store, [owner]))[owner]
        return _shown(owner, entries, keys, known, self._capacity)


_DEFAULTS: Mapping[str, RobloxCategories] = {CATEGORIES: INVENTORY_CATEGORIES, FAVORITES: FAVORITE_CATEGORIES}


def _categories(facts: Mapping[FactRef, object], ref: FactRef) -> RobloxCategories:
    found = facts.get(ref)
    return found if isinstance(found, RobloxCategories) else _DEFAULTS[ref.kind]


def _keys(change: Any) -> list[str]:
    """Give the keys of the items that a verb names."""
    return [cast("ItemRef", decode_id(node_id)[1]).key for node_id in change.ids]


def _contents(owner: OwnerRef, entries: RobloxEntries, capacity: int) -> RobloxContents:
    return RobloxContents(
        container=rules.collection(owner),
        capacity=capacity,
        free_slots=max(capacity - len(entries.entries), 0),
        slots=None,
        items=[],
        digest=lambda: str(entries.number),
        entries=entries,
    )


def _changed(owner: OwnerRef, after: RobloxEntries) -> PlainChangeSet:
    container = encode_id(CONTAINER, ContainerRef(*owner, COLLECTION))
    version = ContainerVersion(container=strawberry.ID(container), version=str(after.number))
    return rules.change_set(updated=[container], versions=[version])


def _shown(
    owner: OwnerRef, after: RobloxEntries, keys: Sequence[str], known: Mapping[str, RobloxDefinition], capacity: int
) -> Shown:
    """Show the collection as the write left it, or would have left it."""
    contents = _contents(owner, after, capacity)
    collection = contents.container
    collection.capacity, collection.free_slots = contents.capacity, contents.free_slots
    collection.version = contents.version
    definitions = [known[key] for key in keys if key in known]
    return Shown(parts={"container": collection, "definitions": definitions}, contents=[contents])
