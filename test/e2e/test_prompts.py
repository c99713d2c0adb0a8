"""What clients repeat and what they change from request to request: the cache reaches to the end of the conversation all the same."""
import json
import pathlib
import tempfile
import unittest

import harness

CHAT = "/v1/chat/completions"
BLOCK_TOKENS = 16
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}}
# Spelled as no template does: no spaces, and what another writer would escape otherwise.
CALL = '<tool_call>\n{"name":"look","arguments":{"at":"a/b","deep":{"x":[1,2],"y":"\\u00e9"}}}\n</tool_call>'


class Prompts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
        script = pathlib.Path(cls.folder.name) / "answers.json"
        script.write_text(json.dumps([CALL, "It is a file, and it is long enough to fill a block of tokens or two."]))
        worker = f'backend = "timing"\nblocks = 512\nblock_tokens = {BLOCK_TOKENS}\ntiming_step_us = 200\ntiming_script = {json.dumps(str(script))}\n'
        cls.context = harness.serving(harness.model_toml(harness.BUILTIN, worker=worker))
        cls.server = cls.context.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)
        cls.folder.cleanup()

    def turn(self, session, messages, seed, tools=(TOOL,)):
        body = {"model": "builtin", "messages": messages, "tools": list(tools), "seed": seed}
        status, _, answer = self.server.request("POST", CHAT, body, {"x-session-id": session})
        self.assertEqual(status, 200, answer)
        usage = answer["usage"]
        # Of prompt and answer, but for the token that ended it: nobody has computed with that.
        full = (usage["prompt_tokens"] + usage["completion_tokens"] - 1) // BLOCK_TOKENS * BLOCK_TOKENS
        return answer["choices"][0]["message"], usage["prompt_tokens_details"]["cached_tokens"], full

    def test_a_call_is_repeated_as_it_was_generated(self):
        messages = [{"role": "system", "content": "be exact"}, {"role": "user", "content": "what is there?"}]
        answer, _, full = self.turn("caller", messages, 0)
        call = answer["tool_calls"][0]
        self.assertEqual(json.loads(call["function"]["arguments"]), {"at": "a/b", "deep": {"x": [1, 2], "y": "\u00e9"}})
        messages += [answer, {"role": "tool", "tool_call_id": call["id"], "content": "a file"}]
        answer, cached, more = self.turn("caller", messages, 1)
        self.assertEqual(cached, full)
        messages += [answer, {"role": "user", "content": "thanks"}]
        self.assertEqual(self.turn("caller", messages, 1)[1], more)

    def test_a_client_that_writes_the_call_its_own_way_finds_it_too(self):
        messages = [{"role": "user", "content": "what is there, please?"}]
        answer, _, full = self.turn("rewriter", messages, 0)
        call = answer["tool_calls"][0]
        call["function"]["arguments"] = json.dumps(json.loads(call["function"]["arguments"]), indent=2)
        messages += [answer, {"role": "tool", "tool_call_id": call["id"], "content": "a file"}]
        self.assertEqual(self.turn("rewriter", messages, 1)[1], full)

    def test_another_call_is_not_taken_for_it(self):
        messages = [{"role": "user", "content": "what is there, really?"}]
        answer, _, full = self.turn("liar", messages, 0)
        call = answer["tool_calls"][0]
        call["function"]["arguments"] = '{"at":"elsewhere"}'
        messages += [answer, {"role": "tool", "tool_call_id": call["id"], "content": "a file"}]
        self.assertLess(self.turn("liar", messages, 1)[1], full)

    def test_a_billing_line_and_a_count_of_tokens_do_not_end_the_prefix(self):
        def system(number):
            return {"role": "system", "content": [{"type": "text", "text": f"x-anthropic-billing-header: cc={number};"},
                                                  {"type": "text", "text": f"You are careful. <total_tokens>{number} tokens left</total_tokens>" + " And so on." * 20}]}
        user = {"role": "user", "content": "hello"}
        full = self.turn("first", [system(111), user], 1)[2]
        self.assertGreater(full, 64)
        _, cached, _ = self.turn("second", [system(222), user], 1)
        self.assertGreaterEqual(cached, 64)


if __name__ == "__main__":
    unittest.main()
