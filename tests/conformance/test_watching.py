"""Following an inventory of a service: what is found by looking again, what a look costs, and for whom."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.model.errors import UpstreamUnavailable
from gateway.model.ids import CONTAINER, ContainerRef, encode_id
from gateway.model.manifest import Capability
from tests.conformance.conftest import Subject, matrix
from tests.conformance.test_changes import FOLLOW, compared, following, keys, looked
from tests.http.doors import until
from tests.sockets import socket


def upstreams(*needed: Capability) -> pytest.MarkDecorator:
    cells = [cell for cell in matrix(*needed) if str(cell.id).endswith("upstream")]
    return pytest.mark.parametrize("subject", cells, indirect=True)


@upstreams()
async def test_a_look_costs_so_many_calls_however_many_follow(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = compared(subject)
    feed.interval = 0.02
    looks: list[int] = []
    read = feed.read

    async def counted(*given: Any) -> Any:
        subject.asked.calls.clear()
        found = await read(*given)
        looks.append(len(subject.asked.calls))
        assert max(Counter(subject.asked.calls).values()) == 1
        return found

    monkeypatch.setattr(feed, "read", counted)
    async with socket(subject.asked.gateway.app()) as end:
        await end.begin(subject.asked.headers)
        await end.subscribe("0", FOLLOW, owner=subject.owner)
        await looked(feed)
        await until(lambda: len(looks) > 3)
        first = looks[2:4]
        # The door asks for each whether it may see: until then there may be calls that belong to no look.
        for key in "123":
            await end.subscribe(key, FOLLOW, owner=subject.owner)
        await until(lambda: len(looks) > 20)
        assert first == looks[-2:] == [subject.world.look] * 2
    done = len(looks)
    subject.asked.calls.clear()
    assert len(looks) <= done + 1
    assert not subject.asked.calls


@upstreams()
async def test_a_look_that_fails_is_no_change_and_the_next_goes_on(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = await keys(subject)
    feed = compared(subject)
    read, fail = feed.read, [False]

    async def failing(*given: Any) -> Any:
        if fail[0]:
            raise UpstreamUnavailable("The service is down.")
        return await read(*given)

    monkeypatch.setattr(feed, "read", failing)
    async with socket(subject.asked.gateway.app()) as end:
        it = await following(subject, end)
        await it.follow()
        fail[0] = True
        gone = [await it.lose(first), await it.lose(second)]
        fail[0] = False
        told: list[str] = []
        while len(told) < 2:
            told += (await it.change())["changes"]["removedIds"]
        assert sorted(told) == sorted(gone)


@upstreams()
async def test_an_owner_that_is_gone_ends_the_changes(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = compared(subject)
    open_session = feed._source.session  # pyright: ignore[reportPrivateUsage]  # nothing else is between it and the service
    gone = [False]

    def session(credential: Any) -> Any:
        opened: Any = open_session(credential)
        if gone[0]:

            async def nothing(_asked: Any) -> Any:
                return {}

            opened.items_by_owner = opened.containers_by_owner = nothing
        return opened

    monkeypatch.setattr(feed, "_source", SimpleNamespace(session=session))
    async with socket(subject.asked.gateway.app()) as end:
        it = await following(subject, end)
        await it.follow()
        gone[0] = True
        message = await end.hear()
        assert message["type"] == "error"
        error = message["payload"][0]["extensions"]
        assert (error["code"], error["provider"]) == ("NOT_FOUND", subject.name)


@upstreams()
async def test_one_who_has_missed_what_is_no_longer_kept_is_told_so(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.backends.compared._KEPT", 1)
    first, second, third = await keys(subject)
    async with socket(subject.asked.gateway.app()) as quick, socket(subject.asked.gateway.app()) as slow:
        it, late = await following(subject, quick), await following(subject, slow)
        await it.follow()
        await late.follow()
        slow.reads.clear()
        gone: list[str] = []
        for key in (first, second, third):
            gone.append(await it.lose(key))
            assert (await it.removal())["changes"]["removedIds"] == gone[-1:]
        slow.reads.set()
        told = [await late.change() for _ in range(2)]
        assert [one["isReset"] for one in told] == [False, True]


@upstreams()
async def test_more_than_can_be_told_is_told_as_anything(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.backends.compared._MOST_TOLD", 0)
    first, *_ = await keys(subject)
    async with socket(subject.asked.gateway.app()) as end:
        it = await following(subject, end)
        await it.follow()
        await it.lose(first)
        change = await it.change()
        assert change["isReset"]
        assert change["changes"]["removedIds"] == []


@upstreams(Capability.SLOTS, Capability.ALLOCATE_SLOTS)
async def test_what_is_put_in_a_slot_changes_its_container(subject: Subject) -> None:
    dressing = subject.world.dressing
    assert dressing is not None
    async with socket(subject.asked.gateway.app()) as end:
        it = await following(subject, end)
        await it.follow()
        container = encode_id(CONTAINER, ContainerRef(subject.provider.key, subject.world.owner, subject.world.slotted))
        done = await subject.dialect.ask(
            "mutation($i: AllocateSlotsInput!) { allocateSlots(input: $i) { errors { message } } }",
            i={"container": container, "slots": [{"slot": dressing.empty, "definitionKey": dressing.fitting}]},
        )
        assert done.whole()["allocateSlots"]["errors"] == []
        changes = (await it.change())["changes"]
        # Where what is read for it tells a version, that; else that the container is another.
        assert [container] in (changes["updatedIds"], [one["container"] for one in changes["versions"]])


@upstreams(Capability.UPDATE_CONTAINERS)
async def test_what_is_renamed_is_updated(subject: Subject) -> None:
    folders = subject.world.folders
    assert folders is not None
    folder = encode_id(CONTAINER, ContainerRef(subject.provider.key, subject.world.owner, folders.folder))
    async with socket(subject.asked.gateway.app()) as end:
        it = await following(subject, end)
        await it.follow()
        done = await subject.dialect.ask(
            "mutation($i: UpdateContainersInput!) { updateContainers(input: $i) { errors { message } } }",
            i={"containers": [{"id": folder, "name": "Another name"}]},
        )
        assert done.whole()["updateContainers"]["errors"] == []
        # A look that falls into the middle of a write sees half of it, and the next one the rest.
        updated: list[str] = []
        while not updated:
            changes = (await it.change())["changes"]
            updated += changes["updatedIds"]
            assert [changes[name] for name in ("createdIds", "removedIds", "movedIds")] == [[], [], []]
        assert updated == [folder]


@upstreams()
async def test_two_credentials_never_share_what_was_seen(subject: Subject) -> None:
    feed = compared(subject)
    async with socket(subject.asked.gateway.app()) as mine, socket(subject.asked.gateway.app()) as other:
        it = await following(subject, mine)
        await it.follow()
        await other.begin({name: f"{value}x" for name, value in subject.asked.headers.items()})
        await other.subscribe("1", FOLLOW, owner=subject.owner)
        message = await other.hear()
        assert message["type"] == "error"
        followed = feed._followed  # pyright: ignore[reportPrivateUsage]  # nothing tells it to clients
        assert len(followed) == 1
