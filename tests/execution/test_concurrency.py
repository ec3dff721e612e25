"""Nothing waits for what it does not need: relations, providers and keys go on by themselves, at every level."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest

from gateway.api.context import Context
from gateway.model.arguments import ContainerKind
from gateway.model.container import ContainerConnection, Contents
from gateway.model.credentials import Credential
from gateway.model.ids import ITEM, ContainerRef, DefinitionRef, ItemRef, OwnerRef, encode_id
from gateway.model.item import ItemConnection
from gateway.model.manifest import ProviderKey
from gateway.model.owner import InventoryOwner
from gateway.model.paging import Part, Position
from gateway.providers.guildwars2.types import GuildWars2Bag, GuildWars2Item, GuildWars2ItemDefinition
from tests.execution.both import by_library, compiled
from tests.execution.graph import REAL
from tests.gateways import caller

SLOW = 0.05

Event = tuple[str, str, str]
"""`begins` or `ends`, a provider and a method."""


def an_item(ref: ItemRef) -> GuildWars2Item:
    return GuildWars2Item(
        owner=OwnerRef(ref.provider, ref.owner),
        key=ref.key,
        sort=ref.key,
        definition_key="item:1",
        container_key="bank",
    )


def a_bag(owner: OwnerRef, key: str) -> GuildWars2Bag:
    return GuildWars2Bag(owner=owner, key=key, sort=key, name=key, kind=ContainerKind.BAG, index=0, size=1)


def a_page(thing: Any) -> Any:
    return Part(entries=[(Position("natural", 0, "x"), thing)], has_next=False, has_previous=False, total=1)


def contents(ref: ContainerRef) -> Contents:
    bag = a_bag(OwnerRef(ref.provider, ref.owner), ref.key)
    return Contents(container=bag, capacity=1, free_slots=1, slots=[], items=[], digest=lambda: "v")


def definition(ref: DefinitionRef) -> GuildWars2ItemDefinition:
    return GuildWars2ItemDefinition(
        provider=ProviderKey(ref.provider), key=ref.key, game_types=[], flags=[], restrictions=[], chat_link=""
    )


ANSWERS: Mapping[str, Callable[[Any], Any]] = {
    "owners_by_key": lambda ref: InventoryOwner(provider=ProviderKey(ref.provider), key=ref.owner),
    "items_by_key": an_item,
    "items_by_owner": lambda asked: ItemConnection.of(
        a_page(an_item(ItemRef(asked.provider, asked.ref.owner, "bank#0")))
    ),
    "containers_by_owner": lambda asked: ContainerConnection.of(a_page(a_bag(asked.ref, "bank"))),
    "containers_by_key": lambda ref: a_bag(OwnerRef(ref.provider, ref.owner), ref.key),
    "contents_by_container": contents,
    "definitions_by_key": definition,
    "visibility_by_owner": lambda _: True,
}


class TimedSession:
    """A session that answers each method of each provider in its own time, and notes when it does."""

    def __init__(self, provider: str, slow: Mapping[tuple[str, str], float], events: list[Event]) -> None:
        self.provider, self.slow, self.events = provider, slow, events
        self.credential = Credential(provider)

    async def identity(self, _key: str) -> str:
        await self._time("identity")
        return "mine"

    async def _time(self, method: str) -> None:
        self.events.append(("begins", self.provider, method))
        await asyncio.sleep(self.slow.get((self.provider, method), 0))
        self.events.append(("ends", self.provider, method))

    def __getattr__(self, method: str) -> Any:
        async def read(keys: Sequence[Any]) -> dict[Any, Any]:
            await self._time(method)
            return {key: ANSWERS[method](key) for key in keys}

        if method not in ANSWERS:
            raise AttributeError(method)
        return read

    async def aclose(self) -> None:
        """End the session."""


class TimedBackend:
    """Opens timed sessions."""

    def __init__(self, provider: str, slow: Mapping[tuple[str, str], float], events: list[Event]) -> None:
        self.opened = TimedSession(provider, slow, events)

    def session(self, credential: Credential) -> TimedSession:
        self.opened.credential = credential
        return self.opened


@pytest.fixture(params=[by_library, compiled], ids=["graphql-core", "ours"])
def execute(request: pytest.FixtureRequest) -> Any:
    """Run an operation either way: what is demanded of ours, graphql-core does already."""
    return request.param


async def timed(execute: Any, slow: Mapping[tuple[str, str], float], text: str) -> list[Event]:
    """Run an operation, and give what began and ended in the meantime, in order."""
    events: list[Event] = []
    backends = {provider: TimedBackend(provider, slow, events) for provider in ("guildwars2", "roblox")}
    context = Context(cast("Any", backends), caller())
    result = await execute(REAL, text, {}, None, context)
    await context.aclose()
    assert not result.errors
    return events


def before(events: list[Event], first: Event, second: Event) -> bool:
    """Say whether one thing happened before another; both must have."""
    return events.index(first) < events.index(second)


OWNER = '(owner: {provider: GUILD_WARS_2, key: "a"})'
CROSSED = (
    f"{{ inventory{OWNER} {{ items {{ nodes {{ definition {{ key }} }} }} containers {{ nodes {{ capacity }} }} }} }}"
)


@pytest.mark.parametrize(
    ("slow", "fast"),
    [("items_by_owner", "contents_by_container"), ("containers_by_owner", "definitions_by_key")],
)
async def test_what_is_below_a_fast_relation_does_not_wait_for_a_slow_one(execute: Any, slow: str, fast: str) -> None:
    events = await timed(execute, {("guildwars2", slow): SLOW}, CROSSED)
    assert before(events, ("begins", "guildwars2", fast), ("ends", "guildwars2", slow))


async def test_two_relations_that_are_slow_at_different_levels_are_slow_together(execute: Any) -> None:
    slow = {("guildwars2", "items_by_owner"): SLOW, ("guildwars2", "contents_by_container"): 3 * SLOW}
    events = await timed(execute, slow, CROSSED)
    assert before(events, ("begins", "guildwars2", "contents_by_container"), ("ends", "guildwars2", "items_by_owner"))
    assert before(
        events, ("begins", "guildwars2", "definitions_by_key"), ("ends", "guildwars2", "contents_by_container")
    )


@pytest.mark.parametrize("order", [("GUILD_WARS_2", "ROBLOX"), ("ROBLOX", "GUILD_WARS_2")])
async def test_a_slow_provider_does_not_hold_up_another_in_one_list(execute: Any, order: tuple[str, str]) -> None:
    owners = ", ".join(f'{{provider: {provider}, key: "a"}}' for provider in order)
    text = f"{{ inventories(owners: [{owners}]) {{ containers {{ nodes {{ capacity }} }} }} }}"
    events = await timed(execute, {("guildwars2", "containers_by_owner"): SLOW}, text)
    end = ("ends", "guildwars2", "containers_by_owner")
    assert before(events, ("begins", "roblox", "contents_by_container"), end)
    assert before(events, ("ends", "roblox", "contents_by_container"), end)


async def test_a_slow_provider_does_not_hold_up_another_at_the_root(execute: Any) -> None:
    text = f"""{{
      slow: inventory{OWNER} {{ isVisible }}
      fast: inventory(owner: {{provider: ROBLOX, key: "a"}}) {{ isVisible containers {{ nodes {{ capacity }} }} }}
    }}"""
    events = await timed(execute, {("guildwars2", "owners_by_key"): SLOW}, text)
    end = ("ends", "guildwars2", "owners_by_key")
    assert before(events, ("ends", "roblox", "visibility_by_owner"), end)
    assert before(events, ("ends", "roblox", "contents_by_container"), end)


async def test_a_slow_provider_does_not_hold_up_another_among_nodes(execute: Any) -> None:
    ids = ", ".join(f'"{encode_id(ITEM, ItemRef(provider, "a", "bank#0"))}"' for provider in ("guildwars2", "roblox"))
    text = f"{{ nodes(ids: [{ids}]) {{ ... on Item {{ definition {{ key }} }} }} }}"
    events = await timed(execute, {("guildwars2", "items_by_key"): SLOW}, text)
    assert before(events, ("begins", "roblox", "definitions_by_key"), ("ends", "guildwars2", "items_by_key"))


async def test_nodes_of_one_kind_do_not_wait_for_those_of_another(execute: Any) -> None:
    item = encode_id(ITEM, ItemRef("guildwars2", "a", "bank#0"))
    bag = encode_id("container", ContainerRef("guildwars2", "a", "bank"))
    below = "... on Item { definition { key } } ... on Container { capacity }"
    text = f'{{ nodes(ids: ["{item}", "{bag}"]) {{ {below} }} }}'
    events = await timed(execute, {("guildwars2", "items_by_key"): SLOW}, text)
    assert before(events, ("begins", "guildwars2", "contents_by_container"), ("ends", "guildwars2", "items_by_key"))


async def test_owners_by_name_do_not_wait_for_the_name_of_the_one_who_asks(execute: Any) -> None:
    owners = '[{provider: GUILD_WARS_2, key: "me"}, {provider: GUILD_WARS_2, key: "a"}]'
    events = await timed(
        execute, {("guildwars2", "identity"): SLOW}, f"{{ inventories(owners: {owners}) {{ isVisible }} }}"
    )
    assert before(events, ("begins", "guildwars2", "visibility_by_owner"), ("ends", "guildwars2", "identity"))
