"""Payloads: what is written is read again, in whichever shape a service tells it; what is none is refused unshown."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.collectible import BlockchainToken, Collectible
from gateway.model.errors import UpstreamInvalid
from gateway.model.ids import OwnerRef
from gateway.model.manifest import ProviderKey
from gateway.model.scalars import BigInt
from gateway.providers.community import wire
from gateway.providers.community.types import (
    CommunityAllocation,
    CommunityAllocations,
    CommunityAttribute,
    CommunityItem,
    CommunityItemDefinition,
    CommunityKit,
    CommunityMint,
    CommunitySlot,
    CommunityState,
)

FOLDER = Path(__file__).parent / "samples"
USER = OwnerRef("community", "nova/u_1")


def sample(name: str) -> Any:
    """Give a sample, parsed."""
    return orjson.loads((FOLDER / f"{name}.json").read_bytes())


def item_again(document: object, *, whole: bool = False) -> dict[str, Any]:
    """Read an item and write it as its owner sees it."""
    read = wire.parse_item(document, "nova")
    return wire.render_item(read.definition, read.held_by(USER) if read.quantity else None, whole=whole)


def slots_again(document: object, *, whole: bool = False) -> list[dict[str, Any]]:
    """Read slots and write them with the items that are told."""
    return [
        wire.render_slot(
            one.slot,
            None
            if one.item is None
            else wire.render_item(one.item.definition, one.item.held_by(USER) if one.item.quantity else None),
            one.allocated_at,
            whole=whole,
        )
        for one in wire.parse_slots(document, "nova")
    ]


def places(*ids: str) -> list[CommunitySlot]:
    return [CommunitySlot(id=one, key=one, name=one, order=index) for index, one in enumerate(ids)]


def avatar_again(document: Any, *ids: str, whole: bool = False) -> dict[str, Any]:
    """Read an avatar and write it over slots of these ids."""
    user = wire.parse_user(document)
    assert user is not None
    return wire.render_avatar(wire.parse_avatar(document), user, places(*ids), whole=whole)


# --- the samples ------------------------------------------------------------------------------------------------------


def test_every_sample_has_its_source_told() -> None:
    told = (FOLDER / "README.md").read_text()
    names = [path.name for path in FOLDER.glob("*.json")]
    assert names
    assert [name for name in names if f"| `{name}` |" not in told] == []


def same(written: object, document: object) -> bool:
    """Say whether two documents are the same to the byte, the order of keys included."""
    return orjson.dumps(written) == orjson.dumps(document)


def test_the_contracts_example_of_a_kit_is_written_as_it_was_read() -> None:
    document = sample("inventory")
    assert same(wire.render_kit(wire.parse_kit(document, "nova")), document)


@pytest.mark.parametrize("name", ["slots", "slots_filled"])
def test_the_contracts_example_of_slots_is_written_as_it_was_read(name: str) -> None:
    assert same(slots_again(sample(name)), sample(name))


def test_the_contracts_example_of_a_page_is_written_as_it_was_read() -> None:
    document = sample("items")
    page = wire.parse_page(document)
    assert (page.total, page.is_all) == (1, True)
    written = wire.render_page([item_again(entry) for entry in page.entries], page=1, limit=2, total=1)
    assert same(written, document)


def test_an_item_with_a_token_is_written_as_it_was_read() -> None:
    assert same(item_again(sample("item_token")), sample("item_token"))


@pytest.mark.parametrize("name", ["avatar", "avatar_minted"])
def test_the_contracts_example_of_an_avatar_is_written_as_it_was_read(name: str) -> None:
    assert same(avatar_again(sample(name), "s_head", "s_back", "s_body"), sample(name))


def test_wallets_are_written_as_they_were_read() -> None:
    assert same(wire.render_wallets(wire.parse_wallets(sample("wallets"))), sample("wallets"))


def test_a_kit_of_odd_shape_is_written_in_the_contracts() -> None:
    """Behaviour 27."""
    kit = wire.parse_kit(sample("inventory_odd"), "nova")
    assert wire.render_kit(kit, whole=True) == {
        **sample("inventory"),
        "id": "17",
        "communityId": "4",
        "imageUrl": "https://cdn.nova.example/kit.png",
        "blockchains": ["sui"],
        "updatedAt": None,
        "theme": {"colour": "#123456", "fonts": ["Sans", None]},
        "isPublic": True,
    }


def test_items_of_odd_shape_are_written_in_the_contracts() -> None:
    """Behaviour 27."""
    page = wire.parse_page(sample("items_odd"))
    assert (page.total, page.is_all) == (2, True)
    cap, cape = (item_again(entry, whole=True) for entry in page.entries)
    assert cap == {
        "id": "9",
        "name": "Blue cap",
        "description": None,
        "imageUrl": "https://cdn.nova.example/9.png",
        "modelUrl": None,
        "slotIds": ["1"],
        "type": None,
        "rarity": None,
        "attributes": [{"traitType": "size", "value": "58", "unit": "cm"}, {"traitType": "warm", "value": "true"}],
        "owned": True,
        "quantity": 1,
        "token": {"blockchain": "sui", "contractAddress": None, "tokenId": None, "standard": "object"},
        "createdAt": None,
        "season": "2025",
    }
    assert (cape["id"], cape["imageUrl"], cape["owned"], cape["quantity"]) == (
        "i_cape",
        "https://cdn.nova.example/i_cape.png",
        False,
        0,
    )
    assert cape["stock"] == {"left": 3}


def test_slots_of_odd_shape_tell_their_order_and_what_lies_in_them() -> None:
    """Behaviour 27."""
    read = wire.parse_slots(sample("slots_odd"), "nova")
    assert [(one.slot.id, one.item_id, one.slot.is_required) for one in read] == [
        ("1", "9", False),
        ("2", "i_cape", True),
        ("3", "i_shirt", False),
    ]
    assert [one.slot.extra for one in read] == [{"locked": False}, {"anchor": {"x": 1, "y": [2]}}, None]
    head, back, body = read
    assert head.item is not None
    assert (head.item.quantity, head.item.extra) == (0, {"rim": "wide"})
    assert (back.item, body.item) == (None, None)
    assert wire.parse_page(sample("slots_odd")).total == 3


def test_an_avatar_of_odd_shape_is_written_in_the_contracts() -> None:
    """Behaviour 27."""
    assert avatar_again(sample("avatar_odd"), "2", "1", whole=True) == {
        "userId": "1001",
        "inventoryId": None,
        "version": 4,
        "imageUrl": "https://cdn.nova.example/a.png",
        "modelUrl": None,
        "slots": [{"slotId": "2", "itemId": None, "tint": "blue"}, {"slotId": "1", "itemId": "9", "tint": "red"}],
        "mints": [
            {
                "blockchain": "sui",
                "version": 4,
                "status": "minted",
                "tokenId": None,
                "txHash": None,
                "requestedAt": None,
                "mintedAt": None,
                "explorer": {"url": "https://explorer.example/1"},
            }
        ],
        "updatedAt": "2025-01-03T00:00:00Z",
        "mood": "calm",
    }


# --- whatever it holds ------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
IDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
COUNTS = st.integers(0, 2**31 - 1)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
UNKNOWN = st.dictionaries(TEXTS.map("x{}".format), JSON.filter(lambda value: value is not None), max_size=3)
"""Keys that the contract does not have; a null under one is no loss."""

TOKENS = st.builds(
    BlockchainToken,
    blockchain=TEXTS,
    contract_address=st.none() | TEXTS,
    token_id=st.none() | TEXTS,
)
TRAITS = st.builds(CommunityAttribute, trait_type=TEXTS, value=st.none() | TEXTS)
KITS = st.builds(
    CommunityKit,
    id=IDS,
    community_id=st.none() | TEXTS,
    key=IDS,
    name=IDS,
    description=st.none() | TEXTS,
    image_url=st.none() | TEXTS,
    blockchains=st.lists(IDS, max_size=3),
    slot_count=COUNTS,
    item_count=COUNTS,
    created_at=TIMES,
    updated_at=TIMES,
    extra=st.none(),
)
DEFINITIONS = st.builds(
    CommunityItemDefinition,
    provider=st.just(ProviderKey.COMMUNITY),
    key=IDS.map("nova/{}".format),
    name=IDS,
    description=st.none() | TEXTS,
    icon=st.none() | TEXTS,
    model_url=st.none() | TEXTS,
    slot_ids=st.lists(IDS, max_size=3),
    kind=st.none() | TEXTS,
    rarity=st.none() | TEXTS,
    attributes=st.lists(TRAITS, max_size=3),
    token=st.none() | TOKENS,
    created_at=TIMES,
    extra=st.none(),
)
SLOTS = st.builds(
    CommunitySlot,
    id=IDS,
    key=IDS,
    name=IDS,
    description=st.none() | TEXTS,
    order=COUNTS,
    is_required=st.booleans(),
    extra=st.none(),
)
MINTS = st.builds(
    CommunityMint,
    blockchain=TEXTS,
    version=COUNTS,
    status=st.sampled_from(["pending", "minted", "failed"]),
    token_id=st.none() | TEXTS,
    tx_hash=st.none() | TEXTS,
    requested_at=TIMES,
    minted_at=TIMES,
    extra=st.none(),
)
ALLOCATIONS = st.builds(CommunityAllocation, slot=IDS, item=IDS, at=st.none())
STATES = st.builds(
    CommunityState,
    number=COUNTS,
    inventory_id=st.none() | TEXTS,
    image_url=st.none() | TEXTS,
    model_url=st.none() | TEXTS,
    allocations=st.lists(ALLOCATIONS, max_size=4, unique_by=lambda one: one.slot),
    mints=st.lists(MINTS, max_size=2),
    updated_at=TIMES,
    extra=st.none(),
)


def sent(document: object) -> Any:
    """Give a document as it comes over the wire."""
    return orjson.loads(orjson.dumps(document))


@given(KITS)
def test_any_kit_that_is_written_is_read_back(kit: CommunityKit) -> None:
    assert wire.parse_kit(sent(wire.render_kit(kit)), "other") == kit


@given(DEFINITIONS)
def test_any_definition_that_is_written_is_read_back(definition: CommunityItemDefinition) -> None:
    read = wire.parse_item(sent(wire.render_item(definition, None)), "nova")
    assert (read.definition, read.quantity, read.token, read.extra) == (definition, 0, None, None)


@given(DEFINITIONS, st.integers(1, 2**63 - 1), st.none() | TOKENS)
def test_any_item_that_is_owned_is_written_and_read_back(
    definition: CommunityItemDefinition, quantity: int, token: BlockchainToken | None
) -> None:
    definition.token = None
    held = CommunityItem(
        key=definition.key.removeprefix("nova/"),
        owner=USER,
        sort=definition.key.removeprefix("nova/"),
        quantity=BigInt(quantity),
        definition_key=definition.key,
        collectible=token and Collectible(token=token),
    )
    document = sent(wire.render_item(definition, held))
    again = wire.parse_item(document, "nova").held_by(USER)
    assert (again.key, again.quantity, again.collectible, again.sort) == (
        held.key,
        held.quantity,
        held.collectible,
        held.sort,
    )
    assert item_again(document) == document


@given(st.lists(st.tuples(SLOTS, st.none() | DEFINITIONS, TIMES), max_size=4, unique_by=lambda one: one[0].id))
def test_any_slots_that_are_written_are_read_back(
    slots: list[tuple[CommunitySlot, CommunityItemDefinition | None, Any]],
) -> None:
    slots.sort(key=lambda one: (one[0].order, one[0].id))
    document = [wire.render_slot(slot, entry and wire.render_item(entry, None), at) for slot, entry, at in slots]
    read = wire.parse_slots(sent(document), "nova")
    assert [(one.slot, one.item and one.item.definition, one.allocated_at) for one in read] == slots


@given(STATES, IDS)
def test_any_avatar_that_is_written_is_read_back(state: CommunityState, user: str) -> None:
    document = sent(
        wire.render_avatar(state, user, places(*(one.slot for one in state.allocations), "\N{SNOWMAN}" * 21))
    )
    assert wire.parse_avatar(document) == state
    assert wire.parse_user(document) == user


@given(KITS, UNKNOWN)
def test_what_is_not_known_of_a_kit_is_written_again(kit: CommunityKit, unknown: dict[str, Any]) -> None:
    """Behaviour 27."""
    document = sent({**wire.render_kit(kit), **unknown})
    assert wire.render_kit(wire.parse_kit(document, "nova"), whole=True) == document
    assert wire.render_kit(wire.parse_kit(document, "nova")) == sent(wire.render_kit(kit))


@given(DEFINITIONS, UNKNOWN, UNKNOWN, UNKNOWN, st.booleans())
def test_what_is_not_known_of_an_item_its_traits_and_its_token_is_written_again(
    definition: CommunityItemDefinition,
    unknown: dict[str, Any],
    of_traits: dict[str, Any],
    of_token: dict[str, Any],
    owned: bool,
) -> None:
    """Behaviour 27."""
    document: dict[str, Any] = {**wire.render_item(definition, None), "owned": owned, "quantity": int(owned), **unknown}
    document["attributes"] = [{**trait, **of_traits} for trait in document["attributes"]]
    if document["token"]:
        document["token"] |= of_token
    document = sent(document)
    assert item_again(document, whole=True) == document
    assert item_again(document).keys() == wire.render_item(definition, None).keys()


@given(SLOTS, UNKNOWN)
def test_what_is_not_known_of_a_slot_is_written_again(slot: CommunitySlot, unknown: dict[str, Any]) -> None:
    """Behaviour 27."""
    document = sent([{**wire.render_slot(slot, None, None), **unknown}])
    assert slots_again(document, whole=True) == document
    assert slots_again(document) == [sent(wire.render_slot(slot, None, None))]


@given(STATES, UNKNOWN, UNKNOWN, UNKNOWN)
def test_what_is_not_known_of_an_avatar_its_slots_and_its_mints_is_written_again(
    state: CommunityState, unknown: dict[str, Any], of_slots: dict[str, Any], of_mints: dict[str, Any]
) -> None:
    """Behaviour 27."""
    ids = [one.slot for one in state.allocations]
    document: dict[str, Any] = {**wire.render_avatar(state, "u_1", places(*ids)), **unknown}
    document["slots"] = [{**slot, **of_slots} for slot in document["slots"]]
    document["mints"] = [{**mint, **of_mints} for mint in document["mints"]]
    document = sent(document)
    assert avatar_again(document, *ids, whole=True) == document
    assert avatar_again(document, *ids) == sent(wire.render_avatar(state, "u_1", places(*ids)))


# --- the shapes that a service may choose -----------------------------------------------------------------------------

ITEM = {"id": "i_cap", "name": "Blue cap", "slotIds": ["s_head"]}


@pytest.mark.parametrize(
    ("document", "total"),
    [
        ([ITEM], None),
        ({"items": [ITEM]}, None),
        ({"data": [ITEM]}, None),
        ({"results": [ITEM]}, None),
        ({"slots": [ITEM]}, None),
        ({"items": [ITEM], "total": 7}, 7),
        ({"items": [ITEM], "totalCount": 7}, 7),
        ({"items": [ITEM], "count": 7}, 7),
        ({"items": [ITEM], "meta": 7}, 7),
        ({"items": [ITEM], "meta": {"total": 7}}, 7),
        ({"items": [ITEM], "meta": {"totalCount": "7"}}, 7),
        ({"items": [ITEM], "meta": {"version": 7}}, None),
        ({"items": [ITEM], "meta": "told elsewhere"}, None),
        ({"items": [ITEM], "total": 0}, 0),
        ({"data": {"items": [ITEM], "total": 7}}, 7),
        ({"data": {"results": [ITEM]}, "meta": {"total": 7}}, 7),
    ],
)
def test_a_list_is_one_bare_or_under_any_of_its_names(document: object, total: int | None) -> None:
    """Behaviour 27."""
    page = wire.parse_page(document)
    assert (page.entries, page.total) == ([ITEM], total)


@pytest.mark.parametrize(
    ("told", "is_all"),
    [
        ({}, False),
        ({"total": 1}, True),
        ({"total": 2}, False),
        ({"page": 1, "totalPages": 1}, True),
        ({"page": 1, "totalPages": 2}, False),
        ({"page": 2, "totalPages": 2, "total": 1}, False),
        ({"page": 2, "total": 1}, False),
        ({"page": "first", "total": 1}, True),
    ],
)
def test_a_page_is_all_only_where_it_tells_so(told: dict[str, Any], *, is_all: bool) -> None:
    assert wire.parse_page({"items": [ITEM], **told}).is_all == is_all


@pytest.mark.parametrize("wrapper", [None, "items", "data", "results", "slots"])
def test_slots_are_the_same_bare_and_wrapped(wrapper: str | None) -> None:
    """Behaviour 27."""
    document = sample("slots_filled")
    assert slots_again({wrapper: document} if wrapper else document) == document


@pytest.mark.parametrize("name", ["id", "_id", "itemId"])
@pytest.mark.parametrize(("told", "found"), [("i_cap", "i_cap"), (17, "17"), (2**53, "9007199254740992")])
def test_an_id_is_a_text_or_a_number_under_any_of_its_names(name: str, told: object, found: str) -> None:
    item = wire.parse_item({name: told}, "nova")
    assert (item.id, item.definition.key, item.definition.name) == (found, f"nova/{found}", found)
    assert item.extra is None


@pytest.mark.parametrize("name", ["id", "_id", "slotId"])
def test_a_slots_id_may_have_other_names(name: str) -> None:
    (slot,) = wire.parse_slots([{name: 5}], "nova")
    assert slot.slot == CommunitySlot(id="5", key="5", name="5", order=0)


@pytest.mark.parametrize("name", ["imageUrl", "image", "icon"])
def test_a_picture_may_have_other_names(name: str) -> None:
    told = {"id": "x", name: "https://cdn.nova.example/x.png"}
    assert wire.parse_item(told, "nova").definition.icon == told[name]
    assert wire.parse_kit(told, "nova").image_url == told[name]
    assert wire.parse_avatar({**told, "version": 0}).image_url == told[name]
    assert wire.parse_kit(told, "nova").extra is None


def test_a_second_picture_is_kept_beside_the_one_that_is_shown() -> None:
    told = {"id": "x", "imageUrl": None, "image": "large", "icon": "small"}
    kit = wire.parse_kit(told, "nova")
    assert (kit.image_url, kit.extra) == ("large", {"icon": "small"})


@pytest.mark.parametrize(
    ("told", "quantity"),
    [
        ({}, 0),
        ({"owned": True}, 1),
        ({"owned": False}, 0),
        ({"isOwned": True}, 1),
        ({"quantity": 3}, 3),
        ({"quantity": "3"}, 3),
        ({"quantity": 3.0}, 3),
        ({"owned": False, "quantity": 3}, 3),
        ({"owned": True, "quantity": None}, 1),
        ({"owned": True, "quantity": 0}, 0),
    ],
)
def test_that_an_item_is_owned_may_be_told_in_other_words(told: dict[str, Any], quantity: int) -> None:
    assert wire.parse_item({**ITEM, **told}, "nova").quantity == quantity


@pytest.mark.parametrize(
    "content",
    [
        {"item": "i_cap"},
        {"itemId": "i_cap"},
        {"item": {"id": "i_cap"}},
        {"item": {"_id": "i_cap", "name": "Blue cap"}},
        {"item": None, "itemId": "i_cap"},
    ],
)
def test_a_slots_content_may_be_an_id_alone(content: dict[str, Any]) -> None:
    (slot,) = wire.parse_slots([{"id": "s_head", **content}], "nova")
    assert (slot.item_id, slot.item) == ("i_cap", None)


@pytest.mark.parametrize("content", [{}, {"item": None}, {"item": ""}, {"itemId": ""}])
def test_a_slot_may_be_empty_in_other_words(content: dict[str, Any]) -> None:
    (slot,) = wire.parse_slots([{"id": "s_head", **content}], "nova")
    assert (slot.item_id, slot.item) == (None, None)


@pytest.mark.parametrize(
    ("told", "quantity", "counted"),
    [
        ({}, 0, False),
        ({"owned": True}, 1, False),
        ({"owned": False}, 0, True),
        ({"quantity": 2}, 2, True),
        ({"owned": True, "quantity": 2}, 2, True),
    ],
)
def test_how_many_of_what_lies_in_a_slot_there_are_is_only_known_where_it_is_told(
    told: dict[str, Any], quantity: int, counted: bool
) -> None:
    (slot,) = wire.parse_slots([{"id": "s_head", "item": {**ITEM, **told}}], "nova")
    assert slot.item is not None
    assert (slot.item.quantity, slot.item.is_counted) == (quantity, counted)
    assert slot.item.definition.slot_ids == ["s_head"]


def test_the_token_of_what_lies_in_a_slot_is_its_owners_though_no_number_is_told() -> None:
    token = {"blockchain": "sui", "contractAddress": "0x1", "tokenId": "7"}
    (slot,) = wire.parse_slots([{"id": "s_head", "item": {**ITEM, "token": token}}], "nova")
    assert slot.item is not None
    assert slot.item.token == BlockchainToken(blockchain="sui", contract_address="0x1", token_id="7")
    assert slot.item.definition.token == BlockchainToken(blockchain="sui", contract_address="0x1")


@pytest.mark.parametrize("part", [{"version": 3}, {"version": "3"}, {"slots": []}, {"mints": []}])
def test_an_avatar_tells_one_of_its_parts_bare_or_in_an_envelope(part: dict[str, Any]) -> None:
    told = {"userId": "u_1", **part}
    assert wire.parse_avatar({"data": told}) == wire.parse_avatar(told)
    assert wire.parse_user({"data": told}) == wire.parse_user(told) == "u_1"


@pytest.mark.parametrize(
    ("told", "ckey"),
    [
        ({"ckey": "nova"}, "nova"),
        ({"ckey": ""}, None),
        ({"ckey": None}, None),
        ({"ckey": 7}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_the_key_of_a_community_is_read_where_it_is_told(told: object, ckey: str | None) -> None:
    assert wire.parse_ckey(told) == ckey


def test_a_kit_that_does_not_tell_its_key_has_the_one_it_was_asked_by() -> None:
    kit = wire.parse_kit({"id": 1}, "nova")
    assert (kit.key, kit.name, kit.blockchains) == ("nova", "nova", [])


def test_slots_come_by_order_then_id() -> None:
    told = [{"id": "b", "order": 2}, {"id": "z", "order": 1}, {"id": "a", "order": 2}]
    assert [one.slot.id for one in wire.parse_slots(told, "nova")] == ["z", "a", "b"]


# --- what is refused --------------------------------------------------------------------------------------------------

SECRET = "s3cret"

KIT: Callable[[Any], object] = lambda value: wire.parse_kit(value, "nova")  # noqa: E731
ONE: Callable[[Any], object] = lambda value: wire.parse_item(value, "nova")  # noqa: E731
ALL: Callable[[Any], object] = lambda value: wire.parse_slots(value, "nova")  # noqa: E731

MALFORMED: list[tuple[Callable[[Any], object], Any]] = [
    (wire.parse_page, SECRET),
    (wire.parse_page, None),
    (wire.parse_page, {}),
    (wire.parse_page, {"items": {"a": SECRET}}),
    (wire.parse_page, {"data": {"data": {"data": [SECRET]}}}),
    (wire.parse_page, {"items": [], "total": SECRET}),
    (wire.parse_page, {"items": [], "total": -1}),
    (wire.parse_page, {"error": SECRET}),
    (KIT, [SECRET]),
    (KIT, {"name": SECRET}),
    (KIT, {"id": 1, "slotCount": SECRET}),
    (KIT, {"id": 1, "slotCount": 2**31}),
    (KIT, {"id": 1, "blockchains": SECRET}),
    (KIT, {"id": 1, "blockchains": [None]}),
    (KIT, {"id": 1, "createdAt": SECRET}),
    (KIT, {"id": 1, "createdAt": 17}),
    (KIT, {"id": 1, "createdAt": "0001-01-01T00:00:00+14:00"}),
    (ONE, SECRET),
    (ONE, {"name": SECRET}),
    (ONE, {"id": ""}),
    (ONE, {"id": True}),
    (ONE, {"id": [SECRET]}),
    (ONE, {"id": f"{SECRET}\n"}),
    (ONE, {"id": "x" * 257}),
    (ONE, {"id": "x", "name": {"en": SECRET}}),
    (ONE, {"id": "x", "quantity": -1}),
    (ONE, {"id": "x", "quantity": 1.5}),
    (ONE, {"id": "x", "quantity": True}),
    (ONE, {"id": "x", "quantity": 2**63}),
    (ONE, {"id": "x", "owned": SECRET}),
    (ONE, {"id": "x", "slotIds": SECRET}),
    (ONE, {"id": "x", "slotIds": [None]}),
    (ONE, {"id": "x", "attributes": [SECRET]}),
    (ONE, {"id": "x", "attributes": [{"traitType": "a", "value": [SECRET]}]}),
    (ONE, {"id": "x", "token": SECRET}),
    (ALL, {"id": SECRET}),
    (ALL, [SECRET]),
    (ALL, [{"id": "a", "order": SECRET}]),
    (ALL, [{"id": "a", "required": SECRET}]),
    (ALL, [{"id": "a", "item": [SECRET]}]),
    (ALL, [{"id": "a", "item": {"name": SECRET, "slotIds": []}}]),
    (ALL, [{"id": "a", "allocatedAt": SECRET}]),
    (ALL, [{"id": SECRET}, {"id": SECRET}]),
    (wire.parse_avatar, [SECRET]),
    (wire.parse_avatar, {"version": SECRET}),
    (wire.parse_avatar, {"slots": SECRET}),
    (wire.parse_avatar, {"slots": [SECRET]}),
    (wire.parse_avatar, {"slots": [{"itemId": SECRET}]}),
    (wire.parse_avatar, {"slots": [{"slotId": SECRET}, {"slotId": SECRET}]}),
    (wire.parse_avatar, {"mints": [SECRET]}),
    (wire.parse_avatar, {"mints": [{"mintedAt": SECRET}]}),
    (wire.parse_avatar, {"userId": SECRET}),
    (wire.parse_avatar, {"id": SECRET, "version": None, "slots": None, "mints": None}),
    (wire.parse_avatar, {"data": {"userId": SECRET}}),
    (wire.parse_avatar, {"data": [SECRET]}),
    (wire.parse_avatar, {"data": {"data": {"version": 1}}}),
    (wire.parse_avatar, {"error": SECRET}),
    (wire.parse_user, {"userId": SECRET}),
    (wire.parse_user, {"version": 1, "userId": {"name": SECRET}}),
    (wire.parse_wallets, {"blockchain": SECRET}),
    (wire.parse_wallets, [{"blockchain": SECRET}]),
]


@pytest.mark.parametrize(("parse", "value"), MALFORMED)
def test_what_cannot_be_read_is_an_invalid_answer_and_no_value_of_it_is_told(
    parse: Callable[[Any], object], value: object
) -> None:
    with pytest.raises(UpstreamInvalid) as caught:
        parse(value)
    assert SECRET not in caught.value.message


NAMES = ("id", "_id", "slots", "items", "item", "itemId", "slotIds", "attributes", "token", "mints", "version", "data")


@given(
    st.recursive(
        JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner), max_leaves=12
    )
)
def test_any_json_at_all_is_read_or_is_an_invalid_answer(value: object) -> None:
    for parse in (KIT, ONE, ALL, wire.parse_avatar, wire.parse_page, wire.parse_user, wire.parse_wallets):
        with contextlib.suppress(UpstreamInvalid):
            assert parse(value) is not None or parse is wire.parse_user
    assert isinstance(wire.parse_details(value), list)
    assert wire.error_name(value) in {None, *wire.ERRORS}


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", sample("errors"))
def test_the_name_of_an_error_is_told_whatever_its_case_and_place(told: Any) -> None:
    """Behaviour 2."""
    assert wire.error_name(told["body"]) == told["name"]
    if told["name"] is not None:
        assert wire.ERRORS[told["name"]][0] == told["status"]


@given(st.sampled_from([*wire.ERRORS]), st.randoms())
def test_an_errors_name_is_known_in_any_mixture_of_cases(name: str, random: Any) -> None:
    """Behaviour 2."""
    mixed = "".join(random.choice((letter.lower(), letter.upper())) for letter in name)
    assert wire.error_name({"code": 1, "message": f" {mixed} "}) == name


def test_the_error_of_a_bad_request_has_the_services_own_number() -> None:
    """Behaviour 1."""
    assert wire.ERRORS["GENERIC_CLIENT_ERROR"] == (400, 10002, "generic_client_error")


def test_details_are_written_and_read_back() -> None:
    details = [
        wire.Detail(reason="not_owned", slot="s_head", item="i_cap"),
        wire.Detail(reason="invalid_field", field="slots"),
    ]
    assert wire.parse_details({"code": 10002, "details": wire.render_details(details)}) == details


def test_details_that_cannot_be_read_are_left_out() -> None:
    told = [SECRET, {"reason": 1}, {"reason": " NOT_OWNED ", "slotId": 5, "itemId": "i_cap"}]
    assert wire.parse_details({"details": told}) == [wire.Detail(reason="not_owned", item="i_cap")]
    assert wire.parse_details({"details": SECRET}) == wire.parse_details([SECRET]) == []


# --- requests ---------------------------------------------------------------------------------------------------------


def test_an_allocation_is_asked_for_with_an_empty_text_to_clear() -> None:
    assert wire.render_allocation([("s_head", "i_cap"), ("s_back", None)]) == {
        "slots": [{"slotId": "s_head", "itemId": "i_cap"}, {"slotId": "s_back", "itemId": ""}]
    }


# --- joining ----------------------------------------------------------------------------------------------------------


def test_the_slots_own_document_tells_what_lies_in_them_and_the_avatars_all_else() -> None:
    state = CommunityState(number=3, allocations=[CommunityAllocation(slot="s_head", item="i_old")], image_url="a.png")
    slots = CommunityAllocations(slots=[CommunityAllocation(slot="s_head", item="i_cap")])
    joined = wire.joined_state(state, slots)
    assert (joined.number, joined.image_url, joined.allocations) == (3, "a.png", slots.slots)
    assert wire.joined_state(state, None) == state
    assert wire.joined_state(None, slots).number == 1
    assert wire.joined_state(None, CommunityAllocations(slots=[])) == wire.joined_state(None, None) == CommunityState()
