"""Roblox's words and numbers: asset types, shelves, item types, privacy levels, categories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gateway.providers.roblox.keys import ASSET, BADGE, BUNDLE, PASS, PLACE, SERVER
from gateway.providers.roblox.types import RobloxCategories, RobloxCategoryEntry, RobloxCategoryGroup

# --- asset types ------------------------------------------------------------------------------------------------------

CREATED_PLACE, PURCHASED_PLACE = "CREATED_PLACE", "PURCHASED_PLACE"
UNSPECIFIED = "INVENTORY_ITEM_ASSET_TYPE_UNSPECIFIED"

PLACE_TYPE, BADGE_TYPE, PASS_TYPE, PACKAGE_TYPE = 9, 21, 34, 32


class AssetType(NamedTuple):
    """A type of assets: its number and name on the web, and its name in the cloud; a place has two of the last."""

    number: int
    name: str
    cloud: str | None


def _types(text: str) -> Iterator[AssetType]:
    for line in text.split(","):
        number, name, *cloud = line.split()
        yield AssetType(int(number), name, cloud[0] if cloud else None)


LISTED = (
    *_types(
        "2 TShirt CLASSIC_TSHIRT, 3 Audio AUDIO, 8 Hat HAT, 10 Model MODEL, 11 Shirt CLASSIC_SHIRT, "
        "12 Pants CLASSIC_PANTS, 13 Decal DECAL, 17 Head CLASSIC_HEAD, 18 Face FACE, 19 Gear GEAR, "
        "24 Animation ANIMATION, 27 Torso TORSO, 28 RightArm RIGHT_ARM, 29 LeftArm LEFT_ARM, 30 LeftLeg LEFT_LEG, "
        "31 RightLeg RIGHT_LEG, 32 Package PACKAGE, 38 Plugin PLUGIN, 40 MeshPart MESH_PART, "
        "41 HairAccessory HAIR_ACCESSORY, 42 FaceAccessory FACE_ACCESSORY, 43 NeckAccessory NECK_ACCESSORY, "
        "44 ShoulderAccessory SHOULDER_ACCESSORY, 45 FrontAccessory FRONT_ACCESSORY, 46 BackAccessory BACK_ACCESSORY, "
        "47 WaistAccessory WAIST_ACCESSORY, 48 ClimbAnimation CLIMB_ANIMATION, 49 DeathAnimation DEATH_ANIMATION, "
        "50 FallAnimation FALL_ANIMATION, 51 IdleAnimation IDLE_ANIMATION, 52 JumpAnimation JUMP_ANIMATION, "
        "53 RunAnimation RUN_ANIMATION, 54 SwimAnimation SWIM_ANIMATION, 55 WalkAnimation WALK_ANIMATION, "
        "56 PoseAnimation POSE_ANIMATION, 61 EmoteAnimation EMOTE_ANIMATION, 62 Video VIDEO, "
        "64 TShirtAccessory TSHIRT_ACCESSORY, 65 ShirtAccessory SHIRT_ACCESSORY, 66 PantsAccessory PANTS_ACCESSORY, "
        "67 JacketAccessory JACKET_ACCESSORY, 68 SweaterAccessory SWEATER_ACCESSORY, "
        "69 ShortsAccessory SHORTS_ACCESSORY, 70 LeftShoeAccessory LEFT_SHOE_ACCESSORY, "
        "71 RightShoeAccessory RIGHT_SHOE_ACCESSORY, 72 DressSkirtAccessory DRESS_SKIRT_ACCESSORY, "
        "76 EyebrowAccessory EYEBROW_ACCESSORY, 77 EyelashAccessory EYELASH_ACCESSORY, "
        "78 MoodAnimation MOOD_ANIMATION, 79 DynamicHead DYNAMIC_HEAD"
    ),
    AssetType(PLACE_TYPE, "Place", CREATED_PLACE),
    AssetType(PLACE_TYPE, "Place", PURCHASED_PLACE),
)
"""The types that the cloud lists, in its order."""

UNLISTED = (
    *_types(
        "1 Image, 4 Mesh, 5 Lua, 6 HTML, 7 Text, 16 Avatar, 21 Badge, 22 GroupEmblem, 25 Arms, 26 Legs, "
        "33 YouTubeVideo, 34 GamePass, 35 App, 37 Code, 39 SolidModel, 59 LocalizationTableManifest, "
        "60 LocalizationTableTranslation, 63 TexturePack, 73 FontFamily, 74 FontFace, 75 MeshHiddenSurfaceRemoval, "
        "80 CodeSnippet, 81 AdsVideo, 82 OtaUpdate, 83 Screenshot, 84 RuntimePropertySet, 85 StorePreviewVideo, "
        "86 GamePreviewVideo, 87 CreatorExperienceConfig, 88 FaceMakeup, 89 LipMakeup, 90 EyeMakeup, "
        "91 VoxelFragment, 92 AvatarBackground, 93 TextDocument, 94 Post"
    ),
)
"""The types that the cloud has no name for, and so does not list."""

BY_CLOUD_NAME: Mapping[str, AssetType] = {one.cloud: one for one in LISTED if one.cloud is not None}
BY_NUMBER: Mapping[int, AssetType] = {one.number: one for one in reversed((*LISTED, *UNLISTED))}
"""By number; a place is one that was created."""
BY_NAME: Mapping[str, AssetType] = {one.name.lower(): one for one in BY_NUMBER.values()}
"""By the name on the web, in lower case."""

COLLECTIBLE_HERE = frozenset(
    {2, 8, 11, 12, 17, 18, 19, *range(27, 32), *range(41, 48), 61, *range(64, 73), *range(76, 80)}
)
"""The numbers of the types that a collection takes: every avatar type and gear."""


def _number(text: str) -> int | None:
    """Read a number; one that is too long for any is past all of them."""
    if not (text.isascii() and text.isdecimal()):
        return None
    return int(text) if len(text) <= _LONGEST_NUMBER else 10**_LONGEST_NUMBER


_LONGEST_NUMBER = 18


def asset_type(text: str) -> AssetType | None:
    """Find an asset type by its number, or by its name on the web without regard to case."""
    if (number := _number(text)) is not None:
        return BY_NUMBER.get(number)
    return BY_NAME.get(text.lower())


# --- shelves ----------------------------------------------------------------------------------------------------------

TABS = ("Created", "Purchased", "MyGames", "OtherGames")
"""The tabs of places, by their numbers; 4 and 5 are known too, and empty."""

MIRRORS = TABS[2:]
"""The tabs that may show what was created, or purchased, once more."""

OTHER = "other"


def asset_shelf(number: int | None, cloud: str | None) -> str:
    """Name the shelf of an asset: by the cloud's name of its type, else by its number, else with the unknown ones."""
    if cloud in BY_CLOUD_NAME:
        return f"{ASSET}/{cloud}"
    return f"{ASSET}/{number}" if number in BY_NUMBER else f"{ASSET}/{OTHER}"


