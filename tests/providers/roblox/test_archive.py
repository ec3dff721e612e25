"""Import and export: what was told comes back, and nothing is lost, whichever document came first."""

from __future__ import annotations

from importlib import resources
from itertools import permutations
from typing import Any

import orjson
import pytest

from gateway.model.errors import InvalidInput
from gateway.model.ids import OwnerRef
from gateway.providers.roblox import PROVIDER, archive
from gateway.store.store import Store
from tests.gateways import Asked, local
from tests.providers.roblox.conftest import Dialects

DEMO: dict[str, Any] = orjson.loads((resources.files(PROVIDER.demo) / "demo.json").read_bytes())
OF_MIRA = {path: document for path, document in DEMO.items() if "/42" in path}
CLOUD, COLLECTIBLES = "/cloud/v2/users/42/inventory-items", "/v1/users/42/assets/collectibles"


async def exported(asked: Asked, owner: str = "42") -> dict[str, Any]:
    store: Store = asked.gateway.store
    owned = await store.owned(OwnerRef("roblox", owner))
    assert owned is not None
    return dict(archive.render_export(owned))


async def test_an_export_is_read_back_as_it_was(dialects: Dialects) -> None:
    first = await exported(dialects.asked)
    assert {*first} >= {*OF_MIRA} - {"/v1/users/42/items/Bundle/12"}
    ours = {item["path"]: item for item in first[CLOUD]["inventoryItems"]}
    told = {next(iter(item.values()))["instanceId"] for item in DEMO[CLOUD]["inventoryItems"] if "assetDetails" in item}
    assert {item["assetDetails"]["instanceId"] for item in ours.values() if "assetDetails" in item} == told
    async with local(PROVIDER, "sqlite://", documents=first) as asked:
        assert await exported(asked) == first
        await asked.gateway.store.import_records("roblox", archive.parse_record(None, DEMO["/v1/definitions"], None))
        for path, document in (("/v1/users/42", DEMO["/v1/users/42"]), (CLOUD, DEMO[CLOUD])):
            await asked.gateway.store.import_records("roblox", archive.parse_record(path, document, None))
        assert await exported(asked) == first


async def test_what_the_contract_does_not_know_comes_back(dialects: Dialects) -> None:
    item = {
        "path": "users/77/inventory-items/x",
        "assetDetails": {
            "assetId": "1",
            "inventoryItemAssetType": "HAT",
            "instanceId": "5",
            "shade": "blue",
            "collectibleDetails": {"itemId": "i", "instanceId": "j", "instanceState": "HOLD", "mark": 3},
        },
        "addTime": "2024-01-01T00:00:00Z",
        "wornAt": "2024-02-02T00:00:00Z",
    }
    place = {"universeId": 1, "placeId": 2, "name": "p", "creator": None, "priceInRobux": 5, "visits": 7}
    row = {"userAssetId": 5, "serialNumber": None, "assetId": 1, "name": "h", "recentAveragePrice": 2, "glow": True}
    page: dict[str, Any] = {"previousPageCursor": None, "nextPageCursor": None}
    await dialects.seed(
        {
            "/v1/users/77": {"id": 77, "name": "noa", "displayName": "Noa", "isBanned": False},
            "/cloud/v2/users/77/inventory-items": {"inventoryItems": [item], "nextPageToken": ""},
            "/v1/users/77/places/inventory?placesTab=OtherGames": {**page, "data": [place]},
            "/v1/users/77/assets/collectibles": {**page, "data": [row]},
        }
    )
    found = await exported(dialects.asked, "77")
    assert found["/v1/users/77"]["isBanned"] is False
    (back,) = found["/cloud/v2/users/77/inventory-items"]["inventoryItems"]
    assert back == {**item, "path": back["path"]}
    assert found["/v1/users/77/places/inventory?placesTab=OtherGames"]["data"] == [place]
    assert found["/v1/users/77/assets/collectibles"]["data"][0]["glow"] is True
    # And is shown in neither dialect.
    assert "shade" not in str(await dialects.items("77", headers=await dialects.key("77")))


