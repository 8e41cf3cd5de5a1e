"""An agent that is replaced by another, which takes over what it had lent."""

import asyncio
import threading
from typing import List

from harness import Agent, AgentTest, lendbuf
from lendbuf import aio

READ_ON = """
buf = lendbuf.borrow("sim0/ddr", path=socket, purpose="reads on")
buf.write(0, b"mine")
print(buf.id, flush=True)
for line in sys.stdin:
    print(buf.read(0, 4).decode(), flush=True)
"""


class Restart(AgentTest):
    @classmethod
    def setUpClass(cls) -> None:
        cls.agent = Agent("--adopt-time", "60s")
        cls.addClassCleanup(cls.agent.stop)

    def setUp(self) -> None:
        self.operator = self.agent.connect()
        self.addCleanup(lambda: self.operator.close())
        self.addCleanup(self.take_all_back)

    def meet(self) -> None:
        self.operator.close()
        self.operator = self.agent.connect()

    def replace(self) -> None:
        self.agent.kill()
        self.agent.start()
        self.meet()

    def test_keeps_what_a_program_reads_that_asks_the_agent_nothing(self) -> None:
        program = self.spawn(READ_ON)
        id = int(program.hear())

        self.agent.kill()
        program.tell()
        self.assertEqual(program.hear(), "mine")
        self.agent.start()
        self.meet()
        resumed = lambda: any(  # noqa: E731
            row["action"] == "delegation.resumed" and row["delegation"] == id
            for row in self.operator.call("audit.list", limit=50)["items"]
        )
        self.until(resumed, "its client has come back", 20)

        program.tell()
        self.assertEqual(program.hear(), "mine")
        self.assertEqual(self.state_of(id), ("active", None))

    def test_has_calls_wait_for_it_and_subscriptions_go_on(self) -> None:
        buf = self.borrow("sim0/ddr", for_="10m")
        kinds: List[str] = []
        ended = threading.Event()

        def tell(event: lendbuf.Event) -> None:
            kinds.append(event.kind)
            if event.kind == "revoked":
                ended.set()

        buf.on_event(tell)
        buf.write(64, b"before")
        self.agent.kill()
        starter = threading.Timer(0.3, self.agent.start)
        starter.start()

        now = buf.extend("1m")  # asked while none is there

        starter.join()
        self.meet()
        self.assertEqual((now["state"], now["leaseMs"]), ("active", 660_000))
        self.assertEqual(buf.read(64, 6), b"before")
        self.revoke(buf)
        self.assertTrue(ended.wait(10), kinds)
        self.assertNotIn("lost", kinds)
        with self.assertRaises(lendbuf.Revoked):
            buf.read(0, 1)

    def test_gives_back_to_the_agent_that_is_there_then(self) -> None:
        buf = self.borrow("sim0/ch1")
        self.replace()

        self.assertEqual(buf.release()["reason"], "released")

    def test_happens_again_and_again(self) -> None:
        buf = self.borrow("sim0/ddr")
        for round in range(3):
            buf.write(0, bytes([round]))
            self.replace()
            self.assertEqual(buf.now()["state"], "active")
            self.assertEqual(buf.read(0, 1), bytes([round]))

    def test_under_an_event_loop(self) -> None:
        async def program() -> None:
            async with aio.borrow("sim0/ddr", path=self.agent.socket) as buf:
                await buf.write(0, b"loop")
                states = buf.events()
                following = asyncio.ensure_future(states.__anext__())
                await buf.now()
                await asyncio.get_running_loop().run_in_executor(None, self.replace)
                self.assertEqual((await buf.now())["state"], "active")
                self.assertEqual(await buf.read(0, 4), b"loop")
                await buf.extend("1m")
                self.assertEqual((await asyncio.wait_for(following, 10)).kind, "extended")

        asyncio.run(program())


class NoRestart(AgentTest):
    @classmethod
    def setUpClass(cls) -> None:
        cls.agent = Agent("--adopt-time", "1s")

    def setUp(self) -> None:
        pass

    def test_is_the_end_once_the_time_is_over(self) -> None:
        buf = self.borrow("sim0/ddr")

        self.agent.kill()

        with self.assertRaises(lendbuf.ConnectionLost):
            buf.now()
        with self.assertRaises(lendbuf.Revoked):
            buf.read(0, 1)
