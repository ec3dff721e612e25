"""Hold the gateway against public suites and client libraries, each of its own maker.

    python tests/clients/run.py [SUITE ...]

Starts the demo on a free port, runs the suites two at a time, prints the last line of each, and what failed of those
that did not meet their bar; the whole of each is in `work/`. Needs Node 20 and npm; Chromium is installed, where it
is not there, on a machine that has apt.
"""

# ruff: noqa: T201  A script tells how it goes.
from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
WORK = FOLDER / "work"
EXAMPLE = ROOT / "deploy" / "federation"

STARTING = 60
"""How many seconds the gateway may take to start."""

STOPPING = 10
"""How many seconds it may take to stop."""

RUNNING = 240
"""How many seconds a suite may take."""


@dataclass(frozen=True)
class Suite:
    """A suite is the file of its name; at its end it tells how many checks are ok, which are `least` or more."""

    name: str
    least: int


SUITES = [
    # The long ones first: two run at a time.
    Suite("supergraph", least=37),
    Suite("federation", least=150),
    Suite("browser", least=9),
    Suite("relay", least=280),
    Suite("ws", least=11),
    Suite("clients", least=19),
    Suite("sse", least=6),
    Suite("schema", least=26),
    Suite("http", least=61),
]


def install() -> None:
    """Install what the lock files name, where that has not been done since they changed; and Chromium."""
    for folder in (FOLDER, EXAMPLE):
        lock, mark = folder / "package-lock.json", folder / "node_modules" / ".installed"
        if not mark.exists() or mark.read_bytes() != lock.read_bytes():
            print(f"npm ci in {folder.relative_to(ROOT)}", flush=True)
            subprocess.run(["npm", "ci", "--loglevel=error"], cwd=folder, check=True)
            mark.write_bytes(lock.read_bytes())


def find_chromium() -> str:
    """Give the address of a Chromium, which is installed where that can be done."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and shutil.which("apt-get"):
        print("apt-get install chromium", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        with (WORK / "apt.log").open("w") as log:
            for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
                subprocess.run(["apt-get", *command], env=environment, stdout=log, stderr=log, check=False)
        found = shutil.which("chromium")
    if found is None:
        raise SystemExit("The suite `browser` needs Chromium: install it, or name one in CHROMIUM.")
    return found


@contextmanager
def demo() -> Generator[str]:
    """Serve the demo on a free port, and give the address of its graph."""
    log = WORK / "gateway.log"
    with log.open("w") as output:
        command = [sys.executable, "-c", "from gateway.cli import main; main()", "serve", "--demo", "--port", "0"]
        running = subprocess.Popen(command, cwd=WORK, stdout=output, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + STARTING
            while not (found := re.search(r"http://127\.0\.0\.1:\d+/graphql", log.read_text())):
                if running.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"The gateway did not start:\n{log.read_text()}")
                time.sleep(0.05)
            yield found[0]
        finally:
            running.terminate()
            try:
                running.wait(STOPPING)
            except subprocess.TimeoutExpired:
                running.kill()


def run(suite: Suite, url: str, environment: dict[str, str]) -> bool:
    """Run one suite, tell how it went, and say whether it met its bar."""
    begun = time.monotonic()
    log = WORK / f"{suite.name}.log"
    with log.open("w") as output:
        # A group of its own, so that what it started ends with it.
        running = subprocess.Popen(
            ["node", f"{suite.name}.mjs", url],
            cwd=FOLDER,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            running.wait(RUNNING)
        except subprocess.TimeoutExpired:
            print(f"It did not end within {RUNNING} s.", file=output)
        finally:
            end_group(running)
    lines = log.read_text().splitlines() or ["It said nothing."]
    counted = re.match(r"\w+: (\d+) ok, 0 failed\b", lines[-1])
    holds = running.returncode == 0 and counted is not None and int(counted[1]) >= suite.least
    # One print, so that two suites that end at once do not mix.
    told = [f"{'ok  ' if holds else 'FAIL'} {lines[-1]} ({suite.least} wanted, {time.monotonic() - begun:.0f} s)"]
    if not holds:
        told += [f"     {line}" for line in lines[:-1] if not line.startswith(("ok ", "SKIP"))][-40:]
    print("\n".join(told), flush=True)
    return holds


def end_group(running: subprocess.Popen[bytes]) -> None:
    """End what is left of a suite's processes."""
    with suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the suites that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [suite.name for suite in SUITES]
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(names))
    wanted = parser.parse_args(arguments).suites or names
    if unknown := sorted(set(wanted) - set(names)):
        parser.error(f"no such suite: {', '.join(unknown)}")
    begun = time.monotonic()
    WORK.mkdir(exist_ok=True)
    install()
    environment = {**os.environ, "APOLLO_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1"}
    if "browser" in wanted:
        environment["CHROMIUM"] = find_chromium()
    with demo() as url, ThreadPoolExecutor(max_workers=2) as pool:
        started = [pool.submit(run, suite, url, environment) for suite in SUITES if suite.name in wanted]
        met = [one.result() for one in started]
    print(f"{sum(met)} of {len(met)} suites meet their bar, {time.monotonic() - begun:.0f} s")
    if not all(met):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
