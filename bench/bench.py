"""Measure what the gateway costs: CPU and throughput of an account's inventory, from the store and over HTTP.

    python bench/bench.py [--seconds 5] [--concurrency 8]

Two gateways on loopback sockets, each a process of its own: one serves from its SQLite store, the other has the first
one's REST dialect as its upstream, so its figures are its own process's alone. Answers are checked before they count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

OWNER = {"provider": "GUILD_WARS_2", "key": "Bench.1234"}
CHARACTERS, SLOTS = 20, 100
TICK = os.sysconf("SC_CLK_TCK")

BAGS = (
    "bagSlots { bag { id size: capacity slots { index item { id quantity ... on GuildWars2Item { binding } %s } } } }"
)
JOINED = "definition { name icon rarity }"
ONE = """query Q($owner: OwnerInput!) { inventory(owner: $owner) { container(key: "character:Hero 00") {
  name ... on GuildWars2Character { %s } } } }"""
ALL = """query Q($owner: OwnerInput!) { inventory(owner: $owner) { containers(kind: CHARACTER) { nodes {
  name ... on GuildWars2Character { %s } } } } }"""

WORKLOADS = {
    "no inventory": "query Q { __typename }",
    "one character, 100 slots": ONE % (BAGS % ""),
    "the same, definitions joined": ONE % (BAGS % JOINED),
    "20 characters, 2,000 slots joined": ALL % (BAGS % JOINED),
}


def account() -> dict[str, Any]:
    """Give an account in the service's own format: 20 characters with 100 filled slots each."""
    names = [f"Hero {number:02}" for number in range(CHARACTERS)]
    documents: dict[str, Any] = {
        "/v2/account": {"id": "00000000-0000-0000-0000-000000000001", "name": OWNER["key"]},
        "/v2/characters": names,
        "/v2/items": [
            {
                "id": number,
                "name": f"Item {number}",
                "type": "Trophy",
                "level": 0,
                "rarity": "Rare",
                "vendor_value": 1,
                "game_types": [],
                "flags": [],
                "restrictions": [],
                "icon": f"https://render.guildwars2.com/file/{number}.png",
            }
            for number in range(1, 401)
        ],
    }
    for place, name in enumerate(names):
        slots = [
            {"id": 1 + (place * 17 + slot) % 400, "count": 1 + slot, "binding": "Account"} for slot in range(SLOTS)
        ]
        bags = [{"id": 1, "size": 20, "inventory": slots[start : start + 20]} for start in range(0, SLOTS, 20)]
        documents[f"/v2/characters/{name}/inventory"] = {"bags": bags}
    return documents


@dataclass
class Running:
    """A gateway in a process of its own."""

    process: subprocess.Popen[str]
    address: str

    def cpu(self) -> float:
        """Give the seconds of CPU that it has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:13])) / TICK

    def peak(self) -> int:
        """Give its peak memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def gateway(*arguments: str, cwd: str, **settings: str) -> subprocess.Popen[str]:
    """Run a command of the gateway."""
    return subprocess.Popen(
        [sys.executable, "-c", "from gateway.cli import main; main()", *arguments],
        cwd=cwd,
        env={**os.environ, "GATEWAY_SERVER__REST_RATE_LIMIT": "false", **settings},
        stdout=subprocess.PIPE,
        text=True,
    )


def serve(cwd: str, **settings: str) -> Running:
    """Start a gateway on a free port and wait until it serves."""
    process = gateway("serve", "--port", "0", cwd=cwd, **settings)
    assert process.stdout is not None
    for line in process.stdout:
        if "http://" in line:
            return Running(process, line.split()[-1].removesuffix("/graphql"))
    raise SystemExit("the gateway did not start")


async def measure(
    at: Running, query: str, headers: dict[str, str], seconds: float, concurrency: int
) -> tuple[float, float]:
    """Give CPU milliseconds a request, and requests a second."""
    body = json.dumps({"query": query, "variables": {"owner": OWNER} if "$owner" in query else {}})
    headers = {**headers, "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def once() -> bytes:
            async with session.post(f"{at.address}/graphql", data=body) as response:
                return await response.read()

        expected = await once()
        if b'"errors"' in expected:
            raise SystemExit(expected.decode()[:500])
        started, used, done = time.monotonic(), at.cpu(), 0

        async def client() -> None:
            nonlocal done
            while time.monotonic() - started < seconds:
                assert await once() == expected
                done += 1

        await asyncio.gather(*(client() for _ in range(concurrency)))
        return (at.cpu() - used) / done * 1_000, done / (time.monotonic() - started)


async def main(seconds: float, concurrency: int) -> None:
    """Start both gateways, measure every workload on each, and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "account.json").write_text(json.dumps(account()))
        if gateway("import", "guildwars2", "account.json", cwd=folder).wait() != 0:
            raise SystemExit("the import failed")
        created = gateway("credential", "create", "guildwars2", "--owner", OWNER["key"], cwd=folder)
        key = created.communicate()[0].strip()
        local = serve(folder)
        upstream = serve(
            folder,
            GATEWAY_PROVIDERS__GUILDWARS2__BACKEND="upstream",
            GATEWAY_PROVIDERS__GUILDWARS2__BASE_URL=f"{local.address}/rest/guildwars2",
        )
        try:
            print("| workload | backend | CPU ms a request | requests a second |\n|---|---|---|---|")
            for name, query in WORKLOADS.items():
                for backend, at in (("local", local), ("upstream", upstream)):
                    headers = {"X-Credential-guildwars2-key": key} if backend == "upstream" else {}
                    # The upstream's call budget would be measured otherwise: 300 at once is what the service allows.
                    clients = concurrency if backend == "local" else 1
                    limit = seconds if backend == "local" else min(seconds, 2.0)
                    cost, rate = await measure(at, query, headers, limit, clients)
                    print(f"| {name} | {backend} | {cost:.1f} | {rate:.0f} |", flush=True)
            print(f"\nPeak memory: local {local.peak()} MiB, upstream {upstream.peak()} MiB.")
        finally:
            for running in (local, upstream):
                running.process.send_signal(signal.SIGTERM)
                running.process.wait(15)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--concurrency", type=int, default=8)
    given = parser.parse_args()
    asyncio.run(main(given.seconds, given.concurrency))
