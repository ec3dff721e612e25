"""Starting the servers, each a process of its own, and what the system tells about them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_TICK = os.sysconf("SC_CLK_TCK")
_CORES = sorted(os.sched_getaffinity(0))

PINNED = len(_CORES) > 1
"""Whether the servers have a core for themselves; where there is one core only, all share it."""

GATEWAY = ("-c", "from gateway.cli import main; main()")
"""What makes Python the command line of the gateway."""


def keep_off_the_servers() -> None:
    """Keep this process, and those that it starts from now on, off the servers' core."""
    if PINNED:
        os.sched_setaffinity(0, _CORES[1:2])


@contextlib.contextmanager
def _on_the_servers_core() -> Generator[None]:
    """Let what is started within have the servers' core."""
    own = os.sched_getaffinity(0)
    if PINNED:
        os.sched_setaffinity(0, _CORES[:1])
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def run_gateway(*arguments: str, folder: Path) -> None:
    """Run a command of the gateway to its end; SystemExit if it fails."""
    command = [sys.executable, *GATEWAY, *arguments]
    if subprocess.run(command, cwd=folder, env=_environment({}), stdout=subprocess.DEVNULL, check=False).returncode:
        raise SystemExit(f"gateway {arguments[0]} failed")


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Give the variables of a process: settings of the caller's own would change what is measured."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    path = os.pathsep.join(filter(None, [str(_ROOT), inherited.get("PYTHONPATH")]))
    return {**inherited, "PYTHONPATH": path, **settings}


@dataclass
class Running:
    """A server that prints its address as the last word of a line when it is ready."""

    process: subprocess.Popen[str]
    host: str
    port: int

    @classmethod
    def start(
        cls, command: Sequence[str], folder: Path, *, measured: bool = True, settings: Mapping[str, str] | None = None
    ) -> Running:
        """Start one, and wait until it serves; `measured` ones get the servers' core."""
        with _on_the_servers_core() if measured else contextlib.nullcontext():
            process = subprocess.Popen(
                command, cwd=folder, env=_environment(settings or {}), stdout=subprocess.PIPE, text=True
            )
        assert process.stdout is not None
        for line in process.stdout:
            if "http://" in line:
                address = line.split()[-1].removeprefix("http://").partition("/")[0]
                host, _, port = address.partition(":")
                return cls(process, host, int(port))
        raise SystemExit(f"{' '.join(command)} did not start")

    def stop(self) -> None:
        """Stop it."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def address(self) -> str:
        """Give its base URL."""
        return f"http://{self.host}:{self.port}"

    def cpu(self) -> float:
        """Give the seconds of CPU that it has taken, all of its threads together."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def forget_peak(self) -> None:
        """Let its peak memory begin anew."""
        # Where the system does not allow it, the peak is that of the whole run.
        with contextlib.suppress(OSError):
            Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak(self) -> float:
        """Give its peak memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1_024
