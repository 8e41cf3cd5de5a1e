"""Packets: one JSON-RPC 2.0 object each, with descriptors beside it."""

import array
import json
import os
import socket
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from .errors import BadInput, ConnectionLost

MAX_PACKET = 65_536
MAX_FDS = 16


class Packet(NamedTuple):
    message: Dict[str, Any]
    fds: List[int]
    #: Descriptors came that could not be received.
    fds_lost: bool


def encode(id: int, method: str, input: Mapping[str, Any]) -> bytes:
    """Raises BadInput above what a packet may hold: the agent would end the connection."""
    request = {"jsonrpc": "2.0", "id": id, "method": method, "params": input}
    packet = json.dumps(request, allow_nan=False, separators=(",", ":")).encode()
    if len(packet) > MAX_PACKET:
        raise BadInput(
            f"{method} would take {len(packet)} bytes; a packet has {MAX_PACKET} at most. Ask for less at a time."
        )
    return packet


def receive(connection: socket.socket) -> Optional[Packet]:
    """The next packet; None at the end. BlockingIOError where none has come, ConnectionLost where it is none."""
    # Not socket.recv_fds: it ignores its flags, so programs that we start would inherit the memory.
    room = socket.CMSG_LEN(MAX_FDS * 4)
    data, control, flags, _ = connection.recvmsg(MAX_PACKET, room, socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT)
    fds = array.array("i")
    for level, kind, content in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    if not data:
        return None
    message = _parse(data) if not flags & socket.MSG_TRUNC else None
    if message is None:
        close_all(fds.tolist())
        raise ConnectionLost("What answers at the agent's socket sent a packet that is not the agent's protocol.")
    return Packet(message, fds.tolist(), bool(flags & socket.MSG_CTRUNC))


def close_all(fds: List[int]) -> None:
    for fd in fds:
        os.close(fd)


def _parse(data: bytes) -> Optional[Dict[str, Any]]:
    try:
        message = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None
