"""Upstream: a community's service itself, over HTTP, with sessions that expire and are renewed."""

from __future__ import annotations

import asyncio
import time
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count, pairwise
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import quote

import httpx
import orjson
import strawberry
from cachetools import TTLCache

from gateway.model.arguments import (
    AcceptArguments,
    CatalogueArguments,
    CollectibleArguments,
    ContainerArguments,
    ContainerKind,
    ItemArguments,
    ItemFilter,
    TotalArguments,
)
from gateway.model.container import Container, ContainerConnection, Contents
from gateway.model.credentials import Confidential, Credential
from gateway.model.definition import DefinitionConnection, ItemDefinition
from gateway.model.errors import (
    Forbidden,
    GatewayError,
    NotFound,
    OutcomeUnknown,
    Unauthenticated,
    Unsupported,
    UpstreamInvalid,
    UpstreamUnavailable,
    refuse,
)
from gateway.model.ids import (
    CONTAINER,
    ContainerRef,
    DefinitionRef,
    FactRef,
    ItemRef,
    OwnerRef,
    OwnershipRef,
    SlotRef,
    encode_id,
)
from gateway.model.item import Item, ItemConnection
from gateway.model.listing import Definitions, list_containers, list_items, total_up
from gateway.model.loader import Loader, each
from gateway.model.manifest import BackendKind, Capability, Manifest, ProviderKey
from gateway.model.node import SourceProblem, problem
from gateway.model.owner import ACCOUNT, InventoryOwner
from gateway.model.paging import NATURAL, Part, Position, Window, part_of
from gateway.model.ports import Holder, Results, Shown, Written
from gateway.model.relations import Asked
from gateway.model.verbs import AllocateSlotsInput, MintAvatarInput
from gateway.providers.community import rules, wire
from gateway.providers.community.keys import AVATAR, PROVIDER, SLOTS, STATE, joined, split
from gateway.providers.community.manifest import MANIFEST
from gateway.providers.community.refusals import (
    EXPIRED,
    name_of,
    places_in,
    places_in_mint,
    refusal,
    told,
    unreadable,
)
from gateway.providers.community.types import (
    CommunityContents,
    CommunityItem,
    CommunityItemDefinition,
    CommunityKit,
    CommunitySlot,
    CommunitySlots,
    CommunityState,
    CommunityUser,
)
from gateway.providers.community.verbs import changed, check_avatar, entries_of, payload
from gateway.telemetry import Figure
from gateway.transport.cache import DAY, Cache, Kept, Private, SharedReads
from gateway.transport.client import Client
from gateway.transport.errors import decoded

_PAGE = wire.MOST_ENTRIES
_MOST_PAGES = 200
_PAGES_AT_ONCE = 8

_FEW_SLOTS = 3
"""Of how many slots what fits is asked for by a list each; of more, one list of all items tells."""

# A session's own life: what is kept longer can only be refused.
_SESSION_SECONDS = 600.0
_SESSIONS, _SESSIONS_SIZE = 10_000, 8 << 20
_LONGEST_TOKEN = 8_192

_DOCUMENTS, _DOCUMENTS_SIZE = 10_000, 8 << 20
_WRITES, _NAMES = 100_000, 10_000

_STEPS = frozenset({".", ".."})
"""What no part of a path can be: it would lead elsewhere."""

_CLAIMS = ("sub", "userId", "user_id", "id", "uid")
"""What a token may call its user, the usual name first."""

T = TypeVar("T")
K = TypeVar("K")


def _subject(token: str | None) -> str | None:
    """Give the user whom a token names, if it is a JWT; whether it is a good one is for the service to say."""
    parts = (token or "").split(".")
    if len(parts) != 3:
        return None
    try:
        claims: Any = orjson.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    named = [cast("Mapping[str, Any]", claims).get(name) for name in _CLAIMS] if isinstance(claims, dict) else []
    users = (str(user) for user in named if isinstance(user, str | int) and not isinstance(user, bool))
    return next((user for user in users if user), None)


