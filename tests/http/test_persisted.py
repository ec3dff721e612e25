"""Documents that clients name: by the hash of what they sent before, or out of a manifest; nothing else, if so set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.http.persisted import BadManifest, digest
from tests.http.doors import Door
from tests.sockets import socket

QUERY = "query Named { __typename }"
HASH = digest(QUERY)
DATA = {"data": {"__typename": "Query"}}
NEWER = "application/graphql-response+json"


def by_hash(sent: str, query: str | None = None) -> dict[str, Any]:
    asked = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sent}}}
    return asked if query is None else {**asked, "query": query}


async def codes(door: Door, body: Any, **headers: str) -> list[str]:
    return [error["extensions"]["code"] for error in (await door.post(body, **headers)).json()["errors"]]


# --- automatic --------------------------------------------------------------------------------------------------------


async def test_a_hash_is_known_once_its_text_was_sent() -> None:
    door = Door()
    unknown = await door.post(by_hash(HASH))
    # The words and the status are those by which the clients of Apollo and urql know to send the text.
    assert unknown.status_code == 200
    (error,) = unknown.json()["errors"]
    assert error["message"] == "PersistedQueryNotFound"
    assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    assert (await door.post(by_hash(HASH, QUERY))).json() == DATA
    assert (await door.post(by_hash(HASH))).json() == DATA
    assert (await door.post(by_hash(HASH.upper()))).json() == DATA
    parameters = {"extensions": orjson.dumps(by_hash(HASH)["extensions"]).decode()}
    assert (await door.client.get("/graphql", params=parameters)).json() == DATA


async def test_a_hash_of_another_text_is_refused_and_not_kept() -> None:
    door = Door()
    wrong = digest("{ other }")
    assert (await door.post(by_hash(wrong, QUERY))).status_code == 400
    assert await codes(door, by_hash(wrong)) == ["PERSISTED_QUERY_NOT_FOUND"]
    await door.post(by_hash(HASH, QUERY))
    assert (await door.post(by_hash(HASH, "{ other }"))).status_code == 400


@pytest.mark.parametrize(
    "persisted",
    [
        "x",
        [],
        {},
        {"version": 2, "sha256Hash": HASH},
        {"version": 1},
        {"version": 1, "sha256Hash": 5},
        {"version": 1, "sha256Hash": "ab"},
    ],
    ids=str,
)
async def test_a_malformed_hash_is_refused(persisted: Any) -> None:
    door = Door()
    assert (await door.post({"query": QUERY, "extensions": {"persistedQuery": persisted}})).status_code == 400
    assert await door.serves()


async def test_the_setting_takes_hashes_away_and_clients_are_told_so() -> None:
    door = Door(persisted_queries=False)
    assert (await door.post(by_hash(HASH, QUERY))).json() == DATA
    assert await codes(door, by_hash(HASH)) == ["PERSISTED_QUERY_NOT_SUPPORTED"]


async def test_mutations_are_not_asked_by_get_whatever_their_name() -> None:
    door = Door()
    text = "mutation { deleteItems(input: { ids: [] }) { clientMutationId } }"
    await door.post(by_hash(digest(text), text))
    parameters = {"extensions": orjson.dumps(by_hash(digest(text))["extensions"]).decode()}
    assert (await door.client.get("/graphql", params=parameters)).status_code == 405


# --- trusted ----------------------------------------------------------------------------------------------------------


def manifest(folder: Path, content: Any) -> Path:
    file = folder / "manifest.json"
    file.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    return file


APOLLO = {
    "format": "apollo-persisted-query-manifest",
    "version": 1,
    "operations": [{"id": "named", "name": "Named", "type": "query", "body": QUERY}],
}


@pytest.mark.parametrize("content", [{"named": QUERY}, APOLLO], ids=["relay", "apollo"])
@pytest.mark.parametrize("only", [False, True])
async def test_a_document_of_the_manifest_is_asked_by_its_id_or_its_hash(
    content: Any, only: bool, tmp_path: Path
) -> None:
    door = Door(trusted_documents=manifest(tmp_path, content), only_trusted_documents=only)
    for body in ({"documentId": "named"}, {"documentId": f"sha256:{HASH}"}, by_hash(HASH), {"query": QUERY}):
        assert (await door.post(body)).json() == DATA, body
    assert (await door.client.get("/graphql", params={"documentId": "named"})).json() == DATA
    assert await codes(door, {"documentId": "other"}) == ["PERSISTED_QUERY_NOT_FOUND"]
    assert (await door.post({"documentId": "other"}, accept=NEWER)).status_code == 400
    async with socket(door.app) as end:
        await end.begin()
        await end.say({"id": "1", "type": "subscribe", "payload": {"documentId": "named"}})
        assert await end.next() == DATA["data"]


async def test_nothing_else_is_run_where_only_those_are(tmp_path: Path) -> None:
    door = Door(trusted_documents=manifest(tmp_path, {"named": QUERY}), only_trusted_documents=True, batch=5)
    other = "{ __typename }"
    refused = await door.post({"query": other})
    assert refused.status_code == 403
    assert refused.json()["errors"][0]["extensions"] == {"code": "FORBIDDEN"}
    assert (await door.post(by_hash(digest(other), other))).status_code == 403
    assert await codes(door, by_hash(digest(other))) == ["PERSISTED_QUERY_NOT_SUPPORTED"]
    assert (await door.client.get("/graphql", params={"query": other})).status_code == 403
    first, second = (await door.post([{"query": QUERY}, {"query": other}])).json()
    assert first == DATA
    assert second["errors"][0]["extensions"] == {"code": "FORBIDDEN"}
    async with socket(door.app) as end:
        await end.begin()
        await end.subscribe("1", other)
        assert (await end.hear())["payload"][0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        [],
        "text",
        {"a": 5},
        {"a": ""},
        {"": QUERY},
        {"format": "other", "version": 1, "operations": []},
        {**APOLLO, "version": 2},
        {**APOLLO, "operations": [{"id": "x"}]},
        {**APOLLO, "operations": 5},
        {"named": "{ nothing }"},
        {"named": "{"},
    ],
    ids=str,
)
async def test_a_manifest_that_is_no_good_is_refused_at_the_start(content: Any, tmp_path: Path) -> None:
    with pytest.raises(BadManifest, match=r"manifest\.json"):
        Door(trusted_documents=manifest(tmp_path, content))


async def test_a_manifest_that_is_not_there_or_empty_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadManifest, match="No such file"):
        Door(trusted_documents=tmp_path / "none.json")
    with pytest.raises(BadManifest, match="names no document"):
        Door(trusted_documents=manifest(tmp_path, {}), only_trusted_documents=True)
    with pytest.raises(BadManifest, match="names no document"):
        Door(only_trusted_documents=True)
