"""The cache of documents: each text is prepared once, a flood of others stays bounded and leaves those in use alone."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import pytest
from graphql import OperationType

from gateway.api.context import Context
from gateway.app import schema
from gateway.execution.documents import Documents, Invalid, NoOperation
from gateway.execution.guard import Limits
from gateway.model.ports import Backend
from gateway.settings import Settings
from tests.gateways import caller
from tests.http.doors import PROVIDER, Told, known

SCHEMA = schema(Settings.model_construct())
OWNER = f'inventoryOwner(owner: {{ provider: {PROVIDER.manifest.provider.name}, key: "Some.1234" }})'

new_documents = partial(Documents, SCHEMA)


def context() -> Context:
    return Context(cast("dict[str, Backend]", {PROVIDER.key: Told(owners_by_key=known)}), caller())


async def answered(documents: Documents, text: str, **variables: Any) -> Any:
    asking = context()
    result = await documents.get(text).execute(variables, asking)
    await asking.aclose()
    assert result.errors is None
    return result.data


def test_a_text_is_prepared_once() -> None:
    documents = new_documents()
    first = documents.get("{ __typename }")
    assert all(documents.get("{ __typename }") is first for _ in range(3))
    assert (documents.hits, documents.misses, len(documents)) == (3, 1, 1)
    assert documents.get("{ __typename  }") is not first


def test_a_flood_of_texts_stays_bounded_and_leaves_those_in_use_alone() -> None:
    documents = new_documents(max_bytes=1_000_000)
    documents.get("{ __typename }")
    in_use = documents.get("{ __typename }")
    sizes: list[int] = []
    for number in range(500):
        documents.get(f"{{ a{number}: __typename }}")
        sizes.append(documents.size)
    assert max(sizes) <= 1_000_000
    assert sizes[-1] == sizes[-2]
    # What was asked once is gone; what was asked twice is not.
    misses = documents.misses
    assert documents.get("{ __typename }") is in_use
    assert documents.misses == misses
    documents.get("{ a0: __typename }")
    assert documents.misses == misses + 1


def test_a_text_larger_than_the_cache_is_answered_and_not_kept() -> None:
    documents = new_documents(max_bytes=20_000)
    text = "{ " + " ".join(f"a{number}: __typename" for number in range(50)) + " }"
    assert documents.get(text).kind is OperationType.QUERY
    assert documents.get(text).kind is OperationType.QUERY
    assert (len(documents), documents.size, documents.misses) == (0, 0, 2)


@pytest.mark.parametrize("text", ["", "{", "{ a } { b }", "query A { a } query B { a }"])
def test_a_text_that_leaves_open_what_to_run_is_invalid(text: str) -> None:
    with pytest.raises(Invalid):
        new_documents().get(text)


@pytest.mark.parametrize(("text", "name"), [("fragment A on Query { __typename }", None), ("query A { a }", "B")])
def test_an_operation_that_is_not_there_is_told(text: str, name: str | None) -> None:
    with pytest.raises(NoOperation):
        new_documents().get(text, name)


def test_a_document_of_too_many_tokens_is_not_parsed_further() -> None:
    with pytest.raises(Invalid, match="100"):
        new_documents(max_tokens=100).get("{ " + "__typename " * 200 + "}")


async def test_what_validation_finds_is_answered_each_time() -> None:
    documents = new_documents()
    for _ in range(3):
        result = await documents.get("{ nothing }").execute({}, context())
        assert result.data is None
        assert [error.message for error in result.errors or ()] == ["Cannot query field 'nothing' on type 'Query'."]
    assert documents.misses == 1


async def test_each_way_to_decide_conditions_has_its_own_plan() -> None:
    documents = new_documents()
    fields = "key @include(if: $a) name @skip(if: $b) __typename"
    text = f"query ($a: Boolean!, $b: Boolean = true) {{ {OWNER} {{ {fields} }} }}"
    for _ in range(2):
        assert list((await answered(documents, text, a=True))["inventoryOwner"]) == ["key", "__typename"]
        assert list((await answered(documents, text, a=False))["inventoryOwner"]) == ["__typename"]
        both = (await answered(documents, text, a=True, b=False))["inventoryOwner"]
        assert list(both) == ["key", "name", "__typename"]
    assert documents.replays == 0


async def test_many_ways_to_decide_conditions_are_answered_and_not_all_kept() -> None:
    documents = new_documents()
    names = [f"v{number}" for number in range(6)]
    text = "query ({}) {{ {} }}".format(
        " ".join(f"${name}: Boolean!" for name in names),
        " ".join(f"{name}: __typename @include(if: ${name})" for name in names),
    )
    operation = documents.get(text)
    for ways in range(2 ** len(names)):
        values = {name: bool(ways >> place & 1) for place, name in enumerate(names)}
        result = await operation.execute(values, context())
        assert list(result.data or {}) == [name for name in names if values[name]]
    assert len(operation.plans) <= 8


async def test_what_only_graphql_core_can_run_is_answered_by_it() -> None:
    data = await answered(new_documents(), '{ __typename __type(name: "Query") { name } }')
    assert data == {"__typename": "Query", "__type": {"name": "Query"}}


def test_the_figures_tell_how_it_goes() -> None:
    documents = new_documents()
    for _ in range(3):
        documents.get("{ __typename }")
    figures = {figure.name: figure.read() for figure in documents.figures()}
    assert figures["gateway_documents_hits"] == 2
    assert figures["gateway_documents_misses"] == 1
    assert figures["gateway_documents"] == 1
    assert figures["gateway_documents_bytes"] == documents.size > 0


async def test_what_the_guard_refuses_is_not_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object, **__: object) -> None:
        raise AssertionError("validation was reached")

    monkeypatch.setattr("gateway.execution.documents.validate", reached)
    operation = new_documents(limits=Limits(root_fields=2)).get("{ a: __typename b: __typename c: __typename }")
    result = await operation.execute({}, context())
    assert [error.message for error in result.errors or ()] == ["The operation asks for 3 root fields; the most is 2."]
