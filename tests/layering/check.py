#!/usr/bin/env python3
"""Checks who includes whom in src/: check.py [ROOT].

A room is a folder. Includes point downwards only, a protocol library's header stands in exactly one
room, heavy headers stay out of headers, and no file grows beyond MAX_LINES. Adding a room costs one row in
ROOMS; nothing else decides. Prints one line a finding, exits 1 when there is any.
"""
import os
import re
import sys

MAX_LINES = 400

BASE = {"core/base"}
MODEL = BASE | {"core/model"}
# "core" is core/client.h and core/schemes.h: the verbs that every scheme shares.
CODEC = MODEL | {"core/codec"}
CLIENTS = CODEC | {"core/loop", "core/tls", "core"}
PROTOCOLS = {"core/coap", "core/mqtt", "core/mqttsn", "core/ws", "core/relay"}

# Room -> rooms it may include, beside itself.
ROOMS = {
    "core/base": set(),
    "core/loop": BASE,
    "core/model": BASE | {"core"},  # client.cpp: the names of client.h's enumerators
    "core/codec": MODEL,
    "core/tls": BASE | {"core/loop"},
    "core": CLIENTS | PROTOCOLS,
    "core/coap": CLIENTS,
    "core/mqtt": CLIENTS,
    "core/mqttsn": CLIENTS,
    "core/ws": CLIENTS,
    "core/relay": CLIENTS | {"core/ws"},
    "daemon": BASE | {"core/loop"},
    "daemon/access": MODEL,
    "daemon/wire": CODEC | {"core"},
    "daemon/store": CODEC | {"core/loop"},
    "daemon/gateway": CLIENTS | PROTOCOLS - {"core/relay"} | {"daemon", "daemon/wire"},
    "daemon/broker": CLIENTS | {"core/ws", "daemon", "daemon/access", "daemon/wire", "daemon/store"},
    "daemon/simulator": CLIENTS | PROTOCOLS - {"core/relay"},
    "cli": None,  # everything: it is the top
}

# Headers of core/ itself that lower rooms may know: all but the table of schemes.
SCHEMES = {"core/schemes.h"}
MAY_KNOW_SCHEMES = {"core", "cli"}

# Third-party header (prefix) -> the rooms that may include it.
LIBRARIES = {
    "coap3/": {"core/coap"},
    "mosquitto.h": {"core/mqtt"},
    "mqtt_protocol.h": {"core/mqtt"},
    "libwebsockets": {"core/ws"},
    "uv.h": {"core/loop"},
    "sqlite3.h": {"daemon/store"},
    "argon2.h": {"daemon/access"},
    "zlib.h": {"daemon/store", "daemon/gateway"},
    "CLI/": {"cli"},
    "toml++/": {"cli"},
    "nats/": {"core/nats"},
    "systemd/": {"daemon"},
}

# Costly to compile: never in a header (nlohmann/json_fwd.hpp is fine).
NOT_IN_HEADERS = ("nlohmann/json.hpp", "CLI/", "toml++/", "coap3/", "libwebsockets", "sqlite3.h", "mosquitto.h")
# core/coap's own private header is the room's one door to libcoap.
HEADER_EXCEPTIONS = {("core/coap", "coap3/"), ("core/ws", "libwebsockets")}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
FEATURE = re.compile(r"^\s*#\s*(?:el)?if(?:n?def)?\b.*\bAIOT_(?!IN_)")


def room_of(path):
    """The room of a path below src/: the longest row of ROOMS that holds it."""
    folder = os.path.dirname(path)
    while folder:
        if folder in ROOMS:
            return folder
        folder = os.path.dirname(folder)
    return None


def check_project_include(path, room, target, sources):
    if target not in sources and not target.startswith("generated/"):
        return f'includes "{target}", which is not in src/ (third-party headers take <>)'
    other = room_of(target)
    if other == room:
        return None
    if target in SCHEMES and room not in MAY_KNOW_SCHEMES:
        return f'includes "{target}": only the command line knows every scheme'
    allowed = ROOMS[room]
    if allowed is not None and other not in allowed:
        return f'includes "{target}": {room} may not know {other}'
    return None


def check_library_include(path, room, target):
    for prefix, rooms in LIBRARIES.items():
        if target.startswith(prefix) and room not in rooms:
            return f"includes <{target}>, which belongs to {', '.join(sorted(rooms))} alone"
    if path.endswith(".h"):
        for prefix in NOT_IN_HEADERS:
            if target.startswith(prefix) and (room, prefix) not in HEADER_EXCEPTIONS:
                return f"is a header and includes <{target}>"
    return None


def check_file(root, path, sources):
    findings = []
    room = room_of(path)
    if room is None:
        return [f"{path}: stands in no room of tests/layering/check.py"]
    with open(os.path.join(root, "src", path), encoding="utf-8") as file:
        lines = file.read().splitlines()
    if len(lines) > MAX_LINES:
        findings.append(f"{path}: {len(lines)} lines, more than {MAX_LINES}: split it by noun")
    for number, line in enumerate(lines, 1):
        if FEATURE.match(line):
            findings.append(f"{path}:{number}: decides about a feature; that is CMake's to do")
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(2)
        if match.group(1) == '"':
            problem = check_project_include(path, room, target, sources)
        else:
            problem = check_library_include(path, room, target)
        if problem:
            findings.append(f"{path}:{number}: {problem}")
    return findings


def check(root):
    """All findings in the tree at `root`."""
    sources = set()
    folders = {}
    base = os.path.join(root, "src")
    for folder, _, names in sorted(os.walk(base)):
        relative = os.path.relpath(folder, base)
        if relative != "." and relative in ROOMS:
            folders.setdefault(os.path.basename(folder), []).append(relative)
        for name in sorted(names):
            if name.endswith((".h", ".cpp")):
                sources.add(os.path.normpath(os.path.join(relative, name)))
    findings = [
        f"{name}: two rooms of one name: {', '.join(places)}"
        for name, places in sorted(folders.items())
        if len(places) > 1
    ]
    for path in sorted(sources):
        findings += check_file(root, path, sources)
    if not sources:
        findings.append(f"{base}: no sources found")
    return findings


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "..")
    findings = check(root)
    for finding in findings:
        print(f"src/{finding}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
