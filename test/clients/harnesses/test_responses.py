"""Over the Responses protocol: opencode by its OpenAI provider, and Codex (npm `@openai/codex`), which speaks no other."""
import unittest

import test_opencode
from agents import LAST_WORDS, PACKAGES, Story, call, check_story, playing, run

# Told as a summary, since Codex asks for one; it would show the content too.
THOUGHT = "A command comes first."
LEAD = [f"<think>\n{THOUGHT}\n</think>\n\nI will run it.\n" + call("exec_command", cmd="echo marker-one"),
        "Now a helper.\n" + call("spawn_agent", message="Count the things in this folder."),
        LAST_WORDS]
CHILD = ["<think>\nThings have to be counted.\n</think>\n\n" + call("exec_command", cmd="ls -a"), "There are three things."]
CONFIG = """model = "scripted"
model_provider = "troupe"
model_supports_reasoning_summaries = true
model_reasoning_summary = "auto"
show_raw_agent_reasoning = true
[model_providers.troupe]
name = "Troupe"
base_url = "http://127.0.0.1:{port}/v1"
wire_api = "responses"
"""


class Opencode(test_opencode.Play):
    def test_over_responses(self):
        self.play("@ai-sdk/openai")


class Patient(Story):
    """Codex names its subagents itself, so no script can wait for one: the lead's last turn is held back until it has spoken."""

    def choose(self, seen):
        if seen.parent is None and seen.results == 2:
            self._let_pass(lambda other: other.parent and other.results == 1 and b"response.completed" in other.answer)
        return super().choose(seen)


class Codex(unittest.TestCase):
    def test_a_loop_of_tools_and_a_subagent(self):
        story = Patient(LEAD, CHILD, has_title=False)
        with playing(story) as folder:
            home = folder / "codex"
            home.mkdir()
            (home / "config.toml").write_text(CONFIG.format(port=story.relay.port))
            status, said = run([PACKAGES / ".bin/codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "Do the work."],
                               folder, {"CODEX_HOME": str(home)})
            self.assertEqual(status, 0, said)
            self.assertIn(LAST_WORDS, said)
            self.assertEqual(said.count(THOUGHT), 1, said)
            check_story(self, story, lead_turns=(3, 4))  # once more when it is told that the subagent has ended
            self.assertEqual(story.paused_on, {(False, 1): ["exec_command"], (False, 2): ["spawn_agent"], (True, 1): ["exec_command"]})


if __name__ == "__main__":
    unittest.main()
