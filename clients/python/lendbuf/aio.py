"""The same for asyncio:

    from lendbuf import aio

    async with aio.borrow("sim0/ch0", wait="10m") as buf:
        samples = await buf.read(0, 4096)

Reading and writing copy at once, in the event loop's thread; only what is asked of the agent is awaited. A task that is
cancelled while it stands in line gives its place up.
"""

from types import TracebackType
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, Generator, List, Mapping, Optional, Type, Union

from .aio_connection import Connection, Subscription, open_connection
from .durations import Duration, milliseconds
from .endings import REASON_S, why_gone
from .errors import Cancelled, Closed, ConnectionLost, Error, NoAnswer, StillTaken
from .exchange import Reply, claimed
from .inputs import LENDING, borrow_input, patience, poke_input, sync_input, words_of
from .lent import Bytes, Lent
from .memory import Unreachable
from .records import BufferView, Delegation, Device, Event, events_between
from .wire import close_all


async def connect(path: Optional[str] = None, timeout: float = 30.0) -> "Client":
    """As `lendbuf.connect`."""
    return Client(*await open_connection(path, timeout))


def borrow(
    buffer: str,
    *,
    read_only: bool = False,
    shared: bool = False,
    for_: Optional[Duration] = None,
    keep: bool = False,
    wait: Union[bool, Duration] = False,
    purpose: Optional[str] = None,
    exporter: Optional[str] = None,
    path: Optional[str] = None,
) -> "Lending":
    """As `lendbuf.borrow`; for `async with`, or to await."""
    input = borrow_input(buffer, read_only, shared, for_, keep, wait, purpose, exporter)
    return Lending(lambda: _with_its_own_client(path, lambda client: client._borrow(input, wait)))


def claim(id: int, *, path: Optional[str] = None) -> "Lending":
    """As `lendbuf.claim`; for `async with`, or to await."""
    return Lending(lambda: _with_its_own_client(path, lambda client: client._claim(id)))


async def _with_its_own_client(path: Optional[str], lend: "Callable[[Client], Awaitable[Lease]]") -> "Lease":
    client = await connect(path)
    try:
        lease = await lend(client)
    except BaseException:
        client.close()
        raise
    lease._owns_client = True
    return lease


class Client:
    """What is claimed through it ends with it, unless it is kept. Made by `connect`, in whose event loop it stays."""

    def __init__(self, path: str, connection: Connection) -> None:
        #: Where the agent listens.
        self.path = path
        self._connection = connection

    async def call(self, method: str, /, **input: Any) -> Any:
        """As `lendbuf.Client.call`."""
        if method in LENDING:
            raise ValueError(f"{method} answers with a descriptor. Use {method.split('.')[1]}().")
        result = await self._connection.ask(method, input)
        if method == "delegations.release":
            self._connection.let_go(input.get("id"))
        if isinstance(result, dict) and result.keys() == {"subscription"}:
            self._connection.post("cancel", {"id": result["subscription"]})
            raise ValueError(f"{method} goes on telling. Use subscribe().")
        return result

    def subscribe(self, method: str, /, **input: Any) -> Subscription:
        """As `lendbuf.Client.subscribe`, for `async for`."""
        return Subscription(self._connection, method, input)

    def borrow(
        self,
        buffer: str,
        *,
        read_only: bool = False,
        shared: bool = False,
        for_: Optional[Duration] = None,
        keep: bool = False,
        wait: Union[bool, Duration] = False,
        purpose: Optional[str] = None,
        exporter: Optional[str] = None,
    ) -> "Lending":
        """As `lendbuf.borrow`; for `async with`, or to await."""
        input = borrow_input(buffer, read_only, shared, for_, keep, wait, purpose, exporter)
        return Lending(lambda: self._borrow(input, wait))

    def claim(self, id: int) -> "Lending":
        """As `lendbuf.claim`; for `async with`, or to await."""
        return Lending(lambda: self._claim(id))

    async def buffers(self, device: Optional[str] = None) -> List[BufferView]:
        """All that can be lent, by name."""
        return await self._pages("buffers.list", {"device": device} if device else {})

    async def devices(self) -> List[Device]:
        devices: List[Device] = await self.call("devices.list")
        return devices

    async def delegations(self, buffer: Optional[str] = None, all: bool = False) -> List[Delegation]:
        """Yours, or as an operator everybody's, the newest first; with `all` those that have ended too."""
        return await self._pages("delegations.list", {"all": all, **({"buffer": buffer} if buffer else {})})

    async def peek(self, buffer: str, offset: int, *, width: int = 32) -> int:
        """As `lendbuf.Client.peek`."""
        return (await self.peek_words(buffer, offset, 1, width=width))[0]

    async def peek_words(self, buffer: str, offset: int, count: int, *, width: int = 32) -> List[int]:
        return words_of(await self.call("buffers.peek", name=buffer, offset=offset, count=count, width=width))

    async def poke(self, buffer: str, offset: int, value: int, *, width: int = 32) -> None:
        """As `lendbuf.Client.poke`."""
        await self.call("buffers.poke", **poke_input(buffer, offset, value, width))

    def close(self) -> None:
        """Idempotent. What was claimed through it goes back; who waits on it gets ConnectionLost."""
        self._connection.close("The connection to the agent was closed here.")

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    async def _borrow(self, input: Mapping[str, Any], wait: Union[bool, Duration]) -> "Lease":
        if wait is False:
            return await self._lend("delegations.borrow", input, self._connection.timeout)
        seconds = patience(wait)
        try:
            return await self._lend("delegations.borrow", input, seconds)
        except Cancelled as cancelled:
            raise StillTaken(
                f"{input['buffer']} was still taken after {seconds} s in line. Wait longer, or look who has it."
            ) from cancelled

    async def _claim(self, id: int) -> "Lease":
        return await self._lend("delegations.claim", {"id": id}, self._connection.timeout)

    async def _lend(self, method: str, input: Mapping[str, Any], timeout: Optional[float]) -> "Lease":
        reply = await self._connection.request(method, input, timeout, self._give_back)
        try:
            lent = claimed(reply)
        except Error:
            self._give_back(reply)
            raise
        self._connection.hold(lent.delegation["id"], lent.resume_ms)
        return Lease(self, lent.delegation, lent.fd, lent.size)

    def _give_back(self, reply: Reply) -> None:
        close_all(reply.fds)
        delegation = reply.result.get("delegation") if isinstance(reply.result, dict) else None
        if delegation:
            self._connection.post("delegations.release", {"id": delegation["id"]})

    async def _pages(self, method: str, input: Dict[str, Any]) -> List[Any]:
        items: List[Any] = []
        cursor: Dict[str, Any] = {}
        while True:
            page = await self.call(method, **input, **cursor)
            items.extend(page["items"])
            if page["next"] is None:
                return items
            cursor = {"cursor": page["next"]}


