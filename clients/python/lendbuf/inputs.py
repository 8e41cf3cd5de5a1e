"""What callers say, as the agent takes it."""

from typing import Any, Dict, List, Mapping, Optional, Union

from .durations import Duration, milliseconds

#: How many seconds the agent has to say that it took a place in line back.
CANCEL_S = 5.0
#: The methods whose reply brings a descriptor.
LENDING = ("delegations.borrow", "delegations.claim")


def borrow_input(
    buffer: str,
    read_only: bool,
    shared: bool,
    for_: Optional[Duration],
    keep: bool,
    wait: Union[bool, Duration],
    purpose: Optional[str],
    exporter: Optional[str],
) -> Dict[str, Any]:
    """What is left out is the agent's to choose, also by one that does not know it yet."""
    input: Dict[str, Any] = {"buffer": buffer, "access": "read-only" if read_only else "read-write"}
    if shared:
        input["share"] = "shared"
    if for_ is not None:
        input["leaseMs"] = milliseconds(for_)
    if keep:
        input["keep"] = True
    if wait is not False:
        input["wait"] = True
    if purpose is not None:
        input["purpose"] = purpose
    if exporter is not None:
        input["exporter"] = exporter
    return input


def patience(wait: Union[bool, Duration]) -> Optional[float]:
    """How many seconds to stand in line; None without a limit."""
    return None if wait is True else milliseconds(wait) / 1000


def sync_input(id: int, direction: str, offset: int, length: Optional[int], width: int) -> Dict[str, Any]:
    input = {"id": id, "direction": direction, "offset": offset, "width": width}
    return input if length is None else {**input, "length": length}


def poke_input(name: str, offset: int, value: int, width: int) -> Dict[str, Any]:
    if not 0 <= value < 1 << width:
        raise ValueError(f"{value:#x} does not fit into {width} bits.")
    return {"name": name, "offset": offset, "width": width, "value": f"{value:#x}"}


def words_of(peeked: Mapping[str, Any]) -> List[int]:
    return [int(value, 16) for value in peeked["values"]]
