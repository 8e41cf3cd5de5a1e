"""Memory that is taken away. Whoever reads through the client survives it."""

import os
import signal
import threading
import time
import unittest
from typing import List

from harness import Agent, AgentTest, lendbuf

READ_ON = """
buf = lendbuf.borrow("sim0/ddr", path=socket, **json.loads(arguments[0]))
work = {"read": lambda: buf.read(), "write": lambda: buf.write(0, bytes(1 << 20))}[arguments[1]]
work()
print(buf.id, flush=True)
try:
    while True: work()
except lendbuf.Revoked as gone:
    print(gone.reason, gone.delegation and gone.delegation["state"], flush=True)
    print(gone, flush=True)
"""


class Revoked(AgentTest):
    def reading(self, work: str = "read", options: str = "{}") -> "tuple[object, int]":
        program = self.spawn(READ_ON, options, work)
        return program, int(program.hear())

    def test_while_another_process_reads(self) -> None:
        program, id = self.reading()

        self.operator.call("delegations.revoke", ids=[id])

        self.assertRegex(program.hear(), r"^operator (revoking|revoked)$")
        self.assertIn(f"delegation {id} of sim0/ddr was taken back (operator): an operator revoked it", program.hear())
        self.assertEqual(program.wait()[0], 0)

    def test_while_another_process_writes(self) -> None:
        program, id = self.reading("write")

        self.operator.call("delegations.revoke", ids=[id])

        self.assertRegex(program.hear(), r"^operator (revoking|revoked)$")
        program.hear()
        self.assertEqual(program.wait()[0], 0)

    def test_by_the_end_of_the_lease(self) -> None:
        program, id = self.reading(options='{"for_": "1s"}')

        self.assertRegex(program.hear(), r"^expired (revoking|revoked)$")
        self.assertIn("the lease is over", program.hear())

    def test_says_so_at_every_later_access(self) -> None:
        buf = self.borrow()
        buf.write(0, b"before")
        self.revoke(buf)
        for access in (lambda: buf.read(0, 1), lambda: buf.write(0, b"x"), lambda: buf.read_into(0, bytearray(10))):
            with self.assertRaises(lendbuf.Revoked) as caught:
                access()
            self.assertEqual(caught.exception.reason, "operator")
        self.assertEqual(buf.read(0, 0), b"")

    def test_leaves_nothing_of_it_in_what_others_read(self) -> None:
        lost, kept = self.borrow("sim0/ddr"), self.borrow("sim0/ch3", read_only=True)
        self.revoke(lost)
        for _ in range(10):
            with self.assertRaises(lendbuf.Revoked):
                lost.write(0, b"stale" * 50_000)

            self.assertNotIn(b"stale", kept.read(0, 300_000))

    def test_before_it_was_mapped(self) -> None:
        buf = self.borrow()
        copy = os.dup(buf.fd)
        self.revoke(buf)

        late = lendbuf.Lease(buf._client, buf.delegation, copy, buf.size)
        self.addCleanup(late.close)

        with self.assertRaises(lendbuf.Revoked) as caught:
            late.read(0, 1)
        self.assertEqual(caught.exception.reason, "operator")

    def test_and_claimed_anew_elsewhere(self) -> None:
        with lendbuf.borrow("sim0/ddr", keep=True, path=self.agent.socket) as first:
            left_behind = lendbuf.Lease(self.operator, first.delegation, os.dup(first.fd), first.size)
            first.close()
        self.addCleanup(left_behind.close)
        self.until(lambda: self.operator.call("delegations.get", id=first.id)["client"] is None, "its client has gone")

        with lendbuf.claim(first.id, path=self.agent.socket):
            with self.assertRaisesRegex(lendbuf.Revoked, "claimed anew elsewhere"):
                left_behind.read(0, 1)

    def test_kills_who_touches_the_raw_view(self) -> None:
        program = self.spawn(
            "buf = lendbuf.borrow('sim0/ddr', path=socket)\n"
            "view = buf.raw_view(); view[0] = 7; print(buf.id, view[0], flush=True); input(); view[0]"
        )
        id, value = program.hear().split()
        self.operator.call("delegations.revoke", ids=[int(id)])

        program.tell()

        self.assertEqual((value, program.wait()[0]), ("7", -signal.SIGBUS))

    def test_does_not_reach_the_raw_view_of_another(self) -> None:
        lost, kept = self.borrow("sim0/ddr"), self.borrow("sim0/ch1")
        view = kept.raw_view()
        self.revoke(lost)

        self.assertEqual(len(bytes(view[:100])), 100)

    def test_goes_back_all_the_same(self) -> None:
        with lendbuf.borrow("sim0/ddr", path=self.agent.socket) as buf:
            self.revoke(buf)

        self.assertEqual(self.state_of(buf.id), ("revoked", "operator"))


