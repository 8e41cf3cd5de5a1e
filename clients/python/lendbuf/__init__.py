"""Borrow device memory from a Lendbuf agent on this host. Standard library only.

    import lendbuf

    with lendbuf.borrow("sim0/ch0", for_="15m") as buf:
        samples = buf.read(0, 4096)

The memory can be taken away at any moment: then `read` and `write` raise `lendbuf.Revoked`. For asyncio there is
`lendbuf.aio`. README.md beside this package tells the whole story, docs/protocol.md of the repository what is spoken.
"""

from typing import Optional, Union

from .client import Client, connect
from .durations import Duration
from .errors import (
    AgentError,
    AgentTooNew,
    AgentTooOld,
    AlreadyClaimed,
    AlreadyExists,
    BadInput,
    BlastRadius,
    Busy,
    Cancelled,
    Closed,
    ConnectionLost,
    DeviceLost,
    Drained,
    Ended,
    Error,
    ExportFailed,
    InUse,
    Internal,
    Limit,
    NoAgent,
    NoAnswer,
    NotAllowed,
    NotFound,
    NotMappable,
    NotReady,
    NotYours,
    Overlap,
    ReadOnly,
    RemoteSystemError,
    Reserved,
    Revoked,
    StillTaken,
    StoreReadOnly,
    Suspended,
    UnknownMethod,
    UnreadClaim,
    Unsupported,
    VersionSkew,
    WrongDoor,
)
from .lease import Lease
from .records import BufferView, Delegation, Device, Event
from .subscription import Subscription
from .versions import __version__

__all__ = [
    "__version__",
    "AgentError",
    "AgentTooNew",
    "AgentTooOld",
    "AlreadyClaimed",
    "AlreadyExists",
    "BadInput",
    "BlastRadius",
    "borrow",
    "BufferView",
    "Busy",
    "Cancelled",
    "claim",
    "Client",
    "Closed",
    "connect",
    "ConnectionLost",
    "Delegation",
    "Device",
    "DeviceLost",
    "Drained",
    "Duration",
    "Ended",
    "Error",
    "Event",
    "ExportFailed",
    "Internal",
    "InUse",
    "Lease",
    "Limit",
    "NoAgent",
    "NoAnswer",
    "NotAllowed",
    "NotFound",
    "NotMappable",
    "NotReady",
    "NotYours",
    "Overlap",
    "ReadOnly",
    "RemoteSystemError",
    "Reserved",
    "Revoked",
    "StillTaken",
    "StoreReadOnly",
    "Subscription",
    "Suspended",
    "UnknownMethod",
    "UnreadClaim",
    "Unsupported",
    "VersionSkew",
    "WrongDoor",
]


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
) -> Lease:
    """Borrows a buffer over a connection of its own. It goes back when `with` is left, and when the process ends.

    read_only: a mapping that cannot be written, which others may have too.
    shared: together with others who share.
    for_: how long the lease is: seconds, "15m", "1h30m", a timedelta; else the agent chooses (an hour).
    keep: it stays when this process goes, for the rest of the lease, and can be claimed again (`claim`).
    wait: stand in line where it is taken: True, or for how long.
    purpose: a text for people, shown wherever they see who has what.
    exporter: by which the memory is lent, such as "staged" (a window that `sync` copies); else the device's first.
    path: the agent's socket.

    Raises NoAgent; Busy, StillTaken (`wait` is over), NotFound, and other kinds of AgentError.
    """
    client = connect(path)
    try:
        lease = client.borrow(
            buffer,
            read_only=read_only,
            shared=shared,
            for_=for_,
            keep=keep,
            wait=wait,
            purpose=purpose,
            exporter=exporter,
        )
    except BaseException:
        client.close()
        raise
    lease._owns_client = True
    return lease


def claim(id: int, *, path: Optional[str] = None) -> Lease:
    """Takes what was offered, or what was kept and whose client has gone, over a connection of its own."""
    client = connect(path)
    try:
        lease = client.claim(id)
    except BaseException:
        client.close()
        raise
    lease._owns_client = True
    return lease
