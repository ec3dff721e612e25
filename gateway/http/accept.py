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

_ASKED = ("deferspec", "incrementalspec", "subscriptionspec")
"""The parameters of `multipart/mixed` by which clients say which form they know."""


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


_LONGEST = 1_000
"""How long a header is that is kept in mind, with what it comes to."""


def accepted(header: str) -> Accepted:
    """Read an `Accept` header; an absent or empty one takes anything."""
    return _accepted(header) if len(header) <= _LONGEST else _accepted.__wrapped__(header)


def takes_gzip(header: str) -> bool:
    """Say whether an `Accept-Encoding` header takes gzip; what is said of gzip goes before what is said of anything."""
    wanted = {one.name: one.weight for one in map(_wanted, header.split(","))}
    return wanted.get("gzip", wanted.get("*", 0.0)) > 0


@functools.lru_cache(1_000)
def _accepted(header: str) -> Accepted:
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
        parameters={name: parts.parameters[name] for name in _ASKED if parts and name in parts.parameters},
    )


def _wanted(part: str) -> Wanted:
    name, parameters = split(part)
    try:
        weight = float(parameters.get("q", "1"))
    except ValueError:
        weight = 0.0
    # Not a number compares with nothing.
    return Wanted(name, weight if 0 <= weight <= 1 else 0.0, parameters)


def split(value: str) -> tuple[str, Mapping[str, str]]:
    """Take a media type apart: its name and its parameters, in lower case."""
    name, *given = (part.strip() for part in value.lower().split(";"))
    parameters = (part.partition("=") for part in given)
    return name, {key.strip(): text.strip().strip('"') for key, _, text in parameters}
