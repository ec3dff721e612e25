"""Our client of the service: what it sends, what it does when that fails, and what it makes of strange answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.model.errors import OutcomeUnknown
from gateway.model.ids import CONTAINER, ITEM, ContainerRef, ItemRef, encode_id
from gateway.providers.secondlife import PROVIDER
from gateway.providers.secondlife.codec import LLSD, parse_llsd, write_llsd
from gateway.settings import ProviderSettings
from tests.gateways import Answer, Asked, copied, mint, running, settings
from tests.providers.secondlife.conftest import (
    AGENT,
    BOOTS,
    CLOTHING,
    CURRENT,
    HATS,
    JEANS,
    LIBRARY_FOLDER,
    NOTHING,
    OLD,
    ROOT,
    SHIRT,
    STRAW_HAT,
    WINTER,
    ZERO,
    item,
)

BASE = "http://dialect.test/rest/secondlife"
OWNER = {"provider": "SECOND_LIFE", "key": AGENT}
Rule = Callable[[httpx.Request], httpx.Response | None]


def llsd(status: int, document: Any, **headers: str) -> httpx.Response:
    content = document if isinstance(document, bytes) else write_llsd(document)
    return httpx.Response(status, content=content, headers={"content-type": LLSD, **headers})


class Service(httpx.AsyncBaseTransport):
    """Our dialect, behind rules that may answer in its place, or lose what it has answered."""

    def __init__(self, dialect: Asked) -> None:
        self._inner = httpx.ASGITransport(app=dialect.gateway.app())
        self.requests: list[httpx.Request] = []
        self.instead: list[Rule] = []
        self.losing = 0
        """How many answers of writes are still to be lost."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        for rule in self.instead:
            found = rule(request)
            if found is not None:
                return found
        response = await self._inner.handle_async_request(request)
        if request.method not in ("GET", "HEAD") and self.losing > 0:
            await response.aread()
            self.losing -= 1
            # As the pool of connections tells it.
            raise OutcomeUnknown("lost")
        return response

    @property
    def sent(self) -> list[str]:
        """The requests, without the capability."""
        return [f"{one.method} {'/' + one.url.path.split('/', 4)[-1]}" for one in self.requests]


class Rig:
    """A gateway in front of the service."""

    def __init__(self, asked: Asked, service: Service, dialect: Asked, capability: str) -> None:
        self.asked = asked
        self.service = service
        self.dialect = dialect
        self.capability = capability
        self.headers = {"X-Credential-secondlife-inventory": capability}

    async def ask(self, query: str, /, **variables: Any) -> Answer:
        self.service.requests.clear()
        return await self.asked.ask(query, headers=self.headers, **variables)

    async def do(self, verb: str, **given: Any) -> Any:
        return (await self.tried(verb, **given)).whole()[verb]

    async def tried(self, verb: str, **given: Any) -> Answer:
        taken = verb[0].upper() + verb[1:] + "Input"
        return await self.ask(
            f"""mutation($input: {taken}!) {{ {verb}(input: $input) {{
              changes {{ createdIds updatedIds movedIds removedIds versions {{ version }}
                ... on SecondLifeChangeSet {{ topCategoryId brokenLinkIds totalItemsRemoved }} }}
              errors {{ code message path retryable }} }} }}""",
            input=given,
        )


@pytest.fixture
async def rig(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Rig]:
    async with AsyncExitStack() as stack:
        url = await copied(PROVIDER, tmp_path_factory, tmp_path)
        dialect = await stack.enter_async_context(running(settings(url)))
        capability = await mint(dialect.gateway, PROVIDER, AGENT)
        service = Service(dialect)
        found = settings("sqlite://", providers={PROVIDER.key: ProviderSettings(backend="upstream", base_url=BASE)})
        asked = await stack.enter_async_context(running(found, pool=service))
        yield Rig(asked, service, dialect, capability)


def folder(key: str, owner: str = AGENT) -> str:
    return encode_id(CONTAINER, ContainerRef(PROVIDER.key, owner, key))


