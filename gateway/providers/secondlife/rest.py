"""The REST dialect of Second Life's inventory, served from any backend: resources, methods, statuses, entity tags."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias, cast
from urllib.parse import unquote, urlsplit

import strawberry
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.backends.limiter import Limiter
from gateway.files import Malformed
from gateway.model.credentials import Credential
from gateway.model.errors import (
    FAULT,
    DuplicateTransaction,
    Failure,
    GatewayError,
    PreconditionFailed,
    Unauthenticated,
    UpstreamInvalid,
)
from gateway.model.ids import CONTAINER, ITEM, ME, ContainerRef, FactRef, ItemRef, OwnerRef, encode_id
from gateway.model.loader import one
from gateway.model.owner import CREDENTIAL
from gateway.model.ports import Backend, Clock, Session
from gateway.model.verbs import ContainerVersionInput, ContentsPart
from gateway.providers.secondlife import orders, wire
from gateway.providers.secondlife.codec import JSON, LLSD, READERS, WRITERS
from gateway.providers.secondlife.keys import (
    BRANCH,
    INVENTORY_PART,
    LIBRARY,
    LIBRARY_PART,
    ORPHANS,
    PROVIDER,
    SEED_PART,
    SPECIAL,
    UUID,
    agent_of,
)
from gateway.providers.secondlife.orders import UNSET, Order
from gateway.providers.secondlife.refusals import (
    CONFLICT,
    INVALID,
    LACKING,
    MEDIA,
    METHOD,
    NOT_FOUND,
    PRECONDITION,
    CategoryNotFound,
    InvalidCategory,
    InvalidDepth,
    InvalidItem,
    ItemNotFound,
    body_of,
    forbidden,
    invalid,
    status_of,
)
from gateway.providers.secondlife.settings import SecondLifeOptions
from gateway.providers.secondlife.types import (
    Branch,
    Orphans,
    SecondLifeCapability,
    SecondLifeCategory,
    SecondLifeItem,
    SecondLifeLink,
    Thing,
)
from gateway.providers.secondlife.verbs import Done
from gateway.providers.secondlife.wire import Document, Wanted
from gateway.transport.body import Body, TooLong

_log = structlog.get_logger("gateway.rest")

CATEGORY, ITEM_RESOURCE, ORPHANS_RESOURCE = "category", "item", "orphans"

_METHODS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "category": ("GET", "POST", "PUT", "PATCH", "COPY", "MOVE", "DELETE"),
        "category/children": ("GET", "PUT", "COPY", "MOVE", "DELETE"),
        "category/links": ("GET", "PUT", "COPY", "MOVE", "DELETE"),
        "category/items": ("GET", "PUT", "COPY", "MOVE", "DELETE"),
        "category/categories": ("GET", "PUT", "COPY", "MOVE", "DELETE"),
        "item": ("GET", "PATCH", "COPY", "MOVE", "DELETE"),
        "orphans": ("GET",),
    }
)
"""The resources, and what may be done with each."""

_LACKING = frozenset(
    {
        *(("category", "MOVE"), ("item", "COPY"), ("item", "MOVE")),
        *((f"category/{part}", method) for part in ("children", "items", "categories") for method in ("PUT", "MOVE")),
        *((f"category/{part}", "COPY") for part in ("children", "links", "items", "categories")),
        ("category/links", "MOVE"),
    }
)
"""What the service's document describes and the service does not do."""

_TAGGED = frozenset({"category", "category/children", "category/items", "category/categories"})
"""The resources that have entity tags."""

_DEEP = frozenset({"category", "category/children", "category/categories"})
"""The resources that have a depth."""

_PARTS: Mapping[str, ContentsPart] = MappingProxyType(
    {
        "children": ContentsPart.ALL,
        "links": ContentsPart.LINKS,
        "items": ContentsPart.ITEMS,
        "categories": ContentsPart.CONTAINERS,
    }
)

_SHOWS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "": ("items", "links", "categories"),
        "children": ("items", "links", "categories"),
        "links": ("links",),
        "items": ("items", "links"),
        "categories": ("categories",),
    }
)
"""By part of a category, the maps that an answer about it has."""


