"""LocalBackend: a provider served from our own store, by the provider's rules."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar, cast

from gateway.backends.remembered import Remembered
from gateway.backends.visible import check_visible
from gateway.backends.writes import write
from gateway.model.arguments import (
    NO_FILTER,
    AcceptArguments,
    BothWaysArguments,
    CatalogueArguments,
    CollectibleArguments,
    ContainerArguments,
    ContainerKind,
    ItemArguments,
    NumberedArguments,
    PageArguments,
    TotalArguments,
)
from gateway.model.change import ChangeSet, InventoryChange, change_cursor, change_place, no_changes
from gateway.model.container import Container, ContainerConnection, Contents
from gateway.model.credentials import Credential
from gateway.model.definition import DefinitionConnection, ItemDefinition
from gateway.model.errors import Forbidden, GatewayError, InvalidInput, NotFound, Unauthenticated, Unsupported
from gateway.model.forest import Forest
from gateway.model.ids import ContainerRef, DefinitionRef, FactRef, ItemRef, OwnerRef, OwnershipRef, SlotRef
from gateway.model.item import Item, ItemConnection
from gateway.model.listing import definitions_needed, list_items
from gateway.model.loader import Loader
from gateway.model.manifest import BackendKind, Capability, CredentialPart, Manifest
from gateway.model.node import SourceProblem, problem
from gateway.model.owner import CREDENTIAL, InventoryOwner
from gateway.model.paging import Part, Position, Window, trimmed
from gateway.model.ports import (
    OPEN,
    Access,
    Clock,
    Grant,
    Holder,
    Local,
    Results,
    Rules,
    Shown,
    Wanted,
    Written,
)
from gateway.model.positions import microseconds, moment_of
from gateway.model.relations import Asked
from gateway.store.reads import Drawn
from gateway.store.store import Store
from gateway.telemetry import Figure

K = TypeVar("K", bound=Hashable)

STRANGER = Grant(holder=Holder("", ""), scopes=(), facts=None, expires_at=None)
"""What one who is nobody may do."""


def now() -> datetime:
    """Give the time, in UTC."""
    return datetime.now(UTC)


async def issue(store: Store, provider: str, rules: Rules, wanted: Wanted) -> str:
    """Make a credential for a provider's dialect, and give its secret, of which only the hash is kept."""
    minted = rules.mint(wanted)
    await store.add_grant(
        provider,
        wanted.part,
        minted.secret,
        owner=wanted.owner,
        label=minted.label,
        scopes=wanted.scopes,
        facts=minted.facts,
        made_at=wanted.issued_at,
        expires_at=minted.expires_at,
    )
    return minted.secret


class Place(NamedTuple):
    """Where a change stands in its owner's log: its sequence number, 0 before the first, and when it was made."""

    sequence: int
    at: datetime

    @property
    def text(self) -> str:
        """What a cursor holds."""
        return f"{self.sequence}:{microseconds(self.at)}"

    @classmethod
    def read(cls, text: str) -> Place:
        """Read what a cursor holds; InvalidInput where it is no such place."""
        found = _PLACE.match(text)
        if found is None:
            raise InvalidInput("`since` is no cursor of this inventory's changes.")
        return cls(int(found[1]), moment_of(int(found[2])))


_PLACE = re.compile(r"([0-9]{1,18}):([0-9]{1,16})\Z", re.ASCII)


class Narrowed(NamedTuple):
    """A list as it is asked of the store, and whether a part of what was asked for is hidden."""

    asked: Asked
    is_part: bool


