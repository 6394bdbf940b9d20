"""A broker that is killed with 10,000 nodes of five resources: how soon all of it is served again. And what gateway and
broker hold in memory while five million updates pass."""

import json
import signal
import time
import urllib.request

from harness import Failure, count, median, say, table
from pipeline_bench import metric, wait_for

RESOURCES = "name,temperature,pressure,humidity,led"


def served(port):
    """Nodes, values and states that the broker tells over its REST pages."""
    nodes, values, states, after = 0, 0, set(), ""
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/nodes?limit=1000{after}", timeout=5) as answer:
            page = json.load(answer)
        for node in page["items"]:
            nodes += 1
            values += len(node["resources"])
            states.add(node["state"])
        if not page.get("next"):
            return nodes, values, states
        after = f"&cursor={page['next']}"


def run(tools, quick, repeats):
    say("restart")
    coap, port, wanted = 5696, 8003, 500 if quick else 10_000
    state, states = tools.state("restart"), set()
    broker = tools.broker(port, state=state)
    gateway = tools.gateway("--coap", coap, port, name="restart")
    nodes = tools.start("nodes", [tools.aiot(), "simulate", "coap", "--gateway", f"127.0.0.1:{coap}", "--nodes",
                                  str(wanted), "--interval", "0", "--resources", RESOURCES], ready=None)
    wanted_values = wanted * len(RESOURCES.split(","))
    wait_for("all nodes and values", lambda: served(port)[:2] == (wanted, wanted_values), 240)
    wait_for("all of it to be committed", lambda: metric(port, "aiot_store_committed_total") ==
             metric(port, "aiot_store_updates_total"), 60)
    gateway.process.send_signal(signal.SIGKILL)  # nobody else could bring the nodes back
    gateway.process.wait()
    opened, whole = [], []
    for _ in range(repeats):
        broker.process.send_signal(signal.SIGKILL)
        broker.process.wait()
        began = time.monotonic()
        broker = tools.broker(port, state=state)
        opened.append(time.monotonic() - began)
        found = served(port)
        whole.append(time.monotonic() - began)
        if found[:2] != (wanted, wanted_values):
            raise Failure(f"{found[0]} nodes and {found[1]} values after a kill, not {wanted} and {wanted_values}")
        states = found[2]
    tools.stop()
    return table(["", ""], [
        ["nodes and values served again", f"{count(wanted)} and {count(wanted_values)}"],
        ["their state while the gateway is away", ", ".join(sorted(states))],
        ["ready after the kill", f"{median(opened) * 1000:.0f} ms"],
        ["every page of `GET /api/v1/nodes` read", f"{median(whole) * 1000:.0f} ms (at most {max(whole) * 1000:.0f})"]])


def run_memory(tools, quick):
    say("memory")
    coap, port, metrics, total = 5697, 8004, 9103, 50_000 if quick else 5_000_000
    broker = tools.broker(port)
    gateway = tools.gateway("--coap", coap, port, name="memory", more=["--metrics", f"127.0.0.1:{metrics}"])
    sink = tools.sink(port)
    options = ["--port", coap, "--warm", 0, "--nodes", 100]
    tools.run("coap_load", *options, "--join-only", "--join-patience", 60, patience=90)
    rows, said = [], 0
    for part in range(1, 6):
        while said < total * part / 5:
            said += tools.run("coap_load", *options, "--seconds", 0.3 if quick else 3)["answered"]
        wait_for("everything to be committed", lambda: metric(port, "aiot_store_committed_total") ==
                 metric(port, "aiot_store_updates_total"), 60)
        rows.append([count(said), f"{gateway.memory('VmRSS'):.0f}", f"{broker.memory('VmRSS'):.0f}"])
    sink.drain()
    tools.stop()
    return table(["updates so far", "gateway MB", "broker MB"], rows)
