"""The REST dialect of a community's inventory, served from any backend: endpoints, envelopes, statuses, paging."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar, cast
from urllib.parse import unquote

import orjson
import strawberry
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from gateway.backends.limiter import Limiter
from gateway.model.arguments import AcceptArguments, CatalogueArguments, PageArguments
from gateway.model.credentials import Credential
from gateway.model.definition import DefinitionConnection
from gateway.model.errors import GatewayError, InvalidInput, NotFound, Refusal, Unauthenticated, Unsupported
from gateway.model.ids import (
    CONTAINER,
    ME,
    ContainerRef,
    DefinitionRef,
    FactRef,
    ItemRef,
    OwnerRef,
    SlotRef,
    encode_id,
)
from gateway.model.manifest import Capability
from gateway.model.owner import ACCOUNT
from gateway.model.paging import NATURAL, Window
from gateway.model.ports import Backend, Clock, Results, Session
from gateway.model.relations import UNLOADED, Asked, argument
from gateway.model.verbs import AllocateSlotsInput, MintAvatarInput, SlotAllocationInput
from gateway.providers.community import rules, wire
from gateway.providers.community.keys import ALIAS, AVATAR, PROVIDER, SLOTS, STATE, joined, split
from gateway.providers.community.types import (
    CommunityAlias,
    CommunityItem,
    CommunityItemDefinition,
    CommunityKit,
    CommunitySlot,
    CommunitySlots,
    CommunityState,
)

K = TypeVar("K")
V = TypeVar("V")
P = TypeVar("P", "NumberedCatalogue", "NumberedAccepts")

Read: TypeAlias = Callable[[Sequence[K]], Awaitable[Results[K, V]]]
Entry: TypeAlias = tuple[str, str | None]
"""A slot's id, and the id of what to put there; None clears it."""

MOST_BYTES = 256 * 1024
"""The longest body that is read."""

DEFAULT_LIMIT = 20

_BAD, _UNKNOWN, _STRANGER = "GENERIC_CLIENT_ERROR", "GENERIC_NOT_FOUND", "GENERIC_UNAUTHORIZED"
_BROKEN = "INTERNAL_SERVER_ERROR"

_log = structlog.get_logger("gateway.rest")


class Refused(Exception):
    """An answer other than success: the service's name of the error, and what is wrong with the entries of a write."""

    def __init__(self, name: str, details: Sequence[wire.Detail] = ()) -> None:
        super().__init__(name)
        self.name, self.details = name, details


@dataclass(slots=True, kw_only=True)
class Call:
    """One request of a caller who is signed in, about a community that there is."""

    request: Request
    session: Session
    community: str
    caller: OwnerRef

    def user(self) -> OwnerRef:
        """Give the user whom the query names."""
        user = self.request.query_params.get("userId")
        if not user:
            raise Refused(_BAD)
        return OwnerRef(PROVIDER, joined(self.community, user))

    @property
    def avatar(self) -> strawberry.ID:
        """The id of the caller's avatar."""
        return strawberry.ID(encode_id(CONTAINER, ContainerRef(*self.caller, AVATAR)))


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]
Open: TypeAlias = Callable[[Request], Awaitable[Response]]


class Dialect:
    """The endpoints over one backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def signed_in(self, handler: Handler) -> Open:
        """Make what answers a route of a community: session, community, then parameters, existence and rules."""

        async def answer(request: Request) -> Response:
            session = self._backend.session(Credential(PROVIDER, {"session": _token(request)}))
            try:
                return await handler(await _call(request, session))
            finally:
                await session.aclose()

        return answer

    async def refresh(self, request: Request) -> Response:
        """`POST /v1/user/auth/refresh-session`: a new session token for a refresh token."""
        refresh = _text(await _body(request), "refreshToken")
        session = self._backend.session(Credential(PROVIDER, {"refresh": refresh}))
        try:
            return _answer({"sessionToken": await session.renew("session")})
        finally:
            await session.aclose()


def routes(backend: Backend, limiter: Limiter | None, clock: Clock, options: object) -> list[Route]:
    """Make the routes of the dialect, to be mounted under `/rest/community`."""
    del limiter, clock, options  # The service tells of no budget.
    dialect = Dialect(backend)
    inventory = "/v1/community/{ckey}/inventory"
    table: list[tuple[str, str, Handler]] = [
        ("GET", "", _inventory),
        ("GET", "/slots", _slots),
        ("GET", "/slots/{slot_id}/items", _slot_items),
        ("GET", "/items/{item_id}", _item),
        ("POST", "/slots/allocate", _allocate),
        ("GET", "/avatar", _avatar),
        ("GET", "/items", _items),
        ("POST", "/avatar/mint", _mint),
    ]
    return [
        *(_Exact(method, inventory + path, _safely(dialect.signed_in(handler))) for method, path, handler in table),
        _Exact("POST", "/v1/user/auth/refresh-session", _safely(dialect.refresh)),
        _Exact(None, "/{rest:path}", _safely(_no_route)),
    ]


class _Exact(Route):
    """A route of one method, or of all, found before the path is decoded: an id may hold an encoded slash."""

    def __init__(self, method: str | None, path: str, endpoint: Open) -> None:
        super().__init__(path, endpoint, methods=[method] if method else None)
        if method is None:
            self.methods = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path as it was sent; another method is another route."""
        match, found = super().matches({**scope, "path": scope["raw_path"].decode("latin-1")})
        if match is not Match.FULL:
            return Match.NONE, {}
        return match, {**found, "path_params": {name: unquote(text) for name, text in found["path_params"].items()}}


