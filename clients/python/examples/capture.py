"""Captures from a channel of the simulated digitizer, and plots: with matplotlib if it is there, else in the terminal.

    python3 clients/python/examples/capture.py [sim0/ch0] [--samples 2000] [--seconds 2] [--save capture.png]

Exit codes: 0 captured, 3 the memory was taken back too early (what it has is plotted), 1 otherwise.
"""

import argparse
import sys
import time
from array import array
from importlib import import_module
from pathlib import Path
from typing import Any, List, Optional

try:
    import lendbuf
except ImportError:  # not installed: from the checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import lendbuf

TAKEN_BACK = 3
REFRESH_S = 0.02
#: So many samples in a row are not what they were by chance.
ALIKE = 64


def main() -> int:
    wishes = read_wishes()
    ring = array("h")
    heads: List[int] = []
    code = 0
    try:
        with lendbuf.borrow(wishes.buffer, read_only=True, for_="10m", wait="1m", purpose="capture.py") as buf:
            capture(buf, ring, heads, wishes.seconds)
    except lendbuf.Revoked as gone:
        print(f"{gone} What was captured before stays.", file=sys.stderr)
        code = TAKEN_BACK
    except lendbuf.Error as problem:
        print(problem, file=sys.stderr)
        return 1
    samples = newest(ring, heads[-1], wishes.samples) if heads else array("h")
    plot(samples, wishes.buffer, wishes.save)
    return code


def capture(buf: lendbuf.Lease, ring: "array[int]", heads: List[int], seconds: float) -> None:
    """Copies the ring again and again, and notes where it was written last."""
    ring.frombytes(buf.read())
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(REFRESH_S)
        now = array("h")
        now.frombytes(buf.read())
        head = find_head(ring, now)
        ring[:] = now
        if head is not None:
            heads.append(head)


def find_head(before: "array[int]", now: "array[int]") -> Optional[int]:
    """Where the next sample will be written: after the last one that changed."""
    if before == now:
        return None
    last = len(now) - 1
    while before[last] == now[last]:
        last -= 1
    first = 0
    while before[first] == now[first]:
        first += 1
    if first == 0 and last == len(now) - 1:  # it went around the end of the ring: what is unchanged lies in between
        while before[first : first + ALIKE] != now[first : first + ALIKE]:
            first += 1
        return first % len(now)
    return (last + 1) % len(now)


def newest(ring: "array[int]", head: int, count: int) -> "array[int]":
    return array("h", [ring[(head - count + i) % len(ring)] for i in range(min(count, len(ring)))])


def plot(samples: "array[int]", title: str, save: Optional[str]) -> None:
    if not samples:
        print(f"{title}: nothing was captured.")
        return
    print(f"{title}: {len(samples)} samples, {min(samples)} to {max(samples)}")
    try:
        if save is None and not sys.stdout.isatty():
            raise ImportError
        pyplot: Any = import_module("matplotlib.pyplot")
    except ImportError:
        draw(samples)
        return
    pyplot.plot(samples)
    pyplot.title(title)
    if save is None:
        pyplot.show()
    else:
        pyplot.savefig(save)


def draw(samples: "array[int]", columns: int = 78, rows: int = 16) -> None:
    """In characters: each column spans the samples that fall on it, so that no peak is lost."""
    low, high = min(samples), max(samples)
    picture = [[" "] * columns for _ in range(rows)]
    for column in range(columns):
        start = column * len(samples) // columns
        part = samples[start : max(start + 1, (column + 1) * len(samples) // columns)]
        top, bottom = ((high - value) * (rows - 1) // max(1, high - low) for value in (max(part), min(part)))
        for row in range(top, bottom + 1):
            picture[row][column] = "*"
    print("\n".join("".join(line).rstrip() for line in picture))


def read_wishes() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Captures from a channel, and plots.")
    parser.add_argument("buffer", nargs="?", default="sim0/ch0")
    parser.add_argument("--samples", type=int, default=2000, help="how many of the newest are plotted")
    parser.add_argument("--seconds", type=float, default=2, help="how long to capture")
    parser.add_argument("--save", metavar="FILE", help="write the picture there instead of showing it (matplotlib)")
    wishes = parser.parse_args()
    if wishes.samples < 1 or wishes.seconds <= 0:
        parser.error("there must be something to capture")
    return wishes


if __name__ == "__main__":
    sys.exit(main())