class Refused(Exception):
    """An answer other than success: its status, body and headers."""

    def __init__(self, status: int, body: Document, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, dict(headers or {})


def _refuse(status: int, code: int, description: str, **headers: str) -> Refused:
    return Refused(status, {"error_code": code, "error_description": description}, headers)


@dataclass(slots=True, kw_only=True)
class Query:
    """The parameters of a request."""

    tid: str | None = None
    depth: int | None = 0
    has_depth: bool = False
    simulate: bool = False
    only: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Call:
    """One request of a caller whose capability is good, about a resource that there may be.

    `key` is the resource's id, or its special name where no such category stands.
    """

    request: Request
    session: Session
    owner: OwnerRef
    resource: str
    part: str
    named: str
    key: str
    query: Query
    body: Any
    media: str
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def name(self) -> str:
        """The name of the resource, as the tables have it."""
        return self.resource + (f"/{self.part}" if self.part else "")

    @property
    def path(self) -> str:
        """The resource's own path, behind the capability's address."""
        if self.resource == ITEM_RESOURCE:
            return wire.item_path(self.key)
        return wire.category_path(self.key, f"/{self.part}" if self.part else "")


Answered: TypeAlias = tuple[int, Document]
Handler: TypeAlias = Callable[[Call], Awaitable[Answered]]


def routes(backend: Backend, limiter: Limiter | None, clock: Clock, options: SecondLifeOptions) -> list[Route]:
    """Make the routes of the dialect, to be mounted under `/rest/secondlife`."""
    del limiter, clock  # The service tells of no budget.
    dialect = Dialect(backend, options)
    seed = Route("/seed/{capability}", dialect.seed)
    inventory = Route("/{capability}/{rest:path}", dialect.inventory)
    bare = Route("/{capability}", dialect.inventory)
    for route in (seed, inventory, bare):
        route.methods = None
    return [seed, inventory, bare]


class Dialect:
    """The resources over one backend."""

    def __init__(self, backend: Backend, options: SecondLifeOptions) -> None:
        self._backend = backend
        self._options = options
        self._handlers: Mapping[tuple[str, str], Handler] = {
            **{(name, "GET"): self._get for name in _METHODS if name.startswith(CATEGORY)},
            **{(name, "COPY"): self._copy_contents for name in _METHODS if "/" in name},
            **{(name, "MOVE"): self._move_contents for name in _METHODS if "/" in name},
            **{(name, "DELETE"): self._clear for name in _METHODS if "/" in name},
            **{(name, "PUT"): self._replace for name in _METHODS if "/" in name},
            ("category", "POST"): self._create,
            ("category", "PUT"): self._ensure,
            ("category", "PATCH"): self._change,
            ("category", "COPY"): self._copy,
            ("category", "MOVE"): self._move,
            ("category", "DELETE"): self._delete,
            ("item", "GET"): self._get_item,
            ("item", "PATCH"): self._change_item,
            ("item", "COPY"): self._copy_item,
            ("item", "MOVE"): self._move_item,
            ("item", "DELETE"): self._delete_item,
            ("orphans", "GET"): self._get_orphans,
        }

    # --- requests in, answers out -------------------------------------------------------------------------------------

    async def inventory(self, request: Request) -> Response:
        """Answer a request behind a capability."""
        return await self._safely(request, self._inventory)

    async def seed(self, request: Request) -> Response:
        """Answer a request of a seed capability: the addresses of the capabilities that it names."""
        return await self._safely(request, self._seed)

    async def _safely(
        self, request: Request, answer: Callable[[Request, str], Awaitable[tuple[int, Document, Mapping[str, str]]]]
    ) -> Response:
        """Put every way of failing into the service's form; nothing of the request is told."""
        media = _accepted(",".join(request.headers.getlist("accept")))
        try:
            status, document, headers = await answer(request, media)
            return _response(request, media, status, document, headers)
        except Refused as refused:
            status, document, headers = refused.status, refused.body, refused.headers
        except GatewayError as error:
            status, document, headers = _told(error)
        except ClientDisconnect:
            status, document, headers = 400, {"error_code": INVALID, "error_description": "The body broke off."}, {}
        except Exception:
            _log.exception("rest_failed", provider=PROVIDER)
            status, document, headers = _told(Failure(FAULT))
        return _response(request, media, status, document, headers)

    async def _seed(self, request: Request, media: str) -> tuple[int, Document, Mapping[str, str]]:
        del media
        if request.method != "POST":
            raise _refuse(405, METHOD, "A seed capability is asked by POST.", Allow="POST")
        names = await _body(request, self._options.most_body_bytes)
        if not isinstance(names, list):
            raise invalid("The body is an array of names.")
        session = self._backend.session(Credential(PROVIDER, {SEED_PART: request.path_params["capability"]}))
        try:
            made: Document = {}
            address = f"{request.url.scheme}://{request.url.netloc}{request.scope['root_path']}"
            await session.identity(ME)
            for name, part in (("InventoryAPIv3", INVENTORY_PART), ("LibraryAPIv3", LIBRARY_PART)):
                if name in cast("list[Any]", names):
                    made[name] = f"{address}/{await session.renew(part)}"
            return 200, made, {}
        finally:
            await session.aclose()

    async def _inventory(self, request: Request, media: str) -> tuple[int, Document, Mapping[str, str]]:
        session, owner = await self._opened(request.path_params["capability"])
        try:
            call = await self._call(request, session, owner, media)
            if owner.owner == LIBRARY and request.method not in ("GET", "COPY"):
                raise forbidden("The library is only read, and copied from.")
            lacks = self._options.strict and (call.name, request.method) in _LACKING
            # What is wrong with a request is told first, though what is good is not done either.
            call.query.simulate |= lacks
            status, document = await self._handlers[call.name, request.method](call)
            if lacks:
                raise _refuse(501, LACKING, "The service does not do this.")
            return status, document, call.headers
        finally:
            await session.aclose()

    async def _opened(self, capability: str) -> tuple[Session, OwnerRef]:
        """Open a session for a capability, of an agent's inventory or of the library; else there is no such address."""
        for part in (INVENTORY_PART, LIBRARY_PART):
            session = self._backend.session(Credential(PROVIDER, {part: capability}))
            try:
                return session, OwnerRef(PROVIDER, await session.identity(ME))
            except Unauthenticated:
                await session.aclose()
            except BaseException:
                await session.aclose()
                raise
        raise _refuse(404, NOT_FOUND, "There is no such capability.")

    async def _call(self, request: Request, session: Session, owner: OwnerRef, media: str) -> Call:
        """Read a request: its resource, method, parameters and body, each refused in this order."""
        resource, part, named = _resource(request.path_params.get("rest", ""))
        name = resource + (f"/{part}" if part else "")
        methods = _METHODS[name]
        if request.method not in methods:
            raise _refuse(405, METHOD, "This resource has no such method.", Allow=", ".join(methods))
        if resource == CATEGORY and named not in SPECIAL and not UUID.match(named):
            raise invalid("A category is named by its id, in lower case, or by a special name.")
        if resource == ITEM_RESOURCE and not UUID.match(named):
            raise invalid("An item is named by its id, in lower case.")
        query = _query(request.scope["query_string"].decode("latin-1"), name, request.method)
        body = await _body(request, self._options.most_body_bytes)
        call = Call(
            request=request,
            session=session,
            owner=owner,
            resource=resource,
            part=part,
            named=named,
            key=named,
            query=query,
            body=body,
            media=media,
        )
        if named in SPECIAL:
            found = await _container(session, owner, named)
            if found is not None:
                call.key = found.key
                call.headers["Content-Location"] = call.path
        return call

    # --- reads --------------------------------------------------------------------------------------------------------

    async def _get(self, call: Call) -> Answered:
        document = await self._document(call)
        if document is None:
            raise CategoryNotFound(call.key)
        if call.name in _TAGGED:
            tag = _tag(call, document, call.media)
            call.headers["ETag"] = tag
            unmatched, matched = _conditions(call.request, {tag})
            if unmatched:
                raise _precondition([tag], tag, "If-Match")
            if matched:
                raise Refused(304, {}, {**call.headers})
        return 200, document

    async def _document(self, call: Call) -> Document | None:
        """Give the answer to a GET of the call's resource; None where there is no such category."""
        branch = await self._branch(call)
        return None if branch is None else await self._shown(call, branch)

    async def _branch(self, call: Call) -> Branch | None:
        found = await one(call.session.facts_by_key, FactRef(*call.owner, BRANCH, _wanted(call).written()))
        return found if isinstance(found, Branch) else None

    async def _shown(self, call: Call, branch: Branch) -> Document:
        things = [thing for part in wire.walk(branch) for thing in part.items or ()]
        render = await self._rendering(call, things, embeds=call.part == "links")
        shows = _SHOWS[call.part]
        return wire.render_branch(branch, render, part=f"/{call.part}" if call.part else "", shows=shows)

    async def _rendering(
        self, call: Call, things: Sequence[Thing], *, done: Done | None = None, embeds: bool = False
    ) -> wire.Render:
        """Give what writes things: of links it is told whether what they point at is there."""
        known: dict[str, object] = {}
        if done is not None:
            known = {**done.categories, **done.things}
            for key in (*done.outcome.removed_items, *done.outcome.removed_categories):
                known.pop(key, None)
        links = [thing for thing in things if isinstance(thing, SecondLifeLink) and thing.linked_key not in known]
        known |= await _targets(call.session, call.owner, links)

        def render(thing: Thing) -> Document:
            if not isinstance(thing, SecondLifeLink):
                return wire.render_thing(thing)
            target = known.get(thing.linked_key or "")
            return wire.render_thing(thing, broken=target is None, target=target if embeds else None)

        return render

    async def _get_item(self, call: Call) -> Answered:
        thing = await _item(call.session, call.owner, call.key)
        if thing is None:
            raise ItemNotFound(call.key)
        return 200, await self._shown_item(call, thing)

    async def _shown_item(self, call: Call, thing: Thing) -> Document:
        """Write an item as the whole of an answer, a link with what it points at."""
        if isinstance(thing, SecondLifeItem):
            return wire.render_thing(thing, top=True)
        target = (await _targets(call.session, call.owner, [thing])).get(thing.linked_key or "")
        document = wire.render_thing(thing, broken=target is None, target=target, top=True)
        if self._options.link_permissions:
            # A client's parser wants them of every item; viewers overwrite them.
            document |= wire.NO_PERMISSIONS
        return document

    async def _get_orphans(self, call: Call) -> Answered:
        orphans = await one(call.session.facts_by_key, FactRef(*call.owner, ORPHANS, ""))
        things: Sequence[Thing] = orphans.items if isinstance(orphans, Orphans) else ()
        items, links = wire.embedded(things, await self._rendering(call, things))
        return 200, {
            "_base_uri": wire.base_of(agent_of(call.owner.owner)),
            "_links": {"self": {"href": "/orphans"}},
            "_embedded": {"items": items, "links": links, "categories": {}},
        }

    # --- writes -------------------------------------------------------------------------------------------------------

    async def _write(self, call: Call, order: Order, owner: OwnerRef | None = None) -> Done:
        """Carry out an order under the request's conditions; a transaction that was committed before is 409."""
        order.transaction_id = call.query.tid
        order.simulate = call.query.simulate
        held = await self._hold(call, order)
        try:
            written = await call.session.write(order.VERB, owner or call.owner, order)
        except DuplicateTransaction:
            raise _duplicate(call) from None
        except PreconditionFailed:
            # Someone else may have been first: the tag that is told is that of now.
            tags = await self._tags(call)
            raise _precondition([*tags.values()], tags.get(call.media), held.condition) from None
        if written.changes.is_replayed:
            raise _duplicate(call)
        return cast("Done", written.shown)

    async def _hold(self, call: Call, order: Order) -> _Held:
        """Turn conditions on entity tags into conditions on versions, which are looked at when nothing can change.

        A tag that does not match is a version that cannot: so a repeat is told before a condition.
        """
        headers = call.request.headers
        if call.name not in _TAGGED or not ("if-match" in headers or "if-none-match" in headers):
            return _Held()
        branch = await self._branch(call)
        if branch is None:
            if "if-match" in headers and call.request.method == "PUT" and not call.part:
                raise _precondition([], None, "If-Match")
            return _Held()
        document = await self._shown(call, branch)
        held = _Held()
        unmatched, matched = _conditions(call.request, {_tag(call, document, media) for media in WRITERS})
        versions: dict[str, int] = {}
        if unmatched or matched:
            versions = {branch.category.key: -1}
            held.condition = "If-Match" if unmatched else "If-None-Match"
        elif "*" not in headers.get("if-match", "*"):
            versions = {part.category.key: part.category.number for part in wire.walk(branch)}
        order.if_match = [
            ContainerVersionInput(
                container=strawberry.ID(encode_id(CONTAINER, ContainerRef(*call.owner, key))), version=str(number)
            )
            for key, number in versions.items()
        ]
        return held

    async def _tags(self, call: Call) -> Mapping[str, str]:
        """Give the entity tags of a call's resource as it is now, by media type; nothing where it is gone."""
        session, _ = await self._opened(call.request.path_params["capability"])
        try:
            document = await self._document(replace(call, session=session))
            return {} if document is None else {media: _tag(call, document, media) for media in WRITERS}
        finally:
            await session.aclose()

    async def _tagged(self, call: Call, key: str, part: str, *, owner: OwnerRef | None = None) -> None:
        """Put the entity tag of a category, as it is now, into the answer's headers."""
        session = self._backend.session(
            Credential(PROVIDER, {INVENTORY_PART: call.request.path_params["capability"]} if owner is None else {})
        )
        try:
            now = Call(
                request=call.request,
                session=session,
                owner=owner or call.owner,
                resource=CATEGORY,
                part=part,
                named=key,
                key=key,
                query=Query(),
                body=None,
                media=call.media,
            )
            document = await self._document(now)
            if document is not None:
                call.headers["ETag"] = _tag(now, document, call.media)
        finally:
            await session.aclose()

    async def _create(self, call: Call) -> Answered:
        if call.body is None:
            raise invalid("There is no body.")
        items, links, categories = wire.parse_contents(call.body)
        order = orders.Create(category=call.key, items=items, links=links, categories=categories)
        done = await self._write(call, order)
        call.headers["Location"] = wire.category_path(call.key, "/children")
        return 201, {
            **await self._holding(call, done, call.key, "children"),
            **_created(done),
            **_versions(done),
        }

    async def _ensure(self, call: Call) -> Answered:
        stands = await _container(call.session, call.owner, call.key)
        if call.named not in SPECIAL:
            if stands is None:
                raise CategoryNotFound(call.key)
            return 409, wire.render_category(stands, part="")
        # Where it stands the answer is no success, and leaves the transaction's id free.
        call.query.simulate |= stands is not None
        done = await self._write(call, orders.Ensure(role=call.named))
        category = done.categories[done.outcome.top or ""]
        document = wire.render_category(category, part="")
        if not done.outcome.created_categories:
            return 409, document
        call.headers["Location"] = call.headers["Content-Location"] = wire.category_path(category.key)
        return 201, {
            **document,
            "_created_categories": wire.written_ids(done.outcome.created_categories),
            **_versions(done),
        }

    async def _change(self, call: Call) -> Answered:
        patch = wire.parse_category_patch(call.body, call.key)
        if self._options.strict and patch.parent is not UNSET:
            found = await _container(call.session, call.owner, call.key)
            if found is not None and found.parent_key != patch.parent:
                raise InvalidCategory("Cannot change parent_id. Use MOVE to move a category.", call.key)
        done = await self._write(call, orders.ChangeCategories(patches=[patch]))
        await self._tagged(call, call.key, "")
        changed = dict.fromkeys((*done.outcome.updated_categories, *done.outcome.moved_categories))
        return 200, {
            **wire.render_category(done.categories[call.key], part=""),
            "_updated_categories": wire.written_ids(changed),
            **_versions(done),
        }

    async def _copy(self, call: Call) -> Answered:
        order = orders.CopyCategories(
            source=call.owner.owner,
            keys=[call.key],
            to=await self._destination(call),
            depth=call.query.depth if call.query.has_depth else None,
        )
        owner = await self._taker(call)
        done = await self._write(call, order, owner)
        top = done.outcome.top or ""
        call.headers["Location"] = wire.category_path(top)
        if not call.query.simulate:
            await self._tagged(call, top, "", owner=owner)
        render = await self._rendering(call, _things(done), done=done)
        branch = _grown(done, top)
        return 201, {
            **wire.render_branch(branch, render, part=""),
            **_copied(done),
            **_versions(done),
        }

    async def _taker(self, call: Call) -> OwnerRef | None:
        """Give the agent whose capability of the library this is, into whose inventory it copies; None for others."""
        if call.owner.owner != LIBRARY:
            return None
        facts = await one(call.session.facts_by_key, FactRef(*call.owner, CREDENTIAL, ""))
        if not isinstance(facts, SecondLifeCapability) or facts.agent == LIBRARY:
            raise forbidden("This capability is nobody's: there is no inventory to copy into.")
        return OwnerRef(PROVIDER, facts.agent)

    async def _move(self, call: Call) -> Answered:
        done = await self._write(call, orders.MoveCategories(keys=[call.key], to=await self._destination(call)))
        call.headers["Location"] = wire.category_path(call.key)
        await self._tagged(call, call.key, "")
        return 200, {
            **wire.render_category(done.categories[call.key], part=""),
            "_updated_categories": wire.written_ids(done.outcome.moved_categories),
            **_versions(done),
        }

    async def _delete(self, call: Call) -> Answered:
        done = await self._write(call, orders.DeleteCategories(keys=[call.key]))
        return 200, {**_removed(done, *_ALL_REMOVED), **_versions(done)}

    async def _clear(self, call: Call) -> Answered:
        done = await self._write(call, orders.Clear(category=call.key, what=_PARTS[call.part]))
        fields = {"links": ("_category_items_removed",), "items": _ITEMS_REMOVED}.get(call.part, _ALL_REMOVED)
        return 200, {**_removed(done, *fields), **_versions(done)}

    async def _replace(self, call: Call) -> Answered:
        if call.body is None:
            raise invalid("There is no body.")
        order = orders.Replace(category=call.key, what=_PARTS[call.part])
        if call.part == "links":
            order.links = wire.parse_links(call.body)
        elif call.part == "categories":
            order.categories = wire.parse_categories(call.body)
        else:
            order.items, order.links, order.categories = wire.parse_contents(call.body)
            if call.part == "items" and order.categories:
                raise invalid("Categories are no items.")
        done = await self._write(call, order)
        call.headers["Location"] = call.path
        if call.part != "links":
            await self._tagged(call, call.key, call.part)
        document = await self._holding(call, done, call.key, call.part, whole=call.part == "categories")
        outcome = done.outcome
        if call.part in ("children", "categories"):
            fields = [name for name in _ALL_REMOVED if name != "_category_items_removed"]
            return 201, {**document, **_created(done), **_removed(done, *fields), **_versions(done)}
        fields = ["_category_items_removed"] if call.part == "links" else [*_ITEMS_REMOVED]
        return 201, {
            **document,
            "_linked_ids": wire.written_ids(outcome.linked),
            "_created_items": wire.written_ids(outcome.created_items),
            "_updated_items": [],
            **_removed(done, *fields),
            **_versions(done),
        }

    async def _copy_contents(self, call: Call) -> Answered:
        to = await self._destination(call)
        order = orders.CopyContents(
            source=call.owner.owner,
            category=call.key,
            what=_PARTS[call.part],
            to=to,
            depth=call.query.depth if call.query.has_depth else None,
        )
        owner = await self._taker(call)
        done = await self._write(call, order, owner)
        to = done.outcome.top or to
        whole = call.part in ("children", "categories")
        call.headers["Location"] = wire.category_path(to, f"/{call.part}")
        if call.part != "links" and not call.query.simulate:
            await self._tagged(call, to, call.part, owner=owner)
        document = await self._holding(call, done, to, call.part, whole=whole)
        if whole:
            return 201, {**document, **_copied(done), **_versions(done)}
        return 201, {**document, "_created_items": wire.written_ids(done.outcome.created_items), **_versions(done)}

    async def _move_contents(self, call: Call) -> Answered:
        to = await self._destination(call)
        found = await _container(call.session, call.owner, to)
        to = to if found is None else found.key
        done = await self._write(call, orders.MoveContents(category=call.key, what=_PARTS[call.part], to=to))
        call.headers["Location"] = wire.category_path(to, f"/{call.part}")
        if call.part != "links":
            await self._tagged(call, to, call.part)
        outcome = done.outcome
        things = [done.things[key] for key in outcome.moved_items]
        render = await self._rendering(call, things, done=done)
        items, links = wire.embedded(things, render)
        folders = {key: wire.render_category(done.categories[key]) for key in outcome.moved_categories}
        maps = {"items": items, "links": links, "categories": folders}
        updated: Document = {}
        if call.part != "categories":
            updated["_updated_items"] = wire.written_ids(outcome.moved_items)
        if call.part in ("children", "categories"):
            updated["_updated_categories"] = wire.written_ids(outcome.moved_categories)
        return 200, {
            **wire.render_category(done.categories[to], part=f"/{call.part}"),
            "_embedded": {name: maps[name] for name in _SHOWS[call.part]},
            **updated,
            **_versions(done),
        }

    async def _change_item(self, call: Call) -> Answered:
        thing = await _item(call.session, call.owner, call.key)
        # Of one that is not there, it is still to be told whether this was done before.
        patch = wire.parse_item_patch(call.body, call.key, link=isinstance(thing, SecondLifeLink))
        if self._options.strict and thing is not None and patch.parent not in (UNSET, thing.container_key):
            raise InvalidItem("Cannot change parent_id. Use MOVE to move an item.", call.key)
        done = await self._write(call, orders.ChangeItems(patches=[patch]))
        changed = dict.fromkeys((*done.outcome.updated_items, *done.outcome.moved_items))
        return 200, {
            **await self._shown_item(call, done.things[call.key]),
            "_updated_items": wire.written_ids(changed),
            **_versions(done),
        }

    async def _copy_item(self, call: Call) -> Answered:
        to = await self._destination(call)
        owner = await self._taker(call)
        done = await self._write(call, orders.CopyItems(source=call.owner.owner, keys=[call.key], to=to), owner)
        (key,) = done.outcome.created_items
        call.headers["Location"] = wire.item_path(key)
        return 201, {
            **_bare(done.things[key]),
            "_created_items": wire.written_ids([key]),
            **_versions(done),
        }

    async def _move_item(self, call: Call) -> Answered:
        done = await self._write(call, orders.MoveItems(keys=[call.key], to=await self._destination(call)))
        call.headers["Location"] = wire.item_path(call.key)
        return 200, {
            **_bare(done.things[call.key]),
            "_updated_items": wire.written_ids(done.outcome.moved_items),
            **_versions(done),
        }

    async def _delete_item(self, call: Call) -> Answered:
        done = await self._write(call, orders.DeleteItems(keys=[call.key]))
        return 200, {**_removed(done, *_ITEMS_REMOVED), **_versions(done)}

    async def _destination(self, call: Call) -> str:
        """Read where to: an id, a special name, or the path or address of a category behind the same capability."""
        given = call.request.headers.get("destination", "").strip()
        if not given:
            raise invalid("The header `Destination` is missing.")
        found = given
        if "://" in given:
            try:
                path = urlsplit(given).path
            except ValueError:
                raise CategoryNotFound(given) from None
            *_, capability, _, found = ["", "", *path.rstrip("/").split("/")]
            mine = call.request.path_params["capability"]
            if f"/{capability}/category/{found}" not in given or not await self._is_alike(capability, mine):
                found = ""
        found = found.removeprefix("/category/").strip("/")
        if found not in SPECIAL and not UUID.match(found):
            raise CategoryNotFound(found)
        return found

    async def _is_alike(self, capability: str, mine: str) -> bool:
        """Say whether another capability is the same agent's."""
        if capability == mine:
            return True
        agents: list[str] = []
        for secret in (capability, mine):
            try:
                session, owner = await self._opened(secret)
            except Refused:
                return False
            try:
                facts = await one(session.facts_by_key, FactRef(*owner, CREDENTIAL, ""))
            finally:
                await session.aclose()
            agents.append(facts.agent if isinstance(facts, SecondLifeCapability) else owner.owner)
        return agents[0] == agents[1]

    async def _holding(self, call: Call, done: Done, key: str, part: str, *, whole: bool = False) -> Document:
        """Write a category with what was made directly in it, and, of new categories, all that was made below."""
        branch = _grown(done, key)
        render = await self._rendering(call, _things(done), done=done)
        document = wire.render_branch(branch, render, part=f"/{part}" if part else "")
        maps = _SHOWS["children" if whole else part]
        document["_embedded"] = {name: document["_embedded"][name] for name in maps}
        return document


@dataclass(slots=True, kw_only=True)
class _Held:
    """Which condition of a write does not hold, if one does not."""

    condition: str = "If-Match"


# --- reading requests -------------------------------------------------------------------------------------------------


def _accepted(header: str) -> str:
    """Choose the media type of the answer: LLSD, unless JSON is preferred."""
    best: dict[str, float] = {}
    for entry in header.lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        try:
            value = float(quality)
        except ValueError:
            value = 0.0
        best[kind] = max(best.get(kind, 0.0), value)
    # Of two that are as good, the one that is named.
    anything = max(best.get("*/*", 0.0), best.get("application/*", 0.0))
    json, llsd = best.get(JSON, 0.0), best.get(LLSD)
    return JSON if json > 0 and (json > llsd if llsd is not None else json >= anything) else LLSD


def _resource(path: str) -> tuple[str, str, str]:
    """Read which resource a path names: its kind, which part of it, and its name."""
    steps = [unquote(step) for step in path.split("/") if step]
    match steps:
        case ["category", name]:
            return CATEGORY, "", name
        case ["category", name, ("children" | "links" | "items" | "categories") as part]:
            return CATEGORY, part, name
        case ["item", name]:
            return ITEM_RESOURCE, "", name
        case ["orphans"]:
            return ORPHANS_RESOURCE, "", ""
        case _:
            raise _refuse(404, NOT_FOUND, "There is no such resource.")


_COMMA = re.compile(r",(?=(?:tid|depth|simulate)=)")
_DEPTH = re.compile(r"(\*|[0-9]+)?\Z")
_SIMULATE = {"": False, "0": False, "false": False, "1": True, "true": True}
_LONGEST_TID = 200
_MOST_CHILDREN = 250
_DEEPEST = 1_000


def _query(text: str, resource: str, method: str) -> Query:
    """Read the parameters; a comma before one that is known parts two, as viewers write it, and others are ignored."""
    query = Query()
    given: dict[str, str] = {}
    for pair in _COMMA.sub("&", text).split("&"):
        name, _, value = pair.partition("=")
        given.setdefault(unquote(name), unquote(value))
    depth = given.get("depth", "") if resource in _DEEP else ""
    if not _DEPTH.match(depth):
        raise InvalidDepth
    if depth:
        query.has_depth = True
        # Longer numbers are deeper than any tree.
        query.depth = None if depth == "*" else int(depth) if len(depth) <= 4 else _DEEPEST
    simulate = _SIMULATE.get(given.get("simulate", ""))
    if simulate is None:
        raise invalid("`simulate` is one of: 0, 1, true, false.")
    query.simulate = simulate
    query.tid = given.get("tid") or None
    if query.tid is not None and (len(query.tid) > _LONGEST_TID or not query.tid.isprintable()):
        raise invalid(f"`tid` is a text of at most {_LONGEST_TID} characters.")
    children = given.get("children", "") if (resource, method) == ("category/children", "GET") else ""
    query.only = tuple(dict.fromkeys(filter(None, children.split(","))))
    if len(query.only) > _MOST_CHILDREN or not all(map(UUID.match, query.only)):
        raise invalid(f"`children` is a list of at most {_MOST_CHILDREN} ids, in lower case.")
    return query


async def _body(request: Request, most: int) -> Any:
    """Read a body in either form, as far as it may go; None for none at all."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise _refuse(413, INVALID, f"The body is longer than {most} bytes.", Connection="close")
        chunks.append(chunk)
    if not size:
        return None
    # Viewers label every request, with a body or without: only of one that is there does the label count.
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in READERS:
        raise _refuse(415, MEDIA, f"A body is of type {LLSD} or {JSON}.")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "deflate"):
        raise _refuse(415, MEDIA, "The body is encoded in a way that is not read.")
    try:
        unpacked = Body(encoding if encoding not in ("", "identity") else None, most)
        for chunk in chunks:
            unpacked.feed(chunk)
        data = unpacked.finish()
    except TooLong:
        raise _refuse(413, INVALID, f"The body is longer than {most} bytes.") from None
    except UpstreamInvalid:
        raise invalid("The body is not encoded as it says.") from None
    try:
        return READERS[media](data)
    except Malformed as malformed:
        raise invalid(str(malformed)) from None


def _wanted(call: Call) -> Wanted:
    """Tell which part of a tree a GET of the call's resource shows."""
    query = call.query
    match call.part:
        case "children":
            return Wanted(call.key, wire.CHILDREN, query.depth, query.only)
        case "categories":
            return Wanted(call.key, wire.CATEGORIES, query.depth)
        case "links" | "items":
            return Wanted(call.key, wire.LINKS_PART if call.part == "links" else wire.ITEMS)
        case _:
            pass
    if query.depth == 0:
        return Wanted(call.key, wire.ALONE)
    return Wanted(call.key, wire.CHILDREN, None if query.depth is None else query.depth - 1)


# --- entity tags ------------------------------------------------------------------------------------------------------


def _tag(call: Call, document: Document, media: str) -> str:
    """Make the entity tag of an answer: another for each resource, depth, restriction and media type."""
    digest = hashlib.blake2b(digest_size=12)
    for part in (_wanted(call).written(), call.part, media):
        digest.update(part.encode() + b"\0")
    digest.update(WRITERS[JSON](document))
    return f'"{digest.hexdigest()}"'


def _conditions(request: Request, tags: Collection[str]) -> tuple[bool, bool]:
    """Say whether If-Match is given and matches none of the tags, and whether If-None-Match matches one."""
    wanted, unwanted = (request.headers.getlist(name) for name in ("if-match", "if-none-match"))
    return bool(wanted) and not _matches(wanted, tags), bool(unwanted) and _matches(unwanted, tags)


def _matches(headers: Sequence[str], tags: Collection[str]) -> bool:
    given = {one.strip().removeprefix("W/") for header in headers for one in header.split(",")}
    return "*" in given or not given.isdisjoint(tags)


def _precondition(tags: Sequence[str], own: str | None, condition: str) -> Refused:
    body = {
        "error_code": PRECONDITION,
        "error_description": "Precondition failed",
        "etags": [*tags],
        "condition": condition,
    }
    return Refused(412, body, {} if own is None else {"ETag": own})


def _duplicate(call: Call) -> Refused:
    return Refused(
        409,
        {
            "error_code": CONFLICT,
            "error_description": "A transaction of this id was committed before.",
            "transaction_id": call.query.tid,
        },
    )


# --- looking up -------------------------------------------------------------------------------------------------------


async def _container(session: Session, owner: OwnerRef, key: str) -> SecondLifeCategory | None:
    found = await one(session.containers_by_key, ContainerRef(*owner, key))
    return found if isinstance(found, SecondLifeCategory) else None


async def _item(session: Session, owner: OwnerRef, key: str) -> Thing | None:
    found = await one(session.items_by_key, ItemRef(*owner, key))
    return found if isinstance(found, SecondLifeItem | SecondLifeLink) else None


async def _targets(session: Session, owner: OwnerRef, links: Sequence[SecondLifeLink]) -> dict[str, object]:
    """Give what links point at, by id, as far as it is there; two reads at most."""
    items = [ItemRef(*owner, link.linked_key or "") for link in links if link.target_ref.kind == ITEM]
    folders = [ContainerRef(*owner, link.linked_key or "") for link in links if link.target_ref.kind == CONTAINER]
    found: dict[str, object] = {}
    if items:
        found |= {ref.key: one for ref, one in (await session.items_by_key(list(dict.fromkeys(items)))).items()}
    if folders:
        read = await session.containers_by_key(list(dict.fromkeys(folders)))
        found |= {ref.key: one for ref, one in read.items()}
    for target in found.values():
        if isinstance(target, GatewayError):
            raise target
    return {key: target for key, target in found.items() if target is not None}


# --- writing answers --------------------------------------------------------------------------------------------------


def _things(done: Done) -> list[Thing]:
    return [done.things[key] for key in done.outcome.created_items]


def _grown(done: Done, top: str) -> Branch:
    """Put together what was made in a category, and in those that were made below it."""
    things: dict[str | None, list[Thing]] = {}
    for thing in _things(done):
        things.setdefault(thing.container_key, []).append(thing)
    branches = {top: Branch(category=done.categories[top], items=things.get(top, []), children=[])}
    for key in done.outcome.created_categories:
        if key not in branches:
            branches[key] = Branch(category=done.categories[key], items=things.get(key, []), children=[])
    for key in done.outcome.created_categories:
        above = branches.get(done.categories[key].parent_key or "")
        if above is not None and key != top:
            cast("list[Branch]", above.children).append(branches[key])
    return branches[top]


def _bare(thing: Thing) -> Document:
    return {name: value for name, value in wire.render_thing(thing).items() if not name.startswith("_")}


def _versions(done: Done) -> Document:
    return {"_updated_category_versions": {**done.versions}}


def _created(done: Done) -> Document:
    return {
        "_created_categories": wire.written_ids(done.outcome.created_categories),
        "_created_items": wire.written_ids(done.outcome.created_items),
    }


def _copied(done: Done) -> Document:
    return {
        **_created(done),
        "_top_category_id": wire.written_id(done.outcome.top),
        "_moved_items": wire.written_ids(done.outcome.moved_items),
        "_removed_items": [],
    }


_ITEMS_REMOVED = (
    "_category_items_removed",
    "_broken_links_removed",
    "_attachments_removed",
    "_wearables_removed",
    "_active_gestures_removed",
)
_ALL_REMOVED = ("_categories_removed", *_ITEMS_REMOVED, "_total_items_removed")


def _removed(done: Done, *fields: str) -> Document:
    outcome = done.outcome
    lists = {
        "_categories_removed": outcome.removed_categories,
        "_category_items_removed": outcome.removed_items,
        "_broken_links_removed": outcome.broken_links,
        "_attachments_removed": outcome.attachments,
        "_wearables_removed": outcome.wearables,
        "_active_gestures_removed": outcome.gestures,
    }
    return {name: wire.written_ids(lists[name]) if name in lists else len(outcome.removed_items) for name in fields}


def _told(error: GatewayError) -> tuple[int, Document, Mapping[str, str]]:
    headers = {} if error.retry_after is None else {"Retry-After": str(max(1, round(error.retry_after)))}
    return status_of(error), body_of(error), headers


def _response(request: Request, media: str, status: int, document: Document, headers: Mapping[str, str]) -> Response:
    told = {**headers, "Vary": "Accept, Accept-Encoding", "Cache-Control": "no-store"}
    if status == 304:
        return Response(status_code=304, headers=told)
    body = WRITERS[media](document)
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        body = gzip.compress(body, compresslevel=6, mtime=0)
        told["Content-Encoding"] = "gzip"
    return Response(body, status, told, media_type=media)


def _takes_gzip(header: str) -> bool:
    for entry in header.lower().split(","):
        name, _, quality = entry.partition(";")
        if name.strip() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
