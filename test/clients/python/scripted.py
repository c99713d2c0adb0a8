"""What the tests of all clients serve: the built-in model on a worker with scripted answers, chosen by the request's seed.

The first answers are those of answers.json; those of the corpus follow in its order, then those of its long conversation (`history`).
"""
import contextlib
import json
import pathlib
import tempfile

import harness

CLIENTS = pathlib.Path(__file__).parents[1]
ANSWERS = CLIENTS / "answers.json"


def script_toml(script, more=""):
    # Blocks for all conversations of a run: what is away in the host's memory is computed anew where a busy machine copies too slowly.
    return harness.model_toml(
        harness.BUILTIN, extra='name = "scripted"\naliases = ["gpt-*", "claude-*"]\n',
        worker='backend = "timing"\nblocks = 4096\ntiming_step_us = 200\ntiming_prefill_token_us = 1\ntiming_decode_token_us = 20\n'
               f"timing_script = {json.dumps(str(script))}\n{more}\n")


def answer_of(case):
    repeated = case.get("answer_repeated")
    return repeated["text"] * repeated["times"] if repeated else case["answer"]


@contextlib.contextmanager
def script_of_corpus():
    """A file with all answers; gone afterwards."""
    corpus = json.loads((CLIENTS / "corpus.json").read_text())
    answers = json.loads(ANSWERS.read_text()) + [answer_of(case) for case in corpus["cases"]] + corpus["history"]
    with tempfile.NamedTemporaryFile("w", prefix="troupe-answers-", suffix=".json") as file:
        json.dump(answers, file)
        file.flush()
        yield file.name


def watched(http_client, after_refusal):
    """A client's transport that keeps the status of each attempt and calls `after_refusal` when one was refused."""
    statuses = []

    def note(response):
        statuses.append(response.status_code)
        if response.status_code != 200:
            after_refusal()

    return http_client(event_hooks={"response": [note]}), statuses


# One turn of a session at once: a second one is refused for now.
TOML = script_toml(ANSWERS, "[session]\nturns_per_session_max = 1")
