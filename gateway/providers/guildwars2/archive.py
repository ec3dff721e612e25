"""Files in the service's own format: what `gateway import` reads and `gateway export` writes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast

import msgspec

from gateway.files import Format
from gateway.model.definition import ItemDefinition
from gateway.model.errors import InvalidInput, UpstreamInvalid
from gateway.model.ids import FactRef, OwnerRef
from gateway.model.manifest import ProviderKey
from gateway.model.owner import ACCOUNT, InventoryOwner
from gateway.model.ports import Fact, Holdings, Owned, Record
from gateway.providers.guildwars2 import rules
from gateway.providers.guildwars2.catalogue import BY_PATH, Endpoint
from gateway.providers.guildwars2.keys import BANK, MATERIALS, SHARED, character_key
from gateway.providers.guildwars2.types import (
    CHARACTER,
    PROVIDER,
    CharacterContents,
    GuildWars2Account,
    GuildWars2Bag,
    GuildWars2Character,
    GuildWars2CharacterSummary,
    GuildWars2Item,
    GuildWars2ItemDefinition,
)
from gateway.providers.guildwars2.wire import (
    WireAccount,
    WireCharacter,
    WireInventory,
    WireItem,
    WireMaterial,
    parse_account,
    parse_character,
    parse_inventory,
    parse_materials,
    parse_name,
    parse_slots,
    render_account,
    render_character,
    render_definition,
    render_inventory,
    render_item,
    render_material,
    render_slots,
    storage,
)
from gateway.providers.leftovers import leftover

FORMATS: Mapping[str, Format] = {}
"""The service's documents are JSON."""

T = TypeVar("T")


