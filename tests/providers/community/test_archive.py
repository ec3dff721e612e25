"""Import and export: every document goes in and comes out whole, through a real store."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from gateway.files import Line
from gateway.importing import Report, import_documents
from gateway.model.definition import ItemDefinition
from gateway.model.errors import InvalidInput
from gateway.model.ids import ContainerRef, FactRef, OwnerRef
from gateway.model.ports import Catalogue, Stock
from gateway.providers.community import PROVIDER, archive, rules
from gateway.providers.community.keys import ALIAS, OWNED, STATE, split
from gateway.providers.community.types import CommunityAlias, CommunityContents
from gateway.store.store import Store
from tests.gateways import NOW, local

SAMPLES = Path(__file__).parent / "samples"
KIT = "/v1/community/nova/inventory"
SLOTS, USERS_SLOTS = f"{KIT}/slots", f"{KIT}/slots?userId=u_1"
CATALOGUE, ITEMS = f"{KIT}/items?onlyOwned=false", f"{KIT}/items?onlyOwned=true&userId=u_1"
AVATAR = f"{KIT}/avatar?userId=u_1"
WALLETS = "/v1/user/wallets?userId=u_1"
USER = "nova/u_1"


def sample(name: str) -> Any:
    return orjson.loads((SAMPLES / f"{name}.json").read_bytes())


def demo() -> Any:
    return orjson.loads((resources.files(PROVIDER.demo) / "demo.json").read_bytes())


@pytest.fixture
async def store() -> AsyncGenerator[Store]:
    found = Store("sqlite://", types=[*PROVIDER.types, *PROVIDER.documents])
    await found.start()
    yield found
    await found.aclose()


async def bring(store: Store, payload: object, kind: str | None = None, owner: str | None = None) -> Report:
    lines = [("documents", [Line(1, payload)])]
    return await import_documents(store, PROVIDER.key, archive, lines, owner=owner, kind=kind, strict=False)


async def filled(store: Store, *documents: tuple[str, object]) -> None:
    for path, document in documents:
        assert (await bring(store, document, path)).rejected == [], path


async def export(store: Store, owner: str = USER) -> dict[str, Any]:
    found = await store.owned(OwnerRef(PROVIDER.key, owner), rules.shared_by(owner))
    assert found is not None
    # Through JSON, as to a file and back.
    return orjson.loads(orjson.dumps(dict(archive.render_export(found))))


async def everything(store: Store, community: str = "nova") -> dict[str, Any]:
    """Export every owner of a community, in one document."""
    found: dict[str, Any] = {}
    for ref in await store.owner_refs(PROVIDER.key):
        if split(ref.owner)[0] == community:
            found |= await export(store, ref.owner)
    return found


async def owned(store: Store, owner: str = USER) -> dict[str, int]:
    """Count what the store has of a user's items."""
    found = await store.owned(OwnerRef(PROVIDER.key, owner))
    return {} if found is None else {item.key: item.quantity for item in found.items}


async def known(store: Store) -> list[str]:
    """List the keys of the catalogue."""
    return await store.definition_keys(PROVIDER.key, "nova")


async def facts(store: Store, owner: str, kind: str) -> Any:
    ref = FactRef(PROVIDER.key, owner, kind, "")
    return (await store.facts([ref])).get(ref)


def item(key: str, quantity: int = 0, **more: Any) -> dict[str, Any]:
    return {**sample("items")["items"][0], "id": key, "name": key, "owned": quantity > 0, "quantity": quantity, **more}


def paged(*items: object, **told: int) -> dict[str, Any]:
    return {"items": [*items], "page": 1, "limit": 20, "total": len(items), "totalPages": 1, **told}


# --- round trips ------------------------------------------------------------------------------------------------------


async def test_the_demo_comes_out_as_it_went_in(store: Store) -> None:
    assert (await bring(store, demo())).rejected == []
    assert await everything(store) == demo()


