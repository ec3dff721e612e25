"""Run an operation by graphql-core and by our execution, and tell in what the two answers differ."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, cast

import orjson
from graphql import ExecutionResult, GraphQLError
from strawberry import Schema
from structlog.testing import capture_logs

from gateway.api.context import Context
from gateway.api.errors import formatted
from gateway.execution.documents import Documents, Invalid
from gateway.execution.guard import Limits
from tests.execution.data import Log, Plan, asking

# The library would write each error's trace, some thousand times.
logging.getLogger("strawberry.execution").disabled = True

Path = tuple[str | int, ...]

WIDE = Limits(**{limit.name: 10**9 for limit in fields(Limits)})
"""The guard is not what is compared here."""


@dataclass(kw_only=True)
class Answer:
    """What an operation was answered, as a client would see it, and what was read for it."""

    data: Any
    written: bytes
    errors: list[tuple[str, Path, str, str]]
    log: Log


@cache
def documents(schema: Schema) -> Documents:
    """Give the documents of a schema; one for all tests, so that what it keeps is used again."""
    return Documents(schema, max_tokens=20_000, max_bytes=2**22, limits=WIDE)


async def compiled(
    schema: Schema, text: str, variables: Mapping[str, Any], name: str | None, context: Context
) -> ExecutionResult:
    """Run an operation by our execution: the one place that knows how it is called."""
    try:
        operation = documents(schema).get(text, name)
    except Invalid as invalid:
        return ExecutionResult(None, [invalid.error])
    return await operation.execute(variables, context)


async def by_library(
    schema: Schema, text: str, variables: Mapping[str, Any], name: str | None, context: Context
) -> ExecutionResult:
    """Run an operation by graphql-core."""
    return cast(
        "ExecutionResult",
        await schema.execute(text, variable_values=dict(variables), context_value=context, operation_name=name),
    )


async def answer(
    execute: Any, schema: Schema, plan: Plan, text: str, variables: Mapping[str, Any], name: str | None
) -> Answer:
    """Run an operation one way over fresh data."""
    with capture_logs():
        async with asking(schema, plan) as (context, log):
            result = await execute(schema, text, variables, name, context)
        return Answer(data=result.data, written=as_bytes(result.data), errors=_told(result.errors), log=log)


def as_bytes(data: Any) -> bytes:
    """Write data as the gateway does; what cannot be written so is told apart by its representation."""
    try:
        return orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return repr(data).encode()


def _told(errors: list[GraphQLError] | None) -> list[tuple[str, Path, str, str]]:
    told: list[tuple[str, Path, str, str]] = []
    for error in errors or ():
        try:
            found: dict[str, Any] = formatted(error)
        except ValueError:
            # An error that names a provider that the graph does not know.
            found = {"message": "cannot be told", "path": error.path, "locations": str(error.locations)}
        path = tuple(cast("list[str | int]", found.get("path") or ()))
        places = json.dumps(found.get("locations"))
        told.append((found["message"], path, places, json.dumps(found.get("extensions"), sort_keys=True)))
    return told


def hidden_by(data: Any, path: Path) -> Path | None:
    """Give the place above a path at which the data is null, if there is one."""
    for length, step in enumerate(path):
        if data is None:
            return path[:length]
        data = data[step]
    return None


def differences(ours: Answer, theirs: Answer) -> list[str]:
    """Tell in what our answer differs from graphql-core's, apart from how many errors a null hides."""
    if ours.written != theirs.written:
        return [f"data:\n  ours         {ours.written.decode()}\n  graphql-core {theirs.written.decode()}"]
    shown_ours, nulls_ours = _apart(ours)
    shown_theirs, nulls_theirs = _apart(theirs)
    found = [f"only ours: {error}" for error in (shown_ours - shown_theirs).elements()]
    found += [f"only graphql-core's: {error}" for error in (shown_theirs - shown_ours).elements()]
    if nulls_ours != nulls_theirs:
        found.append(f"nulls explained by errors below: ours {nulls_ours}, graphql-core {nulls_theirs}")
    return found + needless(ours, theirs)


def _apart(one: Answer) -> tuple[Counter[tuple[str, Path, str, str]], set[Path]]:
    shown: Counter[tuple[str, Path, str, str]] = Counter()
    nulls: set[Path] = set()
    for error in one.errors:
        try:
            place = hidden_by(one.data, error[1])
        except (KeyError, IndexError, TypeError):
            shown[(f"its path leads nowhere: {error[0]}", *error[1:])] += 1
            continue
        if place is None:
            shown[error] += 1
        else:
            nulls.add(place)
    return shown, nulls


def needless(ours: Answer, theirs: Answer) -> list[str]:
    """Tell what our execution reads twice, or though graphql-core does not."""
    asked = Counter(key for key in _keys(ours.log))
    found = [f"read {count} times: {key}" for key, count in asked.items() if count > 1]
    if not _apart(theirs)[1]:
        # Where an error nulls more than its own field, graphql-core may stop early and read less than there is.
        # By what they look like: broken data makes keys that equal nothing.
        known = set(map(repr, _keys(theirs.log)))
        found += [f"read without need: {key}" for key in asked if repr(key) not in known]
    return found


def _keys(log: Log) -> list[tuple[str, str, Any]]:
    return [(provider, method, key) for provider, method, keys in log.batches for key in keys or (None,)]


def more_batches(ours: Answer, theirs: Answer) -> list[str]:
    """Tell of the loaders that our execution lets read more often than graphql-core does.

    This is only to be compared where every session answers at once: where some are slow, to wait for more keys to
    read with would hold up those that are there.
    """
    batches_ours = Counter(batch[:2] for batch in ours.log.batches)
    batches_theirs = Counter(batch[:2] for batch in theirs.log.batches)
    return [
        f"batches of {name}: ours {count}, graphql-core {batches_theirs[name]}"
        for name, count in batches_ours.items()
        if count > batches_theirs[name]
    ]


async def compare(
    schema: Schema, plan: Plan, text: str, variables: Mapping[str, Any], name: str | None
) -> tuple[Answer, Answer, list[str]]:
    """Run an operation both ways, and tell in what the answers differ."""
    theirs = await answer(by_library, schema, plan, text, variables, name)
    ours = await answer(compiled, schema, plan, text, variables, name)
    return ours, theirs, differences(ours, theirs)


def compared(
    schema: Schema, plan: Plan, text: str, variables: Mapping[str, Any], name: str | None
) -> tuple[Answer, Answer, list[str]]:
    """Do as `compare`, in an event loop of its own, and sweep up behind it: the collector itself is switched off."""
    try:
        return asyncio.run(compare(schema, plan, text, variables, name))
    finally:
        gc.collect(0)