def thing(key: str) -> str:
    return encode_id(ITEM, ItemRef(PROVIDER.key, AGENT, key))


TREE = """query($owner: OwnerInput!, $key: String!, $depth: Int) { inventory(owner: $owner) { container(key: $key) {
  descendants(maxDepth: $depth, first: 250) { totalCount isComplete problems { code containerKey }
    nodes { key items(first: 250) { nodes { key } } } } } } }"""


async def tree(rig: Rig, key: str = "root", depth: int | None = None) -> Any:
    answer = await rig.ask(TREE, owner=OWNER, key=key, depth=depth)
    return answer.whole()["inventory"]["container"]["descendants"]


def too_large(depth: int) -> Rule:
    """Refuse every answer of more than so many levels."""

    def rule(request: httpx.Request) -> httpx.Response | None:
        asked = parse_qs(request.url.query.decode())
        if request.url.path.endswith("/children") and int(asked.get("depth", ["0"])[0]) > depth:
            return llsd(403, {"error_code": 2, "error_description": "too large"})
        return None

    return rule


# --- reads ------------------------------------------------------------------------------------------------------------


async def test_a_tree_is_one_call_where_the_service_gives_it(rig: Rig) -> None:
    await tree(rig)
    found = await tree(rig)
    assert found["isComplete"] is True
    # The root by its name, then all below it; whose capability it is, is known by now.
    assert rig.service.sent == ["GET /category/root", f"GET /category/{ROOT}/children"]
    assert any(node["items"]["nodes"] for node in found["nodes"])


@pytest.mark.parametrize("depth", [0, 1, 2, 7])
async def test_a_tree_that_is_too_large_is_read_in_parts(rig: Rig, depth: int) -> None:
    whole = await tree(rig)
    rig.service.instead.append(too_large(depth))
    parts = await tree(rig)
    assert parts == whole
    for request in rig.service.requests:
        named = parse_qs(request.url.query.decode()).get("children", [""])[0]
        assert len(named.split(",")) <= 20


async def test_siblings_are_read_twenty_at_a_time(rig: Rig) -> None:
    """One call for the folder, one for the names of what lies in it, and one for each twenty of them."""
    for start in (0, 25):
        made = [{"name": f"Folder {start + number}"} for number in range(25)]
        payload = await rig.do("createContents", container=folder(BOOTS), containers=made)
        assert payload["errors"] == []
    query = """query($owner: OwnerInput!, $key: String!) { inventory(owner: $owner) { container(key: $key) {
      containers(first: 50) { nodes { key items { totalCount } containers { totalCount } } } } } }"""
    answer = await rig.ask(query, owner=OWNER, key=BOOTS)
    assert len(answer.whole()["inventory"]["container"]["containers"]["nodes"]) == 50
    children = [one for one in rig.service.requests if "children=" in str(one.url)]
    assert len(children) == 3
    assert len(rig.service.requests) == 5


async def test_a_folder_that_is_too_large_by_itself_is_a_problem_and_spoils_nothing_else(rig: Rig) -> None:
    def rule(request: httpx.Request) -> httpx.Response | None:
        path = str(request.url)
        if "/children" in path and (HATS in path or "depth=0" not in path):
            return llsd(403, {"error_code": 2, "error_description": "too large"})
        return None

    rig.service.instead.append(rule)
    answer = await rig.ask(TREE, owner=OWNER, key="root")
    found = answer.data["inventory"]["container"]["descendants"]
    assert found["isComplete"] is False
    assert answer.codes == ["LIMIT_EXCEEDED"]
    assert [node["key"] for node in found["nodes"] if node["items"] is None] == [HATS]
    assert [(one["code"], one["containerKey"]) for one in found["problems"]] == [("LIMIT_EXCEEDED", HATS)]
    keys = {node["key"] for node in found["nodes"]}
    assert {CLOTHING, HATS, OLD} <= keys
    assert WINTER not in keys


