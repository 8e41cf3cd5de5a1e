"""Coming back to the agent that follows one that was lost, and that takes over what it had lent."""

import select
import socket
import time
from typing import Callable, Iterable, List, NamedTuple, Optional

from .errors import ConnectionLost
from .places import connect_to, peer_uid
from .wire import close_all, encode, receive

TRY_AGAIN_S = 0.05


class Return(NamedTuple):
    connection: socket.socket
    #: The delegations that live on.
    resumed: List[int]


def come_back(
    path: str, uid: int, held: Callable[[], Iterable[int]], seconds: float, timeout: float, is_over: Callable[[], bool]
) -> Optional[Return]:
    """Waits so long for another agent, and resumes there what is held. None where none comes, or nobody wants it."""
    end = time.monotonic() + seconds
    while not is_over():
        connection = _try(path, uid)
        if connection is not None:
            try:
                return Return(connection, _resume(connection, list(held()), timeout))
            except (ConnectionLost, OSError):
                connection.close()
        if time.monotonic() >= end:
            return None
        time.sleep(TRY_AGAIN_S)
    return None


def _try(path: str, uid: int) -> Optional[socket.socket]:
    """Nobody else's agent will do."""
    try:
        connection = connect_to(path)
    except OSError:
        return None
    if peer_uid(connection) == uid:
        return connection
    connection.close()
    return None


def _resume(connection: socket.socket, ids: List[int], timeout: float) -> List[int]:
    """Those that the agent still has."""
    resumed: List[int] = []
    for place, id in enumerate(ids, 1):
        connection.send(encode(place, "delegations.resume", {"id": id}), socket.MSG_NOSIGNAL)
        if "result" in _answer(connection, place, timeout):
            resumed.append(id)
    return resumed


def _answer(connection: socket.socket, id: int, timeout: float) -> "dict[str, object]":
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while poll.poll(timeout * 1000):
        try:
            packet = receive(connection)
        except BlockingIOError:
            continue
        if packet is None:
            break
        close_all(packet.fds)
        if packet.message.get("id") == id:
            return packet.message
    raise ConnectionLost("The agent did not take up again what it had lent.")
