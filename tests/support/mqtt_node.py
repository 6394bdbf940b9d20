#!/usr/bin/python3
"""A pyaiot MQTT node made of paho alone: what pyaiot's own example node does. HOST PORT ID."""
import json
import sys
import threading

import paho.mqtt.client as mqtt

host, port, node = sys.argv[1], int(sys.argv[2]), sys.argv[3]
values = {"led": "0", "temperature": "21°C"}


def publish(client, name):
    client.publish(f"node/{node}/{name}", json.dumps({"value": values[name]}), qos=1)


def check(client):
    client.publish("node/check", json.dumps({"id": node}), qos=1)


def on_connect(client, *_):
    client.subscribe([("gateway/check", 1), (f"gateway/{node}/discover", 1), (f"gateway/{node}/led/set", 1)])
    check(client)


def on_message(client, _, message):
    if message.topic == "gateway/check":
        check(client)
    elif message.topic.endswith("/discover"):
        if message.payload == b"resources":
            client.publish(f"node/{node}/resources", json.dumps(list(values)), qos=1)
        else:
            for name in values:
                publish(client, name)
    else:
        values["led"] = message.payload.decode()
        publish(client, "led")


client = mqtt.Client(client_id=f"paho-{node}")
client.on_connect, client.on_message = on_connect, on_message
client.reconnect_delay_set(1, 1)
client.connect(host, port, 30)
client.loop_start()
print("ready", flush=True)
for line in sys.stdin:
    name, _, value = line.strip().partition("=")
    values[name] = value
    publish(client, name)
