"""What the suite must know of each provider's samples; everything else it finds out by asking."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Dressing:
    """What can be put in slots, and minted."""

    filled: str
    """A slot that something lies in."""
    empty: str
    """A slot that is empty."""
    fitting: str
    """A definition that the owner holds, which fits the empty slot and lies nowhere."""
    unfitting: str
    """A definition that the owner holds and that does not fit the empty slot."""
    unowned: str
    """A definition that the owner does not hold and that would fit the empty slot."""
    blockchain: str
    """A blockchain on which the avatar as it is was not minted yet."""


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Folders that can be written to, by key, and things in them."""

    root: str
    folder: str
    """An ordinary folder with items and a child."""
    items: tuple[str, ...]
    """What lies directly in it."""
    child: str
    """The child, which holds an item."""
    empty: str
    """An ordinary folder with nothing in it."""
    linked: str
    """An item that links elsewhere point at."""
    links: str
    """A folder of links, one of them to `linked`."""
    link: str
    """That link."""
    fixed: str
    """An item that cannot be copied."""
    guarded: str
    """A folder that cannot be renamed, moved or deleted."""
    special: str
    """The name of a special folder that stands."""
    missing: str
    """The name of a special folder that does not."""
    library: tuple[str, str]
    """The key of an owner whose folders may be copied, and one of those folders."""
    unknown: str
    """A key that is of nothing."""


@dataclass(frozen=True, kw_only=True)
class Collecting:
    """What can be added to a collection, and what cannot, by the keys of definitions."""

    collected: str
    """One that is in the collection."""
    held: tuple[str, str]
    """Two that the owner holds and that are not in it."""
    unowned: str
    wrong: str
    """One that the owner holds, of a kind that no collection takes."""


@dataclass(frozen=True, kw_only=True)
class World:
    """An owner of a provider's bundled samples, and keys to ask for."""

    owner: str
    me: str = "me"
    """What stands for the owner of the credential in use."""
    others: tuple[str, ...] = ()
    """The other owners that the samples hold."""
    unknown_owner: str
    other_owner: str
    """An owner that the samples do not hold; `other_documents`, in the provider's format, are its account."""
    other_documents: dict[str, object]
    likeness: tuple[tuple[str, str], ...]
    """What to replace in the samples to have another owner with holdings of their own; `{n}` is a digit."""
    malformed_owners: tuple[str, ...]
    unknown_container: str
    malformed_containers: tuple[str, ...]
    slotted: str
    """A container that things lie in, with slots, some of them empty, where there are slots."""
    nested: str | None
    """A container with child containers; None where there are none."""
    definition: str | None
    """A definition that the owner holds; None where things have no definitions."""
    unheld: str
    """A definition that the owner does not hold."""
    look: int
    """How many calls of the service it takes to read all that the owner holds, and where."""
    unknown_definition: str
    malformed_definitions: tuple[str, ...]
    text: str
    """Text in the name of some but not all items."""
    nameless: tuple[str, ...] = ()
    """The kinds of backend that tell no names of owners."""
    parts: tuple[str, ...] = ()
    """The parts of a credential that a caller has, if not the first alone."""
    dressing: Dressing | None = None
    folders: Folders | None = None
    collecting: Collecting | None = None
    gaps: dict[str, str] = field(default_factory=dict[str, str])
    """Tests that fail strictly, with the reason; by name and backend, such as `test_x[sqlite]`."""


