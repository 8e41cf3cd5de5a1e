"""What is under way on one connection, whoever moves the packets: threads or an event loop."""

from collections import deque
from itertools import count
from typing import Any, Callable, Deque, Dict, List, Mapping, NamedTuple, Optional, Tuple

from .errors import ConnectionLost, Error, from_wire
from .records import Delegation
from .versions import __version__
from .wire import Packet, close_all, encode


class Reply(NamedTuple):
    result: Any
    error: Optional[Exception]
    #: The receiver's to close.
    fds: List[int]


Receiver = Callable[[Reply], None]


class Claimed(NamedTuple):
    delegation: Delegation
    fd: int
    size: int
    #: For how long it is worth coming back where the agent is lost; None: the lease ends with the agent.
    resume_ms: Optional[int]


def claimed(reply: Reply) -> Claimed:
    """What a reply lends. Raises its refusal, or Error; the descriptors are then the caller's to close."""
    if reply.error is not None:
        raise reply.error
    try:
        place = list(reply.result["fds"]).index("export")
        lent = Claimed(reply.result["delegation"], reply.fds[place], int(reply.result["size"]), reply.result.get("resumeMs"))
    except (LookupError, TypeError, ValueError) as error:
        raise Error(
            "The agent's reply brought no descriptor, or not as this client knows it: "
            f"it is {__version__}, status.get says what the agent is."
        ) from error
    close_all([fd for fd in reply.fds if fd != lent.fd])
    return lent


# Subscriptions to events, each of which counts; of a state only the latest does.
EVENTS = ("audit.watch", "audit.export")


class Feed:
    """What a subscription delivers, until it ends. Values wait here for a slow reader: all, or only the latest."""

    def __init__(self, latest_only: bool) -> None:
        #: It tells states, of which those that were overtaken may be missed.
        self.latest_only = latest_only
        self._values: Deque[Any] = deque(maxlen=1 if latest_only else None)
        self._end: Optional[Exception] = None

    @property
    def is_ready(self) -> bool:
        return bool(self._values) or self._end is not None

    def push(self, value: Any) -> None:
        if self._end is None:
            self._values.append(value)

    def end(self, error: Optional[Exception] = None) -> None:
        """Without an error: it is complete. The first end counts; what came before it can still be read."""
        if self._end is None:
            self._end = error or EndOfFeed()

    def take_reply(self, reply: "Reply") -> None:
        close_all(reply.fds)
        if reply.error is not None:
            self.end(reply.error)

    def take(self) -> Any:
        """The next value once it is ready; raises its error, or EndOfFeed."""
        if self._values:
            return self._values.popleft()
        assert self._end is not None
        end, self._end = self._end, EndOfFeed()
        raise end


class EndOfFeed(Exception):
    """Nothing follows."""


class Exchange:
    def __init__(self) -> None:
        #: Why the connection is over, once it is.
        self.lost: Optional[ConnectionLost] = None
        self._pending: Dict[int, Receiver] = {}
        self._feeds: Dict[int, Feed] = {}
        #: By which request each feed began.
        self._asked: Dict[int, bytes] = {}
        self._ids = count(1)
        self._complaint: Optional[str] = None

    def request(
        self, method: str, input: Mapping[str, Any], receiver: Optional[Receiver] = None, feed: Optional[Feed] = None
    ) -> Tuple[int, bytes]:
        """Its id, and the packet to send. Without a receiver nobody asks for the reply."""
        if self.lost is not None:
            raise ConnectionLost(str(self.lost))
        id = next(self._ids)
        packet = encode(id, method, input)
        if receiver is not None:
            self._pending[id] = receiver
        if feed is not None:
            self._feeds[id] = feed
            self._asked[id] = packet
        return id, packet

    def replace(self, id: int, receiver: Receiver) -> None:
        """Who receives the reply instead, where it has not come yet."""
        if id in self._pending:
            self._pending[id] = receiver

    def forget(self, id: int) -> bool:
        """Nobody waits for its reply or its events any more. False where nobody did."""
        receiver, feed = self._pending.pop(id, None), self._feeds.pop(id, None)
        self._asked.pop(id, None)
        return receiver is not None or feed is not None

    def take(self, packet: Packet) -> None:
        message = packet.message
        id = message.get("id")
        if isinstance(id, int):
            self._take_reply(id, packet)
            return
        close_all(packet.fds)
        params = message.get("params")
        if message.get("method") == "event" and isinstance(params, dict):
            self._take_event(params)
        elif isinstance(message.get("error"), dict):
            self._complaint = str(message["error"].get("message"))  # it closes the connection next

    def lose(self, why: Optional[str]) -> None:
        """The connection has ended. Whoever waits hears of it; the first reason stays."""
        if self.lost is not None:
            return
        self.lost = ConnectionLost(
            self._complaint or why or "The connection to the agent was lost: the agent has ended."
        )
        pending, self._pending = self._pending, {}
        feeds, self._feeds = self._feeds, {}
        for receiver in pending.values():
            receiver(Reply(None, ConnectionLost(str(self.lost)), []))
        for feed in feeds.values():
            feed.end(ConnectionLost(str(self.lost)))

    def interrupt(self, why: Optional[str]) -> None:
        """The agent has gone, and another may follow: who waits for a reply hears of it, feeds of states wait."""
        lost = self._complaint or why or "The connection to the agent was lost; what was asked may be done or not."
        for id in [id for id, feed in self._feeds.items() if not feed.latest_only]:
            self._feeds.pop(id).end(ConnectionLost(lost))  # it alone would miss something
        for id in [id for id in self._pending if id not in self._feeds]:
            self._pending.pop(id)(Reply(None, ConnectionLost(lost), []))

    def begin_anew(self) -> List[bytes]:
        """The packets by which the feeds begin once more, at another agent."""
        for id, feed in self._feeds.items():
            self._pending[id] = feed.take_reply
        return [self._asked[id] for id in self._feeds]

    def _take_reply(self, id: int, packet: Packet) -> None:
        message = packet.message
        receiver = self._pending.pop(id, None)
        if receiver is None:
            close_all(packet.fds)
        elif isinstance(message.get("error"), dict):
            close_all(packet.fds)
            receiver(Reply(None, from_wire(message["error"]), []))
        elif packet.fds_lost:
            close_all(packet.fds)
            error = Error(
                "A descriptor came and could not be received: this process has too many open (ulimit -n). Close some."
            )
            receiver(Reply(message.get("result"), error, []))
        else:
            receiver(Reply(message.get("result"), None, packet.fds))

    def _take_event(self, params: Dict[str, Any]) -> None:
        id = params.get("subscription")
        feed = self._feeds.get(id) if isinstance(id, int) else None
        if feed is None:
            return
        if "data" in params:
            feed.push(params["data"])
            return
        del self._feeds[id]  # type: ignore[arg-type]
        error = params.get("error")
        feed.end(from_wire(error) if isinstance(error, dict) else None)
