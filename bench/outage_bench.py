"""A broker that is away for ten minutes' worth of 2,000 updates a second: what it has afterwards, and when its clients hear
what is now."""

import json
import time
import urllib.request

from harness import Failure, count, ms, say, table
from pipeline_bench import metric, wait_for

COAP, BROKER, METRICS, NODES = 5695, 8002, 9102, 100


def ask(path):
    with urllib.request.urlopen(f"http://127.0.0.1:{BROKER}{path}", timeout=10) as answer:
        return json.load(answer)


def run(tools, quick):
    say("outage")
    updates = 20_000 if quick else 1_200_000
    state = tools.state("outage")
    broker = tools.broker(BROKER, state=state)
    gateway = tools.gateway("--coap", COAP, BROKER, name="outage",
                            more=["--metrics", f"127.0.0.1:{METRICS}", "--journal-size", "2G"])
    options = ["--port", COAP, "--warm", 0, "--nodes", NODES]
    tools.run("coap_load", *options, "--join-only", "--join-patience", 60, patience=90)
    broker.stop()
    began, said = time.time(), 0
    while said < updates:
        said += tools.run("coap_load", *options, "--seconds", 2 if quick else 5, "--rate", 0)["answered"]
    ended = time.time()
    queued = metric(METRICS, 'aiot_queue_items{hop="gateway",to="broker"}')
    if queued < said:
        raise Failure(f"{said} updates were acknowledged, but the journal holds {queued:.0f}")
    broker = tools.broker(BROKER, state=state)
    ready = time.monotonic()
    # A client that is there from the start on, and nodes that go on speaking.
    sink = tools.sink(BROKER)
    wait_for("what is now", lambda: sink.take()["frames"] > 0, 30)
    first = time.monotonic() - ready
    before = metric(BROKER, "aiot_store_updates_total")
    tools.run("coap_load", *options, "--seconds", 3, "--rate", 500)
    live = sink.take()
    during = metric(BROKER, "aiot_store_updates_total")
    wait_for("the past to be stored", lambda: metric(METRICS, 'aiot_queue_items{hop="gateway",to="broker"}') == 0, 300)
    took = time.monotonic() - ready
    stored = 0
    for node in ask("/api/v1/nodes?limit=1000")["items"]:
        resource = max(node["resources"], key=lambda name: node["resources"][name]["time"])
        points = ask(f"/api/v1/history?node={node['uid']}&resource={resource}&from={began - 0.01}&to={ended + 0.01}&step=1h")["points"]
        stored += sum(point["count"] for point in points)
    memory = gateway.memory()
    tools.stop()
    if stored < said:  # the last answers of a load may come after its end
        raise Failure(f"{said} updates were acknowledged, but {stored} are in the history")
    return table(
        ["", ""],
        [["updates acknowledged while the broker was away", count(said)],
         ["in its history afterwards, with times of the outage", count(stored)],
         ["gateway's peak memory", f"{memory:.0f} MB"],
         ["first value at a client after the broker was ready", f"{first * 1000:.0f} ms"],
         ["p99 of new values meanwhile (500 a second)", f"{ms(live['p99_us'])} ms"],
         ["stored of the past during that time", count(during - before)],
         ["until all was stored", f"{took:.1f} s"]])
