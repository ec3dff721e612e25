"""Import and export: every form of file, and of what is broken in it either a report by line or nothing at all."""

from __future__ import annotations

import gzip
import os
import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.cli.conftest import DEMO, OWNER, Run, process, write

ITEMS: list[dict[str, Any]] = DEMO["/v2/items"]
KEYS = sorted(f"item:{item['id']}" for item in ITEMS)
BOM = b"\xef\xbb\xbf"


def kept(folder: Path) -> list[str]:
    """Give the keys of the definitions in the store."""
    with sqlite3.connect(folder / "gateway.db") as connection:
        found = [key for (key,) in connection.execute("SELECT key FROM definitions ORDER BY key")]
    connection.close()
    return found


def lines(items: list[dict[str, Any]]) -> bytes:
    return b"\n".join(map(orjson.dumps, items))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(orjson.dumps(ITEMS), id="json"),
        pytest.param(orjson.dumps(ITEMS, option=orjson.OPT_INDENT_2), id="indented"),
        pytest.param(orjson.dumps({"/v2/items": ITEMS}), id="export"),
        pytest.param(lines(ITEMS), id="lines"),
        pytest.param(lines(ITEMS) + b"\n", id="lines-ended"),
        pytest.param(lines(ITEMS).replace(b"\n", b"\r\n"), id="lines-crlf"),
        pytest.param(lines(ITEMS).replace(b"\n", b"\n\n \n"), id="lines-apart"),
        pytest.param(BOM + orjson.dumps(ITEMS), id="json-bom"),
        pytest.param(BOM + lines(ITEMS), id="lines-bom"),
        pytest.param(BOM + orjson.dumps(ITEMS, option=orjson.OPT_INDENT_2), id="indented-bom"),
        pytest.param(gzip.compress(orjson.dumps(ITEMS)), id="gzip"),
        pytest.param(gzip.compress(BOM + lines(ITEMS)), id="gzip-lines-bom"),
        pytest.param(gzip.compress(lines(ITEMS[:5]) + b"\n") + gzip.compress(lines(ITEMS[5:])), id="gzip-streams"),
        pytest.param(gzip.compress(lines(ITEMS)) + b"\0" * 1_000, id="gzip-padded"),
        pytest.param(gzip.compress(lines(ITEMS)) + b"garbage", id="gzip-garbage"),
    ],
)
def test_every_form_of_file_is_imported_whole(run: Run, folder: Path, data: bytes) -> None:
    (folder / "items").write_bytes(data)
    ran = run("import", "guildwars2", "items")
    assert (ran.code, ran.out, ran.err) == (0, "Imported 17 definitions.\n", "")
    assert kept(folder) == KEYS


def test_only_what_came_is_counted_and_one_is_no_plural(run: Run, folder: Path) -> None:
    assert run("import", "guildwars2", write(folder / "one.json", ITEMS[0])).out == "Imported 1 definition.\n"
    assert run("import", "guildwars2", write(folder / "none.json", [])).out == "Imported nothing.\n"


def test_several_files_are_one_import(run: Run, folder: Path) -> None:
    first, second = write(folder / "first.json", ITEMS[:10]), write(folder / "second.jsonl", *ITEMS[10:])
    assert run("import", "guildwars2", first, second).out == "Imported 17 definitions.\n"
    assert kept(folder) == KEYS


@pytest.mark.parametrize("data", [b"", b"\n \r\n", BOM, gzip.compress(b"")], ids=["empty", "blank", "bom", "gzip"])
def test_an_empty_file_brings_nothing(run: Run, folder: Path, data: bytes) -> None:
    (folder / "empty").write_bytes(data)
    ran = run("import", "guildwars2", "empty")
    assert (ran.code, ran.out, ran.err) == (0, "Imported nothing.\n", "")


def test_a_missing_file_is_told_before_anything_is_done(run: Run, folder: Path) -> None:
    ran = run("import", "guildwars2", write(folder / "items.json", ITEMS), "missing.json")
    assert (ran.code, ran.out, ran.err) == (2, "", "gateway: missing.json: no such file\n")
    assert run("import", "guildwars2", folder).code == 2
    assert not (folder / "gateway.db").exists()


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(gzip.compress(lines(ITEMS))[:-9], id="cut"),
        pytest.param(gzip.compress(lines(ITEMS))[:40], id="cut-early"),
        pytest.param(gzip.compress(lines(ITEMS))[:2], id="cut-at-once"),
        pytest.param(gzip.compress(lines(ITEMS[:3])) + gzip.compress(lines(ITEMS[3:]))[:-20], id="cut-in-the-second"),
        pytest.param(b"\x1f\x8bgarbage", id="no-gzip"),
        pytest.param(gzip.compress(lines(ITEMS), mtime=0)[:-8] + b"\0" * 8, id="wrong-checksum"),
    ],
)
def test_a_broken_gzip_leaves_the_store_as_it_was(run: Run, folder: Path, broken: bytes) -> None:
    (folder / "broken.gz").write_bytes(broken)
    ran = run("import", "guildwars2", write(folder / "good.json", ITEMS[:2]), "broken.gz")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("gateway: broken.gz: ")
    assert "gzip" in ran.err
    assert kept(folder) == []


