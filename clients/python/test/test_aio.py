"""The same with asyncio."""

import asyncio
import os
import time
import unittest
from typing import Any, Awaitable, Callable, List

from harness import Agent, AgentTest, lendbuf
from lendbuf import aio


def loops(test: Callable[[Any], Awaitable[None]]) -> Callable[[Any], None]:
    def run(self: Any) -> None:
        asyncio.run(asyncio.wait_for(test(self), 15))

    return run


class Asyncio(AgentTest):
    @loops
    async def test_borrows_writes_reads_and_gives_back(self) -> None:
        data = os.urandom(300_001)
        async with aio.borrow("sim0/ddr", for_="5m", purpose="aio", path=self.agent.socket) as buf:
            await buf.write(7, data)
            self.assertEqual(await buf.read(7, len(data)), data)
            self.assertEqual((await buf.extend(60))["leaseMs"], 360_000)

        self.assertEqual(self.state_of(buf.id), ("revoked", "released"))

    @loops
    async def test_tells_a_revoke_with_its_reason(self) -> None:
        async with aio.borrow("sim0/ddr", path=self.agent.socket) as buf:
            self.revoke(buf)
            for access in (lambda: buf.read(0, 1), lambda: buf.write(0, b"x")):
                with self.assertRaises(lendbuf.Revoked) as caught:
                    await access()
                self.assertEqual(caught.exception.reason, "operator")

    @loops
    async def test_shares_a_client_among_tasks(self) -> None:
        async with await aio.connect(self.agent.socket) as client:

            async def use(name: str) -> str:
                async with client.borrow(name) as buf:
                    return (await client.call("buffers.get", name=name))["state"] + buf.name

            states = await asyncio.gather(*(use(f"sim0/ch{number}") for number in range(4)))

            self.assertEqual(states, [f"lentsim0/ch{number}" for number in range(4)])
            self.assertEqual(len(await client.buffers()), 6)
            self.assertEqual([device["name"] for device in await client.devices()], ["sim0"])
            self.assertEqual(await client.delegations(), [])
            self.assertEqual(await client.peek("sim0/regs", 0), 0x444E454C)

    @loops
    async def test_waits_in_line(self) -> None:
        first = self.borrow()
        async with await aio.connect(self.agent.socket) as client:
            waiter = asyncio.ensure_future(client.borrow("sim0/ddr", wait=True)._lend())
            while (await client.call("buffers.get", name="sim0/ddr"))["waiting"] == 0:
                pass

            first.release()

            async with await waiter as buf:
                self.assertEqual((await buf.now())["state"], "active")

    @loops
    async def test_gives_its_place_up_in_time_and_when_cancelled(self) -> None:
        self.borrow()
        async with await aio.connect(self.agent.socket) as client:
            start = time.monotonic()
            with self.assertRaises(lendbuf.StillTaken):
                await client.borrow("sim0/ddr", wait=0.2)
            self.assertGreaterEqual(time.monotonic() - start, 0.2)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(client.borrow("sim0/ddr", wait=True)._lend(), 0.2)
            while (await client.call("buffers.get", name="sim0/ddr"))["waiting"] != 0:
                pass

    @loops
    async def test_that_is_cancelled_as_it_is_granted_gives_it_back(self) -> None:
        async with await aio.connect(self.agent.socket) as client:
            before = len(os.listdir("/proc/self/fd"))
            for turns in range(12):
                task = asyncio.ensure_future(client.borrow("sim0/ddr")._lend())
                for _ in range(turns):
                    await asyncio.sleep(0)
                time.sleep(0.003)  # the answer comes in while the loop is busy
                await asyncio.sleep(0)
                task.cancel()
                try:
                    await (await task).release()
                except asyncio.CancelledError:
                    pass
                while (await client.call("buffers.get", name="sim0/ddr"))["state"] != "free":
                    pass
            self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    @loops
    async def test_copies_windows(self) -> None:
        async with aio.borrow("sim0/regs", exporter="staged", path=self.agent.socket) as buf:
            self.assertEqual(await buf.sync("from-device", length=4), 4)
            self.assertEqual(await buf.read(0, 8), b"LEND\0\0\0\0")

    @loops
    async def test_iterates_over_events(self) -> None:
        async with aio.borrow("sim0/ddr", for_="1s", path=self.agent.socket) as buf:
            kinds = [event.kind async for event in buf.events() if event.kind != "revoking"]

        self.assertEqual(kinds, ["ending", "revoked"])

    @loops
    async def test_hands_on_refusals(self) -> None:
        self.borrow()
        with self.assertRaises(lendbuf.Busy):
            await aio.borrow("sim0/ddr", path=self.agent.socket)
        async with await aio.connect(self.agent.socket) as client:
            with self.assertRaises(lendbuf.UnknownMethod):
                await client.call("delegations.steal")
            with self.assertRaises(ValueError):
                await client.call("delegations.claim", id=1)
            with self.assertRaises(lendbuf.NotFound):
                await client.subscribe("delegations.follow", id=4_000_000).__anext__()
        with self.assertRaises(lendbuf.ConnectionLost):
            await client.buffers()
        with self.assertRaises(lendbuf.NoAgent):
            await aio.connect(self.agent.socket + "-none")

    @loops
    async def test_sends_more_than_the_socket_takes_at_once(self) -> None:
        async with await aio.connect(self.agent.socket) as client:
            names = ["sim0/ch0", "sim0/ch1"] * 100
            asked = (client.call("buffers.get", name=name) for name in names)

            self.assertEqual([answer["name"] for answer in await asyncio.gather(*asked)], names)


class AgentGone(unittest.TestCase):
    def setUp(self) -> None:
        self.agent = Agent()
        self.addCleanup(self.agent.stop)

    @loops
    async def test_is_told_to_everybody(self) -> None:
        async with aio.borrow("sim0/ddr", path=self.agent.socket) as buf:
            events = buf.events()
            told: List[str] = []

            async def listen() -> None:
                told.extend([event.kind async for event in events])

            listener = asyncio.ensure_future(listen())
            await buf.now()
            self.agent.kill()
            await listener
            self.assertEqual(told, ["lost"])
            with self.assertRaises(lendbuf.Revoked):
                while True:
                    await buf.read(0, 4096)


if __name__ == "__main__":
    unittest.main()
