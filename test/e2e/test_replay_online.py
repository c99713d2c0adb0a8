"""`troupe replay --online`: a workload of seven requests against the real server, every request and verb counted."""
import json
import pathlib
import subprocess
import tempfile
import unittest

import harness

SERVER = harness.model_toml(harness.BUILTIN, worker="blocks = 256\nblock_tokens = 16\n")


def request(t, blocks, source="tool_result"):
    """Blocks of 4 tokens; the answer was recorded as taking 10 ms and ends in tool calls."""
    return {"type": "n", "t": t, "api_time": 0.01, "in": 4 * len(blocks), "out": 3, "hash_ids": blocks, "input_types": [source], "stop": "tool_use"}


def session(name, requests):
    return {"id": name, "block_size": 4, "requests": requests}


# 20 blocks are 80 tokens, of which the next turn finds all: five blocks of the server.
LEAD = session("lead", [request(0, [*range(1, 21)], "text"),
                        {"type": "subagent", "t": 0.02, "requests": [request(0, [*range(1, 17), *range(50, 54)], "text"),
                                                                     request(0.03, [*range(1, 17), *range(50, 60)])]},
                        request(0.05, [*range(1, 31)]), request(0.08, [*range(1, 41)], "text")])
OTHER = session("other", [request(0, [*range(1, 21)], "text"), request(0.03, [*range(1, 31)])])


def play(url, sessions, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        for each in sessions:
            (pathlib.Path(folder) / f"{each['id']}.json").write_text(json.dumps(each))
        file = pathlib.Path(folder) / "rows.out"
        done = subprocess.run([harness.BINARY, "replay", folder, "--online", url, "--slot-wait-s", "0", *map(str, arguments), "--json", str(file)],
                              capture_output=True, text=True, timeout=120)
        return done, json.loads(file.read_text()) if file.exists() else None


class ReplayOnline(unittest.TestCase):
    def play_on(self, server, sessions, *arguments):
        done, result = play(server.url, sessions, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done, result["rows"][0]

    def test_every_request_and_verb_of_two_sessions(self):
        with harness.serving(SERVER) as server:
            done, row = self.play_on(server, [LEAD, OTHER], "--policy", "lru", "--scenario", "closed:1", "--hints", "exact")
            self.assertEqual((row["policy"], row["lifecycle"], row["errors"], row["verbs_failed"]), ("lru", "events", 0, 0))
            counts = {name: (group["requests"], group["errors"]) for name, group in row["groups"].items()}
            self.assertEqual(counts, {"all": (7, 0), "later": (4, 0), "after_tool_pause": (3, 0), "after_person": (1, 0), "first": (3, 0),
                                      "team": (0, 0), "team_later": (0, 0), "urgent": (0, 0), "rest": (7, 0)})
            self.assertEqual(row["verbs"], {"spawn accepted": 3, "tool_pause accepted": 4, "die accepted": 3})
            first, later = row["groups"]["first"], row["groups"]["later"]
            # The subagent shares four blocks of the server with its lead; the other session shares nothing.
            self.assertEqual((first["prompt_tokens"], first["cached_tokens"]), (240, 64))
            self.assertEqual((later["prompt_tokens"], later["cached_tokens"]), (120 + 160 + 104 + 120, 80 + 112 + 80 + 80))
            self.assertEqual(row["groups"]["all"]["output_tokens"], 21)
            self.assertGreater(row["first_token_s_p50"], 0)
            self.assertIn("after_tool_pause", done.stdout)
            listed = {each["id"]: each for each in server.request("GET", "/v1/sessions?dead=true&limit=100")[2]["data"]}
            self.assertEqual({name: each["state"] for name, each in listed.items()}, {f"replay-{agent}": "dead" for agent in range(3)})
            subagent = next(each for each in listed.values() if each["parent"])
            self.assertEqual(subagent["turns"], 2)

    def test_a_server_that_is_told_nothing_sees_requests_only(self):
        with harness.serving(SERVER) as server:
            _, row = self.play_on(server, [LEAD, OTHER], "--lifecycle", "none")
            self.assertEqual((row["verbs"], row["errors"], row["groups"]["later"]["requests"]), ({}, 0, 4))
            self.assertEqual(row["groups"]["later"]["cached_tokens"], 352)
            listed = server.request("GET", "/v1/sessions")[2]["data"]
            self.assertEqual({each["id"]: each["parent"] for each in listed}, {f"replay-{agent}": None for agent in range(3)})

    def test_urgent_agents_are_a_group_of_their_own(self):
        with harness.serving(SERVER) as server:
            for hint in ("priority", "none"):
                _, row = self.play_on(server, [LEAD, OTHER], "--urgent", "0.4", "--urgent-hint", hint, "--seed", "3")
                groups = row["groups"]
                self.assertEqual(groups["urgent"]["requests"] + groups["rest"]["requests"], 7)
                self.assertIn(groups["urgent"]["requests"], (4, 5))  # two of the three agents, which have 3, 2 and 2 requests
                self.assertEqual((row["urgent_share"], row["urgent_hint"], row["errors"]), (0.4, hint, 0))

    def test_requests_that_fail_are_counted_and_the_rest_goes_on(self):
        too_long = session("long", [request(0, [*range(1, 21)]), request(0.02, [*range(1, 2000)]), request(0.04, [*range(1, 31)])])
        with harness.serving(SERVER) as server:
            done, row = self.play_on(server, [too_long])
            self.assertEqual((row["errors"], row["groups"]["all"]["requests"], row["groups"]["later"]["cached_tokens"]), (1, 3, 80))
            self.assertEqual(list(row["error_texts"].values()), [1])
            self.assertIn("the server answered 400", next(iter(row["error_texts"])))
            self.assertIn("failed: the server answered 400", done.stdout)

    def test_a_request_that_takes_too_long_fails_at_its_deadline(self):
        slow = harness.model_toml(harness.BUILTIN, worker='backend = "timing"\nblocks = 256\nblock_tokens = 16\ntiming_step_us = 30000000\n')
        with harness.serving(slow) as server:
            _, row = self.play_on(server, [session("slow", [request(0, [1, 2, 3])])], "--request-timeout-s", "0.3", "--lifecycle", "none")
            self.assertEqual(row["errors"], 1)
            self.assertEqual(row["hit_rate"], 0)

    def test_what_cannot_be_played_is_an_error(self):
        done, result = play("http://127.0.0.1:1", [OTHER])
        self.assertEqual((done.returncode, result), (1, None))
        self.assertIn("troupe: no answer", done.stderr)
        for arguments in (["--scenario", "closed:0"], ["--hints", "often"], ["--vocabulary", "2"],
                          ["--hints", "exact", "--lifecycle", "none"]):
            done, _ = play("http://127.0.0.1:1", [OTHER], *arguments)
            self.assertEqual(done.returncode, 1, arguments)
        self.assertEqual(play("ftp://here", [OTHER])[0].returncode, 1)
        self.assertNotEqual(play("http://127.0.0.1:1", [OTHER], "--tier", "host=1")[0].returncode, 0)
        alone = subprocess.run([harness.BINARY, "replay", "x.json", "--lifecycle", "none"], capture_output=True, text=True, timeout=60)
        self.assertIn("--online", alone.stderr)


if __name__ == "__main__":
    unittest.main()
