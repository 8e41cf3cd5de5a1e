"""What a lease is, whether threads or an event loop wait for the agent."""

import warnings
from typing import Optional, Union

from .errors import ReadOnly
from .memory import Memory
from .records import Delegation

#: What bytes can be read from: bytes, bytearray, memoryview, array, a NumPy array, …
Bytes = Union[bytes, bytearray, memoryview]


class Lent:
    """Owns the descriptor and the mapping."""

    _memory: Optional[Memory] = None  # until __init__ has made it, for the destructor

    def __init__(self, delegation: Delegation, fd: int, size: int) -> None:
        #: As it was when it was claimed.
        self.delegation = delegation
        #: Bytes.
        self.size = size
        self.writable = delegation["access"] == "read-write"
        self._memory = Memory(fd, size, self.writable)
        self._is_closed = False

    @property
    def id(self) -> int:
        """The delegation's."""
        return self.delegation["id"]

    @property
    def name(self) -> str:
        """The buffer's."""
        return self.delegation["buffer"]

    @property
    def memory(self) -> Memory:
        assert self._memory is not None
        return self._memory

    @property
    def fd(self) -> int:
        """For passing on, to a device or a process. Stays the lease's to close."""
        return self.memory.fd

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self.id} of {self.name}, {self.size} bytes>"

    def _room_for(self, offset: int, length: Optional[int]) -> bytearray:
        """Nothing is allocated for what cannot be read."""
        if length is None:
            length = max(0, self.size - offset)
        self.memory.check(offset, length)
        return bytearray(length)

    def _data_for(self, data: Bytes) -> memoryview:
        if not self.writable:
            raise ReadOnly(f"{self.name} was borrowed read-only. To write, borrow it without read_only.")
        return memoryview(data).cast("B")

    def _close_memory(self) -> None:
        self._is_closed = True
        self.memory.close()

    def _warn_of_leak(self) -> None:
        """For a destructor; a lease that was forgotten holds the memory from others."""
        if self._memory is not None and not self._is_closed:
            warnings.warn(f"{self!r} was never given back: use it in a with statement", ResourceWarning, 3, self)
            self._memory.close()
