"""What a child process must not do with what it inherits."""

import os
import weakref
from typing import Any

_open: "weakref.WeakSet[Any]" = weakref.WeakSet()


def disown_in_child(connection: Any) -> None:
    """Has `connection.after_fork()` called in every child that is forked while it lives."""
    _open.add(connection)


def why_lost() -> str:
    return f"The connection belongs to process {os.getppid()}, which opened it, not to its child. Connect anew."


def _after_fork() -> None:
    for connection in list(_open):
        connection.after_fork()


os.register_at_fork(after_in_child=_after_fork)
