"""Simulated nodes that never give up: each says one value after the other and goes on to the next only once the one
before is acknowledged. What each has said, in order, is therefore exactly what must be stored, once."""

import os
import selectors
import socket
import struct
import threading
import time

CON, ACK, POST, CHANGED = 0, 2, 2, 0x44
RETRY = 0.15  # seconds; shorter than any real node's, so that a round is short


def encode_post(message_id, token, path, payload):
    option = bytes([0xB0 | len(path)]) + path  # Uri-Path
    return struct.pack("!BBH", 0x40 | CON << 4 | len(token), POST, message_id) + token + option + b"\xff" + payload


def not_found(request):
    """4.04 to a CON request: these nodes have nothing to read."""
    return bytes([0x60 | request[0] & 15, 0x84]) + request[2:4 + (request[0] & 15)]


class Node:
    """One CoAP node on a socket of its own: alive, then its values."""

    def __init__(self, number, gateway, values, random):
        self.uid = f"fault-{number}"
        self.gateway = gateway
        self.total = values
        self.acknowledged = 0  # values said and acknowledged
        self.alive = False
        self.message_id = random.randrange(65536)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.datagram = None
        self.sent_at = 0.0
        self.refusals = 0
        self.paused = False

    def done(self):
        return self.acknowledged == self.total

    def value(self, number):
        return f"{number}"

    def step(self, now):
        """Says the next thing, or repeats what was not answered."""
        if self.done() or (self.paused and self.datagram is None):
            return
        if self.datagram is None:
            self.message_id = (self.message_id + 1) & 0xFFFF
            token = struct.pack("!I", (self.acknowledged << 8 | self.message_id & 0xFF) & 0xFFFFFFFF)
            if self.alive:
                self.datagram = encode_post(self.message_id, token, b"server",
                                            b"v:" + self.value(self.acknowledged + 1).encode())
            else:
                self.datagram = encode_post(self.message_id, token, b"alive", b"alive:" + self.uid.encode())
        elif now - self.sent_at < RETRY:
            return
        self.sent_at = now
        try:
            self.socket.sendto(self.datagram, self.gateway)
        except OSError:
            pass  # the gateway is away

    def received(self):
        while True:
            try:
                data = self.socket.recv(2048)
            except (BlockingIOError, ConnectionRefusedError):
                return
            if len(data) < 4 or self.datagram is None:
                continue
            code, message_id = data[1], struct.unpack("!H", data[2:4])[0]
            token = data[4:4 + (data[0] & 15)]
            own = self.datagram[4:4 + (self.datagram[0] & 15)]
            if code == 0:
                continue  # an empty ACK: the answer follows
            kind = data[0] >> 4 & 3
            if kind == CON:  # a separate answer is acknowledged
                self.socket.sendto(struct.pack("!BBH", 0x40 | ACK << 4, 0, message_id), self.gateway)
                if token != own:
                    continue
            elif message_id != self.message_id and token != own:
                continue
            if code == CHANGED:
                if self.alive:
                    self.acknowledged += 1
                self.alive = True
                self.datagram = None
            elif code == 0x84:  # 4.04: it has to introduce itself again
                self.alive = False
                self.datagram = None
            else:
                self.refusals += 1  # 5.03: the same message again would get the same answer from the filter
                self.message_id = (self.message_id + 1) & 0xFFFF
                self.datagram = self.datagram[:2] + struct.pack("!H", self.message_id) + self.datagram[4:]
                self.sent_at = time.monotonic()


class Nodes(threading.Thread):
    """All nodes of a round, on a thread of their own."""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.nodes = nodes
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        for node in nodes:
            self.selector.register(node.socket, selectors.EVENT_READ, node)

    def run(self):
        while not self.stopping:
            for key, _ in self.selector.select(0.01):
                key.data.received()
                key.data.step(time.monotonic())
            now = time.monotonic()
            for node in self.nodes:
                node.step(now)

    def stop(self):
        self.stopping = True
        self.join()
        for node in self.nodes:
            node.socket.close()

    def done(self):
        return all(node.done() for node in self.nodes)

    def quiet(self):
        return all(node.datagram is None or node.done() for node in self.nodes)

    def pause(self, paused):
        for node in self.nodes:
            node.paused = paused


