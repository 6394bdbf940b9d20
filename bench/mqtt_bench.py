"""`aiot publish --lines --qos 1` beside `mosquitto_pub -l -q 1`: lines until the last has arrived at a subscriber."""

import os
import shutil
import subprocess
import tempfile
import time

from harness import Failure, median, say, table

PORT = 1883
LINES = 50_000  # above 65,535 mosquitto_pub loses what it cannot number


class Subscriber:
    """mosquitto_sub, counting; ready once a message has come through."""

    def __init__(self, topic):
        self.topic = topic
        self.process = subprocess.Popen(
            ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(PORT), "-q", "1", "-t", topic],
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


def run(tools, quick, repeats):
    say("mqtt")
    if not shutil.which("mosquitto_pub"):
        return "mosquitto_pub is not installed (Debian: mosquitto-clients)."
    broker = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    lines = 2_000 if quick else LINES
    rows, rates = [], []
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
        config.write(f"listener {PORT} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 1000000\n")
        config.flush()
        os.chmod(config.name, 0o644)
        tools.start("mosquitto", [broker, "-c", config.name], ready=None)
        programs = {
            "mosquitto_pub -l -q 1": lambda topic: ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(PORT), "-q", "1",
                                                    "-t", topic, "-l"],
            "aiot publish --lines --qos 1": lambda topic: [tools.aiot(), "publish", "--lines", "--qos", "1",
                                                           f"mqtt://127.0.0.1:{PORT}/{topic}"],
        }
        results = {name: [] for name in programs}
        for repeat in range(repeats):
            for name, command in programs.items():
                results[name].append(measure(command, lines, f"{len(results[name])}/{len(name)}"))
        tools.stop()
    for name, measured in results.items():
        rates.append(median([rate for rate, _ in measured]))
        rows.append([name, f"{rates[-1]:,.0f}", f"{min(arrived for _, arrived in measured):,} of {lines:,}"])
    rows.append(["ratio", f"{rates[1] / rates[0]:.2f}", ""])
    return table(["publisher", "lines/s until arrived", "arrived"], rows)
