"""A load generator's updates through one server after another: rates, latency at half the rate, cost."""

import time

from harness import count, kernel_drops, median, ms, say, table


class Target:
    """Servers under the load of a generator, with what they have cost."""

    def __init__(self, name, title, generator, servers, options, sink=None):
        self.name = name
        self.title = title
        self.generator = generator
        self.servers = servers
        self.options = options
        self.sink = sink
        self.rates, self.cpus, self.shares, self.lost, self.dropped = [], [], [], 0, 0
        self.p50s, self.p99s, self.join_seconds = [], [], None
        self.half_lost = 0

    def cpu(self):
        return sum(server.cpu() for server in self.servers)

    def generate(self, tools, nodes, seconds, rate):
        pids = ",".join(str(server.process.pid) for server in self.servers)
        return tools.run(self.generator, *self.options, "--nodes", nodes, "--seconds", seconds, "--rate", rate,
                         "--pids", pids)

    def load(self, tools, nodes, seconds, rate=0, warm=0.0):
        """One run; the rate is what arrived at the end of the chain."""
        if warm:
            self.generate(tools, nodes, warm, rate)
        if self.sink:
            self.sink.drain()
        drops = kernel_drops()
        result = self.generate(tools, nodes, seconds, rate)
        result["delivered"] = result["answered"]
        if self.sink:
            came = self.sink.drain()
            result["delivered"] = came["stamped"]
            took = max(result["seconds"], (came["last_us"] - result["start_us"]) / 1e6)
            result["rate"] = came["stamped"] / took
            result["p50_us"], result["p99_us"] = came["p50_us"], came["p99_us"]
        result["cpu"] = self.cpu() - result["cpu_start"]
        result["drops"] = kernel_drops() - drops
        return result

    def measure(self, tools, nodes, seconds):
        result = self.load(tools, nodes, seconds, warm=min(0.5, seconds))
        self.rates.append(result["rate"])
        self.cpus.append(result["cpu"] / max(1, result["delivered"]) * 1e6)
        self.shares.append(result["delivered"] / max(1, result["answered"]))
        self.lost += result["lost"]
        self.dropped += result["drops"]
        if "join_seconds" in result and result["join_seconds"]:
            self.join_seconds = result["join_seconds"]

    def measure_half(self, tools, nodes, seconds):
        result = self.load(tools, nodes, seconds, rate=max(1, median(self.rates) / 2))
        self.p50s.append(result["p50_us"])
        self.p99s.append(result["p99_us"])
        self.half_lost += result["lost"]


class Bench:
    """Measures targets in turn, for one number of nodes after another, and keeps the rows."""

    def __init__(self, tools, reference):
        """`reference` names the target that ratios are of."""
        self.tools = tools
        self.reference = reference
        self.rows = []

    def measure(self, targets, nodes, repeats, seconds):
        """Targets by name, measured. Their servers are stopped afterwards."""
        for _ in range(repeats):
            for target in targets:
                target.measure(self.tools, nodes, seconds)
        for _ in range(repeats):
            for target in targets:
                target.measure_half(self.tools, nodes, min(seconds, 2))
        by_name = {target.name: target for target in targets}
        base = median(by_name[self.reference].rates) if self.reference in by_name else 0
        for target in targets:
            rate = median(target.rates)
            self.rows.append([
                count(nodes), target.title, count(rate), f"{rate / base:.2f}" if base else "",
                ms(median(target.p50s)), ms(median(target.p99s)), f"{median(target.cpus):.1f}",
                " + ".join(f"{server.memory():.0f}" for server in target.servers),
                f"{target.lost} / {target.half_lost}"])
            if target.join_seconds is not None:
                say(f"  {target.name}: joined in {target.join_seconds:.2f} s, delivered "
                    f"{100 * median(target.shares):.1f} %, kernel drops {target.dropped}")
        self.tools.stop()
        time.sleep(0.2)
        return by_name

    def table(self, of):
        return table(["nodes", "what", "updates/s", "of " + of, "p50 ms at half", "p99 ms at half", "CPU s/million",
                      "peak MB", "lost full / half"], self.rows)
