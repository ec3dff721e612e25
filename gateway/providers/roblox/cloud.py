"""The cloud's dialect: inventory items by filter and page token, quotas by key owner and token, its own envelope."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import orjson
from starlette.requests import ClientDisconnect, Request

from gateway.model.arguments import BothWaysArguments, ItemFilter
from gateway.model.errors import Forbidden, GatewayError, InvalidInput, Unauthenticated
from gateway.model.ids import ME, FactRef, ItemRef, OwnerRef
from gateway.model.item import Item
from gateway.model.loader import one
from gateway.model.owner import CREDENTIAL
from gateway.model.paging import NATURAL, Position, encode_cursor
from gateway.model.ports import Grant, Holder, Session
from gateway.model.relations import Asked
from gateway.providers.roblox import filters, rules, wire
from gateway.providers.roblox.cursors import filter_hash
from gateway.providers.roblox.dialect import Answer, Dialect, Refused, definitions, is_user
from gateway.providers.roblox.keys import ASSET, PROVIDER, SERVER, parsed
from gateway.providers.roblox.manifest import KEY, READ, TOKEN
from gateway.providers.roblox.types import RobloxCredential

DEFAULT_SIZE, MOST = 10, 100
_KEY_LIMIT, _TOKEN_LIMIT = 100, 20
_INTEGER = re.compile(r"-?[0-9]{1,10}\Z")
_MOST_BYTES = 16_384

_MOST_ROUNDS = 8
"""How often the store is asked for one page at most."""


def _refused(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Refused:
    return Refused(status, {"code": code, "message": message}, headers)


def _invalid(message: str) -> Refused:
    return _refused(400, "INVALID_ARGUMENT", message)


def _stranger(message: str) -> Refused:
    """Refuse as the gateway before the service does, in an envelope of its own."""
    return Refused(401, {"errors": [{"code": 0, "message": message}]})


class _Caller(NamedTuple):
    """Who is asking: a session, and what is kept of the credential."""

    session: Session
    credential: RobloxCredential


class _Asked(NamedTuple):
    """What a listing asks for: the user, the size of its pages, the filter as text and read, after which item."""

    user: str
    size: int
    text: str
    selected: filters.Selected
    after: str | None

    @property
    def bound(self) -> tuple[str, ...]:
        """What a page token is good for."""
        return ("inventory-items", self.user, str(self.size), self.text)


class Cloud:
    """The calls of the cloud."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.routes: Sequence[tuple[str, str, Callable[[Request, Mapping[str, str]], Awaitable[Answer]]]] = (
            ("GET", r"/cloud/v2/users/(?P<user>[^/]*)/inventory-items", self._items),
            ("GET", r"/oauth/v1/userinfo", self._userinfo),
            ("POST", r"/api-keys/v1/introspect", self._introspect),
        )

    # --- failures -----------------------------------------------------------------------------------------------------

    def not_there(self) -> Refused:
        """Refuse a path that there is not."""
        return _refused(404, "NOT_FOUND", "There is no such resource.")

    def not_done(self) -> Refused:
        """Refuse a method that a resource does not have."""
        return _refused(501, "NOT_IMPLEMENTED", "The method is not implemented.")

    def broken(self, error: Exception) -> Refused:
        """Tell a failure."""
        if isinstance(error, Unauthenticated):
            return _stranger("Invalid API Key")
        if isinstance(error, Forbidden):
            return _refused(403, "PERMISSION_DENIED", error.message)
        if isinstance(error, GatewayError) and error.retryable:
            return _refused(503, "UNAVAILABLE", "The service is not available for now.")
        return _refused(500, "INTERNAL", "The service has failed.")

    # --- who is asking ------------------------------------------------------------------------------------------------

    def _open(self, request: Request) -> tuple[Session, str]:
        """Open a session with the credential that a request brings, a key before a token; and tell what to call it."""
        key = request.headers.get("x-api-key")
        bearer = request.headers.get("authorization", "")
        if key:
            return self._dialect.session(**{KEY: key}), "Invalid API Key"
        if bearer.startswith("Bearer ") and (token := bearer.removeprefix("Bearer ")) and " " not in token:
            return self._dialect.session(**{TOKEN: token}), "Invalid token"
        raise _stranger("Invalid token" if bearer else "Invalid API Key")

    async def _signed_in(
        self, request: Request, handle: Callable[[_Caller], Awaitable[Answer]], *, counts: bool = True
    ) -> Answer:
        """Answer one who has a credential, and has asked no oftener than allowed."""
        session, fault = self._open(request)
        try:
            try:
                facts = await one(session.facts_by_key, FactRef(PROVIDER, "", CREDENTIAL, ""))
            except Unauthenticated:
                raise _stranger(fault) from None
            credential = cast("RobloxCredential", facts)
            caller, limit = _quota_of(credential, request)
            quota = self._dialect.count("cloud", caller, limit) if counts else None
            headers = {} if quota is None else quota.headers
            if quota is not None and quota.is_over:
                raise _refused(429, "RESOURCE_EXHAUSTED", "Too many requests.", headers)
            try:
                answer = await handle(_Caller(session, credential))
            except Refused as refused:
                refused.answer.headers.update(headers)
                raise
            except GatewayError as error:
                refused = self.broken(error)
                refused.answer.headers.update(headers)
                raise refused from error
            answer.headers.update(headers)
            return answer
        finally:
            await session.aclose()

    async def _userinfo(self, request: Request, parts: Mapping[str, str]) -> Answer:
        """`GET /oauth/v1/userinfo`: whose access token this is."""
        del parts

        async def handle(caller: _Caller) -> Answer:
            if caller.credential.part != TOKEN:
                raise _stranger("Invalid token")
            return Answer({"sub": await caller.session.identity(ME)})

        return await self._signed_in(request, handle, counts=False)

    async def _introspect(self, request: Request, parts: Mapping[str, str]) -> Answer:
        """`POST /api-keys/v1/introspect`: whose API key this is, and what it may do."""
        del parts
        secret = await _secret(request)
        session = self._dialect.session(**{KEY: secret})
        try:
            facts = cast("RobloxCredential", await one(session.facts_by_key, FactRef(PROVIDER, "", CREDENTIAL, "")))
        except Unauthenticated:
            raise _stranger("Invalid API Key") from None
        finally:
            await session.aclose()
        return Answer(
            {
                "name": facts.name,
                "authorizedUserId": int(facts.owner),
                "scopes": [{"name": scope.partition(":")[0], "operations": ["read"]} for scope in facts.scopes],
                "enabled": True,
                "expired": False,
            }
        )

    # --- inventory items ----------------------------------------------------------------------------------------------

    async def _items(self, request: Request, parts: Mapping[str, str]) -> Answer:
        """`GET /cloud/v2/users/{user_id}/inventory-items`."""
        return await self._signed_in(request, lambda caller: self._listing(request, parts["user"], caller))

    async def _listing(self, request: Request, user: str, caller: _Caller) -> Answer:
        session = caller.session
        signer = await self._dialect.signer(session)
        if not (user.isascii() and user.isdecimal()):
            raise _invalid("Invalid User ID in the request.")
        asked = _read(request, user)
        if token := request.query_params.get("pageToken"):
            try:
                asked = asked._replace(after=signer.place(token, asked.bound, now=self._dialect.clock()))
            except InvalidInput:
                raise _invalid("The page token is invalid.") from None
        if not await is_user(session, user):
            raise _refused(404, "NOT_FOUND", "There is no such user.")
        owner = OwnerRef(PROVIDER, user)
        if not await one(session.visibility_by_owner, owner):
            raise _refused(403, "PERMISSION_DENIED", rules.HIDDEN)
        if asked.selected.needs_consent and not _has_consent(caller.credential, user):
            raise _refused(403, "PERMISSION_DENIED", f"The filter needs the scope {READ}.")
        items, last = await _page(session, owner, asked)
        following: str | None = None
        if last is not None:
            shown = {"FilterHash": filter_hash(asked.text), "UserId": user}
            following = signer.cursor(last, asked.bound, now=self._dialect.clock(), shown=shown)
        return Answer(
            wire.render_cloud_page([wire.render_item(cast("wire.Listed", item)) for item in items], following)
        )