@pytest.mark.parametrize("backwards", [False, True])
async def test_an_export_imported_into_an_empty_store_is_exported_again_as_equal(
    store: Store, *, backwards: bool
) -> None:
    await bring(store, demo())
    odd = KIT.replace("nova", "vega")
    await filled(
        store,
        (odd, {**sample("inventory_odd"), "ckey": "vega"}),
        (f"{odd}/slots", sample("slots_odd")),
        (f"{odd}/items?onlyOwned=false", sample("items_odd")),
        (f"{odd}/slots?userId=1001", sample("slots_odd")),
        (f"{odd}/avatar?userId=1001", sample("avatar_odd")),
        (f"{odd}/items/i_new?userId=1002", item("i_new", 1, acquired="today")),
    )
    once = [await everything(store, community) for community in ("nova", "vega")]
    other = Store("sqlite://", types=[*PROVIDER.types, *PROVIDER.documents])
    await other.start()
    try:
        for document in once:
            told = dict(reversed(document.items())) if backwards else document
            assert (await bring(other, told)).rejected == []
        again = [await everything(other, community) for community in ("nova", "vega")]
    finally:
        await other.aclose()
    assert orjson.dumps(again) == orjson.dumps(once)


@pytest.mark.parametrize(
    ("path", "name", "owner"),
    [
        (KIT, "inventory", "nova"),
        (SLOTS, "slots", "nova"),
        (USERS_SLOTS, "slots_filled", USER),
        (WALLETS, "wallets", USER),
    ],
)
async def test_a_document_alone_comes_out_as_it_went_in(store: Store, path: str, name: str, owner: str) -> None:
    assert (await bring(store, sample(name), path, owner)).rejected == []
    assert (await export(store, owner))[path] == sample(name)


async def test_an_avatar_comes_out_as_it_went_in_over_the_slots_of_its_kit(store: Store) -> None:
    await filled(store, (SLOTS, sample("slots")), (AVATAR, sample("avatar_minted")))
    assert (await export(store))[AVATAR] == sample("avatar_minted")


async def test_an_avatar_without_a_kit_keeps_what_lies_in_its_slots(store: Store) -> None:
    await filled(store, (AVATAR, sample("avatar")))
    assert (await export(store))[AVATAR] == {**sample("avatar"), "slots": [{"slotId": "s_head", "itemId": "i_cap"}]}


async def test_the_later_document_tells_what_lies_where_and_since_when_stays_with_what_stayed(store: Store) -> None:
    def slot(name: str, item_id: str | None, at: str | None = None) -> dict[str, Any]:
        return {"id": name, "key": name, "name": name, "order": 1, "item": item_id, "allocatedAt": at, "mood": name}

    slots = [slot("s1", "i_1", "2025-01-01T00:00:00Z"), slot("s2", "i_2", "2025-01-02T00:00:00Z"), slot("s3", None)]
    pairs = [{"slotId": "s1", "itemId": "i_1"}, {"slotId": "s2", "itemId": None}, {"slotId": "s3", "itemId": "i_2"}]
    avatar = {"userId": "u_1", "version": 9, "slots": pairs, "mints": []}
    await filled(store, (USERS_SLOTS, slots), (AVATAR, avatar))
    told = {one["id"]: (one["item"], one["allocatedAt"], one["mood"]) for one in (await export(store))[USERS_SLOTS]}
    assert told == {"s1": ("i_1", "2025-01-01T00:00:00Z", "s1"), "s2": (None, None, "s2"), "s3": ("i_2", None, "s3")}
    await filled(store, (USERS_SLOTS, slots))
    told = {one["id"]: (one["item"], one["allocatedAt"], one["mood"]) for one in (await export(store))[USERS_SLOTS]}
    assert told == {one["id"]: (one["item"], one["allocatedAt"], one["mood"]) for one in slots}


async def test_unknown_keys_survive_from_import_to_export(store: Store) -> None:
    """Behaviour 27."""
    odd = "1001"
    await filled(
        store,
        (KIT, sample("inventory_odd")),
        (CATALOGUE, sample("items_odd")),
        (f"{KIT}/items?onlyOwned=false&userId={odd}", sample("items_odd")),
        (f"{KIT}/slots?userId={odd}", sample("slots_odd")),
        (f"{KIT}/avatar?userId={odd}", sample("avatar_odd")),
    )
    out = await everything(store)
    assert out[KIT]["theme"] == {"colour": "#123456", "fonts": ["Sans", None]}
    catalogue = {entry["id"]: entry for entry in out[CATALOGUE]["items"]}
    assert catalogue["i_cape"]["stock"] == {"left": 3}
    slots = {slot["id"]: slot for slot in out[f"{KIT}/slots?userId={odd}"]}
    assert slots["1"]["locked"] is False
    assert slots["1"]["item"]["rim"] == "wide"
    assert slots["2"]["anchor"] == {"x": 1, "y": [2]}
    avatar = out[f"{KIT}/avatar?userId={odd}"]
    assert avatar["mood"] == "calm"
    assert avatar["slots"][0]["tint"] == "red"
    assert avatar["mints"][0]["explorer"] == {"url": "https://explorer.example/1"}


