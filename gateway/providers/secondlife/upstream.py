"""Upstream: Second Life's inventory service itself, over HTTP, behind the capability that a caller has of it."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import httpx

from gateway.files import Malformed
from gateway.model import owner as owners
from gateway.model.arguments import ContainerKind, DescendantArguments, ItemArguments
from gateway.model.container import Container, ContainerConnection, Contents
from gateway.model.credentials import Credential
from gateway.model.definition import DefinitionConnection, ItemDefinition
from gateway.model.errors import (
    Conflict,
    Failure,
    Forbidden,
    GatewayError,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Refusal,
    Unauthenticated,
    Unsupported,
    UpstreamInvalid,
    UpstreamUnavailable,
    refuse,
)
from gateway.model.ids import ContainerRef, DefinitionRef, FactRef, ItemRef, OwnerRef, OwnershipRef
from gateway.model.item import Item, ItemConnection
from gateway.model.listing import list_containers, list_items
from gateway.model.loader import Loader, each
from gateway.model.manifest import BackendKind, Capability, Manifest, ProviderKey
from gateway.model.node import SourceProblem, problem
from gateway.model.owner import InventoryOwner
from gateway.model.paging import Part
from gateway.model.ports import Holder, Results, Shown, Written
from gateway.model.relations import Asked
from gateway.model.verbs import ContentsPart
from gateway.providers.secondlife import keys, orders, rules, wire
from gateway.providers.secondlife.codec import LLSD, parse_llsd, write_llsd
from gateway.providers.secondlife.keys import (
    INVENTORY_PART,
    LIBRARY,
    LIBRARY_PART,
    ROOT,
    SEED_PART,
    SPECIAL,
    agent_of,
    owner_of,
)
from gateway.providers.secondlife.manifest import MANIFEST
from gateway.providers.secondlife.orders import UNSET, Order, order_of
from gateway.providers.secondlife.refusals import (
    CategoryGone,
    CategoryNotFound,
    ItemGone,
    ItemNotFound,
    TooLarge,
)
from gateway.providers.secondlife.tree import Outcome, new_id
from gateway.providers.secondlife.types import Branch, Orphans, SecondLifeAgent, SecondLifeCategory, Thing
from gateway.providers.secondlife.verbs import Done, changed, parts_of
from gateway.providers.secondlife.wire import Document, Misread, Wanted
from gateway.telemetry import Figure
from gateway.transport.cache import Private
from gateway.transport.client import Client
from gateway.transport.errors import judge_status, retry_after

_DEEPEST = 50
"""How many levels one call asks for at most: as many as viewers do."""

_AT_ONCE = 8
"""How many calls of one session are under way at once."""

_BATCH = 20
"""How many folders one call names: as many as viewers do."""

_MOST_CALLS = 1_000
"""How many calls one tree may take; what is left is told as a problem."""

_IDENTITIES, _ADDRESSES = 10_000, 10_000
_ADDRESS_SECONDS = 3_600.0

_BARE = re.compile(r"[0-9A-Za-z_-]{1,128}\Z")

_READ = {"Accept": LLSD, "Content-Type": LLSD}
_PARTS = (INVENTORY_PART, LIBRARY_PART)
_NAMES = {INVENTORY_PART: "InventoryAPIv3", LIBRARY_PART: "LibraryAPIv3"}


class _Answer(NamedTuple):
    """An answer's status and document, and whether the request was sent more than once."""

    status: int
    document: Document
    repeated: bool


