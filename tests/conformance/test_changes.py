"""Live changes: told in order, to those who may see them, and from where one left off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from gateway.backends.compared import Compared
from gateway.backends.guarded import Guarded
from gateway.backends.local import Place
from gateway.model.change import change_cursor, no_changes
from gateway.model.ids import ITEM, ItemRef, OwnerRef, encode_id
from gateway.model.manifest import BackendKind
from tests.conformance.conftest import Subject, matrix
from tests.gateways import NOW
from tests.http.doors import until
from tests.sockets import Socket, socket

FOLLOW = """subscription($owner: OwnerInput!, $since: String) { inventoryChanged(owner: $owner, since: $since) {
  cursor at isReset changes { createdIds updatedIds movedIds removedIds isReplayed versions { container } } } }"""
ITEMS = "query($owner: OwnerInput!) { inventory(owner: $owner) { items(first: 3) { nodes { id key } } } }"


class Following:
    """A subject whose inventory somebody follows."""

    def __init__(self, subject: Subject, end: Socket) -> None:
        self.subject, self.end = subject, end

    async def follow(self, key: str = "1", since: str | None = None) -> None:
        subject = self.subject
        if subject.backend is BackendKind.LOCAL and since is None:
            # Else what is written at once might be from before the subscription.
            owner = OwnerRef(subject.provider.key, subject.world.owner)
            since = await newest(subject, owner)
        await self.end.subscribe(key, FOLLOW, owner=subject.owner, since=since)
        if subject.backend is BackendKind.UPSTREAM:
            # What is there first is what later looks are compared with.
            await looked(compared(subject))

    async def lose(self, key: str) -> str:
        """Take an item away, where it is stored, and give its id."""
        subject = self.subject
        ref = ItemRef(subject.provider.key, subject.world.owner, key)
        owner = OwnerRef(*ref[:2])
        changes = no_changes(owner)
        node_id = encode_id(ITEM, ref)
        changes.removed_ids = [cast("Any", node_id)]
        async with subject.dialect.gateway.store.writing(owner) as writer:
            await writer.delete_items([ref])
            await writer.record(owner, "deleteItems", changes, at=NOW + timedelta(seconds=1))
        return node_id

    async def change(self, key: str = "1") -> dict[str, Any]:
        return (await self.end.next(key))["inventoryChanged"]

    async def removal(self, key: str = "1") -> dict[str, Any]:
        """Give the next change that takes something away, or anything may have.

        A look that falls into the middle of a write sees half of it, such as a version, and the next one the rest.
        """
        while True:
            change = await self.change(key)
            if change["isReset"] or change["changes"]["removedIds"]:
                return change


async def newest(subject: Subject, owner: OwnerRef) -> str:
    """Give the cursor of the newest change."""
    store = subject.dialect.gateway.store
    (change,) = await store.changes_after(owner, await store.last_change(owner) - 1) or [None]
    return change_cursor(owner, Place(change.sequence, change.at).text if change else "0:0")


def compared(subject: Subject) -> Compared:
    backend = subject.asked.gateway.backends[subject.provider.key]
    return cast("Compared", cast("Guarded", backend).feed)


async def looked(feed: Compared) -> None:
    """Wait until every inventory that is followed was read once."""
    followed = feed._followed  # pyright: ignore[reportPrivateUsage]  # nothing tells it to clients
    await until(lambda: followed and all(one.snapshot for one in followed.values()))


async def following(subject: Subject, end: Socket) -> Following:
    if subject.backend is BackendKind.UPSTREAM:
        compared(subject).interval = 0.02
    await end.begin(subject.asked.headers)
    return Following(subject, end)


async def keys(subject: Subject) -> list[str]:
    nodes = (await subject.ask(ITEMS)).whole()["inventory"]["items"]["nodes"]
    return [node["key"] for node in nodes]


async def test_a_change_is_told_once_and_in_order(subject: Subject) -> None:
    first, second, _ = await keys(subject)
    async with socket(subject.asked.gateway.app()) as end:
        it = await following(subject, end)
        await it.follow()
        cursors: list[str] = []
        for key in (first, second):
            gone = await it.lose(key)
            change = await it.removal()
            assert change["changes"]["removedIds"] == [gone]
            assert not change["isReset"]
            assert not change["changes"]["createdIds"]
            assert not change["changes"]["isReplayed"]
            cursors.append(change["cursor"])
        assert len(set(cursors)) == 2


async def test_one_who_comes_back_is_told_what_has_changed_meanwhile(subject: Subject) -> None:
    first, second, third = await keys(subject)
    async with socket(subject.asked.gateway.app()) as end:
        it = await following(subject, end)
        await it.follow()
        await it.lose(first)
        since = (await it.removal())["cursor"]
        await end.say({"id": "1", "type": "complete"})
        gone = await it.lose(second)
        await it.follow("2", since)
        assert (await it.removal("2"))["changes"]["removedIds"] == [gone]
        gone = await it.lose(third)
        assert (await it.removal("2"))["changes"]["removedIds"] == [gone]


async def test_several_follow_and_none_takes_from_another(subject: Subject) -> None:
    first, *_ = await keys(subject)
    async with socket(subject.asked.gateway.app()) as one, socket(subject.asked.gateway.app()) as two:
        here, there = await following(subject, one), await following(subject, two)
        await here.follow()
        await there.follow()
        gone = await here.lose(first)
        for it in (here, there):
            assert (await it.removal())["changes"]["removedIds"] == [gone]


async def test_a_cursor_that_is_none_of_this_inventory_is_refused(subject: Subject) -> None:
    async with socket(subject.asked.gateway.app()) as end:
        await following(subject, end)
        for bad in ("x", "", "é", "W10", "a" * 5000, "WyJ4IiwieSIsIjEiXQ"):
            await end.subscribe("1", FOLLOW, owner=subject.owner, since=bad)
            if bad == "":
                await end.say({"id": "1", "type": "complete"})
                continue
            message = await end.hear()
            assert message["type"] == "error", bad
            assert message["payload"][0]["extensions"]["code"] == "INVALID_INPUT"


async def test_an_owner_that_is_unknown_has_no_changes(subject: Subject) -> None:
    async with socket(subject.asked.gateway.app()) as end:
        await following(subject, end)
        await end.subscribe("1", FOLLOW, owner=subject.to(subject.world.unknown_owner))
        message = await end.hear()
        assert message["type"] == "error"
        error = message["payload"][0]["extensions"]
        assert (error["code"], error["provider"]) == ("NOT_FOUND", subject.name)


async def test_one_without_a_good_credential_is_told_nothing(subject: Subject) -> None:
    bad = dict.fromkeys(subject.asked.headers, "no-such-secret")
    async with socket(subject.asked.gateway.app()) as end:
        await end.begin(bad)
        await end.subscribe("1", FOLLOW, owner=subject.owner)
        message = await end.hear()
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] in ("UNAUTHENTICATED", "NOT_FOUND")


async def test_a_cursor_from_elsewhere_begins_anew(subject: Subject) -> None:
    """Such as one from before the store was made anew, or, of a service, one from another process."""
    owner = OwnerRef(subject.provider.key, subject.world.owner)
    async with socket(subject.asked.gateway.app()) as end:
        it = await following(subject, end)
        place = "ffffffff:7" if subject.backend is BackendKind.UPSTREAM else "1:5"
        await it.follow(since=change_cursor(owner, place))
        change = await it.change()
        assert change["isReset"]
        assert not any(change["changes"][name] for name in ("createdIds", "updatedIds", "movedIds", "removedIds"))


@pytest.mark.parametrize("subject", [cell for cell in matrix() if "upstream" not in str(cell.id)], indirect=True)
async def test_an_import_says_that_anything_may_have_changed(subject: Subject) -> None:
    owner = OwnerRef(subject.provider.key, subject.world.owner)
    async with socket(subject.asked.gateway.app()) as end:
        it = await following(subject, end)
        await it.follow()
        store = subject.dialect.gateway.store
        (known,) = (await store.owners([owner])).values()
        await store.import_records(subject.provider.key, [known])
        change = await it.change()
        assert change["isReset"]
        assert change["changes"]["createdIds"] == []
