"""Memory that was lent to us."""

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Callable, Iterator, List, Optional, Type

from .durations import Duration, milliseconds
from .endings import REASON_S, why_gone
from .errors import Closed, ConnectionLost, Error, NoAnswer
from .inputs import sync_input
from .lent import Bytes, Lent
from .memory import Unreachable
from .records import Delegation, Event, events_between

if TYPE_CHECKING:
    from .client import Client


class Lease(Lent):
    """Give it back by `release`, or by leaving its `with` statement. For any number of threads."""

    def __init__(self, client: "Client", delegation: Delegation, fd: int, size: int) -> None:
        super().__init__(delegation, fd, size)
        self._client = client
        self._owns_client = False

    def read(self, offset: int = 0, length: Optional[int] = None) -> bytes:
        """A copy of `length` bytes, or all from `offset` on. Raises Revoked, Suspended or NotMappable.

        How wide the accesses are is not promised; registers need `peek`, or `raw_view`.
        """
        target = self._room_for(offset, length)
        self.read_into(offset, target)
        return bytes(target)

    def read_into(self, offset: int, target: Bytes) -> int:
        """Fills a bytearray, array or NumPy array; the number of bytes. Raises as `read`: part may be filled then."""
        view = memoryview(target).cast("B")
        try:
            self.memory.read_into(offset, view)
        except Unreachable as cause:
            raise self._why_gone(cause) from cause
        return len(view)

    def write(self, offset: int, data: Bytes) -> int:
        """Copies all of `data`; the number of bytes. Raises ReadOnly, and as `read`: part may be written then."""
        view = self._data_for(data)
        try:
            self.memory.write(offset, view)
        except Unreachable as cause:
            raise self._why_gone(cause) from cause
        return len(view)

    def raw_view(self) -> memoryview:
        """The memory itself, without a copy, for NumPy and the like.

        **Touching it after a revoke raises SIGBUS, which ends the process**, at any moment and in the middle of any
        statement; no `except` catches it. So it is for programs that may die: those that run under `lendbuf exec`, or
        in a process of their own (multiprocessing). What must survive reads copies.
        """
        try:
            return self.memory.raw_view()
        except Unreachable as cause:
            raise self._why_gone(cause) from cause

    def peek(self, offset: int, *, width: int = 32) -> int:
        """Reads a register through the agent, with one access of `width` bits. Operators only."""
        return self._client.peek(self.name, offset, width=width)

    def peek_words(self, offset: int, count: int, *, width: int = 32) -> List[int]:
        """`count` registers from `offset` on, one access each."""
        return self._client.peek_words(self.name, offset, count, width=width)

    def poke(self, offset: int, value: int, *, width: int = 32) -> None:
        """Writes a register through the agent, with one access of `width` bits. Operators only."""
        self._client.poke(self.name, offset, value, width=width)

    def sync(self, direction: str, offset: int = 0, length: Optional[int] = None, *, width: int = 32) -> int:
        """Of a window (`exporter="staged"`): has the agent copy "from-device" or "to-device", all or `length` bytes.

        With accesses of `width` bits each; the number of bytes. Raises Unsupported where it is no window.
        """
        synced = self._client.call("delegations.sync", **sync_input(self.id, direction, offset, length, width))
        return int(synced["length"])

    def extend(self, by: Duration) -> Delegation:
        """Adds to what is left of the lease. Raises Ended, NotAllowed (an end was announced), Limit."""
        return self._record("delegations.extend", byMs=milliseconds(by))

    def now(self) -> Delegation:
        """The delegation as the agent has it now."""
        return self._record("delegations.get")

    def events(self) -> Iterator[Event]:
        """What happens to it, until it has ended. Begins with what has happened since it was claimed."""
        before = self.delegation
        try:
            with self._client.subscribe("delegations.follow", id=self.id) as states:
                for now in states:
                    yield from events_between(before, now)
                    before = now
        except ConnectionLost:
            if not self._is_closed:
                yield Event("lost", before)

    def on_event(self, callback: Callable[[Event], None]) -> None:
        """Calls back for each event, in a thread of its own that does not keep the process alive."""

        def tell() -> None:
            for event in self.events():
                callback(event)

        threading.Thread(target=tell, name=f"lendbuf events of {self.name}", daemon=True).start()

    def release(self) -> Delegation:
        """Gives it back; its record, "revoked" once the kernel has confirmed it. Raises ConnectionLost."""
        if self._is_closed:
            raise Closed(f"{self!r} was released or closed here before.")
        self._close_memory()
        try:
            return self._record("delegations.release")
        finally:
            self._leave_client()

    def close(self) -> None:
        """Idempotent. What is kept stays, and can be claimed again; anything else ends with its connection."""
        self._close_memory()
        self._leave_client()

    def __enter__(self) -> "Lease":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        try:
            if not self._is_closed:
                self.release()
        except (ConnectionLost, NoAnswer):
            pass  # with the agent, or at the latest with this connection, everything goes back

    def __del__(self) -> None:
        if self._memory is None or self._is_closed:
            return
        self._warn_of_leak()
        self._client._connection.let_go(self.id)
        self._client._connection.post("delegations.release", {"id": self.id})
        self._leave_client()

    def _record(self, method: str, **input: object) -> Delegation:
        record: Delegation = self._client.call(method, id=self.id, **input)
        return record

    def _why_gone(self, cause: Unreachable) -> Error:
        try:
            now: Delegation = self._client._connection.ask("delegations.get", {"id": self.id}, REASON_S)
        except Error as problem:
            return why_gone(self.name, cause, None, problem)
        return why_gone(self.name, cause, now, None)

    def _leave_client(self) -> None:
        if self._owns_client:
            self._client.close()
