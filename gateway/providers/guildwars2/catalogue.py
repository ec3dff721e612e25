"""The endpoints of the catalogue: where each family of definitions is read, and in what shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.providers.guildwars2 import wire


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint under /v2 that anyone may read; `takes_all` says whether it answers `ids=all`."""

    family: str
    path: str
    shape: type[Any]
    parse: Callable[[Any], Any]
    takes_all: bool


ENDPOINTS = {
    endpoint.family: endpoint
    for endpoint in (
        Endpoint("item", "items", wire.WireItemDefinition, wire.parse_definition, takes_all=False),
        Endpoint("skin", "skins", wire.WireSkin, wire.parse_skin, takes_all=False),
        Endpoint("stat", "itemstats", wire.WireItemStat, wire.parse_item_stat, takes_all=True),
        Endpoint("color", "colors", wire.WireColor, wire.parse_color, takes_all=True),
        Endpoint("material", "materials", wire.WireMaterialCategory, wire.parse_material_category, takes_all=True),
    )
}
"""By family: the first part of a definition's key."""

BY_PATH = {endpoint.path: endpoint for endpoint in ENDPOINTS.values()}
