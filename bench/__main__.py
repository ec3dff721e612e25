"""Measure what an answer costs the gateway, beside the same answer written by hand in Python without GraphQL.

    python -m bench [--workloads W2,W3] [--seconds 2] [--rounds 3]

The service is played on the loopback. Every server is a process of its own, on a core of its own where there are two.
Both must give equal data before anything is measured. Trust the ratio of CPU: the rest depends on the machine's load.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import orjson
import uvloop

from bench.account import documents
from bench.load import Client, Measured, measure, written
from bench.processes import GATEWAY, PINNED, Running, keep_off_the_servers, run_gateway
from bench.workloads import WORKLOADS, Backend, Workload

# The form of a key of the service; the emulator takes any.
KEY = "-".join("0123456789ABCDEF0123"[:size] for size in (8, 4, 4, 4, 20, 4, 4, 4, 12))
HEADERS = {"X-Credential-guildwars2-key": KEY}

_WARMING_UP = 0.7


@dataclass
class Contestant:
    """One server and one workload: what it is sent, what it answers, and what was measured."""

    name: str
    at: Running
    requests: Sequence[bytes]
    answers: Sequence[bytes] = ()
    rounds: list[Measured] = field(default_factory=list[Measured])

    async def answer(self) -> list[str]:
        """Ask everything once, and give the data."""
        client = await Client.connect(self.at)
        self.answers = [await client.ask(request) for request in self.requests]
        client.close()
        found = [orjson.loads(answer) for answer in self.answers]
        for one in found:
            if "errors" in one:
                raise SystemExit(f"{self.name}: {orjson.dumps(one['errors']).decode()[:1_000]}")
        return [orjson.dumps(one["data"]).decode() for one in found]

    def summary(self) -> Measured:
        """Sum up the rounds: CPU of the one that was least disturbed, and medians."""
        return Measured(
            cpu=min(one.cpu for one in self.rounds),
            rate=median(one.rate for one in self.rounds),
            median=median(one.median for one in self.rounds),
            peak=max(one.peak for one in self.rounds),
            calls=median(one.calls for one in self.rounds),
        )


@dataclass
class Comparison:
    """A workload, and the two that do it."""

    workload: Workload
    ours: Contestant
    limit: Contestant

    async def check(self) -> None:
        """See that both give the same data, to the letter."""
        # What is warm then is warm for both.
        ours, limit = await self.ours.answer(), await self.limit.answer()
        for one, other in zip(ours, limit, strict=True):
            if one != other:
                place = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
                around = slice(max(0, place - 100), place + 100)
                raise SystemExit(
                    f"{self.workload.title}: the data differ\n  ours:  {one[around]}\n  limit: {other[around]}"
                )

    async def run(self, seconds: float, service: Running) -> tuple[Measured, Measured]:
        """Measure one after the other."""
        clients = self.workload.clients
        return (
            await measure(self.ours.at, self.ours.requests, self.ours.answers, clients, seconds, service),
            await measure(self.limit.at, self.limit.requests, self.limit.answers, clients, seconds, service),
        )

    def row(self) -> str:
        """Tell the ratio, and whether it is what it is to be."""
        ratio, target = self.ours.summary().cpu / self.limit.summary().cpu, self.workload.target
        judged = "" if target is None else f"{target} {'met' if ratio <= target else 'missed'}"
        return f"{ratio:.2f} | {judged}"


def gateways(service: Running) -> dict[Backend, dict[str, str]]:
    """Give the settings of each gateway under test."""
    prefix = "GATEWAY_PROVIDERS__GUILDWARS2__"
    upstream = {
        f"{prefix}BACKEND": "upstream",
        f"{prefix}BASE_URL": service.address,
        # The true service allows 300, which would be all that is measured.
        f"{prefix}REQUESTS_PER_MINUTE": "100000000",
    }
    return {
        Backend.UPSTREAM: upstream,
        Backend.CACHED: {**upstream, f"{prefix}ACCOUNT_CACHE": "3600"},
        # The store of the folder that it runs in.
        Backend.LOCAL: {},
    }


def tell(name: str, comparisons: Sequence[Comparison]) -> None:
    """Print the tables of a workload."""
    for one in comparisons:
        print(f"\n**{name}: {one.workload.title}**\n")
        slots = one.workload.slots
        per_slot = " CPU µs a slot |" if slots else ""
        print(f"| | CPU ms a request |{per_slot} requests a second | p50 ms | peak MiB | calls |")
        print(f"|---|{'---:|' * (6 if slots else 5)}")
        for contestant in (one.ours, one.limit):
            got = contestant.summary()
            by_slot = f" {got.cpu / slots * 1_000:.2f} |" if slots else ""
            print(
                f"| {contestant.name} | {got.cpu:.3f} |{by_slot} {got.rate:.0f} | {got.median:.2f} | {got.peak:.0f} "
                f"| {got.calls:.1f} |"
            )
    sys.stdout.flush()


def tell_ratios(found: Mapping[str, Sequence[Comparison]]) -> None:
    """Print what it all comes to."""
    print("\n**CPU, ours : limit**\n\n| workload | | ratio | target |\n|---|---|---:|---|")
    for name, comparisons in found.items():
        for one in comparisons:
            print(f"| {name} | {one.workload.title} | {one.row()} |")


async def compare(names: Sequence[str], seconds: float, rounds: int) -> None:
    """Start all servers, check that their data are equal, and measure in turns."""
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)

        def start(*command: str, measured: bool = True, settings: Mapping[str, str] | None = None) -> Running:
            running = Running.start([sys.executable, *command], folder, measured=measured, settings=settings)
            stack.callback(running.stop)
            return running

        service = start("-m", "bench.emulator", measured=False)
        (folder / "account.json").write_bytes(orjson.dumps(documents()))
        run_gateway("import", "guildwars2", "account.json", folder=folder)
        limit = start("-m", "bench.limit", "--service", service.address, "--store", str(folder / "gateway.db"))
        settings = gateways(service)
        wanted = {workload.backend for name in names for workload in WORKLOADS[name]}
        ours = {
            backend: start(*GATEWAY, "serve", "--port", "0", settings=settings[backend]) for backend in sorted(wanted)
        }

        def comparison(workload: Workload) -> Comparison:
            at = ours[workload.backend]
            headers = {} if workload.backend is Backend.LOCAL else HEADERS
            return Comparison(
                workload,
                Contestant("ours", at, [written(at, "/graphql", body, headers) for body in workload.requests]),
                Contestant(
                    "limit", limit, [written(limit, f"/{workload.backend}", body, {}) for body in workload.requests]
                ),
            )

        found = {name: [comparison(workload) for workload in WORKLOADS[name]] for name in names}
        everything = [one for comparisons in found.values() for one in comparisons]
        for one in everything:
            await one.check()
        print(
            f"All data are equal. {rounds} rounds of {seconds:g} s each; "
            f"{'the servers on a core of their own' if PINNED else 'all on one core'}; load {os.getloadavg()[0]:.1f}.",
            flush=True,
        )
        for one in everything:
            await one.run(_WARMING_UP, service)
        for _ in range(rounds):
            for one in everything:
                ours_took, limit_took = await one.run(seconds, service)
                one.ours.rounds.append(ours_took)
                one.limit.rounds.append(limit_took)
        for name, comparisons in found.items():
            tell(name, comparisons)
        tell_ratios(found)


def main() -> None:
    """Read what is wanted, and measure it."""
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help="which ones, with commas between them")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each is measured in a round")
    parser.add_argument("--rounds", type=int, default=3, help="how many times the turn goes round")
    given = parser.parse_args()
    names: list[str] = given.workloads.upper().split(",")
    if unknown := [name for name in names if name not in WORKLOADS]:
        parser.error(f"no such workload: {', '.join(unknown)}; there are: {', '.join(WORKLOADS)}")
    keep_off_the_servers()
    uvloop.run(compare(names, given.seconds, given.rounds))


if __name__ == "__main__":
    main()
