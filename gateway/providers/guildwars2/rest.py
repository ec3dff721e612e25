"""The REST dialect of Guild Wars 2, served from any backend: endpoints, bulk rules, headers, statuses, error bodies."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast
from urllib.parse import unquote

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.backends.limiter import Limiter
from gateway.model.arguments import ContainerArguments, ContainerKind, PageArguments
from gateway.model.container import Container
from gateway.model.credentials import Credential
from gateway.model.errors import (
    Forbidden,
    GatewayError,
    InvalidInput,
    NotFound,
    RateLimited,
    Unauthenticated,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.model.ids import ME, ContainerRef, DefinitionRef, FactRef, OwnerRef
from gateway.model.loader import one
from gateway.model.owner import ACCOUNT, CREDENTIAL
from gateway.model.paging import PAGE_CAP
from gateway.model.ports import Backend, Clock, Session
from gateway.model.relations import Asked
from gateway.providers.guildwars2 import rules, wire
from gateway.providers.guildwars2.catalogue import ENDPOINTS, Endpoint
from gateway.providers.guildwars2.keys import BANK, MATERIALS, SHARED, character_key, number_of
from gateway.providers.guildwars2.types import (
    CHARACTER,
    PROVIDER,
    CharacterContents,
    GuildWars2Account,
    GuildWars2CharacterSummary,
    GuildWars2Item,
    GuildWars2Token,
)

K = TypeVar("K", int, str)

MAX_IDS = 200
DEFAULT_PAGE_SIZE = 50
LANGUAGE = "en"
METHODS = ("GET", "HEAD", "OPTIONS")

SCHEMA_VERSIONS = (
    ("2019-02-21T00:00:00.000Z", "last_modified in accounts and characters"),
    ("2019-05-22T00:00:00.000Z", "type, issued_at, expires_at and urls in tokeninfo"),
    ("2019-12-19T00:00:00.000Z", "build and equipment tabs"),
    ("2020-11-17T00:30:00.000Z", "secondary_suffix_item_id is an integer"),
    ("2024-07-20T01:00:00.000Z", "the account's WvW fields are under wvw"),
)
"""The schemas that touch what is served here: from when, and what each brought."""

_CLASSIC = datetime(2014, 1, 1, tzinfo=UTC)
_LAST_MODIFIED, _TOKEN_TYPE, _TABS, _SUFFIX_ITEM, _WVW = (
    datetime.fromisoformat(version) for version, _ in SCHEMA_VERSIONS
)


class Refused(Exception):
    """An answer other than success: status, text, and seconds to wait."""

    def __init__(self, status: int, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.retry_after = status, text, retry_after


@dataclass(slots=True)
class Answer:
    """A body and its headers; `private` ones are an account's."""

    body: object
    private: bool
    status: int = 200
    localised: bool = False
    headers: dict[str, str] | None = None


@dataclass(slots=True)
class Call:
    """One request, after the key was looked at: the caller's session, and who it is where a key was needed."""

    request: Request
    session: Session
    version: datetime
    owner: OwnerRef | None = None
    scopes: frozenset[str] = frozenset()

    @property
    def of(self) -> OwnerRef:
        """The account of the key."""
        if self.owner is None:
            raise Refused(401, "endpoint requires authentication")
        return self.owner


Handler = Callable[[Call], Awaitable[Answer]]