WORLDS = {
    "guildwars2": World(
        likeness=(
            ("Tester.1234", "Tester.{n}234"),
            ("Second Hero", "Hero Numbêr {n}"),
            ('"count": 250', '"count": 20{n}'),
        ),
        owner="Tester.1234",
        unknown_owner="Nobody.9999",
        other_owner="Other.5678",
        other_documents={"/v2/account": {"id": "00000000-0000-0000-0000-000000000002", "name": "Other.5678"}},
        malformed_owners=("Tester", "", "a/b.1234", "x" * 300 + ".1234"),
        unknown_container="character:Nobody",
        malformed_containers=("", "nowhere", "character:", "character:a/b/c", "materials/x"),
        slotted="character:Test Nâme/0",
        nested="character:Test Nâme",
        definition="item:46735",
        look=6,  # the characters, each of two, three storages
        unheld="item:37131",
        unknown_definition="item:999999999",
        malformed_definitions=("", "46735", "item:x", "item:-1", "what:1", "item:01"),
        text="blood",
    ),
    "community": World(
        likeness=(("u_1", "u_1{n}"), ('"quantity":3', '"quantity":1{n}'), ('"quantity":2', '"quantity":2{n}')),
        owner="nova/u_1",
        me="nova/me",
        others=("nova", "nova/u_2"),
        unknown_owner="nova/u_0",
        other_owner="nova/u_9",
        other_documents={
            "/v1/community/nova/inventory/avatar?userId=u_9": {"userId": "u_9", "version": 0, "slots": [], "mints": []}
        },
        malformed_owners=("", "/u_1", "nova/", "x" * 300, "no\x01va/u_1"),
        unknown_container="wardrobe",
        malformed_containers=("", "avatar/0", "x" * 200),
        slotted="avatar",
        nested=None,
        definition="nova/i_cap",
        look=2,  # the items, the slots
        unheld="nova/i_crown",
        unknown_definition="nova/i_none",
        malformed_definitions=("", "nova", "nova/", "/i_cap", "x" * 300 + "/i_cap"),
        text="cap",
        dressing=Dressing(
            filled="s_head",
            empty="s_hands",
            fitting="nova/i_paint",
            unfitting="nova/i_boots",
            unowned="nova/i_gloves",
            blockchain="base",
        ),
    ),
    "secondlife": World(
        likeness=(
            ("aaaaaaaa-0000-4000-8000-00000000000a", "aaaaaaaa-0000-4000-8000-0000000000a{n}"),
            ("My Inventory", "Inventory {n}"),
            ("Welcome", "Welcome, {n}"),
        ),
        owner="aaaaaaaa-0000-4000-8000-00000000000a",
        others=("library",),
        unknown_owner="aaaaaaaa-0000-4000-8000-0000000000ff",
        other_owner="aaaaaaaa-0000-4000-8000-00000000000c",
        other_documents={
            "category_id": "11111111-0000-4000-8000-00000000c001",
            "parent_id": "00000000-0000-0000-0000-000000000000",
            "agent_id": "aaaaaaaa-0000-4000-8000-00000000000c",
            "name": "My Inventory",
            "type_default": 8,
            "version": 1,
            "_embedded": {"items": {}, "links": {}, "categories": {}},
        },
        malformed_owners=("", "Library", "aaaaaaaa-0000-4000-8000-00000000000A", "x" * 300),
        unknown_container="11111111-0000-4000-8000-0000000000ff",
        malformed_containers=("", "nowhere", "11111111-0000-4000-8000-00000000000A", "root/x"),
        slotted="11111111-0000-4000-8000-000000000006",
        nested="11111111-0000-4000-8000-000000000005",
        definition=None,
        look=3,  # the root, all below it, what hangs loose
        unheld="x",
        unknown_definition="x",
        malformed_definitions=("", "x"),
        text="hat",
        nameless=("LOCAL", "UPSTREAM"),
        folders=Folders(
            root="11111111-0000-4000-8000-000000000001",
            folder="11111111-0000-4000-8000-000000000006",
            items=("22222222-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000004"),
            child="11111111-0000-4000-8000-000000000007",
            empty="11111111-0000-4000-8000-000000000008",
            linked="22222222-0000-4000-8000-000000000001",
            links="11111111-0000-4000-8000-000000000046",
            link="44444444-0000-4000-8000-000000000001",
            fixed="22222222-0000-4000-8000-000000000004",
            guarded="11111111-0000-4000-8000-000000000005",
            special="trash",
            missing="inbox",
            library=("library", "11111111-0000-4000-8000-000000000902"),
            unknown="11111111-0000-4000-8000-0000000000ff",
        ),
    ),
    "roblox": World(
        likeness=(
            ("users/42", "users/420{n}"),
            ('"id": 42,', '"id": 420{n},'),
            ('"instanceId": "5101"', '"instanceId": "511{n}1"'),
        ),
        owner="42",
        others=("43",),
        unknown_owner="9",
        other_owner="77",
        other_documents={"/v1/users/77": {"id": 77, "name": "noa", "displayName": "Noa"}},
        malformed_owners=("", "0", "-1", "mira", "9223372036854775808", "042"),
        unknown_container="view:Boats",
        malformed_containers=("", "nowhere", "view:", "view:a/b/c", "views:Hats"),
        slotted="view:Accessories/Head",
        nested="view:Accessories",
        definition="asset:7100",
        look=2,  # whether it may be seen, one page
        unheld="asset:7107",
        unknown_definition="asset:999999",
        malformed_definitions=("", "7100", "asset:x", "asset:-1", "server:1", "asset:01", "asset:9223372036854775808"),
        text="crown",
        nameless=("UPSTREAM",),
        parts=("cookie", "key"),
        collecting=Collecting(
            collected="asset:7100",
            held=("asset:7101", "asset:7103"),
            unowned="asset:7107",
            wrong="pass:88",
        ),
    ),
}
