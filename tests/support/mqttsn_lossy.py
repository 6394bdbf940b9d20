#!/usr/bin/python3
"""A publisher and a subscriber of MQTT-SN over a bad link, with scapy's codec: HOST PORT LOSS COUNT. Each datagram is lost
with that probability, both ways; both repeat after 100 ms without limit. Prints what arrived as one JSON object."""
import collections
import json
import random
import select
import socket
import sys
import time

import scapy.contrib.mqttsn as sn

RETRY = 0.1
host, port, loss, count = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
random.seed(4711)


class Client:
    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((host, port))
        self.mid = 0

    def send(self, body):
        if random.random() >= loss:
            self.socket.send(bytes(sn.MQTTSN() / body))

    def receive(self, until):
        """The next packet that is not lost, or None at that time."""
        while True:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            data = self.socket.recv(65536)
            if random.random() >= loss:
                return sn.MQTTSN(data).payload

    def ask(self, make, done):
        """Repeats until an answer is the one."""
        again = False
        while True:
            self.send(make(again))
            again = True
            until = time.monotonic() + RETRY
            while (answer := self.receive(until)) is not None:
                if done(answer):
                    return answer

    def connect(self, name):
        self.ask(lambda _: sn.MQTTSNConnect(client_id=name, duration=600, cleansess=1),
                 lambda a: isinstance(a, sn.MQTTSNConnack))

    def next_mid(self):
        self.mid += 1
        return self.mid


publisher, subscriber = Client(), Client()
publisher.connect("lossy-publisher")
subscriber.connect("lossy-subscriber")
subscriber.ask(lambda again: sn.MQTTSNSubscribe(dup=int(again), qos=2, tid_type=0, mid=1, topic_name="loss/+"),
               lambda a: isinstance(a, sn.MQTTSNSuback))
tids = {}
for qos in (1, 2):
    topic = f"loss/{qos}"
    tids[qos] = publisher.ask(lambda _: sn.MQTTSNRegister(tid=0, mid=qos, topic_name=topic),
                              lambda a: isinstance(a, sn.MQTTSNRegack) and a.mid == qos).tid

todo = collections.deque((qos, n) for n in range(count) for qos in (1, 2))
got, unreleased = collections.defaultdict(collections.Counter), set()
names = {}
publisher.mid = 10
current, step, mid, again, due = None, None, 0, False, 0.0


def transmit():
    qos, n = current
    if step == "publish":
        publisher.send(sn.MQTTSNPublish(dup=int(again), qos=qos, tid_type=0, tid=tids[qos], mid=mid, data=str(n)))
    else:
        publisher.send(sn.MQTTSNPubrel(mid=mid))


deadline = time.monotonic() + 120
idle = 0.0
while time.monotonic() < deadline:
    now = time.monotonic()
    if current is None and todo:
        current, step, mid, again = todo.popleft(), "publish", publisher.next_mid(), False
        due = now
    if current is not None and now >= due:
        transmit()
        again, due = True, now + RETRY
    if current is None and now - idle > 3:
        break
    for ready in select.select([publisher.socket, subscriber.socket], [], [], 0.02)[0]:
        data = ready.recv(65536)
        if random.random() < loss:
            continue
        packet = sn.MQTTSN(data).payload
        if ready is publisher.socket:
            if isinstance(packet, sn.MQTTSNPuback) and packet.mid == mid and current and current[0] == 1:
                assert packet.return_code == 0, packet.show(dump=True)
                current, idle = None, time.monotonic()
            elif isinstance(packet, sn.MQTTSNPubrec) and packet.mid == mid and current:
                step, due = "pubrel", 0.0
            elif isinstance(packet, sn.MQTTSNPubcomp) and packet.mid == mid and current:
                current, idle = None, time.monotonic()
        elif isinstance(packet, sn.MQTTSNRegister):
            names[packet.tid] = packet.topic_name
            subscriber.send(sn.MQTTSNRegack(tid=packet.tid, mid=packet.mid, return_code=0))
        elif isinstance(packet, sn.MQTTSNPublish):
            idle = time.monotonic()
            if packet.qos == 1:
                got[1][packet.data.decode()] += 1
                subscriber.send(sn.MQTTSNPuback(tid=packet.tid, mid=packet.mid, return_code=0))
            else:
                if packet.mid not in unreleased:
                    unreleased.add(packet.mid)
                    got[2][packet.data.decode()] += 1
                subscriber.send(sn.MQTTSNPubrec(mid=packet.mid))
        elif isinstance(packet, sn.MQTTSNPubrel):
            idle = time.monotonic()
            unreleased.discard(packet.mid)
            subscriber.send(sn.MQTTSNPubcomp(mid=packet.mid))

expected = {str(n) for n in range(count)}
print(json.dumps({
    "unsent": len(todo) + (current is not None),
    "lost1": len(expected - set(got[1])), "lost2": len(expected - set(got[2])),
    "twice2": sum(1 for times in got[2].values() if times > 1), "times1": sum(got[1].values()),
}))
