"""Importing: documents in a service's own format, read by the provider's archive, written to the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from gateway.files import Line, misfit
from gateway.model.errors import GatewayError, InvalidInput
from gateway.model.ports import Archive, Record
from gateway.store.store import Store


@dataclass(slots=True)
class Report:
    """What an import brought: counts by word, and the records rejected, each with its file, line and reason."""

    counts: Counter[str] = field(default_factory=Counter[str])
    rejected: list[tuple[str, int, str]] = field(default_factory=list[tuple[str, int, str]])


class Broken(Exception):
    """A strict import found records that are no good; nothing of it was kept."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"{len(report.rejected)} bad records")
        self.report = report


async def import_documents(
    store: Store,
    provider: str,
    archive: Archive,
    files: Iterable[tuple[str, Iterable[Line]]],
    *,
    owner: str | None,
    kind: str | None,
    strict: bool,
) -> Report:
    """Import files in one transaction; a bad record is reported and left out, or, if `strict`, undoes all (Broken)."""
    report = Report()

    def records() -> Iterator[Record]:
        for name, lines in files:
            for line in lines:
                faults: list[str] = []
                yield from _records(archive, line, owner, kind, faults)
                report.rejected += [(name, line.number, fault) for fault in faults]
        if strict and report.rejected:
            raise Broken(report)

    report.counts.update(await store.import_records(provider, records()))
    return report


def _records(archive: Archive, line: Line, owner: str | None, kind: str | None, faults: list[str]) -> Iterator[Record]:
    if line.fault is not None:
        faults.append(line.fault)
        return
    payloads: list[Any] = [line.payload]
    try:
        if archive.splits(kind, line.payload):
            payloads = cast("list[Any]", line.payload)
    except InvalidInput as error:
        faults.append(error.message)
        return
    for payload in payloads:
        if line.suspect and (fault := misfit(payload)) is not None:
            faults.append(fault)
            continue
        try:
            # Read whole before any of it is written: a document stands or falls as one.
            found = list(archive.parse_record(kind, payload, owner))
        except GatewayError as error:
            faults.append(error.message)
        else:
            yield from found
