"""The loaders of one request: one set per request, keyed by provider and credential; the only way to a backend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self, cast

from gateway.api.federation import entity_by_reference
from gateway.api.keys import NodeKey, SearchKey, ViewerKey
from gateway.api.search import search_items
from gateway.model.account import LinkedAccount
from gateway.model.container import Contents
from gateway.model.credentials import Caller, Credential, check_partition
from gateway.model.errors import GatewayError, InvalidInput, Unsupported
from gateway.model.ids import (
    CONTAINER,
    DEFINITION,
    INVENTORY,
    ITEM,
    ME,
    OWNER,
    SLOT,
    ContainerRef,
    ItemRef,
    NodeIds,
    OwnerRef,
    PlaceRef,
    SlotRef,
    TargetRef,
    decode_id,
    is_me,
)
from gateway.model.inventory import Inventory
from gateway.model.item import Target
from gateway.model.loader import Loader
from gateway.model.manifest import BackendKind
from gateway.model.node import Connection, Node
from gateway.model.paging import NATURAL, Position, part_of
from gateway.model.ports import Account, Backend, Session
from gateway.model.principal import NOBODY
from gateway.model.provider import InventoryProvider, shown
from gateway.model.relations import Asked, Keyed
from gateway.model.slot import Places, Slot


class Loaders:
    """What one request reads, each thing once.

    A loader's key never mixes callers: a request has one credential per provider, and its session, which all loaders
    of that provider read through, is opened for that credential alone.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend],
        caller: Caller,
        accounts: Sequence[Account] = (),
    ) -> None:
        """`accounts` are those that the caller has linked, used where they bring no credential."""
        self.caller = caller
        self.accounts = {account.owner.provider: account for account in accounts}
        self.used: dict[str, Account] = {}
        """The accounts whose credentials were used."""
        self._backends = backends
        self._sessions: dict[tuple[str, str], Session] = {}
        self._loaders: dict[tuple[str, str, str], Loader[Any, Any]] = {}
        self._alone = False
        self._held: list[Contents] = []

    def load(self, loader: str, key: Keyed) -> Awaitable[Any]:
        """Give the value of one key of the loader of that name."""
        return self.loader(loader, key.provider).load(key)

    def load_many(
        self, loader: str, provider: str, keys: Sequence[Any], *, alone: bool = False
    ) -> Awaitable[Mapping[Any, Any]]:
        """Give the values, or errors, of unique keys of one provider; what is absent is None, or missing.

        `alone` says that nothing else of this request asks for anything now, so that no more keys are waited for.
        """
        self._alone = alone
        found = self.loader(loader, provider)
        return found.read_many(keys) if alone else found.load_many(keys)

    def several(self) -> Self:
        """Note that several things are asked for at once from now on."""
        self._alone = False
        return self

    def one(self, loader: str, key: Keyed) -> Awaitable[Any]:
        """Give the value of one key, for a loader that needs no other at the same time."""
        found = self.loader(loader, key.provider)
        return found.read(key) if self._alone else found.load(key)

    def loader(self, name: str, provider: str) -> Loader[Any, Any]:
        """Give the loader of that name for the request's credential of that provider."""
        credential = self.credential(provider)
        at = (name, provider, credential.partition)
        found = self._loaders.get(at)
        if found is None:
            derived = DERIVED.get(name)
            found = self._loaders[at] = (
                Loader[Any, Any].alone(partial(derived, self))
                if derived
                else Loader(partial(self._through, name, provider))
            )
        return found

    async def _through(self, name: str, provider: str, keys: Sequence[Any]) -> Mapping[Any, Any]:
        """Read keys through the session's method of that name; a provider that is not served fails only here."""
        session = self.session(provider)
        found: Mapping[Any, Any] = await getattr(session, name)(keys)
        # The edge: what is answered was read with the credential of the one who asks, or it is not answered.
        check_partition(session.credential.partition, self.credential(provider))
        return found

    def session(self, provider: str) -> Session:
        """Give the request's session with a provider; Unsupported where the gateway has no such provider."""
        credential = self.credential(provider)
        at = (provider, credential.partition)
        if at not in self._sessions:
            self._sessions[at] = self.backend(provider).session(credential)
        return self._sessions[at]

    def backend(self, provider: str) -> Backend:
        """Give the backend of a provider; Unsupported where the gateway has none."""
        backend = self._backends.get(provider)
        if backend is None:
            error = Unsupported("This gateway does not serve that provider.")
            error.provider = provider or None
            raise error
        return backend

    def backends(self) -> list[Backend]:
        """List the backends of all providers."""
        return list(self._backends.values())

    def credential(self, provider: str) -> Credential:
        """Give the credential that this request uses with a provider."""
        found = self.caller.brought.get(provider)
        if found is not None:
            return found
        account = self.accounts.get(provider) if self.accounts else None
        if account is not None:
            self.used[provider] = account
            return account.credential
        lent = self.caller.lent.get(provider)
        return Credential(provider, principal=NOBODY) if lent is None else lent

    async def note(self, provider: str, account: Account | None) -> None:
        """Note which account of a provider is linked from now on, None for none, and drop what was read before."""
        if account is None:
            self.accounts.pop(provider, None)
        else:
            self.accounts[provider] = account
        await self.forget(provider)

    async def owner(self, provider: str, key: str) -> OwnerRef:
        """Refer to an owner, `me` being the account of the credential in use."""
        if not is_me(key):
            return OwnerRef(provider, key)
        return OwnerRef(provider, await self.one("identity", OwnerRef(provider, key)))

    async def forget(self, provider: str) -> None:
        """Drop what was read from a provider: a write has changed it."""
        for at in [at for at in self._loaders if at[1] in (provider, "")]:
            await self._loaders.pop(at).aclose()
        for at in [at for at in self._sessions if at[0] == provider]:
            await self._sessions.pop(at).aclose()

    def hold(self, contents: Sequence[Contents]) -> None:
        """Take charge of what a payload shows, until the end of the request."""
        self._held += contents

    async def aclose(self) -> None:
        """End the request: what is still being read is cancelled."""
        for contents in self._held:
            contents.release()
        self._held.clear()
        for part in (*self._loaders.values(), *self._sessions.values()):
            await part.aclose()