def _quota_of(credential: RobloxCredential, request: Request) -> tuple[str, int]:
    """Give whose quota a request counts against, and how many a minute: the owner of all its keys, or one token."""
    if credential.part == TOKEN:
        # Not the token itself: this is kept for a while.
        digest = hashlib.blake2b(request.headers["authorization"].encode(), digest_size=16)
        return f"token:{digest.hexdigest()}", _TOKEN_LIMIT
    return (f"group:{credential.group}" if credential.group else f"user:{credential.owner}"), _KEY_LIMIT


def _has_consent(credential: RobloxCredential, user: str) -> bool:
    holder = Holder(credential.owner, credential.part)
    grant = Grant(holder=holder, scopes=tuple(credential.scopes), facts=credential, expires_at=None)
    return rules.consents(grant, user)


def _read(request: Request, user: str) -> _Asked:
    query = request.query_params
    size = query.get("maxPageSize") or "0"
    if not _INTEGER.match(size) or int(size) < 0 or int(size) >= 2**31:
        raise _invalid("The page size is invalid.")
    text = query.get("filter") or ""
    try:
        selected = filters.parse_filter(text)
    except InvalidInput as error:
        raise _invalid(error.message) from None
    return _Asked(user, min(int(size) or DEFAULT_SIZE, MOST), text, selected, None)


