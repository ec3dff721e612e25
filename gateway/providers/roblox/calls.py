"""The calls of Roblox's services: two hosts and a third for names, each with its credential, budget and envelope."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import quote, urlencode

import httpx
import orjson

from gateway.model.credentials import Credential
from gateway.model.errors import (
    Forbidden,
    GatewayError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Unauthenticated,
    UpstreamInvalid,
    UpstreamUnavailable,
)
from gateway.model.manifest import CallBudget
from gateway.providers.roblox import wire
from gateway.providers.roblox.manifest import COOKIE, KEY, TOKEN, TOKEN_BUDGET, WEB_BUDGET
from gateway.transport.cache import Private
from gateway.transport.client import Client
from gateway.transport.errors import decoded, judge_status, retry_after

INVENTORY, CLOUD, USERS = "inventory", "cloud", "users"
"""The hosts."""

_COOKIE_NAME = ".ROBLOSECURITY"
_TOKEN_HEADER = "x-csrf-token"  # noqa: S105 -- a header's name
_KEPT = 10_000
_KNOWN_SECONDS = 300.0
_REFUSED = (400, 403, 404)


def judge(response: httpx.Response) -> GatewayError | None:
    """Tell what kind of failure an answer is; a refusal is none, as only the caller knows what was asked.

    The service's own name of an error counts before the status. None of its texts is passed on.
    """
    status = response.status_code
    if response.is_success:
        return None
    code = fault_of(response)
    if code == "RESOURCE_EXHAUSTED" or status == 429:
        return RateLimited("the service asks for fewer calls", provider_code=code, retry_after=retry_after(response))
    if status == 401 or code == "UNAUTHENTICATED":
        return Unauthenticated("Roblox does not accept the credential.", provider_code=code)
    if status in _REFUSED:
        return None
    return judge_status(response)


def fault_of(response: httpx.Response) -> str | None:
    """Read the service's number or name of an error, in whichever envelope; None where it tells none."""
    try:
        return wire.parse_fault(decoded(response))
    except UpstreamInvalid:
        return None


def unreadable(response: httpx.Response) -> GatewayError:
    """Make the error of an answer that says that we asked wrongly, or may not."""
    code = fault_of(response)
    if response.status_code == 403:
        return Forbidden("Roblox does not allow this with the credential.", provider_code=code)
    if response.status_code == 404:
        return NotFound("Roblox knows of no such thing.", provider_code=code)
    return UpstreamInvalid("The service does not understand the call.", provider_code=code)


class Address(NamedTuple):
    """Where a document is: the host, and the path with its query; and by what name its quota goes."""

    host: str
    path: str
    line: str


def address(host: str, *parts: object, **query: object) -> Address:
    """Make an address of parts of a path, which are quoted, and the parameters that are given."""
    path = "/" + "/".join(quote(str(part), safe="") for part in parts)
    given = {name: str(value) for name, value in query.items() if value is not None}
    # Each call has limits of its own: it is named by the words of its path.
    line = "/".join([host, *(str(part) for part in parts if not str(part).isdecimal())])
    return Address(host, f"{path}?{urlencode(given)}" if given else path, line)


