"""The mapping of an export."""

import errno
import mmap
import os
from contextlib import contextmanager
from typing import Iterator, Optional

from .errors import Closed
from .pipe import Pipe, lent_pipe


class Unreachable(Exception):
    """The kernel does not let us at the memory. Only the agent knows why."""

    def __init__(self, errno: int, was_mapped: bool) -> None:
        super().__init__(os.strerror(errno))
        self.errno = errno
        self.was_mapped = was_mapped


class Memory:
    """Owns the descriptor of an export and the mapping made of it. Nothing here but `raw_view` can raise SIGBUS.

    An export that cannot be mapped still has a descriptor to pass on, so what mmap answered comes at the first access.
    """

    def __init__(self, fd: int, size: int, writable: bool) -> None:
        self.size = size
        self._fd: Optional[int] = fd
        self._mapping: Optional[mmap.mmap] = None
        self._obstacle: Optional[Unreachable] = None
        try:
            protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
            self._mapping = mmap.mmap(fd, size, flags=mmap.MAP_SHARED, prot=protection)
        except OSError as error:
            self._obstacle = Unreachable(error.errno or 0, was_mapped=False)
        except ValueError:  # mmap looks at the size first: a memfd that was cut meanwhile is too small
            self._obstacle = Unreachable(errno.EFAULT, was_mapped=True)

    @property
    def fd(self) -> int:
        if self._fd is None:
            raise Closed("The memory was closed here.")
        return self._fd

    def read_into(self, offset: int, target: memoryview) -> None:
        """Raises Unreachable once it was revoked."""
        source = self._part(offset, len(target))
        with _copying() as pipe:
            pipe.copy(source, target)

    def write(self, offset: int, data: memoryview) -> None:
        """Raises Unreachable once it was revoked."""
        target = self._part(offset, len(data))
        with _copying() as pipe:
            pipe.copy(data, target)

    def raw_view(self) -> memoryview:
        return self._part(0, self.size)

    def close(self) -> None:
        """Idempotent. A copy that is under way, or a raw view, keeps the mapping until it is gone."""
        fd, self._fd = self._fd, None
        mapping, self._mapping = self._mapping, None
        if fd is not None:
            os.close(fd)
        if mapping is not None:
            try:
                mapping.close()
            except BufferError:
                pass  # the last view to go unmaps it

    def check(self, offset: int, length: int) -> None:
        """Raises ValueError where that is not all within."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ValueError(f"{length} bytes at {offset} do not lie within the {self.size} bytes that are lent.")

    def _part(self, offset: int, length: int) -> memoryview:
        self.check(offset, length)
        mapping = self._mapping
        if self._fd is None:
            raise Closed("The memory was released or closed here. Borrow it again.")
        if mapping is None:
            raise self._obstacle or Closed("The memory was closed here.")
        return memoryview(mapping)[offset : offset + length]


@contextmanager
def _copying() -> Iterator[Pipe]:
    try:
        with lent_pipe() as pipe:
            yield pipe
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise
        raise Unreachable(errno.EFAULT, was_mapped=True) from error
