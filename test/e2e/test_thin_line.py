"""From an HTTP request through session, router and worker to the model and back, on the small trained model."""
import unittest

import harness


@unittest.skipUnless(harness.STORIES.is_dir(), f"no test model at {harness.STORIES}")
class ThinLine(unittest.TestCase):
    toml = harness.model_toml(harness.STORIES, worker="blocks = 64\nblock_tokens = 16\n")

    @staticmethod
    def turns_of(server, name, wanted):
        return harness.eventually(lambda: server.request("GET", f"/v1/sessions/{name}")[2]["turns"], lambda turns: turns == wanted)

    def golden(self):
        return (harness.STORIES / "stories260K_greedy.txt").read_text()

    def test_greedy_text_is_the_golden_text(self):
        with harness.serving(self.toml) as server:
            status, _, body = server.request("POST", "/v1/completions",
                                             {"model": "stories260K", "prompt": [1], "max_tokens": 200, "temperature": 0})
            self.assertEqual(status, 200, body)
            text = body["choices"][0]["text"].strip()
            self.assertGreater(len(text), 300)
            self.assertTrue(self.golden().strip().startswith(text), text)
            self.assertEqual(body["usage"]["prompt_tokens"], 1)
            self.assertEqual(body["usage"]["completion_tokens"], 200)

    def test_a_stream_carries_the_same_text(self):
        question = {"model": "stories260K", "messages": [{"role": "user", "content": "Once upon a time"}], "max_tokens": 60, "temperature": 0}
        with harness.serving(self.toml) as server:
            status, _, whole = server.request("POST", "/v1/chat/completions", question)
            self.assertEqual(status, 200, whole)
            chunks = list(server.stream("/v1/chat/completions", {**question, "stream_options": {"include_usage": True}}))
        self.assertEqual(chunks[0]["choices"][0]["delta"]["role"], "assistant")
        text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
        self.assertEqual(text, whole["choices"][0]["message"]["content"])
        self.assertEqual(chunks[-1]["usage"]["completion_tokens"], 60)
        self.assertEqual(chunks[-2]["choices"][0]["finish_reason"], "length")

    def test_the_second_turn_of_a_session_reuses_the_first(self):
        story = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. "
        with harness.serving(self.toml) as server:
            headers = {"x-session-id": "reader"}
            messages = [{"role": "user", "content": story}]
            first = server.request("POST", "/v1/chat/completions", {"messages": messages, "model": "stories260K", "max_tokens": 20, "temperature": 0},
                                   headers)[2]
            self.assertEqual(first["usage"]["prompt_tokens_details"]["cached_tokens"], 0)
            messages += [{"role": "assistant", "content": first["choices"][0]["message"]["content"]}, {"role": "user", "content": " Then she ran. "}]
            second = server.request("POST", "/v1/chat/completions", {"messages": messages, "model": "stories260K", "max_tokens": 20, "temperature": 0},
                                    headers)[2]
            full_blocks = first["usage"]["prompt_tokens"] // 16 * 16
            self.assertGreaterEqual(second["usage"]["prompt_tokens_details"]["cached_tokens"], full_blocks)

    def test_sessions_are_listed_after_a_kill(self):
        question = {"model": "stories260K", "messages": [{"role": "user", "content": "Once"}], "max_tokens": 4}
        with harness.serving(self.toml) as server:
            for name in ("lead", "helper"):
                self.assertEqual(server.request("POST", "/v1/chat/completions", question, {"x-session-id": name})[0], 200)
            for name in ("lead", "helper"):
                self.assertEqual(self.turns_of(server, name, 1), 1)  # a session is recorded just after its answer
            server.kill()
            server.start()
            listed = server.request("GET", "/v1/sessions")[2]
            self.assertEqual({"lead", "helper"}, {session["id"] for session in listed["data"]})
            self.assertEqual(server.request("POST", "/v1/chat/completions", question, {"x-session-id": "lead"})[0], 200)
            self.assertEqual(self.turns_of(server, "lead", 2), 2)

    def test_a_term_signal_ends_the_process_with_status_0(self):
        with harness.serving(self.toml) as server:
            self.assertEqual(server.request("GET", "/ready")[0], 200)
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