class Lease(Lent):
    """Give it back by `release`, or by leaving its `async with` statement."""

    def __init__(self, client: Client, delegation: Delegation, fd: int, size: int) -> None:
        super().__init__(delegation, fd, size)
        self._client = client
        self._owns_client = False

    async def read(self, offset: int = 0, length: Optional[int] = None) -> bytes:
        """As `lendbuf.Lease.read`."""
        target = self._room_for(offset, length)
        await self.read_into(offset, target)
        return bytes(target)

    async def read_into(self, offset: int, target: Bytes) -> int:
        """As `lendbuf.Lease.read_into`."""
        view = memoryview(target).cast("B")
        try:
            self.memory.read_into(offset, view)
        except Unreachable as cause:
            raise await self._why_gone(cause) from cause
        return len(view)

    async def write(self, offset: int, data: Bytes) -> int:
        """As `lendbuf.Lease.write`."""
        view = self._data_for(data)
        try:
            self.memory.write(offset, view)
        except Unreachable as cause:
            raise await self._why_gone(cause) from cause
        return len(view)

    async def raw_view(self) -> memoryview:
        """As `lendbuf.Lease.raw_view`: touching it after a revoke ends the process with SIGBUS."""
        try:
            return self.memory.raw_view()
        except Unreachable as cause:
            raise await self._why_gone(cause) from cause

    async def peek(self, offset: int, *, width: int = 32) -> int:
        """As `lendbuf.Lease.peek`."""
        return await self._client.peek(self.name, offset, width=width)

    async def peek_words(self, offset: int, count: int, *, width: int = 32) -> List[int]:
        return await self._client.peek_words(self.name, offset, count, width=width)

    async def poke(self, offset: int, value: int, *, width: int = 32) -> None:
        """As `lendbuf.Lease.poke`."""
        await self._client.poke(self.name, offset, value, width=width)

    async def sync(self, direction: str, offset: int = 0, length: Optional[int] = None, *, width: int = 32) -> int:
        """As `lendbuf.Lease.sync`."""
        synced = await self._client.call("delegations.sync", **sync_input(self.id, direction, offset, length, width))
        return int(synced["length"])

    async def extend(self, by: Duration) -> Delegation:
        """As `lendbuf.Lease.extend`."""
        return await self._record("delegations.extend", byMs=milliseconds(by))

    async def now(self) -> Delegation:
        """The delegation as the agent has it now."""
        return await self._record("delegations.get")

    async def events(self) -> AsyncIterator[Event]:
        """As `lendbuf.Lease.events`, for `async for`."""
        before = self.delegation
        try:
            with self._client.subscribe("delegations.follow", id=self.id) as states:
                async for now in states:
                    for event in events_between(before, now):
                        yield event
                    before = now
        except ConnectionLost:
            if not self._is_closed:
                yield Event("lost", before)

    async def release(self) -> Delegation:
        """As `lendbuf.Lease.release`."""
        if self._is_closed:
            raise Closed(f"{self!r} was released or closed here before.")
        self._close_memory()
        try:
            return await self._record("delegations.release")
        finally:
            self._leave_client()

    def close(self) -> None:
        """As `lendbuf.Lease.close`."""
        self._close_memory()
        self._leave_client()

    async def __aenter__(self) -> "Lease":
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        try:
            if not self._is_closed:
                await self.release()
        except (ConnectionLost, NoAnswer):
            pass  # with the agent, or at the latest with this connection, everything goes back

    def __del__(self) -> None:
        if self._memory is None or self._is_closed:
            return
        self._warn_of_leak()
        self._client._connection.let_go(self.id)
        self._client._connection.post("delegations.release", {"id": self.id})

    async def _record(self, method: str, **input: object) -> Delegation:
        record: Delegation = await self._client.call(method, id=self.id, **input)
        return record

    async def _why_gone(self, cause: Unreachable) -> Error:
        try:
            now: Delegation = await self._client._connection.ask("delegations.get", {"id": self.id}, REASON_S)
        except Error as problem:
            return why_gone(self.name, cause, None, problem)
        return why_gone(self.name, cause, now, None)

    def _leave_client(self) -> None:
        if self._owns_client:
            self._client.close()


class Lending:
    """A lease to come: await it, or enter it."""

    def __init__(self, lend: Callable[[], Awaitable[Lease]]) -> None:
        self._lend = lend
        self._lease: Optional[Lease] = None

    def __await__(self) -> Generator[Any, None, Lease]:
        return self._lend().__await__()

    async def __aenter__(self) -> Lease:
        self._lease = await self._lend()
        return self._lease

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        assert self._lease is not None
        await self._lease.__aexit__(kind, error, trace)
