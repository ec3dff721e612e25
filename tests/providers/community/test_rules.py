"""The rules, without a store: what fits where, judged on the final state; minting; keys; tokens."""

from __future__ import annotations

import base64
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.errors import Conflict, InvalidInput, LimitExceeded, NotFound, Refusal
from gateway.model.ids import OwnerRef, decode_id
from gateway.model.manifest import Capability
from gateway.model.ports import Holder, Wanted
from gateway.providers.community import rules, wire
from gateway.providers.community.ledger import LocalLedger
from gateway.providers.community.rules import Order, Stock
from gateway.providers.community.types import (
    CommunityAllocation,
    CommunityItem,
    CommunityKit,
    CommunityMint,
    CommunitySlot,
    CommunityState,
    CommunityWallet,
)
from gateway.providers.community.verbs import changed

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
U_1 = Holder("nova/u_1", "session")
BEFORE = NOW - timedelta(days=1)
SLOTS = [CommunitySlot(id=f"s{at}", key=f"s{at}", name=f"Slot {at}", order=at) for at in range(5)]
ITEMS = [f"i{at}" for at in range(4)]
KIT = CommunityKit(id="inv", key="nova", name="Nova", blockchains=["sui", "Base"], slot_count=5, item_count=4)

slot_ids = st.sampled_from([slot.id for slot in SLOTS])
item_ids = st.sampled_from(ITEMS)
stocks = st.builds(
    Stock,
    fits=st.dictionaries(item_ids, st.sets(slot_ids)),
    owned=st.dictionaries(item_ids, st.integers(0, 3)),
)
entry_lists = st.lists(st.tuples(slot_ids | st.just("nowhere"), st.none() | item_ids | st.just("nothing")), max_size=6)


def state(**filled: str) -> CommunityState:
    return CommunityState(
        number=7 if filled else 0,
        allocations=[CommunityAllocation(slot=slot, item=item, at=BEFORE) for slot, item in filled.items()],
        updated_at=BEFORE if filled else None,
    )


def filled(found: CommunityState) -> dict[str, str]:
    return {allocation.slot: allocation.item for allocation in found.allocations}


def is_lawful(found: CommunityState, stock: Stock) -> bool:
    lying = Counter(allocation.item for allocation in found.allocations)
    return all(lying[item] <= stock.left(item) for item in lying)


states = st.dictionaries(slot_ids, item_ids, max_size=5).map(lambda pairs: state(**pairs))


@given(states, stocks)
def test_what_is_settled_is_lawful_and_stays_so(before: CommunityState, stock: Stock) -> None:
    after = rules.settled(SLOTS, before, stock, at=NOW)
    assert is_lawful(after, stock)
    assert after.updated_at == (before.updated_at if after is before else NOW)
    assert rules.lying(SLOTS, after, stock) == sorted(after.allocations, key=lambda one: one.slot)
    assert rules.settled((), before, stock, at=NOW) is before
    assert filled(after).items() <= filled(before).items()
    assert rules.settled(SLOTS, after, stock, at=NOW) is after
    assert after.number == before.number + (filled(after) != filled(before))
    # Nothing more is taken out than must be.
    for slot, item in filled(before).items() - filled(after).items():
        assert list(filled(after).values()).count(item) == stock.left(item), slot


@given(states, stocks, entry_lists, st.randoms())
def test_an_allocation_is_lawful_whole_or_not_at_all(
    before: CommunityState, stock: Stock, entries: list[tuple[str, str | None]], order: Any
) -> None:
    before = rules.settled(SLOTS, before, stock, at=BEFORE)
    shuffled = list(entries)
    order.shuffle(shuffled)
    try:
        after = rules.allocate(SLOTS, before, stock, entries, at=NOW)
    except Refusal as refusal:
        # Each fault names its entry, and none is told twice.
        paths = [fault.path for fault in refusal.all]
        assert len(paths) == len(set(paths))
        with pytest.raises(Refusal):
            rules.allocate(SLOTS, before, stock, shuffled, at=NOW)
        return
    wanted = {**filled(before), **{slot: item for slot, item in entries if item is not None}}
    for slot, item in entries:
        if item is None:
            wanted.pop(slot, None)
    assert filled(after) == wanted
    assert is_lawful(after, stock)
    assert all(slot in stock.fits[item] for slot, item in entries if item is not None)
    assert (after is before) == (wanted == filled(before))
    assert after.number == before.number + (after is not before)
    known = {allocation.slot: allocation.at for allocation in before.allocations}
    for allocation in after.allocations:
        same = filled(before).get(allocation.slot) == allocation.item
        assert allocation.at == (known[allocation.slot] if same else NOW)
    assert filled(rules.allocate(SLOTS, before, stock, shuffled, at=NOW)) == wanted


