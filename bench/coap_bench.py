"""POSTs from many nodes: a raw echo, coap-server-notls, the gateway alone, and through gateway and broker."""

import shutil
import time

from harness import Failure, count, median, ms, say, table
from load_bench import Bench, Target

BASE = {"echo": 5690, "coap-server": 5691, "gateway": 5692, "end to end": 5693}
TITLES = {"echo": "raw UDP echo", "coap-server": "coap-server-notls", "gateway": "gateway alone",
          "end to end": "gateway, broker, client"}


def target(name, servers, options, sink=None):
    return Target(name, TITLES[name], "coap_load", servers, ["--port", BASE[name], "--warm", 0] + options, sink)


def start_targets(tools, nodes):
    targets = [target("echo", [tools.udp_echo(BASE["echo"])], ["--echo"])]
    if shutil.which("coap-server-notls"):
        server = tools.start("coap-server-notls",
                             ["coap-server-notls", "-A", "127.0.0.1", "-p", str(BASE["coap-server"])], ready=None)
        targets.append(target("coap-server", [server], ["--any-code"]))
    else:
        say("coap-server-notls is not installed (Debian: libcoap3-bin): left out")
    targets.append(target("gateway", [tools.gateway("--coap", BASE["gateway"], name="alone")], []))
    broker = tools.broker(8000)
    gateway = tools.gateway("--coap", BASE["end to end"], 8000, name="uplinked")
    targets.append(target("end to end", [gateway, broker], [], tools.sink(8000)))
    for joining in targets[-2:]:
        joined = tools.run("coap_load", *joining.options, "--nodes", nodes, "--join-only",
                           "--join-patience", 120, patience=150)
        joining.join_seconds = joined["join_seconds"]
    return targets


def run(tools, quick, repeats, seconds):
    bench, ratios, ends = Bench(tools, "coap-server"), [], {}
    for nodes in (1, 100) if quick else (1, 100, 10_000, 50_000):
        say(f"coap: {nodes} nodes")
        by_name = bench.measure(start_targets(tools, nodes), nodes, repeats, seconds)
        ends[nodes] = median(by_name["end to end"].rates)
        if "coap-server" in by_name:
            reference = median(by_name["coap-server"].rates)
            ratios.append(f"- {count(nodes)} nodes: the gateway alone answers "
                          f"{median(by_name['gateway'].rates) / reference:.2f} of what coap-server-notls does, "
                          f"end to end {ends[nodes] / reference:.2f}; {100 * median(by_name['end to end'].shares):.1f} %"
                          " of the acknowledged updates reached the client.")
    if 100 in ends and 10_000 in ends:
        ratios.append(f"- End to end, 10,000 nodes reach {ends[10_000] / max(1, ends[100]):.2f} of the rate of 100.")
    return bench.table("coap-server") + "\n\n" + "\n".join(ratios)


def run_join(tools, quick):
    """A site that switches on at once, and browsers that come then."""
    import subprocess
    nodes = 200 if quick else 10_000
    frames = nodes * 8  # new, ip, protocol and five values
    say(f"join: {nodes} nodes")
    broker, gateway = tools.broker(8000), tools.gateway("--coap", 5690, 8000)
    sink = subprocess.Popen([tools.bench("ws_sink"), "--port", "8000", "--until-frames", str(frames), "--seconds",
                             "90"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    time.sleep(0.3)
    begin = time.monotonic()
    simulation = tools.start("simulate", [
        tools.aiot(), "simulate", "coap", "--gateway", "127.0.0.1:5690", "--nodes", str(nodes), "--interval", "0",
        "--resources", "name,temperature,pressure,humidity,led"])
    printed = sink.communicate(timeout=100)[0]
    joined = time.monotonic() - begin
    if sink.returncode != 0:
        raise Failure(f"the nodes were not all discovered within 90 s: {printed.strip()}")
    others = ["--port", 5690, "--base", "127.200.0.1", "--prefix", "other", "--nodes", 100]
    tools.run("coap_load", *others, "--join-only")
    rows = [[f"{count(nodes)} nodes with 5 resources join, all discovered", f"{joined:.2f} s"]]
    for clients in (1, 10):
        load = subprocess.Popen([tools.bench("coap_load")] + [str(o) for o in others] +
                                ["--rate", "1000", "--seconds", "3", "--warm", "0"],
                                stdout=subprocess.PIPE, text=True)
        time.sleep(0.7)
        came = tools.run("ws_sink", "--port", 8000, "--clients", clients, "--until-frames", frames, "--seconds", 30)
        import json
        posted = json.loads(load.communicate(timeout=30)[0])
        rows.append([f"snapshot for {clients} client{'s at once' if clients > 1 else ''}",
                     f"{max(came['reached_ms']):.0f} ms"])
        rows.append(["- p99 of other nodes' POSTs meanwhile (1,000 a second)", f"{ms(posted['p99_us'])} ms"])
    rows.append(["peak memory of gateway, broker", f"{gateway.memory():.0f} MB, {broker.memory():.0f} MB"])
    simulation.stop()
    tools.stop()
    return table(["what", "took"], rows)
