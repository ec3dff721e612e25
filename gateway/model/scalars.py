"""The scalars that GraphQL lacks: integers past 32 bits, and points in time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)
"""An integer that may pass 32 bits: a string in JSON."""

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})\Z")
_BOUND = 2**63


def _parse_big_int(value: object) -> int:
    # GraphQLErrors: of anything else graphql-core makes a fault of ours.
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise GraphQLError("BigInt is an integer, given as a string or a number.")
    if isinstance(value, str) and not _INTEGER.match(value):
        raise GraphQLError("BigInt is an integer of at most 64 bits, in decimal digits.")
    number = int(value)
    if not -_BOUND <= number < _BOUND:
        raise GraphQLError("BigInt is an integer of at most 64 bits.")
    return number


def render_time(moment: datetime) -> str:
    """Write a point in time as RFC 3339 in UTC, with `Z`; fractions of a second only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time; ValueError where it is none or has no offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset from UTC")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time is out of range") from None


def _parse_time(value: object) -> datetime:
    try:
        return parse_time(value if isinstance(value, str) else "")
    except ValueError:
        raise GraphQLError("DateTime is a point in time, as in RFC 3339, with its offset from UTC.") from None


SCALARS: dict[object, ScalarDefinition] = {
    BigInt: strawberry.scalar(
        name="BigInt",
        description="An integer of up to 64 bits, signed: a string in JSON, so that no client rounds it.",
        serialize=str,
        parse_value=_parse_big_int,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="A point in time, RFC 3339, in UTC.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=render_time,
        parse_value=_parse_time,
    ),
}


def big(value: Any) -> BigInt:
    """Mark an integer as one that the graph shows as BigInt."""
    return BigInt(value)