@pytest.mark.parametrize("order", [*permutations((CLOUD, COLLECTIBLES, "/v1/definitions"))])
async def test_documents_may_come_in_any_order(order: tuple[str, ...]) -> None:
    """Each in an import of its own: what tells less takes nothing away."""
    async with local(PROVIDER, "sqlite://", documents={"/v1/users/42": DEMO["/v1/users/42"]}) as asked:
        for path in order:
            await asked.gateway.store.import_records("roblox", archive.parse_record(path, DEMO[path], None))
        answer = await asked.ask(
            """{ inventory(owner: { provider: ROBLOX, key: "42" }) { items(filter: { isCollectible: true }) { nodes {
              key name acquiredAt definition { name description ... on RobloxDefinition { assetType } }
              collectible { serialNumber collectibleItemId stock recentAveragePrice state } } } } }"""
        )
        (first, *_) = answer.whole()["inventory"]["items"]["nodes"]
        assert first == {
            "key": "asset:5001",
            "name": "Paper Crown",
            "acquiredAt": "2024-03-05T10:20:30Z",
            "definition": {"name": "Paper Crown", "description": "Folded from one sheet.", "assetType": "Hat"},
            "collectible": {
                "serialNumber": "12",
                "collectibleItemId": "0b1f6c52-6f0f-4d6e-9a57-000000000001",
                "stock": "9000",
                "recentAveragePrice": "310",
                "state": "AVAILABLE",
            },
        }


async def test_a_whole_list_tells_what_is_gone_and_a_part_does_not(dialects: Dialects) -> None:
    (hat, *_) = DEMO["/cloud/v2/users/43/inventory-items"]["inventoryItems"]
    path = "/cloud/v2/users/43/inventory-items"
    for query, token in (("?filter=badges=true", ""), ("?pageToken=x", ""), ("", "more")):
        await dialects.seed({path + query: {"inventoryItems": [hat], "nextPageToken": token}})
        assert len((await exported(dialects.asked, "43"))[path]["inventoryItems"]) == 3
    await dialects.seed({path: {"inventoryItems": [hat], "nextPageToken": ""}})
    assert len((await exported(dialects.asked, "43"))[path]["inventoryItems"]) == 1
    # Places of a tab, and bundles, are told by other documents.
    await dialects.seed({CLOUD: {"inventoryItems": [], "nextPageToken": ""}})
    left = await exported(dialects.asked)
    assert {"/v1/users/42/items/Bundle/12", "/v1/users/42/places/inventory?placesTab=Created"} <= {*left}
    page: dict[str, Any] = {"previousPageCursor": None, "nextPageCursor": None, "data": []}
    await dialects.seed({"/v1/users/42/places/inventory?placesTab=Created": page})
    assert "/v1/users/42/places/inventory?placesTab=Created" not in await exported(dialects.asked)


def parse(kind: str | None, payload: Any, owner: str | None = None) -> list[Any]:
    return list(archive.parse_record(kind, payload, owner))


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"inventoryItems": []}, "inventory-items"),
        (DEMO[COLLECTIBLES], "collectibles"),
        ({"data": [{"id": 1, "name": "x", "type": "Badge", "instanceId": None}]}, "items"),
        (DEMO["/v1/users/42/places/inventory?placesTab=Created"], "places"),
        ({"whoCanSeeMyInventory": "NoOne"}, "settings"),
        (DEMO["/v1/users/42"], "user"),
    ],
)
def test_a_document_is_known_by_its_shape(payload: Any, kind: str) -> None:
    def plain(records: list[Any]) -> str:
        return "\n".join(repr(record).partition("<function")[0] for record in records)

    assert plain(parse(None, payload, "42")) == plain(parse(kind, payload, "42"))


