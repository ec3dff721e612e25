"""Data that is equal in every run: made from a seed and a key alone, with as many faults as a plan says."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from graphql import (
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLUnionType,
)
from strawberry import Schema

from gateway.api.context import Context
from gateway.backends.guarded import Guarded
from gateway.model.arguments import ContainerKind, ItemArguments, ItemOrder, PageArguments
from gateway.model.container import Contents
from gateway.model.credentials import Credential
from gateway.model.errors import (
    ErrorCode,
    Forbidden,
    GatewayError,
    InvalidInput,
    NotFound,
    RateLimited,
    Unauthenticated,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.model.ids import (
    CONTAINER,
    DEFINITION,
    INVENTORY,
    ITEM,
    OWNER,
    SLOT,
    ContainerRef,
    DefinitionRef,
    ItemRef,
    OwnerRef,
    SlotRef,
    encode_id,
)
from gateway.model.manifest import BackendKind, Capability, Manifest, ProviderKey
from gateway.model.paging import Position, encode_cursor
from gateway.model.ports import Backend
from gateway.model.relations import Asked, bare
from gateway.providers.guildwars2 import rules
from gateway.providers.guildwars2.manifest import MANIFEST
from tests.execution.graph import class_of, fields_of, graph_of, is_abstract, is_leaf, is_list, is_non_null
from tests.gateways import caller

PROVIDERS = ("guildwars2", "roblox")
"""The providers that are served; the graph knows others too."""

OWNERS = ("a", "b.1234", "c/d")
CONTAINERS = ("bank", "character:Ä", "character:Ä/0", "materials/5")
ITEMS = ("bank#0", "bank#1", "shared#0", "gone")
SLOTS = ("0", "1", "2")
DEFINITIONS = (*(f"{family}:{number}" for family in ("item", "skin", "color") for number in (0, 1, 2)), "stat:1")
TEXTS = ("", "x", "Schild der Dämmerung", 'a "quoted" \\ line\nand another', "\u2028 \U0001f600 \x01", "null")
NUMBERS = (0, 1, 2, 3, 1, 2, -1, 2**31 - 1, -(2**31))
BIG = (1, 250, 0, -(2**31) - 1, 2**53 + 1, 2**63 - 1)
FLOATS = (0.0, 1.5, -2.25, 1e21, 1e-7, 3, 1.0)
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MOMENTS = (MOMENT, MOMENT + timedelta(microseconds=5), MOMENT.astimezone())

NAN = float("nan")
"""One for all, as keys are found by identity or equality, and it equals nothing."""


class Odd:
    """An object that has no place in a graph; all are equal, so that the keys made of them are the same in each run."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Odd)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "<odd>"


VALUE_FAULTS = (
    "null",  # nothing, also where something must be
    "text",  # text in the place of anything
    "number",  # a number or truth value in the place of anything
    "huge",  # more than the scalar holds
    "nan",  # no number at all
    "enum",  # a member of another enum, or a word that is no member
    "object",  # an object of a type that does not belong
    "neighbour",  # an object of another type of the same interface
    "error",  # one of our errors, as a value
    "foreign",  # another exception, as a value
    "missing",  # the attribute was never assigned
    "list",  # another kind of list, or no list
    "dice",  # a plain Python object
)
KEY_FAULTS = (
    "reference",  # the references that keys are made of are broken
    "key_error",  # one of our errors for one key
    "key_foreign",  # another exception for one key
    "key_missing",  # the key is left out of the answer
    "key_null",  # the key is answered with nothing
    "wrong_result",  # a thing of another kind for a key
    "all_error",  # one of our errors for all keys
    "all_foreign",  # another exception for all keys
)
FAULTS = (*VALUE_FAULTS, *KEY_FAULTS)