FREE = Stock(fits={item: {slot.id for slot in SLOTS} for item in ITEMS}, owned={"i0": 1, "i1": 1, "i2": 2})


def reasons(entries: list[tuple[str, str | None]], slots: list[CommunitySlot] = SLOTS, **lying: str) -> list[Any]:
    with pytest.raises(Refusal) as refused:
        rules.allocate(slots, state(**lying), FREE, entries, at=NOW)
    return [(fault.provider_code, fault.path) for fault in refused.value.all]


def test_items_change_places_in_one_list_whatever_its_order() -> None:
    for entries in ([("s0", "i1"), ("s1", "i0")], [("s1", "i0"), ("s0", "i1")]):
        after = rules.allocate(SLOTS, state(s0="i0", s1="i1"), FREE, entries, at=NOW)
        assert filled(after) == {"s0": "i1", "s1": "i0"}
    moved = rules.allocate(SLOTS, state(s0="i0"), FREE, [("s1", "i0"), ("s0", None)], at=NOW)
    assert filled(moved) == {"s1": "i0"}


def test_a_change_tells_the_slots_and_the_items_that_were_put_in_and_out() -> None:
    owner = OwnerRef("community", "nova/u")
    before = state(s0="i0", s1="i1")
    after = rules.allocate(SLOTS, before, FREE, [("s0", "i2"), ("s3", "i2")], at=NOW)
    told = changed(owner, before, after, SLOTS)
    assert [decode_id(one)[1][-1] for one in told.updated_ids] == ["s0", "s3"]
    assert sorted(decode_id(one)[1][-1] for one in told.moved_ids) == ["i0", "i2"]
    assert [version.version for version in told.versions] == ["8"]
    same = changed(owner, before, before, SLOTS)
    assert (same.updated_ids, same.moved_ids, same.versions) == ([], [], [])


def test_a_slot_that_is_named_twice_counts_once() -> None:
    assert reasons([("s0", "i0"), ("s0", "i0"), ("s1", None)]) == [("duplicate_slot", ("slots", "1", "slot"))]


def test_an_item_lies_in_as_many_slots_as_it_is_owned_times() -> None:
    assert filled(rules.allocate(SLOTS, state(s0="i2"), FREE, [("s1", "i2")], at=NOW)) == {"s0": "i2", "s1": "i2"}
    assert reasons([("s1", "i0")], s0="i0") == [("quantity_exceeded", ("slots", "0", "definitionKey"))]
    assert reasons([("s1", "i0"), ("s2", "i0")]) == [("quantity_exceeded", ("slots", "1", "definitionKey"))]


def test_a_required_slot_may_be_changed_but_not_emptied() -> None:
    slots = [CommunitySlot(id="s0", key="s0", name="Head", order=0, is_required=True), *SLOTS[1:]]
    assert filled(rules.allocate(slots, state(s0="i0"), FREE, [("s0", "i1")], at=NOW)) == {"s0": "i1"}
    assert reasons([("s0", None)], slots, s0="i0") == [("required_slot", ("slots", "0", "definitionKey"))]


def test_every_reason_is_told_with_its_entry() -> None:
    assert reasons([("nowhere", "i0"), ("s0", "i9"), ("s1", "i3"), ("s2", "i0"), ("s2", None)]) == [
        ("unknown_slot", ("slots", "0", "slot")),
        ("unknown_item", ("slots", "1", "definitionKey")),
        ("not_owned", ("slots", "2", "definitionKey")),
        ("duplicate_slot", ("slots", "4", "slot")),
    ]
    tight = Stock(fits={"i0": {"s1"}}, owned={"i0": 1})
    with pytest.raises(Refusal) as refused:
        rules.allocate(SLOTS, state(), tight, [("s0", "i0")], at=NOW)
    assert refused.value.provider_code == "does_not_fit"


