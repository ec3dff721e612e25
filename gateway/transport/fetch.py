"""Fetch: one document from an address that the settings name, without a credential."""

from __future__ import annotations

import httpx

from gateway.model.deadline import Limit
from gateway.model.errors import UpstreamTimeout, UpstreamUnavailable

_SECONDS = 10.0


async def fetch(pool: httpx.AsyncBaseTransport, url: str) -> bytes:
    """Get what is at an address; raises a GatewayError for all but an answer with 200. No redirect is followed."""
    try:
        with Limit(_SECONDS):
            response = await pool.handle_async_request(
                httpx.Request("GET", url, headers={"Accept": "application/json"})
            )
            content = await response.aread()
    except TimeoutError:
        raise UpstreamTimeout("There was no answer in time.") from None
    except httpx.TransportError as error:
        raise UpstreamUnavailable(f"It cannot be reached: {type(error).__name__}.") from None
    if response.status_code != 200:
        raise UpstreamUnavailable(f"It answers {response.status_code}.")
    return content