@pytest.mark.parametrize("kind", ["stubs", "nothing", "others", "circle"])
async def test_a_service_that_does_not_tell_what_it_was_asked_ends_in_a_problem(rig: Rig, kind: str) -> None:
    def rule(request: httpx.Request) -> httpx.Response | None:
        if "/children" not in request.url.path:
            return None
        key = request.url.path.split("/")[-2]
        maps: Any = {"items": {}, "links": {}, "categories": {}}
        document = {
            "category_id": UUID(key),
            "agent_id": UUID(AGENT),
            "parent_id": UUID(ROOT),
            "name": "x",
            "version": 1,
        }
        child = {**document, "category_id": UUID(HATS), "parent_id": UUID(key)}
        match kind:
            case "stubs":
                maps["categories"] = {} if key == HATS else {HATS: child}
                return llsd(200, document if key == HATS else {**document, "_embedded": maps})
            case "nothing":
                return llsd(200, document)
            case "others":
                return llsd(200, {**document, "category_id": UUID(NOTHING), "_embedded": maps})
            case _:
                maps["categories"] = {key: {**child, "category_id": UUID(key)}, HATS: child}
                return llsd(200, {**document, "_embedded": maps})

    rig.service.instead.append(rule)
    answer = await rig.ask(TREE, owner=OWNER, key="root")
    assert len(rig.service.requests) < 20
    found = answer.data["inventory"]["container"]["descendants"]
    if kind == "others":
        assert found is None
        assert answer.codes == ["UPSTREAM_INVALID"]
    elif kind == "stubs":
        assert found["isComplete"] is False


async def test_no_more_levels_are_told_than_were_asked_for(rig: Rig) -> None:
    found = await tree(rig, "clothing", 1)
    assert {node["key"] for node in found["nodes"]} == {HATS, BOOTS}
    assert any("depth=0" in str(request.url) for request in rig.service.requests)
    rig.service.instead.append(
        lambda request: (
            llsd(200, parse_llsd(whole.content)) if request.url.path.endswith(f"{CLOTHING}/children") else None
        )
    )
    whole = await rig.dialect.client.get(f"/rest/secondlife/{rig.capability}/category/{CLOTHING}/children?depth=9")
    found = await tree(rig, "clothing", 1)
    assert {node["key"] for node in found["nodes"]} == {HATS, BOOTS}


async def test_orphans_that_cannot_be_read_are_a_problem(rig: Rig) -> None:
    query = """query($owner: OwnerInput!) { inventory(owner: $owner) {
      items(first: 250) { totalCount isComplete nodes { key } } } }"""
    whole = (await rig.ask(query, owner=OWNER)).whole()["inventory"]["items"]
    assert item(99) in {node["key"] for node in whole["nodes"]}
    for status, complete in ((404, True), (405, True), (403, False), (500, False)):
        rig.service.instead[:] = [
            lambda request, status=status: (
                llsd(status, {"error_code": 4, "error_description": "no", "category_id": UUID(NOTHING)})
                if request.url.path.endswith("/orphans")
                else None
            )
        ]
        found = (await rig.ask(query, owner=OWNER)).whole()["inventory"]["items"]
        assert len(found["nodes"]) == len(whole["nodes"]) - 1
        assert found["isComplete"] is complete


@pytest.mark.parametrize(
    "answer",
    [
        llsd(200, b"<llsd"),
        llsd(200, b""),
        llsd(200, []),
        llsd(200, {"category_id": "x"}),
        llsd(200, b"<!DOCTYPE x><llsd><map/></llsd>"),
        llsd(204, b""),
        llsd(302, b"", location="http://elsewhere.test"),
        llsd(418, {}),
        llsd(200, {"category_id": UUID(HATS), "version": 1 << 40}),
        llsd(
            200,
            {
                "category_id": UUID(HATS),
                "_embedded": {"items": [{"item_id": UUID(JEANS), "created_at": "0001-01-01T00:00:00+14:00"}]},
            },
        ),
    ],
)
async def test_an_answer_that_is_no_answer_is_told_as_such(rig: Rig, answer: httpx.Response) -> None:
    rig.service.instead.append(lambda request: answer if HATS in request.url.path else None)
    query = "query($id: ID!) { node(id: $id) { ... on Container { containers { nodes { key } } } } }"
    found = await rig.ask(query, id=folder(HATS))
    assert found.data["node"] is None or found.data["node"]["containers"] is None
    assert found.codes[0] == "UPSTREAM_INVALID"


