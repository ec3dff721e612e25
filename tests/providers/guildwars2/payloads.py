"""The samples, and what the provider makes of a document without a store between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from gateway.model.container import Container
from gateway.model.definition import ItemDefinition
from gateway.model.ids import OwnerRef
from gateway.model.item import Item
from gateway.model.owner import InventoryOwner
from gateway.model.ports import Fact, Holdings, Owned
from gateway.providers.guildwars2 import archive
from gateway.providers.guildwars2.wire import render_definition

FOLDER = Path(__file__).parent / "samples"
OWNER = "Tester.1234"
REF = OwnerRef("guildwars2", OWNER)

OWNED = {
    "characters": "characters",
    "character": "characters/Test Nâme",
    "character_oldest": "characters/Second Hero",
    "inventory": "characters/Test Nâme/inventory",
    "inventory_document": "characters/Test Nâme/inventory",
    "inventory_odd": "characters/Test Nâme/inventory",
    "inventory_short": "characters/Test Nâme/inventory",
    "inventory_loose": "characters/Test Nâme/inventory",
    "bank": "account/bank",
    "shared": "account/inventory",
    "account_materials": "account/materials",
    "account": "account",
    "account_oldest": "account",
}
"""The samples that belong to an account, and the endpoints that they answer for."""

CATALOGUE = {
    "items": "items",
    "items_older": "items",
    "skins": "skins",
    "itemstats": "itemstats",
    "itemstats_older": "itemstats",
    "colors": "colors",
    "materials": "materials",
}
"""The samples of the catalogue, and their endpoints."""

OTHERS = ("tokeninfo", "tokeninfo_classic", "tokeninfo_subtoken", "v2", "errors")

CANONICAL = ("characters", "character", "inventory", "inventory_odd", "bank", "shared", "account_materials", "account")
"""The samples of an account that are written as they were read."""


def raw(name: str) -> bytes:
    """Give a sample as the service sends it."""
    return (FOLDER / f"{name}.json").read_bytes()


def sample(name: str) -> Any:
    """Give a sample, parsed."""
    return orjson.loads(raw(name))


def owned(kind: str, payload: object) -> Owned:
    """Read a document of an account."""
    found: Owned | None = None
    facts: list[Fact] = []
    containers: dict[str, Container] = {}
    items: list[Item] = []
    for record in archive.parse_record(kind, payload, OWNER):
        match record:
            case Fact():
                facts.append(record)
            case Holdings():
                for container in (record.container, *record.children):
                    containers[container.key] = container
                items += record.items
            case Container():
                containers.setdefault(record.key, record)
            case InventoryOwner():
                found = Owned(owner=record, facts=facts, containers=[], items=items, shared=[], catalogue=[])
            case _:
                raise AssertionError("a document of an account has nothing else")
    assert found is not None
    found.containers = sorted(containers.values(), key=lambda container: container.sort)
    return found


def rewritten(name: str) -> Any:
    """Read a sample and write it again, as an import and an export do."""
    if name in CATALOGUE:
        return [render_definition(entry) for entry in definitions(CATALOGUE[name], sample(name))]
    kind = OWNED[name]
    return dict(archive.render_export(owned(kind, sample(name))))[f"/v2/{kind}"]


def definitions(kind: str, payload: object) -> Iterator[ItemDefinition]:
    """Read a document of the catalogue."""
    for record in archive.parse_record(kind, payload, None):
        assert isinstance(record, ItemDefinition)
        yield record
