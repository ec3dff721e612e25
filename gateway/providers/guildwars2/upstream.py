"""Upstream: Guild Wars 2 itself, over HTTP; account data with the caller's key, the catalogue without any."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import quote

import httpx
import msgspec

from gateway.model.arguments import ContainerArguments, ContainerKind, ItemArguments, ItemFilter, ItemOrder
from gateway.model.container import Container, ContainerConnection, Contents
from gateway.model.credentials import ANONYMOUS, Credential
from gateway.model.deadline import time_left
from gateway.model.definition import DefinitionConnection, ItemDefinition
from gateway.model.errors import (
    Forbidden,
    GatewayError,
    InvalidInput,
    RateLimited,
    Unauthenticated,
    Unsupported,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.model.ids import ContainerRef, DefinitionRef, FactRef, ItemRef, OwnerRef, OwnershipRef
from gateway.model.item import Item, ItemConnection
from gateway.model.listing import Definitions, definitions_needed, list_containers, list_items, total_up
from gateway.model.loader import Loader, each
from gateway.model.manifest import BackendKind, Capability, Manifest, ProviderKey
from gateway.model.node import SourceProblem, problem
from gateway.model.owner import ACCOUNT, CREDENTIAL, InventoryOwner
from gateway.model.ports import Holder, Holdings, Results, Shown, Written
from gateway.model.relations import Asked
from gateway.providers.guildwars2 import rules, wire
from gateway.providers.guildwars2.catalogue import ENDPOINTS, Endpoint
from gateway.providers.guildwars2.keys import (
    BANK,
    MATERIALS,
    SHARED,
    category_key,
    character_key,
    number_of,
    split_character,
)
from gateway.providers.guildwars2.manifest import MANIFEST
from gateway.providers.guildwars2.types import CHARACTER, CharacterContents
from gateway.telemetry import Figure
from gateway.transport.cache import Cache, Kept, Private, SharedReads, fresh_for
from gateway.transport.client import Client
from gateway.transport.errors import CircuitOpen, judge_status, retry_after

SCHEMA_VERSION = "2024-07-20T01:00:00.000Z"
LANGUAGE = "en"

_SUFFIX = f"v={SCHEMA_VERSION}&lang={LANGUAGE}"
_KEY_TEXTS = ("invalid key", "invalid access token", "endpoint requires authentication")
_ABSENT_TEXTS = ("no such id", "all ids provided are invalid")
_TROUBLE = ("errtimeout", "errinternal", "errbaddata", "unknown error")
_BATCH = MANIFEST.limits.batch_size or 200

# How many calls may fail in a row before a batch counts as an outage, not as one bad id; and how many calls at most
# the search for bad ids takes: enough to find three of 200.
_PROBES = 7
_MOST_PROBES = 48

# Whose a key is never changes; but a key that was deleted should not be known for ever.
_IDENTITY_SECONDS = 3_600

# What the catalogue does not know today it may know after the next build of the game.
_ABSENT_SECONDS = 60.0
_ABSENT_SIZE = 64

# Sizes are those of the answers' text. The objects take more: of definitions four times as much, of what lies in slots
# twelve times.
_DEFINITIONS, _DEFINITIONS_SIZE = 50_000, 24 << 20
_DOCUMENTS, _DOCUMENTS_SIZE = 10_000, 8 << 20

T = TypeVar("T")
K = TypeVar("K")


_LACKING = re.compile(r"requires (?:at least one )?scopes? (?:from )?([a-z_]+(?:[, ]+[a-z_]+)*)\Z")
_SCOPE = re.compile(r"[a-z_]+")


class _Text(msgspec.Struct):
    text: str = ""
    error: str = ""


def judge(response: httpx.Response) -> GatewayError | None:
    """Tell what kind of failure an answer is, by status first, by text second; what is absent is no failure.

    Of the service's texts only those that are known are passed on: no other can be trusted not to hold the key.
    """
    status = response.status_code
    if status in (200, 206):
        return None
    text = _text_of(response)
    # These came with 400 in some years.
    if text in _ABSENT_TEXTS and status in (400, 404):
        return None
    # The service was seen to call good keys invalid with each of these statuses.
    if status == 401 or (status in (400, 403) and text in _KEY_TEXTS):
        return Unauthenticated(
            "Guild Wars 2 does not accept this API key.", provider_code=text if text in _KEY_TEXTS else str(status)
        )
    if status == 429:
        return RateLimited(
            "Guild Wars 2 asks to wait.", provider_code=str(status), retry_after=retry_after(response) or 1.0
        )
    if status == 503 and text == "api not active":
        # It lasts for hours to days.
        return UpstreamUnavailable("Guild Wars 2 has switched this off.", provider_code=text, retryable=False)
    if text in _TROUBLE or (status >= 400 and not response.content):
        return UpstreamUnavailable("Guild Wars 2 is in trouble.", provider_code=text or str(status))
    if status == 403 and (lacking := _LACKING.match(text)):
        return rules.lacking(_SCOPE.findall(lacking[1]))
    if status == 400 and text == "account does not have game access":
        return Forbidden("The account has no access to the game.", provider_code=text)
    return judge_status(response)


def _text_of(response: httpx.Response) -> str:
    try:
        told = msgspec.json.decode(response.content, type=_Text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return (told.text or told.error).strip().lower()


class _Document:
    """An answer about an account, decoded, and what is made of it; both stay as they are once they are made."""

    __slots__ = ("laid", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.laid: dict[str, Any] = {}

    def made(self, name: str, make: Callable[[], T]) -> T:
        """Give what is made of the answer under a name, made when it is first asked for."""
        found = self.laid.get(name)
        if found is None:
            found = self.laid[name] = make()
        return found


class Upstream:
    """The service as a backend.

    It keeps the catalogue as long as the service allows, whose each credential is, and answers about accounts where
    that is switched on. What is kept is shared by requests and never changed.
    """

    manifest: Manifest = MANIFEST
    kind = BackendKind.UPSTREAM

    def __init__(
        self,
        client: Client,
        base_url: str,
        *,
        second_look: float = 1.0,
        account_cache: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`second_look`: seconds to wait before a key that was called invalid is tried once more.

        `account_cache`: seconds for which what a credential has read is kept for it; 0 keeps nothing.
        """
        self.client = client
        self.base_url = base_url.rstrip("/")
        self.second_look = second_look
        self.account_cache = account_cache
        self.documents: Private[tuple[str, Any], _Document] = Private(
            entries=_DOCUMENTS, size=_DOCUMENTS_SIZE, clock=clock
        )
        self.definitions: SharedReads[DefinitionRef, ItemDefinition | None] = SharedReads(
            Cache(entries=_DEFINITIONS, size=_DEFINITIONS_SIZE, clock=clock), self._read_batch, _batches
        )
        self.identities: Private[None, str] = Private(entries=10_000, seconds=_IDENTITY_SECONDS)

    def session(self, credential: Credential) -> UpstreamSession:
        """Open a session for a caller."""
        return UpstreamSession(self, credential)

    async def owners(self) -> list[OwnerRef]:
        """List no one: whose inventories there are, only the service knows."""
        return []

    def figures(self) -> list[Figure]:
        """List how the caches do."""
        key = self.manifest.key
        return [*self.definitions.cache.figures("catalogue", key), *self.documents.cache.figures("accounts", key)]

    # --- the catalogue: read without a credential, and the same for all -----------------------------------------------

    async def _read_batch(self, refs: Sequence[DefinitionRef]) -> Mapping[DefinitionRef, Kept[Any] | Exception]:
        """Read a batch of one endpoint; where one id spoils it, find that id by halving, so that it fails alone."""
        endpoint = ENDPOINTS[refs[0].key.partition(":")[0]]
        try:
            return await self._call_batch(endpoint, refs)
        except GatewayError as error:
            if len(refs) == 1 or not _may_be_one_id(error):
                return dict.fromkeys(refs, error)
        found: dict[DefinitionRef, Any] = {}
        halves = _halves(refs)
        failed = 0
        for _ in range(_MOST_PROBES):
            if not halves:
                break
            half = halves.pop(0)
            try:
                found.update(await self._call_batch(endpoint, half, attempts=1))
                failed = 0
            except GatewayError as error:
                # What is halved further has it until it is known better.
                found.update(dict.fromkeys(half, error))
                failed += 1
                if failed >= _PROBES:
                    break
                if len(half) > 1 and _may_be_one_id(error):
                    halves += _halves(half)
        return found

    async def _call_batch(
        self, endpoint: Endpoint, refs: Sequence[DefinitionRef], *, attempts: int | None = None
    ) -> Mapping[DefinitionRef, Kept[Any] | Exception]:
        by_number = {number_of(ref.key): ref for ref in refs}
        ids = ",".join(map(str, by_number))
        response = await self.client.get(
            f"{self.base_url}/v2/{endpoint.path}?ids={ids}&{_SUFFIX}", partition=ANONYMOUS, attempts=attempts
        )
        seconds = fresh_for(response.headers)
        absent = Kept(None, min(seconds, _ABSENT_SECONDS), _ABSENT_SIZE)
        if response.is_client_error:
            return dict.fromkeys(refs, absent)  # all ids provided are invalid
        found: dict[DefinitionRef, Kept[Any] | Exception] = dict.fromkeys(refs, absent)
        content = response.content
        # Matched by id: neither the order nor the number of the entries is promised.
        try:
            entries = wire.decode(content, list[endpoint.shape])
            size = len(content) // max(1, len(entries))
            for entry in entries:
                ref = by_number.get(entry.id)
                if ref is not None:
                    found[ref] = Kept(endpoint.parse(entry), seconds, size)
        except UpstreamInvalid:
            found.update(_one_by_one(endpoint, content, by_number, seconds))
        return found


