"""Copies between memory that may be taken away at any moment and memory of our own.

Python code that touches a mapping dies of SIGBUS once it was revoked. The kernel that touches it for a system call
answers EFAULT instead, so it copies here: into a pipe, and out of it.
"""

import os
from contextlib import contextmanager
from typing import Iterator, List

#: What a pipe holds unless told otherwise. The kernel may give less: a write is then short.
CHUNK = 65_536
SPARE = 4

_spare: List["Pipe"] = []


class Pipe:
    """For one thread at a time; empty whenever it is not in use."""

    def __init__(self) -> None:
        # A pipe that never blocks: whatever goes wrong with it must not hang the caller.
        self.reader, self.writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def copy(self, source: memoryview, target: memoryview) -> None:
        """All of `source` into as many bytes of `target`. EFAULT where either was revoked; part may be copied."""
        done = 0
        while done < len(source):
            end = done + os.write(self.writer, source[done : done + CHUNK])
            while done < end:
                done += os.readv(self.reader, [target[done:end]])

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


@contextmanager
def lent_pipe() -> Iterator[Pipe]:
    """One that no other thread uses meanwhile."""
    try:
        pipe = _spare.pop()  # atomic, so no lock that a fork could leave locked
    except IndexError:
        pipe = Pipe()
    try:
        yield pipe
    except BaseException:
        pipe.close()  # something may be left in it
        raise
    if len(_spare) < SPARE:
        _spare.append(pipe)
    else:
        pipe.close()


def _after_fork() -> None:
    """The spare pipes are the parent's too; a child that wrote into one would mix its bytes with the parent's."""
    while _spare:
        _spare.pop().close()


os.register_at_fork(after_in_child=_after_fork)