class LocalBackend:
    """A store as a backend: its rules tell what a credential may do, its own part how things lie together."""

    kind = BackendKind.LOCAL

    def __init__(self, manifest: Manifest, rules: Rules, own: Local, store: Store, *, clock: Clock = now) -> None:
        self.manifest = manifest
        self.rules = rules
        self.own = own
        self.store = store
        self.clock = clock

    def session(self, credential: Credential) -> LocalSession:
        """Open a session for a caller; one without a credential is trusted, as the door has let it in."""
        return LocalSession(self, credential)

    async def owners(self) -> list[OwnerRef]:
        """List every owner in the store."""
        return await self.store.owner_refs(self.manifest.key)

    async def changes(
        self, credential: Credential, owner: OwnerRef, since: str | None
    ) -> AsyncGenerator[InventoryChange]:
        """Tell of the changes in the owner's log, as they are written and as they were."""
        known = None if since is None else Place.read(change_place(since, owner))
        async with self.store.listening(owner) as written:
            if known is None:
                after = await self.store.last_change(owner)
            elif await self._is_known(owner, known):
                after = known.sequence
            else:
                # The log no longer goes back so far, or is another one.
                after = await self.store.last_change(owner)
                newest = await self.store.changes_after(owner, after - 1)
                at = newest[-1].at if newest else self.clock()
                yield self._change(owner, Place(after, at), no_changes(owner), is_reset=True)
            while True:
                written.clear()
                found = await self.store.changes_after(owner, after)
                if found:
                    await check_visible(self, self.rules, credential, owner)
                for change in found:
                    is_next, after = change.sequence == after + 1, change.sequence
                    changes = self.store.change_set(change)
                    is_reset = changes is None or not is_next
                    yield self._change(owner, Place(after, change.at), changes or no_changes(owner), is_reset=is_reset)
                if not found:
                    await written.wait()

    async def _is_known(self, owner: OwnerRef, place: Place) -> bool:
        """Say whether the log has the change that a cursor was given with; another store's has other times."""
        if place.sequence == 0:
            return True
        found = await self.store.changes_after(owner, place.sequence - 1, limit=1)
        return bool(found) and Place(found[0].sequence, found[0].at) == place

    def _change(self, owner: OwnerRef, place: Place, changes: ChangeSet, *, is_reset: bool) -> InventoryChange:
        return InventoryChange(cursor=change_cursor(owner, place.text), at=place.at, changes=changes, is_reset=is_reset)

    async def issue(self, wanted: Wanted) -> str:
        """Make a credential for the dialect, and give its secret."""
        return await issue(self.store, self.manifest.key, self.rules, wanted)

    def figures(self) -> list[Figure]:
        """List nothing: the store keeps no figures."""
        return []


