"""POSTs of nodes on DTLS, each with a session of its own, beside the same posts in plain; and what plain nodes notice
of thousands of handshakes."""

import json
import os
import subprocess

from harness import count, median, ms, say, table

COAP, COAPS = 5698, 5684
KEY = "bench key"


def plain(tools, nodes, seconds, rate=0, join=True):
    who = ["--port", COAP, "--nodes", nodes, "--base", "127.200.0.1", "--prefix", "plain"]
    if join:
        tools.run("coap_load", *who, "--join-only", "--join-patience", 120, patience=150)
    return tools.run("coap_load", *who, "--seconds", seconds, "--rate", rate, "--warm", 0, "--window", 64)


def dtls(nodes, seconds):
    return ["--port", COAPS, "--nodes", nodes, "--seconds", seconds, "--key", KEY, "--window", 64,
            "--join-patience", 120]


def run(tools, quick, repeats, seconds):
    keys = os.path.join(tools.folder, "node-keys")
    with open(keys, "w") as file:
        file.write(f'load:"{KEY}"\n')
    os.chmod(keys, 0o600)
    rows, ratios = [], []
    for nodes in (1, 100) if quick else (100, 10_000):
        encrypted, clear, handshakes = [], [], []
        memory = 0
        for _ in range(repeats):
            say(f"dtls: {count(nodes)} sessions")
            gateway = tools.gateway("--coap", COAP, name="dtls",
                                    more=["--coaps", f"127.0.0.1:{COAPS}", "--coaps-psk-file", keys])
            clear.append(plain(tools, nodes, seconds))
            encrypted.append(tools.run("dtls_load", *dtls(nodes, seconds), patience=300))
            handshakes.append(encrypted[-1]["handshakes_per_s"])
            memory = max(memory, gateway.memory())
            tools.stop()
        rates = [median([run["rate"] for run in runs]) for runs in (encrypted, clear)]
        for title, runs in (("plain", clear), ("DTLS, a session each", encrypted)):
            rate = median([run["rate"] for run in runs])
            rows.append([count(nodes), title, count(rate), f"{rate / max(1, rates[1]):.2f}",
                         ms(median([run["p50_us"] for run in runs])), ms(median([run["p99_us"] for run in runs])),
                         sum(run["lost"] for run in runs)])
        ratios.append(f"- {count(nodes)} sessions were opened at {count(median(handshakes))} handshakes a second; the gateway"
                      f" then held {memory:.0f} MB, plain nodes included.")
    ratios.append(beside(tools, 200 if quick else 10_000, repeats, seconds, keys))
    return table(["nodes", "posts", "a second", "of plain", "p50 ms", "p99 ms", "lost"], rows) + "\n\n" + "\n".join(ratios)


def beside(tools, nodes, repeats, seconds, keys):
    """p99 of ten plain nodes' posts, calm and while `nodes` sessions are opened."""
    calm, busy = [], []
    for _ in range(repeats):
        say("dtls: plain nodes beside handshakes")
        tools.gateway("--coap", COAP, name="dtls", more=["--coaps", f"127.0.0.1:{COAPS}", "--coaps-psk-file", keys])
        calm.append(plain(tools, 10, max(1, seconds), 200)["p99_us"])
        opening = subprocess.Popen([tools.bench("dtls_load")] + [str(option) for option in dtls(nodes, 0)],
                                   stdout=subprocess.PIPE, text=True)
        try:
            busy.append(plain(tools, 10, max(1, seconds), 200, join=False)["p99_us"])
        finally:
            json.loads(opening.communicate(timeout=300)[0])
        tools.stop()
    return (f"- While {count(nodes)} sessions were opened as fast as the two cores allow, the p99 of ten plain nodes' posts"
            f" (200 a second) was {ms(median(busy))} ms, {median(busy) / median(calm):.1f} of what it was before.")
