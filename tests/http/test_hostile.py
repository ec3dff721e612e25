"""Hostile input at every door, the dialects' among them: each ends in a 4xx, nothing of it is logged as a fault."""

from __future__ import annotations

import gzip
import shutil
import unicodedata
import zlib
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from gateway.registry import PROVIDERS
from gateway.settings import ServerSettings
from gateway.store.store import Store
from tests.conformance.worlds import WORLDS
from tests.gateways import Asked, mint, running, seed, settings

TIMEOUT = 20.0
FOLDER, ITEM = "11111111-0000-4000-8000-000000000005", "22222222-0000-4000-8000-000000000002"
JSON = {"content-type": "application/json", "accept": "application/json"}


@dataclass
class Doors:
    """A gateway with the samples of every provider, and a credential of each kind of their owners."""

    asked: Asked
    secrets: Mapping[str, str]

    @property
    def inventory(self) -> str:
        return f"/rest/secondlife/{self.secrets['secondlife/inventory']}"

    @property
    def session(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secrets['community/session']}"}

    @property
    def cookie(self) -> dict[str, str]:
        return {"cookie": f".ROBLOSECURITY={self.secrets['roblox/cookie']}"}

    @property
    def key(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secrets['guildwars2/key']}"}

    def bodies(self) -> dict[str, tuple[str, str, dict[str, str]]]:
        """Give the doors that take a body."""
        nova = "/rest/community/v1/community/nova/inventory"
        return {
            "graph": ("POST", "/graphql", {}),
            "allocate": ("POST", f"{nova}/slots/allocate", self.session),
            "mint": ("POST", f"{nova}/avatar/mint", self.session),
            "refresh": ("POST", "/rest/community/v1/user/auth/refresh-session", {}),
            "create": ("POST", f"{self.inventory}/category/root", {}),
            "replace": ("PUT", f"{self.inventory}/category/clothing/links", {}),
            "category": ("PATCH", f"{self.inventory}/category/{FOLDER}", {}),
            "item": ("PATCH", f"{self.inventory}/item/{ITEM}", {}),
            "seed": ("POST", f"/rest/secondlife/seed/{self.secrets['secondlife/seed']}", {}),
            "introspect": ("POST", "/rest/roblox/api-keys/v1/introspect", {}),
        }

    async def send(self, method: str, path: str, **given: Any) -> httpx.Response:
        return await self.asked.client.request(method, path, **given)

    async def serves(self) -> bool:
        return (await self.asked.ask("{ __typename }")).data == {"__typename": "Query"}


_KEPT: dict[str, Any] = {}
"""The store with all the samples and the secrets of its credentials, made on first use."""


@pytest.fixture
async def doors(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Doors]:
    if not _KEPT:
        file = tmp_path_factory.mktemp("hostile") / "store.db"
        store = await Store.open(f"sqlite:///{file}")
        await store.migrate()
        await store.aclose()
        secrets: dict[str, str] = {}
        async with running(settings(f"sqlite:///{file}")) as asked:
            for key, provider in PROVIDERS.items():
                await seed(asked.gateway, provider)
                for part in provider.manifest.credential_parts:
                    made = await mint(asked.gateway, provider, WORLDS[key].owner, part=part.key)
                    secrets[f"{key}/{part.key}"] = made
        _KEPT.update(file=file, secrets=secrets)
    url = f"sqlite:///{shutil.copy(_KEPT['file'], tmp_path)}"
    server = ServerSettings(rest_rate_limit=False, timeout=TIMEOUT)
    with capture_logs() as logged:
        async with running(settings(url, server=server)) as asked:
            yield Doors(asked, _KEPT["secrets"])
    # What a stranger sends is no fault of ours.
    assert [entry for entry in logged if entry["log_level"] in ("error", "critical")] == []


