"""What the agent goes on telling."""

from types import TracebackType
from typing import Any, Iterator, Mapping, Optional, Type

from .connection import Connection
from .errors import NoAnswer
from .exchange import EVENTS, EndOfFeed, Feed


class Subscription(Iterator[Any]):
    """Iterate over it: it goes on until it is complete, or closed. Raises what it fails with."""

    def __init__(self, connection: Connection, method: str, input: Mapping[str, Any]) -> None:
        self._connection = connection
        self._feed = Feed(latest_only=method not in EVENTS)
        self._id, packet = connection.prepare(method, input, self._feed.take_reply, self._feed)
        try:
            connection.send(packet)
        except BaseException:
            self.close()
            raise

    def __next__(self) -> Any:
        self._connection.wait_until(self._has_next, None)
        return self._take()

    def next(self, timeout: float) -> Any:
        """Raises NoAnswer where nothing comes within so many seconds, StopIteration at the end."""
        if not self._connection.wait_until(self._has_next, timeout):
            raise NoAnswer(f"Nothing was said within {timeout:g} s.")
        return self._take()

    def close(self) -> None:
        """Idempotent; also ends an iteration in another thread."""
        self._feed.end()
        if self._connection.forget(self._id):
            self._connection.post("cancel", {"id": self._id})
        self._connection.wake()

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _has_next(self) -> bool:
        return self._feed.is_ready

    def _take(self) -> Any:
        try:
            return self._feed.take()
        except EndOfFeed:
            raise StopIteration from None