Derived = Callable[[Loaders, Any], Awaitable[Any]]


async def _owner_by_input(loaders: Loaders, key: OwnerRef) -> Any:
    return await loaders.one("owners_by_key", await loaders.owner(*key))


async def _inventory_by_input(loaders: Loaders, key: OwnerRef) -> Inventory | None:
    ref = await loaders.owner(*key)
    if key.owner == ME:
        # Who has a credential is there: nothing is to be looked up. Behind a slash it may be there only elsewhere.
        return Inventory(owner_ref=ref)
    return await _inventory_of(loaders, ref)


async def _inventory_of(loaders: Loaders, ref: OwnerRef) -> Inventory | None:
    owner = await loaders.one("owners_by_key", ref)
    return None if owner is None else Inventory(owner_ref=owner.ref)


async def _node_by_id(loaders: Loaders, key: NodeKey) -> Node | None:
    kind, ref = decode_id(key.id)
    if kind == INVENTORY:
        # As it stands: no id holds `me`.
        return await _inventory_of(loaders, cast("OwnerRef", ref))
    by_kind = {
        OWNER: "owners_by_key",
        CONTAINER: "containers_by_key",
        SLOT: "slots_by_key",
        ITEM: "items_by_key",
        DEFINITION: "definitions_by_key",
    }
    return await loaders.one(by_kind[kind], ref)


async def _nodes_by_ids(loaders: Loaders, asked: Asked) -> Connection[Node]:
    ids = cast("NodeIds", asked.ref).ids
    entries = [(Position(NATURAL, place, node_id), node_id) for place, node_id in enumerate(ids)]
    part = part_of(entries, asked.arguments.window, position=lambda entry: entry[0])
    loaders.several()
    found = await asyncio.gather(*(_node_by_id(loaders, NodeKey("", node_id)) for _, (_, node_id) in part.entries))
    nodes = [(position, node) for (position, _), node in zip(part.entries, found, strict=True)]
    part.entries = cast("Any", nodes)
    return Connection[Node].of(cast("Any", part))


