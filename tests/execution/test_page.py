"""The page about execution shows what is really generated."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.api.context import Context
from gateway.registry import PROVIDERS
from tests.gateways import caller, running, seed, settings

PAGE = (Path(__file__).parents[2] / "docs" / "execution.md").read_text()
PROVIDER = PROVIDERS["guildwars2"]


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


async def test_the_page_shows_the_code_generated_for_its_query(tmp_path: Path) -> None:
    async with running(settings(f"sqlite:///{tmp_path}/gateway.db")) as asked:
        await seed(asked.gateway, PROVIDER)
        operation = asked.gateway.documents.get(block("graphql"))
        context = Context(asked.gateway.backends, caller())
        result = await operation.execute({}, context)
        await context.aclose()
    assert result.errors is None
    assert "'definition': {'name': " in str(result.data)
    (plan,) = operation.plans
    assert plan is not None
    assert "\n".join(plan.compiler.sources) == block("python")
