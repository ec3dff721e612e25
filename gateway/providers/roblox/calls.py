"""The calls of Roblox's services: two hosts and a third for names, each with its credential, budget and envelope."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

import httpx
import orjson
from cachetools import TTLCache

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
from gateway.transport.cache import DAY
from gateway.transport.client import Client
from gateway.transport.errors import decoded, judge_status, retry_after

INVENTORY, CLOUD, USERS = "inventory", "cloud", "users"
"""The hosts."""

_COOKIE_NAME = ".ROBLOSECURITY"
_TOKEN_HEADER = "x-csrf-token"  # noqa: S105 -- a header's name
_KEPT = 10_000
_REFUSED = (400, 403, 404)


def judge(response: httpx.Response) -> GatewayError | None:
    """Tell what kind of failure an answer is; a refusal is none, as only the caller knows what was asked.

    The service's own name of an error counts before the status. None of its texts is passed on.
    """
    status = response.status_code
    if response.is_success:
        return None
    code = fault_of(response).code
    if code == "RESOURCE_EXHAUSTED" or status == 429:
        return RateLimited("the service asks for fewer calls", provider_code=code, retry_after=retry_after(response))
    if status == 401 or code == "UNAUTHENTICATED":
        return Unauthenticated("Roblox does not accept the credential.", provider_code=code)
    if status in _REFUSED:
        return None
    return judge_status(response)


def fault_of(response: httpx.Response) -> wire.Fault:
    """Read what an error answer tells, in whichever envelope; nothing where it is none."""
    try:
        return wire.parse_fault(decoded(response))
    except UpstreamInvalid:
        return wire.Fault(None, None)


def unreadable(response: httpx.Response) -> GatewayError:
    """Make the error of an answer that says that we asked wrongly, or may not."""
    code = fault_of(response).code
    if response.status_code == 403:
        return Forbidden("Roblox does not allow this with the credential.", provider_code=code)
    if response.status_code == 404:
        return NotFound("Roblox knows of no such thing.", provider_code=code)
    return UpstreamInvalid("The service does not understand the call.", provider_code=code)


class Address(NamedTuple):
    """Where a document is: the host, and the path with its query."""

    host: str
    path: str


def address(host: str, *parts: object, **query: object) -> Address:
    """Make an address of parts of a path, which are quoted, and the parameters that are given."""
    path = "/" + "/".join(quote(str(part), safe="") for part in parts)
    given = {name: str(value) for name, value in query.items() if value is not None}
    return Address(host, f"{path}?{urlencode(given)}" if given else path)


class Service:
    """Roblox's services, as all sessions call them.

    What it keeps is by credential: the newest cookie and the token of the handshake, and whose the credential is.
    """

    def __init__(self, client: Client, base_urls: Mapping[str, str]) -> None:
        self._client = client
        self._base_urls = {host: url.rstrip("/") for host, url in base_urls.items()}
        self._cookies: MutableMapping[str, str] = TTLCache(_KEPT, DAY)
        self._handshakes: MutableMapping[str, str] = TTLCache(_KEPT, DAY)
        self._identities: MutableMapping[str, str] = TTLCache(_KEPT, DAY)

    async def get(self, asked: Address, credential: Credential) -> httpx.Response:
        """Get a document; a refusal is an answer."""
        headers, budget = self._headers(asked.host, credential)
        url = self._base_urls[asked.host] + asked.path
        response = await self._client.get(url, headers=headers, partition=credential.partition, budget=budget)
        self._keep_cookie(credential, response)
        return response

    def _headers(self, host: str, credential: Credential) -> tuple[dict[str, str], CallBudget | None]:
        if host != CLOUD:
            cookie = self._cookies.get(credential.partition) or credential.part(COOKIE)
            return ({"Cookie": f"{_COOKIE_NAME}={cookie}"} if cookie else {}), WEB_BUDGET
        if (key := credential.part(KEY)) is not None:
            return {"x-api-key": key}, None
        if (token := credential.part(TOKEN)) is not None:
            return {"Authorization": f"Bearer {token}"}, TOKEN_BUDGET
        raise Unauthenticated("An API key or an access token of Roblox is needed.")

    def _keep_cookie(self, credential: Credential, response: httpx.Response) -> None:
        """Take over the newer cookie that an answer may bring."""
        if credential.part(COOKIE) is None:
            return
        for header in response.headers.get_list("set-cookie"):
            name, _, rest = header.partition("=")
            value = rest.partition(";")[0].strip()
            if name.strip() == _COOKIE_NAME and value:
                self._cookies[credential.partition] = value

    async def write(self, method: str, asked: Address, credential: Credential) -> httpx.Response:
        """Have something done in the session of a cookie; where the handshake asks for a new token, once more."""
        if credential.part(COOKIE) is None:
            raise Unauthenticated("A session cookie of Roblox is needed.")
        at = credential.partition
        response = await self._send(method, asked, credential, self._handshakes.get(at))
        fresh = response.headers.get(_TOKEN_HEADER)
        if response.status_code == 403 and fresh:
            self._handshakes[at] = fresh
            response = await self._send(method, asked, credential, fresh)
        return response

    async def _send(self, method: str, asked: Address, credential: Credential, token: str | None) -> httpx.Response:
        headers, budget = self._headers(asked.host, credential)
        headers["Content-Type"] = "application/json"
        if token is not None:
            headers[_TOKEN_HEADER] = token
        url = self._base_urls[asked.host] + asked.path
        request = httpx.Request(method, url, headers=headers, extensions={"budget": budget})
        response = await self._client.send(request, partition=credential.partition)
        self._keep_cookie(credential, response)
        return response

    async def identity(self, credential: Credential) -> str:
        """Give the user whose credential it is; asked once, and remembered by the credential."""
        at = credential.partition
        if at not in self._identities:
            self._identities[at] = str(await self._identify(credential))
        return self._identities[at]

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
