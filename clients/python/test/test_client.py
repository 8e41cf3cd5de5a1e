"""Calls, refusals, connections; and what is no agent."""

import json
import os
import resource
import shutil
import socket
import tempfile
import threading
import unittest
from typing import Any, Callable, List, Optional

from harness import AgentTest, environment, lendbuf
from lendbuf import errors, places
from lendbuf.durations import milliseconds
from stand_in import DELEGATION, StandIn, refusal, reply


class Client(AgentTest):
    def test_calls_any_method(self) -> None:
        ranges = [{"offset": 5 << 20, "length": 4096}]

        defined = self.operator.call("buffers.define", name="t/x", device="sim0", region=2, ranges=ranges)

        self.assertEqual((defined["name"], defined["size"]), ("t/x", 4096))
        self.assertIsNone(self.operator.call("buffers.remove", name="t/x"))

    def test_lists_buffers_devices_and_delegations(self) -> None:
        buf = self.borrow("sim0/ch2")

        names = [buffer["name"] for buffer in self.operator.buffers(device="sim0")]
        self.assertEqual(names, ["sim0/ch0", "sim0/ch1", "sim0/ch2", "sim0/ch3", "sim0/ddr", "sim0/regs"])
        self.assertEqual([device["name"] for device in self.operator.devices()], ["sim0"])
        self.assertEqual([one["id"] for one in self.operator.delegations()], [buf.id])
        self.assertEqual(self.operator.delegations(buffer="sim0/ch0"), [])

    def test_lists_more_than_a_page(self) -> None:
        for _ in range(120):
            self.operator.borrow("sim0/regs", read_only=True).release()

        ids = [one["id"] for one in self.operator.delegations(buffer="sim0/regs", all=True)]

        self.assertGreaterEqual(len(ids), 120)
        self.assertEqual(ids, sorted(set(ids), reverse=True))

    def test_refuses_what_it_cannot_do(self) -> None:
        with self.assertRaisesRegex(ValueError, "Use borrow"):
            self.operator.call("delegations.borrow", buffer="sim0/ddr")
        with self.assertRaisesRegex(ValueError, "Use subscribe"):
            self.operator.call("status.watch")
        with self.assertRaises(lendbuf.BadInput):
            self.operator.call("buffers.list", search="x" * 70_000)
        self.assertEqual(self.operator.call("buffers.get", name="sim0/ddr")["state"], "free")

    def test_hands_on_the_agents_refusals_by_type(self) -> None:
        with self.assertRaisesRegex(lendbuf.NotFound, 'no buffer "sim0/nope"'):
            self.borrow("sim0/nope")
        with self.assertRaises(lendbuf.BadInput) as caught:
            self.borrow("no such name!")
        self.assertEqual(caught.exception.issues[0]["path"], ["buffer"])
        with self.assertRaises(lendbuf.UnknownMethod):
            self.operator.call("delegations.steal")
        with self.assertRaises(lendbuf.BadInput):
            self.operator.call("buffers.get", name="sim0/ddr", colour="red")
        with self.assertRaises(lendbuf.Limit):
            self.borrow(for_="9d")
        with self.assertRaises(lendbuf.NotFound):
            self.operator.claim(4_000_000)

    def test_follows_states(self) -> None:
        with self.operator.subscribe("delegations.watch", buffer="sim0/ch0") as states:
            self.assertEqual(next(states)["items"], [])
            buf = self.borrow("sim0/ch0")
            self.assertEqual([one["id"] for one in states.next(timeout=5)["items"]], [buf.id])
            with self.assertRaises(lendbuf.NoAnswer):
                states.next(timeout=0.05)
        self.assertEqual(list(states), [])

    def test_hears_the_whole_audit_however_late(self) -> None:
        start = self.operator.call("audit.list", limit=1)["items"][0]["seq"]
        with self.operator.subscribe("audit.watch", after=start) as entries:
            for _ in range(30):
                self.operator.borrow("sim0/ddr").release()

            numbers = [next(entries)["seq"] for _ in range(60)]

        self.assertEqual(numbers, list(range(start + 1, start + 61)))

    def test_says_why_a_subscription_is_refused(self) -> None:
        with self.assertRaises(lendbuf.NotFound):
            next(self.operator.subscribe("delegations.follow", id=4_000_000))

    def test_is_for_many_threads(self) -> None:
        wrong: List[Any] = []

        def ask(name: str) -> None:
            for _ in range(100):
                answer = self.operator.call("buffers.get", name=name)["name"]
                if answer != name:
                    wrong.append(answer)

        threads = [threading.Thread(target=ask, args=(f"sim0/ch{number % 4}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

        self.assertEqual((wrong, [thread.is_alive() for thread in threads]), ([], [False] * 8))

    def test_that_is_closed_says_so_to_who_waits(self) -> None:
        client = self.agent.connect()
        self.borrow()
        heard: List[BaseException] = []

        def wait() -> None:
            try:
                client.borrow("sim0/ddr", wait=True)
            except lendbuf.ConnectionLost as error:
                heard.append(error)

        waiters = [threading.Thread(target=wait) for _ in range(3)]
        for waiter in waiters:
            waiter.start()
        self.until(lambda: self.operator.call("buffers.get", name="sim0/ddr")["waiting"] == 3, "they stand in line")

        client.close()

        for waiter in waiters:
            waiter.join(5)
        self.assertEqual([str(error) for error in heard], ["The connection to the agent was closed here."] * 3)
        self.until(lambda: self.operator.call("buffers.get", name="sim0/ddr")["waiting"] == 0, "their places are free")
        with self.assertRaises(lendbuf.ConnectionLost):
            client.buffers()

    def test_says_what_the_agent_says_of_a_broken_packet(self) -> None:
        client = self.agent.connect()
        client._connection._socket.send(b"this is not JSON")

        with self.assertRaisesRegex(lendbuf.ConnectionLost, "The packet is not JSON"):
            client.buffers()

    def test_gives_back_what_it_has_no_descriptor_left_for(self) -> None:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(fd) for fd in os.listdir("/proc/self/fd"))
        spare = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
            while True:
                try:
                    spare.append(os.dup(0))
                except OSError:
                    break
            with self.assertRaisesRegex(lendbuf.Error, "ulimit -n"):
                self.operator.borrow("sim0/ddr")
        finally:
            for fd in spare:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

        self.until(lambda: self.operator.call("buffers.get", name="sim0/ddr")["state"] == "free", "it went back")

    def test_is_not_the_childs_of_a_fork(self) -> None:
        program = self.spawn(
            "client = lendbuf.connect(socket); buf = client.borrow('sim0/ddr'); buf.write(0, b'shared')\n"
            "buf.read(0, 1); print(buf.id, flush=True)\n"
            "done, doing = os.pipe(); pid = os.fork()\n"
            "if pid == 0:\n"
            "    from lendbuf import pipe; print('pipes of the parent:', len(pipe._spare), flush=True)\n"
            "    print(buf.read(0, 6), flush=True)\n"
            "    try: client.buffers()\n"
            "    except lendbuf.ConnectionLost as error: print(error, flush=True)\n"
            "    with buf: pass\n"
            "    os.write(doing, b'x'); input(); os._exit(0)\n"
            "os.read(done, 1); os.kill(os.getpid(), 9)"
        )
        id = int(program.hear())
        lines = [program.hear() for _ in range(3)]

        self.until(lambda: self.state_of(id)[0] == "revoked", "the child does not keep it alive")

        self.assertEqual(self.state_of(id), ("revoked", "disconnected"))
        self.assertEqual(lines[:2], ["pipes of the parent: 0", "b'shared'"])
        self.assertIn("belongs to process", lines[2])
        program.tell()


class NoAgent(unittest.TestCase):
    def test_is_said_with_the_place_and_the_reason(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(lendbuf.NoAgent, r"No agent answers at .*/none \(ENOENT\)") as caught:
                lendbuf.connect(f"{folder}/none")
            self.assertEqual(caught.exception.code, "ENOENT")
            with self.assertRaises(lendbuf.NoAgent):
                lendbuf.connect(folder + "/" + "x" * 200)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
                other.bind(f"{folder}/other")
                other.listen()
                with self.assertRaisesRegex(lendbuf.NoAgent, "EPROTOTYPE"):
                    lendbuf.borrow("sim0/ch0", path=f"{folder}/other")

    def test_is_looked_for_where_agents_listen(self) -> None:
        system = "/run/lendbuf/agent.sock"
        self.assertEqual(places.candidates({}, 0), [system])
        self.assertEqual(places.candidates({}, 1000), ["/tmp/lendbuf-1000/agent.sock", system])
        self.assertEqual(
            places.candidates({"XDG_RUNTIME_DIR": "/run/user/1000"}, 1000),
            ["/run/user/1000/lendbuf/agent.sock", system],
        )
        self.assertEqual(places.candidates({"LENDBUF_SOCKET": "/x", "XDG_RUNTIME_DIR": "/y"}, 1000), ["/x"])

    @unittest.skipUnless(os.getuid() == 0, "only root can be two other users. Run: sudo npm test -- clients/python")
    def test_is_not_a_stranger_at_the_users_place(self) -> None:
        folder = tempfile.mkdtemp(prefix="lendbuf-test-")
        self.addCleanup(shutil.rmtree, folder)
        os.makedirs(f"{folder}/lendbuf")
        os.chmod(folder, 0o755)
        os.chmod(f"{folder}/lendbuf", 0o777)
        listens, listening = os.pipe()
        stranger = os.fork()
        if stranger == 0:
            os.setuid(1235)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
                one.bind(f"{folder}/lendbuf/agent.sock")
                os.chmod(f"{folder}/lendbuf/agent.sock", 0o777)
                one.listen()
                os.write(listening, b"x")
                visitor, _ = one.accept()
                visitor.recv(1)
                visitor.close()
            os._exit(0)
        os.read(listens, 1)

        victim = os.fork()
        if victim == 0:
            os.setuid(1234)
            os.environ.pop("LENDBUF_SOCKET", None)
            os.environ["XDG_RUNTIME_DIR"] = folder
            try:
                lendbuf.connect()
            except lendbuf.NoAgent as error:
                os._exit(7 if error.code == "EPERM" and "uid 1235" in str(error) else 1)
            os._exit(0)

        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(victim, 0)[1]), 7)
        os.waitpid(stranger, 0)
        os.close(listens)
        os.close(listening)


class OtherAgents(unittest.TestCase):
    def stand_in(self, answer: Callable[[Any, str, Any], Optional[List[Any]]]) -> StandIn:
        one = StandIn(answer)
        self.addCleanup(one.stop)
        return one

    def client_of(self, answer: Callable[[Any, str, Any], Optional[List[Any]]]) -> lendbuf.Client:
        client = lendbuf.connect(self.stand_in(answer).path, timeout=5)
        self.addCleanup(client.close)
        return client

    def versioned(self, version: str, code: str = "UNKNOWN_METHOD", **data: Any) -> lendbuf.Client:
        return self.client_of(
            lambda id, method, _: [
                reply(id, {"version": version}) if method == "status.get" else refusal(id, code, "No.", **data)
            ]
        )

    def test_that_are_older_are_told_from_newer_ones(self) -> None:
        unknown_key = {"issues": [{"path": [], "message": 'Unrecognized key: "colour"'}]}
        with self.assertRaisesRegex(lendbuf.AgentTooOld, "0.0.9, older than this client") as caught:
            self.versioned("0.0.9").call("delegations.sync")
        self.assertEqual(caught.exception.agent_version, "0.0.9")
        self.assertIsInstance(caught.exception.__cause__, lendbuf.UnknownMethod)
        with self.assertRaises(lendbuf.AgentTooOld):
            self.versioned("0.0.9", "BAD_INPUT", **unknown_key).call("buffers.get", name="x", colour="red")
        with self.assertRaisesRegex(lendbuf.AgentTooNew, "Update the client"):
            self.versioned("7.0.0").call("delegations.borrowed")
        for version in (lendbuf.__version__, "0.9.0", "unheard of"):
            with self.assertRaises(lendbuf.UnknownMethod):
                self.versioned(version).call("delegations.steal")
        with self.assertRaises(lendbuf.BadInput):
            self.versioned("0.0.9", "BAD_INPUT").call("buffers.get", name="?")

    def test_with_codes_that_are_new_are_heard(self) -> None:
        with self.assertRaisesRegex(lendbuf.AgentError, "Full moon.") as caught:
            self.client_of(lambda id, *_: [refusal(id, "FULL_MOON", "Full moon.")]).call("x.y")
        self.assertEqual((type(caught.exception), caught.exception.code), (lendbuf.AgentError, "FULL_MOON"))

    def test_whose_system_calls_fail_are_told(self) -> None:
        with self.assertRaises(lendbuf.RemoteSystemError) as caught:
            self.client_of(lambda id, *_: [refusal(id, "ENOSPC", "Full.", errno=28, syscall="write")]).call("x.y")
        self.assertEqual((caught.exception.errno, caught.exception.syscall), (28, "write"))

    def lender(
        self, fds: Callable[[], List[int]], names: Any = ("export",), result: Any = None, **fields: Any
    ) -> lendbuf.Client:
        record = {**DELEGATION, **fields}
        claimed = result or {"delegation": DELEGATION, "fds": names, "size": 4096}
        return self.client_of(
            lambda id, method, _: [(reply(id, claimed), fds()) if method == "delegations.borrow" else reply(id, record)]
        )

    def test_with_exports_that_cannot_be_mapped_lend_them_all_the_same(self) -> None:
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        with self.lender(lambda: [theirs.fileno()]).borrow("x") as buf:
            self.assertTrue(os.fstat(buf.fd))
            for access in (lambda: buf.read(0, 1), lambda: buf.write(0, b"x"), buf.raw_view):
                with self.assertRaisesRegex(lendbuf.NotMappable, "mmap answers ENODEV"):
                    access()

    def test_whose_device_sleeps_are_told_from_those_that_took_it_back(self) -> None:
        fd = os.memfd_create("cut")
        self.addCleanup(os.close, fd)
        os.ftruncate(fd, 4096)
        with self.lender(lambda: [fd], suspended=True).borrow("x") as buf:
            os.ftruncate(fd, 0)
            with self.assertRaises(lendbuf.Suspended):
                buf.read(0, 1)

    def test_that_send_other_descriptors_too_are_understood(self) -> None:
        memory = os.memfd_create("x")
        self.addCleanup(os.close, memory)
        os.ftruncate(memory, 4096)
        client = self.lender(lambda: [0, memory, 0], names=["interrupt", "export", "more"])
        client.call("x.y")  # now both ends are open
        before = len(os.listdir("/proc/self/fd"))

        with client.borrow("x") as lease:
            self.assertEqual(os.fstat(lease.fd).st_ino, os.fstat(memory).st_ino)

        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_that_send_less_than_they_say_are_survived(self) -> None:
        for fds, result in [
            ([], None),
            ([0], {"delegation": DELEGATION}),
            ([0, 0], {"fds": 7}),
            ([0], [1]),
            ([0], "x"),
        ]:
            client = self.lender(lambda fds=fds: fds, result=result)  # type: ignore[misc]
            client.call("x.y")  # now both ends are open
            before = len(os.listdir("/proc/self/fd"))

            with self.assertRaisesRegex(lendbuf.Error, "brought no descriptor"):
                client.borrow("x")

            self.assertEqual(len(os.listdir("/proc/self/fd")), before, (fds, result))

    def test_that_send_descriptors_with_everything_are_survived(self) -> None:
        client = self.client_of(
            lambda id, *_: [(b'{"jsonrpc": "2.0", "method": "event", "params": {}}', [0]), (reply(id, 5), [0, 0])]
        )
        client.call("x.y")
        before = sorted(os.listdir("/proc/self/fd"))
        for _ in range(10):
            self.assertEqual(client.call("x.y"), 5)

        self.assertEqual(sorted(os.listdir("/proc/self/fd")), before)

    def test_that_speak_something_else_are_left(self) -> None:
        for packet in (b"hello", b"[1]", b"\xff", b"[" * 60_000, b"7", b"x" * 100_000):
            client = self.client_of(lambda *_, packet=packet: [packet])
            with self.assertRaisesRegex(lendbuf.ConnectionLost, "not the agent's protocol"):
                client.call("x.y")

    def test_that_say_things_nobody_asked_for_are_followed_on(self) -> None:
        noise = [
            {"id": 999, "result": 1}, {"id": None, "result": 1}, {"method": "event"}, {"id": [], "error": 5}, {},
            {"method": "event", "params": {"subscription": [], "data": 1}}, {"id": "1", "result": 2},
        ]  # fmt: skip
        client = self.client_of(lambda id, *_: [*(json.dumps(one).encode() for one in noise), reply(id, "at last")])

        self.assertEqual(client.call("x.y"), "at last")

    def test_that_go_away_are_told(self) -> None:
        with self.assertRaisesRegex(lendbuf.ConnectionLost, "the agent has ended"):
            self.client_of(lambda *_: None).call("x.y")


class Durations(unittest.TestCase):
    def test_are_read_as_the_command_line_reads_them(self) -> None:
        for text, expected in [("90", 90_000), ("15m", 900_000), ("1h30m", 5_400_000), ("2d", 172_800_000),
                               ("1.5s", 1500), ("250ms", 250), (" 15 min ", 900_000), ("1w", 604_800_000)]:  # fmt: skip
            self.assertEqual(milliseconds(text), expected, text)
        self.assertEqual((milliseconds(2), milliseconds(0.25)), (2000, 250))

    def test_that_are_none_are_refused(self) -> None:
        for text in ("", "soon", "1x", "h", "-5", "1h?", "0", float("nan"), float("inf"), -1, 0):
            with self.assertRaises(ValueError, msg=repr(text)):
                milliseconds(text)


class Errors(unittest.TestCase):
    def test_have_a_class_for_every_code_of_the_protocol(self) -> None:
        from harness import ROOT

        source = (ROOT / "packages/shared/src/errors.ts").read_text()
        codes = [
            line.strip(' ",') for line in source.split("ERROR_CODES = [")[1].split("]")[0].split("\n") if line.strip()
        ]

        self.assertEqual(sorted(errors.BY_CODE), sorted(codes))


if __name__ == "__main__":
    unittest.main()
