"""What of Roblox may be set."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.model.options import Options

WEB_LIMITS = {
    "can-view-inventory": 25,
    "collectibles": 240,
    "places": 1_000,
    "packages": 1_000,
    "categories": 10_000,
    "items": 600_000,
    "is-owned": 10_000,
    "add-to-collection": 1_000,
    "remove-from-collection": 200,
}


class RobloxOptions(Options):
    """What of Roblox may be set."""

    collection_capacity: int = Field(default=100, ge=1, le=10_000, description="How much a collection shows at most.")
    default_privacy: Literal[
        "NoOne",
        "Friends",
        "FriendsAndFollowing",
        "FriendsFollowingAndFollowers",
        "AllAuthenticatedUsers",
        "AllUsers",
    ] = Field(
        default="AllUsers",
        description="Who may see the inventory of a user in the local store whose settings were never told.",
    )
    web_limits: dict[str, int] = Field(
        default=WEB_LIMITS,
        description="How often a minute one session, or one address without a session, may ask the dialect's v1: by "
        "what is asked. What is not named is not limited. That of the cloud is fixed: 100 by owner of API keys, 20 by "
        "access token.",
    )