class Upstream:
    """The service as a backend; it keeps whose capabilities are, and those that were got for seeds."""

    manifest: Manifest = MANIFEST
    kind = BackendKind.UPSTREAM

    def __init__(
        self,
        client: Client,
        base_url: str,
        *,
        account_cache: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`base_url`: where capabilities lie that come without an address; empty for nowhere.

        `account_cache` is not used: a viewer's inventory changes under it.
        """
        del account_cache
        self.client = client
        self.base_url = base_url.rstrip("/")
        # By the part of the credential.
        self.identities: Private[str, str] = Private(entries=_IDENTITIES, clock=clock)
        self.addresses: Private[None, Mapping[str, str]] = Private(
            entries=_ADDRESSES, seconds=_ADDRESS_SECONDS, clock=clock
        )

    def session(self, credential: Credential) -> UpstreamSession:
        """Open a session for a caller."""
        return UpstreamSession(self, credential)

    async def owners(self) -> list[OwnerRef]:
        """List no one: whose inventories there are, only the service knows."""
        return []

    def figures(self) -> list[Figure]:
        """List nothing: no document is kept."""
        return []

    def address(self, capability: str) -> str:
        """Give the address of a capability, which must lie on a host that may be called; Unauthenticated."""
        if "://" not in capability:
            if not self.base_url or not _BARE.match(capability):
                raise Unauthenticated("This is not the address of a capability.")
            return f"{self.base_url}/{capability}"
        if not _is_allowed(capability, self.base_url):
            raise Unauthenticated("Capabilities on that host are not accepted here.")
        return capability.rstrip("/")


def _is_allowed(address: str, base_url: str) -> bool:
    """Say whether an address may be called: by https, unless it is of this machine, on a host of the service."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.username is not None or not {*"?#\\ "}.isdisjoint(address) or ".." in parts.path:
        return False
    if base_url and address.startswith(base_url + "/"):
        return True
    if parts.scheme != "https" and not _is_loopback(host):
        return False
    known = any(host == one or host.endswith(f".{one}") for one in MANIFEST.credential_hosts)
    return known and port != 0


_LONGEST_MESSAGE = 200


def _left(step: _Step, message: str) -> Refusal:
    """Tell of an entry that was not done, or of which that is not known."""
    return Conflict(message, retryable=False).at(*step.place)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class UpstreamSession:
    """One caller's dealings with the service: each folder is fetched once, until something is written."""

    def __init__(self, upstream: Upstream, credential: Credential) -> None:
        self._upstream = upstream
        self._credential = credential
        self._calls = asyncio.Semaphore(_AT_ONCE)
        self._supposed: dict[ContainerRef, Container] = {}
        self._supposed_items: dict[ItemRef, Item] = {}
        self._open()

    def _open(self) -> None:
        self._folders: Loader[ContainerRef, Branch] = Loader(self._fetch_folders)
        self._branches: Loader[tuple[OwnerRef, Wanted], Branch] = Loader[tuple[OwnerRef, Wanted], Branch].alone(
            self._fetch_branch
        )
        self._things: Loader[ItemRef, Item] = Loader[ItemRef, Item].alone(self._fetch_item)
        self._trees: Loader[ContainerRef, _Tree] = Loader[ContainerRef, _Tree].alone(self._fetch_whole)
        self._known: dict[ContainerRef, SecondLifeCategory] = {}
        self._expanded: dict[ContainerRef, Branch] = {}
        self._seen: dict[ItemRef, Thing] = {}

    @property
    def credential(self) -> Credential:
        """The caller's credential."""
        return self._credential

    async def aclose(self) -> None:
        """Cancel the calls still under way."""
        for loader in (self._trees, self._folders, self._branches, self._things):
            await loader.aclose()

    async def _forget(self) -> None:
        await self.aclose()
        self._open()

    # --- calls --------------------------------------------------------------------------------------------------------

    async def _address(self, part: str) -> str:
        given = self._credential.part(part)
        if given is None and self._credential.part(SEED_PART) is not None:
            given = (await self._got()).get(part)
        if given is None:
            raise Unauthenticated(f"The {_title(part)} of Second Life is needed.")
        return self._upstream.address(given)

    async def _got(self) -> Mapping[str, str]:
        """Give the capabilities that the seed capability leads to."""
        kept = self._upstream.addresses.get(self._credential, None)
        if kept is None:
            seed = self._upstream.address(cast("str", self._credential.part(SEED_PART)))
            request = httpx.Request(
                "POST",
                seed,
                headers=_READ,
                content=write_llsd(list(_NAMES.values())),
                extensions={"repeatable": True},
            )
            try:
                answer = await self._sent(request)
            except OutcomeUnknown as lost:
                # That is said of writes; here nothing was to be changed.
                raise UpstreamUnavailable("The seed was not answered.", provider_code=lost.provider_code) from None
            if answer.status != 200:
                raise Unauthenticated("The seed capability is not accepted.")
            found = {part: answer.document.get(name) for part, name in _NAMES.items()}
            told = {part: str(url) for part, url in found.items() if isinstance(url, str)}
            kept = self._upstream.addresses.keep(self._credential, None, told)
        return kept

    async def _sent(self, request: httpx.Request) -> _Answer:
        async with self._calls:
            response = await self._upstream.client.send(request, partition=self._credential.partition)
        repeated = bool(request.extensions.get("repeated"))
        return _Answer(response.status_code, _document(response), repeated)

    async def _get(self, part: str, path: str) -> _Answer:
        answer = await self._got_once(part, path)
        return await self._get(part, path) if await self._is_renewed(part, answer) else answer

    async def _got_once(self, part: str, path: str) -> _Answer:
        address = await self._address(part)
        async with self._calls:
            response = await self._upstream.client.get(
                address + path, headers=_READ, partition=self._credential.partition
            )
        return _Answer(response.status_code, _document(response), repeated=False)

    async def _is_renewed(self, part: str, answer: _Answer) -> bool:
        """Tell what is not there from a capability that is no more, which looks alike: there is always a root.

        One that was got for a seed is got anew, and it is said that it was; any other is Unauthenticated.
        """
        if answer.status != 404 or {"category_id", "item_id"} & answer.document.keys():
            return False
        self._upstream.identities.drop(self._credential, part)
        try:
            await self._identity(part)
        except Unauthenticated:
            if self._credential.part(part) is not None or not self._upstream.addresses.drop(self._credential, None):
                raise
            await self._identity(part)
            return True
        return False

    async def _identity(self, part: str) -> str:
        """Give the owner's key of a capability: asked once, then known by the credential's hash."""
        known = self._upstream.identities.get(self._credential, part)
        if known is None:
            answer = await self._got_once(part, _ROOT_PATH)
            if answer.status != 200:
                raise Unauthenticated(f"The {_title(part)} of Second Life is not accepted.")
            agent = _reading(lambda: wire.read_key(answer.document.get("agent_id"), "agent_id"))
            mine = LIBRARY if part == LIBRARY_PART else owner_of(agent)
            known = self._upstream.identities.keep(self._credential, part, mine)
        return known

    def _has(self, part: str) -> bool:
        return self._credential.part(part) is not None or self._credential.part(SEED_PART) is not None

    async def _part(self, owner: str) -> str | None:
        """Give the part of the credential that an owner's inventory is reached by; None where there is none."""
        if owner == LIBRARY:
            if self._has(LIBRARY_PART):
                return LIBRARY_PART
            return INVENTORY_PART if await self._mine() == LIBRARY else None
        return INVENTORY_PART if await self._mine() == owner else None

    async def _mine(self) -> str | None:
        if not self._has(INVENTORY_PART):
            if not self._has(LIBRARY_PART):
                raise Unauthenticated(f"The {_title(INVENTORY_PART)} of Second Life is needed.")
            return None
        return await self._identity(INVENTORY_PART)

    async def identity(self, key: str) -> str:
        """Give the agent whose capability it is; one call, then known."""
        mine = await self._mine()
        part = INVENTORY_PART if mine is not None else LIBRARY_PART
        return rules.own_key(Holder(mine or await self._identity(LIBRARY_PART), part), key)

    async def renew(self, part: str) -> str:
        """Refuse: what a seed leads to is the service's to give."""
        del part
        raise Unsupported("Capabilities of Second Life are got from the service itself.")

    # --- documents ----------------------------------------------------------------------------------------------------

    async def _fetch_branch(self, asked: tuple[OwnerRef, Wanted]) -> Branch | None:
        """Get a category with as much of what lies in it as is wanted; TooLarge where the service says so."""
        owner, wanted = asked
        part = await self._part(owner.owner)
        if part is None:
            return None
        answer = await self._get(part, _path(wanted))
        if answer.status == 403 and wanted.what != wire.ALONE:
            raise TooLarge
        if answer.status != 200:
            error = read_refusal(answer.status, answer.document, category=wanted.category, item=None)
            if isinstance(error, NotFound):
                return None
            raise error
        branch = _reading(lambda: wire.parse_branch(answer.document, owner))
        if wanted.category not in (branch.category.key, *SPECIAL):
            raise UpstreamInvalid("The service's answer is about another folder.")
        if wanted.only:
            children = [one for one in branch.children or () if one.category.key in wanted.only]
            branch = Branch(category=branch.category, items=None, children=children)
        self._note(branch)
        return branch

    def _note(self, branch: Branch) -> None:
        """Remember what an answer tells, for those who ask next."""
        for one in wire.walk(branch):
            ref = one.category.ref
            if one.items is not None and one.children is not None:
                self._expanded[ref] = one
            self._known[ref] = one.category
            for item in one.items or ():
                self._seen[item.ref] = item

    async def branch(self, owner: OwnerRef, wanted: Wanted) -> Branch | None:
        """Give a category with as much of what lies in it as is wanted."""
        return await self._branches.read((owner, wanted))

    async def _fetch_folders(self, refs: Sequence[ContainerRef]) -> Mapping[ContainerRef, Any]:
        """Get folders with what lies directly in them: those of one parent together, twenty at a time."""
        found: dict[ContainerRef, Any] = {ref: self._expanded[ref] for ref in refs if ref in self._expanded}
        missing = [ref for ref in refs if ref not in found]
        siblings: defaultdict[ContainerRef | None, list[ContainerRef]] = defaultdict(list)
        for ref in missing:
            known = self._known.get(ref)
            siblings[None if known is None else known.parent_ref].append(ref)
        alone = siblings.pop(None, [])
        groups: list[tuple[ContainerRef, list[ContainerRef]]] = []
        for parent, children in siblings.items():
            if parent is None or len(children) == 1:
                alone += children
            else:
                groups += [(parent, children[at : at + _BATCH]) for at in range(0, len(children), _BATCH)]
        singles = each(alone, self._fetch_folder)
        results = await asyncio.gather(singles, *(self._fetch_siblings(*group) for group in groups))
        for result in results:
            found.update(result)
        return found

    async def _fetch_folder(self, ref: ContainerRef) -> Branch | None:
        return await self.branch(OwnerRef(ref.provider, ref.owner), Wanted(ref.key, wire.CHILDREN, 0))

    async def _fetch_siblings(self, parent: ContainerRef, refs: Sequence[ContainerRef]) -> dict[ContainerRef, Any]:
        """Get folders of one parent by one call; by more, where the service finds that too much."""
        if len(refs) == 1:
            return await each(refs, self._fetch_folder)
        wanted = Wanted(parent.key, wire.CHILDREN, 1, tuple(ref.key for ref in refs))
        try:
            branch = await self.branch(OwnerRef(parent.provider, parent.owner), wanted)
        except TooLarge:
            middle = len(refs) // 2
            halves = await asyncio.gather(
                self._fetch_siblings(parent, refs[:middle]), self._fetch_siblings(parent, refs[middle:])
            )
            return {**halves[0], **halves[1]}
        except GatewayError as error:
            return dict.fromkeys(refs, error)
        told = {one.category.ref: one for one in (branch.children or () if branch else ()) if one.items is not None}
        # What is not among them may have been moved meanwhile.
        left = [ref for ref in refs if ref not in told]
        return {**told, **await each(left, self._fetch_folder)}

    async def _fetch_item(self, ref: ItemRef) -> Item | None:
        part = await self._part(ref.owner)
        if part is None:
            return None
        answer = await self._get(part, wire.item_path(ref.key))
        if answer.status != 200:
            error = read_refusal(answer.status, answer.document, category=None, item=ref.key)
            if isinstance(error, NotFound):
                return None
            raise error
        thing = _reading(lambda: wire.parse_thing(answer.document, OwnerRef(ref.provider, ref.owner)))
        if thing.key != ref.key:
            raise UpstreamInvalid("The service's answer is about another item.")
        return thing

    async def _fetch_whole(self, ref: ContainerRef) -> _Tree | None:
        return await self._tree(ref, None)

    async def _tree(self, ref: ContainerRef, depth: int | None) -> _Tree | None:
        """Read what lies below a folder: as deep as one call goes, then what it has only named, twenty at a time."""
        growing = _Growing(self, OwnerRef(ref.provider, ref.owner), depth)
        return await growing.grown(ref)

    # --- owners -------------------------------------------------------------------------------------------------------

    async def owners_by_key(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, InventoryOwner]:
        """Give the agent whose capability it is, and the library."""
        return await each(refs, self._owner)

    async def _owner(self, ref: OwnerRef) -> InventoryOwner | None:
        if await self._part(ref.owner) is None:
            return None
        owner = InventoryOwner(provider=ProviderKey.SECOND_LIFE, key=ref.owner)
        owner.name = None
        return owner

    async def facts_by_key(self, refs: Sequence[FactRef]) -> Results[FactRef, object]:
        """Give agents, trees, and what lies in no folder."""
        return await each(refs, self._fact)

    async def _fact(self, ref: FactRef) -> object:
        owner = OwnerRef(ref.provider, ref.owner)
        part = await self._part(ref.owner)
        if part is None:
            return None
        match ref.kind:
            case owners.ACCOUNT:
                return SecondLifeAgent(id=agent_of(ref.owner), is_library=ref.owner == LIBRARY)
            case keys.BRANCH:
                return await self.branch(owner, Wanted.read(ref.key))
            case keys.ORPHANS:
                return Orphans(items=await self._orphans(owner, part))
            case _:
                return None

    async def _orphans(self, owner: OwnerRef, part: str) -> list[Thing]:
        answer = await self._get(part, "/orphans")
        if answer.status in {404, 405, 501}:
            # Older services do not know of them.
            return []
        if answer.status != 200:
            raise read_refusal(answer.status, answer.document, category=None, item=None)
        parts = _reading(lambda: wire.read_map(answer.document.get("_embedded"), "_embedded"))
        things = _reading(
            lambda: [
                wire.parse_thing(entry, owner)
                for name in ("items", "links")
                for entry in wire.read_list(parts.get(name), name)
            ]
        )
        for thing in things:
            thing.container_key = None
        return things

    async def visibility_by_owner(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, bool]:
        """Tell that who has the capability sees all."""
        return {ref: True for ref in refs if await self._part(ref.owner) is not None}

    async def ownership_by_key(self, refs: Sequence[OwnershipRef]) -> Results[OwnershipRef, bool]:
        """Refuse: things have no definitions."""
        del refs
        raise Unsupported("Things of Second Life have no definitions.")

    # --- containers ---------------------------------------------------------------------------------------------------

    async def containers_by_key(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Container]:
        """Give folders, by id or special name; one call for each that no answer has told yet."""
        return await each(refs, self._container)

    async def _container(self, ref: ContainerRef) -> Container | None:
        known = self._supposed.get(ref) or self._known.get(ref)
        if known is not None:
            return known
        branch = await self.branch(OwnerRef(ref.provider, ref.owner), Wanted(ref.key, wire.ALONE))
        return None if branch is None else branch.category

    async def containers_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List the root; one call."""
        return await each(asked, self._top)

    async def _top(self, asked: Asked) -> ContainerConnection | None:
        if await self._part(asked.ref.owner) is None:
            return None
        wanted = asked.arguments.kind
        found: list[Container] = []
        if wanted in (None, ContainerKind.FOLDER):
            root = await self._container(ContainerRef(*cast("OwnerRef", asked.ref), ROOT))
            found = [] if root is None else [root]
        return ContainerConnection.of(list_containers(found, asked.arguments.window))

    async def containers_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List direct children."""
        folders = await self._read_folders([cast("ContainerRef", one.ref) for one in asked])
        return {one: _children(folders.get(one.ref), one) for one in asked}

    async def _read_folders(self, refs: Sequence[ContainerRef]) -> Mapping[ContainerRef, Any]:
        return await self._folders.load_many(list(dict.fromkeys(refs)))

    async def descendants_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List trees: one call for as many levels as the service gives at once."""
        return await each(asked, self._descendants)

    async def _descendants(self, asked: Asked) -> ContainerConnection | None:
        arguments = cast("DescendantArguments", asked.arguments)
        ref = cast("ContainerRef", asked.ref)
        depth = arguments.max_depth
        tree = await (self._trees.read(ref) if depth is None else self._tree(ref, depth))
        if tree is None:
            return None
        part = list_containers(tree.folders, arguments.window, lambda one: tree.levels[one.key])
        return ContainerConnection.of(part, tree.problems(ref))

    async def contents_by_container(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Contents]:
        """Give folders with their versions; they have no slots."""
        found = await self.containers_by_key(refs)
        return {ref: _contents(one) if isinstance(one, SecondLifeCategory) else None for ref, one in found.items()}

    # --- items --------------------------------------------------------------------------------------------------------

    async def items_by_key(self, refs: Sequence[ItemRef]) -> Results[ItemRef, Item]:
        """Give items and links; one call for each that no answer has told yet."""
        return await each(refs, self._item)

    async def _item(self, ref: ItemRef) -> Item | None:
        known = self._supposed_items.get(ref) or self._seen.get(ref)
        return known if known is not None else await self._things.read(ref)

    async def items_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List all that an agent has: the whole tree, and what lies in no folder."""
        return await each(asked, self._all)

    async def _all(self, asked: Asked) -> ItemConnection | None:
        owner = cast("OwnerRef", asked.ref)
        part = await self._part(owner.owner)
        if part is None:
            return None
        root = await self._container(ContainerRef(*owner, ROOT))
        tree = None if root is None else await self._trees.read(root.ref)
        problems: list[SourceProblem] = []
        items: list[Item] = []
        if tree is not None:
            items += tree.items
            problems += tree.problems(root.ref if root else ContainerRef(*owner, ROOT))
        try:
            items += await self._orphans(owner, part)
        except Unauthenticated:
            raise
        except GatewayError as error:
            problems.append(problem(error, ProviderKey.SECOND_LIFE, owner=owner.owner))
        listed = list_items(items, cast("ItemArguments", asked.arguments), {})
        return ItemConnection.of(listed, problems)

    async def items_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List what lies directly in folders."""
        folders = await self._read_folders([cast("ContainerRef", one.ref) for one in asked])
        return {one: _lying(folders.get(one.ref), one) for one in asked}

    async def totals_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """List nothing: things have no definitions."""
        owners = [one for one in asked if await self._part(one.ref.owner) is not None]
        return {one: _no_definitions() for one in owners}

    async def catalogue_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Tell that there is no catalogue."""
        return dict.fromkeys(asked)

    async def definitions_by_slot(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Tell that there are no slots."""
        return dict.fromkeys(asked)

    async def definitions_by_container(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """List nothing: containers hold items."""
        del asked
        return {}

    async def definitions_by_key(self, refs: Sequence[DefinitionRef]) -> Results[DefinitionRef, ItemDefinition]:
        """Tell that there are no definitions."""
        return dict.fromkeys(refs)

    async def definition_keys(self, kind: str) -> list[str]:
        """Tell that there are no definitions."""
        del kind
        return []

    async def count_by_list(self, asked: Sequence[Asked]) -> Results[Asked, int]:
        """Refuse: every list here is counted when it is read."""
        raise NotImplementedError(f"{len(asked)} lists were left uncounted")

    # --- writes -------------------------------------------------------------------------------------------------------

    def assume(self, shown: Shown) -> None:
        """Show things as a write that was only simulated would have left them."""
        self._supposed.update({node.ref: node for node in shown.nodes if isinstance(node, Container)})
        self._supposed_items.update({node.ref: node for node in shown.nodes if isinstance(node, Item)})

    async def write(self, verb: Capability, owner: OwnerRef, change: Any) -> Written:
        """Carry out an order, one call for each of its entries, in order; what succeeded stands."""
        if owner.owner == LIBRARY:
            raise Forbidden("The library cannot be changed.")
        order = order_of(verb, owner, change)
        _check(order, owner)
        if await self._part(owner.owner) is None:
            raise NotFound("There is no such agent.")
        done = _Doing(owner)
        refused: list[Refusal] = []
        steps = _steps(order)
        try:
            for at, step in enumerate(steps):
                try:
                    await self._do(order, step, done)
                except Refusal as fault:
                    refused.append(fault.at(*step.place, *(fault.path or ())) if step.place else fault)
                except Failure as failure:
                    if not done.calls:
                        raise
                    # What was done must be told, so this can only be told as of the entries that it came at.
                    refused += [_left(step, f"It is not known whether this was done: {failure.message}")]
                    refused += [_left(other, "This was not tried.") for other in steps[at + 1 :]]
                    break
        finally:
            await self._forget()
        if not done.calls:
            refuse(refused)
        await self._complete(order, done)
        return done.written(order, refused)

    async def _complete(self, order: Order, done: _Doing) -> None:
        """Read the folder that a payload shows, where no answer has told it."""
        if isinstance(order, orders.Clear) and order.category not in done.categories:
            folder = await self._container(ContainerRef(*done.owner, order.category))
            if isinstance(folder, SecondLifeCategory):
                folder.number = done.versions.get(folder.key, folder.number)
                done.categories[folder.key] = folder

    async def _do(self, order: Order, step: _Step, done: _Doing) -> None:
        """Make one call of a write, under a transaction id that its repeats keep."""
        if step.method == "DELETE" and done.has_removed(step.item or step.category or ""):
            # It went with what was removed before it.
            return
        part = INVENTORY_PART
        if step.source == LIBRARY:
            part = LIBRARY_PART
        address = await self._address(part)
        query = f"?tid={new_id()}" + (",depth=0" if step.depth == 0 else "")
        if step.depth:
            query += f"&depth={step.depth}"
        if order.simulate:
            query += "&simulate=1"
        headers = dict(_READ)
        if step.to is not None:
            headers["Destination"] = step.to
        request = httpx.Request(
            step.method,
            address + step.path + query,
            headers=headers,
            content=None if step.body is None else write_llsd(step.body),
            extensions={"repeatable": True},
        )
        answer = await self._sent(request)
        stands = step.is_special and answer.status == 409 and "category_id" in answer.document
        if 200 <= answer.status < 300 or stands:
            result = answer.document.get("_update_result")
            if isinstance(result, dict) and cast("Document", result).get("success") in (False, 0):
                raise Conflict("The service could not do this.")
            done.take(step, answer.document)
        elif answer.repeated and answer.status in ({409, 410} if step.method == "DELETE" else {409}):
            # It was done when it was sent first, and the answer was lost.
            try:
                await self._read_back(step, done)
            except GatewayError as error:
                raise OutcomeUnknown(f"This was done, and what came of it could not be read: {error.message}") from None
        else:
            await self._is_renewed(part, answer)
            raise read_refusal(answer.status, answer.document, category=step.category, item=step.item)

    async def _read_back(self, step: _Step, done: _Doing) -> None:
        """Look what came of a write whose answer was lost."""
        await self._forget()
        if step.method == "DELETE" and (step.item is not None or step.path == wire.category_path(step.category)):
            done.calls += 1
            done.gone(step)
            return
        if step.is_special:
            folder = await self._container(ContainerRef(*done.owner, step.category or ""))
            done.ensured(folder)
            return
        if step.item is not None:
            thing = await self._fetch_item(ItemRef(*done.owner, step.item))
            if thing is not None:
                done.things[thing.key] = cast("Thing", thing)
            done.calls += 1
            done.outcome.updated_items.append(step.item)
            return
        name = ""
        if step.method == "COPY":
            owner = OwnerRef(done.owner.provider, step.source or done.owner.owner)
            source = await self._container(ContainerRef(*owner, step.category or ""))
            name = "" if source is None else source.name
        branch = await self.branch(done.owner, Wanted(step.to or step.category or "", wire.CHILDREN, 0))
        if branch is None:
            raise NotFound("there is no such folder any more.")
        done.found(step, branch, name)


def judge(response: httpx.Response) -> GatewayError | None:
    """Judge an answer of the service; None where the caller is to see it: what is told with 4xx depends on the call."""
    status = response.status_code
    if status in {200, 201, 400, 403, 404, 405, 409, 410, 412, 415, 501}:
        return None
    if status in {429, 499, 503}:
        return RateLimited(
            "The service asks for fewer calls.", provider_code=str(status), retry_after=retry_after(response)
        )
    return judge_status(response)


def read_refusal(status: int, body: Mapping[str, Any], *, category: str | None, item: str | None) -> GatewayError:
    """Make the error of an answer that is none of success; `category` or `item` is what the call was about."""
    told = body.get("error_description")
    # In its own words, unless they could hold an address, which may be a capability's.
    is_shown = isinstance(told, str) and 0 < len(told) <= _LONGEST_MESSAGE and "/" not in told
    message = str(told) if is_shown else "The service refuses this."
    code = str(status)
    kinds: dict[int, Refusal] = {
        400: InvalidInput(message, provider_code=code),
        403: Forbidden("The service does not allow this.", provider_code=code),
        404: CategoryNotFound(category or "") if item is None else ItemNotFound(item),
        405: Unsupported("The service does not do this.", provider_code=code),
        409: Conflict("The service has done this before.", provider_code=code),
        410: CategoryGone(category or "") if item is None else ItemGone(item),
        412: Conflict("The folder has changed meanwhile.", provider_code=code),
        415: InvalidInput("The service does not read this.", provider_code=code),
        501: Unsupported("The service does not do this.", provider_code=code),
    }
    return kinds.get(status) or UpstreamInvalid(f"The service answers in a way that it has not ({status}).")


_ROOT_PATH = "/category/root"


def _title(part: str) -> str:
    return next(one.title for one in MANIFEST.credential_parts if one.key == part)


def _path(wanted: Wanted) -> str:
    match wanted.what:
        case wire.ALONE:
            return f"/category/{wanted.category}"
        case wire.LINKS_PART | wire.ITEMS:
            return f"/category/{wanted.category}/{wanted.what}"
        case _:
            # The service never gives more levels at once, and viewers do not ask for more.
            depth = _DEEPEST if wanted.depth is None else min(wanted.depth, _DEEPEST)
            only = f"&children={','.join(wanted.only)}" if wanted.only else ""
            return f"/category/{wanted.category}/{wanted.what}?depth={depth}{only}"


def _document(response: httpx.Response) -> Document:
    """Read an answer's map; of an error, that it has one is not certain."""
    if not response.content:
        return {}
    fault = "it is no map"
    try:
        found = parse_llsd(response.content)
        if isinstance(found, dict):
            return cast("Document", found)
    except Malformed as malformed:
        fault = str(malformed)
    if response.status_code >= 400:
        return {}
    raise UpstreamInvalid(f"The service's answer is not in its format: {fault}.")


def _reading(read: Callable[[], Any]) -> Any:
    """Read a document; UpstreamInvalid where it is not in the service's format."""
    fault = ""
    try:
        return read()
    except Misread as misread:
        fault = str(misread)
    except RecursionError:
        fault = "it is nested too deep"
    raise UpstreamInvalid(f"The service's answer is not in its format: {fault}.")


def _contents(category: SecondLifeCategory) -> Contents:
    return Contents(
        container=category, capacity=None, free_slots=None, slots=None, items=[], digest=lambda: str(category.number)
    )


def _no_definitions() -> DefinitionConnection:
    part: Part[tuple[DefinitionRef, int | None]] = Part(entries=[], has_next=False, has_previous=False, total=0)
    return DefinitionConnection.of(part)


def _children(folder: Any, asked: Asked) -> Any:
    if not isinstance(folder, Branch):
        return folder
    return ContainerConnection.of(
        list_containers([one.category for one in folder.children or ()], asked.arguments.window)
    )


def _lying(folder: Any, asked: Asked) -> Any:
    if not isinstance(folder, Branch):
        return folder
    return ItemConnection.of(list_items(list(folder.items or ()), cast("ItemArguments", asked.arguments), {}))


# --- trees ------------------------------------------------------------------------------------------------------------


class _Tree(NamedTuple):
    """What lies below a folder: folders, parents first, their levels by key, from 0, things, and what is missing."""

    folders: Sequence[SecondLifeCategory]
    levels: Mapping[str, int]
    items: Sequence[Item]
    faults: Sequence[tuple[str, GatewayError]]

    def problems(self, top: ContainerRef) -> list[SourceProblem]:
        """Tell of the parts that could not be read."""
        return [problem(error, ProviderKey.SECOND_LIFE, owner=top.owner, container=key) for key, error in self.faults]


class _Growing:
    """A tree that is being read: level by level where the service gives no more at once."""

    def __init__(self, session: UpstreamSession, owner: OwnerRef, depth: int | None) -> None:
        self._session = session
        self._owner = owner
        self._depth = depth
        self._reach = _DEEPEST if depth is None else min(depth - 1, _DEEPEST)
        self._folders: list[SecondLifeCategory] = []
        self._levels: dict[str, int] = {}
        self._items: list[Item] = []
        self._faults: list[tuple[str, GatewayError]] = []
        self._left: list[SecondLifeCategory] = []
        self._taken: set[str] = set()
        self._calls = 0

    async def grown(self, ref: ContainerRef) -> _Tree | None:
        """Read all that lies below a folder; None where there is no such folder."""
        self._levels[ref.key] = -1
        try:
            top = await self._reached(Wanted(ref.key, wire.CHILDREN, self._reach))
        except TooLarge as error:
            self._faults.append((ref.key, error))
        else:
            if top is None:
                return None
            self._collect(top)
        while self._left:
            waiting, self._left = self._left, []
            siblings: defaultdict[str, list[str]] = defaultdict(list)
            for folder in waiting:
                siblings[folder.parent_key or ""].append(folder.key)
            groups = [
                (parent, keys[at : at + _BATCH])
                for parent, keys in siblings.items()
                for at in range(0, len(keys), _BATCH)
            ]
            await asyncio.gather(*(self._expand(parent, keys) for parent, keys in groups))
        del self._levels[ref.key]
        return _Tree(self._folders, self._levels, self._items, self._faults)

    def _deepest(self, key: str) -> int:
        """Give how many generations below a folder there are to be told."""
        return _DEEPEST if self._depth is None else self._depth - self._levels[key] - 2

    async def _reached(self, wanted: Wanted) -> Branch | None:
        """Read as many levels as the service gives at once: half as many each time that it is too much."""
        while True:
            if self._calls >= _MOST_CALLS:
                raise TooLarge
            self._calls += 1
            try:
                return await self._session.branch(self._owner, wanted)
            except TooLarge:
                least = 1 if wanted.only else 0
                if (wanted.depth or 0) <= least:
                    raise
                self._reach = max((wanted.depth or 0) // 2, least)
                wanted = wanted._replace(depth=self._reach)

    async def _expand(self, parent: str, keys: Sequence[str]) -> None:
        """Read folders of one parent; what fails is told, and spoils nothing else."""
        depth = min(max(self._reach, 0), self._deepest(keys[0]))
        try:
            if len(keys) == 1:
                found = await self._reached(Wanted(keys[0], wire.CHILDREN, depth))
                branches = [] if found is None else [found]
            else:
                found = await self._reached(Wanted(parent, wire.CHILDREN, depth + 1, tuple(keys)))
                branches = [] if found is None else [*(found.children or ())]
        except TooLarge as error:
            if len(keys) == 1 or self._calls >= _MOST_CALLS:
                self._faults += [(key, error) for key in keys]
                return
            middle = len(keys) // 2
            await asyncio.gather(self._expand(parent, keys[:middle]), self._expand(parent, keys[middle:]))
        except GatewayError as error:
            self._faults += [(key, error) for key in keys]
        else:
            told = {branch.category.key: branch for branch in branches if branch.children is not None}
            for key, branch in told.items():
                if key in keys:
                    self._collect(branch)
            left = [key for key in keys if key not in told]
            if len(keys) == 1:
                self._faults += [(key, _untold()) for key in left]
            else:
                # What is not among them may have been moved meanwhile.
                await asyncio.gather(*(self._expand(parent, [key]) for key in left))

    def _collect(self, top: Branch) -> None:
        """Take in what a branch tells; of each folder the first answer counts, so that no circle is walked."""
        waiting = [top]
        while waiting:
            one = waiting.pop()
            if one.category.key in self._taken:
                continue
            self._taken.add(one.category.key)
            self._items += one.items or ()
            level = self._levels[one.category.key] + 1
            for child in one.children or ():
                folder = child.category
                if folder.key in self._levels or (self._depth is not None and level >= self._depth):
                    continue
                self._levels[folder.key] = level
                self._folders.append(folder)
                if child.children is not None:
                    waiting.append(child)
                elif self._depth is None or level + 1 < self._depth:
                    self._left.append(folder)


def _untold() -> GatewayError:
    return UpstreamInvalid("The service does not tell what lies in this folder.")


# --- writes -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Step:
    """One call of a write: what is sent, what it is about, and which entry of the input it is."""

    method: str
    path: str
    place: tuple[str, ...] = ()
    body: Any = None
    to: str | None = None
    category: str | None = None
    item: str | None = None
    source: str | None = None
    depth: int | None = None
    is_special: bool = False
    new: orders.Create | orders.Replace | None = None


def _check(order: Order, owner: OwnerRef) -> None:
    """Refuse what the service does not do, before anything is sent."""
    match order:
        case orders.Create(items=items) | orders.Replace(items=items) if items:
            raise Unsupported("The service makes no items.").at("items")
        case orders.Replace(what=what) if what is not ContentsPart.LINKS:
            raise Unsupported("The service replaces nothing but links.").at("what")
        case orders.Replace(categories=categories) if categories:
            raise Unsupported("The service replaces nothing but links.").at("containers")
        case orders.ChangeCategories(patches=patches):
            refuse(
                [
                    Unsupported("The service moves nothing.").at("containers", str(at), "parent")
                    for at, patch in enumerate(patches)
                    if patch.parent is not UNSET
                ]
            )
        case orders.CopyCategories(source=source) if source not in (owner.owner, LIBRARY):
            raise NotFound("There is no such thing.").at("ids")
        case _:
            pass


_RESOURCES = {
    ContentsPart.ALL: "children",
    ContentsPart.ITEMS: "items",
    ContentsPart.LINKS: "links",
    ContentsPart.CONTAINERS: "categories",
}


def _steps(order: Order) -> list[_Step]:
    """Give the calls that an order takes."""
    match order:
        case orders.Create(category=key):
            body = {
                "links": [wire.render_new_link(new) for new in order.links],
                "categories": [wire.render_new_category(new, key) for new in order.categories],
            }
            told = {name: entries for name, entries in body.items() if entries}
            return [_Step(method="POST", path=wire.category_path(key), category=key, body=told, new=order)]
        case orders.Replace(category=key):
            links = [wire.render_new_link(new) for new in order.links]
            return [_Step(method="PUT", path=wire.category_path(key, "/links"), category=key, body=links, new=order)]
        case orders.Ensure(role=role):
            return [_Step(method="PUT", path=f"/category/{role}", category=role, is_special=True)]
        case orders.ChangeCategories(patches=patches):
            return [
                _Step(
                    method="PATCH",
                    path=wire.category_path(patch.key),
                    place=("containers", str(at)),
                    category=patch.key,
                    body=wire.render_category_patch(patch),
                )
                for at, patch in enumerate(patches)
            ]
        case orders.ChangeItems(patches=patches):
            return [
                _Step(
                    method="PATCH",
                    path=wire.item_path(patch.key),
                    place=("items", str(at)),
                    item=patch.key,
                    body=wire.render_item_patch(patch),
                )
                for at, patch in enumerate(patches)
            ]
        case orders.CopyCategories(keys=keys, to=to, depth=depth, source=source):
            return [
                _Step(
                    method="COPY",
                    path=wire.category_path(key),
                    place=("ids", str(at)),
                    category=key,
                    to=to,
                    depth=depth,
                    source=source,
                )
                for at, key in enumerate(keys)
            ]
        case orders.DeleteCategories(keys=keys):
            return [
                _Step(method="DELETE", path=wire.category_path(key), place=("ids", str(at)), category=key)
                for at, key in enumerate(keys)
            ]
        case orders.DeleteItems(keys=keys):
            return [
                _Step(method="DELETE", path=wire.item_path(key), place=("ids", str(at)), item=key)
                for at, key in enumerate(keys)
            ]
        case orders.Clear(category=key, what=what):
            return [_Step(method="DELETE", path=wire.category_path(key, f"/{_RESOURCES[what]}"), category=key)]
        case _:
            raise Unsupported("The service does not do this.")


_DID = (
    *("created_items", "created_categories", "updated_items", "updated_categories", "moved_items"),
    *("removed_items", "removed_categories", "broken_links"),
)


def _only(folders: Mapping[str, SecondLifeCategory], key: str | None, name: str) -> list[str]:
    """Find the folder of a key, else the one of a name; OutcomeUnknown where there are several, or none."""
    if key in folders:
        return [cast("str", key)]
    named = [key for key, one in folders.items() if one.name == name]
    if len(named) != 1:
        raise OutcomeUnknown("This was done, and which folder was made cannot be told.")
    return named


class _Doing:
    """What the calls of a write have done so far."""

    def __init__(self, owner: OwnerRef) -> None:
        self.owner = owner
        self.calls = 0
        self.outcome = Outcome()
        self.categories: dict[str, SecondLifeCategory] = {}
        self.things: dict[str, Thing] = {}
        self.versions: dict[str, int] = {}

    def take(self, step: _Step, document: Document) -> None:
        """Take in the answer of a call that was done."""
        _reading(lambda: self._take(step, document))
        self.calls += 1

    def _take(self, step: _Step, document: Document) -> None:
        outcome = self.outcome

        def told(name: str) -> list[str]:
            return wire.read_ids(document.get(name), name)

        outcome.created_items += told("_created_items")
        outcome.created_categories += told("_created_categories")
        outcome.moved_items += told("_moved_items")
        outcome.removed_items += told("_category_items_removed")
        outcome.removed_categories += told("_categories_removed")
        outcome.broken_links += told("_broken_links_removed")
        outcome.attachments += told("_attachments_removed")
        outcome.wearables += told("_wearables_removed")
        outcome.gestures += told("_active_gestures_removed")
        outcome.updated_items += told("_updated_items")
        outcome.updated_categories += told("_updated_categories")
        linked = document.get("_linked_ids")
        outcome.linked += wire.read_ids(
            list(cast("Document", linked).values()) if isinstance(linked, dict) else linked, "_linked_ids"
        )
        if "category_id" in document:
            for one in wire.walk(branch := wire.parse_branch(document, self.owner)):
                self.categories[one.category.key] = one.category
                self.things.update({item.key: item for item in one.items or ()})
            if step.method == "COPY":
                outcome.top = outcome.top or branch.category.key
            elif step.category not in (branch.category.key, *SPECIAL):
                raise Misread("the answer is about another folder")
            if step.is_special:
                outcome.top = branch.category.key
        elif "item_id" in document:
            thing = wire.parse_thing(document, self.owner)
            if thing.key != step.item:
                raise Misread("the answer is about another item")
            self.things[thing.key] = thing
        for key, number in wire.read_map(
            document.get("_updated_category_versions"), "_updated_category_versions"
        ).items():
            found = wire.read_key(key, "_updated_category_versions")
            self.versions[found] = wire.read_number(number, "_updated_category_versions")
            if found in self.categories:
                self.categories[found].number = self.versions[found]

    def has_removed(self, key: str) -> bool:
        """Say whether something was removed by a call that was done."""
        outcome = self.outcome
        return any(key in keys for keys in (outcome.removed_items, outcome.removed_categories, outcome.broken_links))

    def gone(self, step: _Step) -> None:
        """Note what was removed by a call whose answer was lost: what it was about, as far as that is known."""
        if step.item is not None:
            self.outcome.removed_items.append(step.item)
        elif step.category is not None:
            self.outcome.removed_categories.append(step.category)

    def ensured(self, folder: Container | None) -> None:
        """Note the special folder that stands now."""
        self.calls += 1
        if isinstance(folder, SecondLifeCategory):
            self.categories[folder.key] = folder
            self.outcome.top = folder.key

    def found(self, step: _Step, branch: Branch, name: str) -> None:
        """Note what a call whose answer was lost has done, as far as a folder tells; of a copy, by its `name`.

        OutcomeUnknown where it was done, and the folder does not tell what it has made.
        """
        outcome = self.outcome
        children = {one.category.key: one.category for one in branch.children or ()}
        items = {item.key: item for item in branch.items or ()}
        made: list[str] = []
        for wanted in () if step.new is None else step.new.categories:
            made += _only(children, wanted.key, rules.name_of(wanted.name))
        if step.method == "COPY":
            made += _only(children, None, name)
        linked: list[str] = []
        for link in () if step.new is None else step.new.links:
            linked += [
                key
                for key, one in items.items()
                if (one.linked_key, one.name) == (link.linked, rules.name_of(link.name)) and key not in linked
            ][:1]
        self.calls += 1
        self.categories.update({branch.category.key: branch.category, **children})
        self.things.update(items)
        self.versions[branch.category.key] = branch.category.number
        outcome.created_categories += made
        outcome.created_items += linked
        if step.method == "PATCH":
            outcome.updated_categories.append(branch.category.key)
        if step.method == "COPY":
            outcome.top = outcome.top or made[0]

    def written(self, order: Order, refused: Sequence[Refusal]) -> Written:
        """Tell what was done."""
        outcome = self.outcome
        # A service lists versions also where nothing has changed.
        did = any(getattr(outcome, name) for name in _DID)
        changes = changed(self.owner, outcome, self.versions if did else {}, self.things)
        changes.is_simulated = order.simulate
        shown = Done(
            parts=parts_of(order, outcome, self.categories, self.things),
            contents=[],
            nodes=[*self.categories.values(), *self.things.values()],
            outcome=outcome,
            categories=self.categories,
            things=self.things,
            versions=self.versions,
        )
        return Written(changes=changes, shown=shown, refused=refused)
