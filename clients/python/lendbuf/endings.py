"""Why memory cannot be reached, in a type and in words."""

import errno
from typing import Optional

from .errors import Error, NotMappable, Revoked, Suspended
from .memory import Unreachable
from .records import Delegation

#: How many seconds a read that failed waits for the agent to say why.
REASON_S = 2.0

REASONS = {
    "operator": "an operator revoked it",
    "expired": "the lease is over",
    "released": "it was given back",
    "disconnected": "the connection that had claimed it ended",
    "panic": "an operator ended everything",
    "device-lost": "the device, or the process that holds it, went away",
    "agent-restart": "the agent ended",
    "collateral": "the whole device had to be taken back",
}


def why_gone(name: str, cause: Unreachable, now: Optional[Delegation], problem: Optional[Exception]) -> Error:
    """`now` is the delegation as the agent describes it, or `problem` why it does not."""
    if now is None:
        return Revoked(f"The memory of {name} was taken back. The agent cannot be asked why: {problem}", None, None)
    which = f"delegation {now['id']} of {name}"
    if now["state"] != "active":
        reason = now["reason"]
        words = REASONS.get(reason or "", "the agent says no more")
        return Revoked(f"The memory of {which} was taken back ({reason}): {words}. Borrow it again.", reason, now)
    if now["suspended"]:
        return Suspended(f"The device took the memory of {which} away for now. Try again when it is back.")
    if not cause.was_mapped:
        code = errno.errorcode.get(cause.errno, str(cause.errno))
        return NotMappable(
            f"The memory of {which} cannot be mapped into a process: the export's mmap answers {code}. Borrow it "
            'with exporter="staged", or import its fd into a device; `lendbuf doctor` says what this kernel lacks.'
        )
    return Revoked(f"The memory of {which} is gone from here: it was claimed anew elsewhere.", None, now)