def test_a_list_has_one_to_a_hundred_entries() -> None:
    with pytest.raises(InvalidInput):
        rules.allocate(SLOTS, state(), FREE, [], at=NOW)
    with pytest.raises(LimitExceeded):
        rules.allocate(SLOTS, state(), FREE, [("s0", None)] * 101, at=NOW)
    many = [CommunitySlot(id=f"t{at}", key="t", name="t", order=at) for at in range(100)]
    assert rules.allocate(many, state(), FREE, [(slot.id, None) for slot in many], at=NOW).number == 0


def test_laying_out_shares_one_holding_between_its_slots() -> None:
    avatar = wire.avatar(OwnerRef("community", "nova/u"))
    items = {
        item: CommunityItem(key=item, owner=avatar.owner, sort=item, definition_key=f"nova/{item}") for item in ITEMS
    }
    laid = rules.lay(avatar, SLOTS, state(s0="i2", s3="i2", s1="i0"), items)
    assert [slot.item and slot.item.key for slot in laid.slots or ()] == ["i2", "i0", None, "i2", None]
    assert [item.key for item in laid.items] == ["i2", "i0"]
    assert (laid.capacity, laid.free_slots) == (5, 2)
    assert [slot.key for slot in laid.items[0].slots] == ["s0", "s3"]  # type: ignore[attr-defined] -- of this provider
    assert {item: [slot.index for slot in found] for item, found in laid.places.items()} == {"i2": [0, 3], "i0": [1]}
    laid.release()


# --- minting ----------------------------------------------------------------------------------------------------------

WALLETS = [CommunityWallet(blockchain="SUI", address="0xa1")]


def ordered(found: CommunityState, blockchain: str = "sui", slots: list[CommunitySlot] = SLOTS) -> Order | None:
    return rules.order(KIT, slots, found, "u", WALLETS, blockchain)


def test_a_mint_is_ordered_for_the_version_and_the_wallet_on_that_blockchain() -> None:
    order = ordered(state(s0="i0"), " Sui ")
    assert order == Order(user="u", inventory="inv", version=7, blockchain="sui", wallet="0xa1")


def test_what_cannot_be_minted_is_refused_with_every_reason() -> None:
    required = [CommunitySlot(id="s0", key="s0", name="Head", order=0, is_required=True)]
    for found, blockchain, slots, expected in (
        (state(s0="i0"), "solana", SLOTS, ["unsupported_blockchain"]),
        (state(s0="i0"), "base", SLOTS, ["no_wallet"]),
        (state(), "sui", SLOTS, ["empty_avatar"]),
        (state(s1="i0"), "base", required, ["required_slot", "no_wallet"]),
    ):
        with pytest.raises(Refusal) as refused:
            ordered(found, blockchain, slots)
        assert [fault.provider_code for fault in refused.value.all] == expected


def test_a_mint_is_made_anew_only_after_a_failure_or_for_another_version() -> None:
    ledger = LocalLedger()
    found = state(s0="i0")
    for status, again in (("pending", False), ("minted", False), ("failed", True), (" FAILED", True)):
        found.mints = [CommunityMint(blockchain="SUI", version=7, status=status, requested_at=NOW)]
        assert (ordered(found) is not None) is again, status
    made = ledger.current(CommunityMint(blockchain="sui", version=7, status="pending", requested_at=NOW), **_whose())
    assert [mint.status for mint in rules.minted(found, made).mints] == ["minted"]
    found.mints = [CommunityMint(blockchain="sui", version=6, status="minted", requested_at=NOW)]
    assert ordered(found) is not None
    assert [mint.version for mint in rules.minted(found, made).mints] == [7, 6]


def _whose(at: datetime = NOW) -> dict[str, Any]:
    return {"user": "u", "inventory": "inv", "at": at}


