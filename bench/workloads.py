"""What is asked: seven workloads, and which server of ours answers each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.account import ACCOUNT, CHARACTERS, SIZES, sized


class Backend(StrEnum):
    """How a gateway under test is set up; also the path under which the hand-written server answers the same."""

    UPSTREAM = "upstream"
    CACHED = "cached"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A query, the characters it is asked for in turn, and how many ask at once."""

    title: str
    operation: str
    backend: Backend = Backend.UPSTREAM
    characters: tuple[str, ...] = ()
    clients: int = 16
    slots: int | None = None
    target: float | None = None

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Give the bodies of the requests."""
        request: dict[str, Any] = {"query": QUERIES[self.operation], "operationName": self.operation}
        owner = {"provider": "GUILD_WARS_2", "key": ACCOUNT}
        if self.operation == "Nothing":
            return [request]
        if not self.characters:
            return [{**request, "variables": {"owner": owner}}]
        return [{**request, "variables": {"owner": owner, "key": f"character:{name}"}} for name in self.characters]


_BAGS = (
    "name ... on GuildWars2Character { bagSlots { bag { key size slots { index "
    "item { key quantity ... on GuildWars2Item { binding } %s } } } } }"
)
_DEFINITION = "definition { name icon rarity }"
_ONE = "query %s($owner: OwnerInput!, $key: String!) { inventory(owner: $owner) { container(key: $key) { %s } } }"
_ALL = "query %s($owner: OwnerInput!) { inventory(owner: $owner) { containers(kind: CHARACTER) { nodes { %s } } } }"

QUERIES = {
    "Nothing": "query Nothing { __typename }",
    "Bags": _ONE % ("Bags", _BAGS % ""),
    "Joined": _ONE % ("Joined", _BAGS % _DEFINITION),
    "Everything": _ALL % ("Everything", _BAGS % _DEFINITION),
}
"""By the operation's name, which is what the hand-written server goes by."""

_HEROES = tuple(CHARACTERS)

# The characters take turns, so that no server gains by answering equal requests with one call.
WORKLOADS: dict[str, list[Workload]] = {
    "W1": [Workload(title="`__typename`", operation="Nothing", target=1.5)],
    "W2": [Workload(title="one character, 100 slots", operation="Bags", characters=_HEROES, target=1.5)],
    "W3": [Workload(title="W2 with definitions joined", operation="Joined", characters=_HEROES, target=1.5)],
    "W4": [Workload(title="20 characters, 2,000 slots joined", operation="Everything", clients=4, target=1.5)],
    "W5": [
        Workload(title="W3 from warm caches", operation="Joined", characters=_HEROES, backend=Backend.CACHED),
    ],
    "W6": [
        Workload(
            title=f"W2 on {slots:,} slots, one request at a time",
            operation="Bags",
            characters=(sized(slots),),
            clients=1,
            slots=slots,
            target=1.5,
        )
        for slots in SIZES
    ],
    "W7": [
        Workload(title="W4 from the local store", operation="Everything", backend=Backend.LOCAL, clients=4, target=2.5),
    ],
}
