"""Many clients of one broker, beside a bare fan-out that writes each message to each connection."""

import os
import subprocess
import time

from harness import Failure, count, median, ms, say, table


def gateway_token(tools, port):
    done = subprocess.run([tools.aiot(), "keys", "token", "--key-file", os.path.join(tools.folder, f"keys-{port}")],
                          capture_output=True, text=True, timeout=20)
    if done.returncode != 0:
        raise Failure("aiot keys token: " + done.stderr.strip())
    return done.stdout.strip()


def dashboards(tools, broker, options, quick, repeats, seconds):
    """What clients that follow a few of many nodes cost the broker: by what they asked for, or by nodes and clients."""
    rate, interest = 20000, 20
    shapes = [(100, 10), (1000, 10), (1000, 100)] if quick else [
        (10000, 100), (10000, 250), (10000, 500), (10000, 1000), (1000, 1000), (50000, 1000)]

    def cost(nodes, clients):
        spent, asked = [], []
        for _ in range(repeats):
            result = tools.run("fanout_load", *options, "--clients", clients, "--nodes", nodes, "--interest", interest,
                               "--rate", rate, "--warm", 1, "--seconds", seconds, "--cpu-of", broker.process.pid)
            spent.append(result["cpu_s"] / result["seconds"])
            asked.append(result["deliveries"] / result["seconds"])
        return median(spent), median(asked)

    rows = []
    for nodes, clients in shapes:
        say(f"fanout: {clients} dashboards, each with {interest} of {nodes} nodes")
        alone, _ = cost(nodes, 1)
        spent, asked = cost(nodes, clients)
        rows.append([count(nodes), count(clients), count(nodes * clients), count(asked), f"{alone:.3f}", f"{spent:.3f}",
                     f"{(spent - alone) / max(1, asked) * 1e6:.1f}"])
    return (f"Dashboards that follow {interest} nodes each, with conflation, at {count(rate)} updates/s of all nodes in turn:\n\n" +
            table(["nodes", "clients", "nodes x clients", "updates/s asked for", "CPU s/s with 1 client", "CPU s/s",
                   "CPU us an update asked for"], rows))


def run(tools, quick, repeats, seconds):
    broker = tools.broker(8000)
    raw = tools.start("tcp_fanout", [tools.bench("tcp_fanout"), "--port", "8001"])
    options = {"broker": ["--port", 8000, "--token", gateway_token(tools, 8000)], "raw": ["--port", 8001]}
    options["client"] = options["broker"] + ["--wire", "client"]
    titles = {"raw": "raw TCP, one write a message", "broker": "broker, pyaiot's wire", "client": "broker, aiot.client.v1"}
    rows = []
    for clients in (1, 10) if quick else (1, 10, 100, 1000):
        say(f"fanout: {clients} clients")
        rates, p50s, p99s, cpus = ({which: [] for which in titles} for _ in range(4))
        for _ in range(repeats):
            for which in titles:
                cpu = broker.cpu()
                result = tools.run("fanout_load", *options[which], "--clients", clients, "--seconds", seconds)
                rates[which].append(result["rate"])
                cpus[which].append((broker.cpu() - cpu) / max(1, result["deliveries"]) * 1e6)
        for _ in range(repeats):
            for which in titles:
                result = tools.run("fanout_load", *options[which], "--clients", clients, "--seconds",
                                   min(seconds, 2), "--rate", max(1, median(rates[which]) / 2 / clients))
                p50s[which].append(result["p50_us"])
                p99s[which].append(result["p99_us"])
        for which, title in titles.items():
            ratio = median(rates[which]) / max(1, median(rates["raw"]))
            rows.append([count(clients), title, count(median(rates[which])), "1" if which == "raw" else f"{ratio:.2f}",
                         ms(median(p50s[which])), ms(median(p99s[which])),
                         "" if which == "raw" else f"{median(cpus[which]):.2f}"])
    text = table(["clients", "what", "deliveries/s", "of raw", "p50 ms at half", "p99 ms at half", "CPU s/million"],
                 rows)

    crowd = 10 if quick else 100
    say(f"fanout: {crowd} clients and one that never reads")
    before = broker.memory("VmRSS")
    muted = tools.run("fanout_load", *options["broker"], "--clients", crowd, "--mute", 1, "--seconds",
                      seconds if quick else 10)
    grown = broker.memory() - before
    say("fanout: a newcomer among saturated clients")
    load = subprocess.Popen([tools.bench("fanout_load")] + [str(o) for o in options["broker"]] +
                            ["--clients", str(crowd), "--seconds", "3" if quick else "8"],
                            stdout=subprocess.PIPE, text=True)
    time.sleep(1.0)
    served = []
    for _ in range(3 if quick else 20):
        newcomer = tools.run("ws_sink", "--port", 8000, "--until-frames", 1, "--seconds", 5)
        served.append(newcomer["first_ms"][0])
    load.communicate(timeout=30)
    text += "\n\n" + dashboards(tools, broker, options["client"], quick, repeats, seconds) + "\n\n" + "\n".join([
        f"- With one client that never reads beside {crowd}: {count(muted['rate'])} deliveries/s, "
        f"{muted['closed']} of the others closed, the broker's peak {max(0.0, grown):.0f} MB above where it was.",
        f"- A new client beside {crowd} saturated ones gets its first message after {median(served):.1f} ms "
        f"(median of {len(served)}), {max(served):.1f} ms at most.",
        f"- The broker's peak memory in all this: {broker.memory():.0f} MB."])
    tools.stop()
    return text
