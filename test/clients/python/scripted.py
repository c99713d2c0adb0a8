"""What the tests of all clients serve: the built-in model on a worker with scripted answers, chosen by the request's seed."""
import json
import pathlib

import harness

ANSWERS = pathlib.Path(__file__).parents[1] / "answers.json"
TOML = harness.model_toml(
    harness.BUILTIN, extra='name = "scripted"\naliases = ["gpt-*", "claude-*"]\n',
    worker=f'backend = "timing"\nblocks = 512\ntiming_step_us = 200\ntiming_prefill_token_us = 1\ntiming_decode_token_us = 20\ntiming_script = {json.dumps(str(ANSWERS))}\n')
