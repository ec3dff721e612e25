"""Whether a credential may see an inventory, asked apart from any request: of one that is followed, time and again."""

from __future__ import annotations

from gateway.model.credentials import Credential
from gateway.model.errors import GatewayError, NotFound
from gateway.model.ids import OwnerRef
from gateway.model.ports import Rules, Source


async def check_visible(source: Source, rules: Rules, credential: Credential, owner: OwnerRef) -> None:
    """Raise NotFound where there is no such owner for this credential, Forbidden where it is closed to it."""
    session = source.session(credential)
    try:
        found = (await session.visibility_by_owner([owner])).get(owner)
    finally:
        await session.aclose()
    if isinstance(found, GatewayError):
        raise found
    if found is None:
        raise NotFound(f"{source.manifest.title} has no such owner.")
    if not found:
        raise rules.lacking(())
