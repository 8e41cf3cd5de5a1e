"""A client that does what it is told, also what no client should: JSON commands come in by line, JSON answers go out by line."""
import array, errno, json, os, select, socket, sys

sockets = []


def connect(path, count=1):
    for _ in range(count):
        one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        one.connect(path)
        sockets.append(one)
    return {"connected": len(sockets)}


def storm(path, count):
    """Connects and goes away, over and over."""
    for _ in range(count):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
            one.connect(path)
    return {"connected": count}


def send(text=None, hex=None, repeat=1, fds=0, credentials=False, to=-1):
    packet = (bytes.fromhex(hex) if hex is not None else text.encode("utf-8", "surrogatepass")) * repeat
    control = []
    if fds:
        null = os.open("/dev/null", os.O_RDONLY)
        control.append((socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null] * fds)))
    if credentials:
        control.append((socket.SOL_SOCKET, socket.SCM_CREDENTIALS, array.array("i", [os.getpid(), os.getuid(), os.getgid()])))
    sent = sockets[to].sendmsg([packet], control, socket.MSG_NOSIGNAL)
    if fds:
        os.close(null)
    return {"sent": sent}


def receive(to=-1, control=64, timeout=5):
    if not select.select([sockets[to]], [], [], timeout)[0]:
        return {"silence": True}
    packet, ancillary, flags, _ = sockets[to].recvmsg(70000, control, socket.MSG_CMSG_CLOEXEC)
    if not packet:
        return {"end": True}
    fds = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    for fd in fds:
        os.close(fd)
    return {"text": packet.decode(), "fds": len(fds), "truncated": bool(flags & socket.MSG_CTRUNC)}


def drain(to=-1, idle=0.3):
    """Receives until nothing more comes; tells the last state of each subscription by its total."""
    packets, totals = 0, {}
    while select.select([sockets[to]], [], [], idle)[0]:
        packet = json.loads(sockets[to].recv(70000))
        packets += 1
        if packet.get("method") == "event" and "data" in packet["params"]:
            totals[packet["params"]["subscription"]] = packet["params"]["data"]["total"]
    return {"packets": packets, "totals": list(totals.values())}


def close(to=-1):
    sockets.pop(to).close()
    return {}


def run():
    commands = {"connect": connect, "storm": storm, "send": send, "receive": receive, "drain": drain, "close": close}
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = commands[command.pop("do")](**command)
        except OSError as error:
            answer = {"error": errno.errorcode.get(error.errno, str(error))}
        print(json.dumps(answer), flush=True)


run()
