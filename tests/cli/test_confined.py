"""Confined as the container is: the image and the compose file say so, and the gateway then serves nevertheless."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import COMMAND
from tests.cli.test_serve import STARTS, STOPS, serving

DEPLOY = Path(__file__).parents[2] / "deploy"

CONFINED = """
mount --make-rprivate / || exit 99
cut -d" " -f2 /proc/self/mounts | while read -r place; do mount -o remount,ro,bind "$place" 2>/dev/null; done
mount -t tmpfs -o size=64m tmpfs "$0" && cd "$0" || exit 99
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
"""
"""Runs a command with no rights and nothing that it can write but the folder, as seen by itself alone."""


def confined(folder: Path) -> list[str]:
    """Give the beginning of a command line that confines the rest; skip where nobody may do that."""
    if not (shutil.which("unshare") and shutil.which("setpriv")):
        pytest.skip("this system has no means to confine a process")
    begun = ["unshare", "--mount", "sh", "-c", CONFINED, str(folder)]
    tried = subprocess.run([*begun, "true"], capture_output=True, check=False, timeout=STARTS)
    if tried.returncode:
        pytest.skip("only who may mount can try this")
    return begun


def test_it_serves_without_rights_and_with_nothing_to_write_but_its_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = confined(folder)
    # By the same way nothing else can be written, and no right is left.
    elsewhere = [Path(__file__).parent / "written", folder.parent / "written"]
    shown = subprocess.run(
        [
            *begun,
            "sh",
            "-c",
            f"touch {elsewhere[0]}; touch {elsewhere[1]}; touch here && ls && grep -E '^(Cap|NoNew)' /proc/self/status",
        ],
        capture_output=True,
        check=True,
        text=True,
        timeout=STARTS,
    )
    assert shown.stderr.count("Read-only file system") == len(elsewhere)
    assert not any(place.exists() for place in elsewhere)
    lines = shown.stdout.splitlines()
    assert lines[0] == "here"
    assert {line.partition(":")[2].strip() for line in lines[1:]} == {"0" * 16, "1"}
    monkeypatch.setattr("tests.cli.test_serve.COMMAND", [*begun, *COMMAND])
    with serving(until="/graphql", TMPDIR="/nowhere") as up:
        answer = httpx.post(f"{up.address}/graphql", json={"query": "{ inventoryProviders { key backend } }"})
        assert "errors" not in answer.json()
        assert httpx.get(f"{up.address}/health/ready").json() == {"status": "ready"}
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(STOPS) == 0
    # What it wrote was in the folder that only it has seen.
    assert [*folder.iterdir()] == []


def test_the_image_runs_as_a_user_without_rights() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    last = text.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["gateway"]
    assert re.search(r"useradd .*--uid 10001 gateway", last)
    assert re.search(r"pip install .*--constraint constraints\.txt", text)
    # Nothing is installed or written by that user, and no secret is built in.
    assert "RUN" not in last.partition("\nUSER ")[2]
    assert not re.search(r"(?i)(token|password|secret|key)=", text)


def test_the_compose_file_gives_it_nothing_that_it_does_not_need() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    gateway = text.partition("\n  gateway:\n")[2].partition("\nvolumes:")[0]
    for line in ("read_only: true", "cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]', "tmpfs: [/tmp]"):
        assert f"\n    {line}\n" in gateway, line
    assert re.findall(r'^      - "(.+)"$', gateway, re.MULTILINE) == ["127.0.0.1:8000:8000"]
    # Secrets come from who starts it, who is told when one is missing.
    for variable in ("POSTGRES_PASSWORD", "GATEWAY_TOKEN"):
        assert f"${{{variable}:?" in text
