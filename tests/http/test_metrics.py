"""`/metrics`: the process's figures, for those who may ask the graph."""

from __future__ import annotations

from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from gateway.registry import PROVIDERS
from gateway.settings import ServerSettings
from tests.gateways import HOST, local, running, settings, upstream

TOKEN = "correct-horse-battery-staple"


async def test_the_figures_are_told_in_the_format_of_prometheus(tmp_path: Path) -> None:
    async with running(settings(f"sqlite:///{tmp_path}/gateway.db")) as asked:
        for _ in range(3):
            await asked.ask("{ __typename }")
        answer = await asked.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    told = {
        sample.name: sample.value for family in text_string_to_metric_families(answer.text) for sample in family.samples
    }
    assert told["gateway_documents_hits_total"] == 2
    assert told["gateway_documents_misses_total"] == 1
    assert told["gateway_documents_bytes"] > 0


async def test_callers_from_elsewhere_need_the_token(tmp_path: Path) -> None:
    server = ServerSettings.model_validate({"token": TOKEN})
    async with running(settings(f"sqlite:///{tmp_path}/gateway.db", server=server)) as asked:
        transport = httpx.ASGITransport(app=asked.gateway.app(), client=("192.0.2.1", 50_000))
        async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
            assert (await client.get("/metrics")).status_code == 401
            answer = await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
            assert answer.status_code == 200


async def test_a_setting_leaves_them_out(tmp_path: Path) -> None:
    server = ServerSettings(metrics=False)
    async with running(settings(f"sqlite:///{tmp_path}/gateway.db", server=server)) as asked:
        assert (await asked.client.get("/metrics")).status_code == 404


async def test_the_caches_of_a_service_are_told_by_provider(tmp_path: Path) -> None:
    provider = PROVIDERS["guildwars2"]
    query = '{ itemDefinitions(provider: GUILD_WARS_2, keys: ["item:46735", "item:1"]) { name } }'
    async with (
        local(provider, f"sqlite:///{tmp_path}/gateway.db") as here,
        upstream(provider, here) as asked,
    ):
        for _ in range(2):
            (await asked.ask(query)).whole()
        told = {
            (sample.name, sample.labels.get("cache")): sample.value
            for family in text_string_to_metric_families((await asked.client.get("/metrics")).text)
            for sample in family.samples
            if sample.labels.get("provider") == "guildwars2"
        }
    assert told["gateway_cache_misses_total", "catalogue"] == 2
    assert told["gateway_cache_hits_total", "catalogue"] == 2
    assert told["gateway_cache_entries", "catalogue"] == 2
    assert told["gateway_cache_bytes", "catalogue"] > 0
    assert told["gateway_cache_entries", "accounts"] == 0
