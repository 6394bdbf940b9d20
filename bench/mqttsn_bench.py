"""MQTT-SN PUBLISH at QoS 1 from many clients: a raw echo, the gateway alone, and through gateway and broker."""

from harness import count, median, say
from load_bench import Bench, Target

PORTS = {"echo": 1890, "gateway": 1891, "end to end": 1892}
TITLES = {"echo": "raw UDP echo", "gateway": "gateway alone", "end to end": "gateway, broker, client"}


def target(name, servers, options=(), sink=None):
    return Target(name, TITLES[name], "mqttsn_load", servers, ["--port", PORTS[name], *options], sink)


def run(tools, quick, repeats, seconds):
    bench, ratios = Bench(tools, "echo"), []
    for nodes in (1, 100) if quick else (1, 100, 5_000):
        say(f"mqttsn: {nodes} clients")
        targets = [target("echo", [tools.udp_echo(PORTS["echo"])], ["--echo"]),
                   target("gateway", [tools.gateway("--mqttsn", PORTS["gateway"], name="alone")])]
        broker = tools.broker(8000)
        gateway = tools.gateway("--mqttsn", PORTS["end to end"], 8000, name="uplinked")
        targets.append(target("end to end", [gateway, broker], sink=tools.sink(8000)))
        by_name = bench.measure(targets, nodes, repeats, seconds)
        echo, alone, through = (median(by_name[name].rates) for name in TITLES)
        ratios.append(f"- {count(nodes)} clients: the gateway alone acknowledges {alone / echo:.2f} of what the raw echo"
                      f" does, end to end {through / echo:.2f}; {100 * median(by_name['end to end'].shares):.1f} % of the"
                      " acknowledged messages reached the client.")
    return bench.table("raw echo") + "\n\n" + "\n".join(ratios)
