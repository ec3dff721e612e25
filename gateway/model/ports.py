"""The seams: what a backend must do, what a provider must bring, and what travels through them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from gateway.files import Format
from gateway.model.arguments import ContainerKind, ItemFilter
from gateway.model.change import ChangeSet, InventoryChange
from gateway.model.container import Container, ContainerConnection, Contents
from gateway.model.credentials import Credential
from gateway.model.definition import DefinitionConnection, ItemDefinition
from gateway.model.errors import Forbidden, GatewayError, Internal, Refusal
from gateway.model.ids import ContainerRef, DefinitionRef, FactRef, ItemRef, OwnerRef, OwnershipRef, SlotRef
from gateway.model.item import Item, ItemConnection
from gateway.model.manifest import BackendKind, Capability, Manifest
from gateway.model.owner import InventoryOwner
from gateway.model.principal import Principal
from gateway.model.relations import Asked
from gateway.telemetry import Figure

K = TypeVar("K")
V = TypeVar("V")

ENDLESS = 2**31 - 1
"""As many rows as there are."""

Clock: TypeAlias = Callable[[], datetime]
"""Gives the time, in UTC."""

Results: TypeAlias = Mapping[K, V | GatewayError | None]
"""The answer to a batch: a value, an error, or None for what does not exist, per key; a missing key reads as None."""


class Session(Protocol):
    """One caller's dealings with one backend, for the length of one request.

    Every method answers a batch of unique keys at once, and is named as the loader that calls it. What fails for one
    key is that key's error; only what fails for all is raised. A GatewayError is the only exception that leaves.
    Of an `Asked`, `ref` and `arguments` are as its method tells.
    """

    @property
    def credential(self) -> Credential:
        """The caller's credential."""
        ...

    async def identity(self, key: str) -> str:
        """Give the key of the owner that `key`, with `me` in it, means; Unauthenticated without a credential."""
        ...

    async def renew(self, part: str) -> str:
        """Make a new secret, the short-lived `part` of a credential, from the long-lived one that it is renewed by."""
        ...

    async def owners_by_key(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, InventoryOwner]:
        """Give the owners that this caller may know of, their names filled in."""
        ...

    async def facts_by_key(self, refs: Sequence[FactRef]) -> Results[FactRef, object]:
        """Give documents of the provider's own about owners."""
        ...

    async def visibility_by_owner(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, bool]:
        """Tell whether this caller may see what is inside."""
        ...

    async def ownership_by_key(self, refs: Sequence[OwnershipRef]) -> Results[OwnershipRef, bool]:
        """Tell whether owners hold at least one of a definition."""
        ...

    async def containers_by_key(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Container]:
        """Give containers."""
        ...

    async def containers_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List top levels: OwnerRef, ContainerArguments."""
        ...

    async def containers_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List direct children: ContainerRef, PageArguments."""
        ...

    async def descendants_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List trees: ContainerRef, DescendantArguments."""
        ...

    async def contents_by_container(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Contents]:
        """Read what lies in containers: slots, capacity, version."""
        ...

    async def items_by_key(self, refs: Sequence[ItemRef]) -> Results[ItemRef, Item]:
        """Give holdings."""
        ...

    async def items_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List all holdings: OwnerRef, BothWaysArguments."""
        ...

    async def items_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List what lies directly in containers: ContainerRef, ItemArguments."""
        ...

    async def totals_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Sum quantities by definition: OwnerRef, TotalArguments."""
        ...

    async def catalogue_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """List what inventories could hold: OwnerRef, CatalogueArguments."""
        ...

    async def definitions_by_slot(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """List what fits slots: SlotRef, AcceptArguments."""
        ...

    async def definitions_by_container(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """List what containers hold that hold definitions, and no copies: ContainerRef, PageArguments."""
        ...

    async def definitions_by_key(self, refs: Sequence[DefinitionRef]) -> Results[DefinitionRef, ItemDefinition]:
        """Give catalogue entries."""
        ...

    async def definition_keys(self, kind: str) -> list[str]:
        """List the keys of all definitions whose key begins with `<kind>:`, in the catalogue's order."""
        ...

    async def count_by_list(self, asked: Sequence[Asked]) -> Results[Asked, int]:
        """Count whole lists that a connection of this session left uncounted: its `counted`."""
        ...

    async def write(self, verb: Capability, owner: OwnerRef, change: Any) -> Written:
        """Carry out a verb; `change` is its input."""
        ...

    def assume(self, shown: Shown) -> None:
        """Show things as a write that was only simulated would have left them."""
        ...

    async def aclose(self) -> None:
        """End the session; calls still under way are cancelled."""
        ...


class Source(Protocol):
    """Where a provider's inventories come from: a local store, or the service itself."""

    @property
    def manifest(self) -> Manifest:
        """What the provider declares."""
        ...

    @property
    def kind(self) -> BackendKind:
        """Which of the two it is."""
        ...

    def session(self, credential: Credential) -> Session:
        """Open a session for a caller; cheap, and calls nothing."""
        ...

    async def owners(self) -> list[OwnerRef]:
        """List every owner that the backend holds itself; empty where it holds none."""
        ...

    def figures(self) -> list[Figure]:
        """List what is to be watched of the backend."""
        ...


class Feed(Protocol):
    """Where what changes in a provider's inventories is told."""

    def changes(self, credential: Credential, owner: OwnerRef, since: str | None) -> AsyncGenerator[InventoryChange]:
        """Tell what changes in an inventory from now on, or from after the cursor `since`, in order and without end.

        Ends with a GatewayError when the credential may no longer see it.
        """
        ...


class Backend(Source, Protocol):
    """All that the graph needs of one provider."""

    async def follow(
        self, credential: Credential, owner: OwnerRef, since: str | None
    ) -> AsyncGenerator[InventoryChange]:
        """Give the changes of an inventory, see `Feed.changes`, to those who may see it."""
        ...


class Account(NamedTuple):
    """An account at a provider that a principal has linked, the credential that was left for it, and its seal."""

    owner: OwnerRef
    linked_at: datetime
    credential: Credential
    sealed: str


class Sealed(NamedTuple):
    """The same as the store has it: only the vault can open it."""

    owner: OwnerRef
    linked_at: datetime
    sealed: str


Reseal: TypeAlias = Callable[[str, str, str], str | None]
"""Seals an account anew: from its subject, its provider and the old seal; None where it cannot be opened."""


class SealedAccounts(Protocol):
    """What the vault needs of a store; a principal is named by its subject."""

    async def accounts_of(self, subject: str) -> Sequence[Sealed]:
        """List a principal's accounts."""
        ...

    async def put_account(self, subject: str, owner: OwnerRef, sealed: str, at: datetime) -> None:
        """Keep an account, in the place of the one of that provider before."""
        ...

    async def replace_seal(self, subject: str, provider: str, before: str, sealed: str) -> bool:
        """Put another seal on an account; False where it has another than `before` by now, or is gone."""
        ...

    async def remove_account(self, subject: str, provider: str) -> Sealed | None:
        """Forget an account, and give what it was; None where there is none."""
        ...

    async def reseal_accounts(self, seal: Reseal) -> int:
        """Put another seal on every account, all or none, and count them; one that is given none is forgotten."""
        ...


class Vault(Protocol):
    """Where principals leave their credentials."""

    async def linked(self, principal: Principal) -> list[Account]:
        """Give a principal's accounts, of each provider at most one."""
        ...

    async def link(self, principal: Principal, owner: OwnerRef, credential: Credential) -> Account:
        """Keep a credential, whose owner is known, in the place of the one of that provider before."""
        ...

    async def renew(self, principal: Principal, account: Account) -> bool:
        """Keep what the service goes on with for an account, and say whether; a store that fails is only logged."""
        ...

    async def unlink(self, principal: Principal, provider: str) -> tuple[OwnerRef, datetime] | None:
        """Forget a credential, and tell whose it was and since when it was kept; None where there was none."""
        ...


class Holder(NamedTuple):
    """Who holds a credential that we made: the owner it was made for, and which part of a credential it is."""

    owner: str
    part: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a credential that we made for our own dialect allows: whose it is, which scopes, until when.

    `facts` is the provider's own document about the credential.
    """

    holder: Holder
    scopes: tuple[str, ...]
    facts: object
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A credential just made: the secret, shown once and kept only as a hash, and what is kept of it."""

    secret: str
    label: str
    facts: object
    expires_at: datetime | None


@dataclass(slots=True, kw_only=True)
class Holdings:
    """A container with all below it, as a service tells it in one document; it replaces what the store has of it."""

    container: Container
    children: list[Container] = field(default_factory=list[Container])
    items: list[Item] = field(default_factory=list[Item])


@dataclass(slots=True, kw_only=True)
class Stock:
    """Items of an owner that lie in no container, as a service tells them in one document.

    With `whole`, all others that the store has of the owner are gone, with `shelves` those on these; `gone` are the
    keys of those that are told to be.
    `found` are items of which only that they are owned is known: those that the store has stay as they are.
    """

    owner: OwnerRef
    items: list[Item]
    gone: list[str]
    whole: bool
    found: list[Item] = field(default_factory=list[Item])
    shelves: Sequence[str] = ()


@dataclass(slots=True, kw_only=True)
class Catalogue:
    """A family of definitions, whole: others of it that the store has are gone."""

    provider: str
    family: str
    definitions: list[ItemDefinition]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A document of the provider's own about an owner."""

    ref: FactRef
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """A document of the provider's own that is made from what the store has of it, None where that is nothing."""

    ref: FactRef
    amend: Callable[[object | None], object]


Record: TypeAlias = InventoryOwner | Holdings | Stock | Fact | Amendment | ItemDefinition | Catalogue | Container
"""What an import brings; a Container alone is made where it is missing, and left as it is where it stands."""


class Rules(Protocol):
    """What a provider allows, and how its things lie together; pure. A provider's `rules` module is one."""

    def check_owner(self, key: str) -> None:
        """Raise InvalidInput where this cannot be an owner's key."""
        ...

    def check_container(self, key: str) -> None:
        """Raise InvalidInput where this cannot be a container's key."""
        ...

    def check_item(self, key: str) -> None:
        """Raise InvalidInput where this cannot be an item's key."""
        ...

    def check_definition(self, key: str) -> None:
        """Raise InvalidInput where this cannot be a definition's key."""
        ...

    def scopes_for(self, read: str, kind: str) -> tuple[str, ...]:
        """Give the scopes that a credential needs for a read: a method of `Session`, and the kind of thing read."""
        ...

    def shown(self, fact: object, scopes: Collection[str]) -> object:
        """Give a document about an owner as a credential with these scopes may see it."""
        ...

    def lacking(self, scopes: Sequence[str]) -> Forbidden:
        """Refuse for want of scopes, in the service's own words."""
        ...

    def unknown(self, definition: str) -> Refusal | None:
        """Refuse a definition that the catalogue lacks, where nothing else can exist; None, where it may."""
        ...

    def own_key(self, holder: Holder, key: str) -> str:
        """Give the owner's key that `key`, with `me` in it, means for the holder of a credential; InvalidInput."""
        ...

    def may_read(self, holder: Holder, owner: str) -> bool:
        """Say whether the holder of a credential may know of an owner; else it is unknown."""
        ...

    def may_write(self, holder: Holder, owner: str, verb: Capability) -> bool:
        """Say whether the holder of a credential may do this to an owner's inventory."""
        ...

    def secret(self, part: str, sent: str) -> str:
        """Give the secret that a caller sends as a part of a credential, which may stand within something longer."""
        ...

    def fault_code(self, part: str | None, *, expired: bool) -> str | None:
        """Give the service's own word for a credential's part that is unknown or has expired; None, for none at all."""
        ...

    def shared_by(self, owner: str) -> str | None:
        """Give the owner whose documents, and family of definitions, an inventory is laid over; None without such."""
        ...

    @property
    def RENEWED(self) -> Mapping[str, Collection[str]]:  # noqa: N802 -- a module is the implementation
        """Which parts of a credential are made in exchange for which, by the latter."""
        ...

    @property
    def TOP_LEVEL(self) -> tuple[ContainerKind, ...]:  # noqa: N802 -- a module is the implementation
        """The kinds that an inventory's top level lists, if no kind is asked for."""
        ...

    def mint(self, wanted: Wanted) -> Minted:
        """Make a credential in the service's own form."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The credential to make; `limits` are the service's own restrictions of it, such as paths."""

    part: str
    owner: str
    name: str
    scopes: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime | None
    limits: tuple[str, ...]


class Reader(Protocol):
    """What a provider reads of the store; each method takes a whole batch, and leaves out what is not there."""

    async def owners(self, refs: Sequence[OwnerRef]) -> Mapping[OwnerRef, InventoryOwner]:
        """Give owners."""
        ...

    async def facts(self, refs: Sequence[FactRef]) -> Mapping[FactRef, object]:
        """Give documents about owners."""
        ...

    async def containers(self, refs: Sequence[ContainerRef]) -> Mapping[ContainerRef, Container]:
        """Give containers."""
        ...

    async def contents(
        self, refs: Sequence[ContainerRef]
    ) -> Mapping[ContainerRef, tuple[Container, list[Container], list[Item]]]:
        """Give containers with their direct children, and what lies directly in any of them, in natural order."""
        ...

    async def below(
        self, refs: Sequence[ContainerRef], *, depth: int | None = None, most: int = ENDLESS
    ) -> Sequence[Container]:
        """Give the containers below these, each once, parents before their children; of `depth` levels, `most` of them.

        Which ones, where there are more than `most`, is not said.
        """
        ...

    async def above(self, refs: Sequence[ContainerRef]) -> Sequence[Container]:
        """Give all containers that these lie in, at whatever distance, each once, in no order."""
        ...

    async def with_role(self, refs: Sequence[ContainerRef]) -> Sequence[Container]:
        """Give the containers of an owner that have a role: the `key` of each reference; in no order."""
        ...

    async def items(self, refs: Sequence[ItemRef]) -> Mapping[ItemRef, Item]:
        """Give holdings."""
        ...

    async def inside(self, refs: Sequence[ContainerRef], *, most: int = ENDLESS) -> Sequence[Item]:
        """Give what lies directly in containers, `most` of it, in no order."""
        ...

    async def loose(self, ref: OwnerRef, *, most: int = ENDLESS) -> Sequence[Item]:
        """Give the holdings of an owner that lie in no container, in natural order, `most` of them."""
        ...

    async def links_to(self, refs: Sequence[ItemRef]) -> Sequence[Item]:
        """Give the holdings of the same owners that point at these keys, of items or containers; in no order."""
        ...

    async def definitions(self, refs: Sequence[DefinitionRef]) -> Mapping[DefinitionRef, ItemDefinition | Internal]:
        """Give catalogue entries; one that cannot be read is an error."""
        ...

    async def holds(self, refs: Sequence[OwnershipRef]) -> Mapping[OwnershipRef, bool]:
        """Tell whether owners hold at least one of a definition; every key is answered."""
        ...

    async def count_definitions(self, provider: str, families: Sequence[str]) -> Mapping[str, int]:
        """Count families of definitions; those that have none are left out."""
        ...


class Storage(Reader, Protocol):
    """The store, as a provider's own part of the local backend sees it."""

    def writing(self, *refs: OwnerRef) -> AbstractAsyncContextManager[Writing]:
        """Open a transaction that holds these owners' locks; it is undone by any exception.

        Within a transaction it is that one.
        """
        ...


class Writing(Storage, Protocol):
    """What a provider changes in the store, in one transaction that holds the owner's lock."""

    async def put_facts(self, facts: Iterable[Fact]) -> None:
        """Make or replace documents about owners."""
        ...

    async def put_owner(self, owner: InventoryOwner) -> None:
        """Make or update an owner; a name that was told before stays where none is told now."""
        ...

    async def put_containers(self, containers: Iterable[Container]) -> None:
        """Make or replace containers' own rows; what lies in them stays."""
        ...

    async def put_items(self, items: Iterable[Item]) -> None:
        """Make or replace holdings."""
        ...

    async def delete_containers(self, refs: Sequence[ContainerRef]) -> None:
        """Remove containers with all that lies below them."""
        ...

    async def delete_items(self, refs: Sequence[ItemRef]) -> None:
        """Remove holdings."""
        ...

    async def record(
        self,
        ref: OwnerRef,
        verb: str,
        body: object,
        *,
        at: datetime,
        transaction_id: str | None = None,
        input_hash: str | None = None,
    ) -> int:
        """Append to the owner's change log; `body` is a change set, or any JSON."""
        ...


@dataclass(slots=True, kw_only=True)
class Shown:
    """What a payload shows beside its change set: its parts by name, and the containers that they are of.

    `nodes` are the containers and items that the write made or changed, as it left them.
    """

    parts: dict[str, Any]
    contents: list[Contents]
    nodes: Sequence[Container | Item] = ()


@dataclass(slots=True, kw_only=True)
class Written:
    """What a verb did, and what its payload shows of it.

    Where lists are not done as a whole, `refused` are the entries that were not done, each with its path.
    """

    changes: ChangeSet
    shown: Shown
    refused: Sequence[Refusal] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a caller may see of an inventory: whether what is inside, and on which shelves nothing."""

    is_open: bool
    hidden: frozenset[str] = frozenset()


OPEN = Access(is_open=True)
"""Everything may be seen."""


class Local(Protocol):
    """A provider's own part of the local backend: what the store alone cannot tell, and the verbs.

    What a provider has no need of, `backends.plain.Plain` does.
    """

    def lays(self, key: str) -> bool:
        """Say whether only its contents tell which items lie in a container of this key: the items do not."""
        ...

    async def access(
        self, store: Storage, grant: Grant | None, owners: Sequence[OwnerRef]
    ) -> Mapping[OwnerRef, Access]:
        """Tell what the holder of a grant may see of inventories; those left out are open. None is who is trusted."""
        ...

    def narrowed(self, wanted: ItemFilter, access: Access) -> tuple[ItemFilter, bool]:
        """Narrow a list of all holdings to those that it is of, and that may be seen.

        And say whether some were asked for by name that may not.
        """
        ...

    async def containers(
        self, store: Storage, access: Mapping[OwnerRef, Access]
    ) -> Mapping[OwnerRef, Sequence[Container]] | None:
        """Give all containers of owners who are there, where they are no rows of the store; else None."""
        ...

    def shelves(self, container: Container) -> Sequence[str] | None:
        """Give the shelves whose items a container shows that is no row of the store; None where that is not known."""
        ...

    async def contents(self, store: Storage, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Contents]:
        """Lay out what lies in containers, within a transaction or without."""
        ...

    async def facts(self, store: Storage, refs: Sequence[FactRef]) -> Results[FactRef, object]:
        """Give documents about owners, as they stand now."""
        ...

    async def places(self, store: Storage, refs: Sequence[SlotRef]) -> Mapping[SlotRef, str]:
        """Give, of slots that exist, the words that `ItemDefinition.fits` has for them."""
        ...

    async def resolve(self, store: Storage, refs: Sequence[ContainerRef]) -> Mapping[ContainerRef, ContainerRef]:
        """Give what references to containers by another name than their key mean; those by key are left out."""
        ...

    def sources(self, owner: OwnerRef, change: Any) -> Collection[OwnerRef]:
        """Give the other owners whose things a verb copies."""
        ...

    def check(self, verb: Capability, owner: OwnerRef, change: Any) -> None:
        """Raise a Refusal for an input that cannot be one of the verb's, before anything is read."""
        ...

    async def write(self, store: Writing, verb: Capability, owner: OwnerRef, change: Any) -> Written:
        """Carry out a verb, within the transaction; `change` is its input, whose shared part is seen to already."""
        ...

    async def replay(self, store: Writing, verb: Capability, owner: OwnerRef, change: Any, changes: ChangeSet) -> Shown:
        """Give what a verb's payload shows, as it stands now: it was carried out before, and did these changes."""
        ...


class Archive(Protocol):
    """A provider's own file formats, read for import and written for export; a provider's `archive` module is one."""

    @property
    def FORMATS(self) -> Mapping[str, Format]:  # noqa: N802 -- a module is the implementation
        """The forms of a file beside JSON, by name."""
        ...

    def parse_record(self, kind: str | None, payload: object, owner: str | None) -> Iterable[Record]:
        """Read one document of the service; InvalidInput says what is wrong with it."""
        ...

    def splits(self, kind: str | None, payload: object) -> bool:
        """Say whether a document is a list of records that stand or fall one by one."""
        ...

    def render_export(self, owned: Owned) -> Iterator[tuple[str, object]]:
        """Write all that is kept of an owner as the service's documents, each under its path."""
        ...

    def family(self, kind: str) -> str:
        """Give the first part of the definition keys of a kind of catalogue entry; InvalidInput for an unknown one."""
        ...

    def render_definition(self, definition: ItemDefinition) -> object:
        """Write a catalogue entry as the service's document."""
        ...


@dataclass(slots=True, kw_only=True)
class Owned:
    """All that the store has of one owner.

    `shared` are the documents, and `catalogue` the definitions, that its inventory is laid over: see `Rules.shared_by`.
    """

    owner: InventoryOwner
    facts: list[Fact]
    containers: list[Container]
    items: list[Item]
    shared: list[Fact]
    catalogue: list[ItemDefinition]
