"""What one `aiot get` costs beside coap-client-notls, as whole processes."""

import shutil
import subprocess
import time

from harness import Failure, median, say, table


def timed(command):
    begin = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=20)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return (time.perf_counter() - begin) * 1000


def run(tools, quick):
    say("cli")
    for needed in ("coap-server-notls", "coap-client-notls"):
        if not shutil.which(needed):
            return f"{needed} is not installed (Debian: libcoap3-bin)."
    tools.start("coap-server-notls", ["coap-server-notls", "-A", "127.0.0.1", "-p", "5683"], ready=None)
    uri = "coap://127.0.0.1/time"
    ours, theirs = [], []
    for _ in range(3 if quick else 20):
        ours.append(timed([tools.aiot(), "get", uri]))
        theirs.append(timed(["coap-client-notls", "-m", "get", uri]))
    tools.stop()
    return table(["whole process, median of " + str(len(ours)), "ms"],
                 [["coap-client-notls", f"{median(theirs):.2f}"], ["aiot get", f"{median(ours):.2f}"],
                  ["difference", f"{median(ours) - median(theirs):+.2f}"]])