def _one_by_one(
    endpoint: Endpoint, content: bytes, by_number: Mapping[int, DefinitionRef], seconds: float
) -> Mapping[DefinitionRef, Kept[Any] | Exception]:
    """Read the entries of a batch that are good, and tell of the others which they are."""
    found: dict[DefinitionRef, Kept[Any] | Exception] = {}
    nameless: UpstreamInvalid | None = None
    for raw in wire.decode(content, list[msgspec.Raw]):
        ref = None
        try:
            ref = by_number.get(wire.decode(raw, wire.WireId).id)
            if ref is not None:
                found[ref] = Kept(endpoint.parse(wire.decode(raw, endpoint.shape)), seconds, len(raw))
        except UpstreamInvalid as error:
            if ref is None:
                nameless = error
            else:
                found[ref] = error
    if nameless is not None:
        # It may be any of those that are missing.
        found.update({ref: nameless for ref in by_number.values() if ref not in found})
    return found


class UpstreamSession:
    """One caller's reads of the service: each document is fetched once, whatever is asked of it."""

    def __init__(self, upstream: Upstream, credential: Credential) -> None:
        self._upstream = upstream
        self._credential = credential
        self._documents: Loader[tuple[str, Any], _Document] = Loader[tuple[str, Any], _Document].alone(
            self._fetch_document
        )
        self._definitions: Loader[DefinitionRef, ItemDefinition] = Loader(upstream.definitions.load_many)
        self._made: list[Contents] = []
        self._mine: str | None = None
        self._looking = asyncio.Lock()
        self._accepted = False
        self._rejected: Unauthenticated | None = None

    @property
    def credential(self) -> Credential:
        """The caller's credential."""
        return self._credential

    async def aclose(self) -> None:
        """Cancel the calls still under way, and let go of what was read."""
        await self._definitions.aclose()
        await self._documents.aclose()
        for contents in self._made:
            contents.release()

    # --- calls --------------------------------------------------------------------------------------------------------

    def _read(self, path: str, shape: Any) -> Awaitable[_Document | None]:
        """Give a document; all who ask share one call, and who stops waiting stops alone."""
        return self._documents.read((path, shape))

    async def _fetch_document(self, document: tuple[str, Any]) -> _Document | None:
        if self._upstream.account_cache:
            kept = self._upstream.documents.get(self._credential, document)
            if kept is not None:
                return kept
        wait = self._upstream.second_look
        try:
            if self._rejected is None:
                return await self._fetch(*document)
        except Unauthenticated:
            left = time_left()
            if not self._credential or (left is not None and left <= wait):
                raise
        # A good key may for a moment be called invalid: one document looks again, and tells for all.
        async with self._looking:
            if self._rejected is None and not self._accepted:
                await asyncio.sleep(wait)
                try:
                    found = await self._fetch(*document)
                except Unauthenticated as error:
                    self._rejected = error
                else:
                    self._accepted = True
                    return found
        if self._rejected is not None:
            raise self._rejected
        return await self._fetch(*document)

    async def _fetch(self, path: str, shape: Any) -> _Document | None:
        key = self._credential.part("key")
        if key is None:
            raise Unauthenticated("An API key of Guild Wars 2 is needed.")
        response = await self._upstream.client.get(
            f"{self._upstream.base_url}{path}?{_SUFFIX}",
            headers={"Authorization": f"Bearer {key}"},
            partition=self._credential.partition,
        )
        if response.is_client_error:
            return None
        content = response.content
        found = _Document(wire.decode(content, shape))
        # Kept for this credential alone, whatever the service allows: who runs the gateway has chosen the time.
        return self._upstream.documents.keep(
            self._credential, (path, shape), found, seconds=self._upstream.account_cache, size=len(content)
        )

    async def _document(self, path: str, shape: type[T]) -> T | None:
        found = await self._read(path, shape)
        return None if found is None else found.value

    async def _names(self) -> list[str]:
        names = await self._document("/v2/characters", list[str]) or []
        try:
            for name in names:
                rules.check_container(character_key(name))
        except InvalidInput:
            raise UpstreamInvalid("The service lists a character whose name cannot be one.") from None
        return sorted(names)

    # --- whose --------------------------------------------------------------------------------------------------------

    async def identity(self, key: str) -> str:
        """Give the account's name; asked once of the service, then known by the credential's hash."""
        return rules.own_key(Holder(await self._account(), "key"), key)

    async def renew(self, part: str) -> str:
        """Refuse: keys of the service are not renewed."""
        del part
        raise Unsupported("Keys of Guild Wars 2 are not renewed.")

    async def _account(self) -> str:
        if self._mine is None and self._credential:
            self._mine = self._upstream.identities.get(self._credential, None)
        if self._mine is None:
            account = await self._document("/v2/account", wire.WireAccount)
            if account is None:
                raise UpstreamInvalid("Guild Wars 2 does not know the account of this API key.")
            self._mine = self._upstream.identities.keep(self._credential, None, account.name)
        return self._mine

    async def _own(self, owner: str) -> bool:
        """Tell whether this is the account of the key: of no other can anything be read."""
        return await self._account() == owner

    async def owners_by_key(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, InventoryOwner]:
        """Give the account of the key."""
        mine = await self._account()
        found: dict[OwnerRef, InventoryOwner] = {}
        for ref in refs:
            if ref.owner == mine:
                owner = found[ref] = InventoryOwner(provider=ProviderKey.GUILD_WARS_2, key=mine)
                owner.name = mine
        return found

    async def facts_by_key(self, refs: Sequence[FactRef]) -> Results[FactRef, object]:
        """Give the account, a character's summary, or what the service tells about the key."""
        return await each(refs, self._fact)

    async def _fact(self, ref: FactRef) -> object | None:
        if not await self._own(ref.owner):
            return None
        if ref.kind == ACCOUNT:
            account = await self._document("/v2/account", wire.WireAccount)
            return account and wire.parse_account(account)
        if ref.kind == CREDENTIAL:
            token = await self._document("/v2/tokeninfo", wire.WireToken)
            return token and wire.parse_token(token)
        if ref.kind == CHARACTER:
            summary = await self._document(f"/v2/characters/{quote(ref.key, safe='')}", wire.WireCharacter)
            return summary and wire.parse_character(summary)
        return None

    async def visibility_by_owner(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, bool]:
        """Tell whether the key has the scopes that the inventory takes."""
        return await each(refs, self._visible)

    async def _visible(self, ref: OwnerRef) -> bool | None:
        if not await self._own(ref.owner):
            return None
        token = await self._document("/v2/tokeninfo", wire.WireToken)
        return token is not None and set(rules.INVENTORY_SCOPES) <= set(token.permissions)

    # --- containers ---------------------------------------------------------------------------------------------------

    async def containers_by_key(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Container]:
        """Give containers; a character costs its inventory, which tells that it exists, and what it carries."""
        return await each(refs, self._container)

    async def _container(self, ref: ContainerRef) -> Container | None:
        if not await self._own(ref.owner):
            return None
        owner = OwnerRef(ref.provider, ref.owner)
        if ref.key in wire.STORAGE_NAMES:
            return wire.storage(owner, ref.key)
        if not ref.key.startswith("character:"):
            return next((section for section in await self._sections(owner) if section.key == ref.key), None)
        name, index = split_character(ref.key)
        try:
            contents = await self._carried(OwnerRef(ref.provider, ref.owner), name)
        except GatewayError:
            # A character whose inventory cannot be read, for want of a scope or for now, is still known by its name.
            if index is None and await self._listed_by_name(name):
                return wire.parse_name(name, owner)
            raise
        if contents is None:
            return None
        if index is None:
            return contents.container
        return next((place.bag for place in contents.bag_slots if place.index == index), None)

    async def _listed_by_name(self, name: str) -> bool:
        try:
            return name in await self._names()
        except GatewayError:
            return False

    async def _sections(self, owner: OwnerRef) -> list[Container]:
        """List the sections of the material storage that the account's answer names."""
        entries = await self._document("/v2/account/materials", list[wire.WireMaterial]) or []
        categories = sorted({entry.category for entry in entries})
        refs = [DefinitionRef(owner.provider, f"material:{category}") for category in categories]
        names = await self._known(refs)
        found: list[Container] = []
        for category, ref in zip(categories, refs, strict=True):
            known = names.get(ref)
            found.append(wire.section(owner, category, known.name if known and known.name else category_key(category)))
        return found

    async def containers_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List the characters by name, then the account's storage."""
        return await each(asked, self._top_level)

    async def _top_level(self, asked: Asked) -> ContainerConnection | None:
        owner = cast("OwnerRef", asked.ref)
        arguments = cast("ContainerArguments", asked.arguments)
        if not await self._own(owner.owner):
            return None
        found: list[Container] = []
        problems: list[SourceProblem] = []
        if arguments.kind in (None, ContainerKind.CHARACTER):
            try:
                found += [wire.parse_name(name, owner) for name in await self._names()]
            except GatewayError as error:
                if arguments.kind is not None:
                    raise
                problems.append(problem(error, ProviderKey.GUILD_WARS_2, owner=owner.owner))
        if arguments.kind in (None, ContainerKind.STORAGE):
            found += [wire.storage(owner, key) for key in wire.STORAGE_NAMES]
        return ContainerConnection.of(list_containers(found, arguments.window), problems)

    async def containers_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List a character's bags, or the sections of the material storage."""
        return await each(asked, self._children)

    async def descendants_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List what lies below: no container here has grandchildren."""
        return await each(asked, self._children)

    async def _children(self, asked: Asked) -> ContainerConnection | None:
        ref = cast("ContainerRef", asked.ref)
        if not await self._own(ref.owner):
            return None
        found: list[Container] = []
        if ref.key == MATERIALS:
            found = await self._sections(OwnerRef(ref.provider, ref.owner))
        elif ref.key.startswith("character:") and "/" not in ref.key:
            contents = await self._carried(OwnerRef(ref.provider, ref.owner), split_character(ref.key)[0])
            if contents is None:
                return None
            found = [place.bag for place in contents.bag_slots if place.bag is not None]
        return ContainerConnection.of(list_containers(found, asked.arguments.window))

    async def contents_by_container(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Contents]:
        """Read what lies in containers."""
        return await each(refs, self._contents_of)

    async def _contents_of(self, ref: ContainerRef) -> Contents | None:
        return await self._read_contents(ref) if await self._own(ref.owner) else None

    async def _read_contents(self, ref: ContainerRef) -> Contents | None:
        owner = OwnerRef(ref.provider, ref.owner)
        if ref.key.startswith("character:"):
            name, index = split_character(ref.key)
            carried = await self._carried(owner, name)
            return carried if index is None or carried is None else carried.inside.get(index)
        if ref.key in (BANK, SHARED):
            path = "/v2/account/bank" if ref.key == BANK else "/v2/account/inventory"
            slots = await self._read(path, list[wire.WireItem | None]) or _Document([])
            return slots.made(ref.key, lambda: self._laid(wire.parse_slots(slots.value, owner, ref.key)))
        if ref.key == MATERIALS:
            return rules.contents(wire.storage(owner, MATERIALS), (), ())
        held = await self._materials(owner)
        section = next((child for child in held.children if child.key == ref.key), None)
        return section and rules.contents(section, (), held.items)

    async def _carried(self, owner: OwnerRef, name: str) -> CharacterContents | None:
        path = f"/v2/characters/{quote(name, safe='')}/inventory"
        found = await self._read(path, wire.WireInventory)
        if found is None:
            return None
        laid = found.made(name, lambda: self._laid(wire.parse_inventory(found.value, owner, name)))
        return cast("CharacterContents", laid)

    async def _materials(self, owner: OwnerRef) -> Holdings:
        found = await self._read("/v2/account/materials", list[wire.WireMaterial]) or _Document([])
        return found.made(MATERIALS, lambda: wire.parse_materials(found.value, owner))

    def _laid(self, held: Holdings) -> Contents:
        contents = rules.contents(held.container, held.children, held.items)
        if not self._upstream.account_cache:
            # Else it is kept, for requests to come.
            self._made.append(contents)
        return contents

    # --- items --------------------------------------------------------------------------------------------------------

    async def items_by_key(self, refs: Sequence[ItemRef]) -> Results[ItemRef, Item]:
        """Give holdings, by the container that their key names."""
        return await each(refs, self._item)

    async def _item(self, ref: ItemRef) -> Item | None:
        if not await self._own(ref.owner):
            return None
        container = ref.key.rpartition("/")[0]
        contents = await self._read_contents(ContainerRef(ref.provider, ref.owner, container))
        return next((item for item in contents.items if item.key == ref.key), None) if contents else None

    async def items_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List what lies directly in containers."""
        return await each(asked, self._items_in)

    async def _items_in(self, asked: Asked) -> ItemConnection | None:
        ref = cast("ContainerRef", asked.ref)
        contents = await self._contents_of(ref)
        return None if contents is None else await self._listed(contents.items, asked.arguments, [])

    async def items_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List all holdings; it takes every character's inventory and all storage."""
        return await each(asked, self._items_of)

    async def _items_of(self, asked: Asked) -> ItemConnection | None:
        owner = cast("OwnerRef", asked.ref)
        if not await self._own(owner.owner):
            return None
        items, problems = await self._everything(owner)
        return await self._listed(items, asked.arguments, problems)

    async def _listed(
        self, items: Sequence[Item], arguments: ItemArguments, problems: Sequence[SourceProblem]
    ) -> ItemConnection:
        definitions = await self._known(definitions_needed(items, arguments.passing, arguments.order))
        return ItemConnection.of(list_items(items, arguments, definitions), problems)

    async def _everything(self, owner: OwnerRef) -> tuple[list[Item], list[SourceProblem]]:
        """Read all containers; one that fails is a problem, and only if all do is the first one's error raised."""
        items: list[Item] = []
        errors: list[tuple[str | None, GatewayError]] = []
        succeeded: list[str] = []

        async def read(key: str) -> None:
            try:
                if key == MATERIALS:
                    items.extend((await self._materials(owner)).items)
                else:
                    contents = await self._read_contents(ContainerRef(*owner, key))
                    if isinstance(contents, CharacterContents):
                        for laid in contents.inside.values():
                            items.extend(laid.items)
                    elif contents is not None:
                        items.extend(contents.items)
                succeeded.append(key)
            except GatewayError as error:
                errors.append((key, error))

        keys = [BANK, SHARED, MATERIALS]
        try:
            keys += [f"character:{name}" for name in await self._names()]
        except GatewayError as error:
            errors.append((None, error))
        await asyncio.gather(*map(read, keys))
        if any(isinstance(error, Forbidden) for _, error in errors):
            await self._refuse_closed()
        if not succeeded:
            raise errors[0][1]
        errors.sort(key=lambda entry: entry[0] or "")
        return items, [
            problem(error, ProviderKey.GUILD_WARS_2, owner=owner.owner, container=key) for key, error in errors
        ]

    async def _refuse_closed(self) -> None:
        """Raise Forbidden if the inventory is closed to the key: then it is not listed in part, but refused."""
        token = await self._document("/v2/tokeninfo", wire.WireToken)
        missing = [scope for scope in rules.INVENTORY_SCOPES if token and scope not in token.permissions]
        if missing:
            raise rules.lacking(missing)

    async def totals_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Sum quantities over all containers."""
        return await each(asked, self._totals)

    async def _totals(self, asked: Asked) -> DefinitionConnection | None:
        owner = cast("OwnerRef", asked.ref)
        if not await self._own(owner.owner):
            return None
        items, problems = await self._everything(owner)
        wanted = asked.arguments.filter or ItemFilter()
        definitions = await self._known(definitions_needed(items, wanted, ItemOrder.NATURAL))
        return DefinitionConnection.of(total_up(items, wanted, asked.arguments.window, definitions), problems)

    async def ownership_by_key(self, refs: Sequence[OwnershipRef]) -> Results[OwnershipRef, bool]:
        """Tell whether any container holds one."""
        return await each(refs, self._holds)

    async def _holds(self, ref: OwnershipRef) -> bool | None:
        if not await self._own(ref.owner):
            return None
        items, problems = await self._everything(OwnerRef(ref.provider, ref.owner))
        if any(item.definition_key == ref.definition and item.quantity > 0 for item in items):
            return True
        if problems:
            # What could not be read might hold it.
            raise UpstreamUnavailable("Not every container could be read, so this cannot be told.")
        return False

    # --- the catalogue ------------------------------------------------------------------------------------------------

    async def definitions_by_container(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """List nothing: containers hold items."""
        del asked
        return {}

    async def definitions_by_key(self, refs: Sequence[DefinitionRef]) -> Results[DefinitionRef, ItemDefinition]:
        """Give catalogue entries, in batches."""
        found: dict[DefinitionRef, Any] = self._upstream.definitions.cache.fresh(refs)
        if len(found) < len(refs):
            missing = [ref for ref in refs if ref not in found]
            read = await self._definitions.load_many(missing)
            for ref in missing:
                one = found[ref] = read.get(ref)
                if isinstance(one, Exception) and not isinstance(one, GatewayError):
                    raise one
        return found

    async def _known(self, refs: Sequence[DefinitionRef]) -> Definitions:
        """Give the definitions that can be read: what a list is filtered by may be missing for some."""
        found = await self.definitions_by_key(refs)
        return {ref: entry for ref, entry in found.items() if isinstance(entry, ItemDefinition)}

    async def definition_keys(self, kind: str) -> list[str]:
        """List the ids of a whole endpoint of the catalogue."""
        endpoint = ENDPOINTS[kind]
        response = await self._upstream.client.get(
            f"{self._upstream.base_url}/v2/{endpoint.path}?{_SUFFIX}", partition=ANONYMOUS
        )
        return [f"{kind}:{number}" for number in wire.decode(response.content, list[int])]

    async def catalogue_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Refuse: an inventory here has no bounded catalogue."""
        raise Unsupported("Guild Wars 2 has no bounded catalogue.")

    async def definitions_by_slot(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Refuse: every slot here takes every item."""
        raise Unsupported("Guild Wars 2 has no bounded catalogue.")

    async def count_by_list(self, asked: Sequence[Asked]) -> Results[Asked, int]:
        """Refuse: every list here is counted when it is read."""
        raise Unsupported("Guild Wars 2 leaves no list uncounted.")

    async def write(self, verb: Capability, owner: OwnerRef, change: Any) -> Written:
        """Refuse: the service is read-only."""
        raise Unsupported("Guild Wars 2 is read-only.")

    def assume(self, shown: Shown) -> None:
        """Refuse: nothing is simulated here."""
        raise Unsupported("Guild Wars 2 is read-only.")


def _batches(refs: Sequence[DefinitionRef]) -> Iterable[Sequence[DefinitionRef]]:
    """Split references by endpoint, and into as many as one call takes."""
    by_family: dict[str, list[DefinitionRef]] = {}
    for ref in refs:
        by_family.setdefault(ref.key.partition(":")[0], []).append(ref)
    for family, wanted in by_family.items():
        if family in ENDPOINTS:
            yield from (wanted[start : start + _BATCH] for start in range(0, len(wanted), _BATCH))


def _may_be_one_id(error: GatewayError) -> bool:
    """Tell whether the service may have choked on one id, rather than be slow, switched off or left alone."""
    if isinstance(error, UpstreamTimeout):
        return error.provider_code is not None
    return isinstance(error, UpstreamUnavailable) and error.retryable and not isinstance(error, CircuitOpen)


def _halves(refs: Sequence[DefinitionRef]) -> list[Sequence[DefinitionRef]]:
    middle = len(refs) // 2
    return [refs[:middle], refs[middle:]]