class Dialect:
    """The endpoints over one backend."""

    def __init__(self, backend: Backend, limiter: Limiter | None) -> None:
        self._backend = backend
        self._limiter = limiter

    def endpoint(self, handler: Handler | None, scopes: Sequence[str] = ()) -> Callable[[Request], Awaitable[Response]]:
        """Make an endpoint: rate limit, then route, method, key, scopes, parameters, existence.

        Without a handler it is the one of all routes that there are not.
        """

        async def answer(request: Request) -> Response:
            response = await respond(request)
            if request.method == "HEAD":
                # The headers stay, its length among them.
                response.body = b""
            return response

        async def respond(request: Request) -> Response:
            session: Session | None = None
            try:
                await self._limited(request)
                if handler is None:
                    raise Refused(404, "not found")
                if request.method == "OPTIONS":
                    return _respond(request, Answer(body=None, private=False, status=204))
                if request.method not in METHODS:
                    raise Refused(405, "method not allowed")
                key = _key(request)
                session = self._backend.session(Credential(PROVIDER, {"key": key} if key else None))
                call = Call(request=request, session=session, version=_CLASSIC)
                if scopes:
                    if not key:
                        raise Refused(401, "endpoint requires authentication")
                    await _admit(call, scopes)
                call.version = _version(request)
                return _respond(request, await handler(call))
            except Refused as refused:
                return _refuse(request, refused)
            except GatewayError as error:
                return _refuse(request, _refusal(error))
            finally:
                if session is not None:
                    await session.aclose()

        return answer

    async def _limited(self, request: Request) -> None:
        if self._limiter is not None and request.client is not None:
            wait = await self._limiter.wait(request.client.host)
            if wait is not None:
                raise Refused(429, "too many requests", wait)

    # --- the catalogue ------------------------------------------------------------------------------------------------

    def bulk(self, endpoint: Endpoint) -> Handler:
        """Make the handler of an endpoint of the catalogue and its entries by id."""

        async def keys(call: Call) -> list[int]:
            return [number_of(key) for key in await call.session.definition_keys(endpoint.family)]

        async def objects(call: Call, wanted: Sequence[int]) -> dict[int, object]:
            refs = [DefinitionRef(PROVIDER, f"{endpoint.family}:{number}") for number in wanted]
            found = await call.session.definitions_by_key(refs)
            rendered: dict[int, object] = {}
            for ref, number in zip(refs, wanted, strict=True):
                entry = found.get(ref)
                if isinstance(entry, GatewayError):
                    raise entry
                if entry is not None:
                    rendered[number] = _at_version(wire.render_definition(entry), call.version)
            return rendered

        return _Bulk(
            path=endpoint.path,
            keys=keys,
            objects=objects,
            read=_number,
            takes_all=endpoint.takes_all,
            private=False,
            localised=True,
        ).handle

    # --- the account --------------------------------------------------------------------------------------------------

    async def account(self, call: Call) -> Answer:
        """`/v2/account`."""
        account = await one(call.session.facts_by_key, FactRef(*call.of, ACCOUNT, ""))
        if not isinstance(account, GuildWars2Account):
            raise Refused(404, "no such id")
        body = wire.render_account(account)
        if call.version < _LAST_MODIFIED:
            body.pop("last_modified", None)
        if call.version < _TABS:
            body.pop("build_storage_slots", None)
        if call.version < _WVW and (wvw := body.pop("wvw", None)) and "rank" in wvw:
            body["wvw_rank"] = wvw["rank"]
        return Answer(body=body, private=True)

    async def tokeninfo(self, call: Call) -> Answer:
        """`/v2/tokeninfo`."""
        token = cast("GuildWars2Token", await one(call.session.facts_by_key, FactRef(*call.of, CREDENTIAL, "")))
        body = wire.render_token(token)
        if call.version < _TOKEN_TYPE:
            body = {name: body[name] for name in ("id", "name", "permissions")}
        return Answer(body=body, private=True)

    def slots(self, key: str) -> Handler:
        """Make the handler of the bank or the shared inventory."""

        async def handle(call: Call) -> Answer:
            contents = await one(call.session.contents_by_container, ContainerRef(*call.of, key))
            return Answer(body=wire.render_slots(contents.slots or [], whole=True) if contents else [], private=True)

        return handle

    async def materials(self, call: Call) -> Answer:
        """`/v2/account/materials`: every material of every section, the empty ones too."""
        rendered: list[object] = []
        refs = [section.ref for section in await _children(call, ContainerRef(*call.of, MATERIALS))]
        found = await call.session.contents_by_container(refs)
        for ref in refs:
            contents = found.get(ref)
            if isinstance(contents, GatewayError):
                raise contents
            held = cast("list[GuildWars2Item]", contents.items if contents else [])
            rendered += [wire.render_material(item, whole=True) for item in held]
        return Answer(body=rendered, private=True)

    async def inventory(self, call: Call) -> Answer:
        """`/v2/characters/:id/inventory`."""
        contents = await one(call.session.contents_by_container, _character_ref(call, call.request.path_params["id"]))
        if contents is None:
            raise Refused(404, "no such id")
        return Answer(body=wire.render_inventory(cast("CharacterContents", contents), whole=True), private=True)

    async def characters(self, call: Call) -> Answer:
        """`/v2/characters`, `/v2/characters/:id`: bags are in it only if the key may see them."""
        return await _Bulk(
            path="characters",
            keys=_names,
            objects=_characters,
            read=_name,
            takes_all=True,
            private=True,
            localised=False,
        ).handle(call)