def bundle_shelf(number: int | None) -> str:
    """Name the shelf of a bundle, by its type."""
    return f"{BUNDLE}/{number if number in BUNDLE_TYPES else OTHER}"


def place_shelf(tab: str) -> str:
    """Name the shelf of a place, by its tab."""
    return f"{PLACE}/{tab}"


BUNDLE_TYPES = {1: "BodyParts", 2: "AvatarAnimations", 4: "DynamicHead"}

CLOUD_ASSETS = tuple(f"{ASSET}/{one.cloud}" for one in LISTED)
"""The shelves of the assets that the cloud lists, in its order."""

ASSETS = (*CLOUD_ASSETS, *(f"{ASSET}/{one.number}" for one in UNLISTED), f"{ASSET}/{OTHER}")
BUNDLES = (*(f"{BUNDLE}/{number}" for number in BUNDLE_TYPES), f"{BUNDLE}/{OTHER}")
PLACES = tuple(map(place_shelf, TABS))
HOLDINGS = (*ASSETS, BADGE, PASS, SERVER)
"""The shelves of what is held once: bundles and places show the same again, put together in another way."""
SHELVES = (*HOLDINGS, *BUNDLES, *PLACES)

RANKS: Mapping[str, int] = {shelf: rank for rank, shelf in enumerate(SHELVES)}
"""The place of each shelf in natural order: assets by type, badges, passes, private servers, and the rest."""

