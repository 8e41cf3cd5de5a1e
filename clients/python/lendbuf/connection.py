"""The packets of one connection, for any number of threads."""

import select
import socket
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from .comeback import Return, come_back
from .errors import AgentError, ConnectionLost, Error, NoAnswer
from .exchange import Exchange, Feed, Receiver, Reply
from .forks import disown_in_child, why_lost
from .places import peer_uid
from .versions import may_be_skew, skew
from .wire import close_all, receive


class Connection:
    """Takes over a connected socket. No thread reads it: whoever waits for a packet first reads for all who wait.

    Where the agent may be followed by another, a thread comes back to that one, and calls wait for it meanwhile.
    """

    def __init__(self, connection: socket.socket, timeout: float, path: str) -> None:
        #: Seconds that the agent has to answer.
        self.timeout = timeout
        self._socket = connection
        self._exchange = Exchange()
        self._turn = threading.Condition()
        self._is_read = False
        self._path = path
        #: By delegation, for how many seconds it is worth coming back for it.
        self._held: Dict[int, float] = {}
        self._is_away = False
        self._keeper: Optional[threading.Thread] = None
        disown_in_child(self)

    def ask(self, method: str, input: Mapping[str, Any], timeout: Optional[float] = None) -> Any:
        """The result. Raises AgentError, RemoteSystemError, ConnectionLost, NoAnswer or VersionSkew."""
        try:
            return self._ask(method, input, timeout or self.timeout)
        except AgentError as refusal:
            explained = self._explain(refusal) if may_be_skew(refusal) else None
            if explained is None:
                raise
            raise explained from refusal

    def prepare(
        self, method: str, input: Mapping[str, Any], receiver: Receiver, feed: Optional[Feed] = None
    ) -> Tuple[int, bytes]:
        """The id of a request that is still to be sent, and its packet."""
        with self._turn:
            return self._exchange.request(method, input, receiver, feed)

    def send(self, packet: bytes) -> None:
        if not self.wait_until(lambda: self._try_send(packet), self.timeout, select.POLLIN | select.POLLOUT):
            raise NoAnswer(f"The agent took no request for {self.timeout:g} s. Is it stopped?")

    def post(self, method: str, input: Mapping[str, Any]) -> None:
        """Says it and waits for nothing, so that also a destructor may. Else the connection's end says it."""
        try:
            self._try_send(self._exchange.request(method, input)[1])
        except ConnectionLost:
            pass

    def hold(self, id: int, resume_ms: Optional[int]) -> None:
        """A delegation for which to come back where the agent is lost."""
        if resume_ms is None:
            return
        with self._turn:
            self._held[id] = resume_ms / 1000
            if self._keeper is None:
                name = f"lendbuf connection to {self._path}"
                self._keeper = threading.Thread(target=self._keep, name=name, daemon=True)
                self._keeper.start()

    def let_go(self, id: Any) -> None:
        self._held.pop(id, None)

    def replace(self, id: int, receiver: Receiver) -> None:
        """Who gets the reply instead, where it has not come yet."""
        self._exchange.replace(id, receiver)

    def forget(self, id: int) -> bool:
        """Nobody waits for its reply or its events any more. False where nobody did."""
        return self._exchange.forget(id)

    def wait_until(self, is_so: Callable[[], bool], timeout: Optional[float], events: int = select.POLLIN) -> bool:
        """False where it is not so in time; ConnectionLost where it cannot be any more."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._turn:
            while not is_so():
                if self._exchange.lost is not None:
                    raise ConnectionLost(str(self._exchange.lost))
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return False
                if self._is_read or self._is_away:
                    self._turn.wait(left)
                else:
                    self._read_for_all(left, events)
        return True

    def wake(self) -> None:
        """Has who waits look again."""
        with self._turn:
            self._turn.notify_all()

    def close(self, why: str) -> None:
        """Idempotent."""
        with self._turn:
            self._lose(why)

    def _ask(self, method: str, input: Mapping[str, Any], timeout: float) -> Any:
        replies: List[Reply] = []
        id, packet = self.prepare(method, input, replies.append)
        try:
            self.send(packet)
            if not self.wait_until(lambda: bool(replies), timeout):
                raise NoAnswer(f"The agent did not answer {method} within {timeout:g} s. Is it stopped?")
        except BaseException:
            self.forget(id)
            raise
        result, error, fds = replies[0]
        close_all(fds)
        if error is not None:
            raise error
        return result

    def _explain(self, refusal: AgentError) -> Optional[Error]:
        try:
            return skew(self._ask("status.get", {}, self.timeout)["version"], refusal)
        except (Error, LookupError, TypeError):
            return None

    def _try_send(self, packet: bytes) -> bool:
        if self._exchange.lost is not None:
            raise ConnectionLost(str(self._exchange.lost))
        if self._is_away:
            return False
        try:
            self._socket.send(packet, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            pass  # what there still is to read tells why
        except OSError as error:
            raise ConnectionLost(f"The connection to the agent takes no packet: {error}.") from error
        return True

    def _read_for_all(self, timeout: Optional[float], events: int) -> None:
        """Takes what comes next, if it comes in time. Others may send meanwhile, and wait."""
        self._is_read = True
        self._turn.release()
        try:
            poll = select.poll()
            poll.register(self._socket, events)
            poll.poll(None if timeout is None else timeout * 1000 + 1)
        finally:
            self._turn.acquire()
            self._is_read = False
            self._turn.notify_all()
        if self._exchange.lost is not None:
            self._socket.close()  # it was closed meanwhile, and this left to us
            return
        try:
            self._take_next()
        except BaseException:
            self._lose("Reading from the agent was interrupted half-way.")
            raise

    def _take_next(self) -> None:
        try:
            packet = receive(self._socket)
        except BlockingIOError:
            return
        except ConnectionResetError:
            return  # it left requests unread. Its last packet comes after this, and says why
        except (ConnectionLost, OSError) as error:
            return self._leave(str(error))
        if packet is None:
            self._leave(None)
        else:
            self._exchange.take(packet)

    def _leave(self, why: Optional[str]) -> None:
        """The agent has gone."""
        if not self._held:
            return self._lose(why)
        self._is_away = True
        self._exchange.interrupt(why)
        self._turn.notify_all()

    def _keep(self) -> None:
        while self._await_end():
            self._come_back()

    def _await_end(self) -> bool:
        """Until the agent has gone; False where the connection is over."""
        with self._turn:
            fd = self._socket.fileno()
        if fd >= 0:
            poll = select.poll()
            poll.register(fd, select.POLLRDHUP)
            poll.poll()
        with self._turn:
            while self._exchange.lost is None and not self._is_away:
                if self._is_read:
                    self._turn.wait()
                else:
                    self._take_next()  # what it had still sent, and then the end
            return self._exchange.lost is None

    def _come_back(self) -> None:
        uid, seconds = peer_uid(self._socket), max(self._held.values(), default=0)
        back = come_back(
            self._path, uid, lambda: self._held, seconds, self.timeout, lambda: self._exchange.lost is not None
        )
        with self._turn:
            if back is None:
                self._lose(None)
            elif self._exchange.lost is not None:
                back.connection.close()
            else:
                self._go_on(back)

    def _go_on(self, back: Return) -> None:
        self._held = {id: seconds for id, seconds in self._held.items() if id in back.resumed}
        self._socket.close()
        self._socket = back.connection
        self._is_away = False
        try:
            for packet in self._exchange.begin_anew():
                self._socket.send(packet, socket.MSG_NOSIGNAL)
        except OSError:
            pass  # it has gone again: that is seen next
        self._turn.notify_all()

    def _lose(self, why: Optional[str]) -> None:
        if self._exchange.lost is not None:
            return
        self._exchange.lose(why)
        try:
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes who reads for all
        except OSError:
            pass
        if not self._is_read:
            self._socket.close()
        self._turn.notify_all()

    def after_fork(self) -> None:
        """In the child: its copy of the socket would keep the parent's delegations alive beyond the parent."""
        self._turn = threading.Condition()  # another thread of the parent may hold the old one
        self._is_read = False
        self._is_away = False
        self._socket.close()
        self._exchange.lose(why_lost())
