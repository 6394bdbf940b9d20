"""The dashboard in headless Chromium under load (bench/dashboard.mjs)."""

import os
import subprocess

from harness import Failure, say


def run(tools, quick):
    say("dashboard")
    here = os.path.dirname(os.path.abspath(__file__))
    environment = dict(os.environ, AIOT_BIN=tools.aiot())
    if quick:
        environment.update(NODES="500", RATE="100", SECONDS="3", MINUTES="0")
    done = subprocess.run(["node", os.path.join(here, "dashboard.mjs")], env=environment, stdout=subprocess.PIPE,
                          text=True, timeout=3600)
    if done.returncode != 0:
        raise Failure(f"bench/dashboard.mjs: exit {done.returncode}")
    # node:test, which the tests' helpers use, says its own version first.
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith("TAP version"))
