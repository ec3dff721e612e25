"""The dialect of the web, v1 and the neighbours that its clients need: session cookie, handshake, cursors, envelope."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

import strawberry
from starlette.requests import Request

from gateway.model.arguments import ItemFilter, NumberedArguments, OwnerInput
from gateway.model.collectible import SALE
from gateway.model.errors import Forbidden, GatewayError, InvalidInput, NotFound, Refusal, Unauthenticated, Unsupported
from gateway.model.ids import ITEM, ME, FactRef, ItemRef, OwnerRef, OwnershipRef, encode_id
from gateway.model.item import Item
from gateway.model.loader import one
from gateway.model.manifest import Capability, ProviderKey
from gateway.model.owner import ACCOUNT
from gateway.model.ports import Session
from gateway.model.relations import Asked
from gateway.model.scalars import render_time
from gateway.model.verbs import AddToCollectionInput, DeleteItemsInput, RemoveFromCollectionInput
from gateway.providers.roblox import rules, wire
from gateway.providers.roblox import vocabulary as words
from gateway.providers.roblox.cursors import Signer
from gateway.providers.roblox.dialect import Answer, Dialect, Refused, definitions, is_user, name_of
from gateway.providers.roblox.keys import ASSET, CATEGORIES, FAVORITES, LONGEST, MEMBERS, PROVIDER, key_of, parsed
from gateway.providers.roblox.manifest import COOKIE
from gateway.providers.roblox.types import (
    RobloxAsset,
    RobloxCategories,
    RobloxMembers,
    RobloxPlace,
    RobloxSale,
    RobloxUser,
)

SIZES = (10, 25, 50, 100)
_COOKIE_NAME = ".ROBLOSECURITY"
_NUMBER = re.compile(r"-?[0-9]{1,19}\Z")
_TOKEN_HEADER = "x-csrf-token"  # noqa: S105 -- a header's name

Handler = Callable[["Call"], Awaitable[Answer]]

_USER = r"/v1/users/(?P<user>[^/]*)"
_OWNED = rf"{_USER}/items/(?P<type>[^/]*)/(?P<target>[^/]*)"
_COLLECTED = r"/v1/collections/items/(?P<type>[^/]*)/(?P<target>[^/]*)"


def _error(status: int, code: int, message: str, *, field: str | None = None, **headers: str) -> Refused:
    entry: dict[str, Any] = {"code": code, "message": message, "userFacingMessage": "Something went wrong"}
    if field is not None:
        entry["field"] = field
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refused(status, {"errors": [entry]}, sent)


def _no_user() -> Refused:
    return _error(400, 1, "The specified user does not exist!")


def _no_cursor() -> Refused:
    return _error(400, 0, "The specified cursor is invalid.", field="cursor")


def _stranger() -> Refused:
    return _error(401, 0, "Authorization has been denied for this request.")


def _not_found() -> Refused:
    return _error(404, 0, "NotFound")


class Call(NamedTuple):
    """A request, the session that it is asked in, whose that is (None: nobody's), and the parts of its path."""

    request: Request
    session: Session
    caller: str | None
    parts: Mapping[str, str]
    signer: Callable[[], Awaitable[Signer]]

    def query(self, name: str) -> str | None:
        """Give a parameter; one that is empty is none."""
        return self.request.query_params.get(name) or None

    @property
    def user(self) -> OwnerRef:
        """The user whom the path names."""
        return OwnerRef(PROVIDER, self.parts["user"])

    @property
    def is_own(self) -> bool:
        """Whether it is the caller's own inventory."""
        return self.caller == self.parts["user"]


class Web:
    """The calls of the web."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        read, write = self._read, self._write
        self.routes: Sequence[tuple[str, str, Callable[[Request, Mapping[str, str]], Awaitable[Answer]]]] = (
            ("POST", _COLLECTED, write("add-to-collection", self._add)),
            ("DELETE", _COLLECTED, write("remove-from-collection", self._remove)),
            ("GET", r"/v1/packages/(?P<package>[^/]*)/assets", read("packages", self._package)),
            ("GET", rf"{_USER}/assets/collectibles", read("collectibles", self._collectibles)),
            ("GET", rf"{_USER}/can-view-inventory", read("can-view-inventory", self._can_view)),
            ("GET", rf"{_USER}/categories", read("categories", self._categories(CATEGORIES))),
            ("GET", rf"{_USER}/categories/favorites", read("categories", self._categories(FAVORITES))),
            ("GET", _OWNED, read("items", self._items)),
            ("GET", rf"{_OWNED}/is-owned", read("is-owned", self._is_owned)),
            ("GET", rf"{_USER}/places/inventory", read("places", self._places)),
            ("GET", r"/v1/users/authenticated", read("users", self._authenticated)),
            ("GET", _USER, read("users", self._user)),
            ("POST", r"/v2/logout", write("logout", self._logout)),
            ("GET", r"/v2/users/(?P<user>[^/]*)/inventory", read("inventory", self._inventory)),
            ("GET", r"/v2/users/(?P<user>[^/]*)/inventory/(?P<type>[^/]*)", read("inventory", self._inventory_of)),
            ("DELETE", r"/v2/inventory/asset/(?P<target>[^/]*)", write("inventory", self._give_up)),
        )

    # --- failures -----------------------------------------------------------------------------------------------------

    def not_there(self) -> Refused:
        """Refuse a path that there is not."""
        return _not_found()

    def not_done(self) -> Refused:
        """Refuse a method that a path does not have."""
        return _error(405, 0, "MethodNotAllowed")

    def broken(self, error: Exception) -> Refused:
        """Tell a failure."""
        if isinstance(error, Unauthenticated):
            return _stranger()
        if isinstance(error, Forbidden):
            return _error(403, 0, rules.HIDDEN)
        if isinstance(error, Unsupported):
            return _error(501, 0, "NotImplemented")
        if isinstance(error, GatewayError) and error.retryable:
            return _error(503, 0, "ServiceUnavailable")
        return _error(500, 0, "InternalServerError")

    # --- who is asking ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _called(self, request: Request, parts: Mapping[str, str]) -> AsyncGenerator[Call]:
        """Open the session of a request, and ask whose it is."""
        cookie = _cookie(request)
        session = self._dialect.session(**({COOKIE: cookie} if cookie else {}))
        caller: str | None = None
        try:
            if cookie:
                with contextlib.suppress(Unauthenticated):
                    caller = await session.identity(ME)
            yield Call(request, session, caller, parts, lambda: self._dialect.signer(session))
        finally:
            await session.aclose()

    def _counted(self, call: Call, name: str) -> dict[str, str]:
        """Count a request by whose it is, else by the address; where there were too many, it is refused."""
        address = call.request.client.host if call.request.client else ""
        caller = f"address:{address}" if call.caller is None else f"user:{call.caller}"
        quota = self._dialect.count(name, caller, self._dialect.options.web_limits.get(name))
        if quota is None:
            return {}
        if quota.is_over:
            refused = _error(429, 0, "Too many requests")
            refused.answer.headers.update(quota.headers)
            raise refused
        return quota.headers

    def _read(self, name: str, handler: Handler) -> Callable[[Request, Mapping[str, str]], Awaitable[Answer]]:
        """Make what answers a read: a session that is good, or none."""

        async def handle(request: Request, parts: Mapping[str, str]) -> Answer:
            async with self._called(request, parts) as call:
                headers = self._counted(call, name)
                if call.caller is None and _cookie(request):
                    raise _stranger()
                return await _with(headers, handler(call))

        return handle

    def _write(self, name: str, handler: Handler) -> Callable[[Request, Mapping[str, str]], Awaitable[Answer]]:
        """Make what answers a write: the handshake first, then the session, then what it is about."""

        async def handle(request: Request, parts: Mapping[str, str]) -> Answer:
            if "target" in parts:
                _number(parts["target"])
            async with self._called(request, parts) as call:
                return await _with(self._counted(call, name), self._shaken(call, handler))

        return handle

    async def _shaken(self, call: Call, handler: Handler) -> Answer:
        signer, now = await call.signer(), self._dialect.clock()
        cookie = _cookie(call.request) or ""
        sent = call.request.headers.get(_TOKEN_HEADER, "")
        if not signer.is_handshake(sent, cookie, now=now):
            # Only here: some clients repeat whatever is answered with it.
            raise _error(403, 0, "Token Validation Failed", x_csrf_token=signer.handshake(cookie, now=now))
        if call.caller is None:
            raise _stranger()
        return await handler(call)

    # --- users --------------------------------------------------------------------------------------------------------

    async def _authenticated(self, call: Call) -> Answer:
        """`GET /v1/users/authenticated`: whose session it is."""
        if call.caller is None:
            raise _stranger()
        return Answer(wire.render_user(await _user(call.session, call.caller)))

    async def _user(self, call: Call) -> Answer:
        """`GET /v1/users/{userId}`."""
        if not await is_user(call.session, call.parts["user"]):
            raise _error(404, 3, "The user id is invalid.")
        return Answer(wire.render_user(await _user(call.session, call.parts["user"])))

    async def _logout(self, call: Call) -> Answer:
        """`POST /v2/logout`: asked for the token of the handshake; the session never ends by it."""
        del call
        return Answer({})

    # --- visibility and categories ------------------------------------------------------------------------------------

    async def _can_view(self, call: Call) -> Answer:
        await _known(call)
        return Answer({"canView": bool(await one(call.session.visibility_by_owner, call.user))})

    def _categories(self, kind: str) -> Handler:
        async def handle(call: Call) -> Answer:
            await _known(call)
            found = cast("RobloxCategories", await one(call.session.facts_by_key, FactRef(*call.user, kind, "")))
            return Answer(wire.render_categories(rules.shown_to(found, is_owner=call.is_own)))

        return handle

    # --- owned copies -------------------------------------------------------------------------------------------------

    async def _items(self, call: Call) -> Answer:
        """`GET /v1/users/{userId}/items/{itemType}/{itemTargetId}`: every copy, by its number."""
        item_type, key, name = await _target(call)
        found = await _copies(call, call.user, key)
        number = _number(call.parts["target"])
        rows = [
            wire.render_owned(item_type, number, name, int(item.instance_id) if isinstance(item, RobloxAsset) else None)
            for item in found
        ]
        return Answer(wire.render_page(rows, None, None))

    async def _is_owned(self, call: Call) -> Answer:
        """`GET .../is-owned`: a bare truth value."""
        _, key, _ = await _target(call)
        return Answer(bool(await one(call.session.ownership_by_key, OwnershipRef(*call.user, key))))

    # --- collectibles -------------------------------------------------------------------------------------------------

    async def _collectibles(self, call: Call) -> Answer:
        """`GET /v1/users/{userId}/assets/collectibles`, by the copies' numbers."""
        await _known(call)
        shelves: tuple[str, ...] = words.ASSETS
        if (text := call.query("assetType")) is not None:
            shelves = tuple(map(_shelf, _asset_types(text, 0)))
        if not await one(call.session.visibility_by_owner, call.user):
            raise _error(403, 0, rules.HIDDEN)
        wanted = ItemFilter(is_collectible=True, shelves=shelves)
        page = await self._page(call, "collectibles", wanted, RobloxAsset)
        refs = {item.key: FactRef(*call.user, SALE, item.key) for item in page.items}
        sales = await call.session.facts_by_key([*refs.values()])
        names = await definitions(call.session, [item.definition_key or "" for item in page.items])
        user = await one(call.session.facts_by_key, FactRef(*call.user, ACCOUNT, ""))
        membership = user.membership if isinstance(user, RobloxUser) else None
        rows = [
            wire.render_collectible(
                item,
                name_of(item, names),
                sale if isinstance(sale := sales.get(refs[item.key]), RobloxSale) else None,
                membership,
            )
            for item in page.items
        ]
        return Answer(wire.render_page(rows, page.previous, page.following))

    async def _page(self, call: Call, name: str, wanted: ItemFilter, kind: type[Item]) -> _Page:
        """Read a page of copies by their numbers, forwards or back, and make the cursors that lead on from it."""
        now = self._dialect.clock()
        order = (call.query("sortOrder") or "Asc").capitalize()
        cursor = call.query("cursor")
        limit = call.query("limit") or str(SIZES[0])
        if order not in ("Asc", "Desc"):
            raise _error(400, 0, "Allowed values: Asc, Desc", field="sortOrder")
        if limit not in map(str, SIZES):
            raise _error(400, 0, f"Allowed values: {', '.join(map(str, SIZES))}", field="limit")
        signer = await call.signer()
        bound = (name, call.parts["user"], *(wanted.shelves or ()), order, limit)
        place, back = None, False
        if cursor is not None:
            try:
                told = signer.place(cursor, bound, now=now)
            except InvalidInput:
                raise _no_cursor() from None
            place, back = told[1:], told[0] == "<"
        size = int(limit)
        # Back in one order is forth in the other.
        if back == (order == "Desc"):
            arguments = NumberedArguments(filter=wanted, first=size, after=place)
        else:
            arguments = NumberedArguments(filter=wanted, last=size, before=place)
        connection = await one(call.session.items_by_owner, Asked(PROVIDER, call.user, arguments))
        if connection is None:
            raise _no_user()
        items = [item for item in connection.nodes if isinstance(item, kind)]
        info = connection.page_info
        ends = [(info.has_previous_page, info.start_cursor), (info.has_next_page, info.end_cursor)]
        if order == "Desc":
            items.reverse()
            ends.reverse()

        def token(mark: str, end: tuple[bool, str | None]) -> str | None:
            goes_on, at = end
            # From a page that has become empty it goes on, or back, from where it was asked for.
            at = at or place
            return signer.cursor(f"{mark}{at}", bound, now=now) if goes_on and at is not None else None

        return _Page(items, token("<", ends[0]), token(">", ends[1]))

    # --- places -------------------------------------------------------------------------------------------------------

    async def _places(self, call: Call) -> Answer:
        """`GET /v1/users/{userId}/places/inventory`, in pages that are numbered."""
        await _known(call)
        wrong = _error(400, 6, "Invalid request")
        tab = words.tab(call.query("placesTab") or words.TABS[0])
        size = call.query("itemsPerPage") or str(SIZES[0])
        if call.request.query_params.get("itemsPerPage") == "" or tab is None or not _NUMBER.match(size):
            raise wrong
        if not 1 <= int(size) <= SIZES[-1]:
            raise wrong
        if tab != words.TABS[0] and not call.is_own:
            raise _error(403, 3, "Insufficient permission.")
        cursor = call.query("cursor") or "1"
        if not (cursor.isascii() and cursor.isdecimal()):
            raise wrong
        number = int(cursor[:18]) if len(cursor) <= 18 else LONGEST
        wanted = ItemFilter(shelves=(words.place_shelf(tab),) if tab else ())
        # What a user has made, everyone may see.
        found = await _all(call, call.user, wanted, asks=tab == words.TABS[0])
        start, end = (max(number, 1) - 1) * int(size), max(number, 1) * int(size)
        rows = [wire.render_place(place) for place in found[start:end] if isinstance(place, RobloxPlace)]
        following = str(max(number, 1) + 1) if end < len(found) else None
        previous = str(number - 1) if number > 1 and start < len(found) + int(size) else None
        return Answer(wire.render_page(rows, previous, following))

    # --- packages -----------------------------------------------------------------------------------------------------

    async def _package(self, call: Call) -> Answer:
        """`GET /v1/packages/{packageId}/assets`; one client sends the id in the query alone."""
        text = call.parts["package"]
        if text == ":packageId":
            text = call.query("packageID") or call.query("packageId") or ""
        key = key_of(ASSET, _number(text))
        found = await one(call.session.facts_by_key, FactRef(PROVIDER, "", MEMBERS, key))
        if not isinstance(found, RobloxMembers):
            raise _not_found()
        return Answer({"assetIds": found.numbers})

    # --- the collection -----------------------------------------------------------------------------------------------

    async def _add(self, call: Call) -> Answer:
        given = AddToCollectionInput(owner=_owner_input(call), definition_keys=[_collected(call)])
        return await self._change(call, Capability.ADD_TO_COLLECTION, given)

    async def _remove(self, call: Call) -> Answer:
        given = RemoveFromCollectionInput(owner=_owner_input(call), definition_keys=[_collected(call)])
        return await self._change(call, Capability.REMOVE_FROM_COLLECTION, given)

    async def _change(self, call: Call, verb: Capability, given: Any) -> Answer:
        try:
            await call.session.write(verb, OwnerRef(PROVIDER, call.caller or ""), given)
        except Refusal as refusal:
            code = int(refusal.provider_code or 0)
            if isinstance(refusal, NotFound) and not code:
                code = await _of_nobody(call, verb, given.definition_keys[0])
            if code not in rules.REFUSALS:
                raise
            raise _error(400 if code in (1, 2, 3) else 403, code, rules.REFUSALS[code][1]) from None
        return Answer({})

    # --- v2 -----------------------------------------------------------------------------------------------------------

    async def _inventory(self, call: Call) -> Answer:
        """`GET /v2/users/{userId}/inventory`: assets of some types."""
        page = await self._assets(call, "inventory", (call.query("assetTypes") or "").split(","))
        names = await definitions(call.session, [item.definition_key or "" for item in page.items])
        rows = [
            {
                "assetId": int(item.asset_id),
                "name": name_of(item, names) or "",
                "assetType": item.asset_type,
                "created": None if item.acquired_at is None else render_time(item.acquired_at),
            }
            for item in page.items
        ]
        return Answer(wire.render_page(rows, page.previous, page.following))

    async def _inventory_of(self, call: Call) -> Answer:
        """`GET /v2/users/{userId}/inventory/{assetTypeId}`: copies of one type, each with its number."""
        page = await self._assets(call, "inventory-of-type", [call.parts["type"]])
        names = await definitions(call.session, [item.definition_key or "" for item in page.items])
        user = await _user(call.session, call.parts["user"])
        owner = {
            "userId": int(user.id),
            "username": user.name or "",
            "buildersClubMembershipType": user.membership or words.MEMBERSHIPS[0],
        }
        rows = [_render_copy(item, name_of(item, names), owner) for item in page.items]
        return Answer(wire.render_page(rows, page.previous, page.following))

    async def _assets(self, call: Call, name: str, wanted: Sequence[str]) -> _Page:
        if not await is_user(call.session, call.parts["user"]):
            raise _error(400, 1, "Invalid user Id.")
        types = [found for text in wanted for found in _asset_types(text, 2)]
        if any(found.number in (words.BADGE_TYPE, words.PASS_TYPE) for found in types):
            raise _error(400, 2, "Invalid asset type Id.")
        if not await one(call.session.visibility_by_owner, call.user):
            raise _error(403, 4, "You are not authorized to view this user's inventory.")
        shelves = tuple(map(_shelf, types))
        return await self._page(call, name, ItemFilter(shelves=shelves), RobloxAsset)

    async def _give_up(self, call: Call) -> Answer:
        """`DELETE /v2/inventory/asset/{assetId}`: give up every copy of an asset."""
        owner = OwnerRef(PROVIDER, call.caller or "")
        number = _number(call.parts["target"])
        key = key_of(ASSET, number)
        if not number or not await definitions(call.session, [key]):
            raise _error(404, 1, "The item does not exist.")
        copies = await _copies(call, owner, key)
        if not copies:
            raise _error(403, 2, "You don't own the specified item.")
        ids = [strawberry.ID(encode_id(ITEM, ItemRef(*owner, item.key))) for item in copies]
        try:
            await call.session.write(Capability.DELETE_ITEMS, owner, DeleteItemsInput(ids=ids))
        except NotFound:
            raise _error(403, 2, "You don't own the specified item.") from None
        except Forbidden:
            raise _error(403, 3, "The item is not allowed to be deleted.") from None
        return Answer({})


class _Page(NamedTuple):
    """Items of a page, and the cursors of those around it."""

    items: list[Any]
    previous: str | None
    following: str | None


# --- what is sent -----------------------------------------------------------------------------------------------------


def _cookie(request: Request) -> str | None:
    """Give the session cookie; its value may have bars in it, and is taken as it comes."""
    for header in request.headers.getlist("cookie"):
        for part in header.split(";"):
            name, _, value = part.strip().partition("=")
            if name == _COOKIE_NAME and value:
                return value
    return None


def _number(text: str) -> int:
    """Read an id of the path; what is no whole number of 64 bits is no such path. One below 1 is nobody's: 0."""
    if not _NUMBER.match(text) or not -LONGEST <= int(text) <= LONGEST:
        raise _not_found()
    return max(int(text), 0)


async def _known(call: Call) -> None:
    """Refuse a user that there is not; what is no number is no such path."""
    text = call.parts["user"]
    _number(text)
    if not await is_user(call.session, text):
        raise _no_user()


async def _target(call: Call) -> tuple[str, str, str | None]:
    """Find what is asked about, in the order of the service's checks: the user, the item type, the thing itself.

    Gives the item type, the key of the definition, and its name.
    """
    number = _number(call.parts["target"])
    await _known(call)
    item_type = words.item_type(call.parts["type"])
    kind = words.ITEM_KINDS.get(item_type or "")
    if item_type is None or kind is None:
        raise _error(400, 6, "The specified item type does not exist.")
    key = key_of(kind, number)
    entry = (await definitions(call.session, [key])).get(key) if number else None
    if entry is None:
        raise _error(400, *rules.MISSING[kind])
    return item_type, key, entry.name


def _collected(call: Call) -> str:
    """Give the key of what is to be added or removed."""
    item_type = words.item_type(call.parts["type"])
    if item_type is None:
        raise _error(400, 1, rules.REFUSALS[1][1])
    if item_type not in ("Asset", "Bundle"):
        raise _error(403, 6, rules.REFUSALS[6][1])
    number = _number(call.parts["target"])
    if number == 0:
        code = 2 if item_type == "Asset" else 3
        raise _error(400, code, rules.REFUSALS[code][1])
    return key_of(words.ITEM_KINDS[item_type], number)


async def _of_nobody(call: Call, verb: Capability, key: str) -> int:
    """Give the code for a user of whom nothing is known: one who owns nothing, and shows nothing."""
    if not await definitions(call.session, [key]):
        return 2 if parsed(key).kind == ASSET else 3
    return 4 if verb is Capability.ADD_TO_COLLECTION else 8


def _owner_input(call: Call) -> OwnerInput:
    return OwnerInput(provider=ProviderKey.ROBLOX, key=call.caller or "")


def _asset_types(text: str, code: int) -> list[words.AssetType]:
    """Find an asset type, a place as both of its kinds."""
    found = words.asset_type(text.strip())
    if found is None:
        raise _error(400, code, "The specified asset type(s) are invalid." if code == 0 else "Invalid asset type Id.")
    return [one_type for one_type in (*words.LISTED, *words.UNLISTED) if one_type.number == found.number]


def _shelf(found: words.AssetType) -> str:
    return words.asset_shelf(found.number, found.cloud)


# --- what is read -----------------------------------------------------------------------------------------------------


async def _all(call: Call, owner: OwnerRef, wanted: ItemFilter, *, asks: bool) -> list[Item]:
    """Read all holdings that pass, by their numbers."""
    arguments = NumberedArguments(filter=wanted, whole=True, asks=asks)
    connection = await one(call.session.items_by_owner, Asked(PROVIDER, owner, arguments))
    return [] if connection is None else [item for item in connection.nodes if item is not None]


async def _copies(call: Call, owner: OwnerRef, key: str) -> list[Item]:
    """Read every copy of a definition; whether one has it is answered of a closed inventory as well."""
    return await _all(call, owner, ItemFilter(definition_keys=[key], shelves=words.SHELVES), asks=True)


async def _user(session: Session, user: str) -> RobloxUser:
    found = await one(session.facts_by_key, FactRef(PROVIDER, user, ACCOUNT, ""))
    if isinstance(found, RobloxUser):
        return found
    owner = await one(session.owners_by_key, OwnerRef(PROVIDER, user))
    return wire.parse_user({"id": user, "name": owner.name if owner else None})


def _render_copy(item: RobloxAsset, name: str | None, owner: Mapping[str, Any]) -> dict[str, Any]:
    facts = item.collectible
    added = None if item.acquired_at is None else render_time(item.acquired_at)
    return {
        "userAssetId": int(item.instance_id),
        "assetId": int(item.asset_id),
        "assetName": name or "",
        "collectibleItemId": facts and facts.collectible_item_id,
        "collectibleItemInstanceId": facts and facts.collectible_instance_id,
        "serialNumber": None if facts is None or facts.serial_number is None else int(facts.serial_number),
        "owner": owner,
        "created": added,
        "updated": added,
    }


async def _with(headers: Mapping[str, str], answering: Awaitable[Answer]) -> Answer:
    """Put headers on an answer, whatever becomes of it."""
    try:
        answer = await answering
    except Refused as refused:
        refused.answer.headers.update(headers)
        raise
    answer.headers.update(headers)
    return answer
