"""Updates of WebSocket nodes to a client of the broker, beside a bare relay of the same frames."""

from harness import count, median, say
from load_bench import Bench, Target


def run(tools, quick, repeats, seconds):
    bench, ratios = Bench(tools, "raw"), []
    for nodes in (1, 100) if quick else (1, 100, 2_000):
        say(f"ws: {nodes} nodes")
        raw = tools.start("tcp_fanout", [tools.bench("tcp_fanout"), "--port", "8003"])
        broker = tools.broker(8000)
        gateway = tools.gateway("--ws", 8001, 8000)
        by_name = bench.measure([
            Target("raw", "raw TCP relay", "ws_load", [raw],
                   ["--port", 8003, "--path", "/gw", "--client-port", 8003]),
            Target("end to end", "gateway, broker, client", "ws_load", [gateway, broker],
                   ["--port", 8001, "--client-port", 8000])], nodes, repeats, seconds)
        through = by_name["end to end"]
        ratios.append(f"- {count(nodes)} nodes: {median(through.rates) / median(by_name['raw'].rates):.2f} of what the raw"
                      f" relay does; {through.lost + through.half_lost} updates did not reach the client.")
    return bench.table("raw relay") + "\n\n" + "\n".join(ratios)