async def test_what_is_not_known_of_a_slot_stays_with_the_user_of_whom_it_was_told(store: Store) -> None:
    """Behaviour 27."""
    for user, mood in (("u_1", "dark"), ("u_2", "light")):
        await filled(store, (f"{KIT}/slots?userId={user}", [{**slot, "mood": mood} for slot in sample("slots")]))
    assert {slot["mood"] for slot in (await export(store))[USERS_SLOTS]} == {"dark"}


@pytest.mark.parametrize("wrapper", ["items", "data", "results", "slots"])
async def test_a_wrapped_list_is_kept_as_a_bare_one_is(store: Store, wrapper: str) -> None:
    """Behaviour 27."""
    await filled(store, (USERS_SLOTS, sample("slots_filled")), (ITEMS, [item("i_cap", 1)]))
    bare = await export(store)
    await filled(store, (USERS_SLOTS, {wrapper: sample("slots_filled")}))
    await filled(store, (ITEMS, {wrapper: [item("i_cap", 1)], "total": 1}))
    assert await export(store) == bare


async def test_keys_with_any_letters_come_through_paths(store: Store) -> None:
    community, user = "nö?va&#", "a/b c+%2F=ü"
    root = f"/v1/community/{quote(community, safe='')}/inventory"
    await bring(store, sample("slots_filled"), "slots", f"{community}/{user}")
    await bring(store, [item("i/1?x=y", 1)], "items", f"{community}/{user}")
    once = await export(store, f"{community}/{user}")
    assert f"{root}/slots?userId={quote(user, safe='')}" in once
    assert (await bring(store, once)).rejected == []
    assert await export(store, f"{community}/{user}") == once
    report = await bring(store, item("i/1?x=y"), f"{root}/items/{quote('i/1?x=y', safe='')}")
    assert report.rejected == []


# --- what a store makes of it -----------------------------------------------------------------------------------------


async def test_a_gateway_serves_the_demo_that_it_was_given(tmp_path: Path) -> None:
    async with local(PROVIDER, f"sqlite:///{tmp_path / 'store.db'}") as asked:
        store = asked.gateway.store
        ref = ContainerRef(PROVIDER.key, USER, "avatar")
        contents = (await PROVIDER.local(lambda: NOW, PROVIDER.options()).contents(store, [ref]))[ref]
        assert isinstance(contents, CommunityContents)
        lying = {slot.key: slot.item_key for slot in contents.slots or ()}
        assert lying == {
            "s_head": "i_cap",
            "s_face": None,
            "s_body": "i_jersey",
            "s_hands": None,
            "s_feet": None,
            "s_back": "i_cape",
        }
        assert (contents.version, len(await owned(store)), len(await known(store))) == ("3", 9, 14)


async def test_a_kit_is_known_by_its_communitys_id_too(store: Store) -> None:
    await filled(store, (KIT, sample("inventory")))
    assert await facts(store, "com_1", ALIAS) == CommunityAlias(key="nova")
    assert [ref.owner for ref in await store.owner_refs(PROVIDER.key)] == ["nova"]
    await filled(store, (KIT.replace("nova", "com_1"), {**sample("inventory"), "name": "Other"}))
    assert (await export(store, "nova"))[KIT]["name"] == "Other"


async def test_a_list_of_all_that_a_user_owns_takes_away_what_is_not_in_it(store: Store) -> None:
    for whole in ([item("i_cap", 2)], paged(item("i_cap", 2)), {"data": [item("i_cap", 2)], "total": 1}):
        await filled(store, (ITEMS, [item("i_old", 1), item("i_cap", 1)]), (ITEMS, whole))
        assert await owned(store) == {"i_cap": 2}
    assert await facts(store, USER, OWNED) is not None