def _safely(answer: Open) -> Open:
    """Put every way of failing into an envelope."""

    async def answered(request: Request) -> Response:
        try:
            response = await answer(request)
        except Refused as refused:
            response = _envelope(refused)
        except GatewayError as error:
            response = _envelope(_refused(error))
        except Exception:
            _log.exception("rest_failed", provider=PROVIDER)
            response = _envelope(Refused(_BROKEN))
        if request.method == "HEAD":
            # The headers stay, its length among them.
            response.body = b""
        return response

    return answered


async def _no_route(request: Request) -> Response:
    del request
    raise Refused(_UNKNOWN)


# --- who is asking, and about what ------------------------------------------------------------------------------------


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    # A token that no header can carry on is none.
    if scheme.lower() != "bearer" or not token or not (token.isascii() and token.isprintable()):
        raise Refused(_STRANGER)
    return token


async def _call(request: Request, session: Session) -> Call:
    ckey = request.path_params["ckey"]
    try:
        _, user = split(await session.identity(joined(ckey, ME)))
    except InvalidInput:
        # The session is good; no community has such a key.
        raise Refused(_UNKNOWN) from None
    except Unsupported:
        # What does not tell whose session it is, is no session token.
        raise Refused(_STRANGER) from None
    community = await _community(session, ckey)
    caller = OwnerRef(PROVIDER, joined(community, user or ""))
    return Call(request=request, session=session, community=community, caller=caller)


async def _community(session: Session, ckey: str) -> str:
    """Find a community by its key, else by its id; give its key."""
    if await _one(session.owners_by_key, OwnerRef(PROVIDER, ckey)) is not None:
        return ckey
    alias = await _one(session.facts_by_key, FactRef(PROVIDER, ckey, ALIAS, ""))
    if not isinstance(alias, CommunityAlias):
        raise Refused(_UNKNOWN)
    return alias.key


async def _kit(call: Call) -> CommunityKit:
    kit = await _one(call.session.facts_by_key, FactRef(PROVIDER, call.community, ACCOUNT, ""))
    if not isinstance(kit, CommunityKit):
        raise Refused(_UNKNOWN)
    return kit


# --- reads ------------------------------------------------------------------------------------------------------------


async def _inventory(call: Call) -> Response:
    return _answer(wire.render_kit(await _kit(call)))


async def _slots(call: Call) -> Response:
    user = call.user()
    contents = await _one(call.session.contents_by_container, ContainerRef(*user, AVATAR))
    if contents is None:
        raise Refused(_UNKNOWN)
    filled = {slot.key: slot for slot in contents.slots or () if slot.item is not None}
    held = {key: cast("CommunityItem", slot.item) for key, slot in filled.items()}
    definitions = await _definitions(call, {item.key: item.definition for item in held.values()})
    # Of an item that has left the catalogue there is nothing to tell.
    items = {
        key: wire.render_item(definitions[item.key], item) for key, item in held.items() if item.key in definitions
    }
    return _answer(
        [
            wire.render_slot(slot, items.get(slot.id), filled[slot.id].allocated_at if slot.id in items else None)
            for slot in await _kit_slots(call)
        ]
    )


async def _avatar(call: Call) -> Response:
    user = call.user()
    state = await _one(call.session.facts_by_key, FactRef(*user, STATE, ""))
    if not isinstance(state, CommunityState):
        raise Refused(_UNKNOWN)
    if state.inventory_id is None:
        state = replace(state, inventory_id=(await _kit(call)).id)
    return _answer(wire.render_avatar(state, split(user.owner)[1] or "", await _kit_slots(call)))