OF_CONSENT = frozenset({SERVER, f"{ASSET}/{PURCHASED_PLACE}", *PLACES[1:]})
"""The shelves that only the owner sees, and whom the owner lets."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "Asset": ASSETS,
    "Badge": (BADGE,),
    "GamePass": (PASS,),
    "Bundle": BUNDLES,
    "Place": PLACES,
    "PrivateServer": (SERVER,),
}
"""The words of `Item.kind`, and the shelves that each is found on."""

# --- small enums ------------------------------------------------------------------------------------------------------

ITEM_TYPES = ("Asset", "GamePass", "Badge", "Bundle", "Avatar")
"""By number."""

ITEM_KINDS: Mapping[str, str] = {"Asset": ASSET, "GamePass": PASS, "Badge": BADGE, "Bundle": BUNDLE}
"""What stands in keys for an item type; an avatar has no keys."""

CREATORS = {1: "User", 2: "Group", 3: "Experience"}
MEMBERSHIPS = ("None", "BC", "TBC", "OBC", "RobloxPremium")
ENTRY_TYPES = ("AssetType", "Bundle", "Outfit", "Set", "Avatar")
AVAILABLE, HOLD, STATELESS = "AVAILABLE", "HOLD", "COLLECTIBLE_ITEM_INSTANCE_STATE_UNSPECIFIED"

ALL_USERS = "AllUsers"
LEVELS = (
    "NoOne",
    "Friends",
    "FriendsAndFollowing",
    "FriendsFollowingAndFollowers",
    "AllAuthenticatedUsers",
    ALL_USERS,
    "TrustedFriends",
)
"""Who may see an inventory; the first six by number, from 1."""


def item_type(text: str) -> str | None:
    """Find an item type by its number, or by its name without regard to case."""
    if (number := _number(text)) is not None:
        return ITEM_TYPES[number] if number < len(ITEM_TYPES) else None
    return next((name for name in ITEM_TYPES if name.lower() == text.lower()), None)


def tab(text: str) -> str | None:
    """Find a tab of places by its number, or by its name without regard to case; "" for one that is always empty."""
    if text in ("4", "5"):
        return ""
    if (number := _number(text)) is not None:
        return TABS[number] if number < len(TABS) else None
    return next((name for name in TABS if name.lower() == text.lower()), None)


# --- categories -------------------------------------------------------------------------------------------------------

PRIVATE_SERVERS = "PrivateServers"
"""The type of the category that only the owner is shown."""


def _group(name: str, kind: str, *entries: tuple[object, ...], shown: str | None = None) -> RobloxCategoryGroup:
    """Make a category of entries: name, number, category type, and perhaps the type of the number and the filter."""
    made: list[RobloxCategoryEntry] = []
    for label, number, category, *more in entries:
        entry_type, selects = [*more, None, None][:2]
        made.append(
            RobloxCategoryEntry(
                name=str(label),
                display_name=str(label),
                filter=None if selects is None else str(selects),
                id=int(str(number)),
                type=str(entry_type or ENTRY_TYPES[0]),
                category_type=str(category),
            )
        )
    return RobloxCategoryGroup(name=name, display_name=shown or name, category_type=kind, items=made)


def _default(*, favorites: bool) -> RobloxCategories:
    asset, bundle = ENTRY_TYPES[:2]
    bundles: list[tuple[object, ...]] = [("Body Parts", 1, "BodyParts", bundle)]
    places: list[tuple[object, ...]] = [("Places", PLACE_TYPE, "Place")]
    own: list[RobloxCategoryGroup] = []
    if favorites:
        bundles.append(("Avatar Animations", 2, "AvatarAnimations", bundle))
    else:
        labels = ("Created by Me", "Purchased", "My Experiences", "Other Experiences")
        places = [(label, PLACE_TYPE, "Place", asset, tab) for label, tab in zip(labels, TABS, strict=True)]
        own = [
            _group("Badges", "Badge", ("Badges", BADGE_TYPE, "Badge")),
            _group("Game Passes", "GamePass", ("Passes", PASS_TYPE, "GamePass"), shown="Passes"),
        ]
    groups = [
        _group("Classic Heads", "Head", ("Classic Heads", 17, "Head")),
        _group("Faces", "Face", ("Faces", 18, "Face")),
        _group("Decals", "Decal", ("Decals", 13, "Decal")),
        _group("Models", "Model", ("Models & Packages", 10, "Model"), shown="Models & Packages"),
        _group("Plugins", "Plugin", ("Plugins", 38, "Plugin")),
        _group("Animations", "Animation", ("Animations", 24, "Animation")),
        _group("Audio", "Audio", ("Audio", 3, "Audio")),
        _group("MeshParts", "MeshPart", ("Meshes", 40, "MeshPart"), shown="Meshes"),
        _group("Heads", "DynamicHead", ("Heads", 4, "DynamicHead", bundle)),
        _group("Video", "Video", ("Video", 62, "Video")),
        _group("Bundles", "Bundle", *bundles),
        _group(
            "Accessories",
            "Accessories",
            ("Head", 8, "Hat"),
            ("Face", 42, "FaceAccessory"),
            ("Neck", 43, "NeckAccessory"),
            ("Shoulder", 44, "ShoulderAccessory"),
            ("Front", 45, "FrontAccessory"),
            ("Back", 46, "BackAccessory"),
            ("Waist", 47, "WaistAccessory"),
            ("Gear", 19, "Gear"),
        ),
        _group(
            "Classic Clothing",
            "ClassicClothing",
            ("Classic T-shirts", 2, "TShirt"),
            ("Classic Shirts", 11, "Shirt"),
            ("Classic Pants", 12, "Pants"),
        ),
        _group("Hair Accessories", "HairAccessory", ("Hair", 41, "HairAccessory"), shown="Hair"),
        _group(
            "Tops",
            "Tops",
            ("T-shirts", 64, "TShirtAccessory"),
            ("Shirts", 65, "ShirtAccessory"),
            ("Sweaters", 68, "SweaterAccessory"),
            ("Jackets", 67, "JacketAccessory"),
        ),
        _group(
            "Bottoms",
            "Bottoms",
            ("Pants", 66, "PantsAccessory"),
            ("Shorts", 69, "ShortsAccessory"),
            ("Skirts", 72, "SkirtsAccessory"),
        ),
        _group("Shoes", "Shoes", ("Left Shoe", 70, "LeftShoeAccessory"), ("Right Shoe", 71, "RightShoeAccessory")),
        _group("Emote Animations", "EmoteAnimation", ("Emotes", 61, "EmoteAnimation"), shown="Emotes"),
        _group("Places", "Place", *places),
        *own,
        _group(
            "Avatar Animations",
            "AvatarAnimations",
            *(
                (label, number, "AvatarAnimations")
                for label, number in (
                    ("Run", 53),
                    ("Walk", 55),
                    ("Fall", 50),
                    ("Jump", 52),
                    ("Idle", 51),
                    ("Swim", 54),
                    ("Climb", 48),
                )
            ),
        ),
    ]
    if not favorites:
        servers = (("My Private Servers", "MyPrivateServers"), ("Other Private Servers", "OtherPrivateServers"))
        entries = [(label, 0, "PrivateServer", asset, selects) for label, selects in servers]
        groups.append(_group("Private Servers", PRIVATE_SERVERS, *entries))
    return RobloxCategories(groups=groups)


INVENTORY_CATEGORIES = _default(favorites=False)
FAVORITE_CATEGORIES = _default(favorites=True)
"""The categories of those whose own were never told."""


def shelves_of(entry: RobloxCategoryEntry) -> tuple[str, ...] | None:
    """Give the shelves that an entry of a category shows; None where the service does not tell what it shows."""
    if entry.type == "Bundle":
        return (bundle_shelf(entry.id),)
    if entry.type != "AssetType" or entry.id == 0:
        return None
    if entry.id == PLACE_TYPE:
        return PLACES if entry.filter is None else tuple(place_shelf(one) for one in (tab(entry.filter),) if one)
    if entry.id in (BADGE_TYPE, PASS_TYPE):
        return (BADGE if entry.id == BADGE_TYPE else PASS,)
    known = BY_NUMBER.get(entry.id)
    return None if known is None else (asset_shelf(known.number, known.cloud),)


def shelves_of_group(group: RobloxCategoryGroup) -> tuple[str, ...] | None:
    """Give the shelves that a category shows: those of all its entries."""
    if group.category_type == PRIVATE_SERVERS:
        return (SERVER,)
    known = [found for entry in group.items if (found := shelves_of(entry)) is not None]
    return tuple(dict.fromkeys(shelf for found in known for shelf in found)) if known else None
