"""The packets of one connection, moved by an event loop."""

import asyncio
import socket
from collections import deque
from types import TracebackType
from typing import Any, AsyncIterator, Callable, Deque, Dict, Mapping, Optional, Tuple, Type

from .comeback import Return, come_back
from .errors import AgentError, ConnectionLost, Error, NoAnswer
from .exchange import EVENTS, EndOfFeed, Exchange, Feed, Receiver, Reply
from .forks import disown_in_child, why_lost
from .inputs import CANCEL_S
from .places import open_socket, peer_uid
from .versions import may_be_skew, skew
from .wire import close_all, receive

#: So that one busy connection does not hold up the rest of the loop.
PACKETS_AT_ONCE = 64


async def open_connection(path: Optional[str], timeout: float) -> "Tuple[str, Connection]":
    """Where it is connected to, and the connection. Raises NoAgent."""
    loop = asyncio.get_running_loop()
    place, connection = await loop.run_in_executor(None, open_socket, path)  # it may wait for a place in the backlog
    return place, Connection(connection, timeout, loop, place)


class Connection:
    """Takes over a connected socket. Where the agent may be followed by another, it comes back to that one."""

    def __init__(self, connection: socket.socket, timeout: float, loop: asyncio.AbstractEventLoop, path: str) -> None:
        #: Seconds that the agent has to answer.
        self.timeout = timeout
        self._loop = loop
        self._socket = connection
        self._exchange = Exchange()
        self._unsent: Deque[bytes] = deque()
        self._path = path
        #: By delegation, for how many seconds it is worth coming back for it.
        self._held: Dict[int, float] = {}
        self._return: "Optional[asyncio.Future[Any]]" = None
        self._listen(connection)
        disown_in_child(self)

    async def ask(self, method: str, input: Mapping[str, Any], timeout: Optional[float] = None) -> Any:
        """The result. Raises AgentError, RemoteSystemError, ConnectionLost, NoAnswer or VersionSkew."""
        try:
            return await self._ask(method, input, timeout or self.timeout)
        except AgentError as refusal:
            explained = await self._explain(refusal) if may_be_skew(refusal) else None
            if explained is None:
                raise
            raise explained from refusal

    async def request(
        self, method: str, input: Mapping[str, Any], timeout: Optional[float], on_late: Receiver
    ) -> Reply:
        """The reply; cancelled at the agent after so many seconds. Who is cancelled here leaves it to `on_late`."""
        answer: "asyncio.Future[Reply]" = self._loop.create_future()
        id = self.begin(method, input, lambda reply: on_late(reply) if answer.done() else answer.set_result(reply))
        try:
            for patience in (timeout, CANCEL_S):
                await asyncio.wait([answer], timeout=patience)
                if answer.done():
                    return answer.result()
                self.post("cancel", {"id": id})  # what comes at this very moment is ours after all
            raise NoAnswer(f"The agent did not answer {method} in time. Is it stopped?")
        except BaseException:
            if not answer.cancel():
                on_late(answer.result())
            self.post("cancel", {"id": id})
            raise

    def begin(self, method: str, input: Mapping[str, Any], receiver: Receiver, feed: Optional[Feed] = None) -> int:
        """Sends a request; its id."""
        id, packet = self._exchange.request(method, input, receiver, feed)
        self._send(packet)
        return id

    def post(self, method: str, input: Mapping[str, Any]) -> None:
        """Says it and waits for nothing."""
        if self._exchange.lost is None:
            self._send(self._exchange.request(method, input)[1])

    def hold(self, id: int, resume_ms: Optional[int]) -> None:
        """A delegation for which to come back where the agent is lost."""
        if resume_ms is not None:
            self._held[id] = resume_ms / 1000

    def let_go(self, id: Any) -> None:
        self._held.pop(id, None)

    def forget(self, id: int) -> bool:
        """Nobody waits for its reply or its events any more. False where nobody did."""
        return self._exchange.forget(id)

    def close(self, why: Optional[str]) -> None:
        """Idempotent."""
        if self._exchange.lost is not None:
            return
        self._shut()
        self._exchange.lose(why)

    def _listen(self, connection: socket.socket) -> None:
        self._socket = connection
        connection.setblocking(False)
        self._loop.add_reader(connection, self._on_readable)

    def _shut(self) -> None:
        if not self._loop.is_closed() and self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._socket.close()

    def _leave(self, why: Optional[str]) -> None:
        """The agent has gone."""
        if not self._held:
            return self.close(why)
        uid, seconds = peer_uid(self._socket), max(self._held.values())
        self._shut()
        self._unsent.clear()
        self._exchange.interrupt(why)
        # A copy, for the thread in which it waits.
        held = list(self._held)
        self._return = self._loop.run_in_executor(
            None,
            lambda: come_back(
                self._path, uid, lambda: held, seconds, self.timeout, lambda: self._exchange.lost is not None
            ),
        )
        self._return.add_done_callback(lambda back: self._go_on(back.result()))

    def _go_on(self, back: Optional[Return]) -> None:
        self._return = None
        if back is None:
            return self.close(None)
        if self._exchange.lost is not None:
            return back.connection.close()
        self._held = {id: seconds for id, seconds in self._held.items() if id in back.resumed}
        self._unsent.extendleft(reversed(self._exchange.begin_anew()))
        self._listen(back.connection)
        self._on_writable()

    def after_fork(self) -> None:
        """In the child, which has no event loop: its copy of the socket would keep the parent's delegations alive."""
        self._socket.close()
        self._exchange.lost = ConnectionLost(why_lost())

    async def _ask(self, method: str, input: Mapping[str, Any], timeout: float) -> Any:
        result, error, fds = await self.request(method, input, timeout, lambda reply: close_all(reply.fds))
        close_all(fds)
        if error is not None:
            raise error
        return result

    async def _explain(self, refusal: AgentError) -> Optional[Error]:
        try:
            return skew((await self._ask("status.get", {}, self.timeout))["version"], refusal)
        except (Error, LookupError, TypeError):
            return None

    def _send(self, packet: bytes) -> None:
        self._unsent.append(packet)
        if len(self._unsent) == 1 and self._return is None:
            self._on_writable()

    def _on_writable(self) -> None:
        try:
            while self._unsent:
                self._socket.send(self._unsent[0], socket.MSG_NOSIGNAL)
                self._unsent.popleft()
            self._loop.remove_writer(self._socket)
        except BlockingIOError:
            self._loop.add_writer(self._socket, self._on_writable)
        except OSError:
            self._loop.remove_writer(self._socket)  # what there still is to read tells why

    def _on_readable(self) -> None:
        for _ in range(PACKETS_AT_ONCE):
            if self._exchange.lost is not None:
                return
            try:
                packet = receive(self._socket)
            except BlockingIOError:
                return
            except ConnectionResetError:
                continue  # it left requests unread. Its last packet comes after this, and says why
            except (ConnectionLost, OSError) as error:
                return self._leave(str(error))
            if packet is None:
                return self._leave(None)
            self._exchange.take(packet)


class WokenFeed(Feed):
    """Tells when there is something to take."""

    def __init__(self, latest_only: bool, wake: Callable[[], None]) -> None:
        super().__init__(latest_only)
        self._wake = wake

    def push(self, value: Any) -> None:
        super().push(value)
        self._wake()

    def end(self, error: Optional[Exception] = None) -> None:
        super().end(error)
        self._wake()


class Subscription(AsyncIterator[Any]):
    """Iterate over it: it goes on until it is complete, or closed. Raises what it fails with."""

    def __init__(self, connection: Connection, method: str, input: Mapping[str, Any]) -> None:
        self._connection = connection
        self._news = asyncio.Event()
        self._feed = WokenFeed(method not in EVENTS, self._news.set)
        self._id = connection.begin(method, input, self._feed.take_reply, self._feed)

    async def __anext__(self) -> Any:
        while not self._feed.is_ready:
            self._news.clear()
            await self._news.wait()
        try:
            return self._feed.take()
        except EndOfFeed:
            raise StopAsyncIteration from None

    def close(self) -> None:
        """Idempotent."""
        self._feed.end()
        if self._connection.forget(self._id):
            self._connection.post("cancel", {"id": self._id})

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()
