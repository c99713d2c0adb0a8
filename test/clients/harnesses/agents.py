"""The story that each harness plays: a lead that runs a command, has a subagent, which runs a command too, and says what came of it."""
import contextlib
import json
import os
import pathlib
import subprocess
import tempfile

import harness
from relay import Relay
from scripted import script_toml

RUN_S = 120
PASS_S = 20
BLOCK_TOKENS = 32
PACKAGES = pathlib.Path(os.environ["TROUPE_HARNESSES"]) / "node_modules"
LAST_WORDS = "All is done: marker-one, and three things."


def call(name, **arguments):
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


class Story:
    """Chooses answers: a title for whoever offers no tools, else by whose turn it is and how many results it carries."""

    # Long enough to be told still when the lead's own turn comes.
    TITLE = "A title " + "that goes on and on " * 40

    def __init__(self, lead, child, has_title=True):
        """Each a list of answers, for the turn with no result, with one, ... A title, where there is one, is made to be heard first: while it
        is being told the lead's first turn comes, which is the worst order of the two."""
        self.answers = [self.TITLE, *lead, *child]
        self._lead, self._child, self._has_title = len(lead), len(child), has_title
        self.paused_on = {}  # what a session waited for when a turn with results came: (is a subagent, results) -> names
        self.server = self.relay = None

    def choose(self, seen):
        if not seen.offers_tools:
            return 0
        if seen.results > 0:
            self.paused_on.setdefault((seen.parent is not None, seen.results), self.session(seen.session)["paused_on"])
        elif seen.parent is None and self._has_title:
            self._let_pass(lambda other: not other.offers_tools and other.answer)
        if seen.parent:
            return 1 + self._lead + min(seen.results, self._child - 1)
        return 1 + min(seen.results, self._lead - 1)

    def session(self, name):
        return self.server.request("GET", f"/v1/sessions/{name}")[2]

    def turns(self, parent):
        """Requests with tools, of the lead or of its subagents."""
        return [seen for seen in self.relay.seen if seen.body and seen.offers_tools and (seen.parent is None) == (parent is None)]

    def _let_pass(self, is_it):
        self.relay.wait_for(is_it, PASS_S)


@contextlib.contextmanager
def playing(story):
    """A server that knows the story's answers, and a relay before it; gives a folder of its own to the harness."""
    with tempfile.TemporaryDirectory(prefix="troupe-harness-", ignore_cleanup_errors=True) as folder:
        script = pathlib.Path(folder) / "answers.json"
        script.write_text(json.dumps(story.answers))
        toml = script_toml(script).replace("blocks = 512", "blocks = 4096").replace("timing_step_us = 200", "timing_step_us = 2000")
        with harness.serving(toml) as story.server, Relay(story.server.port, story.choose) as story.relay:
            yield pathlib.Path(folder)


def run(command, folder, environment):
    """The harness itself, in an empty folder, with a home of its own."""
    work, home = folder / "work", folder / "home"
    for each in (work, home):
        each.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "http_proxy", "https_proxy", "no_proxy")}
    done = subprocess.run(command, cwd=work, env={**kept, "HOME": str(home), "PWD": str(work), **environment}, timeout=RUN_S,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def check_story(test, story, lead_turns=(3,)):
    """What the server must have made of it, whatever harness and protocol told it."""
    lead, child = story.turns(None), story.turns("any")
    test.assertIn(len(lead), lead_turns)
    test.assertEqual(len(child), 2)
    test.assertEqual({seen.status for seen in lead + child}, {200})
    sessions = {each["id"]: each for each in story.server.request("GET", "/v1/sessions?dead=true")[2]["data"]}
    test.assertEqual(set(sessions), {lead[0].session, child[0].session})  # the title bound none
    test.assertEqual(sessions[child[0].session]["parent"], lead[0].session)
    test.assertEqual(sessions[lead[0].session]["parent"], None)
    test.assertEqual({each["state"] for each in sessions.values()} - {"dead"}, {"idle"})
    for turns in (lead, child):
        test.assertEqual(len({seen.session for seen in turns}), 1)
        for before, after in zip(turns, turns[1:]):
            prompt, _, output = before.usage
            full = (prompt + output) // BLOCK_TOKENS * BLOCK_TOKENS
            test.assertGreater(after.usage[1], 0.9 * full)
    # The subagent's first turn begins as its parent's did.
    test.assertGreater(child[0].usage[1], 0)
