"""What the benches share: processes and what they cost, medians, tables."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


def say(text):
    print(text, file=sys.stderr, flush=True)


class Failure(Exception):
    """A bench that could not be run, with a sentence."""


class Server:
    """A process under measurement. Its standard error is kept, and waited on for the word "ready"."""

    def __init__(self, name, command, ready="ready", stdin=None):
        self.name = name
        self.lines = []
        self.is_ready = threading.Event()
        self.process = subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, args=(ready,), daemon=True).start()
        if ready is None:
            time.sleep(0.3)
        elif not self.is_ready.wait(15):
            self.stop()
            raise Failure(f"{name} was not ready within 15 s: {''.join(self.lines[-5:]).strip()}")
        if self.process.poll() is not None:
            raise Failure(f"{name} ended at once: {''.join(self.lines[-5:]).strip()}")

    def _read(self, ready):
        for line in self.process.stderr:
            self.lines = self.lines[-50:] + [line]
            if ready and ready in line:
                self.is_ready.set()

    def cpu(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, what="VmHWM"):
        """MB: the peak, or with VmRSS what is used now."""
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith(what + ":"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Sink(Server):
    """bench_ws_sink, asked for its count by a line."""

    def __init__(self, tools, port):
        super().__init__("ws_sink", [tools.bench("ws_sink"), "--port", str(port), "--seconds", "3600"],
                         stdin=subprocess.PIPE)

    def take(self):
        """What came since the last take."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def drain(self, patience=10.0):
        """Waits until nothing more comes; what came since the last take, added up."""
        total = self.take()
        end = time.monotonic() + patience
        while time.monotonic() < end:
            time.sleep(0.2)
            more = self.take()
            if more["frames"] == 0:
                break
            total["frames"] += more["frames"]
            total["stamped"] += more["stamped"]
            total["last_us"] = max(total["last_us"], more["last_us"])
        return total


class Tools:
    """Where the programs are, and a folder for what they keep."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.folder = tempfile.mkdtemp(prefix="aiot-bench-")
        self.servers = []
        self.started = 0
        for path in [self.aiot()] + [self.bench(n) for n in ("coap_load", "udp_echo", "ws_sink")]:
            if not os.access(path, os.X_OK):
                raise Failure(f"{path} is not built")

    def aiot(self):
        return os.path.join(self.build, "src", "cli", "aiot")

    def bench(self, name):
        return os.path.join(self.build, "bench", "bench_" + name)

    def start(self, name, command, ready="ready"):
        server = Server(name, command, ready)
        self.servers.append(server)
        return server

    def sink(self, port):
        sink = Sink(self, port)
        self.servers.append(sink)
        return sink

    def state(self, name):
        """A folder that no daemon has used before: what is known from before would not join anew."""
        self.started += 1
        return os.path.join(self.folder, f"{name}-{self.started}")

    def broker(self, port, state=None, more=()):
        return self.start("broker", [
            self.aiot(), "serve-broker", "--listen", f"127.0.0.1:{port}",
            "--key-file", os.path.join(self.folder, f"keys-{port}"),
            "--state-dir", state or self.state("broker"), *more])

    def udp_echo(self, port):
        return self.start("udp_echo", [self.bench("udp_echo"), "--port", str(port)])

    def gateway(self, source, where, broker_port=None, name="bench", state=None, more=()):
        """One source alone: ("--coap", 5690), or the URL of an MQTT broker."""
        command = [self.aiot(), "serve-gateway", "--name", name, source,
                   f"127.0.0.1:{where}" if isinstance(where, int) else where,
                   "--max-time", "1h", "--node-rate", "0",  # few fast nodes stand for many slow ones
                   "--state-dir", state or self.state(name), *more]
        if broker_port is None:
            command += ["--broker", "off"]
        else:
            command += ["--broker", f"ws://127.0.0.1:{broker_port}",
                        "--key-file", os.path.join(self.folder, f"keys-{broker_port}")]
        return self.start("gateway", command)

    def run(self, name, *options, patience=120, may_fail=False):
        """Runs a generator and returns what it printed."""
        command = [self.bench(name)] + [str(option) for option in options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience)
        if (done.returncode != 0 and not may_fail) or not done.stdout.strip():
            raise Failure(f"{' '.join(command)}: {done.stdout.strip()} {done.stderr.strip()}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def stop(self, *servers):
        for server in servers or reversed(self.servers):
            server.stop()
        self.servers = [s for s in self.servers if servers and s not in servers]

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def kernel_drops():
    """Datagrams for which no socket of this namespace had room."""
    with open("/proc/net/snmp") as snmp:
        rows = [line.split() for line in snmp if line.startswith("Udp:")]
    return int(dict(zip(rows[0], rows[1]))["RcvbufErrors"])


def median(values):
    return statistics.median(values) if values else 0.0


def table(heads, rows):
    """A table in Markdown, columns lined up."""
    cells = [[str(cell) for cell in row] for row in [heads] + rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def ms(us):
    return f"{us / 1000:.2f}"


def count(value):
    return f"{value:,.0f}"
