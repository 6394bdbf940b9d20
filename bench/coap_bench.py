"""POSTs from many nodes: a raw echo, coap-server-notls, the gateway alone, and through gateway and broker."""

import shutil
import time

from harness import Failure, count, kernel_drops, median, ms, say, table

BASE = {"echo": 5690, "coap-server": 5691, "gateway": 5692, "end to end": 5693}
TITLES = {"echo": "raw UDP echo", "coap-server": "coap-server-notls", "gateway": "gateway alone",
          "end to end": "gateway, broker, client"}


class Target:
    """One server under the load, with what it has cost."""

    def __init__(self, name, servers, options, sink=None):
        self.name = name
        self.servers = servers
        self.options = ["--port", BASE[name]] + options
        self.sink = sink
        self.rates, self.cpus, self.shares, self.lost, self.dropped = [], [], [], 0, 0
        self.p50s, self.p99s, self.join_seconds = [], [], None
        self.half_lost = 0

    def cpu(self):
        return sum(server.cpu() for server in self.servers)

    def load(self, tools, nodes, seconds, rate=0, warm=0.0):
        """One run; the rate is what arrived at the end of the chain."""
        if warm:
            tools.run("coap_load", *self.options, "--nodes", nodes, "--seconds", warm, "--warm", 0, "--rate", rate)
        if self.sink:
            self.sink.drain()
        cpu, drops = self.cpu(), kernel_drops()
        result = tools.run("coap_load", *self.options, "--nodes", nodes, "--seconds", seconds, "--warm", 0,
                           "--rate", rate)
        result["delivered"] = result["answered"]
        if self.sink:
            came = self.sink.drain()
            result["delivered"] = came["stamped"]
            took = max(result["seconds"], (came["last_us"] - result["start_us"]) / 1e6)
            result["rate"] = came["stamped"] / took
            result["p50_us"], result["p99_us"] = came["p50_us"], came["p99_us"]
        result["cpu"] = self.cpu() - cpu
        result["drops"] = kernel_drops() - drops
        return result

    def measure(self, tools, nodes, seconds):
        result = self.load(tools, nodes, seconds, warm=min(0.5, seconds))
        self.rates.append(result["rate"])
        self.cpus.append(result["cpu"] / max(1, result["delivered"]) * 1e6)
        self.shares.append(result["delivered"] / max(1, result["answered"]))
        self.lost += result["lost"]
        self.dropped += result["drops"]

    def measure_half(self, tools, nodes, seconds):
        result = self.load(tools, nodes, seconds, rate=max(1, median(self.rates) / 2))
        self.p50s.append(result["p50_us"])
        self.p99s.append(result["p99_us"])
        self.half_lost += result["lost"]


def start_targets(tools, nodes):
    targets = [Target("echo", [tools.start("udp_echo", [tools.bench("udp_echo"), "--port", str(BASE["echo"])])],
                      ["--echo"])]
    if shutil.which("coap-server-notls"):
        server = tools.start("coap-server-notls",
                             ["coap-server-notls", "-A", "127.0.0.1", "-p", str(BASE["coap-server"])], ready=None)
        targets.append(Target("coap-server", [server], ["--any-code"]))
    else:
        say("coap-server-notls is not installed (Debian: libcoap3-bin): left out")
    targets.append(Target("gateway", [tools.gateway(BASE["gateway"], name="alone")], []))
    broker = tools.broker(8000)
    gateway = tools.gateway(BASE["end to end"], 8000, name="uplinked")
    targets.append(Target("end to end", [gateway, broker], [], tools.sink(8000)))
    for target in targets[-2:]:
        joined = tools.run("coap_load", *target.options, "--nodes", nodes, "--join-only",
                           "--join-patience", 120, patience=150)
        target.join_seconds = joined["join_seconds"]
    return targets


def run(tools, quick, repeats, seconds):
    rows, ratios, ends = [], [], {}
    for nodes in (1, 100) if quick else (1, 100, 10_000, 50_000):
        say(f"coap: {nodes} nodes")
        targets = start_targets(tools, nodes)
        for _ in range(repeats):
            for target in targets:
                target.measure(tools, nodes, seconds)
        for _ in range(repeats):
            for target in targets:
                target.measure_half(tools, nodes, min(seconds, 2))
        by_name = {target.name: target for target in targets}
        reference = median(by_name["coap-server"].rates) if "coap-server" in by_name else 0
        for target in targets:
            rate = median(target.rates)
            rows.append([count(nodes), TITLES[target.name], count(rate),
                         f"{rate / reference:.2f}" if reference else "",
                         ms(median(target.p50s)), ms(median(target.p99s)), f"{median(target.cpus):.1f}",
                         " + ".join(f"{server.memory():.0f}" for server in target.servers),
                         f"{target.lost} / {target.half_lost}"])
            if target.join_seconds is not None:
                say(f"  {target.name}: joined in {target.join_seconds:.2f} s, delivered "
                    f"{100 * median(target.shares):.1f} %, kernel drops {target.dropped}")
        ends[nodes] = median(by_name["end to end"].rates)
        if reference:
            ratios.append(f"- {count(nodes)} nodes: the gateway alone answers "
                          f"{median(by_name['gateway'].rates) / reference:.2f} of what coap-server-notls does, "
                          f"end to end {ends[nodes] / reference:.2f}; {100 * median(by_name['end to end'].shares):.1f} %"
                          " of the acknowledged updates reached the client.")
        tools.stop()
        time.sleep(0.2)
    if 100 in ends and 10_000 in ends:
        ratios.append(f"- End to end, 10,000 nodes reach {ends[10_000] / max(1, ends[100]):.2f} of the rate of 100.")
    heads = ["nodes", "what", "updates/s", "of coap-server", "p50 ms at half", "p99 ms at half", "CPU s/million",
             "peak MB", "lost full / half"]
    return table(heads, rows) + "\n\n" + "\n".join(ratios)


def run_join(tools, quick):
    """A site that switches on at once, and browsers that come then."""
    import subprocess
    nodes = 200 if quick else 10_000
    frames = nodes * 8  # new, ip, protocol and five values
    say(f"join: {nodes} nodes")
    broker, gateway = tools.broker(8000), tools.gateway(5690, 8000)
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
