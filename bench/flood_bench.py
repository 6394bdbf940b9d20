"""What a flood does to those who behave: a few nodes and a client, calm and beside floods of connections, frames,
logins, datagrams and hellos of DTLS, in one run."""

import base64
import os
import socket
import struct
import subprocess
import threading
import time

from harness import count, median, ms, say, table

COAP, COAPS, BROKER = 5697, 5698, 8004
RATE = 200  # updates/s of those who behave


class Connections:
    """Connects, sends the beginning of a head and leaves it at that; 2,000 of them at a time."""

    title = "connections with slow heads"
    most = 2000

    def __init__(self):
        self.count, self.open = 0, []

    def step(self):
        for _ in range(10):
            peer = socket.socket()
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", BROKER))
            self.open.append(peer)
            if len(self.open) > 20:
                try:
                    self.open[-20].send(b"GET / HT")
                except OSError:
                    pass
            self.count += 1
        for peer in self.open[:max(0, len(self.open) - self.most)]:
            peer.close()
        self.open = self.open[-self.most:]
        time.sleep(0.01)

    def end(self):
        for peer in self.open:
            peer.close()


class Frames:
    """A client that sends requests as fast as they are taken."""

    title = "frames of one client"

    def __init__(self):
        self.count = 0
        self.peer = socket.create_connection(("127.0.0.1", BROKER), timeout=5)
        key = base64.b64encode(os.urandom(16)).decode()
        self.peer.sendall((f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: aiot.client.v1\r\n"
                           f"Sec-WebSocket-Key: {key}\r\n\r\n").encode())
        self.peer.recv(4096)
        self.peer.sendall(self.frame(b'{"type":"hello","version":1}'))
        self.chunk = b"".join(self.frame(b'{"type":"unsubscribe","id":%d}' % i) for i in range(1, 1001))
        self.rest = b""
        self.peer.setblocking(False)

    @staticmethod
    def frame(payload):
        """Masked with zeros, which leaves it as it is."""
        return struct.pack("!BB4x", 0x81, 0x80 | len(payload)) + payload

    def step(self):
        try:
            while self.peer.recv(65536):
                pass
        except BlockingIOError:
            pass
        try:
            self.rest = self.rest or self.chunk
            self.rest = self.rest[self.peer.send(self.rest):]
            self.count += 0 if self.rest else 1000
        except BlockingIOError:
            time.sleep(0.002)

    def end(self):
        self.peer.close()


class Logins:
    """Guesses passwords from 100 addresses, 40 at a time."""

    title = "guesses of passwords"

    def __init__(self):
        self.count, self.open = 0, []

    def step(self):
        body = f"user=ada&password=guess-{self.count}&next=/"
        request = (f"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                   f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}").encode()
        peer = socket.socket()
        peer.settimeout(5)
        peer.bind((f"127.0.{1 + self.count % 100}.1", 0))
        peer.connect(("127.0.0.1", BROKER))
        peer.sendall(request)
        self.open.append(peer)
        self.count += 1
        if len(self.open) >= 40:
            with self.open.pop(0) as oldest:
                try:
                    oldest.recv(4096)
                except OSError:
                    pass

    def end(self):
        for peer in self.open:
            peer.close()


class Hellos:
    """ClientHellos without a cookie, from 500 ports."""

    title = "hellos of DTLS"

    def __init__(self):
        suites = bytes.fromhex("00aec0a8")
        body = (b"\xfe\xfd" + bytes(32) + b"\x00\x00" + struct.pack("!H", len(suites)) + suites + b"\x01\x00")
        size = struct.pack("!I", len(body))[1:]
        message = b"\x01" + size + bytes(5) + size + body
        self.hello = b"\x16\xfe\xff" + bytes(8) + struct.pack("!H", len(message)) + message
        self.count = 0
        self.ports = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(500)]
        for port in self.ports:
            port.setblocking(False)
            port.connect(("127.0.0.1", COAPS))

    def step(self):
        for port in self.ports[:100]:
            try:
                port.send(self.hello)
            except OSError:
                pass
        self.ports = self.ports[100:] + self.ports[:100]
        self.count += 100
        time.sleep(0.005)

    def end(self):
        for port in self.ports:
            port.close()


