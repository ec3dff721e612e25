"""Guarded: holds any backend to its manifest, its callers to the form of keys, and its errors to their provider."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import structlog

from gateway.backends.visible import check_visible
from gateway.model.arguments import CollectibleArguments
from gateway.model.change import InventoryChange
from gateway.model.credentials import Credential
from gateway.model.deadline import Limit, time_left
from gateway.model.errors import (
    FAULT,
    Forbidden,
    GatewayError,
    Internal,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unsupported,
    UpstreamTimeout,
)
from gateway.model.ids import ContainerRef, DefinitionRef, FactRef, ItemRef, OwnerRef, OwnershipRef, SlotRef
from gateway.model.manifest import BackendKind, Capability, Manifest
from gateway.model.ports import Feed, Rules, Session, Shown, Source, Written
from gateway.model.principal import Principal
from gateway.model.relations import Asked
from gateway.telemetry import Figure

K = TypeVar("K")
E = TypeVar("E", bound=GatewayError)

_GRACE = 0.5
"""Seconds past the deadline after which a read is cut off."""

_log = structlog.get_logger("gateway.backends")

_NEEDS = {
    "ownership_by_key": Capability.OWNERSHIP_CHECK,
}
"""Reads that a backend may leave undeclared; they are then refused."""

_ELSE_NULL = {
    "catalogue_by_owner": Capability.CATALOGUE,
    "definitions_by_slot": Capability.CATALOGUE,
}
"""Reads that a backend may leave undeclared; there is then nothing to show, which is no error."""


_SHARED = {
    "transaction_id": ("transactionId", Capability.TRANSACTIONS),
    "if_match": ("ifMatch", Capability.CONDITIONAL_WRITES),
    "simulate": ("simulate", Capability.SIMULATE),
}
"""What a change may ask for beside its verb, by the name of its part, and what that is called in the schema."""


Check = Callable[[Any], None]


def _checks(rules: Rules) -> Mapping[type, Check]:
    """Give what each type of key is checked by; by type, since thousands of keys may come in one request."""

    def check_owner(ref: Any) -> None:
        rules.check_owner(ref.owner)

    def check_container(ref: ContainerRef) -> None:
        rules.check_owner(ref.owner)
        rules.check_container(ref.key)

    def check_slot(ref: SlotRef) -> None:
        rules.check_owner(ref.owner)
        rules.check_container(ref.container)

    def check_item(ref: ItemRef) -> None:
        rules.check_owner(ref.owner)
        rules.check_item(ref.key)

    def check_definition(ref: DefinitionRef) -> None:
        rules.check_definition(ref.key)

    def check_ownership(ref: OwnershipRef) -> None:
        rules.check_owner(ref.owner)
        rules.check_definition(ref.definition)

    def check_fact(ref: FactRef) -> None:
        # The catalogue is nobody's.
        if ref.owner:
            rules.check_owner(ref.owner)

    def check_asked(asked: Asked) -> None:
        ref: object = asked.ref
        checks.get(type(ref), _refuse)(ref)

    checks: Mapping[type, Check] = {
        OwnerRef: check_owner,
        ContainerRef: check_container,
        SlotRef: check_slot,
        ItemRef: check_item,
        DefinitionRef: check_definition,
        OwnershipRef: check_ownership,
        FactRef: check_fact,
        Asked: check_asked,
    }
    return checks


def _refuse(key: object) -> None:
    raise TypeError(f"{type(key).__name__} is no key of a backend")


class Guarded:
    """A backend that is called only for what its manifest declares, with keys that can be its own."""

    def __init__(self, inner: Source, rules: Rules, feed: Feed | None = None) -> None:
        """Without a `feed` nobody learns of changes."""
        self.inner = inner
        self.feed = feed
        self.rules = rules
        self.checks = _checks(rules)
        self.manifest: Manifest = inner.manifest
        self.kind: BackendKind = inner.kind

    def session(self, credential: Credential) -> GuardedSession:
        """Open a session for a caller."""
        return GuardedSession(self, self.inner.session(credential), credential.principal)

    async def owners(self) -> list[OwnerRef]:
        """List every owner that the backend holds itself."""
        return await self.inner.owners()

    async def follow(
        self, credential: Credential, owner: OwnerRef, since: str | None
    ) -> AsyncGenerator[InventoryChange]:
        """Give the changes of an inventory to those who may see it."""
        if self.feed is None:
            raise self.named(Unsupported(f"What changes at {self.manifest.title} is not told here."))
        try:
            await check_visible(self, self.rules, credential, owner)
        except GatewayError as error:
            raise self.named(error) from None
        return self._named(self.feed.changes(credential, owner, since))

    async def _named(self, changes: AsyncGenerator[InventoryChange]) -> AsyncGenerator[InventoryChange]:
        try:
            async with contextlib.aclosing(changes):
                async for change in changes:
                    yield change
        except GatewayError as error:
            raise self.named(error) from None

    def figures(self) -> list[Figure]:
        """List what is to be watched of the backend."""
        return self.inner.figures()

    def require(self, capability: Capability) -> None:
        """Raise Unsupported unless the backend declares it."""
        if capability not in self.manifest.capabilities[self.kind]:
            raise self.named(Unsupported(f"{self.manifest.title} does not support `{capability.value}` here."))

    def named(self, error: E) -> E:
        """Put the provider's name on an error."""
        if error.provider is None:
            error.provider = self.manifest.key
        return error


