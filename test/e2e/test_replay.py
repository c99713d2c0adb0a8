"""`troupe replay` as a person calls it: the committed sample always, the recorded workloads with their known figures where they are."""
import json
import pathlib
import subprocess
import tempfile
import unittest

import harness

SAMPLE = pathlib.Path(__file__).parent / "data/sessions_sample.jsonl.xz"
SESSIONS = harness.SHARED / "traces/claude-code-sessions/kvct_public.tar.zst"
MOONCAKE = harness.SHARED / "traces/mooncake/conversation_trace.jsonl.xz"
SHARES = "0.01,0.02,0.03,0.05,0.1,0.25"


def replay(*arguments):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "rows.json"
        done = subprocess.run([harness.BINARY, "replay", *map(str, arguments), "--json", str(file)], capture_output=True, text=True, timeout=120)
        return done, json.loads(file.read_text()) if file.exists() else None


def rates(result, policy, **wanted):
    rows = [row for row in result["rows"] if row["policy"] == policy and all(row[key] == value for key, value in wanted.items())]
    return [round(100 * row["hit_rate"], 2) for row in rows]


class Replay(unittest.TestCase):
    def test_sample_gives_rows_with_every_figure(self):
        done, result = replay(SAMPLE, "--scenario", "closed:4", "--capacity-share", "0.05,0.2", "--policy", "lru,belady,lifecycle")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([(row["policy"], row["capacity_share"]) for row in result["rows"]],
                         [(policy, share) for policy in ("lru", "belady", "lifecycle") for share in (0.05, 0.2)])
        for row in result["rows"]:
            self.assertLessEqual(row["hit_rate"], result["ceiling"])
            self.assertEqual((row["hints"], row["deaths"], row["workers"], row["seed"], row["routing"]), ("none", False, 1, 1, "cost"))
        self.assertIn("hit rate", done.stdout)
        self.assertEqual(done.stderr, "")
        self.assertEqual(result["rows"], [dict(row, seconds=mine["seconds"]) for row, mine in
                                          zip(replay(SAMPLE, "--scenario", "closed:4", "--capacity-share", "0.05,0.2",
                                                     "--policy", "lru,belady,lifecycle")[1]["rows"], result["rows"])])

    def test_workers_tiers_and_timing(self):
        done, result = replay(SAMPLE, "--scenario", "closed:4", "--capacity-share", "0.1", "--workers", "3", "--routing", "cost,sticky",
                              "--tier", "host=0.1", "--deaths", "--hints", "exact", "--timing", harness.SOURCE / "configs/timing.toml")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({row["routing"] for row in result["rows"]}, {"cost", "sticky"})
        self.assertGreater(result["rows"][0]["host_hit_rate"], 0)

    def test_bad_input_is_an_error_with_file_and_line(self):
        with tempfile.TemporaryDirectory() as folder:
            bad = pathlib.Path(folder) / "bad.jsonl"
            bad.write_text('{"timestamp": 0, "hash_ids": [1]}\n{"timestamp": 1, "hash_ids": "x"}\n')
            done, result = replay(bad)
            self.assertEqual(done.returncode, 1)
            self.assertIn("bad.jsonl:2: ", done.stderr)
            self.assertIsNone(result)
        for arguments in (["--hints", "often"], ["--scenario", "closed:0"], ["--tier", "disk=1"], ["--policy", "best"], ["--routing", "best"],
                          ["--policy", "belady", "--workers", "2"], ["--timing", "/nonexistent.toml"]):
            done, _ = replay(SAMPLE, *arguments)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertTrue(done.stderr.startswith("troupe: "), done.stderr)

    @unittest.skipUnless(SESSIONS.exists(), f"skipped: TROUPE_SHARED does not lead to {SESSIONS.name}")
    def test_recorded_sessions_give_the_known_figures(self):
        done, result = replay(SESSIONS, "--scenario", "closed:64", "--policy", "lru,belady,lifecycle", "--capacity-share", SHARES)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(round(100 * result["ceiling"], 2), 96.40)
        self.assertEqual(result["unique_blocks"], 1532570)
        lru, belady, lifecycle = (rates(result, policy) for policy in ("lru", "belady", "lifecycle"))
        self.assertEqual(lru, [14.24, 45.73, 69.02, 87.12, 94.40, 96.40])
        self.assertEqual(belady, [51.67, 74.09, 84.54, 92.68, 96.39, 96.40])
        for at, least in enumerate((0.63, 0.50, 0.37, 0.28)):
            self.assertGreaterEqual((lifecycle[at] - lru[at]) / (belady[at] - lru[at]), least)
        self.assertTrue(all(mine >= other - 0.3 for mine, other in zip(lifecycle, lru)))

    @unittest.skipUnless(MOONCAKE.exists(), f"skipped: TROUPE_SHARED does not lead to {MOONCAKE.name}")
    def test_recorded_conversations_give_the_known_figures(self):
        done, result = replay(MOONCAKE, "--capacity-share", SHARES)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(round(100 * result["ceiling"], 2), 36.64)
        lru = rates(result, "lru")
        self.assertEqual(lru, [5.25, 7.93, 12.57, 19.58, 27.89, 35.35])
        self.assertEqual(rates(result, "belady"), [24.64, 31.42, 34.79, 36.64, 36.64, 36.64])
        self.assertTrue(all(mine >= other - 0.3 for mine, other in zip(rates(result, "lifecycle"), lru)))


if __name__ == "__main__":
    unittest.main()
