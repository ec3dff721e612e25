"""The keys, names and numbers of Second Life's inventory, and the texts that natural order goes by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from gateway.model.arguments import fold
from gateway.model.manifest import ProviderKey

PROVIDER = ProviderKey.SECOND_LIFE.value

LIBRARY = "library"
"""The owner's key of the shared library."""

LIBRARY_AGENT = "ba2a564a-f0f1-4b82-9c61-b7520bfcd09f"
"""The agent that the service says the library belongs to."""

ZERO = "00000000-0000-0000-0000-000000000000"
"""The id that stands for none."""

INVENTORY_PART, LIBRARY_PART, SEED_PART = "inventory", "library", "seed"
"""The parts of a credential: the capability of an agent's inventory, of the library, and what both are got for."""

BRANCH, ORPHANS = "branch", "orphans"
"""Kinds of fact: a category with what lies below it, to some depth (see `wire.Wanted`); what lies nowhere."""

DETAILS = ("details", "secondLife")
"""Where in an input of the graph the provider's own part stands."""

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")

ROOT, CURRENT, TRASH = "root", "current", "trash"

SPECIAL: Mapping[str, int] = MappingProxyType(
    {
        ROOT: 8,
        "texture": 0,
        "sound": 1,
        "landmark": 3,
        "clothing": 5,
        "object": 6,
        "notecard": 7,
        "lsltext": 10,
        "bodypart": 13,
        TRASH: 14,
        "snapshot": 15,
        "lstndfnd": 16,
        "animatn": 20,
        "gesture": 21,
        "favorite": 23,
        CURRENT: 46,
        "my_otfts": 48,
        "inbox": 50,
        "outbox": 51,
    }
)
"""The names by which categories may be asked for, and their folder types."""

ROLES: Mapping[int, str] = MappingProxyType({number: name for name, number in SPECIAL.items()})

TITLES: Mapping[str, str] = MappingProxyType(
    {
        ROOT: "My Inventory",
        "texture": "Textures",
        "sound": "Sounds",
        "landmark": "Landmarks",
        "clothing": "Clothing",
        "object": "Objects",
        "notecard": "Notecards",
        "lsltext": "Scripts",
        "bodypart": "Body Parts",
        TRASH: "Trash",
        "snapshot": "Photo Album",
        "lstndfnd": "Lost And Found",
        "animatn": "Animations",
        "gesture": "Gestures",
        "favorite": "Favorites",
        CURRENT: "Current Outfit",
        "my_otfts": "My Outfits",
        "inbox": "Received Items",
        "outbox": "Merchant Outbox",
    }
)
"""What a special category is called when it is made."""

MOST_LEVELS = 60
"""How many levels of folders one document tells at most: what is nested deeper, no parser of either form takes."""

ORDINARY, OUTFIT, STOCK_VERSION = -1, 47, 55
"""Folder types: of most folders; of a saved outfit; one that is never stored."""

ENSEMBLES = range(26, 46)

PURPOSES: Mapping[int, str] = MappingProxyType(
    {
        **ROLES,
        2: "callcard",
        OUTFIT: "outfit",
        49: "mesh",
        52: "basic_rt",
        53: "merchant",
        54: "stock",
        STOCK_VERSION: "version",
        56: "settings",
        57: "material",
        100: "suitcase",
        **dict.fromkeys(ENSEMBLES, "ensemble"),
    }
)
"""The words of folder types; ordinary folders have none."""

UNPROTECTED = frozenset({ORDINARY, *ENSEMBLES, OUTFIT, 53, 54, STOCK_VERSION})
"""The folder types that may be renamed, retyped, moved and deleted; any other may not, unknown ones included."""

LINK, FOLDER_LINK = 24, 25
LINKS = (LINK, FOLDER_LINK)
"""The asset types of links: to an item, to a category."""

CLOTHING, OBJECT, BODYPART, GESTURE = 5, 6, 13, 21
CALLCARD, LANDMARK = 2, 3

ASSETS: Mapping[int, str] = MappingProxyType(
    {
        0: "texture",
        1: "sound",
        CALLCARD: "callcard",
        LANDMARK: "landmark",
        4: "script",
        CLOTHING: "clothing",
        OBJECT: "object",
        7: "notecard",
        8: "category",
        10: "lsltext",
        11: "lslbyte",
        12: "txtr_tga",
        BODYPART: "bodypart",
        17: "snd_wav",
        18: "img_tga",
        19: "jpeg",
        20: "animatn",
        GESTURE: "gesture",
        22: "simstate",
        LINK: "link",
        FOLDER_LINK: "link_f",
        40: "widget",
        45: "person",
        49: "mesh",
        56: "settings",
        57: "material",
        58: "gltf",
        59: "glbin",
        255: "unknown",
        -1: "none",
    }
)
"""The words of asset types."""

UNLINKABLE = frozenset({22, LINK, FOLDER_LINK, 49, 40, 45, 255, -1})
"""The asset types that no link may point at."""

CATEGORY_KIND, ATTACHMENT, MESH = 8, 17, 49

INVENTORY_KINDS: Mapping[int, str] = MappingProxyType(
    {
        0: "texture",
        1: "sound",
        2: "callcard",
        3: "landmark",
        6: "object",
        7: "notecard",
        CATEGORY_KIND: "category",
        9: "root",
        10: "script",
        15: "snapshot",
        ATTACHMENT: "attach",
        18: "wearable",
        19: "animation",
        20: "gesture",
        22: "mesh",
        23: "widget",
        24: "person",
        25: "settings",
        26: "material",
        27: "gltf",
        28: "glbin",
        255: "unknown",
        -1: "none",
    }
)
"""The words of inventory types."""

DEFAULT_KINDS: Mapping[int, int] = MappingProxyType(
    {
        0: 0,
        1: 1,
        2: 2,
        3: 3,
        4: 10,
        5: 18,
        6: 6,
        7: 7,
        10: 10,
        11: 10,
        12: 0,
        13: 18,
        17: 1,
        18: 0,
        19: 0,
        20: 19,
        21: 20,
        40: 23,
        45: 24,
        49: 22,
        56: 25,
        57: 26,
        58: 27,
        59: 28,
        255: 255,
        -1: -1,
    }
)
"""The inventory type that goes with an asset type, where none is told."""

ALSO_FIT: Mapping[int, frozenset[int]] = MappingProxyType({15: frozenset({0}), ATTACHMENT: frozenset({OBJECT})})
"""Inventory types that go with asset types which others are the default of."""

SALES: Mapping[int, str] = MappingProxyType({0: "not", 1: "orig", 2: "copy", 3: "cntn"})
"""The words of sale types."""

NUMBERS: Mapping[str, int] = MappingProxyType({word: number for number, word in ASSETS.items()})
KIND_NUMBERS: Mapping[str, int] = MappingProxyType({word: number for number, word in INVENTORY_KINDS.items()})
SALE_NUMBERS: Mapping[str, int] = MappingProxyType({word: number for number, word in SALES.items()})

# Names come first; a cursor has no room for a long one.
_NAME_LENGTH = 100
_END = "\x01"


def sort_of(name: str, key: str) -> str:
    """Give the sort text of a category, an item or a link: by name without regard to case, then by id."""
    return f"{fold(name)[:_NAME_LENGTH]}{_END}{key}"


def agent_of(owner: str) -> str:
    """Give the id of the agent that an owner's key means."""
    return LIBRARY_AGENT if owner == LIBRARY else owner


def owner_of(agent: str) -> str:
    """Give the owner's key of an agent."""
    return LIBRARY if agent == LIBRARY_AGENT else agent