# --- whose ------------------------------------------------------------------------------------------------------------

ME = 'query { inventory(owner: { provider: SECOND_LIFE, key: "me" }) { owner { key } } }'


@pytest.mark.parametrize(
    "capability",
    [
        "https://evil.test/cap/x",
        "https://agni.secondlife.io.evil.test/cap/x",
        "http://simhost-1.agni.secondlife.io:12043/cap/x",
        "https://user@simhost-1.agni.secondlife.io/cap/x",
        "https://simhost-1.agni.secondlife.io/cap/x?y",
        "https://simhost-1.agni.secondlife.io/cap/x?",
        "https://simhost-1.agni.secondlife.io/../x",
        "https://simhost-1.agni.secondlife.io/cap/x#y",
        "https://evil.test\\@agni.secondlife.io/x",
        "https://simhost-1.agni.secondlife.io:99999/cap",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "ftp://agni.secondlife.io/x",
        f"{BASE}.evil.test/x",
        "../../x",
        "a b",
    ],
)
async def test_a_capability_elsewhere_is_never_called(rig: Rig, capability: str) -> None:
    rig.headers = {"X-Credential-secondlife-inventory": capability}
    with capture_logs() as logs:
        answer = await rig.ask(ME)
    assert answer.codes == ["UNAUTHENTICATED"]
    assert rig.service.requests == []
    assert capability not in str(answer.body) + str(logs)


async def test_an_address_of_the_service_is_called_as_it_is(rig: Rig) -> None:
    cap = "https://simhost-0a.agni.secondlife.io:12043/cap/11111111-2222-4333-8444-555555555555"
    rig.service.instead.append(
        lambda request: llsd(200, {"category_id": UUID(ROOT), "agent_id": UUID(AGENT), "name": "x", "type_default": 8})
    )
    rig.headers = {"X-Credential-secondlife-inventory": cap}
    assert (await rig.ask(ME)).whole() == {"inventory": {"owner": {"key": AGENT}}}
    assert str(rig.service.requests[0].url) == f"{cap}/category/root"
    rig.headers = {"X-Credential-secondlife-inventory": f"{BASE}/{rig.capability}"}
    assert (await rig.ask(ME)).whole() == {"inventory": {"owner": {"key": AGENT}}}


async def test_a_capability_that_ends_is_told_from_a_folder_that_is_gone(rig: Rig) -> None:
    query = "query($id: ID!) { node(id: $id) { id } }"
    assert (await rig.ask(query, id=folder(HATS))).whole()["node"]
    assert (await rig.ask(query, id=folder(NOTHING))).whole() == {"node": None}
    rig.service.instead.append(lambda request: httpx.Response(404, text="cap not found"))
    assert (await rig.ask(query, id=folder(HATS))).codes == ["UNAUTHENTICATED"]
    payload = await rig.do("deleteItems", ids=[thing(STRAW_HAT)])
    assert [error["code"] for error in payload["errors"]] == ["UNAUTHENTICATED"]


