"""Where the agent is, and how to reach it."""

import errno
import grp
import os
import socket
import struct
from typing import List, Mapping, Optional, Tuple

from .errors import NoAgent

SYSTEM_SOCKET = "/run/lendbuf/agent.sock"
#: How long an agent may let us wait for a place in its backlog: struct timeval.
BACKLOG_WAIT = struct.pack("@ll", 2, 0)


def candidates(environment: Mapping[str, str], uid: int) -> List[str]:
    """Where a client looks, in order."""
    told = environment.get("LENDBUF_SOCKET")
    if told:
        return [told]
    if uid == 0:
        return [SYSTEM_SOCKET]
    runtime = environment.get("XDG_RUNTIME_DIR")
    own = f"{runtime}/lendbuf" if runtime else f"/tmp/lendbuf-{uid}"
    return [f"{own}/agent.sock", SYSTEM_SOCKET]


def open_socket(path: Optional[str] = None) -> Tuple[str, socket.socket]:
    """Connects to the agent at `path`, or else to this user's or the system's. Raises NoAgent."""
    places = [path] if path else candidates(os.environ, os.getuid())
    failures: List[Tuple[str, OSError]] = []
    for place in places:
        try:
            connection = connect_to(place)
        except OSError as error:
            failures.append((place, error))
            continue
        # The first of several is where anybody may have been before (/tmp); the system's directory belongs to root.
        if place != places[-1]:
            _refuse_stranger(place, connection)
        return place, connection
    raise _no_agent(failures)


def connect_to(path: str) -> socket.socket:
    """Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, BACKLOG_WAIT)
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def peer_uid(connection: socket.socket) -> int:
    """Whose agent it is, as the kernel knows it."""
    size = struct.calcsize("3i")
    return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1])


def _refuse_stranger(path: str, connection: socket.socket) -> None:
    owner = peer_uid(connection)
    if owner in (os.getuid(), 0):
        return
    connection.close()
    raise NoAgent(
        "EPERM",
        f"Whoever answers at {path} is uid {owner}, neither you nor root. "
        "Set LENDBUF_SOCKET to that path if you trust it.",
    )


def _no_agent(failures: List[Tuple[str, OSError]]) -> NoAgent:
    for path, error in failures:
        if error.errno == errno.EACCES:
            return NoAgent("EACCES", f"Permission denied (EACCES) at the agent's socket {path}. {_who_may(path)}")
    tried = " or ".join(f"{path} ({_code(error)})" for path, error in failures)
    return NoAgent(
        _code(failures[-1][1]),
        f"No agent answers at {tried}. Start one, or set LENDBUF_SOCKET to where it listens.",
    )


def _code(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, str(error))


def _who_may(path: str) -> str:
    try:
        gid = os.stat(path).st_gid
    except OSError:
        return "Not even its directory may be searched: ask whoever runs the agent, or set LENDBUF_SOCKET."
    try:
        group = grp.getgrgid(gid).gr_name
    except KeyError:
        group = f"with id {gid}"
    return f"It is open to members of the group {group}: have yourself added to it (usermod -aG), and log in anew."