async def _item(call: Call) -> Response:
    item = call.request.path_params["item_id"]
    definition = (await _definitions(call, {item: UNLOADED})).get(item)
    if definition is None:
        raise Refused(_UNKNOWN)
    held = await _holdings(call, call.caller, [item])
    return _answer(wire.render_item(definition, held.get(item)))


class _Numbered(PageArguments):
    """A page that is asked for by its number."""

    page: int = argument("Which page, from 1.", default=1)

    @property
    def window(self) -> Window:
        """The part of the list that is asked for."""
        size = self.first or DEFAULT_LIMIT
        return Window(order=NATURAL, size=size, skip=(self.page - 1) * size)


class NumberedCatalogue(_Numbered, CatalogueArguments):
    """A numbered page of what an inventory could hold."""


class NumberedAccepts(_Numbered, AcceptArguments):
    """A numbered page of what fits a slot."""


async def _items(call: Call) -> Response:
    arguments = _asked(call, NumberedCatalogue)
    user = call.user()
    return await _page(call, call.session.catalogue_by_owner, Asked(PROVIDER, user, arguments), user)


async def _slot_items(call: Call) -> Response:
    slot = SlotRef(*call.caller, AVATAR, call.request.path_params["slot_id"])
    asked = Asked(PROVIDER, slot, _asked(call, NumberedAccepts))
    return await _page(call, call.session.definitions_by_slot, asked, call.caller)


_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_NUMBER = re.compile(r"[0-9]{1,10}")


def _asked(call: Call, kind: type[P]) -> P:
    query = call.request.query_params
    only_owned = _FLAGS.get(query.get("onlyOwned", "").lower())
    page, limit = (_number(query.get(name, str(default))) for name, default in (("page", 1), ("limit", DEFAULT_LIMIT)))
    if only_owned is None or page < 1 or not 1 <= limit <= wire.MOST_ENTRIES:
        raise Refused(_BAD)
    return kind(only_owned=only_owned, first=limit, page=page)


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise Refused(_BAD)
    return int(text)


async def _page(call: Call, read: Read[Asked, DefinitionConnection], asked: Asked, user: OwnerRef) -> Response:
    connection = await _one(read, asked)
    if connection is None:
        raise Refused(_UNKNOWN)
    if not connection.is_complete:
        raise Refused(_BROKEN)
    edges = {split(edge.definition_ref.key)[1] or "": edge for edge in connection.edges}
    definitions = await _definitions(call, {item: edge.node for item, edge in edges.items()})
    # None is a quantity that is not known.
    held = await _holdings(call, user, [item for item, edge in edges.items() if edge.quantity != 0])
    total = connection.total_count
    if total is UNLOADED or total is None:
        total = await _one(call.session.count_by_list, connection.counted or asked)
    arguments = cast("_Numbered", asked.arguments)
    return _answer(
        wire.render_page(
            [wire.render_item(definitions[item], held.get(item)) for item in edges if item in definitions],
            page=arguments.page,
            limit=arguments.window.size,
            total=total or 0,
        )
    )


async def _kit_slots(call: Call) -> Sequence[CommunitySlot]:
    found = await _one(call.session.facts_by_key, FactRef(PROVIDER, call.community, SLOTS, ""))
    return found.slots if isinstance(found, CommunitySlots) else ()


async def _definitions(call: Call, in_hand: Mapping[str, object]) -> dict[str, CommunityItemDefinition]:
    """Give entries of the catalogue by the items' ids; those not in hand are read, all at once."""
    refs = {item: DefinitionRef(PROVIDER, joined(call.community, item)) for item in in_hand}
    wanted = [ref for item, ref in refs.items() if in_hand[item] is UNLOADED]
    read = await _several(call.session.definitions_by_key, wanted) if wanted else {}
    found = {item: read.get(refs[item]) if entry is UNLOADED else entry for item, entry in in_hand.items()}
    return {item: entry for item, entry in found.items() if isinstance(entry, CommunityItemDefinition)}


async def _holdings(call: Call, owner: OwnerRef, items: Sequence[str]) -> dict[str, CommunityItem]:
    """Give what a user has of items, by their ids."""
    found = await _several(call.session.items_by_key, [ItemRef(*owner, item) for item in items])
    return {ref.key: item for ref, item in found.items() if isinstance(item, CommunityItem)}


async def _one(read: Read[K, V], key: K) -> V | None:
    return (await _several(read, [key])).get(key)


async def _several(read: Read[K, V], keys: Sequence[K]) -> dict[K, V | None]:
    """Read many at once; under what cannot be a key there is nothing."""
    found: dict[K, V | None] = {}
    for key, value in (await read(keys)).items() if keys else ():
        if isinstance(value, GatewayError) and not isinstance(value, InvalidInput | NotFound):
            raise value
        found[key] = None if isinstance(value, GatewayError) else value
    return found