class LossyPath(threading.Thread):
    """Carries datagrams between nodes and the gateway; loses and reorders some, by a seeded dice."""

    def __init__(self, gateway, random, loss=0.2, late=0.1):
        super().__init__(daemon=True)
        self.gateway, self.random, self.loss, self.late = gateway, random, loss, late
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.front.setblocking(False)
        self.address = self.front.getsockname()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.front, selectors.EVENT_READ, None)
        self.backs = {}
        self.held = []  # (due, send)
        self.stopping = False
        self.lost = 0

    def carry(self, send):
        if self.random.random() < self.loss:
            self.lost += 1
        elif self.random.random() < self.late:
            self.held.append((time.monotonic() + self.random.uniform(0.005, 0.08), send))
        else:
            self.safely(send)

    @staticmethod
    def safely(send):
        try:
            send()
        except OSError:
            pass

    def run(self):
        while not self.stopping:
            for key, _ in self.selector.select(0.005):
                try:
                    data, source = key.fileobj.recvfrom(65536)
                except OSError:
                    continue
                if key.data is None:
                    back = self.backs.get(source)
                    if back is None:
                        back = self.backs[source] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                        # An address of its own, by which the gateway tells nodes apart, and CoAP's port, where it
                        # asks them what they have.
                        back.bind((f"127.9.0.{len(self.backs)}", 5683))
                        back.setblocking(False)
                        self.selector.register(back, selectors.EVENT_READ, source)
                    self.carry(lambda back=back, data=data: back.sendto(data, self.gateway))
                elif source != self.gateway:
                    self.safely(lambda back=key.fileobj, to=source, data=data: back.sendto(not_found(data), to))
                else:
                    self.carry(lambda to=key.data, data=data: self.front.sendto(data, to))
            now = time.monotonic()
            due = [send for when, send in self.held if when <= now]
            self.held = [(when, send) for when, send in self.held if when > now]
            for send in due:
                self.safely(send)

    def stop(self):
        self.stopping = True
        self.join()
        for one in [self.front, *self.backs.values()]:
            one.close()


class CuttablePath(threading.Thread):
    """Carries TCP connections from gateway to broker, and cuts them in the middle of whatever they carry."""

    def __init__(self, broker):
        super().__init__(daemon=True)
        self.broker = broker
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.address = self.listener.getsockname()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        self.pairs = {}
        self.cut_after = None  # bytes, then everything is cut
        self.cuts = 0
        self.stopping = False

    def cut(self, after):
        self.cut_after = after

    def close_pair(self, one):
        other = self.pairs.pop(one, None)
        if other is None:
            return
        self.pairs.pop(other, None)
        for each in (one, other):
            self.selector.unregister(each)
            each.close()

    def run(self):
        while not self.stopping:
            for key, _ in self.selector.select(0.01):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj in self.pairs:
                    self.pass_on(key.fileobj)

    def accept(self):
        try:
            front, _ = self.listener.accept()
        except OSError:
            return
        try:
            back = socket.create_connection(self.broker, timeout=1)
        except OSError:
            front.close()
            return
        for one, other in ((front, back), (back, front)):
            one.setblocking(True)
            one.settimeout(5)
            self.pairs[one] = other
            self.selector.register(one, selectors.EVENT_READ, None)

    def pass_on(self, one):
        other = self.pairs[one]
        try:
            data = one.recv(65536)
            if not data:
                raise OSError("closed")
            if self.cut_after is not None:
                if len(data) >= self.cut_after:
                    other.sendall(data[:self.cut_after])
                    self.cut_after = None
                    self.cuts += 1
                    raise OSError("cut")
                self.cut_after -= len(data)
            other.sendall(data)
        except OSError:
            self.close_pair(one)

    def stop(self):
        self.stopping = True
        self.join()
        self.listener.close()
        for one in list(self.pairs):
            one.close()


def fill_disk(folder, leave):
    """Takes all room of a small file system but `leave` bytes; returns the file that does."""
    path = os.path.join(folder, "filler")
    status = os.statvfs(folder)
    room = max(0, status.f_bavail * status.f_frsize - leave)
    with open(path, "wb", buffering=0) as file:
        try:
            while room > 0:
                room -= file.write(b"\0" * min(room, 1 << 16))
        except OSError:
            pass
    return path
