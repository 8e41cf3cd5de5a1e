"""What can go wrong, told apart by type. A message says what was asked, what is in the way, and what to do."""

from typing import Any, Dict, List, Mapping, Optional, Type

from .records import Delegation


class Error(Exception):
    """Whatever this module says no with."""


class NoAgent(Error):
    """No agent could be reached. `code` is what the last place answered: ENOENT, ECONNREFUSED, EACCES, …"""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ConnectionLost(Error):
    """The agent went away, or the connection was closed. What was claimed through it ends, unless it is kept."""


class NoAnswer(Error, TimeoutError):
    """The agent did not answer in time. What was asked may have been done, or not."""


class StillTaken(Error, TimeoutError):
    """The time to stand in line is over, and the buffer is still taken. The place in line was given up."""


class Closed(Error, ValueError):
    """It was released or closed here before."""


class Revoked(Error):
    """The memory was taken back. What was read before stays; what was written before may or may not have arrived."""

    def __init__(self, message: str, reason: Optional[str], delegation: Optional[Delegation]) -> None:
        super().__init__(message)
        #: Why, in the agent's word ("expired", "operator", …); None where it can no longer be asked.
        self.reason = reason
        #: The delegation as the agent last described it; None where it can no longer be asked.
        self.delegation = delegation


class Suspended(Error):
    """The device took the memory away for now (a reset, low power). The delegation lives: try again later."""


class NotMappable(Error):
    """The export cannot be mapped into a process on this host; a device can import its `fd` all the same."""


class ReadOnly(Error):
    """Writing to what was borrowed read-only."""


class VersionSkew(Error):
    """The agent and this client are too far apart for what was asked. The agent's own words are its `__cause__`."""

    def __init__(self, message: str, agent_version: str) -> None:
        super().__init__(message)
        self.agent_version = agent_version


class AgentTooOld(VersionSkew):
    """The agent is older than this client and does not know what was asked."""


class AgentTooNew(VersionSkew):
    """The agent is of a later major version, which may have dropped or changed what was asked."""


class RemoteSystemError(Error):
    """A system call failed in the agent."""

    def __init__(self, code: str, errno: int, syscall: str, message: str) -> None:
        super().__init__(message)
        #: The errno's name: ENOSPC, …
        self.code = code
        self.errno = errno
        self.syscall = syscall


class AgentError(Error):
    """The agent refused. Each `code` of docs/protocol.md has a class; one that is newer than this client has this."""

    code = "INTERNAL"

    def __init__(self, message: str, code: Optional[str] = None, issues: Optional[List[Dict[str, Any]]] = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        #: What is wrong with which field, each with a `path` and a `message`.
        self.issues = issues or []


class BadInput(AgentError):
    code = "BAD_INPUT"


class UnknownMethod(AgentError):
    code = "UNKNOWN_METHOD"


class NotFound(AgentError):
    code = "NOT_FOUND"


class NotYours(AgentError):
    code = "NOT_YOURS"


class NotAllowed(AgentError):
    code = "NOT_ALLOWED"


class WrongDoor(AgentError):
    code = "WRONG_DOOR"


class Busy(AgentError):
    code = "BUSY"


class Reserved(AgentError):
    code = "RESERVED"


class Drained(AgentError):
    code = "DRAINED"


class NotReady(AgentError):
    code = "NOT_READY"


class Ended(AgentError):
    code = "ENDED"


class AlreadyClaimed(AgentError):
    code = "ALREADY_CLAIMED"


class AlreadyExists(AgentError):
    code = "ALREADY_EXISTS"


class Overlap(AgentError):
    code = "OVERLAP"


class InUse(AgentError):
    code = "IN_USE"


class BlastRadius(AgentError):
    code = "BLAST_RADIUS"


class Unsupported(AgentError):
    code = "UNSUPPORTED"


class Limit(AgentError):
    code = "LIMIT"


class UnreadClaim(AgentError):
    code = "UNREAD_CLAIM"


class StoreReadOnly(AgentError):
    code = "STORE_READ_ONLY"


class DeviceLost(AgentError):
    code = "DEVICE_LOST"


class ExportFailed(AgentError):
    code = "EXPORT_FAILED"


class Cancelled(AgentError):
    code = "CANCELLED"


class Internal(AgentError):
    code = "INTERNAL"


BY_CODE: Dict[str, Type[AgentError]] = {refusal.code: refusal for refusal in AgentError.__subclasses__()}


def from_wire(error: Mapping[str, Any]) -> Error:
    """The `error` of a reply."""
    data = error.get("data") or {}
    code, message = str(data.get("code", "INTERNAL")), str(error.get("message", "The agent did not say why."))
    if isinstance(data.get("errno"), int):
        return RemoteSystemError(code, data["errno"], str(data.get("syscall", "")), message)
    refusal = BY_CODE.get(code)
    return refusal(message, issues=data.get("issues")) if refusal else AgentError(message, code)