async def test_a_seed_is_exchanged_and_exchanged_again_when_what_it_gave_is_no_more(rig: Rig) -> None:
    seed = await mint(rig.dialect.gateway, PROVIDER, AGENT, part="seed")
    rig.headers = {"X-Credential-secondlife-seed": f"{BASE}/seed/{seed}"}
    assert (await rig.ask(ME)).whole() == {"inventory": {"owner": {"key": AGENT}}}
    assert rig.service.requests[0].method == "POST"
    library = await rig.ask(TREE, owner={"provider": "SECOND_LIFE", "key": "library"}, key="root")
    assert library.whole()["inventory"]["container"]["descendants"]["totalCount"] == 3
    query = "query($id: ID!) { node(id: $id) { id } }"
    assert (await rig.ask(query, id=folder(HATS))).whole()["node"]
    old = rig.service.requests[0].url.path.split("/")[3]
    rig.service.instead.append(lambda request: httpx.Response(404) if old in request.url.path else None)
    assert (await rig.ask(query, id=folder(HATS))).whole()["node"]
    assert "POST" in [request.method for request in rig.service.requests]


async def test_a_seed_that_is_not_answered_is_no_write(rig: Rig) -> None:
    rig.headers = {"X-Credential-secondlife-seed": f"{BASE}/seed/x"}
    rig.service.instead.append(lambda request: httpx.Response(502))
    answer = await rig.ask(ME)
    assert answer.codes == ["UPSTREAM_UNAVAILABLE"]
    assert len(rig.service.requests) == 3


# --- writes -----------------------------------------------------------------------------------------------------------


def tids(rig: Rig, method: str) -> list[str]:
    found = [str(one.url.query, "ascii") for one in rig.service.requests if one.method == method]
    return [query.removeprefix("tid=")[:36] for query in found]


async def test_every_write_has_a_transaction_id_that_its_repeats_keep(rig: Rig) -> None:
    rig.service.losing = 1
    payload = await rig.do("createContents", container=folder(HATS), containers=[{"name": "Once"}])
    assert payload["errors"] == []
    first, second = tids(rig, "POST")
    assert first == second
    (made,) = payload["changes"]["createdIds"]
    found = await rig.ask("query($id: ID!) { node(id: $id) { ... on Container { name } } }", id=made)
    assert found.whole() == {"node": {"name": "Once"}}
    await rig.do("createContents", container=folder(HATS), containers=[{"name": "Twice"}])
    (other,) = tids(rig, "POST")
    assert UUID(other) != UUID(first)


@pytest.mark.parametrize("losing", [1, 2])
async def test_what_was_done_and_not_answered_is_read_back(rig: Rig, losing: int) -> None:
    """A repeat's 409 says that it was done: what came of it is looked up."""
    cases: list[tuple[str, dict[str, Any], Callable[[Any], bool]]] = [
        (
            "createContents",
            {
                "container": folder(HATS),
                "links": [{"name": "A link", "target": thing(JEANS)}],
                "containers": [{"name": "N"}],
            },
            lambda changes: len(changes["createdIds"]) == 2,
        ),
        (
            "updateItems",
            {"items": [{"id": thing(JEANS), "name": "Trousers"}]},
            lambda c: c["updatedIds"] == [thing(JEANS)],
        ),
        (
            "updateContainers",
            {"containers": [{"id": folder(WINTER), "name": "Cold"}]},
            lambda changes: changes["updatedIds"] == [folder(WINTER)],
        ),
        (
            "replaceContents",
            {"container": folder(CURRENT), "what": "LINKS", "links": [{"name": "S", "target": thing(SHIRT)}]},
            lambda changes: len(changes["createdIds"]) == 1,
        ),
        ("copyContainers", {"ids": [folder(WINTER)], "to": folder(BOOTS)}, lambda c: len(c["createdIds"]) == 1),
        ("ensureSpecialContainer", {"owner": OWNER, "key": "inbox"}, lambda changes: bool(changes["topCategoryId"])),
        ("clearContainer", {"container": folder(OLD), "what": "ALL"}, lambda changes: changes["createdIds"] == []),
        ("deleteItems", {"ids": [thing(SHIRT)]}, lambda changes: changes["removedIds"] == [thing(SHIRT)]),
        ("deleteContainers", {"ids": [folder(OLD)]}, lambda changes: folder(OLD) in changes["removedIds"]),
    ]
    for verb, given, holds in cases:
        rig.service.losing = losing
        payload = await rig.do(verb, **given)
        assert payload["errors"] == [], verb
        assert holds(payload["changes"]), (verb, payload["changes"])


