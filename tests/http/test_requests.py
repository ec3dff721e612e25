"""GraphQL over HTTP: methods, the parts of a request, operations, and the media types and statuses of answers."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.http.doors import NAME, OWNER, TYPENAME, Door, Told, failing

NEWER = "application/graphql-response+json"
TWO = "query One { __typename } query Two { two: __typename }"
MUTATION = 'mutation { moveItems(input: { ids: [], to: "x" }) { errors { message } } }'


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
async def test_other_methods_are_refused_and_told_which_are_allowed(method: str) -> None:
    response = await Door().client.request(method, "/graphql", params=TYPENAME)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": None},
        {"query": ""},
        {"query": " \n"},
        {"query": 5},
        {"query": ["{ __typename }"]},
        {"query": "{ __typename }", "variables": []},
        {"query": "{ __typename }", "variables": "{}"},
        {"query": "{ __typename }", "variables": 1},
        {"query": "{ __typename }", "variables": False},
        {"query": "{ __typename }", "operationName": 5},
        {"query": "{ __typename }", "operationName": {}},
        {"query": "{ __typename }", "extensions": []},
        {"query": "query One { __typename }", "operationName": "Two"},
        {"query": "fragment Part on Query { __typename }"},
    ],
    ids=str,
)
async def test_a_malformed_request_is_refused_and_the_next_is_served(body: Any) -> None:
    door = Door()
    response = await door.post(body)
    assert response.status_code == 400, response.text
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "INVALID_INPUT"}
    assert "data" not in response.json()
    assert await door.serves()


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("{", id="syntax"),
        pytest.param("{ nothing }", id="unknown-field"),
        pytest.param("{ " + "a " * 5_000 + "}", id="tokens"),
        pytest.param("{a" * 1_900 + "}" * 1_900, id="nested-fields"),
        pytest.param("{ a(b: " + "[" * 1_900 + "]" * 1_900 + ") }", id="nested-lists"),
        pytest.param("query($a: " + "[" * 1_900 + "ID" + "]" * 1_900 + ") { __typename }", id="nested-types"),
        pytest.param("query { ...A } fragment A on Query { ...A }", id="fragment-cycle"),
        pytest.param("{ inventoryOwner(owner: 5) { key } }", id="wrong-literal"),
        pytest.param('{ node(id: "\\ud800") { id } }', id="half-surrogate"),
        pytest.param("{ node(id: " + "1" * 5_000 + ") { id } }", id="digits"),
        pytest.param('{ node(id: """' + "x" * 100_000 + '""") { id } }', id="long-text"),
        pytest.param("\0{ __typename }", id="nul"),
    ],
)
async def test_a_document_that_is_no_good_is_a_well_formed_error(query: str) -> None:
    door = Door()
    response = await door.post({"query": query})
    assert response.status_code == 200
    body = response.json()
    assert [error["extensions"]["code"] for error in body["errors"]] == ["INVALID_INPUT"] * len(body["errors"])
    assert all(isinstance(error["message"], str) for error in body["errors"])
    assert body["errors"]
    assert (await door.post({"query": query}, accept=NEWER)).status_code in (200, 400)
    assert await door.serves()


@pytest.mark.parametrize("value", [5, None, [], ["x"], {"provider": NAME}, {"key": "x"}, {"provider": 1, "key": "x"}])
async def test_variables_of_wrong_types_are_a_well_formed_error(value: Any) -> None:
    query = "query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { key } }"
    response = await Door().post({"query": query, "variables": {"owner": value}})
    assert response.status_code == 200
    (*_, error) = response.json()["errors"]
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert "data" not in response.json()


async def test_variables_nested_as_deeply_as_json_goes_do_no_harm() -> None:
    door = Door()
    nested = b"[" * 1_000 + b"]" * 1_000
    for query in (b"query($a: ID!) { node(id: $a) { id } }", b"query($a: [[ID]]) { a: __typename }"):
        response = await door.post(b'{"query":"' + query + b'","variables":{"a":' + nested + b"}}")
        assert response.status_code in (200, 400)
        assert response.json()["errors"]
    assert await door.serves()


async def test_null_parts_are_as_absent_ones() -> None:
    response = await Door().post({**TYPENAME, "variables": None, "operationName": None, "extensions": None, "x": 1})
    assert response.json() == {"data": {"__typename": "Query"}}


async def test_the_operation_is_chosen_by_its_name() -> None:
    response = await Door().post({"query": TWO, "operationName": "Two"})
    assert response.json() == {"data": {"two": "Query"}}


async def test_several_operations_without_a_name_are_refused() -> None:
    response = await Door().post({"query": TWO})
    assert "data" not in response.json()
    assert response.json()["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


# --- GET --------------------------------------------------------------------------------------------------------------


async def test_get_takes_every_part_from_the_address() -> None:
    query = "query Other { b: __typename } query One($yes: Boolean!) { a: __typename @include(if: $yes) }"
    response = await Door().client.get(
        "/graphql", params={"query": query, "variables": '{"yes":true}', "operationName": "One", "extensions": "{}"}
    )
    assert response.status_code == 200
    assert response.json() == {"data": {"a": "Query"}}


async def test_empty_parts_of_an_address_are_as_absent_ones() -> None:
    response = await Door().client.get("/graphql", params={**TYPENAME, "variables": "", "operationName": ""})
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "`query`"),
        ({"query": ""}, "`query`"),
        ({**TYPENAME, "variables": "{"}, "`variables`"),
        ({**TYPENAME, "variables": "[]"}, "`variables`"),
        ({**TYPENAME, "extensions": "NaN"}, "`extensions`"),
        ({**TYPENAME, "operationName": "Other"}, "`operationName`"),
    ],
    ids=str,
)
async def test_a_malformed_address_is_refused_and_says_which_part(params: dict[str, str], message: str) -> None:
    response = await Door().client.get("/graphql", params=params)
    assert response.status_code == 400
    assert message in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", [MUTATION, "subscription { a }"])
async def test_only_queries_may_be_asked_by_get(method: str, query: str) -> None:
    response = await Door().client.request(method, "/graphql", params={"query": query})
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


async def test_an_address_that_is_not_utf_8_does_no_harm() -> None:
    door = Door()
    response = await door.client.get("/graphql?query=%7B__typename%7D%23%ff%ed%a0%80&variables=%ff")
    assert response.status_code == 400
    assert await door.serves()


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("image/png", "application/json"),
        ("application/json", "application/json"),
        (NEWER, NEWER),
        (f"{NEWER}; charset=utf-8", NEWER),
        (f"{NEWER}, application/json", NEWER),
        (f"application/json, {NEWER}", "application/json"),
        (f"{NEWER};q=0.5, application/json;q=0.9", "application/json"),
        (f"application/json;q=0.5, {NEWER}", NEWER),
        (f"application/json, {NEWER};q=0", "application/json"),
        (f"{NEWER};q=x, */*", "application/json"),
        (NEWER.upper(), NEWER),
    ],
)
async def test_the_answers_type_is_the_one_preferred(accept: str, media_type: str) -> None:
    response = await Door().post(TYPENAME, accept=accept)
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"


@pytest.mark.parametrize(
    ("query", "older", "newer"),
    [
        pytest.param("{ __typename }", 200, 200, id="whole"),
        pytest.param("{", 200, 400, id="never-executed"),
        pytest.param("{ nothing }", 200, 400, id="never-valid"),
        pytest.param('{ node(id: "x") { id } }', 200, 200, id="null-with-an-error"),
        pytest.param(OWNER, 200, 200, id="partial"),
        pytest.param("", 400, 400, id="no-request"),
    ],
)
async def test_the_newer_type_tells_by_its_status_whether_there_is_data(query: str, older: int, newer: int) -> None:
    door = Door(Told(owners_by_key=failing(ValueError("broken"))))
    assert (await door.post({"query": query}, accept="application/json")).status_code == older
    response = await door.post({"query": query}, accept=NEWER)
    assert response.status_code == newer
    assert ("data" in response.json()) == (newer == 200)


async def test_answers_are_neither_kept_nor_guessed_at() -> None:
    for response in (await Door().post(TYPENAME), await Door().post(b"null")):
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_no_answer_may_be_read_by_a_page_of_another_origin() -> None:
    door = Door()
    for response in (
        await door.post(TYPENAME, origin="https://elsewhere.example"),
        await door.client.get("/graphql", params=TYPENAME, headers={"origin": "https://elsewhere.example"}),
        await door.client.options("/graphql", headers={"origin": "https://elsewhere.example"}),
    ):
        assert not [name for name in response.headers if name.startswith("access-control")]


async def test_data_comes_back_as_it_was_asked_for() -> None:
    response = await Door().post({"query": OWNER})
    assert response.content == orjson.dumps({"data": {"inventoryOwner": {"key": "Some.1234"}}})
