"""LocalBackend: a provider served from our own store, by the provider's rules."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from gateway.model.arguments import (
    CollectibleArguments,
    ContainerArguments,
    ContainerKind,
    ItemArguments,
    PageArguments,
    TotalArguments,
)
from gateway.model.container import Container, ContainerConnection, Contents
from gateway.model.credentials import Credential
from gateway.model.definition import DefinitionConnection, ItemDefinition
from gateway.model.errors import GatewayError, Unauthenticated, Unsupported
from gateway.model.ids import ContainerRef, DefinitionRef, FactRef, ItemRef, OwnerRef, OwnershipRef
from gateway.model.item import Item, ItemConnection
from gateway.model.loader import Loader
from gateway.model.manifest import BackendKind, Capability, Manifest
from gateway.model.node import problem
from gateway.model.owner import CREDENTIAL, InventoryOwner
from gateway.model.paging import trimmed
from gateway.model.ports import Grant, Results, Rules
from gateway.model.relations import Asked
from gateway.store.store import Store
from gateway.telemetry import Figure

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Clock = Callable[[], datetime]


def now() -> datetime:
    """Give the time, in UTC."""
    return datetime.now(UTC)


class LocalBackend:
    """A store as a backend: the provider's rules tell how things lie together and what a credential may read."""

    kind = BackendKind.LOCAL

    def __init__(self, manifest: Manifest, rules: Rules, store: Store, *, clock: Clock = now) -> None:
        self.manifest = manifest
        self.rules = rules
        self.store = store
        self.clock = clock

    def session(self, credential: Credential) -> LocalSession:
        """Open a session for a caller; one without a credential is trusted, as the door has let it in."""
        return LocalSession(self, credential)

    async def owners(self) -> list[OwnerRef]:
        """List every owner in the store."""
        return await self.store.owner_refs(self.manifest.key)

    def figures(self) -> list[Figure]:
        """List nothing: the store keeps no figures."""
        return []


