"""worker.py SOCKET: a client that does what it is told, a JSON line each, on the Python client: see worker.ts."""

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "clients/python"))
import lendbuf  # noqa: E402

leases = []


def touch(lease, how):
    try:
        if how == "read":
            lease.read(0, 1)
        else:
            lease.write(0, b"1")
        return "ok"
    except lendbuf.Revoked:
        return "EFAULT"
    except lendbuf.Error as error:
        return type(error).__name__


def borrow(client, wish):
    return client.borrow(
        wish["buffer"],
        read_only=wish["access"] == "read-only",
        for_=wish["leaseMs"] / 1000,
        keep=wish["keep"],
        purpose=wish["purpose"],
    )


def obey(client, command):
    what = command["do"]
    if what in ("read", "write"):
        return {"touched": touch(leases[command["handle"]], what)}
    if what == "forget":
        leases[command["handle"]].close()
        return {}
    if what == "call":
        return {"result": client.call(command["method"], **command["input"])}
    lease = borrow(client, command["input"]) if what == "borrow" else client.claim(command["input"]["id"])
    leases.append(lease)
    return {"result": {"delegation": lease.delegation}, "handle": len(leases) - 1}


def answer(client, command):
    try:
        return obey(client, command)
    except lendbuf.ConnectionLost as error:
        return {"lost": str(error)}
    except lendbuf.AgentError as error:
        return {"error": {"code": error.code, "message": str(error)}}
    except lendbuf.Error as error:
        return {"error": {"code": type(error).__name__, "message": str(error)}}


def main():
    try:
        client = lendbuf.connect(sys.argv[1])
    except lendbuf.Error as error:
        print(json.dumps({"lost": str(error)}), flush=True)
        return
    print(json.dumps({"connected": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(client, json.loads(line))), flush=True)


main()