@pytest.mark.parametrize(
    ("kind", "payload", "owner"),
    [
        (None, {"some": "thing"}, "42"),
        (None, [], "42"),
        (None, 5, "42"),
        ("nothing", {}, "42"),
        ("/v1/users/42/nothing", {}, None),
        ("inventory-items", {"inventoryItems": []}, None),
        ("inventory-items", {"inventoryItems": []}, "mira"),
        (CLOUD, {"inventoryItems": []}, "43"),
        ("/v1/users/43", {"id": 42, "name": "mira", "displayName": "x"}, None),
        (CLOUD, {"inventoryItems": 5}, None),
        (CLOUD, {"inventoryItems": [{"assetDetails": {"assetId": "x"}}]}, None),
        (CLOUD, {"inventoryItems": [DEMO[CLOUD]["inventoryItems"][0]] * 2}, None),
        (CLOUD, {"inventoryItems": [{"badgeDetails": {"badgeId": str(2**63)}}]}, None),
        (CLOUD, {"inventoryItems": [{"badgeDetails": {"badgeId": "1"}, "addTime": "yesterday"}]}, None),
        (COLLECTIBLES, {"data": [{"userAssetId": 1}]}, None),
        ("settings", {"whoCanSeeMyInventory": "Everyone"}, "42"),
        ("settings", {"whoCanSeeMyInventory": 7}, "42"),
        ("settings", {"whoCanSeeMyInventory": "Friends", "friends": ["x"]}, "42"),
        ("collection", {"data": [{"id": 1, "type": "GamePass"}]}, "42"),
        ("/v1/users/42/places/inventory?placesTab=Nope", {"data": []}, None),
        ("definitions", [{"id": 1, "name": "x"}], None),
    ],
)
def test_a_document_that_cannot_be_is_refused(kind: str | None, payload: Any, owner: str | None) -> None:
    with pytest.raises(InvalidInput):
        parse(kind, payload, owner)


async def test_entries_of_the_catalogue_stand_or_fall_one_by_one() -> None:
    assert archive.splits("definitions", [{"itemType": "Asset", "id": 1}])
    assert not archive.splits(None, DEMO[CLOUD])
    assert archive.family("Asset") == "asset"
    assert archive.family("pass") == "pass"
    with pytest.raises(InvalidInput):
        archive.family("Sword")


async def test_a_users_own_categories_are_what_the_views_are(dialects: Dialects) -> None:
    entry = {"name": "Old/New", "displayName": "Old & New", "filter": None, "id": 8, "type": 0, "categoryType": "Hat"}
    document = {"categories": [{"name": "Hats", "displayName": "My Hats", "categoryType": "Hats", "items": [entry]}]}
    await dialects.seed({"/v1/users/42/categories": document, "/v1/users/42/categories/favorites": document})
    written = {**document["categories"][0], "items": [{**entry, "type": "AssetType"}]}
    assert await dialects.web("/v1/users/42/categories") == {"categories": [written]}
    answer = await dialects.asked.ask(
        """{ inventory(owner: { provider: ROBLOX, key: "42" }) {
          containers(kind: VIEW) { nodes { key name descendants { nodes { key } } } }
          container(key: "view:Hats/Old%2FNew") { name items { totalCount } parent { key } } } }"""
    )
    inventory = answer.whole()["inventory"]
    assert [(node["key"], node["descendants"]["nodes"]) for node in inventory["containers"]["nodes"]] == [
        ("view:Hats", [{"key": "view:Hats/Old%2FNew"}]),
        ("favorites", [{"key": "favorites:Hats"}, {"key": "favorites:Hats/Old%2FNew"}]),
    ]
    assert inventory["container"] == {"name": "Old/New", "items": {"totalCount": 3}, "parent": {"key": "view:Hats"}}


async def test_pages_that_are_imported_one_after_the_other_are_all_kept() -> None:
    """Neither by word nor by shape is a page a whole list, though the last one has no next."""
    rows = DEMO[CLOUD]["inventoryItems"]
    pages = [(rows[:9], "a"), (rows[9:], "")]
    for kind in (None, "inventory-items"):
        async with local(PROVIDER, "sqlite://", documents={"/v1/users/42": DEMO["/v1/users/42"]}) as asked:
            for items, token in pages:
                document = {"inventoryItems": items, "nextPageToken": token}
                await asked.gateway.store.import_records("roblox", archive.parse_record(kind, document, "42"))
            assert len((await exported(asked))[CLOUD]["inventoryItems"]) == len(rows)
            for places in ([1, 2], [3]):
                page = {"data": [{"placeId": number, "universeId": 1, "name": "x"} for number in places]}
                await asked.gateway.store.import_records("roblox", archive.parse_record("places", page, "42"))
            assert len((await exported(asked))["/v1/users/42/places/inventory?placesTab=Created"]["data"]) == 3