def routes(backend: Backend, limiter: Limiter | None, clock: Clock, options: object) -> list[Route]:
    """Make the routes of the dialect, to be mounted under `/rest/guildwars2`."""
    del clock, options
    dialect = Dialect(backend, limiter)
    table: list[tuple[str, Handler | None, Sequence[str]]] = [
        ("/v2/account", dialect.account, rules.ACCOUNT_SCOPES),
        ("/v2/account/bank", dialect.slots(BANK), rules.STORAGE_SCOPES),
        ("/v2/account/inventory", dialect.slots(SHARED), rules.STORAGE_SCOPES),
        ("/v2/account/materials", dialect.materials, rules.STORAGE_SCOPES),
        ("/v2/tokeninfo", dialect.tokeninfo, rules.ACCOUNT_SCOPES),
        ("/v2/characters", dialect.characters, rules.NAME_SCOPES),
        ("/v2/characters/{id}", dialect.characters, rules.NAME_SCOPES),
        ("/v2/characters/{id}/inventory", dialect.inventory, rules.INVENTORY_SCOPES),
        ("/v2.json", _published, ()),
    ]
    for endpoint in ENDPOINTS.values():
        table += [(f"/v2/{endpoint.path}", dialect.bulk(endpoint), ())]
        table += [(f"/v2/{endpoint.path}/{{id}}", dialect.bulk(endpoint), ())]
    table.append(("/{rest:path}", None, ()))
    # No method is left to the router: it would answer 405 in its own words.
    every = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
    return [Route(path, dialect.endpoint(handler, scopes), methods=every) for path, handler, scopes in table]


async def _published(call: Call) -> Answer:
    return Answer(
        body={
            "langs": [LANGUAGE],
            "routes": [
                {"path": path, "lang": localised, "auth": auth, "active": True}
                for path, localised, auth in (
                    ("/v2/account", False, True),
                    ("/v2/account/bank", False, True),
                    ("/v2/account/inventory", False, True),
                    ("/v2/account/materials", False, True),
                    ("/v2/characters", False, True),
                    ("/v2/characters/:id/inventory", False, True),
                    *((f"/v2/{endpoint.path}", True, False) for endpoint in ENDPOINTS.values()),
                    ("/v2/tokeninfo", False, True),
                )
            ],
            "schema_versions": [{"v": version, "desc": brought} for version, brought in SCHEMA_VERSIONS],
        },
        private=False,
    )


# --- who is asking ----------------------------------------------------------------------------------------------------


def _key(request: Request) -> str | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return request.query_params.get("access_token") or None


async def _admit(call: Call, scopes: Sequence[str]) -> None:
    try:
        call.owner = OwnerRef(PROVIDER, await call.session.identity(ME))
    except InvalidInput:
        # It holds what no key can.
        raise Refused(401, "Invalid access token") from None
    token = cast("GuildWars2Token", await one(call.session.facts_by_key, FactRef(*call.owner, CREDENTIAL, "")))
    call.scopes = frozenset(token.permissions)
    missing = [scope for scope in scopes if scope not in call.scopes]
    if missing:
        raise rules.lacking(missing)
    if token.urls is not None:
        path = _name(call.request.scope["path"].removeprefix(call.request.scope.get("root_path", "")))
        if path not in [_name(unquote(url)) for url in token.urls]:
            raise Refused(403, "this subtoken is not for this endpoint")


_LONGEST_PATH = 1_000


def _name(text: str) -> str:
    # It takes time by the square of the marks that follow each other, and no address of the service is longer.
    return unicodedata.normalize("NFC", text) if len(text) <= _LONGEST_PATH else text


def _version(request: Request) -> datetime:
    asked = request.query_params.get("v") or request.headers.get("x-schema-version")
    if not asked:
        return _CLASSIC
    if asked == "latest":
        return _WVW
    try:
        moment = datetime.fromisoformat(asked)
    except ValueError:
        raise Refused(400, "invalid schema version") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_EQUIPMENT = ("Armor", "Back", "Trinket", "Weapon")