@pytest.mark.parametrize(
    "part",
    [
        paged(item("i_cap", 2), page=2, total=3, totalPages=3),
        paged(item("i_cap", 2), total=3, totalPages=3),
        {"items": [item("i_cap", 2)]},
        item("i_cap", 2),
    ],
)
async def test_a_part_of_what_a_user_owns_takes_nothing_away(store: Store, part: object) -> None:
    await bring(store, part, "items", USER)
    assert await facts(store, USER, OWNED) is None
    await filled(store, (ITEMS, [item("i_old", 1), item("i_cap", 1)]))
    await bring(store, part, "items", USER)
    assert await owned(store) == {"i_old": 1, "i_cap": 2}


async def test_a_part_of_what_a_user_owns_is_not_exported_as_all(store: Store) -> None:
    await bring(store, item("i_cap", 2), "items", USER)
    out = await export(store)
    (stock,) = [entry for entry in archive.parse_record(None, out, None) if isinstance(entry, Stock)]
    assert ([entry.key for entry in stock.items], stock.whole) == (["i_cap"], False)


async def test_an_item_told_to_be_owned_no_more_is_gone(store: Store) -> None:
    await filled(store, (ITEMS, [item("i_old", 1), item("i_cap", 1)]))
    await bring(store, item("i_old"), "items", USER)
    assert await owned(store) == {"i_cap": 1}
    await bring(store, item("i_cap"), f"{KIT}/items/i_cap", USER)
    assert await owned(store) == {}


async def test_a_slots_document_tells_of_the_items_in_it_and_takes_nothing_away(store: Store) -> None:
    await filled(store, (ITEMS, [item("i_old", 1)]), (USERS_SLOTS, sample("slots_filled")))
    assert await owned(store) == {"i_old": 1, "i_cap": 1}
    assert await known(store) == ["nova/i_cap", "nova/i_old"]


async def test_the_whole_catalogue_takes_away_what_is_not_in_it(store: Store) -> None:
    for whole in ([item("i_cap")], paged(item("i_cap"))):
        await filled(store, (CATALOGUE, [item("i_cap"), item("i_old")]), (CATALOGUE, whole))
        assert await known(store) == ["nova/i_cap"]
    await bring(store, [item("i_new")], "items", "nova")
    assert await known(store) == ["nova/i_new"]


@pytest.mark.parametrize(
    ("path", "part"),
    [
        (CATALOGUE, paged(item("i_cap"), page=2, total=3, totalPages=3)),
        (CATALOGUE, {"items": [item("i_cap")]}),
        (f"{KIT}/items?onlyOwned=true", [item("i_cap", 1)]),
        (f"{KIT}/items/i_cap", item("i_cap")),
        (ITEMS, [item("i_cap", 1)]),
        (USERS_SLOTS, sample("slots_filled")),
    ],
)
async def test_a_part_of_the_catalogue_takes_nothing_away(store: Store, path: str, part: object) -> None:
    await filled(store, (CATALOGUE, [item("i_old"), item("i_cap", name="Old cap")]), (path, part))
    assert {*await known(store)} == {"nova/i_cap", "nova/i_old"}
    names = {entry["id"]: entry["name"] for entry in (await export(store, "nova"))[CATALOGUE]["items"]}
    assert names["i_cap"] != "Old cap"


async def test_a_part_of_the_slots_is_no_kit(store: Store) -> None:
    slots = sample("slots_filled")[:1]
    part = {"items": slots, "page": 1, "limit": 1, "total": 3, "totalPages": 3}
    report = await bring(store, part, "slots", "nova/u_1")
    assert "part of the slots" in report.rejected[0][2]


async def test_a_communitys_own_catalogue_has_the_last_word_in_one_document(store: Store) -> None:
    documents = {
        CATALOGUE: [item("i_cap")],
        ITEMS: [item("i_cap", 1, acquired="today"), item("i_old", 1)],
    }
    await bring(store, documents)
    assert await known(store) == ["nova/i_cap"]
    out = await everything(store)
    assert "acquired" not in out[CATALOGUE]["items"][0]
    assert out[ITEMS]["items"][0]["acquired"] == "today"


async def test_a_slot_that_holds_what_the_catalogue_does_not_have_names_it(store: Store) -> None:
    await filled(store, (USERS_SLOTS, sample("slots_odd")))
    out = (await export(store))[USERS_SLOTS]
    assert [slot["item"] for slot in out][1:] == ["i_cape", "i_shirt"]
    assert out[1]["allocatedAt"] == "2025-01-03T00:00:00Z"
    await filled(store, (USERS_SLOTS, out))
    assert (await export(store))[USERS_SLOTS] == out