async def test_copies_that_only_v1_tells_of_get_their_type_from_the_catalogue() -> None:
    documents = {path: DEMO[path] for path in ("/v1/definitions", COLLECTIBLES, "/v1/users/42/items/Bundle/12")}
    async with local(PROVIDER, "sqlite://", documents=documents) as asked:
        answer = await asked.ask(
            """{ inventory(owner: { provider: ROBLOX, key: "42" }) {
              hats: container(key: "view:Accessories/Head") { items { nodes { key } } }
              parts: container(key: "view:Bundles/Body Parts") { items { nodes { key } } }
              items { nodes { ... on RobloxAsset { key assetType inventoryItemAssetType } } } } }"""
        )
        inventory = answer.whole()["inventory"]
        assert [node["key"] for node in inventory["hats"]["items"]["nodes"]] == ["asset:5001", "asset:5002"]
        assert inventory["parts"]["items"]["nodes"] == [{"key": "bundle:12"}]
        assert [node["assetType"] for node in inventory["items"]["nodes"]] == ["Hat", "Hat", "Face", "BackAccessory"]


async def test_a_collection_that_is_imported_anew_has_another_version(dialects: Dialects) -> None:
    async def version() -> str:
        answer = await dialects.asked.ask(
            '{ inventory(owner: { provider: ROBLOX, key: "42" }) { container(key: "collection") { version } } }'
        )
        return answer.whole()["inventory"]["container"]["version"]

    path = "/v1/users/42/collections/items"
    before = await version()
    await dialects.seed({path: DEMO[path]})
    assert await version() == before
    await dialects.seed({path: {"data": [{"id": 7101, "type": "Asset"}]}})
    after = await version()
    assert after != before
    await dialects.seed({path: {"data": []}})
    assert await version() not in (before, after)


def nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = {"a": found}
    return found


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (CLOUD, {"inventoryItems": [{"badgeDetails": {"badgeId": "1"}, "addTime": "0001-01-01T00:00:00+01:00"}]}),
        (CLOUD, {"inventoryItems": [{"badgeDetails": {"badgeId": "1"}, "addTime": "9999-12-31T23:59:59-01:00"}]}),
        (CLOUD, {"inventoryItems": [{"badgeDetails": {"badgeId": "1"}, "more": nested(400)}]}),
        ("/v1/users/42", {"id": 42, "name": "m", "displayName": "M", "more": nested(400)}),
        (f"/v1/packages/{'9' * 5_000}/assets", {"assetIds": []}),
        ("/v1/packages/0/assets", {"assetIds": []}),
        (f"/v1/packages/{2**63}/assets", {"assetIds": []}),
        ("package", {"assetIds": []}),
        ("definitions", [{"id": 1, "itemType": "Asset", "name": "x", "assetType": nested(900)}]),
        ("definitions", [{"id": 1, "itemType": "Asset", "name": "x", "assetType": {"a": 1}}]),
        ("/v1/users/42/collections/items", {"data": [{"id": 1, "type": "Asset"}] * 2}),
    ],
    ids=range(11),
)
def test_a_hostile_document_is_refused_and_breaks_nothing(kind: str, payload: Any) -> None:
    with pytest.raises(InvalidInput):
        parse(kind, payload)


async def test_categories_with_names_that_are_no_keys_are_found_all_the_same(dialects: Dialects) -> None:
    names = ["", "Hats", "Hats", "\u0001bell", "x" * 300, "100%"]
    groups: list[dict[str, Any]] = [
        {"name": name, "displayName": name, "categoryType": "x", "items": []} for name in names
    ]
    await dialects.seed({"/v1/users/42/categories": {"categories": groups}})
    answer = await dialects.asked.ask(
        '{ inventory(owner: { provider: ROBLOX, key: "42" }) { containers(kind: VIEW) { nodes { id key name } } } }'
    )
    nodes = [node for node in answer.whole()["inventory"]["containers"]["nodes"] if node["key"] != "favorites"]
    assert [node["name"] for node in nodes] == names
    assert len({node["key"] for node in nodes}) == len(names)
    found = await dialects.asked.ask(
        "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[node["id"] for node in nodes]
    )
    assert [node["id"] for node in found.whole()["nodes"]] == [node["id"] for node in nodes]
