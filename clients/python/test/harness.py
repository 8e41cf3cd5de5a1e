"""A real agent in a process of its own, with its own folder and socket; and other processes that borrow from it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Callable, List, Optional

CLIENT = Path(__file__).resolve().parents[1]
ROOT = CLIENT.parents[1]
MAIN = ROOT / "apps/agent/dist/main.js"

sys.path.insert(0, str(CLIENT))

import lendbuf  # noqa: E402


def environment() -> "dict[str, str]":
    """Ours without what would lead anybody to another agent."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("LENDBUF_")}
    return {**own, "PYTHONPATH": str(CLIENT), "PYTHONDONTWRITEBYTECODE": "1"}


class Agent:
    def __init__(self, *arguments: str) -> None:
        if not MAIN.exists():
            raise AssertionError("the agent is not built. Run: npm run build")
        self.folder = tempfile.mkdtemp(prefix="lendbuf-test-")
        os.chmod(self.folder, 0o755)
        self.socket = os.path.join(self.folder, "agent.sock")
        self.arguments = arguments
        self.start()

    def start(self) -> None:
        """Also after a kill: the next agent on the same folder."""
        node = os.environ.get("LENDBUF_TEST_NODE") or shutil.which("node") or "node"
        places = ["--port", "0", "--state", os.path.join(self.folder, "state"), "--socket", self.socket]
        self.process = subprocess.Popen(
            [node, str(MAIN), *places, *self.arguments],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: List[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("Ready: socket "):
                return
        self.stop()
        raise AssertionError("the agent ended at its start:\n" + "".join(self.said))

    def connect(self, **options: Any) -> lendbuf.Client:
        return lendbuf.connect(self.socket, **options)

    def kill(self) -> None:
        """Without a word."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)  # with all that it lent
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class AgentTest(unittest.TestCase):
    """Tests that share an agent; each finds everything free."""

    agent: Agent

    @classmethod
    def setUpClass(cls) -> None:
        cls.agent = Agent()
        cls.addClassCleanup(cls.agent.stop)

    def setUp(self) -> None:
        self.operator = self.agent.connect()
        self.addCleanup(self.operator.close)
        self.addCleanup(self.take_all_back)

    def take_all_back(self) -> None:
        self.operator.call("delegations.revokeAll")
        self.until(lambda: not self.operator.delegations(), "everything is free")

    def borrow(self, buffer: str = "sim0/ddr", **options: Any) -> lendbuf.Lease:
        """Over a connection of its own; given up after the test."""
        lease = lendbuf.borrow(buffer, path=self.agent.socket, **options)
        self.addCleanup(lease.close)
        return lease

    def revoke(self, lease: Any) -> None:
        self.operator.call("delegations.revoke", ids=[lease.id])

    def state_of(self, id: int) -> "tuple[str, Optional[str]]":
        record = self.operator.call("delegations.get", id=id)
        return record["state"], record["reason"]

    def until(self, is_so: Callable[[], bool], what: str, seconds: float = 5) -> None:
        """For what nobody is told about: looks every few milliseconds."""
        end = time.monotonic() + seconds
        while not is_so():
            self.assertLess(time.monotonic(), end, f"not within {seconds} s: {what}")
            time.sleep(0.005)

    def spawn(self, program: str, *arguments: str, **options: Any) -> "Program":
        process = Program(program, self.agent.socket, *arguments, **options)
        self.addCleanup(process.end)
        return process


class Program:
    """Python in another process, which has the client, `socket` and `arguments`, and speaks by line."""

    PREFIX = "import json, os, sys, lendbuf; socket, *arguments = sys.argv[1:]\n"

    def __init__(self, program: str, *arguments: str, **options: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.PREFIX + program, *arguments],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def hear(self) -> str:
        """Its next line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the program ended: {self.wait()}")
        return line.rstrip("\n")

    def tell(self, line: str = "") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait(self) -> "tuple[int, str, str]":
        """Its exit code (negative: the signal), and what else it said."""
        out, err = self.process.communicate(timeout=10)
        return self.process.returncode, out, err

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()
