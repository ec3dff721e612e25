"""Second Life: an agent's folders, items and links, and the library that all agents share."""

from __future__ import annotations

from gateway.providers.provider import Provider
from gateway.providers.secondlife import archive, rest, rules, upstream
from gateway.providers.secondlife.inputs import INPUTS
from gateway.providers.secondlife.local import Local
from gateway.providers.secondlife.manifest import MANIFEST
from gateway.providers.secondlife.settings import SecondLifeOptions
from gateway.providers.secondlife.types import DOCUMENTS, TYPES, SecondLifeAgent

PROVIDER = Provider(
    manifest=MANIFEST,
    types=TYPES,
    documents=DOCUMENTS,
    owners=(SecondLifeAgent,),
    inputs=INPUTS,
    options=SecondLifeOptions,
    rules=rules,
    local=Local,
    archive=archive,
    judge=upstream.judge,
    connect=lambda client, base_urls, keep: upstream.Upstream(client, base_urls["default"], account_cache=keep),
    routes=rest.routes,
    demo="gateway.providers.secondlife",
    demo_owner="aaaaaaaa-0000-4000-8000-00000000000a",
)