def _shaped(payload: object, shape: type[T]) -> T:
    try:
        return msgspec.convert(payload, shape, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{error}") from None


_CHARACTER_PATH = re.compile(r"characters/([^/]+)(/inventory)?\Z")
_OWNED_KINDS = ("account", "account/bank", "account/inventory", "account/materials", "characters")


def _endpoint(kind: str) -> str:
    return kind.strip("/").removeprefix("v2/")


def splits(kind: str | None, payload: object) -> bool:
    """Say whether a list is many records, each good or bad alone: the catalogue's are, an inventory's slots are not."""
    if not isinstance(payload, list):
        return False
    return (_endpoint(kind) if kind else _guess(cast("list[object]", payload)[:1])) in BY_PATH


def family(kind: str) -> str:
    """Give the first part of the definition keys of an endpoint of the catalogue, such as `items`."""
    endpoint = BY_PATH.get(_endpoint(kind))
    if endpoint is None:
        raise InvalidInput(f"{kind!r} is no part of the catalogue; there are: {', '.join(BY_PATH)}")
    return endpoint.family


def parse_record(kind: str | None, payload: Any, owner: str | None) -> Iterable[Record]:
    """Read one document: an endpoint's answer, an entry of the catalogue, or an export of ours.

    `kind` is the endpoint's path under /v2, such as `items` or `characters/Some Name/inventory`; without it the
    document's shape tells, where it can. InvalidInput says what is wrong.
    """
    try:
        yield from _parse(kind, payload, owner)
    except UpstreamInvalid as error:
        raise InvalidInput(error.message) from None


def _parse(kind: str | None, payload: Any, owner: str | None) -> Iterable[Record]:
    if _is_export(payload):
        account: Any = payload.get("/v2/account")
        if owner is None and isinstance(account, dict):
            owner = cast("dict[str, Any]", account).get("name")
        for path, document in payload.items():
            yield from _parse(path, document, owner)
        return
    endpoint = _endpoint(kind) if kind else _guess(payload)
    if found := BY_PATH.get(endpoint):
        for entry in cast("list[Any]", payload) if isinstance(payload, list) else [payload]:
            yield _parse_entry(found, entry)
    elif endpoint == "account":
        yield from _parse_account(payload, owner)
    elif owner is None:
        raise InvalidInput("whose it is must be told: --owner NAME.1234")
    else:
        rules.check_owner(owner)
        yield from _account(owner)
        yield from _parse_owned(endpoint, payload, OwnerRef(PROVIDER, owner))


def _is_export(payload: Any) -> bool:
    paths = list(cast("dict[str, Any]", payload)) if isinstance(payload, dict) else []
    return bool(paths) and all(path.startswith("/v2/") for path in paths)


def _parse_entry(endpoint: Endpoint, payload: Any) -> ItemDefinition:
    definition = endpoint.parse(_shaped(payload, endpoint.shape))
    rules.check_definition(definition.key)
    definition.extra = leftover(payload, render_definition(definition, whole=False))
    if isinstance(definition, GuildWars2ItemDefinition):
        # An older schema has a text here, empty for none.
        _drop(definition.extra, "details", "secondary_suffix_item_id")
    definition.extra = definition.extra or None
    return definition


def _item_leftover(entry: object, item: GuildWars2Item) -> dict[str, Any] | None:
    """Give what the contract does not know of a stack; what it knows and reads otherwise is no part of that."""
    extra = leftover(entry, render_item(item))
    if extra:
        _drop(extra, "stats", "attributes")
        _drop(extra, "bound_to")
    return extra or None


def _drop(extra: dict[str, Any] | None, *path: str) -> None:
    """Take out what stands at a path, and what is empty without it."""
    if not extra or not path:
        return
    name, *below = path
    inner = extra.get(name)
    if below and isinstance(inner, dict):
        _drop(cast("dict[str, Any]", inner), *below)
    if not below or inner == {}:
        extra.pop(name, None)


def _parse_account(payload: Any, owner: str | None) -> Iterable[Record]:
    account = parse_account(_shaped(payload, WireAccount))
    if owner is not None and account.name != owner:
        raise InvalidInput(f"this is the account {account.name!r}, not {owner!r}")
    rules.check_owner(account.name)
    written = render_account(account, whole=False)
    if account.wvw is not None and "wvw_rank" in payload:
        # An older schema has it outside of `wvw`; it is no loss.
        written["wvw_rank"] = account.wvw.rank
    account.extra = leftover(payload, written)
    yield from _account(account.name)
    yield Fact(ref=FactRef(PROVIDER, account.name, ACCOUNT, ""), value=account)


def _account(name: str) -> Iterable[Record]:
    """Every account has its storage, filled or not."""
    owner = InventoryOwner(provider=ProviderKey.GUILD_WARS_2, key=name)
    owner.name = name
    yield owner
    for key in (BANK, SHARED, MATERIALS):
        yield storage(owner.ref, key)


def _parse_owned(endpoint: str, payload: object, ref: OwnerRef) -> Iterable[Record]:
    if endpoint == "characters":
        for name in _shaped(payload, list[str]):
            yield parse_name(_character_name(name), ref)
    elif endpoint in ("account/bank", "account/inventory"):
        key = BANK if endpoint == "account/bank" else SHARED
        holdings = parse_slots(_shaped(payload, list[WireItem | None]), ref, key)
        _keep_items(holdings, payload)
        yield holdings
    elif endpoint == "account/materials":
        holdings = parse_materials(_shaped(payload, list[WireMaterial]), ref)
        for item, entry in zip(holdings.items, cast("list[object]", payload), strict=True):
            own = cast("GuildWars2Item", item)
            own.extra = leftover(entry, render_material(own))
        yield holdings
    elif endpoint == "tokeninfo":
        raise InvalidInput("an API key of the service is not imported; `gateway credential create` makes one of ours")
    elif found := _CHARACTER_PATH.match(endpoint):
        name = _character_name(found[1])
        if found[2]:
            yield _parse_bags(payload, ref, name)
        else:
            yield from _parse_summary(payload, ref, name)
    else:
        raise InvalidInput(f"{endpoint!r} is not an endpoint that can be imported")


def _character_name(name: str) -> str:
    name = unicodedata.normalize("NFC", name)
    rules.check_container(character_key(name))
    return name


def _parse_bags(payload: object, ref: OwnerRef, name: str) -> Holdings:
    holdings = parse_inventory(_shaped(payload, WireInventory), ref, name)
    bags = {cast("GuildWars2Bag", bag).index: cast("GuildWars2Bag", bag) for bag in holdings.children}
    whole = cast("dict[str, Any]", payload)
    cast("GuildWars2Character", holdings.container).extra = {k: v for k, v in whole.items() if k != "bags"} or None
    documents = cast("list[dict[str, Any] | None]", whole["bags"])
    by_key = {item.key: cast("GuildWars2Item", item) for item in holdings.items}
    for index, bag in bags.items():
        document = documents[index] or {}
        bag.extra = {k: v for k, v in document.items() if k not in ("id", "size", "inventory")} or None
        for place, entry in enumerate(cast("list[object]", document["inventory"])):
            if entry is not None:
                item = by_key[f"{bag.key}/{place}"]
                item.extra = _item_leftover(entry, item)
    return holdings


def _parse_summary(payload: object, ref: OwnerRef, name: str) -> Iterable[Record]:
    summary = parse_character(_shaped(payload, WireCharacter))
    if unicodedata.normalize("NFC", summary.name) != name:
        raise InvalidInput(f"this is the character {summary.name!r}, not {name!r}")
    summary.name = name
    document = dict(cast("dict[str, Any]", payload))
    bags = document.pop("bags", None)
    summary.extra = leftover(document, render_character(summary, whole=False))
    if bags is not None:
        yield _parse_bags({"bags": bags}, ref, name)
    else:
        yield parse_name(name, ref)
    yield Fact(ref=FactRef(*ref, CHARACTER, name), value=summary)


def _keep_items(holdings: Holdings, payload: object) -> None:
    by_key = {item.slot_key: cast("GuildWars2Item", item) for item in holdings.items}
    for index, entry in enumerate(cast("list[object]", payload)):
        if entry is not None:
            item = by_key[str(index)]
            item.extra = _item_leftover(entry, item)


def _guess(payload: Any) -> str:
    """Tell the endpoint by the shape of its answer; InvalidInput where more than one would fit."""
    entries = cast("list[Any]", payload) if isinstance(payload, list) else [payload]
    first: Any = entries[0] if entries else None
    sample = cast("dict[str, Any]", first) if isinstance(first, dict) else {}
    names = set(sample)
    for endpoint, telling in (
        ("colors", {"base_rgb", "cloth"}),
        ("items", {"vendor_value", "game_types"}),
        ("itemstats", {"name", "attributes"}),
        ("materials", {"items", "order"}),
        ("account/materials", {"category", "count"}),
        ("account", {"world", "access"}),
        ("tokeninfo", {"permissions"}),
        ("skins", {"flags", "restrictions"}),
    ):
        if telling <= names:
            return endpoint
    if {"name", "profession"} <= names:
        return f"characters/{sample['name']}"
    raise InvalidInput(
        "what this is cannot be told from its shape: give --kind, the endpoint's path under /v2, "
        "such as `account/bank` or `characters/Some Name/inventory`"
    )


def render_export(owned: Owned) -> Iterator[tuple[str, object]]:
    """Write all that is kept of an account, each document under its path; `parse_record` reads it back."""
    facts = {(fact.ref.kind, fact.ref.key): fact.value for fact in owned.facts}
    if isinstance(account := facts.get((ACCOUNT, "")), GuildWars2Account):
        yield "/v2/account", render_account(account)
    characters = [entry for entry in owned.containers if isinstance(entry, GuildWars2Character)]
    yield "/v2/characters", [character.name for character in characters]
    for character in characters:
        if isinstance(summary := facts.get((CHARACTER, character.name)), GuildWars2CharacterSummary):
            yield f"/v2/characters/{character.name}", render_character(summary)
        bags = [bag for bag in owned.containers if bag.parent_key == character.key]
        keys = {bag.key for bag in bags}
        items = [item for item in owned.items if item.container_key in keys]
        laid = cast("CharacterContents", rules.contents(character, bags, items))
        yield f"/v2/characters/{character.name}/inventory", render_inventory(laid, whole=True)
    by_key = {entry.key: entry for entry in owned.containers}
    for key, path in ((BANK, "/v2/account/bank"), (SHARED, "/v2/account/inventory")):
        if key in by_key:
            items = [item for item in owned.items if item.container_key == key]
            yield path, render_slots(rules.contents(by_key[key], (), items).slots or [], whole=True)
    if MATERIALS in by_key:
        yield (
            "/v2/account/materials",
            [
                render_material(cast("GuildWars2Item", item), whole=True)
                for item in owned.items
                if (item.container_key or "").startswith(f"{MATERIALS}/")
            ],
        )