async def _identity(loaders: Loaders, key: OwnerRef) -> str:
    session = loaders.session(key.provider)
    found = await session.identity(key.owner)
    check_partition(session.credential.partition, loaders.credential(key.provider))
    return found


async def _places_by_item(loaders: Loaders, ref: PlaceRef) -> Places:
    contents = await loaders.one("contents_by_container", ContainerRef(*ref[:3]))
    found: list[Slot] = [] if contents is None else contents.places.get(ref.item, [])
    return Places(container=found[0].container if found else None, slots=found)


async def _target_by_ref(loaders: Loaders, ref: TargetRef) -> Target:
    refer, loader = (ItemRef, "items_by_key") if ref.kind == ITEM else (ContainerRef, "containers_by_key")
    return Target(node=await loaders.one(loader, refer(ref.provider, ref.owner, ref.key)))


async def _slot_by_key(loaders: Loaders, ref: SlotRef) -> Any:
    contents = await loaders.one("contents_by_container", ContainerRef(*ref[:3]))
    slots = contents.slots if contents is not None and contents.slots is not None else ()
    return next((slot for slot in slots if slot.key == ref.key), None)


async def _providers(loaders: Loaders, _key: ViewerKey) -> list[InventoryProvider]:
    return [shown(backend.manifest, backend.kind) for backend in loaders.backends()]


async def _viewer(_loaders: Loaders, _key: ViewerKey) -> Any:
    from gateway.api.queries import InventoryViewer  # noqa: PLC0415 -- the root types name the loaders' keys

    return InventoryViewer()


async def _readable(loaders: Loaders, backend: Backend) -> list[OwnerRef]:
    """List the owners of a provider whom the caller may read; at a service, the one whose credential they have."""
    key = backend.manifest.key
    # Of its own store the gateway knows whom else a credential lets one see.
    if key in loaders.caller.brought and backend.kind is BackendKind.UPSTREAM:
        try:
            return [await loaders.owner(key, ME)]
        except (InvalidInput, Unsupported):
            # Not every credential tells by itself whose it is.
            return []
    if key in loaders.accounts and key not in loaders.caller.brought:
        return [loaders.accounts[key].owner]
    principal = loaders.credential(key).principal
    # Those whom it is told of one by one may be where the backend holds nobody itself.
    named = [OwnerRef(key, owner) for owner in principal.named(key)]
    return [*named, *(ref for ref in await backend.owners() if principal.may_read(*ref))]


async def _owners_by_viewer(loaders: Loaders, _key: ViewerKey) -> Any:
    told = await asyncio.gather(*(_readable(loaders, one) for one in loaders.backends()), return_exceptions=True)
    refs = dict.fromkeys(ref for some in told if not isinstance(some, BaseException) for ref in some)
    found = await asyncio.gather(*(loaders.load("owners_by_key", ref) for ref in refs), return_exceptions=True)
    owners = [owner for owner in found if owner is not None and not isinstance(owner, BaseException)]
    for error in (*told, *found):
        # An empty list means that there is no one; that no one could be read is something else.
        if isinstance(error, BaseException) and not (owners and isinstance(error, GatewayError)):
            raise error
    return owners


async def _accounts_by_viewer(loaders: Loaders, _key: ViewerKey) -> Any:
    if not loaders.caller.principal.scopes:
        return []
    return [LinkedAccount.of(account.owner, account.linked_at) for account in loaders.accounts.values()]


async def _items_by_search(loaders: Loaders, key: SearchKey) -> Any:
    return await search_items(loaders.several(), key)


DERIVED: Mapping[str, Derived] = {
    "identity": _identity,
    "owner_by_input": _owner_by_input,
    "inventory_by_input": _inventory_by_input,
    "node_by_id": _node_by_id,
    "nodes_by_ids": _nodes_by_ids,
    "entity_by_reference": entity_by_reference,
    "slots_by_key": _slot_by_key,
    "places_by_item": _places_by_item,
    "targets_by_ref": _target_by_ref,
    "providers": _providers,
    "viewer": _viewer,
    "owners_by_viewer": _owners_by_viewer,
    "accounts_by_viewer": _accounts_by_viewer,
    "items_by_search": _items_by_search,
}
"""The loaders that only join what others load; every other name is a method of `Session`."""
