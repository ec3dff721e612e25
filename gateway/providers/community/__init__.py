"""Community: a user's avatar over a community's kit of slots and catalogue of items."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from gateway.model.options import Options
from gateway.providers.community import archive, refusals, rest, rules, upstream
from gateway.providers.community.ledger import LocalLedger
from gateway.providers.community.local import Local
from gateway.providers.community.manifest import MANIFEST
from gateway.providers.community.types import DOCUMENTS, TYPES, CommunityKit, CommunityUser
from gateway.providers.provider import Provider


class CommunityOptions(Options):
    """What of a community may be set."""

    mint_delay: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="Seconds for which a token that is minted here, in the local store, stays pending.",
    )


PROVIDER = Provider(
    manifest=MANIFEST,
    types=TYPES,
    documents=DOCUMENTS,
    owners=(CommunityUser, CommunityKit),
    inputs={},
    options=CommunityOptions,
    rules=rules,
    local=lambda clock, options: Local(clock, LocalLedger(timedelta(seconds=options.mint_delay))),
    archive=archive,
    judge=refusals.judge,
    connect=lambda client, base_urls, keep: upstream.Upstream(client, base_urls["default"], account_cache=keep),
    routes=rest.routes,
    demo="gateway.providers.community",
    demo_owner="nova/u_1",
)