async def test_a_write_that_is_lost_for_good_is_not_known(rig: Rig) -> None:
    rig.service.losing = 10
    answer = await rig.tried("updateItems", items=[{"id": thing(JEANS), "name": "Trousers"}])
    assert answer.codes == ["OUTCOME_UNKNOWN"]
    assert answer.data == {"updateItems": None}


async def test_of_a_list_what_was_done_stands_and_the_rest_is_told_entry_by_entry(rig: Rig) -> None:
    def rule(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(504) if request.method == "DELETE" and SHIRT in request.url.path else None

    rig.service.instead.append(rule)
    payload = await rig.do("deleteItems", ids=[thing(key) for key in (JEANS, SHIRT, STRAW_HAT)])
    assert thing(JEANS) in payload["changes"]["removedIds"]
    assert [(error["path"], error["retryable"]) for error in payload["errors"]] == [
        (["ids", "1"], False),
        (["ids", "2"], False),
    ]
    rig.service.instead.clear()
    mixed = await rig.do("deleteItems", ids=[thing(NOTHING), thing(STRAW_HAT)])
    assert [(error["code"], error["path"]) for error in mixed["errors"]] == [("GONE", ["ids", "0"])]
    assert thing(STRAW_HAT) in mixed["changes"]["removedIds"]


async def test_what_went_with_what_was_removed_before_it_is_removed(rig: Rig) -> None:
    payload = await rig.do("deleteContainers", ids=[folder(HATS), folder(WINTER)])
    assert payload["errors"] == []
    assert [request.method for request in rig.service.requests if request.method == "DELETE"] == ["DELETE"]


async def test_a_delete_that_was_turned_away_first_is_not_taken_for_done(rig: Rig) -> None:
    turned = [llsd(503, {}, **{"retry-after": "0"})]
    rig.service.instead.append(lambda request: turned.pop() if request.method == "DELETE" and turned else None)
    payload = await rig.do("deleteItems", ids=[thing(NOTHING)])
    assert [error["code"] for error in payload["errors"]] == ["GONE"]


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_any_success_without_a_word_is_success(rig: Rig, status: int) -> None:
    rig.service.instead.append(lambda request: httpx.Response(status) if request.method == "DELETE" else None)
    payload = await rig.do("deleteItems", ids=[thing(JEANS)])
    assert payload["errors"] == []


async def test_an_update_result_that_says_no_is_a_refusal(rig: Rig) -> None:
    document = {"_update_result": {"success": False, "code": 5, "message": "no"}}
    rig.service.instead.append(lambda request: llsd(200, document) if request.method == "DELETE" else None)
    payload = await rig.do("deleteItems", ids=[thing(JEANS)])
    assert [error["code"] for error in payload["errors"]] == ["CONFLICT"]


async def test_an_answer_about_something_else_is_not_believed(rig: Rig) -> None:
    ids = {"category_id": UUID(BOOTS), "agent_id": UUID(AGENT), "parent_id": UUID(ROOT)}
    document = {**ids, "name": "x", "version": 1}
    rig.service.instead.append(lambda request: llsd(200, document) if request.method == "PATCH" else None)
    answer = await rig.tried("updateContainers", containers=[{"id": folder(HATS), "name": "Caps"}])
    assert answer.codes == ["UPSTREAM_INVALID"]


async def test_the_services_own_words_are_shown_unless_they_could_hold_an_address(rig: Rig) -> None:
    for words, shown in (
        ("Name is too long", True),
        (f"bad https://sim.agni.secondlife.io/cap/{rig.capability}", False),
        ("x" * 5_000, False),
    ):
        rig.service.instead[:] = [
            lambda request, words=words: (
                llsd(400, {"error_code": 0, "error_description": words}) if request.method == "PATCH" else None
            )
        ]
        payload = await rig.do("updateItems", items=[{"id": thing(JEANS), "name": "x"}])
        (error,) = payload["errors"]
        assert error["code"] == "INVALID_INPUT"
        assert (error["message"] == words) is shown
        assert rig.capability not in error["message"]


@pytest.mark.parametrize(
    ("verb", "given", "path"),
    [
        (
            "createContents",
            {"container": folder(HATS), "items": [{"name": "x", "details": {"secondLife": {"assetType": "notecard"}}}]},
            ["items"],
        ),
        (
            "updateContainers",
            {"containers": [{"id": folder(HATS), "parent": folder(BOOTS)}]},
            ["containers", "0", "parent"],
        ),
        ("replaceContents", {"container": folder(HATS), "what": "ALL"}, ["what"]),
        (
            "replaceContents",
            {"container": folder(HATS), "what": "LINKS", "containers": [{"name": "x"}]},
            ["containers"],
        ),
    ],
)
async def test_what_the_service_does_not_do_is_refused_before_anything_is_sent(
    rig: Rig, verb: str, given: Any, path: list[str]
) -> None:
    payload = await rig.do(verb, **given)
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("UNSUPPORTED", path)]
    assert [request.method for request in rig.service.requests if request.method != "GET"] == []