"""The types of item that have a second suffix item, in older schemas an empty text where there is none."""

_TAB_FIELDS = ("build_tabs_unlocked", "active_build_tab", "equipment_tabs_unlocked", "active_equipment_tab")
_BEFORE_TABS = ("skills", "specializations")


def _at_version(body: dict[str, Any], version: datetime) -> dict[str, Any]:
    details = body.get("details")
    if version < _SUFFIX_ITEM and details is not None and body.get("type") in _EQUIPMENT:
        details["secondary_suffix_item_id"] = str(details.get("secondary_suffix_item_id", ""))
    return body


# --- reads ------------------------------------------------------------------------------------------------------------


async def _children(call: Call, ref: ContainerRef) -> list[Container]:
    return await _all_pages(
        call.session.containers_by_container,
        lambda after: Asked(PROVIDER, ref, PageArguments(first=PAGE_CAP, after=after)),
    )


async def _all_pages(read: Any, asked: Callable[[str | None], Asked]) -> list[Container]:
    found: list[Container] = []
    after: str | None = None
    while True:
        page = await one(read, asked(after))
        if page is None:
            return found
        found += [node for node in page.nodes if node is not None]
        if not page.page_info.has_next_page:
            return found
        after = page.page_info.end_cursor


async def _names(call: Call) -> list[str]:
    found = await _all_pages(
        call.session.containers_by_owner,
        lambda after: Asked(
            PROVIDER, call.of, ContainerArguments(kind=ContainerKind.CHARACTER, first=PAGE_CAP, after=after)
        ),
    )
    return [container.name for container in found]


def _character_ref(call: Call, name: str) -> ContainerRef:
    return ContainerRef(*call.of, character_key(_name(name)))


async def _characters(call: Call, names: Sequence[str]) -> dict[str, object]:
    known = set(await _names(call))
    wanted = [name for name in names if name in known]
    facts = await call.session.facts_by_key([FactRef(*call.of, CHARACTER, name) for name in wanted])
    shows_bags = set(rules.INVENTORY_SCOPES) <= call.scopes
    refs = {name: _character_ref(call, name) for name in wanted}
    wanted_refs = list(refs.values()) if shows_bags else []
    contents = await call.session.contents_by_container(wanted_refs) if wanted_refs else None
    rendered: dict[str, object] = {}
    for name in wanted:
        summary = facts.get(FactRef(*call.of, CHARACTER, name))
        if isinstance(summary, GatewayError):
            raise summary
        body = wire.render_character(cast("Any", summary) or GuildWars2CharacterSummary(name=name))
        if call.version < _LAST_MODIFIED:
            body.pop("last_modified", None)
        for field in _TAB_FIELDS if call.version < _TABS else _BEFORE_TABS:
            body.pop(field, None)
        carried = contents.get(refs[name]) if contents else None
        if isinstance(carried, GatewayError):
            raise carried
        if carried is not None:
            body.update(wire.render_inventory(cast("CharacterContents", carried), whole=True))
        rendered[name] = body
    return rendered


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else None