class GuardedSession:
    """A session each of whose reads is checked on the way in and out."""

    def __init__(self, backend: Guarded, inner: Session, principal: Principal) -> None:
        self._backend = backend
        self._inner = inner
        self._principal = principal
        key = backend.manifest.key
        # What an owner's inventory is laid over is no more than a part of it.
        self._shared = {backend.rules.shared_by(owner) for owner in principal.named(key)}

    @property
    def credential(self) -> Credential:
        """The caller's credential, as what answers has it."""
        return self._inner.credential

    def _may_read(self, owner: str) -> bool:
        return self._principal.may_read(self._backend.manifest.key, owner) or owner in self._shared

    def _is_hidden(self, key: object) -> bool:
        """Say whether a key is of an owner who is not the principal's to know; the catalogue is nobody's."""
        owner = getattr(key.ref if isinstance(key, Asked) else key, "owner", "")
        return bool(owner) and not self._may_read(owner)

    async def _read(
        self, name: str, keys: Sequence[K], read: Callable[[Sequence[K]], Awaitable[Mapping[K, Any]]]
    ) -> dict[K, Any]:
        declared = self._backend.manifest.capabilities[self._backend.kind]
        if name in _ELSE_NULL and _ELSE_NULL[name] not in declared:
            return {}
        if name in _NEEDS:
            self._backend.require(_NEEDS[name])
        checks = self._backend.checks
        refused: dict[K, Any] = {}
        for key in keys:
            try:
                checks.get(type(key), _refuse)(key)
            except InvalidInput as error:
                refused[key] = self._backend.named(error)
        good = [key for key in keys if key not in refused] if refused else keys
        if not self._principal.is_everyone:
            # What is not there to be known is not there.
            good = [key for key in good if not self._is_hidden(key)]
        results: dict[K, Any] = {**refused, **(await self._safely(lambda: read(good)))} if good else refused
        for found in results.values():
            if isinstance(found, GatewayError):
                self._told(found)
        return results

    def _told(self, error: GatewayError) -> GatewayError:
        """Name an error's provider; a fault of ours goes to the log, since a client is told nothing of its cause."""
        if isinstance(error, Internal):
            _log.error("backend_failed", provider=self._backend.manifest.key, exc_info=error)
        return self._backend.named(error)

    async def _safely(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Let only our own errors out, in time; anything else is logged, and told as a fault of ours."""
        left = time_left()
        # Calls of a service stop by themselves at the deadline, and leave a list its other parts.
        limit = None if left is None else Limit(left + _GRACE)
        try:
            if limit is None:
                return await call()
            with limit:
                return await call()
        except GatewayError as error:
            self._told(error)
            raise
        except Exception as error:
            if limit is not None and limit.expired and isinstance(error, TimeoutError):
                raise self._backend.named(UpstreamTimeout("There was no answer in time.")) from None
            _log.exception("backend_failed", provider=self._backend.manifest.key)
            raise self._backend.named(Internal(FAULT)) from error

    async def identity(self, key: str) -> str:
        """Give the key of the owner that `key`, with `me` in it, means."""
        title = self._backend.manifest.title
        if not self._principal.may_read_any(self._backend.manifest.key):
            # Whoever the gateway's own credential is of, it is nobody whom they may know of: no one is asked.
            raise self._backend.named(Unauthenticated(f"A credential of {title} is needed."))
        found = await self._safely(lambda: self._inner.identity(key))
        if not self._principal.is_everyone and not self._may_read(found):
            raise self._backend.named(NotFound(f"{title} has no such owner."))
        return found

    async def renew(self, part: str) -> str:
        """Make a new secret of the short-lived kind."""
        return await self._safely(lambda: self._inner.renew(part))

    async def owners_by_key(self, refs: Sequence[OwnerRef]) -> dict[OwnerRef, Any]:
        """Read owners."""
        return await self._read("owners_by_key", refs, self._inner.owners_by_key)

    async def facts_by_key(self, refs: Sequence[FactRef]) -> dict[FactRef, Any]:
        """Read documents about owners."""
        return await self._read("facts_by_key", refs, self._inner.facts_by_key)

    async def visibility_by_owner(self, refs: Sequence[OwnerRef]) -> dict[OwnerRef, Any]:
        """Read what may be seen."""
        return await self._read("visibility_by_owner", refs, self._inner.visibility_by_owner)

    async def ownership_by_key(self, refs: Sequence[OwnershipRef]) -> dict[OwnershipRef, Any]:
        """Read what is held."""
        return await self._read("ownership_by_key", refs, self._inner.ownership_by_key)

    async def containers_by_key(self, refs: Sequence[ContainerRef]) -> dict[ContainerRef, Any]:
        """Read containers."""
        return await self._read("containers_by_key", refs, self._inner.containers_by_key)

    async def containers_by_owner(self, asked: Sequence[Asked]) -> dict[Asked, Any]:
        """Read top levels."""
        return await self._read("containers_by_owner", asked, self._inner.containers_by_owner)

    async def containers_by_container(self, asked: Sequence[Asked]) -> dict[Asked, Any]:
        """Read children."""
        return await self._read("containers_by_container", asked, self._inner.containers_by_container)

    async def descendants_by_container(self, asked: Sequence[Asked]) -> dict[Asked, Any]:
        """Read trees."""
        return await self._read("descendants_by_container", asked, self._inner.descendants_by_container)

    async def contents_by_container(self, refs: Sequence[ContainerRef]) -> dict[ContainerRef, Any]:
        """Read what lies in containers."""
        return await self._read("contents_by_container", refs, self._inner.contents_by_container)

    async def items_by_key(self, refs: Sequence[ItemRef]) -> dict[ItemRef, Any]:
        """Read holdings."""
        return await self._read("items_by_key", refs, self._inner.items_by_key)

    async def items_by_owner(self, asked: Sequence[Asked]) -> dict[Asked, Any]:
        """Read all holdings; collectibles alone only where there can be any."""
        declared = self._backend.manifest.capabilities[self._backend.kind]
        if Capability.COLLECTIBLES in declared:
            return await self._read("items_by_owner", asked, self._inner.items_by_owner)
        refused = {one: self._uncollectible() for one in asked if isinstance(one.arguments, CollectibleArguments)}
        others = [one for one in asked if one not in refused]
        return {**refused, **await self._read("items_by_owner", others, self._inner.items_by_owner)}

    def _uncollectible(self) -> GatewayError:
        return self._backend.named(Unsupported(f"{self._backend.manifest.title} has no collectibles here."))

    async def items_by_container(self, asked: Sequence[Asked]) -> dict[Asked, Any]:
        """Read what lies directly in containers."""
        return await self._read("items_by_container", asked, self._inner.items_by_container)

    async def totals_by_owner(self, asked: Sequence[Asked]) -> dict[Asked, Any]:
        """Read sums."""
        return await self._read("totals_by_owner", asked, self._inner.totals_by_owner)

    async def catalogue_by_owner(self, asked: Sequence[Asked]) -> dict[Asked, Any]:
        """Read what could be held."""
        return await self._read("catalogue_by_owner", asked, self._inner.catalogue_by_owner)

    async def definitions_by_slot(self, asked: Sequence[Asked]) -> dict[Asked, Any]:
        """Read what fits."""
        return await self._read("definitions_by_slot", asked, self._inner.definitions_by_slot)

    async def definitions_by_container(self, asked: Sequence[Asked]) -> dict[Asked, Any]:
        """Read what containers hold that hold definitions."""
        return await self._read("definitions_by_container", asked, self._inner.definitions_by_container)

    async def definitions_by_key(self, refs: Sequence[DefinitionRef]) -> dict[DefinitionRef, Any]:
        """Read catalogue entries."""
        return await self._read("definitions_by_key", refs, self._inner.definitions_by_key)

    async def definition_keys(self, kind: str) -> list[str]:
        """Read the keys of a family of definitions."""
        return await self._safely(lambda: self._inner.definition_keys(kind))

    async def count_by_list(self, asked: Sequence[Asked]) -> dict[Asked, Any]:
        """Read counts."""
        return await self._read("count_by_list", asked, self._inner.count_by_list)

    def assume(self, shown: Shown) -> None:
        """Show things as a simulated write would have left them."""
        self._inner.assume(shown)

    async def write(self, verb: Capability, owner: OwnerRef, change: Any) -> Written:
        """Write, if the manifest declares the verb and all that the change asks for beside it."""
        self._backend.require(verb)
        declared = self._backend.manifest.capabilities[self._backend.kind]
        for name, (word, capability) in _SHARED.items():
            if getattr(change, name, None) and capability not in declared:
                title = self._backend.manifest.title
                raise self._backend.named(Unsupported(f"{title} does not support `{word}` here.").at(word))
        if not self._principal.may_write(*owner):
            if not self._may_read(owner.owner):
                raise self._backend.named(NotFound(f"{self._backend.manifest.title} has no such owner."))
            raise self._backend.named(Forbidden("This inventory may be read, and not changed."))
        try:
            self._backend.rules.check_owner(owner.owner)
        except InvalidInput as error:
            raise self._backend.named(error) from None
        return await self._safely(lambda: self._inner.write(verb, owner, change))

    async def aclose(self) -> None:
        """End the session."""
        await self._inner.aclose()
