"""What a flood does to those who behave: a few nodes and a client, calm and beside floods of connections, frames, logins,
datagrams and DTLS hellos, in one run."""

import base64
import os
import socket
import struct
import subprocess
import threading
import time

from harness import count, median, ms, say, table

COAP, COAPS, BROKER = 5697, 5684, 8004
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
    """Wrong passwords for names that nobody has, 16 at a time, each ten from another address."""

    title = "logins"

    def __init__(self):
        self.count = 0

    def step(self):
        peers = []
        for _ in range(16):
            host = self.count // 10
            peer = socket.socket()
            peer.settimeout(5)
            peer.bind((f"127.67.{host // 250 % 250}.{1 + host % 250}", 0))
            peer.connect(("127.0.0.1", BROKER))
            form = f"user=nobody{self.count}&password=guess".encode()
            peer.sendall(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: "
                         b"application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(form) + form)
            peers.append(peer)
            self.count += 1
        for peer in peers:
            peer.recv(4096)
            peer.close()

    def end(self):
        pass


class Hellos:
    """Hellos of 2,000 addresses, 5,000 a second; each second one brings the cookie that the first was answered with,
    and leaves the handshake at that (RFC 6347 section 4.2.1)."""

    title = "DTLS hellos"
    rate = 5000

    def __init__(self):
        self.began, self.count, self.peers = time.monotonic(), 0, []
        for i in range(2000):
            peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            peer.bind((f"127.66.{i // 250}.{1 + i % 250}", 0))
            peer.connect(("127.0.0.1", COAPS))
            peer.setblocking(False)
            self.peers.append(peer)

    @staticmethod
    def hello(cookie, number):
        body = (b"\xfe\xfd" + struct.pack("!I", number) * 8 + b"\0" + bytes([len(cookie)]) + cookie +
                b"\x00\x02\xc0\xa8" + b"\x01\x00")
        second = bool(cookie)
        length = struct.pack("!I", len(body))[1:]
        handshake = b"\x01" + length + struct.pack("!H", second) + b"\0\0\0" + length + body
        return b"\x16\xfe\xff\0\0" + struct.pack("!IH", 0, second) + struct.pack("!H", len(handshake)) + handshake

    def step(self):
        due = (time.monotonic() - self.began) * self.rate
        while self.count < due:
            number = self.count // 2
            peer = self.peers[number % len(self.peers)]
            try:
                if self.count % 2 == 0:
                    self.drain(peer)
                    peer.send(self.hello(b"", number))
                else:
                    peer.send(self.hello(self.cookie(peer), number))
            except OSError:
                pass
            self.count += 1
        time.sleep(0.001)

    @staticmethod
    def drain(peer):
        try:
            while peer.recv(2048):
                pass
        except BlockingIOError:
            pass

    @staticmethod
    def cookie(peer):
        peer.settimeout(0.01)
        try:
            return peer.recv(2048)[28:]
        except OSError:
            return b"none"
        finally:
            peer.setblocking(False)

    def end(self):
        for peer in self.peers:
            peer.close()


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
    subprocess.run([tools.aiot(), "users", "add", "ada", "--password-file", "-", "--users-file", users], text=True,
                   input="a password\n", check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(keys, "w") as file:
        file.write('node:"a key"\n')
    os.chmod(keys, 0o600)
    broker = tools.broker(BROKER, more=["--users-file", users, "--anonymous", "operator"])
    gateway = tools.gateway("--coap", COAP, BROKER, name="flood",
                            more=["--coaps", f"127.0.0.1:{COAPS}", "--coaps-psk-file", keys])
    tools.run("coap_load", "--port", COAP, "--nodes", 10, "--join-only", "--join-patience", 30)
    sink = tools.sink(BROKER)
    kinds = {"none": None, **{kind.title: kind for kind in (Connections, Frames, Logins, Datagrams, Hellos)}}
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