class Events(AgentTest):
    def test_are_told_in_order(self) -> None:
        buf = self.borrow(for_="10m")
        events = buf.events()
        heard: List[str] = []

        buf.extend("1m")
        heard.append(next(events).kind)
        self.operator.call("delegations.revoke", ids=[buf.id], noticeMs=60_000)
        event = next(events)
        heard.append(event.kind)
        self.revoke(buf)
        heard.extend(event.kind for event in events if event.kind != "revoking")

        self.assertEqual(heard, ["extended", "ending", "revoked"])
        self.assertEqual(event.delegation["ending"]["reason"], "operator")

    def test_call_back(self) -> None:
        buf = self.borrow(for_="1s")
        heard: List[lendbuf.Event] = []
        over = threading.Event()

        def hear(event: lendbuf.Event) -> None:
            heard.append(event)
            if event.kind == "revoked":
                buf.now()  # whoever is called back may ask
                over.set()

        buf.on_event(hear)

        self.assertTrue(over.wait(5))
        kinds = [event.kind for event in heard if event.kind != "revoking"]
        self.assertEqual(kinds, ["ending", "revoked"])
        self.assertEqual(heard[-1].delegation["reason"], "expired")
        self.assertEqual(heard[-1].delegation["proof"]["probe"], "size 0")

    def test_end_with_the_lease(self) -> None:
        buf = self.borrow()
        heard: List[str] = []
        listener = threading.Thread(target=lambda: heard.extend(event.kind for event in buf.events()))
        listener.start()

        buf.release()
        listener.join(5)

        self.assertFalse(listener.is_alive())
        self.assertIn(heard, ([], ["revoked"], ["revoking"], ["revoking", "revoked"]))


class AgentGone(unittest.TestCase):
    def setUp(self) -> None:
        self.agent = Agent()
        self.addCleanup(self.agent.stop)

    def test_takes_the_memory_and_is_told(self) -> None:
        buf = lendbuf.borrow("sim0/ddr", keep=True, path=self.agent.socket)
        self.addCleanup(buf.close)
        buf.write(0, b"x")
        events = buf.events()
        waiting = lendbuf.connect(self.agent.socket)
        self.addCleanup(waiting.close)
        refused: List[BaseException] = []

        def wait() -> None:
            try:
                waiting.borrow("sim0/ddr", wait=True)
            except BaseException as error:
                refused.append(error)

        waiter = threading.Thread(target=wait)
        waiter.start()
        while waiting.call("buffers.get", name="sim0/ddr")["waiting"] == 0:
            time.sleep(0.005)

        self.agent.kill()

        self.assertEqual(next(events).kind, "lost")
        self.assertEqual(list(events), [])
        with self.assertRaises(lendbuf.Revoked) as caught:
            while True:  # the warden ends the exports within milliseconds
                buf.read(0, 4096)
        self.assertIsNone(caught.exception.reason)
        self.assertIn("The agent cannot be asked why", str(caught.exception))
        waiter.join(5)
        self.assertIsInstance(refused[0], lendbuf.ConnectionLost)
        with self.assertRaises(lendbuf.ConnectionLost):
            buf.now()
        with self.assertRaisesRegex(lendbuf.NoAgent, "ECONNREFUSED"):
            lendbuf.connect(self.agent.socket)

    def test_does_not_fail_who_leaves_the_statement(self) -> None:
        with lendbuf.borrow("sim0/ddr", path=self.agent.socket) as buf:
            self.agent.kill()

        with self.assertRaises(lendbuf.Closed):
            buf.read(0, 1)

    def test_that_is_stopped_does_not_hang_anybody(self) -> None:
        with self.agent_connection(timeout=0.3) as client:
            self.agent.process.send_signal(signal.SIGSTOP)
            try:
                with self.assertRaisesRegex(lendbuf.NoAnswer, "did not answer buffers.get within 0.3 s"):
                    client.call("buffers.get", name="sim0/ddr")
            finally:
                self.agent.process.send_signal(signal.SIGCONT)

            self.assertEqual(client.call("buffers.get", name="sim0/ch0")["name"], "sim0/ch0")

    def agent_connection(self, timeout: float) -> lendbuf.Client:
        return lendbuf.connect(self.agent.socket, timeout=timeout)


if __name__ == "__main__":
    unittest.main()