class _Document:
    """An answer, decoded, and what is made of it; both stay as they are once they are made."""

    __slots__ = ("_made", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self._made: Any = None

    def made(self, make: Callable[[Any], T]) -> T:
        """Give what is made of the answer; of one address it is always the same."""
        if self._made is None:
            self._made = make(self.value)
        return self._made


class _Address(NamedTuple):
    """Where a document is, and whose it is: a user's; or, of a community alone, the kit's or the caller's own."""

    owner: str
    path: str


class _List(NamedTuple):
    """A list of items: whose, under which path and query, and whether it is of owned ones alone."""

    owner: str
    path: str
    owned: bool


class _Page(NamedTuple):
    """A page of such a list; the total is None where it is not told."""

    entries: list[wire.ReadItem]
    total: int | None


class _Listed(NamedTuple):
    """What was read of a list, each item once, how many it has in all, and why not all of them could be read."""

    entries: list[wire.ReadItem]
    total: int
    fault: GatewayError | None = None


class _Held(NamedTuple):
    """What a user owns, by key, and why that may not be all."""

    items: Mapping[str, CommunityItem]
    fault: GatewayError | None = None


class Upstream:
    """The service as a backend.

    It keeps the session tokens that it has got for refresh tokens, and answers where that is switched on. What is kept
    belongs to one credential and is never changed.
    """

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
        """`account_cache`: seconds for which what a credential has read is kept for it; 0 keeps nothing."""
        self.client = client
        self.base_url = base_url.rstrip("/")
        self.account_cache = account_cache
        self.documents: Private[tuple[int, int, str], _Document] = Private(
            entries=_DOCUMENTS, size=_DOCUMENTS_SIZE, clock=clock
        )
        self._tokens: SharedReads[Credential, Confidential[str]] = SharedReads(
            Cache(entries=_SESSIONS, size=_SESSIONS_SIZE, clock=clock),
            self._exchange,
            lambda credentials: [[credential] for credential in credentials],
        )
        self._numbers = count(1)
        # By a credential's partition, or an owner's key: that has a slash, and is so never taken for the other.
        self._written: MutableMapping[str, int] = TTLCache(maxsize=_WRITES, ttl=DAY, timer=clock)
        self._named: Private[str, bool] = Private(entries=_NAMES, clock=clock)

    def session(self, credential: Credential) -> UpstreamSession:
        """Open a session for a caller."""
        return UpstreamSession(self, credential)

    async def owners(self) -> list[OwnerRef]:
        """List no one: whose inventories there are, only the service knows."""
        return []

    def figures(self) -> list[Figure]:
        """List how the caches do."""
        key = self.manifest.key
        return [*self._tokens.cache.figures("sessions", key), *self.documents.cache.figures("accounts", key)]

    def address(self, path: str) -> str:
        """Give the address of a path of the service."""
        if not self.base_url:
            raise Unsupported("Where the community's service is has not been set.")
        return f"{self.base_url}{path}"

    def last_writes(self, partition: str, owner: str) -> tuple[int, int]:
        """Give the numbers of a credential's last write, and of an owner's; what is kept was read after those."""
        return self._written.get(partition, 0), self._written.get(owner, 0)

    def wrote(self, partition: str, owner: str) -> None:
        """Note a write: what was kept for the credential, and what anyone has of the owner, no longer holds."""
        self._written[partition] = self._written[owner] = next(self._numbers)

    def is_named(self, credential: Credential, community: str) -> bool:
        """Say whether the service has told a credential that this is a community's own key."""
        return self._named.get(credential, community) is not None

    def named(self, credential: Credential, community: str) -> None:
        """Note that the service has told so."""
        self._named.keep(credential, community, True)

    # --- sessions -----------------------------------------------------------------------------------------------------

    def token(self, credential: Credential) -> str | None:
        """Give the session token that is known for a credential: one that was got for it, or its own."""
        kept: Confidential[str] | None = None
        if credential.part("refresh") is not None:
            kept = self._tokens.cache.fresh((credential,)).get(credential)
        return kept.shown_to(credential) if kept else credential.part("session")

    def drop(self, credential: Credential, token: str) -> None:
        """Forget a session token that was not accepted, unless there is another by now."""
        if self._tokens.cache.peek((credential,)).get(credential) == Confidential(credential.partition, token):
            self._tokens.cache.drop(credential)

    async def renewed(self, credential: Credential) -> str:
        """Give a session token for the credential's refresh token; all who ask at once share one call for it."""
        found = (await self._tokens.load_many((credential,)))[credential]
        if isinstance(found, Exception):
            raise found
        return found.shown_to(credential)

    async def _exchange(
        self, credentials: Sequence[Credential]
    ) -> Mapping[Credential, Kept[Confidential[str]] | Exception]:
        (credential,) = credentials
        request = httpx.Request(
            "POST",
            self.address("/v1/user/auth/refresh-session"),
            headers={"Content-Type": "application/json"},
            content=orjson.dumps({"refreshToken": credential.part("refresh")}),
        )
        try:
            response = await self.client.send(request, partition=credential.partition)
        except OutcomeUnknown as lost:
            # That is said of writes; here nothing was to be changed.
            raise UpstreamUnavailable("The session could not be renewed.", provider_code=lost.provider_code) from None
        if not response.is_success:
            raise unreadable(response)
        token = _session_token(decoded(response))
        mine, named = _subject(credential.part("session")), _subject(token)
        if mine and named and mine != named:
            # Else a write would be repeated in somebody else's name.
            raise Unauthenticated("The session token and the refresh token are two users'.")
        return {credential: Kept(Confidential(credential.partition, token), _SESSION_SECONDS, len(token))}


def _session_token(document: object) -> str:
    token = cast("Mapping[str, Any]", document).get("sessionToken") if isinstance(document, dict) else None
    if not isinstance(token, str) or not 0 < len(token) <= _LONGEST_TOKEN:
        raise UpstreamInvalid("The service's answer is not in its format: there is no `sessionToken`.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UpstreamInvalid("The service's answer is not in its format: `sessionToken` is no token.")
    return token


class UpstreamSession:
    """One caller's dealings with the service: each document is fetched once, until something is written."""

    def __init__(self, upstream: Upstream, credential: Credential) -> None:
        self._upstream = upstream
        self._credential = credential
        self._open()

    def _open(self) -> None:
        self._documents: Loader[_Address, _Document] = Loader[_Address, _Document].alone(self._fetch)
        self._lists: Loader[_List, _Listed] = Loader[_List, _Listed].alone(self._fetch_list)
        self._figures: Loader[OwnerRef, CommunityContents] = Loader[OwnerRef, CommunityContents].alone(self._fetch_laid)
        self._made: list[Contents] = []
        self._held: dict[OwnerRef, _Held] = {}
        self._seen: dict[DefinitionRef, CommunityItemDefinition] = {}
        # By community, a user whose slots, which are all users', have been read.
        self._looked_at: dict[str, str] = {}

    @property
    def credential(self) -> Credential:
        """The caller's credential."""
        return self._credential

    async def aclose(self) -> None:
        """Cancel the calls still under way, and let go of what was read."""
        for loader in (self._figures, self._lists, self._documents):
            await loader.aclose()
        for contents in self._made:
            contents.release()

    async def _forget(self, owner: OwnerRef) -> None:
        """Drop what was read, and what is kept for the credential and of the owner: a write is near, or was tried."""
        await self.aclose()
        self._upstream.wrote(self._credential.partition, owner.owner)
        self._open()

    # --- calls --------------------------------------------------------------------------------------------------------

    async def _token(self) -> str:
        token = self._upstream.token(self._credential)
        if token is not None:
            return token
        if self._credential.part("refresh") is None:
            raise Unauthenticated("A session token of the community is needed.")
        return await self._upstream.renewed(self._credential)

    async def _call(self, send: Callable[[str], Awaitable[httpx.Response]]) -> httpx.Response:
        """Send a call with the session's token; where that has expired, once more with a new one."""
        token = await self._token()
        try:
            return await send(token)
        except Unauthenticated as error:
            self._upstream.drop(self._credential, token)
            if error.provider_code != EXPIRED or self._credential.part("refresh") is None:
                raise
        return await send(await self._upstream.renewed(self._credential))

    async def _fetch(self, asked: _Address) -> _Document | None:
        upstream, partition = self._upstream, self._credential.partition
        community, user = split(asked.owner)
        if user in _STEPS or not _STEPS.isdisjoint(asked.path.partition("?")[0].split("/")):
            # There is no address at which the service could have this.
            return None
        if asked != _kit_of(community) and not await self._is_named(community):
            return None
        about = joined(community, user or _subject(upstream.token(self._credential)) or "")
        at = (*upstream.last_writes(partition, about), asked.path)
        if upstream.account_cache and (kept := upstream.documents.get(self._credential, at)) is not None:
            return kept

        def send(token: str) -> Awaitable[httpx.Response]:
            return upstream.client.get(upstream.address(asked.path), headers=_bearer(token), partition=partition)

        response = await self._call(send)
        if response.status_code == 404:
            return None
        if not response.is_success:
            raise unreadable(response)
        found = _Document(decoded(response))
        size = len(response.content)
        return upstream.documents.keep(self._credential, at, found, seconds=upstream.account_cache, size=size)

    async def _is_named(self, community: str) -> bool:
        """Say whether this is a community's own key: the service goes by its id as well, and nobody has two names."""
        if not self._upstream.is_named(self._credential, community):
            # Read apart from the one who asks, who is read by the same loader.
            kit = await self._documents.load(_kit_of(community))
            if kit is None or wire.parse_ckey(kit.value) not in (None, community):
                return False
            self._upstream.named(self._credential, community)
        return True

    async def _read(self, asked: _Address, make: Callable[[Any], T]) -> T | None:
        """Give what is made of a document; all who ask share one call. None where the service knows of none."""
        found = await self._documents.read(asked)
        return None if found is None else found.made(make)

    async def _kit(self, community: str) -> CommunityKit | None:
        kit = await self._read(_kit_of(community), lambda value: wire.parse_kit(value, community))
        if kit is None or kit.key != community:
            return None
        self._upstream.named(self._credential, community)
        return kit

    async def _slots(self, community: str, user: str) -> list[wire.ReadSlot] | None:
        asked = _Address(joined(community, user), _path(community, "slots") + f"?userId={_quoted(user)}")
        found = await self._read(asked, lambda value: wire.parse_slots(value, community))
        if found is not None:
            self._looked_at[community] = user
            self._note([read.item for read in found if read.item is not None])
        return found

    async def _state(self, community: str, user: str) -> CommunityState | None:
        asked = _Address(joined(community, user), _path(community, "avatar") + f"?userId={_quoted(user)}")
        return await self._read(asked, lambda value: _avatar_of(user, value))

    async def _item(self, community: str, item: str) -> wire.ReadItem | None:
        """Read an item; whether it is owned is told of the caller."""
        asked = _Address(community, _path(community, "items", item))
        found = await self._read(asked, lambda value: _item_of(item, value, community))
        if found is not None:
            self._note([found])
        return found

    def _note(self, read: Sequence[wire.ReadItem]) -> None:
        for one in read:
            self._seen.setdefault(DefinitionRef(PROVIDER, one.definition.key), one.definition)

    # --- lists --------------------------------------------------------------------------------------------------------

    async def _page(self, asked: _List, number: int) -> _Page | None:
        """Read a page of a list; all who ask share one call."""
        community, _ = split(asked.owner)
        address = _Address(asked.owner, f"{asked.path}&page={number}&limit={_PAGE}")
        page = await self._read(address, lambda value: _items(value, community, owned=asked.owned))
        self._note(page.entries if page else ())
        return page

    async def _begun(self, asked: _List, window: Window) -> _Listed | None:
        """Read a list as far as a window of it goes; whole, unless it comes in the catalogue's order with its total."""
        found: list[wire.ReadItem] = []
        beyond = 0
        for number in range(1, _MOST_PAGES + 1):
            try:
                page = await self._page(asked, number)
            except GatewayError:
                # What comes of that, reading the whole list tells, which asks for no page again.
                break
            if page is None or not page.entries or page.total is None or not _ascend([*found[-1:], *page.entries]):
                break
            found += page.entries
            beyond += sum(window.after is None or _position(one) > window.after for one in page.entries)
            if beyond > window.skip + window.size:
                return _Listed(found, page.total)
            if len(found) >= page.total:
                break
        return await self._lists.read(asked)

    async def _fetch_list(self, asked: _List) -> _Listed | None:
        """Read all pages of a list, as far as that can be done; None where the service knows of no such list.

        A first page that cannot be read fails the list; any other leaves it with what could be read.
        """
        found: dict[str, wire.ReadItem] = {}

        def add(page: _Page | None) -> bool:
            """Say whether a page brings anything: after one that is empty, or a repetition, nothing more comes."""
            before = len(found)
            for one in page.entries if page else ():
                found.setdefault(one.id, one)
            return len(found) > before

        first = await self._page(asked, 1)
        if first is None:
            return None
        total, number, fault = first.total, 1, None
        goes_on, is_full = add(first), len(first.entries) >= _PAGE
        # A service may make its pages shorter than they were asked for: then its total tells that they go on.
        while goes_on and fault is None and (is_full if total is None else len(found) < total):
            if number == _MOST_PAGES:
                fault = UpstreamInvalid(f"The service's list has more than {_MOST_PAGES} pages.")
                break
            last = number + 1
            if total is not None and number > 1:
                # The second page was not the first again, so that the others are worth being read together.
                last = max(last, min(-(-total // len(first.entries)), _MOST_PAGES))
            pages = await _some_at_once(partial(self._page, asked), range(number + 1, last + 1))
            for page in pages.values():
                if isinstance(page, GatewayError):
                    fault = fault or page
                else:
                    goes_on = goes_on and add(page)
                    is_full = page is not None and len(page.entries) >= _PAGE
            number = last
        if fault is None and total is not None and len(found) < total:
            fault = UpstreamInvalid("The service's list holds less than it says.")
        listed = [*found.values()]
        return _Listed(listed, len(listed), fault)

    async def _owned(self, community: str, user: str, *, only: bool = True) -> _Listed | None:
        return await self._lists.read(_owned_by(community, user, only=only))

    # --- whose --------------------------------------------------------------------------------------------------------

    async def identity(self, key: str) -> str:
        """Give the key of the user whom the session token names; the service has no call that would tell."""
        return rules.own_key(Holder(joined("", await self._user()), "session"), key)

    async def _user(self) -> str:
        user = _subject(await self._token())
        if user is None:
            raise Unsupported("The session token does not tell whose session this is: name the user.")
        return user

    async def _is_mine(self, user: str) -> bool:
        return _subject(await self._token()) == user

    async def renew(self, part: str) -> str:
        """Get a new session token for the refresh token."""
        del part
        if self._credential.part("refresh") is None:
            raise Unsupported(f"Credentials of {MANIFEST.title} are not renewed, or what renews them is missing.")
        known = self._upstream.token(self._credential)
        if known is not None:
            self._upstream.drop(self._credential, known)
        return await self._upstream.renewed(self._credential)

    async def owners_by_key(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, InventoryOwner]:
        """Give users, whose slots the service knows, and communities."""
        return await each(refs, self._owner)

    async def _owner(self, ref: OwnerRef) -> InventoryOwner | None:
        community, user = split(ref.owner)
        kit = await self._kit(community) if user is None else None
        if kit is None and not await self._is_user(community, user):
            return None
        owner = InventoryOwner(provider=ProviderKey.COMMUNITY, key=ref.owner)
        owner.name = kit.name if kit else user
        return owner

    async def _is_user(self, community: str, user: str | None) -> bool:
        return user is not None and await self._slots(community, user) is not None

    async def _is_known(self, owner: str) -> bool:
        community, user = split(owner)
        return await self._is_user(community, user) if user is not None else await self._kit(community) is not None

    async def facts_by_key(self, refs: Sequence[FactRef]) -> Results[FactRef, object]:
        """Give kits and their slots, users and their avatars."""
        return await each(refs, self._fact)

    async def _fact(self, ref: FactRef) -> object | None:
        community, user = split(ref.owner)
        if user is None:
            if ref.kind == ACCOUNT:
                return await self._kit(community)
            slots = await self._kit_slots(community) if ref.kind == SLOTS else None
            return None if slots is None else CommunitySlots(slots=slots)
        if ref.kind == STATE:
            return await self._state(community, user)
        known = ref.kind == ACCOUNT and await self._is_user(community, user)
        return CommunityUser(id=user, key=community) if known else None

    async def _kit_slots(self, community: str) -> list[CommunitySlot] | None:
        """Give the slots of a kit, as any user's slots tell them."""
        read = await self._slots(community, self._looked_at.get(community) or await self._user())
        return None if read is None else [one.slot for one in read]

    async def visibility_by_owner(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, bool]:
        """Tell that anyone may look at whoever is known."""
        return await each(refs, self._visible)

    async def _visible(self, ref: OwnerRef) -> bool | None:
        return await self._is_known(ref.owner) or None

    # --- the avatar ---------------------------------------------------------------------------------------------------

    async def containers_by_key(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Container]:
        """Give avatars."""
        return await each(refs, self._container)

    async def _container(self, ref: ContainerRef) -> Container | None:
        there = ref.key == AVATAR and await self._is_known(ref.owner)
        return wire.avatar(OwnerRef(ref.provider, ref.owner)) if there else None

    async def containers_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List the one avatar of each inventory."""
        return await each(asked, self._top_level)

    async def _top_level(self, asked: Asked) -> ContainerConnection | None:
        owner = cast("OwnerRef", asked.ref)
        arguments = cast("ContainerArguments", asked.arguments)
        if not await self._is_known(owner.owner):
            return None
        found = [wire.avatar(owner)] if arguments.kind in (None, ContainerKind.AVATAR) else []
        return ContainerConnection.of(list_containers(found, arguments.window))

    async def containers_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List nothing: in an avatar lie no containers."""
        return await each(asked, self._below)

    async def descendants_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List nothing: in an avatar lie no containers."""
        return await each(asked, self._below)

    async def _below(self, asked: Asked) -> ContainerConnection | None:
        there = await self._container(cast("ContainerRef", asked.ref))
        return None if there is None else ContainerConnection.of(list_containers([], asked.arguments.window))

    async def contents_by_container(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Contents]:
        """Read what lies in the slots of avatars."""
        return await each(refs, self._contents)

    async def _contents(self, ref: ContainerRef) -> CommunityContents | None:
        return await self._figures.read(OwnerRef(ref.provider, ref.owner)) if ref.key == AVATAR else None

    async def _fetch_laid(self, owner: OwnerRef) -> CommunityContents | None:
        found = await self._laid(owner)
        if found is not None:
            self._made.append(found)
        return found

    async def _laid(self, owner: OwnerRef) -> CommunityContents | None:
        """Lay out an avatar, by the slots alone: its version is told by the avatar's own document."""
        community, user = split(owner.owner)
        if user is None:
            slots = await self._kit_slots(community) if await self._kit(community) else None
            return None if slots is None else rules.lay(wire.avatar(owner), slots, CommunityState(), {})
        read = await self._slots(community, user)
        if read is None:
            return None
        state = CommunityState(allocations=wire.allocations_of(read))
        contents = rules.lay(wire.avatar(owner), [one.slot for one in read], state, await self._put_in(owner, read))
        contents.digest = lambda: None
        return contents

    async def _put_in(self, owner: OwnerRef, read: Sequence[wire.ReadSlot]) -> dict[str, CommunityItem]:
        """Give the items that lie in slots, by id; one that is told by its id alone is fetched."""
        community, user = split(owner.owner)
        times = _times(read)
        told = {one.item.id: one.item for one in read if one.item is not None}
        missing = [item for item in times if item not in told]
        fetched = await asyncio.gather(*(self._item(community, item) for item in missing))
        if missing and not await self._is_mine(user or ""):
            # How many there are, and which tokens they are, was told of the caller.
            fetched = [one and replace(one, quantity=0, token=None) for one in fetched]
        told |= {one.id: one for one in fetched if one is not None}
        # What lies in a slot is owned, whatever is told of it.
        return {item: _counted(told[item], times).held_by(owner) for item in times if item in told}

    # --- items --------------------------------------------------------------------------------------------------------

    async def _holdings(self, owner: OwnerRef) -> _Held | None:
        """Give what a user owns; of a kit, which is nobody's, nothing."""
        held = self._held.get(owner)
        if held is None:
            community, user = split(owner.owner)
            if user is None:
                return _Held({}) if await self._kit(community) else None
            listed = await self._owned(community, user)
            if listed is None:
                return None
            owned = [one for one in listed.entries if one.quantity > 0]
            if not all(one.is_counted for one in owned):
                times = _times(await self._slots(community, user) or ())
                owned = [_counted(one, times) for one in owned]
            held = self._held[owner] = _Held({one.id: one.held_by(owner) for one in owned}, listed.fault)
        return held

    async def items_by_key(self, refs: Sequence[ItemRef]) -> Results[ItemRef, Item]:
        """Give holdings."""
        return await each(refs, self._holding)

    async def _holding(self, ref: ItemRef) -> Item | None:
        held = await self._holdings(OwnerRef(ref.provider, ref.owner))
        if held is None:
            return None
        if ref.key not in held.items and held.fault:
            # It may be in what could not be read.
            raise held.fault
        return held.items.get(ref.key)

    async def items_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List all that users own."""
        return await each(asked, self._items_of)

    async def _items_of(self, asked: Asked) -> ItemConnection | None:
        owner = cast("OwnerRef", asked.ref)
        held = await self._holdings(owner)
        if held is None:
            return None
        wanted = asked.arguments.items if isinstance(asked.arguments, CollectibleArguments) else asked.arguments
        items = [*held.items.values()]
        part = list_items(items, cast("ItemArguments", wanted), _definitions(items))
        return ItemConnection.of(part, _problems(held.fault, owner.owner))

    async def items_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List what lies in the slots of avatars."""
        return await each(asked, self._items_in)

    async def _items_in(self, asked: Asked) -> ItemConnection | None:
        contents = await self._contents(cast("ContainerRef", asked.ref))
        if contents is None:
            return None
        arguments = cast("ItemArguments", asked.arguments)
        return ItemConnection.of(
            list_items(contents.items, arguments, _definitions(contents.items), places=contents.places)
        )

    async def totals_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Tell the quantities that users own."""
        return await each(asked, self._totals)

    async def _totals(self, asked: Asked) -> DefinitionConnection | None:
        owner = cast("OwnerRef", asked.ref)
        held = await self._holdings(owner)
        if held is None:
            return None
        arguments = cast("TotalArguments", asked.arguments)
        items = [*held.items.values()]
        wanted = arguments.filter or ItemFilter()
        part = total_up(items, wanted, arguments.window, _definitions(items))
        return DefinitionConnection.of(part, _problems(held.fault, owner.owner))

    async def ownership_by_key(self, refs: Sequence[OwnershipRef]) -> Results[OwnershipRef, bool]:
        """Tell whether users own items."""
        return await each(refs, self._owns)

    async def _owns(self, ref: OwnershipRef) -> bool | None:
        owner = OwnerRef(ref.provider, ref.owner)
        community, user = split(owner.owner)
        within, item = split(ref.definition)
        if user is not None and within == community and await self._is_mine(user):
            one = await self._item(community, item or "")
            if one is None:
                raise rules.refusal("unknown_item")
            return one.quantity > 0
        held = await self._holdings(owner)
        if held is None:
            return None
        if within == community and item in held.items:
            return True
        if await self._definition(DefinitionRef(PROVIDER, ref.definition)) is None:
            raise rules.refusal("unknown_item")
        if within == community and held.fault:
            # It may be in what could not be read.
            raise held.fault
        return False

    # --- the catalogue ------------------------------------------------------------------------------------------------

    async def catalogue_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """List the catalogues of communities, and what users own of them."""
        return await each(asked, self._catalogue)

    async def _catalogue(self, asked: Asked) -> DefinitionConnection | None:
        owner = cast("OwnerRef", asked.ref).owner
        community, user = split(owner)
        arguments = cast("CatalogueArguments", asked.arguments)
        only = bool(arguments.only_owned)
        if user is None and await self._kit(community) is None:
            return None
        if user is None and only:
            # A kit is nobody's, and nobody owns anything.
            listed = _NOTHING
        else:
            listed = await self._begun(_owned_by(community, user or await self._user(), only=only), arguments.window)
        return None if listed is None else _catalogued(listed, arguments.window, owner)

    async def definitions_by_slot(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """List what fits slots, and what users own of it."""
        alike = Counter((cast("SlotRef", one.ref).owner, one.arguments) for one in asked)
        few = {one for one in asked if alike[cast("SlotRef", one.ref).owner, one.arguments] <= _FEW_SLOTS}
        return await each(asked, lambda one: self._accepted(one, alone=one in few))

    async def _accepted(self, asked: Asked, *, alone: bool) -> DefinitionConnection | None:
        """List what fits a slot; `alone`, by a call of its own where that tells of the caller, whose slot it is."""
        ref = cast("SlotRef", asked.ref)
        community, user = split(ref.owner)
        arguments = cast("AcceptArguments", asked.arguments)
        only = bool(arguments.only_owned)
        if ref.container != AVATAR:
            return None
        if user is None or (alone and await self._is_mine(user)):
            listed = await self._begun(_fitting(community, ref.key, only=only), arguments.window)
            # A kit is nobody's, and nobody owns anything.
            listed = _NOTHING if listed is not None and user is None and only else listed
        else:
            slots = await self._slots(community, user) or ()
            known = any(one.slot.id == ref.key for one in slots)
            listed = await self._owned(community, user, only=only) if known else None
            if listed is not None:
                fitting = [one for one in listed.entries if ref.key in one.definition.slot_ids]
                listed = _Listed(fitting, len(fitting), listed.fault)
        return None if listed is None else _catalogued(listed, arguments.window, ref.owner)

    async def definitions_by_container(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """List nothing: containers hold items."""
        del asked
        return {}

    async def definitions_by_key(self, refs: Sequence[DefinitionRef]) -> Results[DefinitionRef, ItemDefinition]:
        """Give catalogue entries: those that some answer has told already, others by a call each."""
        return await each(refs, self._definition)

    async def _definition(self, ref: DefinitionRef) -> ItemDefinition | None:
        if ref in self._seen:
            return self._seen[ref]
        community, item = split(ref.key)
        found = await self._item(community, item or "")
        return None if found is None else found.definition

    async def definition_keys(self, kind: str) -> list[str]:
        """List the keys of a community's catalogue."""
        listed = await self._owned(kind, await self._user(), only=False) or _NOTHING
        if listed.fault:
            raise listed.fault
        return [one.key for one in sorted((one.definition for one in listed.entries), key=lambda one: one.sort)]

    async def count_by_list(self, asked: Sequence[Asked]) -> Results[Asked, int]:
        """Refuse: every list here is counted when it is read."""
        raise Unsupported("A community leaves no list uncounted.")

    # --- writes -------------------------------------------------------------------------------------------------------

    def assume(self, shown: Shown) -> None:
        """Refuse: nothing is simulated here."""
        raise Unsupported("A community's service simulates nothing.")

    async def write(self, verb: Capability, owner: OwnerRef, change: Any) -> Written:
        """Allocate slots, or mint an avatar: the caller's own, as the service takes no other."""
        if split(owner.owner)[1] != await self._user():
            message = f"The inventory of another owner of {MANIFEST.title} cannot be changed."
            raise Forbidden(message).at("container")
        check_avatar(owner, change)
        user = split(owner.owner)[1] or ""
        if verb is Capability.ALLOCATE_SLOTS:
            return await self._allocate(owner, user, change)
        if verb is Capability.MINT_AVATAR:
            return await self._mint(owner, user, change)
        raise Unsupported(f"A community does not support `{verb.value}`.")

    async def _allocate(self, owner: OwnerRef, user: str, change: AllocateSlotsInput) -> Written:
        community = split(owner.owner)[0]
        entries = entries_of(owner, change)
        await self._forget(owner)
        read = await self._slots(community, user)
        if read is None:
            raise NotFound("There is no such avatar.").at("container")
        if any(_is_foreign(item) for _, item in entries):
            await self._refuse_foreign(community, user, entries, read)
        path, body = _path(community, "slots", "allocate"), wire.render_allocation(entries)
        await self._post(owner, path, body, partial(places_in, entries), whole="slots")
        contents = await self._outcome(owner, user)
        after = contents.state
        before = replace(after, allocations=wire.allocations_of(read))
        if _pairs(before) != _pairs(after):
            # Each call that changes anything raises the version by one.
            before.number -= 1
        changes = changed(owner, before, after, [one.slot for one in read])
        return Written(changes=changes, shown=payload(contents, [slot for slot, _ in entries]))

    async def _refuse_foreign(
        self, community: str, user: str, entries: Sequence[tuple[str, str | None]], read: Sequence[wire.ReadSlot]
    ) -> None:
        """Refuse entries of which some name items of another community, with all that is wrong with the others.

        Such an item has no id here that could be sent, so that the service cannot be asked.
        """
        listed = await self._owned(community, user)
        if listed is None:
            raise NotFound("There is no such avatar.").at("container")
        if listed.fault:
            raise listed.fault
        owned = {one.id: _counted(one, _times(read)).quantity for one in listed.entries}
        fits = {one.id: one.definition.slot_ids for one in listed.entries}
        others = {item for _, item in entries if item is not None and item not in owned and not _is_foreign(item)}
        found = await asyncio.gather(*(self._item(community, item) for item in others))
        fits |= {one.id: one.definition.slot_ids for one in found if one is not None}
        rules.allocate(
            [one.slot for one in read],
            CommunityState(allocations=wire.allocations_of(read)),
            rules.Stock(fits=fits, owned=owned),
            entries,
            at=datetime.now(UTC),
        )

    async def _mint(self, owner: OwnerRef, user: str, change: MintAvatarInput) -> Written:
        community = split(owner.owner)[0]
        await self._forget(owner)
        before = await self._state(community, user)
        if before is None:
            raise NotFound("There is no such avatar.").at("container")
        path, body = _path(community, "avatar", "mint"), {"blockchain": change.blockchain}
        await self._post(owner, path, body, places_in_mint, whole="blockchain")
        contents = await self._outcome(owner, user)
        changes = changed(owner, contents.state, contents.state, ())
        if contents.state.mints != before.mints:
            changes.updated_ids = [strawberry.ID(encode_id(CONTAINER, ContainerRef(*owner, AVATAR)))]
        return Written(changes=changes, shown=payload(contents, None))

    async def _post(
        self,
        owner: OwnerRef,
        path: str,
        body: object,
        places: Callable[[Sequence[wire.Detail]], Iterator[tuple[str, ...]]],
        *,
        whole: str,
    ) -> None:
        """Have something done; raises Refusals, each with its place in the input, or of its `whole` part."""
        upstream, partition = self._upstream, self._credential.partition
        content = orjson.dumps(body)

        def send(token: str) -> Awaitable[httpx.Response]:
            headers = {**_bearer(token), "Content-Type": "application/json"}
            request = httpx.Request("POST", upstream.address(path), headers=headers, content=content)
            return upstream.client.send(request, partition=partition)

        try:
            response = await self._call(send)
        finally:
            # Whatever became of it: it may have been done.
            await self._forget(owner)
        if not response.is_success:
            status, name = response.status_code, name_of(response)
            details = wire.parse_details(told(response))
            faults = zip(details, places(details), strict=True)
            refuse([refusal(detail.reason, status, name).at(*path) for detail, path in faults])
            raise refusal("", status, name).at(whole)

    async def _outcome(self, owner: OwnerRef, user: str) -> CommunityContents:
        """Read an avatar after a write, its version and mints with it."""
        try:
            contents, state = await asyncio.gather(self._laid(owner), self._state(split(owner.owner)[0], user))
        except GatewayError:
            contents = state = None
        if contents is None or state is None:
            raise OutcomeUnknown("The service has taken the change, but what has come of it could not be read.")
        contents.state = replace(state, allocations=contents.state.allocations)
        return contents


# --- what is sent -----------------------------------------------------------------------------------------------------


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _path(community: str, *parts: str) -> str:
    return "/".join((f"/v1/community/{_quoted(community)}/inventory", *map(_quoted, parts)))


def _kit_of(community: str) -> _Address:
    return _Address(community, _path(community))


def _owned_by(community: str, user: str, *, only: bool) -> _List:
    """Give the list of all items, or `only` of those that a user owns."""
    path = _path(community, "items") + f"?onlyOwned={_flag(only)}&userId={_quoted(user)}"
    return _List(joined(community, user), path, only)


def _fitting(community: str, slot: str, *, only: bool) -> _List:
    """Give the list of what fits a slot; what is owned is told of the caller."""
    return _List(community, _path(community, "slots", slot, "items") + f"?onlyOwned={_flag(only)}", only)


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- what is read -----------------------------------------------------------------------------------------------------


def _items(value: object, community: str, *, owned: bool) -> _Page:
    """Read a page of items; what is listed as owned is, even where the entry itself does not say so."""
    page = wire.parse_page(value)
    entries: list[wire.ReadItem] = []
    for entry in page.entries:
        read = wire.parse_item(entry, community)
        silent = all(entry.get(name) is None for name in ("owned", "isOwned", "quantity"))
        entries.append(replace(read, quantity=1, is_counted=False) if owned and silent else read)
    return _Page(entries, page.total)


_NOTHING = _Listed([], 0)


def _position(read: wire.ReadItem) -> Position:
    return Position(NATURAL, 0, read.definition.sort)


def _ascend(read: Sequence[wire.ReadItem]) -> bool:
    """Say whether items come in the catalogue's order, each once."""
    return all(one.definition.sort < other.definition.sort for one, other in pairwise(read))


def _problems(fault: GatewayError | None, owner: str) -> list[SourceProblem]:
    return [] if fault is None else [problem(fault, ProviderKey.COMMUNITY, owner=owner)]


def _avatar_of(user: str, value: object) -> CommunityState:
    """Read an avatar, which must be this user's if it tells whose it is."""
    if wire.parse_user(value) not in (None, user):
        raise UpstreamInvalid("The service's answer is another user's avatar.")
    return wire.parse_avatar(value)


def _item_of(item: str, value: object, community: str) -> wire.ReadItem:
    """Read an item, which must be the one of this id."""
    read = wire.parse_item(value, community)
    if read.id != item:
        raise UpstreamInvalid("The service's answer is another item.")
    return read


def _times(read: Sequence[wire.ReadSlot]) -> Counter[str]:
    """Count the slots that items lie in."""
    return Counter(one.item_id for one in read if one.item_id is not None)


def _counted(item: wire.ReadItem, times: Mapping[str, int]) -> wire.ReadItem:
    """Give an item with its number; where none is told, there are as many as slots that it lies in."""
    if item.is_counted and item.quantity:
        return item
    return replace(item, quantity=max(item.quantity, times.get(item.id, 0)))


def _pairs(state: CommunityState) -> set[tuple[str, str]]:
    return {(one.slot, one.item) for one in state.allocations}


def _definitions(items: Sequence[Item]) -> Definitions:
    """Give the definitions of items, which came with them."""
    return {ref: item.definition for item in items if item.definition and (ref := item.definition_ref) is not None}


def _catalogued(listed: _Listed, window: Window, owner: str) -> DefinitionConnection:
    """Make a list of definitions, which are in hand; with a user, it tells how many are owned."""
    part = part_of(listed.entries, window, position=_position)
    counts = split(owner)[1] is not None
    connection = DefinitionConnection.of(
        Part(
            entries=[(at, (one.definition.ref, one.quantity if counts else None)) for at, one in part.entries],
            has_next=part.has_next,
            has_previous=part.has_previous,
            total=listed.total,
        ),
        _problems(listed.fault, owner),
    )
    nodes: list[ItemDefinition | None] = [one.definition for _, one in part.entries]
    for edge, node in zip(connection.edges, nodes, strict=True):
        edge.node = node
    connection.nodes = nodes
    return connection


def _is_foreign(item: str | None) -> bool:
    """Say whether this stands for an item of another community."""
    return item is not None and "\0" in item


# --- batches ----------------------------------------------------------------------------------------------------------


async def _some_at_once(
    read: Callable[[int], Awaitable[T]], numbers: Sequence[int]
) -> dict[int, T | GatewayError | None]:
    """Read pages, a few at a time; one that fails does so alone."""
    room = asyncio.Semaphore(_PAGES_AT_ONCE)

    async def one(number: int) -> T:
        async with room:
            return await read(number)

    return await each(numbers, one)
