"""MQTT: `aiot publish --lines --qos 1` beside `mosquitto_pub -l -q 1`, lines until the last has arrived at a subscriber;
and nodes' values through gateway and broker to a client, beside a subscriber of the same messages."""

import os
import shutil
import subprocess
import tempfile
import time

from harness import Failure, median, say, table

PORT = 1883
LINES = 50_000  # above 65,535 mosquitto_pub loses what it cannot number
NODES = 8  # each a mosquitto_pub, which knows one topic


class Subscriber:
    """mosquitto_sub, counting; ready once a message to `topic`, which may be among more by `filter`, has come through."""

    def __init__(self, topic, filter=None):
        self.topic = topic
        self.process = subprocess.Popen(
            ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(PORT), "-q", "1", "-t", filter or topic],
            stdout=subprocess.PIPE)
        self.rest = b""
        end = time.monotonic() + 10
        os.set_blocking(self.process.stdout.fileno(), False)
        while not self.lines():
            if time.monotonic() > end:
                raise Failure("mosquitto_sub hears nothing")
            subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(PORT), "-t", topic, "-m", "ready"], check=True)
            time.sleep(0.05)

    def lines(self):
        """What has come since, in whole lines."""
        try:
            text = self.rest + os.read(self.process.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return []
        *lines, self.rest = text.split(b"\n")
        return lines

    def count(self, wanted, seconds):
        """How many of `wanted` lines have come, and when the last did."""
        got, last = 0, time.perf_counter()
        end = last + seconds
        while got < wanted and time.perf_counter() < end:
            lines = self.lines()
            if lines:
                got += sum(1 for line in lines if line != b"ready")
                last = time.perf_counter()
            else:
                time.sleep(0.002)
        return got, last

    def stop(self):
        self.process.terminate()
        self.process.wait()


def measure(command, lines, number):
    topic = f"bench/{number}"
    subscriber = Subscriber(topic)
    try:
        with tempfile.TemporaryFile("w+") as source:
            source.write("".join(f"{i:08d}\n" for i in range(lines)))
            source.seek(0)
            begin = time.perf_counter()
            publisher = subprocess.Popen(command(topic), stdin=source, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
            arrived, last = subscriber.count(lines, 120)
            if publisher.wait(60) != 0:
                raise Failure(f"{command(topic)[0]} failed")
    finally:
        subscriber.stop()
    return lines / (last - begin), arrived


def publisher(topic):
    return ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(PORT), "-q", "1", "-t", topic, "-l"]


def compare_publishers(tools, quick, repeats):
    lines = 2_000 if quick else LINES
    programs = {
        "mosquitto_pub -l -q 1": publisher,
        "aiot publish --lines --qos 1": lambda topic: [tools.aiot(), "publish", "--lines", "--qos", "1",
                                                       f"mqtt://127.0.0.1:{PORT}/{topic}"],
    }
    results = {name: [] for name in programs}
    for _ in range(repeats):
        for name, command in programs.items():
            results[name].append(measure(command, lines, f"{len(results[name])}/{len(name)}"))
    rows, rates = [], []
    for name, measured in results.items():
        rates.append(median([rate for rate, _ in measured]))
        rows.append([name, f"{rates[-1]:,.0f}", f"{min(arrived for _, arrived in measured):,} of {lines:,}"])
    rows.append(["ratio", f"{rates[1] / rates[0]:.2f}", ""])
    return table(["publisher", "lines/s until arrived", "arrived"], rows)


def write_values(folder, node, lines):
    """What a node publishes: every value another, with the digits by which the sink knows updates."""
    path = os.path.join(folder, f"values-{node}")
    with open(path, "w") as values:
        values.writelines(f'{{"value":{100_000_000 + i}}}\n' for i in range(lines))
    return path


def measure_nodes(paths, lines, sink):
    """Messages a second until the last had come, and how many had: at mosquitto_sub, and at a client of the broker."""
    subscriber = Subscriber("node/bench-ready/value", "node/+/value")
    try:
        sink.drain()
        begin = time.perf_counter()
        sources = [open(path) for path in paths]
        publishers = [subprocess.Popen(publisher(f"node/bench-{i}/value"), stdin=source, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL) for i, source in enumerate(sources)]
        arrived, last = subscriber.count(lines * len(paths), 120)
        came = sink.drain()
        for process, source in zip(publishers, sources):
            source.close()
            if process.wait(60) != 0:
                raise Failure("mosquitto_pub failed")
    finally:
        subscriber.stop()
    return ((arrived / (last - begin), arrived),
            (came["stamped"] / max(1e-6, came["last_us"] / 1e6 - begin), came["stamped"]))


def compare_paths(tools, quick, repeats):
    lines = (2_000 if quick else LINES) // NODES
    broker = tools.broker(8000)
    gateway = tools.gateway("--mqtt", f"mqtt://127.0.0.1:{PORT}", 8000)
    sink = tools.sink(8000)
    paths = [write_values(tools.folder, node, lines) for node in range(NODES)]
    direct, through, cpus = [], [], []
    for _ in range(repeats):
        cpu = gateway.cpu() + broker.cpu()
        results = measure_nodes(paths, lines, sink)
        cpus.append((gateway.cpu() + broker.cpu() - cpu) / max(1, results[1][1]) * 1e6)
        direct.append(results[0])
        through.append(results[1])
    wanted = lines * NODES
    rows, rates = [], []
    for name, measured, cost in (("mosquitto_sub", direct, ""),
                                 ("gateway, broker, client", through, f"{median(cpus):.1f}")):
        rates.append(median([rate for rate, _ in measured]))
        rows.append([name, f"{rates[-1]:,.0f}", f"{min(arrived for _, arrived in measured):,} of {wanted:,}", cost])
    rows.append(["ratio", f"{rates[1] / rates[0]:.2f}", "", ""])
    return table([f"messages of {NODES} nodes at", "messages/s until arrived", "arrived", "CPU s/million"], rows)


def run(tools, quick, repeats):
    say("mqtt")
    if not shutil.which("mosquitto_pub"):
        return "mosquitto_pub is not installed (Debian: mosquitto-clients)."
    broker = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
        config.write(f"listener {PORT} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 1000000\n")
        config.flush()
        os.chmod(config.name, 0o644)
        tools.start("mosquitto", [broker, "-c", config.name], ready=None)
        text = compare_publishers(tools, quick, repeats) + "\n\n" + compare_paths(tools, quick, repeats)
        tools.stop()
    return text