async def test_a_community_of_which_little_is_known_tells_no_more_than_that(store: Store) -> None:
    await filled(store, (KIT, sample("inventory")))
    assert [*await export(store, "nova")] == [KIT]
    await bring(store, sample("wallets"), "wallets", USER)
    assert [*await export(store)] == [AVATAR, WALLETS]


# --- which document it is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("inventory", KIT),
        ("inventory_odd", KIT),
        ("slots_filled", USERS_SLOTS),
        ("slots_odd", USERS_SLOTS),
        ("items", ITEMS),
        ("item_token", ITEMS),
        ("avatar", AVATAR),
        ("avatar_minted", AVATAR),
        ("wallets", WALLETS),
    ],
)
async def test_the_shape_tells_which_document_it_is(store: Store, name: str, path: str) -> None:
    assert (await bring(store, sample(name), None, USER)).rejected == []
    assert path in await export(store, "nova" if path == KIT else USER)


@pytest.mark.parametrize(("kind", "name"), [("inventory", "inventory"), ("slots", "slots"), ("items", "items")])
async def test_a_word_tells_which_document_of_a_community_it_is(store: Store, kind: str, name: str) -> None:
    assert (await bring(store, sample(name), kind, "nova")).rejected == []
    assert [*await export(store, "nova")] == [{"inventory": KIT, "slots": SLOTS, "items": CATALOGUE}[kind]]


async def test_an_avatar_tells_itself_whose_it_is(store: Store) -> None:
    assert (await bring(store, sample("avatar"), "avatar", "nova")).rejected == []
    assert (await facts(store, USER, STATE)).number == 3


@pytest.mark.parametrize("payload", [None, 1, "text", [], {}, {"items": []}, [1], [[]], {"a": 1}, {"data": {"x": 1}}])
def test_a_shape_that_does_not_tell_asks_for_the_kind(payload: object) -> None:
    assert "--kind" in refused(None, payload)


def test_a_list_of_items_is_whole_and_is_never_split() -> None:
    assert not archive.splits("items", sample("items")["items"])
    assert not archive.splits(None, sample("items")["items"])
    (catalogue,) = [entry for entry in archive.parse_record("items", [], "nova") if isinstance(entry, Catalogue)]
    assert (catalogue.family, catalogue.definitions) == ("nova", [])


async def test_the_catalogue_is_written_and_read_line_by_line(store: Store) -> None:
    await filled(store, (CATALOGUE, sample("items_odd")))
    owned = await store.owned(OwnerRef(PROVIDER.key, "nova"), "nova")
    assert owned is not None
    lines = [archive.render_definition(entry) for entry in owned.catalogue]
    assert [line["owned"] for line in lines] == [False, False]
    for line in lines:
        (again,) = [entry for entry in archive.parse_record("items", line, "nova") if isinstance(entry, ItemDefinition)]
        assert archive.render_definition(again) == line


@pytest.mark.parametrize("kind", ["nova", "nova/items"])
def test_a_catalogue_is_that_of_a_community(kind: str) -> None:
    assert archive.family(kind) == "nova"


@pytest.mark.parametrize("kind", ["", "/items", "nova/", "nova/slots", "nova/items/x", "me", "a\nb"])
def test_what_is_no_catalogue_has_no_family(kind: str) -> None:
    with pytest.raises(InvalidInput):
        archive.family(kind)


# --- what is refused --------------------------------------------------------------------------------------------------


def refused(kind: str | None, payload: object, owner: str | None = USER) -> str:
    with pytest.raises(InvalidInput) as caught:
        list(archive.parse_record(kind, payload, owner))
    return caught.value.message


@pytest.mark.parametrize(
    ("kind", "name", "owner"),
    [
        ("slots", "slots", None),
        ("items", "items", None),
        ("avatar", "avatar", None),
        ("wallets", "wallets", None),
        ("wallets", "wallets", "nova"),
        (WALLETS, "wallets", None),
        (None, "items", None),
    ],
)
def test_whose_a_document_is_must_be_told(kind: str | None, name: str, owner: str | None) -> None:
    assert "--owner COMMUNITY/USER" in refused(kind, sample(name), owner)