@pytest.mark.parametrize("data", [b"no JSON", b"{", b"[\n1,\n", b"\x00\xff\xfe", b'[\n{"id": 1},\n{"id": 2}\n,]'])
def test_what_is_no_json_is_one_fault(run: Run, folder: Path, data: bytes) -> None:
    (folder / "text").write_bytes(data)
    ran = run("import", "guildwars2", "text", "--kind", "items")
    assert (ran.code, ran.out) == (1, "Imported nothing.\n")
    fault, total = ran.err.splitlines()
    assert fault.startswith("text, line ")
    assert ": not JSON: " in fault
    assert total == "gateway: 1 record rejected"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b'{"id": 1', "not JSON"),
        (b"no JSON", "not JSON"),
        (b'{"id": 1, "name": "\xff"}', "not JSON"),
        (orjson.dumps({**ITEMS[0], "id": "x"}), "$.id"),
        (orjson.dumps({**ITEMS[0], "name": 5}), "$.name"),
        (orjson.dumps({**ITEMS[0], "id": -1}), "id"),
        (orjson.dumps({**ITEMS[0], "name": "a\0b"}), "NUL"),
        (orjson.dumps({**ITEMS[0], "unknown": {"deep": ["\0"]}}), "NUL"),
        (orjson.dumps({**ITEMS[0], "\0": 1}), "NUL"),
        (orjson.dumps({**ITEMS[0], "unknown": 1 << 63}), "64 bits"),
        (b'"a text"', "cannot be told"),
        (b"null", "cannot be told"),
        (b'{"what": "is this"}', "cannot be told"),
    ],
    ids=lambda value: value[:20],
)
@pytest.mark.parametrize("place", [0, 8, 16])
def test_a_bad_record_is_reported_by_line_and_the_rest_imported(
    run: Run, folder: Path, bad: bytes, why: str, place: int
) -> None:
    given = lines(ITEMS).split(b"\n")
    given[place] = bad
    (folder / "items.jsonl").write_bytes(b"\n".join(given))
    ran = run("import", "guildwars2", "items.jsonl")
    assert (ran.code, ran.out) == (1, "Imported 16 definitions.\n")
    fault, total = ran.err.splitlines()
    assert fault.startswith(f"items.jsonl, line {place + 1}: ")
    assert why in fault
    assert total == "gateway: 1 record rejected"
    assert kept(folder) == sorted(f"item:{item['id']}" for at, item in enumerate(ITEMS) if at != place)


def test_of_a_list_the_good_entries_are_imported(run: Run, folder: Path) -> None:
    bad = [{**ITEMS[0], "id": None}, {**ITEMS[1], "name": "a\0b"}]
    ran = run("import", "guildwars2", write(folder / "items.json", [*ITEMS[:8], *bad, *ITEMS[8:]]))
    assert (ran.code, ran.out) == (1, "Imported 17 definitions.\n")
    assert ran.err.splitlines()[-1] == "gateway: 2 records rejected"


@pytest.mark.parametrize("bad", [b"{", b'{"id": "x"}', b'{"what": "is this"}'])
def test_strictly_one_bad_record_leaves_the_store_as_it_was(run: Run, folder: Path, store: Path, bad: bytes) -> None:
    before = run("export", "guildwars2", "--owner", OWNER).out, kept(folder)
    new = [{**item, "id": 900_000 + at} for at, item in enumerate(ITEMS)]
    (folder / "items.jsonl").write_bytes(lines(new) + b"\n" + bad)
    ran = run("import", "guildwars2", "items.jsonl", "--strict")
    assert (ran.code, ran.out) == (1, "")
    fault, total = ran.err.splitlines()
    assert fault.startswith("items.jsonl, line 18: ")
    assert total == "gateway: nothing was imported: 1 bad record"
    assert (run("export", "guildwars2", "--owner", OWNER).out, kept(folder)) == before
    assert store.exists()


def test_strictly_good_files_are_imported(run: Run, folder: Path) -> None:
    ran = run("import", "guildwars2", write(folder / "items.jsonl", *ITEMS), "--strict")
    assert (ran.code, ran.out) == (0, "Imported 17 definitions.\n")


def test_of_many_bad_records_the_first_are_shown_and_all_counted(run: Run, folder: Path) -> None:
    (folder / "bad.jsonl").write_bytes(orjson.dumps(ITEMS[0]) + b"\n" + b"x\n" * 1_234)
    ran = run("import", "guildwars2", "bad.jsonl")
    assert len(ran.err.splitlines()) == 22
    assert ran.err.splitlines()[-2:] == ["... and 1,214 more", "gateway: 1,234 records rejected"]


def test_an_unknown_provider_is_told(run: Run, folder: Path) -> None:
    for command in (["import", "nobody", str(write(folder / "x", {}))], ["export", "nobody", "--owner", OWNER]):
        ran = run(*command)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == "gateway: nobody: no such provider; there are: guildwars2, community, secondlife, roblox\n"


