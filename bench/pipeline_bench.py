"""A node's POST until it is stored and at a client: CON POST, journal, broker, store, client; beside CoAP alone and
beside the same without journal and store."""

import re
import shutil
import time
import urllib.request

from harness import Failure, count, median, say, table
from load_bench import Target

COAP, KEPT, BARE = 5691, 5693, 5694
NODES = 100


def metric(port, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        found = re.search(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.M)
    if not found:
        raise Failure(f"/metrics at {port} has no {name}")
    return float(found.group(1))


def wait_for(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"waited {seconds} s for {what}")
        time.sleep(0.05)


def run(tools, quick, repeats, seconds):
    say("pipeline")
    seconds = seconds if quick else 20
    repeats = 1 if quick else min(repeats, 3)
    reference = None
    if shutil.which("coap-server-notls"):
        server = tools.start("coap-server-notls", ["coap-server-notls", "-A", "127.0.0.1", "-p", str(COAP)], ready=None)
        reference = Target("coap-server", "coap-server-notls alone", "coap_load", [server],
                           ["--port", COAP, "--warm", 0, "--any-code"])
    kept_broker, bare_broker = tools.broker(8000), tools.broker(8001, state="off")
    kept = tools.gateway("--coap", KEPT, 8000, name="kept", more=["--metrics", "127.0.0.1:9101"])
    bare = tools.gateway("--coap", BARE, 8001, name="bare", state="off")
    targets = [
        Target("kept", "journaled, sent, stored, delivered", "coap_load", [kept, kept_broker],
               ["--port", KEPT, "--warm", 0], tools.sink(8000)),
        Target("bare", "the same without journal and store", "coap_load", [bare, bare_broker],
               ["--port", BARE, "--warm", 0, "--prefix", "bare"], tools.sink(8001)),
    ]
    for target in targets:
        tools.run("coap_load", *target.options, "--nodes", NODES, "--join-only", "--join-patience", 60, patience=90)
    if reference:
        targets.insert(0, reference)
    queued = []
    for _ in range(repeats):
        for target in targets:
            target.measure(tools, NODES, seconds)
            if target.name == "kept":
                # At the end of the load: what has still to be sent or committed.
                queued.append(metric(9101, 'aiot_queue_items{hop="gateway",to="broker"}'))
                wait_for("everything to be committed", lambda: metric(8000, "aiot_store_committed_total") ==
                         metric(8000, "aiot_store_updates_total"))
    by_name = {target.name: target for target in targets}
    base = median(by_name["coap-server"].rates) if reference else 0
    rows = []
    for target in targets:
        rate = median(target.rates)
        rows.append([target.title, count(rate), f"{rate / base:.2f}" if base else "", f"{median(target.cpus):.1f}",
                     " + ".join(f"{server.memory():.0f}" for server in target.servers), target.lost])
    durable = median(by_name["kept"].rates) / median(by_name["bare"].rates)
    stored = metric(8000, "aiot_store_updates_total")
    size = metric(8000, "aiot_store_bytes")
    text = table([f"{NODES} nodes, {seconds:g} s each", "updates/s", "of coap-server", "CPU s/million", "peak MB", "lost"], rows)
    text += f"\n\n- Journal and store leave {durable:.2f} of the rate without them."
    text += f"\n- Queued at the gateway right after the load: {count(max(queued))} items at most."
    text += f"\n- The database holds {count(stored)} updates in {size / 1e6:.1f} MB: {size / max(1, stored) * 1e6 / 1e6:.1f} MB a million."
    tools.stop()
    return text
