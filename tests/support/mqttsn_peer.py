#!/usr/bin/python3
"""MQTT-SN over UDP with scapy's codec, none of this project's: lines of JSON on standard input are packets to send,
lines on standard output packets received. Any number of sockets: "socket" names one, made at its first use."""
import json
import select
import socket
import sys

import scapy.contrib.mqttsn as sn

CLASSES = {name[len("MQTTSN"):]: cls for name, cls in vars(sn).items()
           if name.startswith("MQTTSN") and name != "MQTTSN" and hasattr(cls, "fields_desc")}

EMPTY = {0x06: "WillTopicReq", 0x08: "WillMsgReq", 0x16: "PingReq", 0x17: "PingResp", 0x18: "Disconnect"}


def encode(packet):
    if "raw" in packet:
        return bytes.fromhex(packet["raw"])
    body = CLASSES[packet["type"]](**packet.get("fields", {}))
    data = bytes(sn.MQTTSN() / body)
    if "via" in packet:  # a forwarder's encapsulation, by hand: scapy's is a layer of its own
        node = packet["via"].encode()
        return bytes([3 + len(node), 0xFE, 1]) + node + data
    return data


def decode(data):
    via = None
    if len(data) > 3 and data[1] == 0xFE:
        via, data = data[3:data[0]].decode(), data[data[0]:]
    body = sn.MQTTSN(data).payload
    fields = {}
    for name, value in body.fields.items():
        fields[name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    name = type(body).__name__.removeprefix("MQTTSN")
    if name == "NoPayload":  # scapy makes no layer of a packet without any field
        name = EMPTY.get(data[1], name)
    out = {"type": name, **fields}
    if via is not None:
        out["via"] = via
    return out


def main():
    gateway = (sys.argv[1], int(sys.argv[2]))
    family = socket.AF_INET6 if ":" in gateway[0] else socket.AF_INET
    sockets, names, pending = {}, {}, b""
    print(json.dumps({"ready": True}), flush=True)
    while True:
        readable, _, _ = select.select([sys.stdin.buffer, *sockets.values()], [], [])
        for ready in readable:
            if ready is not sys.stdin.buffer:
                data = ready.recv(65536)
                print(json.dumps({"socket": names[ready], **decode(data)}), flush=True)
                continue
            chunk = sys.stdin.buffer.raw.read(65536)
            if not chunk:
                return
            pending += chunk
            while b"\n" in pending:
                line, pending = pending.split(b"\n", 1)
                packet = json.loads(line)
                name = packet.get("socket", "a")
                if name not in sockets:
                    sockets[name] = socket.socket(family, socket.SOCK_DGRAM)
                    sockets[name].bind(("", packet.get("port", 0)))
                    names[sockets[name]] = name
                sockets[name].sendto(encode(packet), tuple(packet["to"]) if "to" in packet else gateway)


main()