async def test_the_ledger_mints_in_its_time_under_an_id_of_four_parts() -> None:
    slow = LocalLedger(timedelta(seconds=60))
    order = Order(user="u", inventory="inv", version=7, blockchain="sui", wallet="0xa1")
    pending = await slow.submit(order, at=NOW)
    assert (pending.status, pending.token_id, pending.tx_hash, pending.minted_at) == ("pending", None, None, None)
    almost = slow.current(pending, **_whose(NOW + timedelta(seconds=59)))
    assert almost.status == "pending"
    done = slow.current(pending, **_whose(NOW + timedelta(seconds=61)))
    assert (done.status, done.minted_at) == ("minted", NOW + timedelta(seconds=60))
    at_once = await LocalLedger().submit(order, at=NOW)
    assert (at_once.status, at_once.token_id, at_once.tx_hash) == ("minted", done.token_id, done.tx_hash)
    ids = {at_once.token_id}
    for other in ({"user": "v"}, {"inventory": "inw"}, {"version": 8}, {"blockchain": "base"}):
        parts: dict[str, Any] = {"user": "u", "inventory": "inv", "version": 7, "blockchain": "sui", **other}
        ids.add((await LocalLedger().submit(Order(**parts, wallet="0xa1"), at=NOW)).token_id)
    assert len(ids) == 5
    # Nobody knows since when it is pending: it shall not be so for ever.
    timeless = CommunityMint(blockchain="sui", version=7, status="Pending")
    assert slow.current(timeless, **_whose()).status == "minted"
    failed = CommunityMint(blockchain="sui", version=7, status="failed", requested_at=NOW)
    assert slow.current(failed, **_whose(NOW + timedelta(days=1))) is failed


# --- keys and tokens --------------------------------------------------------------------------------------------------


def test_keys_have_their_form() -> None:
    for key in ("nova", "nova/u_1", "nova/a/b", "nova/Zoë ", "n" * 128):
        rules.check_owner(key)
    for key in (
        "",
        "/u",
        "nova/",
        "me",
        "nova/me",
        "a\nb/u",
        "n" * 129,
        "nova/" + "😀" * 200,
        "nova/" + "u" * 257,
        "nova/a/me",
    ):
        with pytest.raises(InvalidInput):
            rules.check_owner(key)
    assert rules.own_key(U_1, "nebula/me") == "nebula/u_1"
    for key in ("me", "/me", "a/b/me"):
        with pytest.raises(InvalidInput):
            rules.own_key(U_1, key)
    assert rules.may_write(U_1, "nebula/u_1", Capability.ALLOCATE_SLOTS)
    assert not rules.may_write(U_1, "nova/u_2", Capability.ALLOCATE_SLOTS)
    assert not rules.may_write(U_1, "nova", Capability.ALLOCATE_SLOTS)


def wanted(**more: Any) -> Wanted:
    given: dict[str, Any] = {
        "part": "session",
        "owner": "nova/u_1",
        "name": "test",
        "scopes": (),
        "issued_at": NOW,
        "expires_at": None,
        "limits": (),
    }
    return Wanted(**{**given, **more})


def test_a_session_lasts_ten_minutes_and_names_its_user_a_refresh_token_thirty_days_and_nobody() -> None:
    session = rules.mint(wanted())
    assert session.expires_at == NOW + timedelta(minutes=10)
    payload = session.secret.split(".")[1]
    claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sub"] == "u_1"
    assert claims["exp"] - claims["iat"] == 600
    refresh = rules.mint(wanted(part="refresh"))
    assert refresh.expires_at == NOW + timedelta(days=30)
    assert "u_1" not in refresh.secret
    assert rules.mint(wanted(expires_at=NOW + timedelta(days=1))).expires_at == NOW + timedelta(days=1)
    assert len({rules.mint(wanted()).secret for _ in range(10)}) == 10


def test_a_new_mint_stands_before_the_others_and_takes_the_place_of_its_own_failure_alone() -> None:
    def made(version: int, blockchain: str, status: str) -> CommunityMint:
        return CommunityMint(blockchain=blockchain, version=version, status=status, requested_at=NOW)

    older = [made(7, "base", "failed"), made(6, "sui", "failed"), made(7, "SUI", "failed"), made(5, "sui", "minted")]
    new = made(7, "sui", "minted")
    found = rules.minted(CommunityState(mints=older), new)
    assert found.mints == [new, older[0], older[1], older[3]]


@pytest.mark.parametrize("bad", [{"owner": "nova"}, {"limits": ("/v1",)}])
def test_a_token_of_nobody_or_with_limits_is_not_made(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        rules.mint(wanted(**bad))


@pytest.mark.parametrize(
    ("reason", "kind"), [("not_owned", Conflict), ("unknown_slot", NotFound), ("duplicate_slot", InvalidInput)]
)
def test_a_reason_is_told_as_the_kind_of_error_that_it_is(reason: str, kind: type[Refusal]) -> None:
    found = rules.refusal(reason)
    assert type(found) is kind
    assert found.provider_code == reason
