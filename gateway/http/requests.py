"""GraphQL requests, as they come in bodies, addresses and messages: their parts, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.datastructures import QueryParams

from gateway.http.body import Refused, parse_json


@dataclass(frozen=True, slots=True)
class Asked:
    """What one GraphQL request asks.

    The document stands in `query`, or the client takes it for known: by the SHA-256 of its text in `hash`, or by its
    id in the manifest of trusted documents in `document_id`.
    """

    query: str | None
    variables: Mapping[str, Any] | None
    operation_name: str | None
    hash: str | None
    document_id: str | None


_KINDS: tuple[tuple[str, type, str], ...] = (
    ("query", str, "a string"),
    ("variables", dict, "an object"),
    ("operationName", str, "a string"),
    ("extensions", dict, "an object"),
    ("documentId", str, "a string"),
)
_JSON = ("variables", "extensions")


def parse_asked(body: object) -> Asked:
    """Check the parts of a GraphQL request; what is malformed is refused with 400."""
    if not isinstance(body, dict):
        raise Refused(400, "The request is not a JSON object.")
    given = cast("dict[str, Any]", body)
    for name, kind, words in _KINDS:
        if given.get(name) is not None and not isinstance(given[name], kind):
            raise Refused(400, f"`{name}` is not {words}.")
    query = given.get("query") or None
    extensions = given.get("extensions")
    digest = None if extensions is None else _hash(extensions.get("persistedQuery"))
    document_id = given.get("documentId") or None
    if digest is None and document_id is None and (query is None or not query.strip()):
        raise Refused(400, "`query` is missing: the text of a GraphQL document.")
    return Asked(query, given.get("variables"), given.get("operationName") or None, digest, document_id)


def _hash(persisted: Any) -> str | None:
    if persisted is None:
        return None
    if not isinstance(persisted, dict) or cast("dict[str, Any]", persisted).get("version") != 1:
        raise Refused(400, "`extensions.persistedQuery` is not an object of version 1.")
    digest = cast("dict[str, Any]", persisted).get("sha256Hash")
    if not isinstance(digest, str) or len(digest) != 64:
        raise Refused(400, "`extensions.persistedQuery.sha256Hash` is not a SHA-256 in hexadecimal digits.")
    return digest.lower()


def parse_parameters(query_string: bytes) -> object:
    """Read the body that the parameters of an address stand for."""
    query = QueryParams(query_string)
    return {name: _parameter(name, query[name]) for name, _, _ in _KINDS if name in query}


def _parameter(name: str, value: str) -> Any:
    return parse_json(value, f"`{name}`") if name in _JSON and value else value or None
