"""A program that borrows with lendbuf, as it is told: program.ts has the orders and their answers."""

import json
import queue
import sys
from typing import Callable, Dict, Optional

import lendbuf

agent: Optional[lendbuf.Client] = None
lease: Optional[lendbuf.Lease] = None
told: "queue.Queue[lendbuf.Event]" = queue.Queue()


def connected() -> lendbuf.Client:
    assert agent is not None
    return agent


def borrowed() -> lendbuf.Lease:
    assert lease is not None
    return lease


def say(*words: object) -> None:
    print(*words, flush=True)


def connect(path: str) -> str:
    global agent
    if agent is not None:
        agent.close()
    agent = lendbuf.connect(path)
    return ""


def borrow(buffer: str, for_ms: str, wait_ms: str, access: str, exporter: str, *purpose: str) -> str:
    global lease, told
    if lease is not None:
        lease.close()
    lease = connected().borrow(
        buffer,
        read_only=access == "read-only",
        for_=None if for_ms == "0" else f"{for_ms}ms",
        wait={"0": False, "-1": True}.get(wait_ms, f"{wait_ms}ms"),
        exporter=None if exporter == "-" else exporter,
        purpose=" ".join(purpose) or None,
    )
    told = queue.Queue()
    lease.on_event(told.put)
    return json.dumps({"id": lease.id, "size": lease.size})


def record() -> str:
    return json.dumps(borrowed().delegation)


def read(offset: str, length: str) -> str:
    return borrowed().read(int(offset), int(length)).hex()


def write(offset: str, digits: str) -> str:
    borrowed().write(int(offset), bytes.fromhex(digits))
    return ""


def read_on(offset: str, digits: str) -> str:
    expected = bytes.fromhex(digits)
    reads = 0
    while borrowed().read(int(offset), len(expected)) == expected:
        if reads == 0:
            say("reading")
        reads += 1
    raise AssertionError(f"After {reads} reads there are other bytes.")


def sync(direction: str, offset: str, length: str) -> str:
    borrowed().sync(direction, int(offset), int(length))
    return ""


def extend(by_ms: str) -> str:
    return str(borrowed().extend(f"{by_ms}ms")["expiresAt"])


def hear() -> str:
    kind, now = told.get()
    ending = now["ending"]
    return f"{kind} {now['reason'] or (ending and ending['reason']) or '-'}"


def release() -> str:
    borrowed().release()
    return ""


ORDERS: Dict[str, Callable[..., str]] = {
    "connect": connect,
    "borrow": borrow,
    "record": record,
    "read": read,
    "write": write,
    "read-on": read_on,
    "sync": sync,
    "extend": extend,
    "hear": hear,
    "release": release,
}

for line in sys.stdin:
    order, *words = line.split()
    try:
        say("ok", ORDERS[order](*words))
    except Exception as error:
        say("no", type(error).__name__, str(error).replace("\n", " "))
if lease is not None:
    lease.close()
if agent is not None:
    agent.close()