class LocalSession:
    """One caller's reads of the store: the statements of a method grow with distinct arguments, never with keys."""

    def __init__(self, backend: LocalBackend, credential: Credential) -> None:
        self._backend = backend
        self._rules = backend.rules
        self._store = backend.store
        self._title = backend.manifest.title
        self._credential = credential
        self._known: Grant | None = None
        self._laid: list[Contents] = []
        # Every list asks whether what it lists exists; each is looked up once.
        self._owners: Loader[OwnerRef, InventoryOwner] = Loader(backend.store.owners)
        self._containers: Loader[ContainerRef, Container] = Loader(backend.store.containers)

    async def aclose(self) -> None:
        """Cancel the reads still under way, and let go of what was read."""
        await self._owners.aclose()
        await self._containers.aclose()
        for contents in self._laid:
            contents.release()

    # --- whose --------------------------------------------------------------------------------------------------------

    async def _grant(self) -> Grant | None:
        """Look up what the credential allows, once; None for a caller without one."""
        if not self._credential:
            return None
        if self._known is None:
            key = self._backend.manifest.key
            for part in self._backend.manifest.credential_parts:
                secret = self._credential.part(part.key)
                if secret is not None:
                    self._known = await self._store.grant(key, part.key, secret, self._backend.clock())
        if self._known is None or (
            self._known.expires_at is not None and self._known.expires_at <= self._backend.clock()
        ):
            raise self._unauthenticated("is not accepted here")
        return self._known

    def _unauthenticated(self, why: str) -> Unauthenticated:
        titles = " or ".join(part.title for part in self._backend.manifest.credential_parts)
        return Unauthenticated(f"The {titles} of {self._title} {why}.")

    async def identity(self) -> str:
        """Give the owner of the credential."""
        grant = await self._grant()
        if grant is None:
            raise self._unauthenticated("is needed")
        return grant.owner

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
            if owner(key) != grant.owner:
                refused[key] = None
            elif missing := self._missing(grant, read, kind(key)):
                refused[key] = self._rules.lacking(missing)
            else:
                allowed.append(key)
        return allowed, refused

    def _missing(self, grant: Grant, read: str, kind: str) -> list[str]:
        return [scope for scope in self._rules.scopes_for(read, kind) if scope not in grant.scopes]

    async def owners_by_key(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, InventoryOwner]:
        """Give owners; one statement."""
        allowed, refused = await self._allowed("owners_by_key", refs, _owner, lambda _: "")
        return {**refused, **await _found(self._owners, allowed)}

    async def facts_by_key(self, refs: Sequence[FactRef]) -> Results[FactRef, object]:
        """Give documents about owners; one statement. What is told of the credential comes with the credential."""
        grant = await self._grant()
        allowed, results = await self._allowed("facts_by_key", refs, _owner, lambda ref: ref.kind)
        for ref in [ref for ref in allowed if ref.kind == CREDENTIAL]:
            results[ref] = grant.facts if grant is not None else self._unauthenticated("is needed")
        found = await self._store.facts([ref for ref in allowed if ref.kind != CREDENTIAL])
        if grant is not None:
            found = {ref: self._rules.shown(fact, grant.scopes) for ref, fact in found.items()}
        return {**results, **found}

    async def visibility_by_owner(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, bool]:
        """Tell whether the credential has the scopes that the inventory takes; one statement."""
        known = await self.owners_by_key(refs)
        grant = await self._grant()
        visible = grant is None or not self._missing(grant, "visibility_by_owner", "")
        return {
            ref: found if isinstance(found, GatewayError) else visible
            for ref in refs
            if (found := known.get(ref)) is not None
        }

    async def ownership_by_key(self, refs: Sequence[OwnershipRef]) -> Results[OwnershipRef, bool]:
        """Tell whether owners hold definitions; two statements."""
        allowed, refused = await self._allowed("ownership_by_key", refs, _owner, lambda _: "")
        owners = await _found(self._owners, [OwnerRef(ref.provider, ref.owner) for ref in allowed])
        known = [ref for ref in allowed if OwnerRef(ref.provider, ref.owner) in owners]
        return {**refused, **await self._store.holds(known)}

    # --- containers ---------------------------------------------------------------------------------------------------

    async def containers_by_key(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Container]:
        """Give containers; one statement."""
        allowed, refused = await self._allowed("containers_by_key", refs, _owner, _key)
        return {**refused, **await _found(self._containers, allowed)}

    async def containers_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List top levels; one statement for each set of arguments, one for their owners."""
        grant = await self._grant()
        allowed, results = await self._allowed("owners_by_key", asked, _owner, lambda _: "")
        owners = await _found(self._owners, [cast("OwnerRef", one.ref) for one in allowed])
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
        return await self._below("containers_by_container", asked)

    async def descendants_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List trees; one statement for each set of arguments, one for their owners."""
        return await self._below("descendants_by_container", asked)

    async def _below(self, read: str, asked: Sequence[Asked]) -> dict[Asked, Any]:
        allowed, results = await self._allowed(read, asked, _owner, _key)
        known = await _found(self._containers, [cast("ContainerRef", one.ref) for one in allowed])
        return {**results, **await self._contained([one for one in allowed if one.ref in known])}

    async def contents_by_container(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Contents]:
        """Read what lies in containers; two statements."""
        allowed, results = await self._allowed("contents_by_container", refs, _owner, _key)
        for ref, inside in (await self._store.contents(allowed)).items():
            results[ref] = contents = self._rules.contents(*inside)
            self._laid.append(contents)
        return results

    # --- items --------------------------------------------------------------------------------------------------------

    async def items_by_key(self, refs: Sequence[ItemRef]) -> Results[ItemRef, Item]:
        """Give holdings; one statement."""
        allowed, refused = await self._allowed("items_by_key", refs, _owner, lambda ref: ref.key)
        return {**refused, **await self._store.items(allowed)}

    async def items_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List all holdings; one statement for each set of arguments, one for their owners."""
        allowed, results = await self._allowed("items_by_owner", asked, _owner, lambda _: "")
        known = await _found(self._owners, [cast("OwnerRef", one.ref) for one in allowed])
        return {**results, **await self._listed([one for one in allowed if one.ref in known])}

    async def items_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List what lies directly in containers; one statement for each set of arguments, one for their owners."""
        allowed, results = await self._allowed("items_by_container", asked, _owner, _key)
        known = await _found(self._containers, [cast("ContainerRef", one.ref) for one in allowed])
        return {**results, **await self._listed([one for one in allowed if one.ref in known])}

    async def _listed(self, asked: Sequence[Asked]) -> dict[Asked, ItemConnection]:
        parts = await self._store.item_lists(asked)
        return {one: ItemConnection.of(parts[one], counted=one) for one in asked}

    async def totals_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Sum quantities by definition; one statement for each set of arguments, one for their owners."""
        allowed, results = await self._allowed("totals_by_owner", asked, _owner, lambda _: "")
        known = await _found(self._owners, [cast("OwnerRef", one.ref) for one in allowed])
        parts = await self._store.totals([one for one in allowed if one.ref in known])
        made = {one: DefinitionConnection.of(cast("Any", part), counted=one) for one, part in parts.items()}
        return {**results, **made}

    async def count_by_list(self, asked: Sequence[Asked]) -> Results[Asked, int]:
        """Count whole lists; one statement for each kind of list and set of arguments."""
        counts: dict[Asked, int] = {}
        for takes, count in (
            ((ItemArguments, CollectibleArguments), self._store.count_items),
            (TotalArguments, self._store.count_totals),
            (PageArguments, self._store.count_containers),
        ):
            counts.update(await count([one for one in asked if isinstance(one.arguments, takes) and one not in counts]))
        return counts

    # --- the catalogue ------------------------------------------------------------------------------------------------

    async def definitions_by_key(self, refs: Sequence[DefinitionRef]) -> Results[DefinitionRef, ItemDefinition]:
        """Give catalogue entries; one statement."""
        return await self._store.definitions(refs)

    async def definition_keys(self, kind: str) -> list[str]:
        """List the keys of a family of definitions; one statement."""
        return await self._store.definition_keys(self._backend.manifest.key, kind)

    async def catalogue_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Refuse: no provider that is served from the store has a bounded catalogue yet."""
        raise Unsupported(f"{self._title} has no bounded catalogue.")

    async def definitions_by_slot(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Refuse: no provider that is served from the store tells what fits a slot yet."""
        raise Unsupported(f"{self._title} does not tell what fits a slot.")

    async def write(self, verb: Capability, owner: OwnerRef, change: Any) -> Any:
        """Refuse: no provider that is served from the store declares a verb yet."""
        raise Unsupported(f"{self._title} does not support `{verb.value}` here.")


async def _found(loader: Loader[K, V], keys: Sequence[K]) -> dict[K, V]:
    """Load keys together, and give those that exist."""
    unique = list(dict.fromkeys(keys))
    loaded = await loader.load_many(unique)
    found: dict[K, V] = {}
    for key in unique:
        value = loaded.get(key)
        if isinstance(value, Exception):
            raise value
        if value is not None:
            found[key] = value
    return found


def _owner(key: Any) -> str:
    return key.ref.owner if isinstance(key, Asked) else key.owner


def _key(key: Any) -> str:
    return key.ref.key if isinstance(key, Asked) else key.key
