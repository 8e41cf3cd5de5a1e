"""A client of the agent, for any number of threads."""

from types import TracebackType
from typing import Any, Dict, Iterator, List, Mapping, Optional, Type, Union

from .connection import Connection
from .durations import Duration
from .errors import Cancelled, Error, NoAnswer, StillTaken
from .exchange import Reply, claimed
from .inputs import CANCEL_S, LENDING, borrow_input, patience, poke_input, words_of
from .lease import Lease
from .places import open_socket
from .records import BufferView, Delegation, Device
from .subscription import Subscription
from .wire import close_all


def connect(path: Optional[str] = None, timeout: float = 30.0) -> "Client":
    """Connects to the agent at `path`, or else where this user's or the system's agent listens. Raises NoAgent.

    `timeout`: seconds that the agent has to answer a call; standing in line does not count.
    """
    place, connection = open_socket(path)
    return Client(place, Connection(connection, timeout, place))


class Client:
    """What is claimed through it ends with it, unless it is kept. Made by `connect`."""

    def __init__(self, path: str, connection: Connection) -> None:
        #: Where the agent listens.
        self.path = path
        self._connection = connection

    def call(self, method: str, /, **input: Any) -> Any:
        """Any method of docs/protocol.md but those that lend or go on telling.

        Raises AgentError, RemoteSystemError, ConnectionLost, NoAnswer or VersionSkew.
        """
        if method in LENDING:
            raise ValueError(f"{method} answers with a descriptor. Use {method.split('.')[1]}().")
        result = self._connection.ask(method, input)
        if method == "delegations.release":
            self._connection.let_go(input.get("id"))
        if isinstance(result, dict) and result.keys() == {"subscription"}:
            self._connection.post("cancel", {"id": result["subscription"]})
            raise ValueError(f"{method} goes on telling. Use subscribe().")
        return result

    def subscribe(self, method: str, /, **input: Any) -> Subscription:
        """The state now and after every change; a slow reader misses states that were overtaken, but no audit entry."""
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
    ) -> Lease:
        """Borrows a buffer: `lendbuf.borrow` says what each option is, and what it raises."""
        input = borrow_input(buffer, read_only, shared, for_, keep, wait, purpose, exporter)
        if wait is False:
            return self._lend("delegations.borrow", input, self._connection.timeout)
        seconds = patience(wait)
        try:
            return self._lend("delegations.borrow", input, seconds)
        except Cancelled as cancelled:
            raise StillTaken(
                f"{buffer} was still taken after {seconds} s in line. Wait longer, or look who has it."
            ) from cancelled

    def claim(self, id: int) -> Lease:
        """Takes what was offered, or kept by a client that has gone. Raises NotReady, AlreadyClaimed, Ended."""
        return self._lend("delegations.claim", {"id": id}, self._connection.timeout)

    def buffers(self, device: Optional[str] = None) -> List[BufferView]:
        """All that can be lent, by name."""
        return list(self._pages("buffers.list", {"device": device} if device else {}))

    def devices(self) -> List[Device]:
        devices: List[Device] = self.call("devices.list")
        return devices

    def delegations(self, buffer: Optional[str] = None, all: bool = False) -> List[Delegation]:
        """Yours, or as an operator everybody's, the newest first; with `all` those that have ended too."""
        return list(self._pages("delegations.list", {"all": all, **({"buffer": buffer} if buffer else {})}))

    def peek(self, buffer: str, offset: int, *, width: int = 32) -> int:
        """Reads a word of the device itself with one access of `width` bits, whoever has the buffer. Operators only."""
        return self.peek_words(buffer, offset, 1, width=width)[0]

    def peek_words(self, buffer: str, offset: int, count: int, *, width: int = 32) -> List[int]:
        """`count` words from `offset` on, one access each."""
        return words_of(self.call("buffers.peek", name=buffer, offset=offset, count=count, width=width))

    def poke(self, buffer: str, offset: int, value: int, *, width: int = 32) -> None:
        """Writes a word to the device itself with one access of `width` bits, as `peek` reads it. Operators only."""
        self.call("buffers.poke", **poke_input(buffer, offset, value, width))

    def close(self) -> None:
        """Idempotent. What was claimed through it goes back; who waits on it gets ConnectionLost."""
        self._connection.close("The connection to the agent was closed here.")

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _lend(self, method: str, input: Mapping[str, Any], timeout: Optional[float]) -> Lease:
        """Raises Cancelled where the time is over."""
        replies: List[Reply] = []
        connection = self._connection
        id, packet = connection.prepare(method, input, replies.append)
        try:
            connection.send(packet)
            if not connection.wait_until(lambda: bool(replies), timeout):
                # Its turn may come at this very moment; then it is ours after all.
                connection.post("cancel", {"id": id})
                if not connection.wait_until(lambda: bool(replies), CANCEL_S):
                    raise NoAnswer(f"The agent did not answer {method} in time. Is it stopped?")
        except BaseException:
            self._give_up(id, replies)
            raise
        try:
            lent = claimed(replies[0])
        except Error:
            self._give_back(replies[0])
            raise
        connection.hold(lent.delegation["id"], lent.resume_ms)
        return Lease(self, lent.delegation, lent.fd, lent.size)

    def _give_up(self, id: int, replies: List[Reply]) -> None:
        """What is granted although nobody waits for it any more goes back."""
        self._connection.replace(id, self._give_back)
        if replies:
            self._give_back(replies[0])
        else:
            self._connection.post("cancel", {"id": id})

    def _give_back(self, reply: Reply) -> None:
        close_all(reply.fds)
        delegation = reply.result.get("delegation") if isinstance(reply.result, dict) else None
        if delegation:
            self._connection.post("delegations.release", {"id": delegation["id"]})

    def _pages(self, method: str, input: Dict[str, Any]) -> Iterator[Any]:
        cursor: Dict[str, Any] = {}
        while True:
            page = self.call(method, **input, **cursor)
            yield from page["items"]
            if page["next"] is None:
                return
            cursor = {"cursor": page["next"]}
