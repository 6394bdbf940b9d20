#!/usr/bin/env python3
"""Tests of check.py: each rule must find what it forbids, and nothing else."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import check  # noqa: E402


def findings(files):
    """What check.py finds in a tree of these files (path below src/ -> text)."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, "src", path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        return check.check(root)


HEADERS = {
    "core/base/result.h": "#pragma once\n",
    "core/loop/event_loop.h": '#include "core/base/result.h"\n',
    "core/client.h": '#include "core/base/result.h"\n',
    "core/schemes.h": '#include "core/client.h"\n',
    "core/coap/coap_client.h": '#include "core/client.h"\n',
    "daemon/gateway/gateway.h": '#include "core/loop/event_loop.h"\n',
    "daemon/broker/broker.h": '#include "core/loop/event_loop.h"\n',
    "daemon/wire/key_file.h": '#include "core/base/result.h"\n',
    "cli/command.h": '#include "daemon/broker/broker.h"\n',
}


class Layering(unittest.TestCase):
    def assert_finds(self, path, text, part):
        found = findings({**HEADERS, path: text})
        self.assertEqual(len(found), 1, found)
        self.assertIn(path, found[0])
        self.assertIn(part, found[0])

    def assert_clean(self, path, text):
        self.assertEqual(findings({**HEADERS, path: text}), [])

    def test_a_clean_tree_has_no_findings(self):
        self.assertEqual(findings(HEADERS), [])

    def test_an_empty_tree_is_not_clean(self):
        self.assertEqual(len(findings({})), 1)

    def test_includes_point_downwards(self):
        self.assert_finds("core/base/x.cpp", '#include "core/loop/event_loop.h"\n', "may not know core/loop")
        self.assert_finds("core/coap/x.cpp", '#include "daemon/wire/key_file.h"\n', "may not know daemon/wire")
        self.assert_finds("daemon/broker/x.cpp", '#include "cli/command.h"\n', "may not know cli")

    def test_gateway_and_broker_do_not_know_each_other(self):
        self.assert_finds("daemon/gateway/x.cpp", '#include "daemon/broker/broker.h"\n', "daemon/broker")
        self.assert_finds("daemon/broker/x.cpp", '#include "daemon/gateway/gateway.h"\n', "daemon/gateway")
        self.assert_clean("daemon/gateway/x.cpp", '#include "daemon/wire/key_file.h"\n')
        self.assert_clean("daemon/broker/x.cpp", '#include "daemon/wire/key_file.h"\n')

    def test_only_the_command_line_knows_every_scheme(self):
        self.assert_finds("daemon/gateway/x.cpp", '#include "core/schemes.h"\n', "every scheme")
        self.assert_clean("cli/x.cpp", '#include "core/schemes.h"\n')
        self.assert_clean("core/schemes.cpp", '#include "core/coap/coap_client.h"\n')

    def test_a_protocol_library_stands_in_one_room(self):
        for header, home in {
            "coap3/coap.h": "core/coap",
            "mosquitto.h": "core/mqtt",
            "libwebsockets.h": "core/ws",
            "uv.h": "core/loop",
            "sqlite3.h": "daemon/store",
            "CLI/CLI.hpp": "cli",
        }.items():
            self.assert_clean(f"{home}/x.cpp", f"#include <{header}>\n")
            self.assert_finds("daemon/broker/x.cpp", f"  #  include <{header}>\n", "alone")

    def test_heavy_headers_stay_out_of_headers(self):
        self.assert_finds("core/codec/x.h", "#include <nlohmann/json.hpp>\n", "is a header")
        self.assert_finds("cli/x.h", "#include <CLI/CLI.hpp>\n", "is a header")
        self.assert_clean("core/codec/x.h", "#include <nlohmann/json_fwd.hpp>\n")
        self.assert_clean("core/codec/x.cpp", "#include <nlohmann/json.hpp>\n")

    def test_a_missing_project_header_is_found(self):
        self.assert_finds("core/coap/x.cpp", '#include "coap3/coap.h"\n', "not in src/")

    def test_a_folder_that_is_no_room_is_found(self):
        self.assert_finds("helpers/x.cpp", "\n", "no room")

    def test_long_files_are_found(self):
        self.assert_clean("core/base/x.cpp", "\n" * check.MAX_LINES)
        self.assert_finds("core/base/x.cpp", "\n" * (check.MAX_LINES + 1), "lines")

    def test_features_are_decided_in_cmake(self):
        self.assert_finds("core/base/x.cpp", "#ifdef AIOT_DASHBOARD\n#endif\n", "feature")
        self.assert_clean("core/base/x.cpp", "#ifdef __clang__\n#endif\n")

    def test_two_rooms_of_one_name_are_found(self):
        rooms = dict(check.ROOMS)
        check.ROOMS["daemon/coap"] = set()
        try:
            found = findings({**HEADERS, "daemon/coap/x.h": "\n"})
        finally:
            check.ROOMS.clear()
            check.ROOMS.update(rooms)
        self.assertEqual(len(found), 1)
        self.assertIn("two rooms of one name", found[0])


if __name__ == "__main__":
    unittest.main()
