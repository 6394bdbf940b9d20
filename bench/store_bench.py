"""What the broker's store makes of updates, beside plain SQLite and beside a file."""

import os
import shutil

from harness import count, median, say, table


def run(tools, quick, repeats):
    say("store")
    updates = 20_000 if quick else 1_000_000

    def measure(what, times):
        results = []
        for _ in range(times):
            folder = tools.state(what)
            os.mkdir(folder)
            results.append(tools.run("store", "--what", what, "--folder", folder, "--updates", updates))
            shutil.rmtree(folder)
        return {key: median([result[key] for result in results]) for key in results[0]}

    # Rows take long, and vary little.
    rows = measure("rows", 1 if quick else min(repeats, 3))
    append = measure("append", repeats)
    ours = measure("store", repeats)
    month = measure("month", 1 if quick else repeats)
    text = table(
        ["each 1,000 updates durable", "updates/s", "of SQLite's", "bytes an update"],
        [["a row an update, indexed by resource and time", count(rows["rate"]), "1", f"{rows['bytes'] / updates:.1f}"],
         ["aiot's store", count(ours["rate"]), f"{ours['rate'] / rows['rate']:.1f}", f"{month['point_bytes']:.1f}"],
         ["and until all are in blocks by resource", count(ours["moved_rate"]),
          f"{ours['moved_rate'] / rows['rate']:.1f}", ""],
         ["appended to a file as text", count(append["rate"]), f"{append['rate'] / rows['rate']:.1f}",
          f"{append['bytes'] / updates:.1f}"]])
    text += f"\n\nOf the broker's own thread an update takes {ours['loop_ns']:.0f} ns; the rest is the worker's.\n"
    if quick:
        return text
    opened = measure("open", repeats)
    return text + "\n" + table(
        ["", "ms"],
        [["43,200 points of one resource, a month at 1/min, in pages of 1,000", f"{month['raw_ms']:.0f}"],
         ["the same by the hour", f"{month['hours_ms']:.0f}"],
         ["opening with 10,000 nodes x 5 resources after kill -9", f"{opened['ms']:.0f}"]])
