"""python.py SOCKET BUFFER CYCLES READS: prints the nanoseconds of a borrow and release (median), and of a read of 1 MiB."""

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients/python"))
import lendbuf  # noqa: E402

SIZE = 1 << 20
WARM_UP = 300


def borrow_once(client: lendbuf.Client, buffer: str) -> int:
    start = time.perf_counter_ns()
    client.borrow(buffer).release()
    return time.perf_counter_ns() - start


def main() -> None:
    path, buffer, cycles, reads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with lendbuf.connect(path) as client:
        for _ in range(WARM_UP):
            borrow_once(client, buffer)
        print(int(statistics.median(borrow_once(client, buffer) for _ in range(cycles))))
        with client.borrow("sim0/ddr") as buf:
            buf.write(0, bytes(SIZE))
            into = bytearray(SIZE)
            start = time.perf_counter_ns()
            for _ in range(reads):
                buf.read_into(0, into)
            print((time.perf_counter_ns() - start) // reads)


main()
