"""Documents that clients name instead of sending: those they have sent before, and those of a manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import orjson
from cachetools import LRUCache

from gateway.execution.documents import Documents
from gateway.http.body import Refused
from gateway.http.requests import Asked
from gateway.settings import ServerSettings

_FORMAT = "apollo-persisted-query-manifest"
_MOST_BYTES = 8 * 2**20


class UnknownDocument(Exception):
    """A client names a document that is not known; the words are those by which clients know to send the text."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.message, self.code = message, code


class BadManifest(Exception):
    """The manifest of trusted documents cannot be used; the message says why."""


class Persisted:
    """Finds the text of a document: by the request itself, by its hash, or by its id in the manifest.

    `trusted` are the manifest's documents by id; with `only_trusted` no other is run. Raises UnknownDocument, and
    Refused for what is no good.
    """

    def __init__(
        self, trusted: Mapping[str, str] | None = None, *, automatic: bool = True, only_trusted: bool = False
    ) -> None:
        self._trusted = dict(trusted or {})
        self._only = only_trusted
        self._automatic = automatic and not only_trusted
        self._texts = set(self._trusted.values())
        # Clients know a document by the hash of its text as well, whatever the manifest calls it.
        self._hashed = {digest(text): text for text in self._texts}
        self._sent: LRUCache[str, str] = LRUCache(_MOST_BYTES, getsizeof=lambda text: len(text.encode()) + 200)

    def text(self, asked: Asked) -> str:
        """Give the text of the document that a request asks for."""
        text = self._named(asked)
        if self._only and text not in self._texts:
            raise Refused(403, "Only the documents that this gateway was given beforehand are run here.")
        return text

    def _named(self, asked: Asked) -> str:
        if asked.hash is not None:
            return self._by_hash(asked.hash, asked.query)
        if asked.document_id is not None:
            text = self._trusted.get(asked.document_id)
            if text is None:
                text = self._hashed.get(asked.document_id.removeprefix("sha256:"))
            if text is None:
                raise UnknownDocument("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")
            return text
        return asked.query or ""

    def _by_hash(self, sent: str, query: str | None) -> str:
        if query is None:
            found = self._hashed.get(sent) or self._trusted.get(sent) or self._sent.get(sent)
            if found is None and not self._automatic:
                raise UnknownDocument("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")
            if found is None:
                raise UnknownDocument("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")
            return found
        if digest(query) != sent:
            raise Refused(400, "`extensions.persistedQuery.sha256Hash` is not the SHA-256 of `query`.")
        return query

    def keep(self, asked: Asked) -> None:
        """Keep in mind what a client sent with its hash, now that it is known to be good."""
        if self._automatic and asked.hash is not None and asked.query is not None:
            self._sent[asked.hash] = asked.query


def digest(text: str) -> str:
    """Give the hash that clients know a document by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def persisted(settings: ServerSettings, documents: Documents) -> Persisted:
    """Make it from the settings; raises BadManifest for a manifest that cannot be used, or a document of it."""
    trusted = None if settings.trusted_documents is None else read_manifest(settings.trusted_documents)
    for name, text in (trusted or {}).items():
        errors = documents.faults(text)
        if errors:
            raise BadManifest(f"The document {name!r} of {settings.trusted_documents} is no good: {errors[0].message}")
    if settings.only_trusted_documents and not trusted:
        raise BadManifest("server.only_trusted_documents is set, and server.trusted_documents names no document.")
    return Persisted(trusted, automatic=settings.persisted_queries, only_trusted=settings.only_trusted_documents)


def read_manifest(file: Path) -> Mapping[str, str]:
    """Read a manifest: an object of texts by id, as Relay and codegen write it, or Apollo's list of operations."""
    try:
        found: object = orjson.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise BadManifest(f"The manifest of trusted documents, {file}, cannot be read: {reason}.") from None
    refused = BadManifest(f"{file} is no manifest of documents: an object of texts by id, or {_FORMAT} version 1.")
    if not isinstance(found, dict):
        raise refused
    document = cast("dict[str, Any]", found)
    if "format" in document or "operations" in document:
        if document.get("format") != _FORMAT or document.get("version") != 1:
            raise refused
        try:
            document = {one["id"]: one["body"] for one in document["operations"]}
        except (TypeError, KeyError):
            raise refused from None
    if not all(isinstance(part, str) and part for pair in document.items() for part in pair):
        raise refused
    return document
