"""The committed workload: what it holds, and that the script cuts it out of the recorded sessions again."""
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

import harness

WORKLOAD = harness.SOURCE / "bench/workloads/claude-code-sixteenth.tar.zst"
SESSIONS = harness.SHARED / "traces/claude-code-sessions/kvct_public.tar.zst"


def unpacked(path):
    return subprocess.run(["zstd", "-d", "--long=27", "-c", str(path)], check=True, capture_output=True, timeout=60).stdout


@unittest.skipUnless(shutil.which("zstd"), "skipped: there is no zstd command")
class Workload(unittest.TestCase):
    def test_a_lead_with_four_subagents_and_eleven_others(self):
        with tarfile.open(fileobj=io.BytesIO(unpacked(WORKLOAD))) as tar:
            sessions = [json.load(tar.extractfile(member)) for member in tar]
        teams = [[entry for entry in session["requests"] if entry["type"] == "subagent"] for session in sessions]
        self.assertEqual([len(team) for team in teams], [4, 3] + [0] * 10)
        self.assertEqual([len(mate["requests"]) for mate in teams[0]], [60, 60, 60, 60])
        heads = [mate["requests"][0]["hash_ids"] for mate in teams[0]]
        lead = sessions[0]["requests"][0]["hash_ids"]
        self.assertEqual([os.path.commonprefix([lead, head]) for head in heads], [lead[:shared] for shared in (247, 239, 230, 245)])
        self.assertLess(WORKLOAD.stat().st_size, 300_000)

    def test_the_lab_reads_it(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "rows.json"
            subprocess.run([harness.BINARY, "replay", str(WORKLOAD), "--policy", "lru", "--capacity-share", "1", "--json", str(file)], check=True,
                           capture_output=True, timeout=60)
            read = json.loads(file.read_text())
        self.assertEqual((read["requests"], read["sessions"], read["block_tokens"], read["unique_blocks"]), (568, 12, 4, 19317))
        self.assertEqual(round(100 * read["rows"][0]["hit_rate"], 2), 96.1)

    @unittest.skipUnless(SESSIONS.exists(), f"skipped: TROUPE_SHARED does not lead to {SESSIONS.name}")
    def test_the_script_cuts_it_again(self):
        with tempfile.TemporaryDirectory() as folder:
            made = pathlib.Path(folder) / "made.tar.zst"
            subprocess.run([str(harness.SOURCE / "scripts/cut-workload"), "--output", str(made)], check=True, capture_output=True, timeout=120,
                           env={**os.environ, "TROUPE_SHARED": str(harness.SHARED)})
            self.assertEqual(unpacked(made), unpacked(WORKLOAD))


if __name__ == "__main__":
    unittest.main()
