"""Local: a community served from the store: avatars laid out from documents, slots allocated, avatars minted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import strawberry

from gateway.backends.plain import Plain
from gateway.model.change import ChangeSet
from gateway.model.container import Contents
from gateway.model.errors import Conflict, NotFound, Unsupported
from gateway.model.ids import (
    CONTAINER,
    ContainerRef,
    DefinitionRef,
    FactRef,
    ItemRef,
    OwnerRef,
    SlotRef,
    encode_id,
)
from gateway.model.manifest import Capability
from gateway.model.owner import ACCOUNT
from gateway.model.ports import Clock, Fact, Results, Shown, Storage, Writing, Written
from gateway.model.verbs import AllocateSlotsInput, MintAvatarInput
from gateway.providers.community import rules, wire
from gateway.providers.community.keys import (
    ALLOCATIONS,
    AVATAR,
    OWNED,
    PROVIDER,
    SLOTS,
    STATE,
    WALLETS,
    joined,
    split,
)
from gateway.providers.community.ledger import Ledger
from gateway.providers.community.rules import Stock
from gateway.providers.community.types import (
    CommunityAllocations,
    CommunityContents,
    CommunityItem,
    CommunityItemDefinition,
    CommunityKit,
    CommunitySlot,
    CommunitySlots,
    CommunityState,
    CommunityWallets,
)
from gateway.providers.community.verbs import changed, check_avatar, entries_of, payload


@dataclass(slots=True, kw_only=True)
class Figure:
    """All that an avatar is laid out from; without a user, the kit alone.

    `items` and `stock` are of what lies in its slots, and of what else was asked about. `state` is what is stored:
    where what is owned was never told, or the kit lacks a slot for now, it holds more than is shown.
    """

    owner: OwnerRef
    kit: CommunityKit | None
    slots: Sequence[CommunitySlot]
    state: CommunityState
    items: Mapping[str, CommunityItem]
    stock: Stock
    is_stock_known: bool
    told: CommunityAllocations | None

    @property
    def shown(self) -> CommunityState:
        """What of the state can be shown."""
        return replace(self.state, allocations=rules.lying(self.slots, self.state, self.stock))

    def lay(self) -> CommunityContents:
        """Lay out the slots."""
        return rules.lay(wire.avatar(self.owner), self.slots, self.shown, self.items)


class Local(Plain):
    """The part of the local backend that is a community's own."""

    def __init__(self, clock: Clock, ledger: Ledger) -> None:
        self._clock = clock
        self._ledger = ledger

    # --- reads --------------------------------------------------------------------------------------------------------

    def lays(self, key: str) -> bool:
        """Say that only an avatar's documents tell what lies in it."""
        del key
        return True

    async def contents(self, store: Storage, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Contents]:
        """Lay out avatars; four statements."""
        known = await store.containers(refs)
        figures = await self._figures(store, [OwnerRef(ref.provider, ref.owner) for ref in known])
        return {ref: figures[OwnerRef(ref.provider, ref.owner)].lay() for ref in known}

    async def facts(self, store: Storage, refs: Sequence[FactRef]) -> Results[FactRef, object]:
        """Give documents: of kits, with what they count; of avatars, as they stand now; others as they were stored."""
        states = [ref for ref in refs if ref.kind == STATE]
        found: dict[FactRef, object] = dict(await store.facts([ref for ref in refs if ref.kind != STATE]))
        kits = {ref: fact for ref, fact in found.items() if isinstance(fact, CommunityKit)}
        found.update(await self._counted(store, kits))
        owners = await store.owners([OwnerRef(ref.provider, ref.owner) for ref in states])
        figures = await self._figures(store, [*owners])
        for ref in states:
            figure = figures.get(OwnerRef(ref.provider, ref.owner))
            if figure is not None and split(ref.owner)[1] is not None:
                found[ref] = figure.shown
        return found

    async def _counted(self, store: Storage, kits: Mapping[FactRef, CommunityKit]) -> dict[FactRef, CommunityKit]:
        """Let kits tell how many slots and items there are, whatever their documents said; two statements."""
        if not kits:
            return {}
        slots = {ref: FactRef(PROVIDER, ref.owner, SLOTS, "") for ref in kits}
        told = await store.facts([*slots.values()])
        counts = await store.count_definitions(PROVIDER, [ref.owner for ref in kits])
        return {
            ref: replace(
                kit,
                slot_count=len(known.slots)
                if isinstance(known := told.get(slots[ref]), CommunitySlots)
                else kit.slot_count,
                item_count=counts.get(ref.owner, 0),
            )
            for ref, kit in kits.items()
        }

    async def places(self, store: Storage, refs: Sequence[SlotRef]) -> Mapping[SlotRef, str]:
        """Give the slots that the kits have, each with its community; one statement."""
        kits = {ref: FactRef(PROVIDER, split(ref.owner)[0], SLOTS, "") for ref in refs}
        facts = await store.facts([*kits.values()])
        return {
            ref: joined(kit.owner, ref.key)
            for ref, kit in kits.items()
            if isinstance(known := facts.get(kit), CommunitySlots) and ref.container == AVATAR
            if any(slot.id == ref.key for slot in known.slots)
        }

    async def _figures(
        self, store: Storage, owners: Iterable[OwnerRef], asked: Iterable[str] = ()
    ) -> dict[OwnerRef, Figure]:
        """Read avatars, and of other items that are asked about, by id, whether they are owned; three statements.

        What is no longer owned is taken out of the slots, and mints whose time has come are done. That is written down:
        the version shall rise only once.
        """
        figures = await self._read(store, [*owners], [*asked])
        for owner, figure in figures.items():
            if not self._settle(figure):
                continue
            try:
                figures[owner] = await self._write_settled(store, owner, [*asked])
            except Conflict as busy:
                # Whoever reads next writes it down: what is shown is the same until then.
                if not busy.retryable:
                    raise
        return figures

    async def _write_settled(self, store: Storage, owner: OwnerRef, asked: Sequence[str]) -> Figure:
        """Bring a figure up to the present in the store: it is read again, now that no other can change it."""
        async with store.writing(owner) as writer:
            figure = (await self._read(writer, [owner], asked))[owner]
            before = figure.state
            if self._settle(figure):
                await _put(writer, figure)
                changes = changed(owner, before, figure.state, figure.slots)
                await writer.record(owner, "settle", changes, at=self._clock())
            return figure

    def _settle(self, figure: Figure) -> bool:
        """Bring a figure up to the present, and say whether that changes it."""
        before, now = figure.state, self._clock()
        if figure.is_stock_known:
            figure.state = rules.settled(figure.slots, before, figure.stock, at=now)
        user = split(figure.owner.owner)[1] or ""
        inventory = figure.kit.id if figure.kit else before.inventory_id or ""
        mints = [self._ledger.current(mint, user=user, inventory=inventory, at=now) for mint in before.mints]
        if mints != before.mints:
            figure.state = replace(figure.state, mints=mints)
        return figure.state is not before

    async def _read(self, store: Storage, owners: Sequence[OwnerRef], asked: Sequence[str]) -> dict[OwnerRef, Figure]:
        kits = {owner: OwnerRef(PROVIDER, split(owner.owner)[0]) for owner in owners}
        facts = await store.facts(
            [FactRef(*kit, kind, "") for kit in dict.fromkeys(kits.values()) for kind in (ACCOUNT, SLOTS)]
            + [FactRef(*owner, kind, "") for owner in owners for kind in (STATE, ALLOCATIONS, OWNED)]
        )
        states = {owner: _state(facts, owner) for owner in owners}
        wanted = {
            owner: list(dict.fromkeys([*(one.item for one in states[owner].allocations), *asked])) for owner in owners
        }
        items = await store.items([ItemRef(*owner, item) for owner in owners for item in wanted[owner]])
        refs = {
            owner: {item: DefinitionRef(PROVIDER, joined(kits[owner].owner, item)) for item in wanted[owner]}
            for owner in owners
        }
        definitions = await store.definitions(list({ref: None for each in refs.values() for ref in each.values()}))
        figures: dict[OwnerRef, Figure] = {}
        for owner in owners:
            kit = facts.get(FactRef(*kits[owner], ACCOUNT, ""))
            slots = facts.get(FactRef(*kits[owner], SLOTS, ""))
            held: dict[str, CommunityItem] = {}
            fits: dict[str, Sequence[str]] = {}
            for item in wanted[owner]:
                definition = definitions.get(refs[owner][item])
                if definition is not None:
                    fits[item] = definition.slot_ids if isinstance(definition, CommunityItemDefinition) else ()
                found = items.get(ItemRef(*owner, item))
                if isinstance(found, CommunityItem):
                    held[item] = found
                    if isinstance(definition, CommunityItemDefinition):
                        found.definition = definition
            figures[owner] = Figure(
                owner=owner,
                kit=kit if isinstance(kit, CommunityKit) else None,
                slots=slots.slots if isinstance(slots, CommunitySlots) else (),
                state=states[owner],
                items=held,
                stock=Stock(fits=fits, owned={item: found.quantity for item, found in held.items()}),
                is_stock_known=FactRef(*owner, OWNED, "") in facts,
                told=_told(facts, owner),
            )
        return figures

    # --- verbs --------------------------------------------------------------------------------------------------------

    async def write(self, store: Writing, verb: Capability, owner: OwnerRef, change: Any) -> Written:
        """Allocate slots, or mint an avatar."""
        if verb is Capability.ALLOCATE_SLOTS:
            return await self._allocate(store, owner, change)
        if verb is Capability.MINT_AVATAR:
            return await self._mint(store, owner, change)
        raise Unsupported(f"A community does not support `{verb.value}`.")

    async def replay(self, store: Writing, verb: Capability, owner: OwnerRef, change: Any, changes: ChangeSet) -> Shown:
        """Give the avatar, and the slots that were named, as they stand now."""
        del changes
        figure = await self._figure(store, owner)
        named = [entry.slot for entry in change.slots] if verb is Capability.ALLOCATE_SLOTS else None
        return payload(figure.lay(), named)

    def check(self, verb: Capability, owner: OwnerRef, change: Any) -> None:
        """Refuse what is no user's avatar, and entries that are malformed."""
        check_avatar(owner, change)
        if verb is Capability.ALLOCATE_SLOTS:
            entries_of(owner, change)

    async def _figure(self, store: Storage, owner: OwnerRef, asked: Iterable[str] = ()) -> Figure:
        if not await store.owners([owner]):
            raise NotFound("There is no such avatar.").at("container")
        return (await self._figures(store, [owner], asked))[owner]

    async def _allocate(self, store: Writing, owner: OwnerRef, change: AllocateSlotsInput) -> Written:
        entries = entries_of(owner, change)
        figure = await self._figure(store, owner, [item for _, item in entries if item is not None])
        after = rules.allocate(figure.slots, figure.state, figure.stock, entries, at=self._clock())
        changes = changed(owner, figure.state, after, figure.slots)
        if after is not figure.state:
            figure.state = after
            await _put(store, figure)
        return Written(changes=changes, shown=payload(figure.lay(), [slot for slot, _ in entries]))

    async def _mint(self, store: Writing, owner: OwnerRef, change: MintAvatarInput) -> Written:
        figure = await self._figure(store, owner)
        if figure.kit is None:
            raise NotFound("There is no kit of this community.").at("container")
        wallets = (await store.facts([ref := FactRef(*owner, WALLETS, "")])).get(ref)
        known = wallets.wallets if isinstance(wallets, CommunityWallets) else []
        order = rules.order(
            figure.kit, figure.slots, figure.shown, split(owner.owner)[1] or "", known, change.blockchain
        )
        changes = changed(owner, figure.state, figure.state, figure.slots)
        if order is not None:
            made = await self._ledger.submit(order, at=self._clock())
            figure.state = rules.minted(figure.state, made)
            await _put(store, figure)
            changes.updated_ids = [strawberry.ID(encode_id(CONTAINER, ContainerRef(*owner, AVATAR)))]
        return Written(changes=changes, shown=payload(figure.lay(), None))


def _told(facts: Mapping[FactRef, object], owner: OwnerRef) -> CommunityAllocations | None:
    found = facts.get(FactRef(*owner, ALLOCATIONS, ""))
    return found if isinstance(found, CommunityAllocations) else None


def _state(facts: Mapping[FactRef, object], owner: OwnerRef) -> CommunityState:
    found = facts.get(FactRef(*owner, STATE, ""))
    return wire.joined_state(found if isinstance(found, CommunityState) else None, _told(facts, owner))


async def _put(store: Writing, figure: Figure) -> None:
    """Write an avatar's state down, under both of the documents that tell of it."""
    state = figure.state
    if figure.kit is not None:
        state = replace(state, inventory_id=figure.kit.id)
    told = CommunityAllocations(slots=state.allocations, extra=wire.extra_of(figure.told, state.allocations))
    await store.put_facts(
        [
            Fact(ref=FactRef(*figure.owner, STATE, ""), value=state),
            Fact(ref=FactRef(*figure.owner, ALLOCATIONS, ""), value=told),
        ]
    )