BODIES = {
    "nothing": b"",
    "null": b"null",
    "string": b'"text"',
    "number": b"5",
    "brackets": b"[" * 100_000,
    "objects": b'{"a":' * 50_000,
    "digits": b"9" * 5_000,
    "digits-within": b'{"query":' + b"9" * 5_000 + b',"folderId":' + b"9" * 5_000 + b"}",
    "exponent": b'{"query":1e400,"type":1e400}',
    "nan": b'{"query":NaN,"type":Infinity}',
    "not-utf-8": b'{"query":"\xff\xfe"}',
    "surrogate": b'{"query":"\\ud800","name":"\\ud800","refreshToken":"\\ud800"}',
    "nul": b'{"query":"\\u0000","name":"\\u0000","refreshToken":"\\u0000"}',
    "utf-16": '{"query":"{__typename}"}'.encode("utf-16"),
    "cut": b'{"query":"{ __typename',
    "twice": b'{"query":null,"query":5,"type":[],"type":{}}',
    "list": b"[1,[2,[3,null]]]",
    "xml-bomb": b'<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><llsd><string>&b;</string></llsd>',
    "xml-file": b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><llsd><string>&a;</string></llsd>',
    "xml-deep": b"<llsd>" + b"<array>" * 60_000,
    "large": b" " * 3_000_000,
}
TYPES = ["application/json", "application/llsd+xml", "text/plain", "application/x-www-form-urlencoded", ""]


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_is_no_good_is_refused_at_every_door(doors: Doors, name: str) -> None:
    for door, (method, path, headers) in doors.bodies().items():
        for content_type in TYPES if len(BODIES[name]) < 10_000 else TYPES[:2]:
            given = {**headers, "content-type": content_type, "accept": "application/json"}
            response = await doors.send(method, path, content=BODIES[name], headers=given)
            # Some bodies are good where none is needed, or an empty one changes nothing.
            assert response.status_code < 500, (door, content_type, response.text[:200])
            if name not in ("nothing", "twice", "null", "list", "nul", "surrogate", "exponent"):
                assert response.status_code >= 400, (door, content_type, response.text[:200])
            assert "Traceback" not in response.text
            assert "root:" not in response.text
    assert await doors.serves()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"])
async def test_a_bomb_is_not_opened_at_any_door(doors: Doors, encoding: str) -> None:
    plain = b'{"query":"{ __typename }"}'.ljust(30_000_000)
    packed = {"gzip": gzip.compress(plain, 1), "deflate": zlib.compress(plain, 1)}.get(encoding, b"packed")
    for door, (method, path, headers) in doors.bodies().items():
        given = {**headers, **JSON, "content-encoding": encoding}
        response = await doors.send(method, path, content=packed, headers=given)
        assert 400 <= response.status_code < 500, (door, response.status_code, response.text[:200])
    assert await doors.serves()


PAYLOADS = [
    "..", "../..", "%2e%2e", "%2e%2e%2f", "%2F", "a%2Fb", "//", "%00", "a%00b", ";x", "%0d%0aSet-Cookie:%20a=b", "%0a",
    "%ff", "%c0%af", "%ed%a0%80", "%D9%A3", "-1", "0", "99999999999999999999", "9" * 5_000, "1e9", "NaN", "null", "[]",
    "%7B%7D", "'", "%22", "%25", "%2525", "x" * 3_000, "*", "me", "~", "%E2%80%AE", "a,b,,c", ",", "1,1", "<script>",
]  # fmt: skip
PLACES = [
    ("key", "/rest/guildwars2/v2/items/@"),
    ("key", "/rest/guildwars2/v2/characters/@/inventory"),
    ("key", "/rest/guildwars2/v2/items?ids=@"),
    ("key", "/rest/guildwars2/v2/items?page=@&page_size=@"),
    ("key", "/rest/guildwars2/v2/account?v=@"),
    ("", "/rest/guildwars2/v2/account?access_token=@"),
    ("session", "/rest/community/v1/community/@/inventory"),
    ("session", "/rest/community/v1/community/nova/inventory/items/@"),
    ("session", "/rest/community/v1/community/nova/inventory/slots/@/items"),
    ("session", "/rest/community/v1/community/nova/inventory/items?userId=@&page=@&limit=@"),
    ("", "/rest/secondlife/@/category/root"),
    ("", "/rest/secondlife/INVENTORY/category/@"),
    ("", "/rest/secondlife/INVENTORY/item/@"),
    ("", "/rest/secondlife/INVENTORY/category/root/children?children=@&depth=@"),
    ("cookie", "/rest/roblox/v1/users/@"),
    ("cookie", "/rest/roblox/v1/users/42/items/@/@"),
    ("cookie", "/rest/roblox/v1/users/42/assets/collectibles?cursor=@&limit=@&sortOrder=@"),
    ("cookie", "/rest/roblox/v2/users/42/inventory?assetTypes=@"),
    ("apikey", "/rest/roblox/cloud/v2/users/42/inventory-items?pageToken=@&filter=@&maxPageSize=@"),
    ("", "/rest/@/x"),
    ("", "/@"),
]