@pytest.mark.parametrize("owner", ["", "Tester", "a/b.1234", "Tester.12345", "x" * 300 + ".1234", "\t.1234"])
def test_a_malformed_owner_is_told(run: Run, folder: Path, owner: str) -> None:
    bank = write(folder / "bank.json", DEMO["/v2/account/bank"])
    for command in (
        ["import", "guildwars2", str(bank)],
        ["export", "guildwars2"],
        ["credential", "create", "guildwars2"],
    ):
        ran = run(*command, "--owner", owner)
        assert (ran.code, ran.out) == (2, "")
        assert "Name.1234" in ran.err


def test_what_a_file_holds_is_guessed_or_told(run: Run, folder: Path) -> None:
    bank = write(folder / "bank.json", DEMO["/v2/account/bank"])
    guessed = run("import", "guildwars2", bank, "--owner", OWNER)
    assert (guessed.code, guessed.out) == (1, "Imported nothing.\n")
    assert "--kind" in guessed.err
    ownerless = run("import", "guildwars2", bank, "--kind", "account/bank")
    assert ownerless.code == 1
    assert "--owner" in ownerless.err
    wrong = run("import", "guildwars2", bank, "--kind", "account/wallet", "--owner", OWNER)
    assert (wrong.code, "account/wallet" in wrong.err) == (1, True)
    for kind in ("account/bank", "/v2/account/bank"):
        told = run("import", "guildwars2", bank, "--kind", kind, "--owner", OWNER)
        assert (told.code, told.err) == (0, "")


def test_another_accounts_file_is_not_taken_for_the_owners(run: Run, folder: Path) -> None:
    account = write(folder / "account.json", DEMO["/v2/account"])
    ran = run("import", "guildwars2", account, "--kind", "account", "--owner", "Other.5678")
    assert (ran.code, OWNER in ran.err) == (1, True)


def test_an_export_imported_elsewhere_is_exported_alike(run: Run, folder: Path, store: Path) -> None:
    first = run("export", "guildwars2", "--owner", OWNER)
    assert (first.code, first.err) == (0, "")
    for path in ("/v2/account", "/v2/account/bank", "/v2/characters"):
        assert path in orjson.loads(first.out)
    store.unlink()
    (folder / "export.json").write_text(first.out, encoding="utf-8")
    assert run("import", "guildwars2", "export.json", "--strict").code == 0
    assert run("export", "guildwars2", "--owner", OWNER).out == first.out


def test_the_catalogue_exported_is_the_catalogue_imported(run: Run, folder: Path, store: Path) -> None:
    ran = run("export", "guildwars2", "--kind", "items")
    assert (ran.code, len(ran.lines)) == (0, 17)
    assert {entry["id"] for entry in map(orjson.loads, ran.lines)} == {item["id"] for item in ITEMS}
    store.unlink()
    (folder / "items.jsonl").write_text(ran.out, encoding="utf-8")
    assert run("import", "guildwars2", "items.jsonl", "--strict").code == 0
    assert run("export", "guildwars2", "--kind", "items").out == ran.out


def test_an_export_of_nobody_is_told(run: Run, store: Path) -> None:
    ran = run("export", "guildwars2", "--owner", "Nobody.9999")
    assert (ran.code, ran.out, ran.err) == (1, "", "gateway: Nobody.9999: no such owner in the store\n")
    for wrong in ([], ["--owner", OWNER, "--kind", "items"]):
        assert run("export", "guildwars2", *wrong).err == "gateway: give --owner or --kind\n"
    assert run("export", "guildwars2", "--kind", "nothing").code == 2
    assert store.exists()


def test_an_export_is_utf_8_on_every_terminal(store: Path) -> None:
    done = process("export", "guildwars2", "--owner", OWNER, PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "/v2/characters/Test Nâme" in orjson.loads(done.stdout)
    assert store.exists()


def test_an_import_without_a_terminal_draws_nothing(run: Run, folder: Path) -> None:
    ran = run("import", "guildwars2", write(folder / "items.jsonl", *ITEMS * 200))
    assert (ran.code, ran.out, ran.err) == (0, "Imported 3,400 definitions.\n", "")


def test_an_import_on_a_terminal_shows_how_far_it_is(folder: Path) -> None:
    pty = pytest.importorskip("pty")
    write(folder / "items.jsonl", *ITEMS * 200)
    controller, terminal = pty.openpty()
    child = os.fork()
    if not child:
        os.close(controller)
        for stream in (1, 2):
            os.dup2(terminal, stream)
        arguments = ["import", "guildwars2", "items.jsonl"]
        os.execve(
            _python(),
            [_python(), "-c", "from gateway.cli import main; main()", *arguments],
            {**os.environ, "TERM": "xterm"},
        )
    os.close(terminal)
    shown = b""
    # Reading fails once nobody writes any more.
    while chunk := _read(controller):
        shown += chunk
    os.close(controller)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert b"items.jsonl" in shown
    assert "━".encode() in shown
    assert b"Imported 3,400 definitions." in shown


def _read(stream: int) -> bytes:
    try:
        return os.read(stream, 65_536)
    except OSError:
        return b""


def _python() -> str:
    import sys

    return sys.executable
