# Does with the memory on descriptor 3 what clients do and descriptors do not show: argv[1] says what. Prints the pids that a test asks about, and
# stays until its stdin ends.
import ctypes, os, socket, sys

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]


def map_only():
    """Mapped, and no descriptor left; mmap of Python's own keeps one."""
    assert libc.mmap(None, 4096, 1, 1, 3, 0) != ctypes.c_void_p(-1).value
    os.close(3)


def stay(stdin=0):
    while os.read(stdin, 1):
        pass
    os._exit(0)


def fork():
    """A child that was never handed anything: it inherits the mapping."""
    map_only()
    child = os.fork()
    if child == 0:
        stay()
    print(os.getpid(), child, flush=True)


def passed():
    """Sent on to another process, and closed here."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        os.close(3)
        socket.recv_fds(theirs, 1, 1)
        theirs.send(b"x")
        stay()
    # The child closes its inherited copy before it receives another.
    socket.send_fds(ours, [b"x"], [3])
    os.close(3)
    theirs.close()
    ours.recv(1)
    print(os.getpid(), child, flush=True)


def in_flight():
    """Sent, and not received: no process has it open."""
    global kept
    kept = socket.socketpair()
    socket.send_fds(kept[0], [b"x"], [3])
    os.close(3)
    print(os.getpid(), flush=True)


{"fork": fork, "passed": passed, "in-flight": in_flight}[sys.argv[1]]()
stay()
