"""opencode (the program within npm's `opencode-ai`), without any network but this machine's own: a loop of tools and a subagent, over each
protocol that it speaks."""
import json
import unittest

from agents import LAST_WORDS, PACKAGES, Story, call, check_story, playing, run

LEAD = ["I will run it.\n" + call("bash", command="echo marker-one", description="Says a marker"),
        "Now a helper.\n" + call("task", description="count things", prompt="Count the things in this folder.", subagent_type="general"),
        LAST_WORDS]
CHILD = ["<think>\nThings have to be counted.\n</think>\n\n" + call("bash", command="ls -a", description="Lists what is here"), "There are three things."]


def config_of(npm, port):
    model = {"name": "scripted", "tool_call": True, "limit": {"context": 65_536, "output": 4_096}}
    provider = {"npm": npm, "name": "Troupe", "options": {"baseURL": f"http://127.0.0.1:{port}/v1", "apiKey": "none"}, "models": {"scripted": model}}
    return {"provider": {"troupe": provider}, "model": "troupe/scripted", "small_model": "troupe/scripted", "permission": "allow",
            "share": "disabled", "autoupdate": False}


class Play(unittest.TestCase):
    def play(self, npm):
        story = Story(LEAD, CHILD)
        with playing(story) as folder:
            config = folder / "opencode.json"
            config.write_text(json.dumps(config_of(npm, story.relay.port)))
            environment = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("CONFIG", "DATA", "CACHE", "STATE")}
            environment |= {f"OPENCODE_DISABLE_{name}": "1" for name in ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD")}
            status, said = run([PACKAGES / "opencode-linux-x64-baseline/bin/opencode", "run", "-m", "troupe/scripted", "Do the work."], folder, {**environment, "OPENCODE_CONFIG": str(config)})
            self.assertEqual(status, 0, said)
            self.assertIn(LAST_WORDS, said)
            check_story(self, story)
            self.assertEqual(story.paused_on, {(False, 1): ["bash"], (False, 2): ["task"], (True, 1): ["bash"]})
            # It had begun when the lead's first turn came, and still the pause after that was seen.
            titles = [seen for seen in story.relay.seen if seen.body and not seen.offers_tools]
            self.assertEqual([(seen.status, seen.session) for seen in titles], [(200, story.turns(None)[0].session)])


class Opencode(Play):
    def test_over_chat_completions(self):
        self.play("@ai-sdk/openai-compatible")

    def test_over_messages(self):
        self.play("@ai-sdk/anthropic")


if __name__ == "__main__":
    unittest.main()