@pytest.mark.parametrize(("who", "place"), PLACES)
async def test_no_address_breaks_a_dialect_or_writes_a_header(doors: Doors, who: str, place: str) -> None:
    headers = {
        "": {},
        "key": doors.key,
        "session": doors.session,
        "cookie": doors.cookie,
        "apikey": {"x-api-key": doors.secrets["roblox/key"]},
    }[who]
    for payload in PAYLOADS:
        address = place.replace("/rest/secondlife/INVENTORY", doors.inventory).replace("@", payload)
        response = await doors.send("GET", address, headers=headers)
        assert response.status_code < 500, (payload, response.text[:200])
        assert not {"a=b"} & {value.strip() for value in response.headers.values()}
        assert "\n" not in "".join(response.headers.values())
        assert "set-cookie" not in {name for name in response.headers if who != "cookie"}


@pytest.mark.parametrize("verb", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    "destination",
    ["http://[", "http://[x]/category/root", "://", "http://", "//x", "\\\\x", "category/../root", "[", "%"],
)
async def test_a_destination_that_is_no_address_is_refused(doors: Doors, verb: str, destination: str) -> None:
    for thing in (f"item/{ITEM}", f"category/{FOLDER}", f"category/{FOLDER}/children"):
        response = await doors.send(verb, f"{doors.inventory}/{thing}", headers={"destination": destination})
        assert 400 <= response.status_code < 500, response.text


async def test_digits_of_other_alphabets_are_no_numbers(doors: Doors) -> None:
    body = orjson.dumps({"flags": "\u0663"})
    response = await doors.send("PATCH", f"{doors.inventory}/item/{ITEM}?simulate=1", content=body, headers=JSON)
    assert response.status_code == 400


async def test_what_takes_long_to_compare_is_not_compared(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    longest: list[int] = []
    normalize = unicodedata.normalize

    def noted(form: Any, text: str) -> str:
        longest.append(len(text))
        return normalize(form, text)

    monkeypatch.setattr(unicodedata, "normalize", noted)
    owner = WORLDS["guildwars2"].owner
    limited = await mint(doors.asked.gateway, PROVIDERS["guildwars2"], owner, limits=("/v2/characters/Any",))
    address = "/rest/guildwars2/v2/characters/a" + "%CC%81%CC%A3" * 2_500
    response = await doors.send("GET", address, headers={"authorization": f"Bearer {limited}"})
    assert response.status_code == 403
    # It takes time by the square of the length: 0.1 s for the longest that may come.
    assert max(longest) <= 1_000


# --- credentials in the wrong place -----------------------------------------------------------------------------------


def presented(secret: str, doors: Doors) -> dict[str, tuple[str, dict[str, str]]]:
    """Give, by provider, a request that shows a secret in the place of each of its credentials."""
    return {
        "guildwars2/key": ("/rest/guildwars2/v2/account", {"authorization": f"Bearer {secret}"}),
        "community/session": (
            "/rest/community/v1/community/nova/inventory",
            {"authorization": f"Bearer {secret}"},
        ),
        "secondlife/inventory": (f"/rest/secondlife/{secret.rsplit('/', 1)[-1]}/category/root", {}),
        "roblox/cookie": ("/rest/roblox/v1/users/authenticated", {"cookie": f".ROBLOSECURITY={secret}"}),
        "roblox/key": ("/rest/roblox/cloud/v2/users/42/inventory-items", {"x-api-key": secret}),
        "roblox/token": ("/rest/roblox/cloud/v2/users/42/inventory-items", {"authorization": f"Bearer {secret}"}),
    }


ALIKE = {("secondlife/library", "secondlife/inventory")}
"""What may be shown in the place of another: a capability of the library answers, for the library alone."""


async def test_a_credential_is_good_for_its_own_place_alone(doors: Doors) -> None:
    for kind, secret in doors.secrets.items():
        for place, (address, headers) in presented(secret, doors).items():
            response = await doors.send("GET", address, headers=headers)
            if kind == place:
                assert response.status_code == 200, (kind, place, response.text)
            elif (kind, place) not in ALIKE:
                assert 400 <= response.status_code < 500, (kind, place)
            if response.status_code >= 400:
                assert secret not in response.text


@pytest.mark.parametrize("wrong", ["a\tb", "\u00e9".encode().decode("latin-1"), " ", "x" * 9_000, "Bearer Bearer x"])
async def test_a_malformed_credential_is_refused_by_every_dialect(doors: Doors, wrong: str) -> None:
    for place, (address, headers) in presented("x", doors).items():
        for name in headers:
            raw = [(name.encode(), headers[name].encode().replace(b"x", wrong.encode("latin-1")))]
            response = await doors.send("GET", address, headers=raw)
            assert 400 <= response.status_code < 500, (place, response.text)


async def test_ids_of_others_are_not_there(doors: Doors) -> None:
    world, provider = WORLDS["secondlife"], PROVIDERS["secondlife"]
    await seed(doors.asked.gateway, provider, world.other_documents)
    theirs = await mint(doors.asked.gateway, provider, world.other_owner)
    mine, other_root = doors.inventory, f"/rest/secondlife/{theirs}"
    root = str(world.other_documents["category_id"])
    assert (await doors.send("GET", f"{other_root}/category/{root}")).status_code == 200
    before = (await doors.send("GET", f"{other_root}/category/root/children?depth=5")).content
    for method, path, headers in (
        ("GET", f"{mine}/category/{root}", {}),
        ("DELETE", f"{mine}/category/{root}", {}),
        ("DELETE", f"{mine}/category/{root}/children", {}),
        ("PATCH", f"{mine}/category/{root}", JSON),
        ("POST", f"{mine}/category/{root}", JSON),
        ("COPY", f"{mine}/category/{root}", {"destination": "root"}),
        ("MOVE", f"{mine}/category/{FOLDER}", {"destination": root}),
        ("COPY", f"{mine}/item/{ITEM}", {"destination": root}),
    ):
        content = orjson.dumps({"name": "Mine"}) if headers is JSON else None
        response = await doors.send(method, path, headers=headers, content=content)
        assert 400 <= response.status_code < 500, (method, path, response.text)
    assert (await doors.send("GET", f"{other_root}/category/root/children?depth=5")).content == before


# --- the graph --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["zz", "", 1.5, True, 10**20, {"a": 1}, [1], "\u0663", "9" * 5_000, None], ids=lambda value: str(value)[:9]
)
async def test_what_is_no_big_int_is_the_callers_fault(doors: Doors, value: Any) -> None:
    query = """mutation($x: BigInt!) {
      updateItems(input: { items: [{ id: "x", details: { secondLife: { flags: $x } } }] }) { errors { code } } }"""
    answer = await doors.asked.ask(query, x=value)
    assert answer.codes == ["INVALID_INPUT"]