@dataclass(slots=True, kw_only=True)
class _Bulk(Generic[K]):
    """An endpoint of many objects: all ids, one by id, several by ids, or a page."""

    path: str
    keys: Callable[[Call], Awaitable[list[K]]]
    objects: Callable[[Call, Sequence[K]], Awaitable[dict[K, object]]]
    read: Callable[[str], K | None]
    takes_all: bool
    private: bool
    localised: bool

    async def handle(self, call: Call) -> Answer:
        """Answer; of `id`, `ids` and `page` the first that is there counts."""
        query = call.request.query_params
        one = call.request.path_params.get("id", query.get("id"))
        if one is not None:
            return await self._one(call, one)
        if "ids" in query:
            return await self._several(call, query["ids"])
        if "page" in query or "page_size" in query:
            return await self._page(call)
        keys = await self.keys(call)
        return Answer(body=keys, private=self.private, headers={"X-Result-Total": str(len(keys))})

    async def _one(self, call: Call, text: str) -> Answer:
        key = self.read(text)
        found = {} if key is None else await self.objects(call, [key])
        if not found:
            raise Refused(404, "no such id")
        return Answer(body=next(iter(found.values())), private=self.private, localised=self.localised)

    async def _several(self, call: Call, text: str) -> Answer:
        total = await self.keys(call)
        if text == "all" and self.takes_all:
            wanted, asked = total, len(total)
        else:
            mentioned = list(dict.fromkeys(part.strip() for part in text.split(",")))
            if len(mentioned) > MAX_IDS:
                raise Refused(400, f"id list too long; this endpoint is limited to {MAX_IDS} ids at once")
            asked = len(mentioned)
            wanted = list(dict.fromkeys(key for part in mentioned if (key := self.read(part)) is not None))
        found = await self.objects(call, wanted) if wanted else {}
        if not found and not (text == "all" and self.takes_all):
            raise Refused(404, "all ids provided are invalid")
        return Answer(
            body=[found[key] for key in wanted if key in found],
            private=self.private,
            localised=self.localised,
            status=200 if len(found) == asked else 206,
            headers={"X-Result-Count": str(len(found)), "X-Result-Total": str(len(total))},
        )

    async def _page(self, call: Call) -> Answer:
        query = call.request.query_params
        size = _number(query.get("page_size", str(DEFAULT_PAGE_SIZE)))
        if size is None or not 1 <= size <= MAX_IDS:
            raise Refused(400, f"page_size out of range. Use page_size values 1 - {MAX_IDS}.")
        keys = await self.keys(call)
        pages = max(1, math.ceil(len(keys) / size))
        page = _number(query.get("page", "0"))
        if page is None or page >= pages:
            raise Refused(400, f"page out of range. Use page values 0 - {pages - 1}.")
        wanted = keys[page * size : (page + 1) * size]
        found = await self.objects(call, wanted) if wanted else {}
        return Answer(
            body=[found[key] for key in wanted if key in found],
            private=self.private,
            localised=self.localised,
            status=200 if len(found) == len(wanted) else 206,
            headers={
                "X-Page-Size": str(size),
                "X-Page-Total": str(pages),
                "X-Result-Count": str(len(found)),
                "X-Result-Total": str(len(keys)),
                "Link": self._link(page, size, pages),
            },
        )

    def _link(self, page: int, size: int, pages: int) -> str:
        places = {"previous": page - 1, "next": page + 1, "self": page, "first": 0, "last": pages - 1}
        return ", ".join(
            f"</v2/{self.path}?page={at}&page_size={size}>; rel={rel}" for rel, at in places.items() if 0 <= at < pages
        )


# --- answers ----------------------------------------------------------------------------------------------------------

_COMMON = {"Access-Control-Allow-Origin": "*", "X-Rate-Limit-Limit": "600"}


def _respond(request: Request, answer: Answer) -> Response:
    headers = {**_COMMON, **(answer.headers or {})}
    if answer.status == 204:
        return Response(status_code=204, headers={**headers, "Allow": ", ".join(METHODS)})
    body = orjson.dumps(answer.body)
    headers["Cache-Control"] = "private,max-age=60" if answer.private else "public,max-age=300"
    headers["ETag"] = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers["Vary"] = "Authorization, X-Schema-Version" if answer.private else "X-Schema-Version"
    if answer.localised:
        headers["Content-Language"] = LANGUAGE
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, status_code=answer.status, headers=headers, media_type="application/json; charset=utf-8")


def _refuse(request: Request, refused: Refused) -> Response:
    headers = dict(_COMMON)
    if refused.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(refused.retry_after))
    if refused.status == 405:
        headers["Allow"] = ", ".join(METHODS)
    return Response(
        orjson.dumps({"text": refused.text}),
        status_code=refused.status,
        headers=headers,
        media_type="application/json; charset=utf-8",
    )


def _refusal(error: GatewayError) -> Refused:
    match error:
        case Unauthenticated():
            return Refused(401, "Invalid access token")
        case Forbidden():
            return Refused(403, f"requires scope {','.join(error.scopes)}" if error.scopes else error.message)
        # A name that cannot be one is no character's.
        case NotFound() | InvalidInput():
            return Refused(404, "no such id")
        case RateLimited():
            return Refused(429, "too many requests", error.retry_after or 1)
        case UpstreamTimeout():
            return Refused(504, "ErrTimeout")
        case UpstreamUnavailable():
            return Refused(503, "API not active" if not error.retryable else "ErrInternal", error.retry_after)
        case UpstreamInvalid():
            return Refused(502, "ErrBadData")
        case _:
            return Refused(500, "ErrInternal")
