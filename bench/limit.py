"""The limit: the benchmark's answers written by hand, without GraphQL, in as little Python as does it.

    python -m bench.limit --service http://127.0.0.1:9000 --store gateway.db

It prints its address. `/upstream` reads the service, `/cached` keeps whole answers, `/local` reads the gateway's store.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import sqlite3
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.account import ACCOUNT
from bench.workloads import Backend

_BATCH = 200
_OWNER = f"guildwars2/{ACCOUNT}"

Definitions = Mapping[Any, Mapping[str, Any]]


class Service:
    """The service over HTTP: the calls that the gateway makes, too."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def open(self) -> None:
        """Open the pool of connections."""
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100))

    async def close(self) -> None:
        """Close them all."""
        await self._session.close()

    async def read(self, path: str) -> Any:
        """Give a document."""
        async with self._session.get(self._address + path, raise_for_status=True) as response:
            return orjson.loads(await response.read())

    async def answer(self, operation: str, variables: Mapping[str, Any]) -> Any:
        """Give the data of an operation."""
        if operation == "Nothing":
            return {"__typename": "Query"}
        if operation == "Everything":
            names: list[str] = await self.read("/v2/characters")
            found = await asyncio.gather(*map(self._inventory, names))
            definitions = await self._definitions(found)
            nodes = [_character(name, bags, definitions) for name, bags in zip(names, found, strict=True)]
            return {"inventory": {"containers": {"nodes": nodes}}}
        name = variables["key"].removeprefix("character:")
        bags = await self._inventory(name)
        definitions = await self._definitions([bags]) if operation == "Joined" else None
        return {"inventory": {"container": _character(name, bags, definitions)}}

    async def _inventory(self, name: str) -> Any:
        return (await self.read(f"/v2/characters/{name}/inventory"))["bags"]

    async def _definitions(self, inventories: Sequence[Any]) -> Definitions:
        stacks = (stack for bags in inventories for bag in bags for stack in bag["inventory"] if stack)
        numbers = list({stack["id"]: None for stack in stacks})
        batches = [numbers[start : start + _BATCH] for start in range(0, len(numbers), _BATCH)]
        parts = await asyncio.gather(*(self.read(f"/v2/items?ids={','.join(map(str, batch))}") for batch in batches))
        return {
            entry["id"]: {"name": entry["name"], "icon": entry["icon"], "rarity": entry["rarity"]}
            for part in parts
            for entry in part
        }


def _character(name: str, bags: Any, definitions: Definitions | None) -> dict[str, Any]:
    bag_slots: list[Any] = []
    for number, bag in enumerate(bags):
        key = f"character:{name}/{number}"
        slots: list[Any] = []
        for index, stack in enumerate(bag["inventory"]):
            if stack is None:
                slots.append({"index": index, "item": None})
                continue
            item = {"key": f"{key}/{index}", "quantity": str(stack["count"]), "binding": stack.get("binding")}
            if definitions is not None:
                item["definition"] = definitions[stack["id"]]
            slots.append({"index": index, "item": item})
        bag_slots.append({"bag": {"key": key, "size": bag["size"], "slots": slots}})
    return {"name": name, "bagSlots": bag_slots}


class Store:
    """The gateway's tables, read at once and in place: no thread, no pool, no objects in between."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)

    def answer(self) -> Any:
        """Give the data of the operation `Everything`: the only one that is asked of the store."""
        read = self._database.execute
        bag_slots: dict[str, list[Any]] = {}
        nodes: list[Any] = []
        for key, name in read(
            "SELECT key, name FROM containers WHERE owner = ? AND parent_key IS NULL AND kind = 'character'"
            " ORDER BY sort LIMIT 50",
            (_OWNER,),
        ):
            nodes.append({"name": name, "bagSlots": bag_slots.setdefault(key, [])})
        slots: dict[str, list[Any]] = {}
        for key, parent, details in read(
            "SELECT key, parent_key, details FROM containers WHERE owner = ? AND kind = 'bag' ORDER BY sort", (_OWNER,)
        ):
            size = orjson.loads(details)["size"]
            slots[key] = [{"index": index, "item": None} for index in range(size)]
            bag_slots[parent].append({"bag": {"key": key, "size": size, "slots": slots[key]}})
        definitions: dict[str, Any] = {}
        for key, name, rarity, details in read(
            "SELECT key, name, rarity, details FROM definitions WHERE provider = 'guildwars2'"
            " AND key IN (SELECT definition_key FROM items WHERE owner = ?)",
            (_OWNER,),
        ):
            definitions[key] = {"name": name, "icon": orjson.loads(details).get("icon"), "rarity": rarity}
        for key, container, slot, definition, quantity, details in read(
            "SELECT key, container_key, slot_key, definition_key, quantity, details FROM items WHERE owner = ?",
            (_OWNER,),
        ):
            slots[container][int(slot)]["item"] = {
                "key": key,
                "quantity": str(quantity),
                "binding": orjson.loads(details).get("binding"),
                "definition": definitions[definition],
            }
        return {"inventory": {"containers": {"nodes": nodes}}}


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def application(service: Service, store: Store) -> Starlette:
    """Make the server."""
    kept: dict[bytes, bytes] = {}

    async def upstream(request: Request) -> Response:
        asked = orjson.loads(await request.body())
        return _json(orjson.dumps({"data": await service.answer(asked["operationName"], asked.get("variables", {}))}))

    async def cached(request: Request) -> Response:
        body = await request.body()
        if body not in kept:
            kept[body] = bytes((await upstream(request)).body)
        return _json(kept[body])

    async def local(request: Request) -> Response:
        await request.body()
        return _json(orjson.dumps({"data": store.answer()}))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        await service.open()
        yield
        await service.close()

    handlers = {Backend.UPSTREAM: upstream, Backend.CACHED: cached, Backend.LOCAL: local}
    routes = [Route(f"/{backend}", handler, methods=["POST"]) for backend, handler in handlers.items()]
    return Starlette(routes=routes, lifespan=lifespan)


def main() -> None:
    """Serve on a free port of the loopback until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--service", required=True)
    parser.add_argument("--store", type=Path, required=True)
    given = parser.parse_args()
    listening = socket.create_server(("127.0.0.1", 0))
    host, port = listening.getsockname()
    print(f"http://{host}:{port}", flush=True)
    config = uvicorn.Config(
        application(Service(given.service), Store(given.store)), access_log=False, log_level="warning"
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
