"""Health: alive while the process answers, ready while everything that serving takes works."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from gateway.http import health
from gateway.model.errors import Internal
from gateway.registry import PROVIDERS
from gateway.settings import ProviderSettings
from gateway.store.store import StoreError
from tests.gateways import HOST, running, settings
from tests.http.doors import PROVIDER


async def good() -> None:
    pass


def failing(error: Exception) -> health.Check:
    async def check() -> None:
        raise error

    return check


async def asked(checks: dict[str, health.Check], path: str, method: str = "GET") -> httpx.Response:
    transport = httpx.ASGITransport(app=Starlette(routes=[*health.routes(checks)]), client=("192.0.2.1", 5))
    async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
        return await client.request(method, path)


async def test_the_process_is_live_whatever_its_parts_do() -> None:
    response = await asked({"store": failing(StoreError("gone"))}, "/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "live"})
    assert response.headers["cache-control"] == "no-store"


async def test_it_is_ready_when_every_part_is() -> None:
    response = await asked({"store": good, "other": good}, "/health/ready")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})
    assert (await asked({}, "/health/ready")).status_code == 200


@pytest.mark.parametrize("error", [StoreError("geheim"), Internal("geheim"), ValueError("geheim"), TimeoutError()])
async def test_a_part_that_fails_is_named_and_why_is_in_the_log_alone(error: Exception) -> None:
    with capture_logs() as logs:
        response = await asked({"good": good, "store": failing(error)}, "/health/ready")
    assert (response.status_code, response.json()) == (503, {"status": "not ready", "failed": ["store"]})
    assert response.headers["cache-control"] == "no-store"
    assert [(entry["part"], entry["reason"]) for entry in logs] == [("store", str(error) or "TimeoutError")]


async def test_a_part_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.01)

    async def hanging() -> None:
        await asyncio.Event().wait()

    with capture_logs():
        response = await asked({"store": hanging}, "/health/ready")
    assert response.json()["failed"] == ["store"]


async def test_health_is_asked_by_get_or_head() -> None:
    assert (await asked({}, "/health/live", "HEAD")).status_code == 200
    for method in ("POST", "PUT", "DELETE"):
        assert (await asked({}, "/health/ready", method)).status_code == 405


async def test_a_gateway_without_its_store_is_live_and_not_ready() -> None:
    # What is temporary does not come back once it is closed.
    async with running(settings("sqlite:///:memory:")) as up:
        assert (await up.client.get("/health/ready")).status_code == 200
        await up.gateway.store.aclose()
        with capture_logs():
            response = await up.client.get("/health/ready")
        assert (response.status_code, response.json()["failed"]) == (503, ["store"])
        assert (await up.client.get("/health/live")).status_code == 200


async def test_a_gateway_that_uses_no_store_asks_none() -> None:
    providers = {key: ProviderSettings(backend="off") for key in PROVIDERS}
    providers[PROVIDER.key] = ProviderSettings(backend="upstream", base_url="http://dialect.test")
    async with running(settings("postgresql://nobody@127.0.0.1:1/nothing", providers=providers)) as up:
        assert (await up.client.get("/health/ready")).json() == {"status": "ready"}
