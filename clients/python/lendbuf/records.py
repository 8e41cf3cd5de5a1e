"""What the agent answers with, as docs/protocol.md defines it. A newer agent may add fields."""

from typing import Any, Dict, List, NamedTuple, Optional, TypedDict, Union


class Process(TypedDict):
    pid: int
    uid: int
    command: Optional[str]


class Ending(TypedDict):
    """An end that was announced and is still to come."""

    reason: str
    at: int
    told: int


class Revocation(TypedDict):
    attempts: int
    method: str
    lastErrno: Optional[str]
    waitingFor: Optional[str]
    unproven: bool
    since: int


class Proof(TypedDict):
    """How it was confirmed that nobody reaches the memory any more."""

    method: str
    scope: str
    by: str
    answer: str
    probe: str
    durationUs: Optional[float]


class Delegation(TypedDict):
    """One client's right to one buffer. Sizes are bytes, times milliseconds since 1970."""

    id: int
    buffer: str
    device: str
    account: str
    requestedBy: str
    state: str
    reason: Optional[str]
    access: str
    share: str
    keep: bool
    purpose: Optional[str]
    priority: int
    idleMs: Optional[int]
    exporter: Optional[str]
    size: int
    leaseMs: int
    requestedAt: int
    offeredAt: Optional[int]
    claimedAt: Optional[int]
    endedAt: Optional[int]
    offerEndsAt: Optional[int]
    expiresAt: Optional[int]
    position: Optional[int]
    expectedAt: Optional[int]
    client: Optional[Process]
    ending: Optional[Ending]
    revocation: Optional[Revocation]
    proof: Optional[Proof]
    suspended: bool
    renews: Optional[int]
    reservation: Optional[int]
    until: Optional[int]
    unrecorded: bool


class Range(TypedDict):
    offset: int
    length: int


class Occupant(TypedDict):
    id: int
    account: str
    state: str
    share: str
    expiresAt: Optional[int]


class Pattern(TypedDict):
    pattern: str
    width: int


class Hold(TypedDict):
    reason: str
    since: int


class BufferView(TypedDict):
    name: str
    device: str
    region: int
    ranges: List[Range]
    share: str
    scrub: Union[str, Pattern]
    description: str
    tags: List[str]
    size: int
    builtin: bool
    state: str
    current: List[Occupant]
    occupied: int
    waiting: int
    held: Optional[Hold]


class Rung(TypedDict):
    method: str
    scope: str
    works: bool
    errno: Optional[str]
    detail: str


class Capability(TypedDict):
    """What an exporter can do with a device here, as its self-test found."""

    exporter: str
    works: bool
    detail: str
    method: Optional[str]
    scope: str
    rungs: List[Rung]
    mappable: bool


class Drain(TypedDict):
    """Nothing new of a device is lent for now."""

    reason: str
    until: Optional[int]
    since: int
    by: str


class Device(TypedDict):
    name: str
    kind: str
    description: str
    state: str
    problem: Optional[str]
    regions: List[Dict[str, Any]]
    exporters: List[Capability]
    access: Optional[str]
    suspended: bool
    drained: Optional[Drain]
    pci: Optional[Dict[str, Any]]
    warden: Optional[Dict[str, Any]]


class Event(NamedTuple):
    """Something that happened to a delegation, and what it is since then.

    `kind` is one of: "ending" (an end was announced: `delegation["ending"]`), "extended", "suspended", "resumed",
    "revoking" (its end was decided: `delegation["reason"]`), "revoked" (the kernel has confirmed it), and "lost" (the
    connection to the agent was; the memory goes with it, and nobody is left to confirm that).
    """

    kind: str
    delegation: Delegation


def events_between(before: Delegation, now: Delegation) -> List[Event]:
    """What must have happened. States that were overtaken are not seen, so neither are their events."""
    if now["state"] in ("revoked", "cancelled"):
        return [Event("revoked", now)]
    kinds = []
    if now["state"] == "revoking" and before["state"] != "revoking":
        kinds.append("revoking")
    if (now["expiresAt"] or 0) > (before["expiresAt"] or 0):
        kinds.append("extended")
    if now["ending"] is not None and now["ending"] != before["ending"]:
        kinds.append("ending")
    if now["suspended"] != before["suspended"]:
        kinds.append("suspended" if now["suspended"] else "resumed")
    return [Event(kind, now) for kind in kinds]