def test_a_kit_or_an_avatar_that_does_not_tell_whose_it_is_needs_an_owner() -> None:
    assert "--owner" in refused("inventory", {"id": "inv_1"}, None)
    assert "--owner" in refused("avatar", {"version": 1}, "nova")


def test_wallets_among_the_documents_of_two_communities_need_an_owner() -> None:
    documents: dict[str, Any] = {
        AVATAR: sample("avatar"),
        AVATAR.replace("nova", "vega"): sample("avatar"),
        WALLETS: [],
    }
    assert "--owner" in refused(None, documents, None)


@pytest.mark.parametrize(
    ("kind", "name", "owner"),
    [
        (KIT, "inventory", "vega"),
        (KIT.replace("nova", "vega"), "inventory", None),
        ("inventory", "inventory", "vega"),
        (AVATAR, "avatar", "nova/u_2"),
        ("avatar", "avatar", "nova/u_2"),
        (AVATAR.replace("u_1", "u_2"), "avatar", None),
        (ITEMS, "items", "nova/u_2"),
        (WALLETS, "wallets", "nova/u_2"),
    ],
)
def test_anothers_document_is_refused(kind: str, name: str, owner: str | None) -> None:
    assert "not of" in refused(kind, sample(name), owner)


def test_anothers_documents_in_an_export_are_refused() -> None:
    assert refused(None, demo(), USER) == "this is of 'nova/u_2', not of 'nova/u_1'"
    assert list(archive.parse_record(None, demo(), "nova"))


def test_another_item_than_the_path_names_is_refused() -> None:
    assert "not 'i_hat'" in refused(f"{KIT}/items/i_hat", sample("item_token"), None)


@pytest.mark.parametrize("owner", ["", "/u_1", "nova/", "me", "nova/me", "a\nb/u_1", "nova/\x00"])
def test_an_owner_that_cannot_be_one_is_refused(owner: str) -> None:
    refused("items", [], owner)
    community, _, user = owner.partition("/")
    path = f"/v1/community/{quote(community, safe='')}/inventory/items"
    refused(f"{path}?userId={quote(user, safe='')}" if "/" in owner else path, [], None)


def test_a_community_with_a_slash_in_its_key_is_refused() -> None:
    assert "no `/`" in refused("/v1/community/a%2Fb/inventory/items", [], None)
    assert "no `/`" in refused("inventory", {**sample("inventory"), "ckey": "a/b"}, None)
    assert "no `/`" in refused("inventory", {**sample("inventory"), "communityId": "a/b"}, None)


@pytest.mark.parametrize(
    "kind",
    ["x", "item", "/v1/community/nova", f"{KIT}/slots/s_head/items", f"{KIT}/avatar/mint", "/v1/user", "//x/y"],
)
def test_a_document_that_is_not_known_is_refused(kind: str) -> None:
    assert "is not a document of a community" in refused(kind, {})
    assert refused(None, {f"/v1/{kind.lstrip('/')}": {}})


def test_one_bad_item_is_named_by_its_place() -> None:
    assert refused("items", [item("i_cap"), {"name": "x"}]).startswith("item 2: ")
    assert refused("items", [item("i_cap"), item("i_cap")]) == "two items have one id"


MALFORMED: list[tuple[str, Any]] = [
    ("inventory", []),
    ("inventory", {"ckey": "nova"}),
    ("slots", {}),
    ("slots", [None]),
    ("slots", [{"id": "a"}, {"id": "a"}]),
    ("slots", [{"id": "a", "item": {"id": "x\n", "slotIds": []}}]),
    ("items", None),
    ("items", {}),
    ("items", [[]]),
    ("items", [{"id": "x" * 257}]),
    (f"{KIT}/items/x", [{"id": "x"}]),
    ("avatar", []),
    ("avatar", {"userId": [], "version": 1}),
    ("avatar", {"userId": "u_1", "version": -1}),
    ("wallets", {}),
    ("wallets", [{"blockchain": "sui"}]),
]


@pytest.mark.parametrize(("kind", "payload"), MALFORMED)
async def test_a_malformed_document_is_reported_and_leaves_nothing(store: Store, kind: str, payload: object) -> None:
    assert refused(kind, payload)
    report = await bring(store, payload, kind, USER)
    assert len(report.rejected) == 1
    assert await store.owner_refs(PROVIDER.key) == []
