"""What a lease is to the program that has it."""

import gc
import os
import threading
import time
import unittest
import warnings
from datetime import timedelta
from typing import Any, List

from harness import AgentTest, lendbuf


class Lease(AgentTest):
    def test_is_borrowed_in_two_lines_and_gives_itself_back(self) -> None:
        with lendbuf.borrow("sim0/ch0", path=self.agent.socket) as buf:
            samples = buf.read(0, 4096)
            record = self.operator.call("delegations.get", id=buf.id)

        self.assertEqual(len(samples), 4096)
        self.assertEqual(
            (record["state"], record["buffer"], record["client"]["pid"]), ("active", "sim0/ch0", os.getpid())
        )
        self.assertEqual(self.state_of(buf.id), ("revoked", "released"))

    def test_goes_back_when_its_statement_fails(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            with lendbuf.borrow("sim0/ddr", path=self.agent.socket) as buf:
                1 / 0

        self.assertEqual(self.state_of(buf.id), ("revoked", "released"))

    def test_takes_all_that_can_be_said_of_it(self) -> None:
        buf = self.borrow("sim0/ddr", read_only=True, shared=True, for_="1h30m", keep=True, purpose="a try")

        said = {name: buf.delegation[name] for name in ("access", "share", "leaseMs", "keep", "purpose")}
        self.assertEqual(
            said,
            {"access": "read-only", "share": "shared", "leaseMs": 5_400_000, "keep": True, "purpose": "a try"},
        )

    def test_reads_back_what_another_process_wrote(self) -> None:
        pattern = bytes(range(256)) * 4096  # 1 MiB: many times what a pipe holds
        writer = self.spawn(
            "buf = lendbuf.borrow('sim0/ddr', path=socket)\n"
            "buf.write(12345, bytes(range(256)) * 4096); print(buf.id, flush=True); input()"
        )
        writer.hear()
        writer.tell()
        buf = self.borrow("sim0/ddr", wait=5)

        self.assertEqual(buf.read(12345, len(pattern)), pattern)
        self.assertEqual(buf.read(12344, 3), b"\0\0\1")

    def test_writes_and_reads_what_does_not_fit_pages_or_pipes(self) -> None:
        buf = self.borrow()
        for offset, length in [(0, 1), (1, 4095), (4095, 2), (65_535, 65_537), (3, 200_001), (buf.size - 7, 7)]:
            data = os.urandom(length)

            self.assertEqual(buf.write(offset, data), length)

            self.assertEqual(buf.read(offset, length), data)
        self.assertEqual((buf.read(5, 0), buf.write(5, b"")), (b"", 0))
        self.assertEqual(len(buf.read()), buf.size)
        self.assertEqual(len(buf.read(buf.size - 10)), 10)

    def test_reads_into_memory_that_is_there(self) -> None:
        buf = self.borrow()
        buf.write(8, b"samples!")
        into = bytearray(12)

        self.assertEqual(buf.read_into(8, memoryview(into)[2:10]), 8)

        self.assertEqual(into, b"\0\0samples!\0\0")

    def test_reads_arrays_of_numpy(self) -> None:
        try:
            import numpy
        except ImportError:
            self.skipTest("numpy is missing. Install it: sudo apt-get install python3-numpy")
        buf = self.borrow()
        samples = numpy.arange(-500, 500, dtype="<i2").reshape(10, 100)
        buf.write(64, samples)
        into = numpy.zeros_like(samples)

        buf.read_into(64, into)

        self.assertTrue((into == samples).all())
        self.assertTrue((numpy.frombuffer(buf.raw_view()[64:2064], "<i2") == samples.ravel()).all())

    def test_refuses_what_lies_outside(self) -> None:
        buf = self.borrow()
        for offset, length in [(-1, 1), (0, buf.size + 1), (buf.size, 1), (1 << 70, 1)]:
            with self.assertRaisesRegex(ValueError, "do not lie within the 8388608 bytes"):
                buf.read_into(offset, bytearray(length))
        for length in (-1, 1 << 60):
            with self.assertRaisesRegex(ValueError, "do not lie within"):
                buf.read(0, length)
        with self.assertRaises(ValueError):
            buf.write(buf.size - 1, b"ab")

    def test_that_is_read_only_is_not_written(self) -> None:
        buf = self.borrow(read_only=True)

        with self.assertRaisesRegex(lendbuf.ReadOnly, "borrow it without read_only"):
            buf.write(0, b"x")

        self.assertTrue(buf.raw_view().readonly)
        self.assertEqual(len(buf.read(0, 16)), 16)

    def test_is_extended(self) -> None:
        buf = self.borrow(for_=60)

        record = buf.extend(timedelta(minutes=2))

        self.assertEqual((record["leaseMs"], buf.now()["leaseMs"]), (180_000, 180_000))

    def test_that_is_kept_can_be_claimed_again(self) -> None:
        with lendbuf.borrow("sim0/ddr", keep=True, path=self.agent.socket) as first:
            first.write(0, b"kept")
            first.close()
        self.until(lambda: self.operator.call("delegations.get", id=first.id)["client"] is None, "its client has gone")

        with lendbuf.claim(first.id, path=self.agent.socket) as second:
            self.assertEqual(second.read(0, 4), b"kept")

        self.assertEqual(self.state_of(first.id), ("revoked", "released"))

    def test_that_was_offered_is_claimed(self) -> None:
        offer = self.operator.call("delegations.request", buffer="sim0/ddr")

        with self.operator.claim(offer["id"]) as buf:
            self.assertEqual(buf.name, "sim0/ddr")
            with self.assertRaises(lendbuf.AlreadyClaimed):
                self.operator.claim(offer["id"])

    def test_peeks_and_pokes_registers(self) -> None:
        buf = self.borrow("sim0/regs", read_only=True)

        self.assertEqual(buf.peek(0), 0x444E454C)
        self.assertEqual(buf.peek(0, width=8), 0x4C)
        self.assertEqual(buf.peek_words(0, 2, width=32), [0x444E454C, 0x00010000])
        buf.poke(0x008, 100_000)
        self.assertEqual(buf.peek(0x008), 100_000)
        buf.poke(0xF00, 0x1122334455667788, width=64)
        self.assertEqual(self.operator.peek("sim0/regs", 0xF00, width=64), 0x1122334455667788)
        with self.assertRaisesRegex(ValueError, "does not fit into 8 bits"):
            buf.poke(0xF00, 256, width=8)
        with self.assertRaises(lendbuf.BadInput):
            buf.peek(2)

    def test_that_is_a_window_copies_when_told(self) -> None:
        buf = self.borrow("sim0/regs", exporter="staged")
        empty = buf.read(0, 8)

        copied = buf.sync("from-device", 0, 16)

        self.assertEqual((empty, copied, buf.read(0, 4)), (bytes(8), 16, b"LEND"))
        buf.write(0xE00, b"written!")
        self.assertEqual(self.operator.peek("sim0/regs", 0xE00, width=64), 0)
        buf.sync("to-device", 0xE00, 8, width=64)
        self.assertEqual(self.operator.peek("sim0/regs", 0xE00, width=64), int.from_bytes(b"written!", "little"))
        buf.sync("from-device")
        self.assertEqual(buf.read(0xE00, 8), b"written!")
        self.revoke(buf)
        with self.assertRaises(lendbuf.Ended):
            buf.sync("from-device")
        with self.assertRaises(lendbuf.Revoked):
            buf.read(0, 1)

    def test_that_is_no_window_is_not_copied(self) -> None:
        with self.assertRaises(lendbuf.Unsupported):
            self.borrow().sync("from-device")

    def test_cannot_be_used_after_its_release(self) -> None:
        buf = self.borrow()
        buf.release()
        for use in (lambda: buf.read(0, 1), lambda: buf.write(0, b"x"), lambda: buf.fd, buf.raw_view, buf.release):
            with self.assertRaises(lendbuf.Closed):
                use()
        buf.close()

    def test_leaves_no_descriptor_behind(self) -> None:
        with self.operator.borrow("sim0/ddr") as buf:
            buf.read(0, 1)
        before = sorted(os.listdir("/proc/self/fd"))

        for _ in range(5):
            with lendbuf.borrow("sim0/ddr", path=self.agent.socket) as buf:
                buf.write(0, buf.read(0, 100_000))

        self.assertEqual(sorted(os.listdir("/proc/self/fd")), before)

    def test_gives_programs_that_are_started_nothing(self) -> None:
        buf = self.borrow()

        self.assertFalse(os.get_inheritable(buf.fd))

    def test_that_is_forgotten_goes_back_with_a_warning(self) -> None:
        buf = self.operator.borrow("sim0/ddr")
        id = buf.id

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del buf
            gc.collect()

        self.assertIn("was never given back", str(caught[0].message))
        self.until(lambda: self.state_of(id) == ("revoked", "released"), "it went back")

    def test_with_a_client_of_its_own_that_is_forgotten_goes_back(self) -> None:
        buf = lendbuf.borrow("sim0/ddr", path=self.agent.socket)
        id = buf.id

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            del buf
            gc.collect()

        self.until(lambda: self.state_of(id)[0] == "revoked", "it went back")

    def test_is_read_by_many_threads_at_once(self) -> None:
        buf = self.borrow()
        blocks = [bytes([number]) * 300_000 for number in range(8)]
        for number, block in enumerate(blocks):
            buf.write(number * 300_000, block)
        wrong: List[int] = []

        def read(number: int) -> None:
            for _ in range(20):
                if buf.read(number * 300_000, 300_000) != blocks[number]:
                    wrong.append(number)
                self.operator.call("buffers.get", name="sim0/ddr")

        self.run_threads([lambda number=number: read(number) for number in range(8)])

        self.assertEqual(wrong, [])

    def test_is_closed_while_it_is_read(self) -> None:
        for _ in range(20):
            buf = lendbuf.borrow("sim0/ddr", path=self.agent.socket)
            ended: List[Exception] = []
            started = threading.Event()

            def read() -> None:
                try:
                    while True:
                        buf.read(0, 1 << 20)
                        started.set()
                except lendbuf.Error as error:
                    ended.append(error)

            reader = threading.Thread(target=read)
            reader.start()
            started.wait(5)
            buf.release()
            reader.join(5)

            self.assertIsInstance(ended[0], (lendbuf.Closed, lendbuf.Revoked))

    def run_threads(self, works: List[Any]) -> None:
        threads = [threading.Thread(target=work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
            self.assertFalse(thread.is_alive())


class InLine(AgentTest):
    def test_a_buffer_that_is_taken_is_refused(self) -> None:
        self.borrow()

        with self.assertRaises(lendbuf.Busy):
            self.borrow()

    def test_one_that_waits_gets_its_turn(self) -> None:
        first = self.borrow()
        waiter = self.spawn(
            "buf = lendbuf.borrow('sim0/ddr', wait=True, path=socket); print(buf.id, flush=True); input()"
        )
        self.until(lambda: self.operator.call("buffers.get", name="sim0/ddr")["waiting"] == 1, "it stands in line")

        first.release()

        self.assertEqual(self.state_of(int(waiter.hear())), ("active", None))

    def test_one_that_waits_long_enough_gives_its_place_up(self) -> None:
        self.borrow()
        start = time.monotonic()

        with self.assertRaisesRegex(lendbuf.StillTaken, "0.2 s in line"):
            self.operator.borrow("sim0/ddr", wait=0.2)

        self.assertGreaterEqual(time.monotonic() - start, 0.2)
        self.until(lambda: self.operator.call("buffers.get", name="sim0/ddr")["waiting"] == 0, "its place is free")

    def test_one_that_is_interrupted_gives_its_place_up(self) -> None:
        self.borrow()
        waiter = self.spawn(
            "client = lendbuf.connect(socket)\n"
            "try: client.borrow('sim0/ddr', wait=True)\n"
            "except KeyboardInterrupt: print('interrupted', flush=True); input(); print(len(client.buffers()))"
        )
        self.until(lambda: self.operator.call("buffers.get", name="sim0/ddr")["waiting"] == 1, "it stands in line")

        waiter.process.send_signal(2)

        self.assertEqual(waiter.hear(), "interrupted")
        self.until(lambda: self.operator.call("buffers.get", name="sim0/ddr")["waiting"] == 0, "its place is free")
        waiter.tell()
        self.assertEqual(waiter.hear(), "6")

    def test_one_that_is_interrupted_as_it_asks_keeps_nothing(self) -> None:
        connection = self.operator._connection
        send = connection._try_send

        def interrupted(packet: bytes) -> bool:
            connection._try_send = send  # type: ignore[method-assign]
            send(packet)
            raise KeyboardInterrupt

        connection._try_send = interrupted  # type: ignore[method-assign]
        with self.assertRaises(KeyboardInterrupt):
            self.operator.borrow("sim0/ddr", purpose="interrupted")

        def has_gone_back() -> bool:
            last = self.operator.delegations(buffer="sim0/ddr", all=True)[0]
            return last["purpose"] == "interrupted" and last["state"] == "revoked"

        self.until(has_gone_back, "what was granted has gone back")

    def test_others_are_answered_while_one_waits(self) -> None:
        first = self.borrow()
        got: List[lendbuf.Lease] = []
        waiter = threading.Thread(target=lambda: got.append(self.operator.borrow("sim0/ddr", wait=True)))
        waiter.start()
        self.until(lambda: self.operator.call("buffers.get", name="sim0/ddr")["waiting"] == 1, "it stands in line")

        first.release()
        waiter.join(5)

        self.assertEqual(got[0].release()["state"], "revoked")


if __name__ == "__main__":
    unittest.main()