async def _page(session: Session, owner: OwnerRef, asked: _Asked) -> tuple[list[Item], str | None]:
    """Read the items of a page, and after which one the next page goes on; None where there is none."""
    selected = asked.selected
    wanted = ItemFilter(shelves=selected.shelves)
    if selected.only_collectibles:
        wanted = replace(wanted, is_collectible=True)
    if selected.keys is not None:
        wanted = replace(wanted, definition_keys=[key for key in selected.keys if parsed(key).kind != SERVER])
    found: list[Item] = []
    after = asked.after
    for _ in range(_MOST_ROUNDS):
        cursor = None if after is None else encode_cursor(Position(NATURAL, 0, after))
        arguments = BothWaysArguments(filter=wanted, first=asked.size + 1, after=cursor)
        connection = await one(session.items_by_owner, Asked(PROVIDER, owner, arguments))
        items = [item for item in connection.nodes if item is not None] if connection else []
        found += await _official(session, items) if selected.only_collectibles else items
        goes_on = bool(items) and connection is not None and connection.page_info.has_next_page
        if len(found) > asked.size or not goes_on:
            break
        after = items[-1].sort
    else:
        # Where hardly anything passes, a page is short, and the next one goes on from here.
        return found, after
    if selected.servers:
        # They are of no definition, and come last.
        refs = [ItemRef(*owner, key) for key in selected.servers]
        servers = [item for item in (await session.items_by_key(refs)).values() if isinstance(item, Item)]
        found += sorted(
            (item for item in servers if asked.after is None or item.sort > asked.after), key=lambda item: item.sort
        )
    page = found[: asked.size]
    return page, page[-1].sort if len(found) > asked.size else None


async def _official(session: Session, items: Sequence[Item]) -> list[Item]:
    """Leave out the limited items that users made: the service's filter does not know them."""
    limited = [item for item in items if parsed(item.key).kind == ASSET]
    known = await definitions(session, [item.definition_key or "" for item in limited])
    return [
        item
        for item in limited
        if (entry := known.get(item.definition_key or "")) is None
        or entry.creator is None
        or (entry.creator.id, entry.creator.type) == (1, "User")
    ]


async def _secret(request: Request) -> str:
    """Read the API key that is asked about."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise _invalid("The body is too long.")
        document: object = orjson.loads(body)
    except (orjson.JSONDecodeError, ClientDisconnect):
        raise _invalid("The body is not JSON.") from None
    key = cast("Mapping[str, object]", document).get("apiKey") if isinstance(document, dict) else None
    if not isinstance(key, str) or not key:
        raise _stranger("Invalid API Key")
    return key