NINES = "9" * 5_000


@pytest.mark.parametrize(
    "query",
    [
        "{ searchItems(owners: [], first: %s) { nodes { id } } }",
        "{ searchItems(owners: [], first: -%s) { nodes { id } } }",
        "query($n: Int = %s) { searchItems(owners: [], first: $n) { nodes { id } } }",
        "{ searchItems(owners: [], filter: { minQuantity: %s }) { nodes { id } } }",
        "{ searchItems(owners: [%s]) { nodes { id } } }",
        "{ __typename @include(if: %s) }",
        "query @skip(if: %s) { __typename }",
        "{ ... @stream(initialCount: %s) { __typename } }",
    ],
)
async def test_a_number_of_thousands_of_digits_is_the_callers_fault(doors: Doors, query: str) -> None:
    answer = await doors.asked.ask(query % NINES)
    assert {*answer.codes} == {"INVALID_INPUT"}
    assert "4300" not in str(answer.body)
    assert "set_int_max" not in str(answer.body)


@pytest.mark.parametrize("provider", ["nope", "", "guildwars2\u0000", "GUILD_WARS_2"])
async def test_an_id_of_no_provider_is_the_callers_fault(doors: Doors, provider: str) -> None:
    node_id = urlsafe_b64encode(orjson.dumps(["item", provider, "x", "y"])).rstrip(b"=").decode()
    conditions = {"container": node_id, "version": "1"}
    for query, given in (
        ("mutation($i: DeleteItemsInput!) { deleteItems(input: $i) { errors { code } } }", {"ids": [node_id]}),
        (
            "mutation($i: EnsureSpecialContainerInput!) { ensureSpecialContainer(input: $i) { errors { code } } }",
            {"owner": {"provider": "SECOND_LIFE", "key": "me"}, "key": "shape", "ifMatch": [conditions]},
        ),
    ):
        answer = await doors.asked.ask(query, i=given)
        found: dict[str, Any] = answer.data or {}
        payloads: list[Any] = [one for one in found.values() if one]
        told = {*answer.codes, *(error["code"] for one in payloads for error in one["errors"])}
        assert told
        assert "INTERNAL" not in told
