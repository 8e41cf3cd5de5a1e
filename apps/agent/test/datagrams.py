"""Receives datagrams at a unix socket, as systemd does, and prints each as a line of base64. On SIGUSR1 it reads no more."""
import base64
import os
import signal
import socket
import sys

receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
path = sys.argv[1]
if not path.startswith("@") and os.path.exists(path):
    os.unlink(path)
receiver.bind("\0" + path[1:] if path.startswith("@") else path)
signal.signal(signal.SIGUSR1, lambda *_: signal.pause())
print("bound", flush=True)
while True:
    print(base64.b64encode(receiver.recv(1 << 20)).decode(), flush=True)
