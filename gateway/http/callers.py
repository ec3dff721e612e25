"""Who is at the door, and the credentials that they bring for providers."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Self
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from gateway.http.accept import JSON, split
from gateway.http.access import Access, unknown
from gateway.http.answers import Headers
from gateway.http.body import Refused
from gateway.model.credentials import Caller, Credential
from gateway.model.manifest import Manifest
from gateway.model.principal import EVERYONE, Principal
from gateway.settings import ProviderSettings, ServerSettings

_PREFIX = b"x-credential-"
_MAX_SECRET = 4_096


def _is_ours(given: str, host: str) -> bool:
    """Say whether a Host header names this machine; one that is absent or empty no browser sends."""
    name = given.lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return name in ("", "localhost", host.lower()) or name.endswith(".localhost") or is_loopback(name)


def is_loopback(host: str) -> bool:
    """Say whether an address is one of this machine's own; a name is none."""
    # Not kept in mind beyond that: it may be whatever a stranger sends.
    return len(host) <= _LONGEST_ADDRESS and _is_loopback(host)


_LONGEST_ADDRESS = 64


@functools.lru_cache(1_000)
def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        # So a socket that listens to both families shows a caller of the older one.
        address = address.ipv4_mapped
    return address.is_loopback


_SIGNS = ("x-apollo-operation-name", "apollo-require-preflight", "graphql-require-preflight", "x-requested-with")
"""Headers that a page of another origin cannot send without asking first."""


_BROWSERS = ("Mozilla/", "Opera/")
"""How every browser calls itself; a page that gives another name has to ask first as well."""


class Door:
    """Who comes in, with which credentials, and from which web pages."""

    def __init__(self, settings: ServerSettings, access: Access, credentials: Credentials) -> None:
        self._access = access
        self._host = settings.host
        self._origins = frozenset(settings.cors_origins)
        self._credentials = credentials

    def admit(self, client: tuple[str, int] | None, headers: Headers, raw: Iterable[tuple[bytes, bytes]]) -> Caller:
        """Let a caller in, or raise Refused."""
        principal = self.principal(client, headers)
        return Caller(principal, *self._credentials.read(raw, principal))

    def principal(self, client: tuple[str, int] | None, headers: Headers) -> Principal:
        """Tell who a caller is: by a bearer token, or, where that is open, by being on this machine; else 401.

        Without a token the Host must be a name of this machine, or the one of the settings; else 403: a page of a
        foreign origin can give its own name the address of this machine, and would then read what it asks here.
        """
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme and self._access.knows_any:
            # One that is not good is refused on this machine too: who sends it means to be somebody.
            if scheme.lower() != "bearer":
                raise unknown()
            return self._access.principal(token.strip())
        if not self._access.is_open or client is None or not is_loopback(client[0]):
            raise Refused(401, "A bearer token is needed.", {"WWW-Authenticate": "Bearer"})
        if not _is_ours(headers.get("host", ""), self._host):
            raise Refused(403, "Without a bearer token the gateway is asked as localhost, 127.0.0.1 or [::1].")
        return EVERYONE

    def check_foreign(self, headers: Headers) -> None:
        """Raise Refused for what a page of another origin can send without asking first, such as a plain GET.

        What it asks it could not read, but the gateway would do the work, and how long that takes would tell.
        """
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site in ("same-origin", "none") or (origin is not None and self._is_welcome(origin)):
            return
        if site is not None:
            raise Refused(403, "Pages of other origins may not ask this.")
        # Not by `Accept`, which a page may set as it likes without asking.
        if split(headers.get("content-type", ""))[0] == JSON:
            return
        agent = headers.get("user-agent", "")
        if agent and not agent.startswith(_BROWSERS):
            return
        if not any(sign in headers for sign in _SIGNS):
            raise Refused(400, "A GET from a browser needs a header such as `GraphQL-Require-Preflight: 1`.")

    def check_origin(self, headers: Headers) -> None:
        """Raise Refused for a socket that a page of another origin opens: browsers let any page do so."""
        origin = headers.get("origin")
        if origin is None or self._is_welcome(origin):
            return
        try:
            netloc = urlsplit(origin).netloc
        except ValueError:
            netloc = ""
        if not netloc or netloc.lower() != headers.get("host", "").lower():
            raise Refused(403, "Pages of other origins may not connect.")

    def _is_welcome(self, origin: str) -> bool:
        return "*" in self._origins or origin in self._origins


def cors(app: ASGIApp, settings: ServerSettings) -> ASGIApp:
    """Let the web pages of the settings' origins ask an application from browsers, with credentials in headers."""
    if not settings.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=("GET", "POST"),
        # Whatever they are: a browser names what it is about to send, and no cookie is ever read.
        allow_headers=("*",),
        expose_headers=("Retry-After",),
    )


class Credentials:
    """Read what a caller sends for each provider, beside what the gateway has of its own."""

    def __init__(self, manifests: Iterable[Manifest], own: Mapping[str, Credential]) -> None:
        known = list(manifests)
        self._own = {manifest.key: own.get(manifest.key) or Credential(manifest.key) for manifest in known}
        # In lower case, as headers come.
        self._headers = {
            f"{_PREFIX.decode()}{manifest.key}-{part.key}".lower(): (manifest.key, part.key)
            for manifest in known
            for part in manifest.credential_parts
        }

    @classmethod
    def of(cls, manifests: Iterable[Manifest], settings: Mapping[str, ProviderSettings]) -> Self:
        """Make it with what the settings have of the gateway's own."""
        own = {
            key: Credential(key, {part: secret.get_secret_value() for part, secret in found.credentials.items()})
            for key, found in settings.items()
        }
        return cls(manifests, own)

    def read(
        self, headers: Iterable[tuple[bytes, bytes]], principal: Principal
    ) -> tuple[Mapping[str, Credential], Mapping[str, Credential]]:
        """Give what the caller brings, by provider, and what they are lent, with each its principal.

        The gateway's own are only lent: the principal uses them for what it may. A caller's own proves by itself whose
        inventory it is for.
        """
        sent: dict[str, dict[str, str]] = {}
        for raw, content in headers:
            if not raw.startswith(_PREFIX):
                continue
            name, value = raw.decode("latin-1"), content.decode("latin-1")
            place = self._headers.get(name)
            if place is None:
                raise Refused(400, f"No provider here takes the header {name!r}.")
            if not value.isascii() or not value.isprintable() or len(value) > _MAX_SECRET:
                raise Refused(400, f"The header {name!r} is malformed.")
            if place[1] in sent.get(place[0], {}):
                raise Refused(400, f"The header {name!r} came twice.")
            if value:
                sent.setdefault(place[0], {})[place[1]] = value
        lent = self._own
        if principal is not EVERYONE:
            lent = {provider: credential.used_by(principal) for provider, credential in lent.items()}
        own = principal.with_own() if sent else principal
        return {provider: Credential(provider, parts, principal=own) for provider, parts in sent.items()}, lent
