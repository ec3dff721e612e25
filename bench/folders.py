"""Measure trees of folders: imported, crawled folder by folder as a viewer does, moved, copied and removed by subtree.

    python -m bench.folders [--folders 500,5000] [--postgres URL] [--rounds 200]

An inventory of so many folders, thirty levels at the deepest, with twenty items in each; in process, over the dialect.
What a folder costs must not grow with how many there are.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from gateway.app import Gateway
from gateway.backends.local import issue, now
from gateway.files import Line
from gateway.importing import import_documents
from gateway.model.ids import OwnerRef
from gateway.model.ports import Wanted
from gateway.registry import PROVIDERS
from gateway.settings import Settings, StoreSettings

PROVIDER = PROVIDERS["secondlife"]
ITEMS = 20
LEVELS = 30
SUBSET = 20
COPIES = 20
SUBTREE = 50
"""About how many folders a subtree has that is copied, moved and removed."""


def _agent(number: int) -> str:
    return f"aaaaaaaa-0000-4000-8000-{number:012d}"


def _folder(number: int) -> str:
    return f"11111111-0000-4000-8000-{number:012d}"


def inventory(folders: int, agent: str) -> tuple[dict[str, Any], dict[int, list[int]]]:
    """Give an inventory as the service tells it, and which folders lie in which: one chain, and the rest at random.

    No folder has more than a hundred others in it, as people's have.
    """
    chance = random.Random(folders)  # noqa: S311 -- the same each time
    children: dict[int, list[int]] = {0: []}
    levels = {0: 0}
    open_ = [0]
    for number in range(1, folders):
        parent = number - 1 if number < LEVELS else open_[chance.randrange(len(open_))]
        children[parent].append(number)
        children[number] = []
        levels[number] = levels[parent] + 1
        if levels[number] < LEVELS - 1:
            open_.append(number)
        if len(children[parent]) >= 100:
            open_.remove(parent)

    def folder(number: int, parent: str) -> dict[str, Any]:
        things = {}
        for at in range(ITEMS):
            key = f"22222222-0000-4000-8000-{number * ITEMS + at:012d}"
            things[key] = {
                "item_id": key,
                "name": f"Thing {at}",
                "desc": "",
                "type": 6,
                "inv_type": 6,
                "created_at": 1_700_000_000 + at,
                "asset_id": f"33333333-0000-4000-8000-{at:012d}",
                "permissions": {
                    "base_mask": 0x7FFFFFFF,
                    "owner_mask": 0x7FFFFFFF,
                    "creator_id": agent,
                    "owner_id": agent,
                },
            }
        return {
            "category_id": _folder(number),
            "parent_id": parent,
            "agent_id": agent,
            "name": f"Folder {number}",
            "type_default": -1 if number else 8,
            "version": 1,
            "_embedded": {
                "items": things,
                "links": {},
                "categories": {_folder(child): folder(child, _folder(number)) for child in children[number]},
            },
        }

    return folder(0, "00000000-0000-0000-0000-000000000000"), children


async def _timed(calls: Iterator[Callable[[], Awaitable[Any]]]) -> list[float]:
    """Give the milliseconds of each call."""
    found: list[float] = []
    for call in calls:
        began = time.perf_counter()
        await call()
        found.append((time.perf_counter() - began) * 1_000)
    return found


def _subtree(children: dict[int, list[int]]) -> tuple[int, int]:
    """Find the folder whose subtree is nearest to the size that is moved about, and one that does not lie in it."""
    sizes: dict[int, int] = {}
    for number in sorted(children, reverse=True):
        sizes[number] = 1 + sum(sizes[child] for child in children[number])
    picked = min((number for number in children if number), key=lambda number: abs(sizes[number] - SUBTREE))
    inside = {picked}
    for number in sorted(children):
        inside |= set(children[number]) if number in inside else set()
    return picked, max(number for number in children if number not in inside)


async def measure(folders: int, url: str, rounds: int) -> dict[str, float]:
    """Measure one inventory in one database."""
    agent = _agent(folders)
    document, children = inventory(folders, agent)
    gateway = Gateway(Settings(store=StoreSettings(url=url)))
    figures: dict[str, float] = {}
    await gateway.store.connect()
    await gateway.store.migrate()
    async with gateway:
        began = time.perf_counter()
        await import_documents(
            gateway.store,
            PROVIDER.key,
            PROVIDER.archive,
            [("tree", [Line(1, document)])],
            owner=None,
            kind=None,
            strict=True,
        )
        figures["import, s"] = time.perf_counter() - began
        figures["import, ms a folder"] = figures["import, s"] * 1_000 / folders
        wanted = Wanted(
            part="inventory", owner=agent, name="bench", scopes=(), issued_at=now(), expires_at=None, limits=()
        )
        capability = await issue(gateway.store, PROVIDER.key, PROVIDER.rules, wanted)
        base = f"http://localhost/rest/secondlife/{capability}"
        headers = {"Accept": "application/llsd+xml", "Accept-Encoding": "identity"}
        transport = httpx.ASGITransport(app=gateway.app())
        async with httpx.AsyncClient(transport=transport, headers=headers, timeout=600) as client:

            async def ask(method: str, path: str, **more: str) -> httpx.Response:
                answer = await client.request(method, base + path, headers={**headers, **more})
                if answer.status_code not in (200, 201):
                    raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
                return answer

            def crawl() -> Iterator[Callable[[], Awaitable[Any]]]:
                for number in children:
                    yield lambda number=number: ask("GET", f"/category/{_folder(number)}/children?depth=0")

            took = await _timed(crawl())
            figures["crawl at depth 0, s"] = sum(took) / 1_000
            figures["crawl at depth 0, ms a folder"] = sum(took) / folders

            def subsets() -> Iterator[Callable[[], Awaitable[Any]]]:
                for parent, below in children.items():
                    for at in range(0, len(below), SUBSET):
                        named = ",".join(_folder(child) for child in below[at : at + SUBSET])
                        path = f"/category/{_folder(parent)}/children?depth=1&children={named}"
                        yield lambda path=path: ask("GET", path)

            took = await _timed(subsets())
            figures["crawl by subsets, s"] = sum(took) / 1_000
            figures["crawl by subsets, ms a folder"] = sum(took) / folders

            picked, beside = _subtree(children)
            root, leaf = _folder(0), _folder(beside)
            path = f"/category/{_folder(picked)}"

            def moves() -> Iterator[Callable[[], Awaitable[Any]]]:
                for at in range(rounds):
                    to = leaf if at % 2 else root
                    yield lambda to=to: ask("MOVE", path, Destination=to)

            figures["move a subtree, ms"] = median(await _timed(moves()))
            copies: list[str] = []

            async def copy() -> None:
                answer = await ask("COPY", path, Destination=root)
                copies.append(answer.headers["location"])

            figures[f"copy {SUBTREE} folders, ms"] = median(await _timed(iter([copy] * COPIES)))
            removals = iter([lambda at=at: ask("DELETE", at) for at in copies])
            figures[f"remove {SUBTREE} folders, ms"] = median(await _timed(removals))
        owned = await gateway.store.owned(OwnerRef(PROVIDER.key, agent))
        if owned is None or len(owned.containers) != folders or len(owned.items) != folders * ITEMS:
            raise SystemExit("the inventory is not what it was")
    return figures


def main(arguments: list[str]) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folders", default="500,5000", help="how many folders; several sizes, to compare")
    parser.add_argument("--postgres", help="an empty PostgreSQL database to measure too")
    parser.add_argument("--rounds", type=int, default=200, help="how often a subtree is moved")
    given = parser.parse_args(arguments)
    sizes = [int(size) for size in given.folders.split(",")]
    columns: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            columns[f"SQLite, {size:,} folders"] = asyncio.run(
                measure(size, f"sqlite:///{Path(folder) / f'{size}.db'}", given.rounds)
            )
            if given.postgres:
                columns[f"PostgreSQL, {size:,} folders"] = asyncio.run(measure(size, given.postgres, given.rounds))
    ordered = sorted(columns, key=lambda name: name.partition(",")[0] != "SQLite")
    print("| | " + " | ".join(ordered) + " |")
    print("|---|" + "---|" * len(ordered))
    for row in next(iter(columns.values())):
        print(f"| {row} | " + " | ".join(f"{columns[name][row]:.2f}" for name in ordered) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