# --- writes -----------------------------------------------------------------------------------------------------------


async def _allocate(call: Call) -> Response:
    entries = _entries(await _body(call.request))
    change = AllocateSlotsInput(
        container=call.avatar,
        slots=[
            SlotAllocationInput(slot=slot, definition_key=None if item is None else joined(call.community, item))
            for slot, item in entries
        ],
    )
    return await _write(call, Capability.ALLOCATE_SLOTS, change, entries)


async def _mint(call: Call) -> Response:
    blockchain = _text(await _body(call.request), "blockchain")
    return await _write(call, Capability.MINT_AVATAR, MintAvatarInput(container=call.avatar, blockchain=blockchain))


async def _write(call: Call, verb: Capability, change: object, entries: Sequence[Entry] = ()) -> Response:
    try:
        done = await call.session.write(verb, call.caller, change)
        for contents in done.shown.contents:
            contents.release()
    except Refusal as error:
        error.part()
        return _envelope(_refused(error, entries))
    return Response(status_code=201)


def _entries(document: Mapping[str, Any]) -> list[Entry]:
    """Read what is to be put where; None clears a slot, and so does an empty text."""
    listed = document.get("slots")
    if not isinstance(listed, list):
        raise Refused(_BAD, [wire.Detail(reason="invalid_field", field="slots")])
    found = cast("list[Any]", listed)
    rules.check_entries(found)
    wrong = [detail for entry in found for detail in _wrong(entry)]
    if wrong:
        raise Refused(_BAD, wrong)
    return [(entry["slotId"], entry["itemId"] or None) for entry in found]


def _wrong(entry: object) -> list[wire.Detail]:
    whole = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    slot, item = (value if isinstance(value := whole.get(name), str) else None for name in ("slotId", "itemId"))
    fields = ["slotId"] if slot is None else []
    # Null clears; that nothing is said of it does not.
    if item is None and not ("itemId" in whole and whole["itemId"] is None):
        fields.append("itemId")
    return [wire.Detail(reason="invalid_field", slot=slot, item=item, field=field) for field in fields]


def _text(document: Mapping[str, Any], field: str) -> str:
    found = document.get(field)
    if not isinstance(found, str):
        raise Refused(_BAD, [wire.Detail(reason="invalid_field", field=field)])
    return found


async def _body(request: Request) -> dict[str, Any]:
    """Read a body that must be a JSON object, no further than a good one goes."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(_BAD)
    content = bytearray()
    try:
        async for part in request.stream():
            content += part
            if len(content) > MOST_BYTES:
                raise Refused(_BAD)
        document = orjson.loads(content)
    except (orjson.JSONDecodeError, ClientDisconnect):
        raise Refused(_BAD) from None
    if not isinstance(document, dict):
        raise Refused(_BAD)
    return cast("dict[str, Any]", document)


# --- answers ----------------------------------------------------------------------------------------------------------


def _answer(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")


def _envelope(refused: Refused) -> Response:
    status, code, message = wire.ERRORS[refused.name]
    body: dict[str, Any] = {"code": code, "message": message}
    if refused.details:
        body["details"] = wire.render_details(refused.details)
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")


def _refused(error: GatewayError, entries: Sequence[Entry] = ()) -> Refused:
    """Say an error in the service's words; `entries` are those of the write that it came from."""
    match error:
        case Unauthenticated():
            name = error.provider_code or ""
            return Refused(name if wire.ERRORS.get(name, (0,))[0] == 401 else _STRANGER)
        # The store was busy: that is none of the caller's doing.
        case Refusal(retryable=True):
            return Refused(_BROKEN)
        case Refusal():
            details = [_detail(fault, entries) for fault in error.all if fault.provider_code in rules.REASONS]
            return Refused(_UNKNOWN if any(isinstance(fault, NotFound) for fault in error.all) else _BAD, details)
        case _:
            return Refused(_BROKEN)


def _detail(fault: Refusal, entries: Sequence[Entry]) -> wire.Detail:
    reason = fault.provider_code or ""
    match fault.path:
        case ("slots", place, *_):
            slot, item = entries[int(place)]
            return wire.Detail(reason=reason, slot=slot, item=item)
        case ("container", slot):
            return wire.Detail(reason=reason, slot=slot)
        case ("slots" | "blockchain" as field,):
            return wire.Detail(reason=reason, field=field)
        case _:
            return wire.Detail(reason=reason)
