"""Roblox: a user's assets, badges, passes and collectibles, over the web's inventory v1 and the cloud's items."""

from __future__ import annotations

from gateway.providers.provider import Provider
from gateway.providers.roblox import archive, calls, rest, rules, upstream
from gateway.providers.roblox.local import Local
from gateway.providers.roblox.manifest import MANIFEST
from gateway.providers.roblox.settings import RobloxOptions
from gateway.providers.roblox.types import DOCUMENTS, TYPES, RobloxUser

PROVIDER = Provider(
    manifest=MANIFEST,
    types=TYPES,
    documents=DOCUMENTS,
    owners=(RobloxUser,),
    inputs={},
    options=RobloxOptions,
    rules=rules,
    local=Local,
    archive=archive,
    judge=calls.judge,
    connect=upstream.Upstream,
    routes=rest.routes,
    demo="gateway.providers.roblox",
    demo_owner="42",
)
