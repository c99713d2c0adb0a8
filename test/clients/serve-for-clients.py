"""Serves the built-in model on a worker with scripted answers, prints the address, and ends when standard input closes."""
import os
import sys

sys.path.insert(0, os.environ["TROUPE_E2E"])
import harness  # noqa: E402

TOML = harness.model_toml(
    harness.BUILTIN, extra='name = "scripted"\naliases = ["gpt-*", "claude-*"]\n',
    worker=f'backend = "timing"\nblocks = 512\ntiming_step_us = 200\ntiming_prefill_token_us = 1\ntiming_decode_token_us = 20\ntiming_script = "{harness.SOURCE}/test/clients/answers.json"\n')

if __name__ == "__main__":
    with harness.serving(TOML) as server:
        print(server.url, flush=True)
        sys.stdin.read()
        sys.exit(server.stop())
