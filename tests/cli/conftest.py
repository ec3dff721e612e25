"""The command line in a folder of its own: in process, or as a process that is gone afterwards."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from typer.testing import CliRunner

from gateway.cli import app
from gateway.registry import PROVIDERS
from tests.leaks import NOTED

PROVIDER = PROVIDERS["guildwars2"]
OWNER = "Tester.1234"
DEMO: dict[str, Any] = orjson.loads((resources.files(PROVIDER.demo) / "demo.json").read_bytes())
COMMAND = [sys.executable, "-c", "from gateway.cli import main; main()"]


@dataclass
class Ran:
    """What a command did: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """Work in an empty folder, and leave the logs and signals of other tests as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    signals = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    yield tmp_path
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level
    for name, handler in signals.items():
        signal.signal(name, handler)


@pytest.fixture
def run() -> Run:
    """Give what runs a command in process; a trace in what it writes fails the test."""

    def ran(*arguments: str | Path, **variables: str) -> Ran:
        result = CliRunner().invoke(app, [*map(str, arguments)], env=variables)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        # What makes a secret shows it, once.
        shown = "" if {*arguments[:1]} & {"credential", "access-key", "vault"} else result.stdout
        NOTED.logs.append(shown + result.stderr)
        return Ran(result.exit_code, result.stdout, result.stderr)

    return ran


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a store with the samples in it, to be copied."""
    store = tmp_path_factory.mktemp("cli") / "gateway.db"
    demo = store.with_name("demo.json")
    demo.write_bytes(orjson.dumps(DEMO))
    url = f"sqlite:///{store}"
    result = CliRunner().invoke(app, ["import", PROVIDER.key, str(demo)], env={"GATEWAY_STORE__URL": url})
    assert result.exit_code == 0, result.output
    structlog.reset_defaults()
    return store


@pytest.fixture
def store(template: Path, folder: Path) -> Path:
    """Put a store with the samples where the settings look for it."""
    return Path(shutil.copy(template, folder))


def process(*arguments: str | Path, stdin: bytes | None = None, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a process."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=30,
        check=False,
        env={**os.environ, **variables},
    )


def write(path: Path, *documents: object) -> Path:
    """Write documents as JSON lines."""
    path.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents))
    return path
