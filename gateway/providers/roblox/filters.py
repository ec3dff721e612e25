"""The cloud's filter: its grammar, read and written, and what it selects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.model.errors import InvalidInput
from gateway.providers.roblox.keys import ASSET, BADGE, PASS, SERVER, key_of, parsed
from gateway.providers.roblox.vocabulary import (
    BY_CLOUD_NAME,
    CLOUD_ASSETS,
    PURCHASED_PLACE,
)

MOST_IDS = 500
"""How many ids a filter may have in all its fields."""

_TYPES, _ALL, _COLLECTIBLES = "inventoryItemAssetTypes", "*", "onlyCollectibles"
_FLAGS: Mapping[str, str] = {"badges": BADGE, "gamePasses": PASS, "privateServers": SERVER}
"""The fields that include a kind, and its shelf."""
_IDS: Mapping[str, str] = {
    "assetIds": ASSET,
    "badgeIds": BADGE,
    "gamePassIds": PASS,
    "privateServerIds": SERVER,
}
"""The fields that select things by id, and what stands in their keys."""

_ID = re.compile(r"[0-9]{1,40}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What a filter selects: what lies on shelves, or, with `keys`, what is of these definitions and servers.

    `needs_consent` says that what only the owner may show is asked for by name.
    """

    shelves: tuple[str, ...]
    keys: tuple[str, ...] | None = None
    only_collectibles: bool = False
    needs_consent: bool = False

    @property
    def servers(self) -> tuple[str, ...]:
        """The keys of private servers, which are of no definition."""
        return tuple(key for key in self.keys or () if parsed(key).kind == SERVER)


WHOLE = Selected(shelves=(*CLOUD_ASSETS, BADGE, PASS, SERVER))
"""What there is without a filter."""


def parse_filter(text: str) -> Selected:
    """Read a filter; InvalidInput says only that it is invalid, as the service does."""
    if not text.strip():
        return WHOLE
    clauses = text.split(";")
    if not clauses[-1].strip() and len(clauses) > 1:
        clauses.pop()
    fields: dict[str, list[str]] = {}
    for clause in clauses:
        name, equals, values = clause.partition("=")
        name = name.strip()
        listed = [value.strip() for value in values.split(",")]
        if not equals or name in fields or not all(listed):
            raise _invalid()
        fields[name] = listed
    if fields.keys() <= _IDS.keys():
        return _by_ids(fields)
    if not fields.keys() <= {_TYPES, _COLLECTIBLES, *_FLAGS}:
        raise _invalid()
    return _by_types(fields)


def _invalid() -> InvalidInput:
    return InvalidInput("The provided filter is invalid.")


def _by_ids(fields: Mapping[str, Sequence[str]]) -> Selected:
    if sum(map(len, fields.values())) > MOST_IDS:
        raise _invalid()
    keys: list[str] = []
    for name, values in fields.items():
        for value in values:
            if not _ID.match(value) or int(value) == 0:
                raise _invalid()
            keys.append(key_of(_IDS[name], int(value)))
    return Selected(shelves=WHOLE.shelves, keys=tuple(dict.fromkeys(keys)), needs_consent="privateServerIds" in fields)


def _by_types(fields: Mapping[str, Sequence[str]]) -> Selected:
    shelves: list[str] = []
    types = fields.get(_TYPES, ())
    if _ALL in types:
        if len(types) > 1:
            raise _invalid()
        shelves += CLOUD_ASSETS
    else:
        for name in types:
            if name not in BY_CLOUD_NAME:
                raise _invalid()
            shelves.append(f"{ASSET}/{name}")
    flags = {name: _flag(fields[name]) for name in (*_FLAGS, _COLLECTIBLES) if name in fields}
    shelves += [shelf for name, shelf in _FLAGS.items() if flags.get(name)]
    return Selected(
        shelves=tuple(dict.fromkeys(shelves)),
        only_collectibles=flags.get(_COLLECTIBLES, False),
        needs_consent=flags.get("privateServers", False) or PURCHASED_PLACE in types,
    )


def _flag(values: Sequence[str]) -> bool:
    word = values[0].lower()
    if len(values) > 1 or word not in ("true", "false"):
        raise _invalid()
    return word == "true"


def render_shelves(shelves: Sequence[str]) -> str | None:
    """Write a filter for shelves that the cloud lists; "" for all of them, None where it lists none of them."""
    wanted = {*shelves}
    if wanted >= {*WHOLE.shelves}:
        return ""
    clauses: list[str] = []
    if wanted >= {*CLOUD_ASSETS}:
        clauses.append(f"{_TYPES}={_ALL}")
    elif names := [shelf.partition("/")[2] for shelf in CLOUD_ASSETS if shelf in wanted]:
        clauses.append(f"{_TYPES}={','.join(names)}")
    clauses += [f"{name}=true" for name, shelf in _FLAGS.items() if shelf in wanted]
    return ";".join(clauses) or None


def render_ids(keys: Sequence[str]) -> str:
    """Write a filter for the keys of definitions and servers."""
    fields: dict[str, list[str]] = {}
    names = {kind: name for name, kind in _IDS.items()}
    for key in keys:
        kind, number = parsed(key)
        fields.setdefault(names[kind], []).append(str(number))
    return ";".join(f"{name}={','.join(ids)}" for name, ids in fields.items())
