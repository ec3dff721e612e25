"""That nothing leaves is looked at after every test of the suite; here is seen that it is found where it does."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from pydantic import SecretStr
from structlog.testing import capture_logs

from gateway.model.credentials import Credential
from tests import leaks
from tests.gateways import running, settings
from tests.leaks import NOTED

SECRET = "a-secret-of-this-test"


def raised() -> None:
    try:
        raise ValueError(f"no good: {SECRET}")
    except ValueError:
        structlog.get_logger("gateway").exception("failed")


def ended() -> None:
    code = f"import sys; sys.stderr.write({SECRET!r})"
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


WAYS: dict[str, Callable[[], Any]] = {
    "event": lambda: structlog.get_logger("gateway").info(f"asked with {SECRET}"),
    "value": lambda: structlog.get_logger("gateway").warning("asked", headers={"x": [SECRET]}),
    "exception": raised,
    "others": lambda: logging.getLogger("uvicorn.error").warning("with %s", SECRET),
    "process": ended,
}


def found() -> list[str]:
    told = [*NOTED.leaks()]
    NOTED.clear()
    return told


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_in_a_log_is_found(way: str) -> None:
    Credential("roblox", {"cookie": SECRET})
    with capture_logs():
        WAYS[way]()
    (told,) = found()
    assert told.startswith("a log has the secret")


@pytest.mark.parametrize(
    "use", [lambda: Credential("roblox", {"key": SECRET}), lambda: SecretStr(SECRET).get_secret_value()]
)
def test_secrets_are_noted_where_they_are_used(use: Callable[[], Any]) -> None:
    structlog.get_logger("gateway").debug(SECRET)
    with capture_logs():
        structlog.get_logger("gateway").warning(SECRET)
    assert not [*NOTED.leaks()]
    use()
    assert found()


@pytest.mark.parametrize(
    ("path", "status", "leaks_out"),
    [("/graphql", 200, True), ("/metrics", 200, True), ("/rest/x", 400, True), ("/rest/x", 200, False)],
)
@pytest.mark.parametrize("place", ["header", "body"])
async def test_a_secret_in_an_answer_is_found(path: str, status: int, leaks_out: bool, place: str) -> None:
    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        header, body = (SECRET, "") if place == "header" else ("", SECRET)
        await send({"type": "http.response.start", "status": status, "headers": [(b"location", header.encode())]})
        await send({"type": "http.response.body", "body": body.encode()})

    async def send(_message: Any) -> None:
        pass

    Credential("roblox", {"cookie": SECRET})
    noted: Any = leaks.watched(lambda: answer)()
    await noted({"type": "http", "path": path}, None, send)
    assert bool(found()) == leaks_out


async def test_every_gateway_of_the_suite_is_watched() -> None:
    async with running(settings("sqlite://")) as asked:
        await asked.ask("{ __typename }")
        assert any("__typename" in answer for answer in NOTED.answers)
        query = "query($owner: OwnerInput!) { inventory(owner: $owner) { id } }"
        await asked.ask(query, owner={"provider": "ROBLOX", "key": "a-variable-of-this-test"})
    with capture_logs():
        structlog.get_logger("gateway").warning("asked", key="a-variable-of-this-test")
    (told,) = found()
    assert "variable" in told