@pytest.mark.parametrize(
    "key", ["../category/x", f"../category/{BOOTS}", "x/../y", "trash", "é", "a?b=c", HATS.replace("1", "A")]
)
async def test_a_key_never_leads_out_of_its_path(rig: Rig, key: str) -> None:
    calls: list[tuple[str, Any]] = [
        ("deleteItems", {"ids": [thing(key)]}),
        ("updateItems", {"items": [{"id": thing(key), "name": "x"}]}),
        ("deleteContainers", {"ids": [folder(key)]}),
        ("updateContainers", {"containers": [{"id": folder(key), "name": "x"}]}),
        ("createContents", {"container": folder(key), "containers": [{"name": "x"}]}),
        ("createContents", {"container": folder(HATS), "links": [{"name": "x", "target": thing(key)}]}),
        ("copyContainers", {"ids": [folder(WINTER)], "to": folder(key)}),
        ("clearContainer", {"container": folder(key), "what": "ALL"}),
    ]
    for verb, given in calls:
        payload = await rig.do(verb, **given)
        assert [error["code"] for error in payload["errors"]] == ["INVALID_INPUT"], verb
        assert rig.service.requests == []
    for name in ("../../other", "current/links", "trash?tid=x", "", "é\n"):
        payload = await rig.do("ensureSpecialContainer", owner=OWNER, key=name)
        assert [(error["code"], error["path"]) for error in payload["errors"]] == [("INVALID_INPUT", ["key"])]
        assert rig.service.requests == []


async def test_a_copy_from_the_library_goes_to_the_librarys_capability(rig: Rig) -> None:
    library = await mint(rig.dialect.gateway, PROVIDER, AGENT, part="library")
    rig.headers["X-Credential-secondlife-library"] = library
    payload = await rig.do("copyContainers", ids=[folder(LIBRARY_FOLDER, "library")], to=folder(BOOTS), depth=0)
    assert payload["errors"] == []
    assert len(payload["changes"]["createdIds"]) == 4
    (request,) = [one for one in rig.service.requests if one.method == "COPY"]
    assert library in str(request.url)
    assert str(request.url.query, "ascii").endswith(",depth=0")
    assert request.headers["destination"] == BOOTS


async def test_sessions_at_once_share_nothing(rig: Rig) -> None:
    """Two callers, one of whom has no right to what the other reads."""
    good, bad = dict(rig.headers), {"X-Credential-secondlife-inventory": ZERO}
    query = "query($id: ID!) { node(id: $id) { id } }"
    answers = await asyncio.gather(
        *(rig.asked.ask(query, headers=headers, id=folder(HATS)) for headers in (good, bad) * 10)
    )
    assert [bool(answer.data["node"]) for answer in answers] == [True, False] * 10