class Flood(threading.Thread):
    """One of the above until stopped."""

    def __init__(self, kind):
        super().__init__(daemon=True)
        self.kind, self.over = kind(), threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            self.kind.step()

    def stop(self):
        self.over.set()
        self.join()
        self.kind.end()
        return self.kind.count


class Datagrams:
    """Posts of 10,000 addresses that no node has, 20,000 a second."""

    title = "datagrams of strangers"

    def __init__(self, tools, seconds):
        self.began = time.monotonic()
        self.server = tools.start("flood", [tools.bench("coap_load"), "--port", str(COAP), "--base", "127.64.0.1",
                                            "--source-port", "5799", "--nodes", "10000", "--rate", "20000",
                                            "--any-code", "--seconds", str(10 + 2 * seconds), "--warm", "0"],
                                  ready=None)

    def stop(self):
        self.server.stop()
        return 20_000 * (time.monotonic() - self.began)


def measure(tools, sink, seconds):
    """p99 of the acknowledgement to the node, and of the way to the client."""
    sink.drain()
    result = tools.run("coap_load", "--port", COAP, "--nodes", 10, "--seconds", seconds, "--rate", RATE, "--warm", 0,
                       "--pids", "", may_fail=True)
    came = sink.drain()
    return result["p99_us"], came["p99_us"], result["lost"], came["stamped"] / max(1, result["answered"])


def run(tools, quick, repeats, seconds):
    seconds = max(1, seconds)
    say("flood")
    users, keys = (os.path.join(tools.folder, name) for name in ("users", "node-keys"))
    subprocess.run([tools.aiot(), "users", "add", "ada", "--role", "admin", "--users-file", users,
                    "--password-file", "-"], input="correct-horse\n", text=True, check=True)
    with open(os.open(keys, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write('n1:"first key"\n')
    broker = tools.broker(BROKER, more=("--users-file", users, "--anonymous", "viewer"))
    gateway = tools.gateway("--coap", COAP, BROKER, name="flood",
                            more=("--coaps", f"127.0.0.1:{COAPS}", "--coaps-psk-file", keys))
    tools.run("coap_load", "--port", COAP, "--nodes", 10, "--join-only", "--join-patience", 30)
    sink = tools.sink(BROKER)
    kinds = {"none": None, **{kind.title: kind for kind in (Connections, Frames, Logins, Hellos, Datagrams)}}
    figures = {title: [] for title in kinds}
    floods = dict.fromkeys(kinds, 0.0)
    for _ in range(repeats):
        for title, kind in kinds.items():
            say(f"flood: {title}")
            began = time.monotonic()
            flood = None if kind is None else Datagrams(tools, seconds) if kind is Datagrams else Flood(kind)
            try:
                figures[title].append(measure(tools, sink, seconds))
            finally:
                if flood:
                    floods[title] = flood.stop() / (time.monotonic() - began)
    calm = [median([figure[i] for figure in figures["none"]]) for i in (0, 1)]
    rows = []
    for title in kinds:
        node, client = (median([figure[i] for figure in figures[title]]) for i in (0, 1))
        rows.append([title, count(floods[title]), ms(node), f"{node / calm[0]:.1f}", ms(client),
                     f"{client / calm[1]:.1f}", sum(figure[2] for figure in figures[title]),
                     f"{100 * min(figure[3] for figure in figures[title]):.1f} %"])
    memory = f"\n\nPeaks of memory: gateway {gateway.memory():.0f} MB, broker {broker.memory():.0f} MB."
    tools.stop()
    return table(["flood", "a second", "node p99 ms", "of calm", "client p99 ms", "of calm", "lost", "delivered"],
                 rows) + memory
