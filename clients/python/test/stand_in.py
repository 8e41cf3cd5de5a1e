"""Answers in the agent's place what the agent of this host never would.

Other versions, broken packets, exports that cannot be mapped.
"""

import json
import os
import shutil
import socket
import tempfile
import threading
from typing import Any, Callable, Dict, List, Optional


DELEGATION = {
    "id": 1, "buffer": "x", "access": "read-write", "state": "active", "reason": None, "suspended": False,
    "expiresAt": 1, "ending": None,
}  # fmt: skip


def reply(id: Any, result: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": id, "result": result}).encode()


def refusal(id: Any, code: str, message: str, **data: Any) -> bytes:
    error = {"code": -32000, "message": message, "data": {"code": code, **data}}
    return json.dumps({"jsonrpc": "2.0", "id": id, "error": error}).encode()


class StandIn:
    """Listens, and answers each request of one client as `answer` says."""

    def __init__(self, answer: Callable[[Any, str, Dict[str, Any]], Optional[List[Any]]]) -> None:
        self.folder = tempfile.mkdtemp(prefix="lendbuf-test-")
        self.path = os.path.join(self.folder, "agent.sock")
        self.asked: List[str] = []
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(self.path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        with client:
            while True:
                try:
                    packet = client.recv(65536)
                except ConnectionResetError:  # it left with answers unread
                    return
                if not packet:
                    return
                request = json.loads(packet)
                self.asked.append(request["method"])
                answers = self._answer(request["id"], request["method"], request["params"])
                if answers is None:
                    return
                for answer in answers:
                    text, fds = answer if isinstance(answer, tuple) else (answer, [])
                    socket.send_fds(client, [text], fds) if fds else client.send(text)

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        shutil.rmtree(self.folder)