RESULTS = {
    "owners_by_key": "InventoryOwner",
    "visibility_by_owner": "Boolean",
    "ownership_by_key": "Boolean",
    "containers_by_key": "Container",
    "containers_by_owner": "ContainerConnection",
    "containers_by_container": "ContainerConnection",
    "descendants_by_container": "ContainerConnection",
    "items_by_key": "Item",
    "items_by_owner": "ItemConnection",
    "items_by_container": "ItemConnection",
    "totals_by_owner": "DefinitionConnection",
    "catalogue_by_owner": "DefinitionConnection",
    "definitions_by_slot": "DefinitionConnection",
    "count_by_list": "Int",
}
FACTS = {"account": "OwnerDetails", "credential": "GuildWars2Token", "character": "GuildWars2CharacterSummary"}
PARTS = {
    "state": ("CommunityAvatar", ("version", "image_url", "model_url", "mints", "updated_at")),
    "slots": ("CommunityKit", ("slots",)),
}
"""Documents that the graph shows only parts of: by kind, a type that shows them, and as what."""

FAMILIES = {
    "item": "GuildWars2ItemDefinition",
    "skin": "GuildWars2Skin",
    "stat": "GuildWars2ItemStat",
    "color": "GuildWars2Color",
    "material": "GuildWars2MaterialCategory",
    "badge": "Badge",
}
FORCED_PLACES = (*RESULTS, "definitions_by_key", "facts_by_key", "contents_by_container", "identity", "reference")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the data is made from.

    `faults` are the kinds that happen at random, each chance with `rate`; `forced` are faults by place, which is a
    field (`Slot.index`) or a session's method, with their own rates. `primed` is how often a relation's value is in
    hand. `slow` sessions answer some turns of the event loop later; `guarded` ones behind `Guarded`.
    """

    seed: int = 0
    faults: tuple[str, ...] = ()
    rate: float = 0.0
    primed: float = 0.2
    slow: bool = False
    guarded: bool = False
    forced: Mapping[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]])


@dataclass(slots=True, kw_only=True)
class Held(Contents):
    """What lies in a container, with all that any container shows of it."""

    bag_slots: Any


@dataclass(kw_only=True)
class Log:
    """What the sessions were asked, in order, and a mistake of the data's own making."""

    mistake: Exception | None = None

    batches: list[tuple[str, str, tuple[Any, ...]]] = field(default_factory=list[tuple[str, str, tuple[Any, ...]]])


@functools.cache
def _fields(schema: Schema, name: str) -> list[tuple[str, str | None, bool, bool]]:
    return fields_of(schema, name)


@functools.cache
def _concrete(schema: Schema) -> tuple[str, ...]:
    kinds = graph_of(schema).type_map.values()
    named = [kind.name for kind in kinds if isinstance(kind, GraphQLObjectType)]
    return tuple(
        sorted(
            name
            for name in named
            if not name.startswith("__") and not name.endswith("Payload") and name not in ("Query", "Mutation")
        )
    )


def _our_error(dice: Random) -> GatewayError:
    made: list[Callable[[], GatewayError]] = [
        lambda: UpstreamTimeout("The service did not answer.", provider="guildwars2"),
        lambda: RateLimited("Wait.", provider="roblox", provider_code="429", retry_after=1.5),
        lambda: NotFound("No such thing."),
        lambda: Forbidden("Not yours.", scopes=("inventories",)),
        lambda: UpstreamUnavailable("Down.", retryable=False),
    ]
    return dice.choice(made)()


def _foreign_error(dice: Random) -> Exception:
    return dice.choice([RuntimeError, KeyError, TypeError, ZeroDivisionError])("secret")


