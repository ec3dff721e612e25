"""Compared: the changes of inventories at services that tell nobody of them, found by reading again at intervals."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import hashlib
import itertools
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, cast

import strawberry
import structlog
from cachetools import TTLCache

from gateway.model.arguments import BothWaysArguments, ContainerArguments, DescendantArguments
from gateway.model.change import ChangeSet, ContainerVersion, InventoryChange, change_cursor, change_place, no_changes
from gateway.model.container import Container, Contents
from gateway.model.credentials import Credential, check_partition
from gateway.model.deadline import Limit, deadline
from gateway.model.errors import FAULT, Failure, GatewayError, Internal, NotFound
from gateway.model.ids import CONTAINER, ITEM, ContainerRef, OwnerRef, encode_id
from gateway.model.item import Item
from gateway.model.paging import PAGE_CAP
from gateway.model.ports import Clock, Session, Source
from gateway.model.relations import Asked, Relation

_KEPT = 100
"""How many changes of an inventory are kept for those who come back."""

_MOST_TOLD = 1_000
"""How many ids one change tells; of more it only says that anything may have changed."""

_MOST_ENTRIES = 1_000_000
"""How many items, containers and ids of changes are kept in mind of all inventories that nobody follows at the moment,
some 250 bytes each."""

_REMEMBERED = 3_600.0
"""Seconds for which they are."""

_PATIENCE = 120.0
"""Seconds that one look may take."""

_log = structlog.get_logger("gateway.backends")


class Entry(NamedTuple):
    """What is kept in mind of an item or a container: where it lies, and a digest of what it is."""

    place: tuple[str | None, str | None]
    digest: bytes


@dataclass(slots=True)
class Snapshot:
    """An inventory as it was read, by kind and key; `versions` are those of containers, by key."""

    entries: dict[tuple[str, str], Entry] = field(default_factory=dict[tuple[str, str], Entry])
    versions: dict[str, str | None] = field(default_factory=dict[str, "str | None"])


class _Followed:
    """One inventory as one credential sees it: its last snapshot, and the changes found since it was first read."""

    def __init__(self, credential: Credential) -> None:
        self.partition = credential.partition
        # Tells the cursors of this process from those of others, which know nothing of its numbers.
        self.epoch = secrets.token_hex(4)
        self.sequence = 0
        self.changes: deque[tuple[int, InventoryChange]] = deque(maxlen=_KEPT)
        self.snapshot: Snapshot | None = None
        self.looked = asyncio.Event()
        """Set once the inventory was read since somebody follows it again."""
        self.changed = asyncio.Condition()
        self.ended: GatewayError | None = None
        self.followers = 0
        self.watching: asyncio.Task[None] | None = None

    @property
    def weight(self) -> int:
        told = sum(_length(change.changes) for _, change in self.changes)
        return 1 + told + (len(self.snapshot.entries) if self.snapshot else 0)


class Compared:
    """Follows inventories of a service: each is read every `interval` seconds, while somebody follows it.

    What a credential sees is compared only with what it saw before. Who comes back finds what has changed meanwhile,
    as long as the last snapshot is in mind.
    """

    def __init__(self, source: Source, interval: float, clock: Clock) -> None:
        self._source = source
        self.interval = interval
        self._clock = clock
        self._followed: dict[tuple[str, OwnerRef], _Followed] = {}
        self._left: TTLCache[tuple[str, OwnerRef], _Followed] = TTLCache(
            _MOST_ENTRIES, _REMEMBERED, getsizeof=lambda one: one.weight
        )

    async def changes(
        self, credential: Credential, owner: OwnerRef, since: str | None
    ) -> AsyncGenerator[InventoryChange]:
        """Tell what changes in an inventory, as the credential sees it."""
        place = None if since is None else change_place(since, owner)
        at = (credential.partition, owner)
        followed = self._followed.get(at) or self._left.pop(at, None) or _Followed(credential)
        check_partition(followed.partition, credential)
        self._followed[at] = followed
        followed.followers += 1
        try:
            if followed.watching is None or followed.watching.done():
                followed.ended = None
                followed.looked.clear()
                followed.watching = asyncio.create_task(self._watch(followed, credential, owner))
            after = None if place is None else self._known(followed, place)
            if after is None:
                # What is told from now on is told of what was read at least as late as this.
                await followed.looked.wait()
                after = followed.sequence
                if place is not None and followed.ended is None:
                    yield self._change(followed, owner, None)
            while True:
                async with followed.changed:
                    while followed.sequence == after and followed.ended is None:
                        await followed.changed.wait()
                if self._first(followed) > after + 1:
                    # Who takes too long to be told has missed what is no longer kept.
                    after = followed.sequence
                    yield self._change(followed, owner, None)
                for sequence, change in [*followed.changes]:
                    if sequence > after:
                        after = sequence
                        yield change
                if followed.ended is not None:
                    raise followed.ended
        finally:
            followed.followers -= 1
            if followed.followers == 0:
                await self._leave(at, followed)

    async def _leave(self, at: tuple[str, OwnerRef], followed: _Followed) -> None:
        watching, followed.watching = followed.watching, None
        del self._followed[at]
        if followed.snapshot is not None and followed.weight <= self._left.maxsize:
            self._left[at] = followed
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def _known(self, followed: _Followed, place: str) -> int | None:
        """Give the sequence number that a cursor holds; None where what came after it is not known here."""
        epoch, _, number = place.partition(":")
        if epoch != followed.epoch or not number.isdecimal():
            return None
        return int(number) if self._first(followed) - 1 <= int(number) <= followed.sequence else None

    def _first(self, followed: _Followed) -> int:
        return followed.changes[0][0] if followed.changes else followed.sequence + 1

    async def _watch(self, followed: _Followed, credential: Credential, owner: OwnerRef) -> None:
        while True:
            try:
                with deadline(_PATIENCE), Limit(_PATIENCE):
                    found = await self.read(credential, owner)
                if found is not None:
                    await self._compare(followed, owner, found)
                    followed.looked.set()
            except (GatewayError, TimeoutError) as error:
                # What may be well another time is looked at another time.
                if isinstance(error, GatewayError) and not (isinstance(error, Failure) or error.retryable):
                    await self._end(followed, error)
                    return
                _log.warning("not_compared", provider=owner.provider, reason=type(error).__name__)
            except Exception:
                _log.exception("compare_failed", provider=owner.provider)
                await self._end(followed, Internal(FAULT))
                return
            await asyncio.sleep(self.interval)

    async def _end(self, followed: _Followed, error: GatewayError) -> None:
        async with followed.changed:
            followed.ended = error
            followed.looked.set()
            followed.changed.notify_all()

    async def _compare(self, followed: _Followed, owner: OwnerRef, found: Snapshot) -> None:
        async with followed.changed:
            before, followed.snapshot = followed.snapshot, found
            if before is None or (found.entries == before.entries and found.versions == before.versions):
                return
            followed.sequence += 1
            followed.changes.append((followed.sequence, self._change(followed, owner, (before, found))))
            followed.changed.notify_all()

    def _change(
        self, followed: _Followed, owner: OwnerRef, snapshots: tuple[Snapshot, Snapshot] | None
    ) -> InventoryChange:
        changes = no_changes(owner) if snapshots is None else _difference(owner, *snapshots)
        is_reset = snapshots is None or _length(changes) > _MOST_TOLD
        return InventoryChange(
            cursor=change_cursor(owner, f"{followed.epoch}:{followed.sequence}"),
            at=self._clock(),
            changes=no_changes(owner) if is_reset else changes,
            is_reset=is_reset,
        )

    async def read(self, credential: Credential, owner: OwnerRef) -> Snapshot | None:
        """Read an inventory whole; None where a part of it could not be read, which is not to be taken for gone."""
        session = self._source.session(credential)
        try:
            return await _read(session, owner)
        finally:
            await session.aclose()


def _length(changes: ChangeSet) -> int:
    return sum(
        map(len, (changes.created_ids, changes.updated_ids, changes.moved_ids, changes.removed_ids, changes.versions))
    )


def _difference(owner: OwnerRef, before: Snapshot, now: Snapshot) -> ChangeSet:
    """Tell one snapshot from the one before; of each kind by no more ids than show that they are too many."""

    def some(keys: Iterable[tuple[str, str]]) -> list[strawberry.ID]:
        return [_id(owner, key) for key in itertools.islice(keys, _MOST_TOLD + 1)]

    stay = [(key, entry, before.entries[key]) for key, entry in now.entries.items() if key in before.entries]
    changes = no_changes(owner)
    changes.created_ids = some(key for key in now.entries if key not in before.entries)
    changes.removed_ids = some(key for key in before.entries if key not in now.entries)
    changes.moved_ids = some(key for key, entry, was in stay if entry.place != was.place)
    changes.updated_ids = some(key for key, entry, was in stay if entry.digest != was.digest)
    changes.versions = [
        ContainerVersion(container=_id(owner, (CONTAINER, key)), version=version)
        for key, version in now.versions.items()
        if version is not None and before.versions.get(key) != version
    ]
    return changes


async def _read(session: Session, owner: OwnerRef) -> Snapshot | None:
    snapshot = Snapshot()
    top: list[Container] = []
    below: list[Container] = []
    items: list[Item] = []
    whole = [
        await _pages(
            lambda after: _one(session.containers_by_owner, owner, ContainerArguments(first=PAGE_CAP, after=after)), top
        ),
        await _pages(
            lambda after: _one(session.items_by_owner, owner, BothWaysArguments(first=PAGE_CAP, after=after)), items
        ),
    ]
    if None in whole:
        raise NotFound("There is no such owner any more.")
    for ref in [container.ref for container in top]:
        page = partial(_descendants, session, ref)
        whole += [await _pages(page, below)]
    if not all(whole):
        return None
    asked = [container.ref for container in top if container.versioned_by is None]
    found: Mapping[Any, Any] = await session.contents_by_container(asked) if asked else {}
    for container in (*top, *below):
        contents = found.get(container.ref)
        if isinstance(contents, GatewayError):
            raise contents
        arranged: list[Any] = []
        if container.versioned_by is not None:
            snapshot.versions[container.key] = container.version
        elif isinstance(contents, Contents):
            snapshot.versions[container.key] = contents.version
            # Where no version tells that something lies elsewhere, the slots do.
            arranged = [(slot.key, slot.item_key) for slot in contents.slots or () if contents.version is None]
        snapshot.entries[CONTAINER, container.key] = Entry((container.parent_key, None), _digest(container, arranged))
    for place, item in enumerate(items):
        if place % PAGE_CAP == 0:
            # A large inventory takes longer than others should wait.
            await asyncio.sleep(0)
        snapshot.entries[ITEM, item.key] = Entry((item.container_key, item.slot_key), _digest(item))
    return snapshot


async def _descendants(session: Session, ref: ContainerRef, after: str | None) -> Any:
    return await _one(session.descendants_by_container, ref, DescendantArguments(first=PAGE_CAP, after=after))


async def _one(read: Callable[[Any], Awaitable[Any]], ref: Any, arguments: Any) -> Any:
    asked = Asked(ref.provider, ref, arguments)
    found = (await read([asked])).get(asked)
    if isinstance(found, GatewayError):
        raise found
    return found


async def _pages(page: Callable[[str | None], Awaitable[Any]], into: list[Any]) -> bool | None:
    """Read all pages of a list; say whether every part of it could be read, None where it is none of anything."""
    after: str | None = None
    while True:
        found = await page(after)
        if found is None:
            return None
        into += [node for node in found.nodes if node is not None]
        if not found.is_complete:
            return False
        if not found.page_info.has_next_page:
            return True
        after = found.page_info.end_cursor


def _digest(thing: Any, beside: Sequence[Any] = ()) -> bytes:
    """Tell what a thing is from everything that it was read with."""
    told = [*beside, *(getattr(thing, name) for name in _attributes(cast("type[Any]", type(thing))))]
    return hashlib.blake2b(repr(told).encode(errors="surrogatepass"), digest_size=8).digest()


@functools.cache
def _attributes(kind: type[Any]) -> tuple[str, ...]:
    """Name the attributes of a type that are neither loaded apart nor made of others, and are no version."""
    fields: Sequence[Any] = dataclasses.fields(kind)
    return tuple(
        one.name
        for one in fields
        if not (isinstance(one, Relation) or getattr(one, "base_resolver", None))
        and one.name != getattr(kind, "versioned_by", None)
    )


def _id(owner: OwnerRef, key: tuple[str, str]) -> strawberry.ID:
    return strawberry.ID(encode_id(key[0], cast("Any", (*owner, key[1]))))
