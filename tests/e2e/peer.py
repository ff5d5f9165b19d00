"""Servers from Debian's packages, run as ordinary processes: web servers (test_front_ends.py) and
proxies (test_proxy.py). `boards/deps.sh peers` installs them; their settings are in front_ends/."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, wait_until

PEERS = ROOT / os.environ.get("DEPS_DIR", "build/deps") / "peers"


class Peer:
    """One server and its ports (`doors`), in one process or more: a subclass's `launch` calls `run`
    for each process."""

    def __init__(self, kind, command, doors, directory):
        """command: the program below PEERS and its arguments; the name of the settings file is the
        last argument."""
        self.kind, self.command, self.doors, self.directory = kind, command, doors, directory
        self.processes = []  # (process, guard)

    def start(self):
        """Starts the server and waits until all its ports listen. Makes three attempts, because
        another program may take a port first."""
        for _ in range(3):
            sockets = [socket.create_server(("127.0.0.1", 0)) for _ in self.doors]
            self.ports = {door: each.getsockname()[1] for door, each in zip(self.doors, sockets)}
            for each in sockets:
                each.close()
            self.launch()
            wait_until(lambda: self.ended() or self.is_up(), "a listener")
            if not self.ended():
                return
            self.stop()
        pytest.fail(f"{self.kind} does not start")

    def run(self, **values):
        """Starts a process with the settings of this kind, in which @name@ stands for a value."""
        values.update(directory=self.directory, peers=PEERS)
        text = (Path(__file__).with_name("front_ends") / f"{self.kind}.conf").read_text()
        settings = self.directory / f"settings-{len(self.processes)}"
        settings.write_text(re.sub(r"@([a-z0-9]+)@", lambda match: str(values[match[1]]), text))
        program, *arguments = self.command
        with open(self.directory / "output", "a") as output:
            process = subprocess.Popen(
                [PEERS / program, *arguments, settings],
                env={"LD_LIBRARY_PATH": ":".join(map(str, PEERS.glob("usr/lib/*-linux-*")))},
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        # The server ends when this process ends, however it ends.
        guard = subprocess.Popen(
            ["sh", "-c", f"cat; kill -KILL {process.pid}"], stdin=subprocess.PIPE
        )
        self.processes.append((process, guard))

    def ended(self):
        return any(process.poll() is not None for process, _ in self.processes)

    def is_up(self):
        try:
            for port in self.ports.values():
                socket.create_connection(("127.0.0.1", port)).close()
            return True
        except ConnectionRefusedError:
            return False

    def stop(self):
        for process, guard in self.processes:
            guard.kill()
            guard.communicate()
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def text(self):
        """All that the server has written."""
        names = ("output", "log", "cache.log")
        paths = [self.directory / name for name in names]
        return "".join(path.read_text(errors="replace") for path in paths if path.exists())


def skip_without(kind, command):
    """Skips the test if the server is not installed."""
    if not (PEERS / command[0]).exists():
        pytest.skip(f"no {kind}: run make deps")