class LocalSession:
    """One caller's reads of the store: the statements of a method grow with distinct arguments, never with keys."""

    def __init__(self, backend: LocalBackend, credential: Credential) -> None:
        self._backend = backend
        self._rules = backend.rules
        self._own = backend.own
        self._store = backend.store
        self._remembered = Remembered(backend.store)
        self._title = backend.manifest.title
        self._credential = credential
        self._grants: Loader[str, Grant] = Loader[str, Grant].alone(self._find)
        self._laid: list[Contents] = []
        self._assumed: dict[ContainerRef, Contents] = {}
        self._supposed: dict[ContainerRef, Container] = {}
        self._supposed_items: dict[ItemRef, Item] = {}

    @property
    def credential(self) -> Credential:
        """The caller's credential."""
        return self._credential

    async def aclose(self) -> None:
        """Cancel the reads still under way, and let go of what was read."""
        await self._grants.aclose()
        await self._remembered.aclose()
        for contents in self._laid:
            contents.release()
        self._laid.clear()
        self._assumed.clear()

    # --- whose --------------------------------------------------------------------------------------------------------

    async def _grant(self) -> Grant | None:
        """Look up what the credential allows, once; None for a caller without one.

        A part that has expired leaves it to those after it, which are there to renew it.
        """
        if self._credential.is_stranger:
            return STRANGER
        if not self._credential:
            return None
        grant = await self._grants.load("")
        if grant is None or self._is_late(grant):
            raise self._unauthenticated("has expired", self._backend.manifest.credential_parts[0], expired=True)
        return grant

    async def _find(self, _key: str) -> Grant | None:
        late: tuple[CredentialPart, Grant] | None = None
        for part in self._backend.manifest.credential_parts:
            secret = self._credential.part(part.key)
            if secret is None or (late is not None and part.key not in self._rules.RENEWED):
                continue
            found = await self._granted(part, secret)
            if late is not None and found.holder.owner != late[1].holder.owner:
                raise self._unauthenticated("is of another owner", part)
            if not self._is_late(found):
                return found
            late = part, found
        if late is None:
            raise self._unauthenticated("is needed")
        raise self._unauthenticated("has expired", late[0], expired=True)

    async def _granted(self, part: CredentialPart, secret: str) -> Grant:
        """Look up what a part of the credential allows, or allowed until it expired."""
        own = self._rules.secret(part.key, secret)
        grant = await self._store.grant(self._backend.manifest.key, part.key, own, self._backend.clock())
        if grant is None:
            raise self._unauthenticated("is not accepted here", part)
        return grant

    def _is_late(self, grant: Grant) -> bool:
        return grant.expires_at is not None and grant.expires_at <= self._backend.clock()

    def _unauthenticated(
        self, why: str, part: CredentialPart | None = None, *, expired: bool = False
    ) -> Unauthenticated:
        parts = self._backend.manifest.credential_parts if part is None else (part,)
        titles = " or ".join(part.title for part in parts)
        code = self._rules.fault_code(None if part is None else part.key, expired=expired)
        return Unauthenticated(f"The {titles} of {self._title} {why}.", provider_code=code)

    async def identity(self, key: str) -> str:
        """Give the owner that the key means for the holder of the credential."""
        grant = await self._grant()
        if grant is None or grant is STRANGER:
            raise self._unauthenticated("is needed")
        return self._rules.own_key(grant.holder, key)

    async def renew(self, part: str) -> str:
        """Make a new secret in exchange for the long-lived part of the credential; two statements."""
        for known in self._backend.manifest.credential_parts:
            secret = self._credential.part(known.key)
            if secret is None or part not in self._rules.RENEWED.get(known.key, ()):
                continue
            grant = await self._granted(known, secret)
            if self._is_late(grant):
                raise self._unauthenticated("has expired", known, expired=True)
            return await self._made(part, grant)
        raise Unsupported(f"Credentials of {self._title} are not renewed, or what renews them is missing.")

    async def _made(self, part: str, grant: Grant) -> str:
        backend = self._backend
        wanted = Wanted(
            part=part,
            owner=grant.holder.owner,
            name="renewed",
            scopes=grant.scopes,
            issued_at=backend.clock(),
            expires_at=None,
            limits=(),
        )
        return await backend.issue(wanted)

    async def _allowed(
        self, read: str, keys: Sequence[K], owner: Callable[[K], str], kind: Callable[[K], str]
    ) -> tuple[list[K], dict[K, Any]]:
        """Split keys into those that may be read, and the results of the others: unknown, or refused for a scope."""
        grant = await self._grant()
        if grant is None:
            return [*keys], {}
        allowed: list[K] = []
        refused: dict[K, Any] = {}
        for key in keys:
            if not self._rules.may_read(grant.holder, owner(key)):
                refused[key] = None
            elif missing := self._missing(grant, read, kind(key)):
                refused[key] = self._rules.lacking(missing)
            else:
                allowed.append(key)
        return allowed, refused

    def _missing(self, grant: Grant, read: str, kind: str) -> list[str]:
        return [scope for scope in self._rules.scopes_for(read, kind) if scope not in grant.scopes]

    async def _accesses(self, refs: Sequence[OwnerRef]) -> Mapping[OwnerRef, Access]:
        """Tell what the caller may see of inventories that are there."""
        return await self._own.access(self._remembered, await self._grant(), refs) if refs else {}

    async def _inside(
        self, read: str, keys: Sequence[K], kind: Callable[[K], str]
    ) -> tuple[dict[K, Access], dict[K, Any]]:
        """Split keys of things inside of inventories as `_allowed` does; of closed ones they are refused."""
        allowed, results = await self._allowed(read, keys, _owner, kind)
        owners = {key: _owner_ref(key) for key in allowed}
        accesses = await self._accesses([*dict.fromkeys(owners.values())])
        found: dict[K, Access] = {}
        for key, owner in owners.items():
            # What is only asked is answered of what is closed, or hidden, as well.
            access = OPEN if _asks(key) else accesses.get(owner, OPEN)
            if access.is_open:
                found[key] = access
            else:
                # One thing that is not the caller's to know of is not there; a list is refused.
                results[key] = self._rules.lacking(()) if isinstance(key, Asked) else None
        return found, results

    async def owners_by_key(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, InventoryOwner]:
        """Give owners; one statement."""
        allowed, refused = await self._allowed("owners_by_key", refs, _owner, lambda _: "")
        return {**refused, **await self._remembered.owners(allowed)}

    async def facts_by_key(self, refs: Sequence[FactRef]) -> Results[FactRef, object]:
        """Give documents about owners; one statement. What is told of the credential comes with the credential."""
        grant = await self._grant()
        allowed, results = await self._allowed("facts_by_key", refs, _owner, lambda ref: ref.kind)
        for ref in [ref for ref in allowed if ref.kind == CREDENTIAL]:
            is_known = grant is not None and grant is not STRANGER
            results[ref] = grant.facts if grant is not None and is_known else self._unauthenticated("is needed")
        found = await self._own.facts(self._remembered, [ref for ref in allowed if ref.kind != CREDENTIAL])
        if grant is not None:
            found = {ref: self._rules.shown(fact, grant.scopes) for ref, fact in found.items()}
        return {**results, **found}

    async def visibility_by_owner(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, bool]:
        """Tell whether the credential has the scopes that the inventory takes; one statement."""
        known = await self.owners_by_key(refs)
        grant = await self._grant()
        visible = grant is None or not self._missing(grant, "visibility_by_owner", "")
        accesses = await self._accesses([ref for ref in refs if isinstance(known.get(ref), InventoryOwner)])
        return {
            ref: found if isinstance(found, GatewayError) else visible and accesses.get(ref, OPEN).is_open
            for ref in refs
            if (found := known.get(ref)) is not None
        }

    async def ownership_by_key(self, refs: Sequence[OwnershipRef]) -> Results[OwnershipRef, bool]:
        """Tell whether owners hold definitions; two statements, one more where what is not held may not exist."""
        allowed, refused = await self._allowed("ownership_by_key", refs, _owner, lambda _: "")
        owners = await self._remembered.owners([OwnerRef(ref.provider, ref.owner) for ref in allowed])
        known = [ref for ref in allowed if OwnerRef(ref.provider, ref.owner) in owners]
        held = await self._store.holds(known)
        return {**refused, **held, **await self._nonexistent([ref for ref in known if not held[ref]])}

    async def _nonexistent(self, unheld: Sequence[OwnershipRef]) -> dict[OwnershipRef, GatewayError]:
        """Tell of what nobody can hold: what is in no catalogue, at a provider where nothing else exists."""
        refusals = {ref: fault for ref in unheld if (fault := self._rules.unknown(ref.definition)) is not None}
        if not refusals:
            return {}
        definitions = {ref: DefinitionRef(ref.provider, ref.definition) for ref in refusals}
        known = await self._remembered.definitions([*definitions.values()])
        return {ref: refusals[ref] for ref, wanted in definitions.items() if wanted not in known}

    # --- containers ---------------------------------------------------------------------------------------------------

    async def _forests(self, accesses: Mapping[Any, Access]) -> Mapping[OwnerRef, Forest] | None:
        """Give all containers of the owners of keys, where they are no rows of the store; else None."""
        found = await self._own.containers(self._remembered, {_owner_ref(key): one for key, one in accesses.items()})
        return None if found is None else {owner: Forest(containers) for owner, containers in found.items()}

    async def containers_by_key(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Container]:
        """Give containers; one statement, more where some have other names, or where access is judged."""
        accesses, refused = await self._inside("containers_by_key", refs, _key)
        allowed = [*accesses]
        forests = await self._forests(accesses)
        if forests is not None:
            grown = {ref: forests[owner].get(ref.key) for ref in allowed if (owner := _owner_ref(ref)) in forests}
            return {**refused, **{ref: one for ref, one in grown.items() if one is not None}}
        named = await self._own.resolve(self._remembered, allowed)
        found = await self._remembered.containers([named.get(ref, ref) for ref in allowed])
        known = {ref: one for ref in allowed if (one := found.get(named.get(ref, ref))) is not None}
        supposed = {ref: self._supposed[ref] for ref in allowed if ref in self._supposed}
        return {**refused, **known, **supposed}

    async def containers_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List top levels; one statement for each set of arguments, one for their owners."""
        grant = await self._grant()
        accesses, results = await self._inside("owners_by_key", asked, lambda _: "")
        forests = await self._forests(accesses)
        if forests is not None:
            return {**results, **_listed_of(forests, [*accesses], lambda forest, one: forest.top(one.arguments))}
        allowed = [*accesses]
        owners = await self._remembered.owners([cast("OwnerRef", one.ref) for one in allowed])
        whole: list[Asked] = []
        for one in [one for one in allowed if one.ref in owners]:
            wanted = cast("ContainerArguments", one.arguments).kind
            missing = {
                kind: scopes
                for kind in (self._rules.TOP_LEVEL if wanted is None else (wanted,))
                if grant is not None and (scopes := self._missing(grant, "containers_by_owner", kind.value))
            }
            if wanted in missing:
                results[one] = self._rules.lacking(missing[wanted])
            elif missing:
                results[one] = await self._partly(one, missing)
            else:
                whole.append(one)
        return {**results, **await self._contained(whole)}

    async def _partly(self, one: Asked, missing: Mapping[ContainerKind, Sequence[str]]) -> ContainerConnection:
        """List a top level without the kinds that the credential lacks scopes for; each of those is a problem."""
        shown = [kind for kind in self._rules.TOP_LEVEL if kind not in missing]
        asked = [one._replace(arguments=replace(one.arguments, kind=kind)) for kind in shown]
        parts = await self._store.container_lists(asked)
        entries = sorted((entry for part in parts.values() for entry in part.entries), key=lambda entry: entry[0])
        window = one.arguments.window
        part = trimmed(entries[: window.size + 1], window)
        part.has_next = part.has_next or any(part.has_next for part in parts.values())
        problems = [
            problem(self._rules.lacking(scopes), self._backend.manifest.provider, owner=one.ref.owner)
            for scopes in missing.values()
        ]
        return ContainerConnection.of(part, problems)

    async def _contained(self, asked: Sequence[Asked]) -> dict[Asked, ContainerConnection]:
        parts = await self._store.container_lists(asked)
        return {one: ContainerConnection.of(parts[one], counted=one) for one in asked}

    async def containers_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List direct children; one statement for each set of arguments, one for their owners."""
        return await self._below(
            "containers_by_container", asked, lambda forest, one: forest.children(one.ref.key, one.arguments)
        )

    async def descendants_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List trees; one statement for each set of arguments, one for their owners."""
        return await self._below(
            "descendants_by_container", asked, lambda forest, one: forest.below(one.ref.key, one.arguments)
        )

    async def _below(
        self, read: str, asked: Sequence[Asked], listed: Callable[[Forest, Asked], Part[Container]]
    ) -> dict[Asked, Any]:
        accesses, results = await self._inside(read, asked, _key)
        allowed = [*accesses]
        forests = await self._forests(accesses)
        if forests is not None:
            return {**results, **_listed_of(forests, allowed, listed)}
        known = await self._remembered.containers([cast("ContainerRef", one.ref) for one in allowed])
        return {**results, **await self._contained([one for one in allowed if one.ref in known])}

    async def contents_by_container(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Contents]:
        """Read what lies in containers."""
        accesses, results = await self._inside("contents_by_container", refs, _key)
        allowed = [*accesses]
        found: Results[ContainerRef, Contents] = {ref: self._assumed[ref] for ref in allowed if ref in self._assumed}
        if stored := [ref for ref in allowed if ref not in found]:
            found = {**found, **await self._own.contents(self._remembered, stored)}
        self._laid += [contents for contents in found.values() if isinstance(contents, Contents)]
        return {**results, **found}

    # --- items --------------------------------------------------------------------------------------------------------

    async def items_by_key(self, refs: Sequence[ItemRef]) -> Results[ItemRef, Item]:
        """Give holdings; one statement."""
        accesses, refused = await self._inside("items_by_key", refs, lambda ref: ref.key)
        supposed = {ref: self._supposed_items[ref] for ref in accesses if ref in self._supposed_items}
        found = await self._store.items([*accesses])
        seen = {ref: item for ref, item in found.items() if item.container_key not in accesses[ref].hidden}
        return {**refused, **seen, **supposed}

    async def items_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List all holdings; one statement for each set of arguments, one for their owners."""
        accesses, results = await self._inside("items_by_owner", asked, lambda _: "")
        known = await self._remembered.owners([cast("OwnerRef", one.ref) for one in accesses])
        return {**results, **await self._narrowly({one: accesses[one] for one in accesses if one.ref in known})}

    async def _narrowly(self, accesses: Mapping[Asked, Access]) -> dict[Asked, Any]:
        """List holdings, narrowed to what each list is of and may show; what is asked for and hidden is a problem."""
        narrowed = {one: self._narrowed(one, access) for one, access in accesses.items()}
        wanted = {other: None for other in narrowed.values() if isinstance(other, Narrowed)}
        parts = await self._store_lists([other.asked for other in wanted])
        results: dict[Asked, Any] = {}
        for one, other in narrowed.items():
            if isinstance(other, Narrowed):
                problems = self._withheld(one) if other.is_part else ()
                results[one] = ItemConnection.of(parts[other.asked], problems, counted=other.asked)
            else:
                results[one] = other
        return results

    def _withheld(self, one: Asked) -> list[SourceProblem]:
        """Tell that a part of a list was hidden."""
        return [problem(self._rules.lacking(()), self._backend.manifest.provider, owner=one.ref.owner)]

    def _narrowed(self, one: Asked, access: Access) -> Narrowed | GatewayError:
        """Narrow a list to what may be seen; an error where all of it was asked for by name and is hidden."""
        given = one.arguments
        arguments = given.items if isinstance(given, CollectibleArguments) else given
        wanted = arguments.filter or NO_FILTER
        narrowed, withheld = self._own.narrowed(wanted, access)
        if withheld and not narrowed.shelves:
            return self._rules.lacking(())
        asked = one if narrowed is wanted else one._replace(arguments=replace(arguments, filter=narrowed))
        return Narrowed(asked, is_part=withheld)

    async def _store_lists(self, asked: Sequence[Asked]) -> dict[Asked, Part[Item]]:
        """List items; of a few shelves by a list of each, for which there is an index."""
        by_shelf = {one: shelved for one in asked if (shelved := _by_shelf(one)) is not None}
        straight = [one for one in asked if one not in by_shelf]
        single = dict.fromkeys(part for parts in by_shelf.values() for part in parts)
        found = await self._store.item_lists([*straight, *single])
        for one, parts in by_shelf.items():
            found[one] = _merged([found[part] for part in parts], one.arguments.window)
        return found

    async def _viewed(self, forests: Mapping[OwnerRef, Forest], accesses: Mapping[Asked, Access]) -> dict[Asked, Any]:
        """List what views show: of all that the owner holds, what lies on some shelves."""
        lists: dict[Asked, Access] = {}
        given: dict[Asked, Asked] = {}
        for one, access in accesses.items():
            owner = _owner_ref(one)
            container = forests[owner].get(one.ref.key) if owner in forests else None
            if container is None:
                continue
            shelves = self._own.shelves(container)
            if shelves is None:
                # What it shows cannot be told.
                continue
            wanted = replace(one.arguments.filter or NO_FILTER, shelves=tuple(shelves))
            given[one] = Asked(one.provider, owner, replace(one.arguments, filter=wanted))
            lists[given[one]] = access
        found = await self._narrowly(lists)
        return {one: found[other] for one, other in given.items()}

    async def items_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List what lies directly in containers; one statement for each set of arguments, one for their owners."""
        accesses, results = await self._inside("items_by_container", asked, _key)
        forests = await self._forests(accesses)
        if forests is not None:
            return {**results, **await self._viewed(forests, accesses)}
        allowed = [*accesses]
        known = await self._remembered.containers([cast("ContainerRef", one.ref) for one in allowed])
        there = [one for one in allowed if one.ref in known]
        laid = [one for one in there if self._own.lays(one.ref.key)]
        return {
            **results,
            **await self._listed([one for one in there if not self._own.lays(one.ref.key)]),
            **await self._laid_items(laid),
        }

    async def _laid_items(self, asked: Sequence[Asked]) -> dict[Asked, Any]:
        """List items of containers of which only their contents tell what lies in them."""
        refs = list(dict.fromkeys(cast("ContainerRef", one.ref) for one in asked))
        found: Results[ContainerRef, Contents] = {}
        if refs:
            found = await self.contents_by_container(refs)
        results: dict[Asked, Any] = {}
        for one in asked:
            contents = found.get(one.ref)
            if isinstance(contents, Contents):
                arguments = cast("ItemArguments", one.arguments)
                needed = definitions_needed(contents.items, arguments.passing, arguments.order)
                known = await self._remembered.definitions(needed)
                definitions = {ref: entry for ref, entry in known.items() if isinstance(entry, ItemDefinition)}
                listed = list_items(contents.items, arguments, definitions, contents.places)
                results[one] = ItemConnection.of(listed)
            else:
                results[one] = contents
        return results

    async def _listed(self, asked: Sequence[Asked]) -> dict[Asked, ItemConnection]:
        parts = await self._store_lists(asked)
        return {one: ItemConnection.of(parts[one], counted=one) for one in asked}

    async def totals_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Sum quantities by definition; one statement for each set of arguments, one for their owners."""
        accesses, results = await self._inside("totals_by_owner", asked, lambda _: "")
        known = await self._remembered.owners([cast("OwnerRef", one.ref) for one in accesses])
        narrowed = {one: self._narrowed(one, access) for one, access in accesses.items() if one.ref in known}
        parts = await self._store.totals(
            [*dict.fromkeys(other.asked for other in narrowed.values() if isinstance(other, Narrowed))]
        )
        for one, other in narrowed.items():
            if isinstance(other, Narrowed):
                problems = self._withheld(one) if other.is_part else ()
                part = cast("Any", parts[other.asked])
                results[one] = DefinitionConnection.of(part, problems, counted=other.asked)
            else:
                results[one] = other
        return results

    async def count_by_list(self, asked: Sequence[Asked]) -> Results[Asked, int]:
        """Count whole lists; one statement for each kind of list and set of arguments."""
        drawn = await self._drawn(
            [one for one in asked if isinstance(one.arguments, CatalogueArguments | AcceptArguments)]
        )
        counts: dict[Asked, int] = await self._store.count_catalogue([*drawn], drawn)
        for takes, count in (
            ((ItemArguments, CollectibleArguments), self._count_items),
            (TotalArguments, self._store.count_totals),
            (PageArguments, self._store.count_containers),
        ):
            counts.update(await count([one for one in asked if isinstance(one.arguments, takes) and one not in counts]))
        return counts

    async def _count_items(self, asked: Sequence[Asked]) -> dict[Asked, int]:
        by_shelf = {one: shelved for one in asked if (shelved := _by_shelf(one)) is not None}
        straight = [one for one in asked if one not in by_shelf]
        single = dict.fromkeys(part for parts in by_shelf.values() for part in parts)
        counts = await self._store.count_items([*straight, *single])
        return {**counts, **{one: sum(counts[part] for part in parts) for one, parts in by_shelf.items()}}

    # --- the catalogue ------------------------------------------------------------------------------------------------

    async def definitions_by_container(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """List what containers hold that hold definitions."""
        found = await self.contents_by_container([*dict.fromkeys(cast("ContainerRef", one.ref) for one in asked)])
        results: dict[Asked, Any] = {}
        for one in asked:
            contents = found.get(one.ref)
            part = contents.definitions(one.arguments) if isinstance(contents, Contents) else None
            results[one] = contents if isinstance(contents, GatewayError) else part and DefinitionConnection.of(part)
        return results

    async def definitions_by_key(self, refs: Sequence[DefinitionRef]) -> Results[DefinitionRef, ItemDefinition]:
        """Give catalogue entries; one statement."""
        return await self._remembered.definitions(refs)

    async def definition_keys(self, kind: str) -> list[str]:
        """List the keys of a family of definitions; one statement."""
        return await self._store.definition_keys(self._backend.manifest.key, kind)

    async def catalogue_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """List what inventories could hold; one statement for each set of arguments, one for their owners."""
        allowed, results = await self._allowed("catalogue_by_owner", asked, _owner, lambda _: "")
        known = await self._remembered.owners([cast("OwnerRef", one.ref) for one in allowed])
        return {**results, **await self._catalogued([one for one in allowed if one.ref in known])}

    async def definitions_by_slot(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """List what fits slots; one statement for each set of arguments, one for their containers' slots."""
        allowed, results = await self._allowed("definitions_by_slot", asked, _owner, lambda one: one.ref.container)
        return {**results, **await self._catalogued(allowed)}

    async def _catalogued(self, asked: Sequence[Asked]) -> dict[Asked, DefinitionConnection]:
        drawn = await self._drawn(asked)
        parts = await self._store.catalogue([*drawn], drawn)
        return {one: DefinitionConnection.of(part, counted=one) for one, part in parts.items()}

    async def _drawn(self, asked: Sequence[Asked]) -> dict[Asked, Drawn]:
        """Tell which part of the catalogue each list is of; lists of what does not exist are left out."""
        slots = [one.ref for one in asked if isinstance(one.ref, SlotRef)]
        words: Mapping[SlotRef, str] = {}
        if slots:
            words = await self._own.places(self._remembered, slots)
        drawn: dict[Asked, Drawn] = {}
        for one in asked:
            shared = self._rules.shared_by(one.ref.owner)
            source = words.get(one.ref) if isinstance(one.ref, SlotRef) else shared
            if source is not None:
                owner = OwnerRef(one.provider, one.ref.owner)
                # What all share is nobody's.
                drawn[one] = Drawn(owner=owner, source=source, counts=shared != one.ref.owner)
        return drawn

    # --- writes -------------------------------------------------------------------------------------------------------

    async def write(self, verb: Capability, owner: OwnerRef, change: Any) -> Written:
        """Carry out a verb in one transaction; see `writes.write`."""
        grant = await self._grant()
        if grant is not None and not self._rules.may_write(grant.holder, owner.owner, verb):
            if not self._rules.may_read(grant.holder, owner.owner):
                raise NotFound(f"{self._title} has no such owner.")
            raise Forbidden(f"This inventory of {self._title} cannot be changed with the credential.")
        for source in self._own.sources(owner, change):
            if grant is not None and not self._rules.may_read(grant.holder, source.owner):
                raise NotFound(f"{self._title} has no such owner.")
        return await write(self._store, self._own, verb, owner, change, at=self._backend.clock())

    def assume(self, shown: Shown) -> None:
        """Show things as a write that was only simulated would have left them."""
        self._assumed.update({one.container.ref: one for one in shown.contents})
        self._supposed.update({node.ref: node for node in shown.nodes if isinstance(node, Container)})
        self._supposed_items.update({node.ref: node for node in shown.nodes if isinstance(node, Item)})


def _owner(key: Any) -> str:
    return key.ref.owner if isinstance(key, Asked) else key.owner


def _key(key: Any) -> str:
    return key.ref.key if isinstance(key, Asked) else key.key


def _owner_ref(key: Any) -> OwnerRef:
    of = key.ref if isinstance(key, Asked) else key
    return OwnerRef(of.provider, of.owner)


_FEW_SHELVES = 12
"""Of how many shelves a list is put together from a list of each; one of more goes through all holdings."""


def _by_shelf(one: Asked) -> list[Asked] | None:
    """Give the lists of single shelves that a list over several is made of; None where it is not."""
    if not isinstance(one.ref, OwnerRef) or not isinstance(one.arguments, BothWaysArguments):
        return None
    wanted = one.arguments.filter
    if wanted is None or wanted.shelves is None or len(wanted.shelves) > _FEW_SHELVES:
        return None
    arguments = replace(one.arguments, filter=replace(wanted, shelves=None))
    return [Asked(one.provider, ContainerRef(*one.ref, shelf), arguments) for shelf in dict.fromkeys(wanted.shelves)]


def _merged(parts: Sequence[Part[Item]], asked: Window) -> Part[Item]:
    """Put a page together from the pages of its parts, each of which has as much as the whole may need."""
    entries = sorted((entry for part in parts for entry in part.entries), key=_placed)
    goes_on = any(part.has_previous if asked.backwards else part.has_next for part in parts)
    cut = entries[-asked.size - 1 :] if asked.backwards else entries[: asked.size + 1]
    merged = trimmed(cut, asked)
    if asked.backwards:
        merged.has_previous = merged.has_previous or goes_on
    else:
        merged.has_next = merged.has_next or goes_on
    return merged


def _placed(entry: tuple[Position, Item]) -> tuple[Any, str]:
    return cast("Any", entry[0].value), entry[0].sort


def _asks(key: Any) -> bool:
    return isinstance(key, Asked) and isinstance(key.arguments, NumberedArguments) and key.arguments.asks


def _listed_of(
    forests: Mapping[OwnerRef, Forest], asked: Sequence[Asked], listed: Callable[[Forest, Asked], Part[Container]]
) -> dict[Asked, ContainerConnection]:
    """List containers that are in memory; of an owner, or a container, that is not there, nothing."""
    found: dict[Asked, ContainerConnection] = {}
    for one in asked:
        forest = forests.get(_owner_ref(one))
        if forest is not None and (isinstance(one.ref, OwnerRef) or forest.get(one.ref.key) is not None):
            found[one] = ContainerConnection.of(listed(forest, one))
    return found
