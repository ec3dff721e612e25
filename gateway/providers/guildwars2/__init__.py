"""Guild Wars 2: characters and their bags, the bank, shared slots and material storage of an account."""

from __future__ import annotations

from gateway.backends.plain import Laid
from gateway.model.options import Options
from gateway.providers.guildwars2 import archive, rest, rules, upstream
from gateway.providers.guildwars2.manifest import MANIFEST
from gateway.providers.guildwars2.types import TYPES, GuildWars2Account
from gateway.providers.provider import Provider

PROVIDER = Provider(
    manifest=MANIFEST,
    types=TYPES,
    documents=(),
    owners=(GuildWars2Account,),
    inputs={},
    options=Options,
    rules=rules,
    local=lambda clock, options: Laid(rules.contents),
    archive=archive,
    judge=upstream.judge,
    connect=lambda client, base_urls, keep: upstream.Upstream(client, base_urls["default"], account_cache=keep),
    routes=rest.routes,
    demo="gateway.providers.guildwars2",
    demo_owner="Tester.1234",
)