class World:
    """Everything there is, made when it is asked for."""

    def __init__(self, schema: Schema, plan: Plan) -> None:
        self.schema, self.plan = schema, plan
        self.types = graph_of(schema).type_map

    def dice(self, *parts: object) -> Random:
        """Give the chances of one key."""
        return Random(f"{self.plan.seed}|{'|'.join(map(repr, parts))}")

    def fault(self, place: str, dice: Random, among: tuple[str, ...]) -> str | None:
        """Say what is wrong at a place, if anything."""
        forced = self.plan.forced.get(place)
        if forced is not None:
            kind, rate = forced
            return kind if dice.random() < rate else None
        if self.plan.rate and dice.random() < self.plan.rate:
            kind = dice.choice(self.plan.faults)
            return kind if kind in among else None
        return None

    # --- values ---

    def value(self, place: str, kind: Any, dice: Random, depth: int, owner: OwnerRef) -> Any:
        """Make a value for a place of a type of the graph."""
        fault = self.fault(place, dice, VALUE_FAULTS)
        if fault is not None:
            return self.faulty(fault, kind, dice, depth, owner)
        if is_non_null(kind):
            kind = kind.of_type
        elif dice.random() < 0.15 or (depth <= 0 and not is_leaf(kind)):
            return None
        if is_list(kind):
            count = 0 if depth <= 0 and not is_leaf(kind.of_type) else dice.choice((0, 1, 2, 2, 3))
            return [self.value(f"{place}[]", kind.of_type, dice, depth - 1, owner) for _ in range(count)]
        if is_leaf(kind):
            return self.leaf(kind, dice)
        if is_abstract(kind):
            kind = dice.choice(graph_of(self.schema).get_possible_types(cast("GraphQLUnionType", kind)))
        return self.thing(kind.name, dice, depth - 1, owner)

    def leaf(self, kind: Any, dice: Random) -> Any:
        """Make a value of a scalar or an enum."""
        if isinstance(kind, GraphQLEnumType):
            return dice.choice(list(cast("Any", kind).wrapped_cls))
        match kind.name:
            case "Int":
                return dice.choice(NUMBERS)
            case "Float":
                return dice.choice(FLOATS)
            case "Boolean":
                return dice.random() < 0.5
            case "BigInt":
                return dice.choice(BIG)
            case "DateTime":
                return dice.choice(MOMENTS)
            case _:
                return dice.choice(TEXTS)

    def faulty(self, fault: str, kind: Any, dice: Random, depth: int, owner: OwnerRef) -> Any:
        """Make a value that has a fault."""
        if depth < -2 and fault in ("object", "neighbour"):
            fault = "dice"
        match fault:
            case "text":
                return dice.choice(("text", "1", "GUILD_WARS_2", "guildwars2", "bag", ""))
            case "number":
                return dice.choice((1, 0, True, False, 2.0, 2.5))
            case "huge":
                return dice.choice((2**31, -(2**40), 2**70, 1e300, float("inf"), "9" * 400))
            case "nan":
                return NAN
            case "enum":
                return dice.choice(
                    (ErrorCode.GONE, ContainerKind.BAG, ItemOrder.NAME, "bag", "BAG", "roblox", Capability)
                )
            case "object":
                return self.thing(dice.choice(_concrete(self.schema)), dice, min(depth, 1) - 1, owner)
            case "neighbour":
                named: Any = kind
                while is_non_null(named) or is_list(named):
                    named = named.of_type
                interfaces = getattr(named, "interfaces", ())
                if not interfaces:
                    return self.faulty("object", kind, dice, depth, owner)
                neighbours = graph_of(self.schema).get_possible_types(interfaces[0])
                return self.thing(dice.choice(neighbours).name, dice, min(depth, 1) - 1, owner)
            case "error":
                return _our_error(dice)
            case "foreign":
                return _foreign_error(dice)
            case "list":
                named = kind.of_type if is_non_null(kind) else kind
                if is_list(named):
                    made = [self.value("list", named.of_type, dice, depth - 1, owner) for _ in range(2)]
                    return dice.choice((tuple(made), dict(enumerate(made)), 7, "text", made[0]))
                return [self.leaf(named, dice)] if is_leaf(named) else []
            case "dice":
                return Odd()
            case _:
                return None

    # --- things ---

    def thing(self, name: str, dice: Random, depth: int, owner: OwnerRef, **known: Any) -> Any:
        """Make an object of a concrete type; `known` are attributes that its key tells."""
        made: Any = cast("Any", bare)(class_of(self.schema, name))
        shown: Any = self.types[name]
        for attribute, graph_name, is_loaded, is_computed in _fields(self.schema, name):
            if is_computed:
                continue
            if attribute in known:
                setattr(made, attribute, known[attribute])
            elif graph_name is None:
                setattr(made, attribute, self.hidden(attribute, dice, owner))
            elif is_loaded and dice.random() >= self.plan.primed:
                continue
            else:
                self.assign(made, attribute, f"{name}.{graph_name}", shown.fields[graph_name].type, dice, depth, owner)
        edges = made.__dict__.get("edges")
        if isinstance(edges, list) and "nodes" in made.__dict__ and dice.random() < 0.7:
            # As in life: what the edges lead to is the same objects again.
            made.nodes = [getattr(edge, "node", None) for edge in cast("list[Any]", edges)]
        return made

    def assign(
        self, made: Any, attribute: str, place: str, kind: Any, dice: Random, depth: int, owner: OwnerRef
    ) -> None:
        """Give an object one attribute, or leave it out."""
        forced = self.plan.forced.get(place)
        if (forced is not None and forced[0] == "missing") or (
            "missing" in self.plan.faults and dice.random() < self.plan.rate
        ):
            return
        value = self.value(place, kind, dice, depth, owner)
        if forced is None and not self.plan.rate:
            match attribute:
                case "cursor":
                    value = encode_cursor(Position("natural", 0, f"s{dice.randrange(99)}"))
                case "provider":
                    value = ProviderKey(owner.provider)
                case _:
                    pass
        setattr(made, attribute, value)

    def hidden(self, attribute: str, dice: Random, owner: OwnerRef) -> Any:
        """Make an attribute that the graph does not show: references are made of them."""
        if self.fault("reference", dice, ("reference",)) is not None:
            return dice.choice((None, 7, "text", OwnerRef("nobody", "a"), ()))
        match attribute:
            case "owner" | "owner_ref":
                return owner
            case "container_key" | "parent_key":
                return dice.choice((None, *CONTAINERS))
            case "slot_key":
                return dice.choice((None, *SLOTS))
            case "item_key":
                return dice.choice((None, *ITEMS))
            case "definition_key":
                return dice.choice((None, *DEFINITIONS))
            case "definition_ref":
                return DefinitionRef(owner.provider, dice.choice(DEFINITIONS))
            case "counted":
                asked = Asked(owner.provider, owner, dice.choice((PageArguments(), ItemArguments(first=2))))
                return dice.choice((None, asked))
            case "sort":
                return f"s{dice.randrange(99)}"
            case "given_slot_indices":
                return dice.choice((None, [0, 2], [None]))
            case "id_kind":
                return ITEM
            case _:
                return None

    def result(self, method: str, key: Any) -> Any:
        """Make what a session answers for a key of one of its methods."""
        dice = self.dice(method, key)
        match self.fault(method, dice, KEY_FAULTS):
            case "key_error":
                return _our_error(dice)
            case "key_foreign":
                return _foreign_error(dice)
            case "key_null" | "key_missing":
                return None
            case "wrong_result":
                return self.faulty(
                    dice.choice(("object", "text", "number", "dice")), None, dice, 2, OwnerRef("roblox", "a")
                )
            case _:
                pass
        ref = key.ref if isinstance(key, Asked) else key
        owner = OwnerRef(ref.provider, getattr(ref, "owner", "a"))
        if method == "contents_by_container":
            return self.contents(dice, owner, ref)
        if method == "definitions_by_key":
            name = FAMILIES.get(str(ref.key).partition(":")[0], "GuildWars2ItemDefinition")
            if name not in self.types or dice.random() < 0.1:
                return None
            return self.thing(name, dice, 3, owner, key=ref.key)
        if method == "facts_by_key" and ref.kind in PARTS:
            return self.parts(*PARTS[ref.kind], dice, owner)
        name = FACTS.get(ref.kind, "GuildWars2Account") if method == "facts_by_key" else RESULTS[method]
        known: dict[str, Any] = {}
        if isinstance(ref, ContainerRef | ItemRef | OwnerRef) and self.plan.rate == 0:
            known["key"] = ref.owner if isinstance(ref, OwnerRef) else ref.key
        if dice.random() < 0.1:
            return None
        kind: Any = self.types[name]
        if is_abstract(kind):
            kind = dice.choice(graph_of(self.schema).get_possible_types(cast("GraphQLUnionType", kind)))
        if is_leaf(kind):
            return self.value(f"{method}()", kind, dice, 1, owner)
        return self.thing(kind.name, dice, 4, owner, **known)

    def parts(self, name: str, attributes: tuple[str, ...], dice: Random, owner: OwnerRef) -> Any:
        """Make a document of which some attributes are shown as those of a type."""
        shown = cast("Any", self.types[name]).fields
        made = SimpleNamespace()
        for attribute, graph_name, _, _ in _fields(self.schema, name):
            if attribute in attributes and graph_name is not None:
                self.assign(made, attribute, f"{name}.{graph_name}", shown[graph_name].type, dice, 3, owner)
        return made

    def contents(self, dice: Random, owner: OwnerRef, ref: ContainerRef) -> Any:
        """Make what lies in a container."""
        names = [kind.name for kind in graph_of(self.schema).get_possible_types(cast("Any", self.types["Container"]))]
        container = self.thing(dice.choice(names), dice, 1, owner, key=ref.key)
        shown = cast("Any", self.types["Container"]).fields
        slots: Any = [
            self.thing("Slot", dice, 2, owner, key=key, container=container) for key in SLOTS[: dice.randrange(4)]
        ]
        if self.fault("Container.slots", dice, VALUE_FAULTS) is not None:
            slots = self.faulty(dice.choice(VALUE_FAULTS), shown["slots"].type, dice, 2, owner)
        character = cast("Any", self.types["GuildWars2Character"]).fields
        return Held(
            container=container,
            capacity=self.value("Container.capacity", shown["capacity"].type, dice, 1, owner),
            free_slots=self.value("Container.freeSlots", shown["freeSlots"].type, dice, 1, owner),
            slots=slots,
            items=[],
            bag_slots=self.value("GuildWars2Character.bagSlots", character["bagSlots"].type, dice, 3, owner),
            digest=lambda: cast("str", 1 // 0) if ref.key == "materials/5" and self.plan.rate else "v1",
        )


class FakeSession:
    """A session over the world; every method of `Session` that reads."""

    def __init__(self, world: World, provider: str, log: Log) -> None:
        self.world, self.provider, self.log = world, provider, log
        self.credential = Credential(provider)

    async def _turns(self, method: str, keys: Sequence[Any]) -> None:
        if self.world.plan.slow:
            for _ in range(self.world.dice("turns", method, self.provider, len(keys)).randrange(6)):
                await asyncio.sleep(0)

    async def _read(self, method: str, keys: Sequence[Any]) -> dict[Any, Any]:
        # Broken data makes keys that no mapping can hold; who asks by one fails, and that is no mistake of ours.
        hash(tuple(keys))
        self.log.batches.append((self.provider, method, tuple(keys)))
        await self._turns(method, keys)
        dice = self.world.dice(method, self.provider, "all")
        match self.world.fault(method, dice, ("all_error", "all_foreign")):
            case "all_error":
                raise _our_error(dice)
            case "all_foreign":
                raise _foreign_error(dice)
            case _:
                pass
        try:
            found = {key: self.world.result(method, key) for key in keys}
        except Exception as mistake:
            self.log.mistake = mistake
            raise
        if "key_missing" in self.world.plan.faults:
            found = {key: value for key, value in found.items() if value is not None}
        return found

    async def identity(self, key: str) -> str:
        """Tell who asks."""
        self.log.batches.append((self.provider, "identity", (key,)))
        dice = self.world.dice("identity", self.provider)
        await self._turns("identity", ())
        match self.world.fault("identity", dice, KEY_FAULTS):
            case None:
                return dice.choice(OWNERS)
            case "all_foreign" | "key_foreign":
                raise _foreign_error(dice)
            case _:
                raise Unauthenticated("There is no credential.")

    def __getattr__(self, name: str) -> Any:
        if name in RESULTS or name in ("definitions_by_key", "facts_by_key", "contents_by_container"):
            return functools.partial(self._read, name)
        raise AttributeError(name)

    async def aclose(self) -> None:
        """End the session."""


class FakeBackend:
    """A backend over the world."""

    kind = BackendKind.LOCAL

    def __init__(self, world: World, provider: str, log: Log) -> None:
        self.world, self.provider, self.log = world, provider, log
        dice = world.dice("manifest", provider)
        title: Any = MANIFEST.title
        if world.fault("InventoryProvider.title", dice, VALUE_FAULTS) is not None:
            title = dice.choice((None, 7, Odd(), InvalidInput("no")))
        self.manifest: Manifest = dataclasses.replace(
            MANIFEST,
            provider=ProviderKey(provider),
            title=title,
            capabilities={
                kind: MANIFEST.capabilities[kind] | {Capability.CATALOGUE, Capability.COLLECTIBLES}
                for kind in BackendKind
            },
        )

    def session(self, credential: Credential) -> Any:
        """Open a session."""
        session = FakeSession(self.world, self.provider, self.log)
        session.credential = credential
        return session

    async def owners(self) -> list[OwnerRef]:
        """List owners."""
        dice = self.world.dice("owners", self.provider)
        if self.world.fault("owners", dice, ("all_foreign",)) is not None:
            raise _foreign_error(dice)
        return [OwnerRef(self.provider, owner) for owner in OWNERS[: dice.randrange(3)]]


@contextlib.asynccontextmanager
async def asking(schema: Schema, plan: Plan) -> AsyncGenerator[tuple[Context, Log]]:
    """Give the context of one operation over a fresh world, and the log of what it reads."""
    world, log = World(schema, plan), Log()
    backends: dict[str, Backend] = {}
    for provider in PROVIDERS:
        backend: Any = FakeBackend(world, provider, log)
        backends[provider] = Guarded(backend, cast("Any", rules)) if plan.guarded else backend
    context = Context(backends, caller())
    try:
        yield context, log
    finally:
        await context.aclose()
    if log.mistake is not None:
        raise log.mistake


def ids() -> list[str]:
    """List ids of things that there are, and texts that are no ids."""
    found: list[str] = ["", "no id", "x" * 3000, encode_id(OWNER, OwnerRef("nobody", "a"))]
    for provider in PROVIDERS:
        owner = OwnerRef(provider, OWNERS[0])
        found += [
            encode_id(OWNER, owner),
            encode_id(INVENTORY, owner),
            encode_id(CONTAINER, ContainerRef(*owner, CONTAINERS[0])),
            encode_id(CONTAINER, ContainerRef(*owner, CONTAINERS[1])),
            encode_id(SLOT, SlotRef(*owner, CONTAINERS[0], SLOTS[0])),
            encode_id(ITEM, ItemRef(*owner, ITEMS[0])),
            encode_id(ITEM, ItemRef(*owner, ITEMS[1])),
            encode_id(DEFINITION, DefinitionRef(provider, DEFINITIONS[0])),
        ]
    return found


def cursors() -> list[str]:
    """List cursors that are good in one order, and texts that are no cursors."""
    return [
        encode_cursor(Position("natural", 0, "s1")),
        encode_cursor(Position("name", "x", "s1")),
        encode_cursor(Position("quantity", -3, "s1")),
        "no cursor",
        "",
    ]
