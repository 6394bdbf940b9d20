"""What the gateway's journal costs an update, beside the write() that it cannot do without."""

import os
import shutil

from harness import count, median, say, table


def run(tools, quick, repeats):
    say("journal")

    def measure(what, updates):
        results = []
        for _ in range(repeats):
            folder = tools.state(what)
            os.mkdir(folder)
            results.append(tools.run("journal", "--what", what, "--folder", folder, "--updates", updates))
            shutil.rmtree(folder)
        return {key: median([result[key] for result in results]) for key in results[0]}

    many, few = (20_000, 200) if quick else (500_000, 20_000)
    write, ours, always = measure("write", many), measure("journal", many), measure("always", few)
    return table(
        ["before each acknowledgement", "us an update", "of write()", "updates/s", "bytes an update"],
        [["write() of as many bytes", f"{write['ns'] / 1000:.2f}", "1", count(write["rate"]), f"{write['bytes']:.0f}"],
         ["the journal", f"{ours['ns'] / 1000:.2f}", f"{ours['ns'] / write['ns']:.1f}", count(ours["rate"]),
          f"{ours['bytes']:.0f}"],
         ["with --sync always, 64 under way", f"{always['ns'] / 1000:.2f}", f"{always['ns'] / write['ns']:.1f}",
          count(always["rate"]), f"{always['bytes']:.0f}"]])
