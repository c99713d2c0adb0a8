"""The official `openai` client from PyPI: chat, streaming, tools, reasoning, usage, errors, retries, completions, models, cancellation."""
import json
import unittest

import harness
import openai
from scripted import TOML, watched

TOOLS = [{"type": "function", "function": {"name": name, "description": "d", "parameters": {"type": "object", "properties": {}}}}
         for name in ("read_file", "list_files")]
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


class OpenAI(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.serving = harness.serving(TOML)
        cls.server = cls.serving.__enter__()
        cls.client = openai.OpenAI(base_url=cls.server.url + "/v1", api_key="none", timeout=30, max_retries=0)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.serving.__exit__(None, None, None)

    def create(self, answer, **fields):
        return self.client.chat.completions.create(**{"model": "scripted", "messages": QUESTION, "seed": answer, **fields})

    def test_chat_with_usage(self):
        answer = self.create(0)
        self.assertEqual(answer.choices[0].message.content, "Paris is the capital of France.")
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertGreater(answer.usage.prompt_tokens, 5)
        self.assertIsNotNone(answer.usage.prompt_tokens_details.cached_tokens)

    def test_stream_with_usage(self):
        chunks = list(self.create(0, stream=True, stream_options={"include_usage": True}))
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), "Paris is the capital of France.")
        self.assertEqual([c.choices[0].finish_reason for c in chunks if c.choices][-1], "stop")
        self.assertGreater(chunks[-1].usage.completion_tokens, 3)

    def test_tools_and_the_turn_after(self):
        answer = self.create(1, tools=TOOLS)
        message = answer.choices[0].message
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
        self.assertEqual([call.function.name for call in message.tool_calls], ["read_file", "list_files"])
        self.assertEqual(json.loads(message.tool_calls[0].function.arguments), {"path": "src/über.c", "lines": [1, 20]})
        self.assertEqual(json.loads(message.tool_calls[1].function.arguments), {})
        self.assertEqual(message.content.strip(), "I will look.")
        results = [{"role": "tool", "tool_call_id": call.id, "content": "20 lines"} for call in message.tool_calls]
        after = self.create(2, messages=QUESTION + [message.model_dump(exclude_none=True)] + results, tools=TOOLS)
        self.assertEqual(after.choices[0].message.content.strip(), "It has 20 lines — résumé 🚀.")
        self.assertEqual(after.choices[0].message.reasoning_content.strip(), "The file has 20 lines.")

    def test_streamed_tool_arguments_join_to_json(self):
        calls = {}
        for chunk in self.create(1, tools=TOOLS, stream=True):
            for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
                entry = calls.setdefault(call.index, {"name": None, "arguments": ""})
                entry["name"] = call.function.name or entry["name"]
                entry["arguments"] += call.function.arguments or ""
        self.assertEqual([calls[0]["name"], calls[1]["name"]], ["read_file", "list_files"])
        self.assertEqual(json.loads(calls[0]["arguments"])["path"], "src/über.c")
        self.assertEqual(json.loads(calls[1]["arguments"]), {})

    def test_the_second_turn_of_a_session_is_cached(self):
        headers = {"x-session-id": "python-client"}
        messages = [{"role": "system", "content": "You are careful. " * 60}] + QUESTION
        first = self.create(0, messages=messages, extra_headers=headers)
        messages += [{"role": "assistant", "content": first.choices[0].message.content}, {"role": "user", "content": "And of Spain?"}]
        second = self.create(0, messages=messages, extra_headers=headers)
        self.assertGreaterEqual(second.usage.prompt_tokens_details.cached_tokens, first.usage.prompt_tokens // 32 * 32)

    def test_models(self):
        self.assertEqual([model.id for model in self.client.models.list()], ["scripted"])
        self.assertEqual(self.client.models.retrieve("gpt-anything").id, "scripted")
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("nothing-like-it")

    def test_errors_have_their_classes(self):
        with self.assertRaises(openai.NotFoundError):
            self.create(0, model="nothing-like-it")
        with self.assertRaises(openai.BadRequestError) as caught:
            self.create(0, n=2)
        self.assertEqual(caught.exception.code, "unsupported_parameter")
        with self.assertRaises(openai.BadRequestError) as caught:
            self.create(0, messages=[{"role": "user", "content": "word " * 70_000}])
        self.assertEqual(caught.exception.code, "context_length_exceeded")
        with self.assertRaises(openai.BadRequestError) as caught:
            self.create(0, messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}])
        self.assertEqual(caught.exception.code, "unsupported_content")

    def test_reasoning_is_apart_from_the_text(self):
        whole = self.create(2)
        self.assertEqual(whole.choices[0].message.reasoning_content.strip(), "The file has 20 lines.")
        self.assertGreater(whole.usage.completion_tokens_details.reasoning_tokens, 3)
        deltas = [chunk.choices[0].delta for chunk in self.create(2, stream=True)]
        self.assertEqual("".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas), whole.choices[0].message.reasoning_content)
        self.assertEqual("".join(delta.content or "" for delta in deltas), whole.choices[0].message.content)

    def test_completions(self):
        fields = {"model": "scripted", "prompt": "Once", "seed": 0, "max_tokens": 30}
        whole = self.client.completions.create(**fields)
        self.assertEqual(whole.choices[0].text, "Paris is the capital of France.")
        self.assertEqual("".join(chunk.choices[0].text for chunk in self.client.completions.create(**fields, stream=True)), whole.choices[0].text)

    def test_what_is_refused_for_now_is_tried_again(self):
        headers = {"x-session-id": "busy"}
        running = self.create(0, stream=True, extra_body={"ignore_eos": True}, max_tokens=5000, extra_headers=headers)
        next(iter(running))
        with self.assertRaises(openai.RateLimitError) as caught:
            self.create(0, extra_headers=headers)
        self.assertEqual((caught.exception.code, caught.exception.response.headers["retry-after"]), ("queue_full", "1"))
        transport, statuses = watched(openai.DefaultHttpxClient, running.close)
        with self.client.with_options(max_retries=2, http_client=transport) as patient:
            answer = patient.chat.completions.create(model="scripted", messages=QUESTION, seed=0, extra_headers=headers)
        self.assertEqual(answer.choices[0].message.content, "Paris is the capital of France.")
        self.assertEqual((statuses[0], statuses[-1]), (429, 200))

    def test_a_client_that_stops_waiting_for_a_whole_answer_ends_the_turn(self):
        with self.assertRaises(openai.APITimeoutError):
            self.client.with_options(timeout=0.2).chat.completions.create(
                model="scripted", messages=QUESTION, seed=0, max_tokens=20_000, extra_body={"ignore_eos": True})
        status = harness.eventually(lambda: self.server.request("GET", "/health")[2], lambda health: health["turns_running"] == 0)
        self.assertEqual(status["turns_running"], 0)

    def test_a_disconnect_ends_the_turn(self):
        stream = self.create(0, stream=True, seed=0, extra_body={"ignore_eos": True}, max_tokens=5000)
        next(iter(stream))
        stream.close()
        status = harness.eventually(lambda: self.server.request("GET", "/health")[2], lambda health: health["turns_running"] == 0)
        self.assertEqual(status["turns_running"], 0)


if __name__ == "__main__":
    unittest.main()
