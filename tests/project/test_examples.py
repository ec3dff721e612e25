"""The examples that GraphiQL shows: each provider has some, the schema allows them, and the samples answer them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from graphql import (
    DocumentNode,
    OperationDefinitionNode,
    OperationType,
    TokenKind,
    build_schema,
    parse,
    print_ast,
    validate,
)

from gateway import app
from gateway.http.graphiql import WELCOME
from gateway.registry import PROVIDERS
from gateway.settings import Settings
from tests.gateways import TEMPORARY, Asked, running, seed, settings

# Directives that others read in the schema, those of federation, are defined elsewhere.
GRAPH = build_schema(app.schema(Settings.model_construct()).as_str(), assume_valid_sdl=True)


def operations(text: str) -> list[OperationDefinitionNode]:
    return [node for node in parse(text).definitions if isinstance(node, OperationDefinitionNode)]


EXAMPLES = {
    f"{key}-{node.name.value}": node
    for key, provider in PROVIDERS.items()
    for node in operations(provider.examples)
    # One that is watched needs a schema in which something can be.
    if node.name and (node.operation is not OperationType.SUBSCRIPTION or GRAPH.subscription_type)
}
ANSWERED = [name for name, node in EXAMPLES.items() if node.operation is not OperationType.SUBSCRIPTION]
WRITING = [name for name, node in EXAMPLES.items() if node.operation is OperationType.MUTATION]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo() -> AsyncGenerator[Asked]:
    """Run a gateway that holds the samples of every provider, as `--demo` does."""
    async with running(settings(TEMPORARY)) as asked:
        for provider in PROVIDERS.values():
            await seed(asked.gateway, provider)
        yield asked


@pytest.mark.parametrize("key", PROVIDERS)
def test_every_provider_has_a_few_examples_each_with_a_name_of_its_own(key: str) -> None:
    found = operations(PROVIDERS[key].examples)
    assert len(found) == len(parse(PROVIDERS[key].examples).definitions), "each is whole by itself, without fragments"
    assert 3 <= len(found) <= 5
    assert len({node.name.value for node in found if node.name}) == len(found)


@pytest.mark.parametrize("key", PROVIDERS)
def test_every_example_says_above_it_what_it_shows(key: str) -> None:
    for node in operations(PROVIDERS[key].examples):
        assert node.loc is not None
        above = node.loc.start_token.prev
        assert above is not None
        assert above.kind is TokenKind.COMMENT, print_ast(node)
        assert (above.value or "").strip().endswith(".")


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_valid(name: str) -> None:
    assert validate(GRAPH, DocumentNode(definitions=(EXAMPLES[name],))) == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ANSWERED)
async def test_every_example_is_answered_whole_by_the_samples(demo: Asked, name: str) -> None:
    for field, value in (await demo.ask(print_ast(EXAMPLES[name]))).whole().items():
        assert value, field


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", WRITING)
async def test_every_example_that_writes_only_simulates(demo: Asked, name: str) -> None:
    assert "simulate: true" in print_ast(EXAMPLES[name])
    for payload in (await demo.ask(print_ast(EXAMPLES[name]))).whole().values():
        assert payload["errors"] == []
        assert payload["changes"]["isSimulated"] is True


@pytest.mark.asyncio(loop_scope="module")
async def test_the_query_to_begin_with_needs_no_credential(demo: Asked) -> None:
    data: Any = (await demo.ask(WELCOME)).whole()
    assert len(data["inventoryProviders"]) == len(PROVIDERS)
    assert {owner["provider"] for owner in data["inventoryViewer"]["owners"]} == {
        provider.manifest.provider.name for provider in PROVIDERS.values()
    }