class Service:
    """Roblox's services, as all sessions call them.

    What it keeps is by credential: the newest cookie and the token of the handshake, and whose the credential is.
    """

    def __init__(self, client: Client, base_urls: Mapping[str, str]) -> None:
        self._client = client
        self._base_urls = {host: url.rstrip("/") for host, url in base_urls.items()}
        self._cookies: Private[None, str] = Private(entries=_KEPT)
        self._handshakes: Private[None, str] = Private(entries=_KEPT)
        self._identities: Private[None, str] = Private(entries=_KEPT)
        self._known: Private[str, bool] = Private(entries=_KEPT, seconds=_KNOWN_SECONDS)

    async def get(self, asked: Address, credential: Credential) -> httpx.Response:
        """Get a document; a refusal is an answer."""
        headers, budget = self._headers(asked.host, credential)
        with self._keeping(credential):
            response = await self._client.get(
                self._base_urls[asked.host] + asked.path,
                headers=headers,
                partition=credential.partition,
                budget=budget,
                line=asked.line,
            )
        self._keep_cookie(credential, headers, response)
        return response

    def _headers(self, host: str, credential: Credential) -> tuple[dict[str, str], CallBudget | None]:
        if host != CLOUD:
            cookie = self._cookies.get(credential, None) or credential.part(COOKIE)
            return ({"Cookie": f"{_COOKIE_NAME}={cookie}"} if cookie else {}), WEB_BUDGET
        if (key := credential.part(KEY)) is not None:
            return {"x-api-key": key}, None
        if (token := credential.part(TOKEN)) is not None:
            return {"Authorization": f"Bearer {token}"}, TOKEN_BUDGET
        raise Unauthenticated("An API key or an access token of Roblox is needed.")

    @contextmanager
    def _keeping(self, credential: Credential) -> Generator[None]:
        """Keep nothing of a credential that is no longer accepted: the caller's own cookie may still be."""
        try:
            yield
        except Unauthenticated:
            for kept in (self._cookies, self._handshakes, self._identities):
                kept.drop(credential, None)
            raise

    def _keep_cookie(self, credential: Credential, sent: Mapping[str, str], response: httpx.Response) -> None:
        """Take over the newer cookie that an answer may bring, and note one that was accepted."""
        if credential.part(COOKIE) is None:
            return
        newer = self._cookies.get(credential, None)
        if newer is not None and sent.get("Cookie") == f"{_COOKIE_NAME}={newer}":
            credential.note_newer(COOKIE, newer)
        for header in response.headers.get_list("set-cookie"):
            name, _, rest = header.partition("=")
            value = rest.partition(";")[0].strip()
            if name.strip() == _COOKIE_NAME and value:
                self._cookies.keep(credential, None, value)

    async def write(self, method: str, asked: Address, credential: Credential) -> httpx.Response:
        """Have something done in the session of a cookie; where the handshake asks for a new token, once more."""
        if credential.part(COOKIE) is None:
            raise Unauthenticated("A session cookie of Roblox is needed.")
        response = await self._send(method, asked, credential, self._handshakes.get(credential, None))
        fresh = response.headers.get(_TOKEN_HEADER)
        if response.status_code == 403 and fresh:
            self._handshakes.keep(credential, None, fresh)
            response = await self._send(method, asked, credential, fresh)
        return response

    async def _send(self, method: str, asked: Address, credential: Credential, token: str | None) -> httpx.Response:
        headers, budget = self._headers(asked.host, credential)
        headers["Content-Type"] = "application/json"
        if token is not None:
            headers[_TOKEN_HEADER] = token
        url = self._base_urls[asked.host] + asked.path
        request = httpx.Request(method, url, headers=headers, extensions={"budget": budget, "line": asked.line})
        with self._keeping(credential):
            response = await self._client.send(request, partition=credential.partition)
        self._keep_cookie(credential, headers, response)
        return response

    async def identity(self, credential: Credential) -> str:
        """Give the user whose credential it is; remembered by the credential."""
        known = self._identities.get(credential, None)
        return known or self._identities.keep(credential, None, str(await self._identify(credential)))

    def is_known(self, credential: Credential, user: str) -> bool:
        """Say whether the credential was told lately that there is such a user."""
        return self._known.get(credential, user) is not None

    def note(self, credential: Credential, user: str) -> None:
        """Note that the credential was told so."""
        self._known.keep(credential, user, True)

    async def _identify(self, credential: Credential) -> int:
        if credential.part(COOKIE) is not None:
            response = await self.get(address(USERS, "v1", "users", "authenticated"), credential)
            return int(wire.parse_user(self._whole(response)).id)
        if (key := credential.part(KEY)) is not None:
            return wire.parse_introspection(self._whole(await self._introspect(key, credential)))
        if credential.part(TOKEN) is not None:
            response = await self.get(address(CLOUD, "oauth", "v1", "userinfo"), credential)
            return wire.parse_subject(self._whole(response))
        raise Unauthenticated("A session cookie, an API key or an access token of Roblox is needed.")

    async def _introspect(self, key: str, credential: Credential) -> httpx.Response:
        request = httpx.Request(
            "POST",
            self._base_urls[CLOUD] + "/api-keys/v1/introspect",
            headers={"Content-Type": "application/json"},
            content=orjson.dumps({"apiKey": key}),
            # It only asks.
            extensions={"repeatable": True},
        )
        try:
            return await self._client.send(request, partition=credential.partition)
        except OutcomeUnknown as lost:
            raise UpstreamUnavailable(
                "Whose key this is could not be asked.", provider_code=lost.provider_code
            ) from None

    def _whole(self, response: httpx.Response) -> object:
        if not response.is_success:
            raise unreadable(response)
        return decoded(response)
