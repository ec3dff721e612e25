"""The commands that are about the gateway itself: help, exit codes, schema, migrate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gateway.cli
from gateway.app import schema
from gateway.settings import Settings
from tests.cli.conftest import COMMAND, Run, process

COMMANDS = ["serve", "import", "export", "schema", "migrate", "check", "credential"]


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_help_names_every_command(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert ran.code == (0 if arguments else 2)
    for command in COMMANDS:
        assert command in ran.out + ran.err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("serve", ["--config", "--host", "--port", "--demo", "127.0.0.1", "8000"]),
        ("import", ["PROVIDER", "guildwars2", "FILE...", "--owner", "--kind", "--strict"]),
        ("export", ["PROVIDER", "--owner"]),
        ("schema", ["--check"]),
        ("migrate", ["--config"]),
        ("check", ["--config"]),
        ("credential", ["create", "list", "revoke"]),
        ("credential create", ["PROVIDER", "--owner", "--scope", "--ttl"]),
        ("credential list", ["PROVIDER"]),
        ("credential revoke", ["PROVIDER", "LABEL"]),
    ],
)
def test_each_command_tells_what_it_takes(run: Run, command: str, words: list[str]) -> None:
    ran = run(*command.split(), "--help")
    assert ran.code == 0
    for word in words:
        assert word in ran.out


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["--nothing"], ["import"], ["import", "guildwars2"], ["serve", "--port", "x"], ["credential", "x"]],
)
def test_a_wrong_command_is_a_wrong_use(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Usage" in ran.err


def test_the_schema_is_printed_whole(run: Run) -> None:
    ran = run("schema")
    assert ran.code == 0
    assert ran.out == schema(Settings.model_construct()).as_str() + "\n"


def test_a_fresh_schema_passes_and_a_stale_one_fails(run: Run, folder: Path) -> None:
    file = folder / "schema.graphql"
    file.write_bytes(run("schema").out.encode())
    assert run("schema", "--check", file).code == 0
    file.write_bytes(file.read_bytes() + b"# more\n")
    stale = run("schema", "--check", file)
    assert stale.code == 1
    assert f"gateway schema > {file}" in stale.err
    file.unlink()
    assert run("schema", "--check", file).code == 1


def test_the_schema_needs_no_settings(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text("[server]\nnode_fields = false\nmax_tokens = 1")
    assert run("schema").out == schema(Settings.model_construct()).as_str() + "\n"


def test_the_schema_is_utf_8_on_every_terminal() -> None:
    done = process("schema", PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == schema(Settings.model_construct()).as_str() + "\n"


def test_migrating_twice_is_migrating_once(run: Run, folder: Path) -> None:
    for _ in range(2):
        ran = run("migrate")
        assert (ran.code, ran.out, ran.err) == (0, "The store is up to date.\n", "")
    assert (folder / "gateway.db").stat().st_size
    assert run("check").code == 0


def test_a_fault_of_its_own_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(gateway.cli, "schema", broken)
    monkeypatch.setattr(sys, "argv", ["gateway", "schema"])
    monkeypatch.setattr(gateway.cli, "_log", _Silent())
    with pytest.raises(SystemExit) as exited:
        gateway.cli.main()
    assert exited.value.code == 1
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("gateway: a fault of its own: RuntimeError: out of order\n")
    assert "Traceback" not in written.err


class _Silent:
    def debug(self, *_: object, **__: object) -> None:
        pass


def test_a_terminal_without_the_letters_gets_escapes() -> None:
    done = process("check", "--config", "Ünknown.toml", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert done.stderr == b"gateway: \\xdcnknown.toml: no such file\n"


def test_a_reader_that_leaves_early_is_no_fault(store: Path) -> None:
    assert store.exists()
    with subprocess.Popen(
        [*COMMAND, "export", "guildwars2", "--kind", "items"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as done:
        assert done.stdout is not None
        assert done.stderr is not None
        done.stdout.close()
        assert done.stderr.read() == b""
        assert done.wait(30) in (0, 1)


def test_the_console_script_is_the_command_line() -> None:
    script = Path(sys.executable).with_name("gateway")
    done = subprocess.run([script, "check", "--config", "missing.toml"], capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (2, b"gateway: missing.toml: no such file\n")
