"""Which media type a client wants its answer in: JSON at once, parts that come later, or a stream of events."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
EVENTS = "text/event-stream"
MULTIPART = "multipart/mixed"

_ANY = ("application/*", "*/*")


class Wanted(NamedTuple):
    """A media type that a client takes, and how much it wants it, from 0 to 1."""

    name: str
    weight: float
    parameters: Mapping[str, str]


class Accepted(NamedTuple):
    """What an `Accept` header comes to.

    `json` is the type of answers that come at once, None where the client takes none: the newer one where it is asked
    for before, or without, the older. `events` and `multipart` say how much the client wants those; a client that
    would take anything did not ask for them.
    """

    json: str | None
    plain: float
    events: float
    multipart: float
    parameters: Mapping[str, str]

    @property
    def media_type(self) -> str:
        """The type of what must be told in any case, such as a refusal."""
        return self.json or JSON


@functools.lru_cache(1_000)
def accepted(header: str) -> Accepted:
    """Read an `Accept` header; an absent or empty one takes anything."""
    wanted = sorted(map(_wanted, header.split(",")), reverse=True, key=lambda one: one.weight) if header else []
    taken = [one for one in wanted if one.weight > 0]
    refused = {one.name for one in wanted if one.weight <= 0}
    json, plain = (None, 0.0) if header.strip() else (JSON, 1.0)
    for one in taken:
        if one.name in (JSON, GRAPHQL_JSON) or (one.name in _ANY and JSON not in refused):
            json, plain = JSON if one.name in _ANY else one.name, one.weight
            break
    parts = next((one for one in taken if one.name == MULTIPART), None)
    return Accepted(
        json=json,
        plain=plain,
        events=next((one.weight for one in taken if one.name == EVENTS), 0.0),
        multipart=parts.weight if parts else 0.0,
        parameters=parts.parameters if parts else {},
    )


def _wanted(part: str) -> Wanted:
    name, parameters = split(part)
    try:
        weight = float(parameters.get("q", "1"))
    except ValueError:
        weight = 0.0
    # Not a number compares with nothing.
    return Wanted(name, weight if 0 <= weight <= 1 else 0.0, parameters)


@functools.lru_cache(1_000)
def split(value: str) -> tuple[str, Mapping[str, str]]:
    """Take a media type apart: its name and its parameters, in lower case."""
    name, *given = (part.strip() for part in value.lower().split(";"))
    parameters = (part.partition("=") for part in given)
    return name, {key.strip(): text.strip().strip('"') for key, _, text in parameters}
