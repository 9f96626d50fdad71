# SPDX-License-Identifier: Apache-2.0
"""A gate between Holdfast and a TDengine server: it passes everything on, and holds one message of a client's until it is let
through. So a test stops a restore at a known place, whatever the machine is busy with."""
import socket
import threading
import urllib.parse

PATIENCE = 60


class Gate:
    """`holds` takes the bytes of a message from a client; the first one for which it is true is held, and only that."""

    def __init__(self, url, holds):
        place = urllib.parse.urlparse(url)
        self.behind = (place.hostname, place.port)
        self.holds = holds
        self.lock = threading.Lock()
        self.found = False
        self.held, self.open = threading.Event(), threading.Event()
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
                server = socket.create_connection(self.behind, PATIENCE)
            except OSError:
                return
            server.settimeout(None)
            self.sockets += [client, server]
            threading.Thread(target=self.run, args=(self.pass_answers, server, client), daemon=True).start()
            threading.Thread(target=self.run, args=(self.pass_messages, client, server), daemon=True).start()

    @staticmethod
    def run(passing, source, target):
        """Until either side ends; then both do."""
        try:
            passing(source, target)
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @staticmethod
    def pass_answers(server, client):
        while data := server.recv(65536):
            client.sendall(data)

    def pass_messages(self, client, server):
        source = client.makefile("rb")
        while (line := source.readline()) not in (b"\r\n", b""):
            server.sendall(line)
        server.sendall(line)
        while len(head := source.read(2)) == 2:
            short = head[1] & 0x7f
            more = source.read({126: 2, 127: 8}.get(short, 0))
            length = int.from_bytes(more, "big") if more else short
            mask, payload = source.read(4), source.read(length)
            pattern = int.from_bytes(mask * (length // 4) + mask[:length % 4], "big")
            self.wait((int.from_bytes(payload, "big") ^ pattern).to_bytes(length, "big"))
            server.sendall(head + more + mask + payload)

    def wait(self, message):
        with self.lock:
            if self.found or not self.holds(message):
                return
            self.found = True
        self.held.set()
        self.open.wait()
        if self.listener.fileno() < 0:
            raise OSError("closed")

    def close(self):
        """What is held never arrives."""
        self.listener.close()
        self.open.set()
        for one in self.sockets:
            one.close()
