"""The official `anthropic` client from PyPI: messages, streaming, tools, thinking, usage, errors, retries, counts, models, cancellation."""
import unittest

import anthropic
import harness
from scripted import TOML, watched

TOOLS = [{"name": name, "description": "d", "input_schema": {"type": "object", "properties": {}}} for name in ("read_file", "list_files")]
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


def total_input(usage):
    return usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens


class Anthropic(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.serving = harness.serving(TOML)
        cls.server = cls.serving.__enter__()
        cls.client = anthropic.Anthropic(base_url=cls.server.url, api_key="none", timeout=30, max_retries=0)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.serving.__exit__(None, None, None)

    @staticmethod
    def fields(answer, **more):
        extra = {"seed": answer, **more.pop("extra_body", {})}
        return {"model": "claude-anything", "max_tokens": 200, "messages": QUESTION, "extra_body": extra, **more}

    def create(self, answer, **more):
        return self.client.messages.create(**self.fields(answer, **more))

    def test_a_message_with_usage(self):
        answer = self.create(0, metadata={"user_id": "somebody"}, extra_body={"temperature": 1, "nobody_knows": True})
        self.assertEqual([block.text for block in answer.content], ["Paris is the capital of France."])
        self.assertEqual((answer.type, answer.role, answer.stop_reason, answer.stop_sequence), ("message", "assistant", "end_turn", None))
        self.assertEqual(answer.model, "claude-anything")
        self.assertGreater(answer.usage.input_tokens, 5)
        self.assertGreater(answer.usage.output_tokens, 3)

    def test_a_stop_sequence(self):
        answer = self.create(0, stop_sequences=[" capital"])
        self.assertEqual([block.text for block in answer.content], ["Paris is the"])
        self.assertEqual((answer.stop_reason, answer.stop_sequence), ("stop_sequence", " capital"))
        self.assertEqual(self.create(0, max_tokens=2).stop_reason, "max_tokens")

    def test_a_bound_beyond_the_context_shortens_the_answer(self):
        for bound in (65_530, 128_000):
            with self.client.messages.stream(**self.fields(0, max_tokens=bound)) as stream:
                self.assertEqual(stream.get_final_message().stop_reason, "end_turn")

    def test_a_stream_has_its_input_at_the_start_and_its_whole_usage_at_the_end(self):
        events = list(self.create(0, stream=True))
        self.assertEqual((events[0].type, events[-1].type), ("message_start", "message_stop"))
        self.assertEqual(events[0].message.usage.output_tokens, 0)
        end = next(event for event in events if event.type == "message_delta")
        self.assertEqual(end.usage.input_tokens, events[0].message.usage.input_tokens)
        self.assertGreater(end.usage.output_tokens, 3)
        with self.client.messages.stream(**self.fields(0)) as stream:
            self.assertEqual("".join(stream.text_stream), "Paris is the capital of France.")
            self.assertEqual(stream.get_final_message().stop_reason, "end_turn")

    def test_tools_and_the_turn_after(self):
        for streamed in (False, True):
            if streamed:
                with self.client.messages.stream(**self.fields(1, tools=TOOLS)) as stream:
                    answer = stream.get_final_message()
            else:
                answer = self.create(1, tools=TOOLS)
            self.assertEqual(answer.stop_reason, "tool_use")
            self.assertEqual([block.type for block in answer.content], ["text", "tool_use", "tool_use"])
            self.assertEqual(answer.content[0].text.strip(), "I will look.")
            self.assertEqual([call.name for call in answer.content[1:]], ["read_file", "list_files"])
            self.assertEqual([call.input for call in answer.content[1:]], [{"path": "src/über.c", "lines": [1, 20]}, {}])
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "20 lines"}]} for call in answer.content[1:]]
        history = QUESTION + [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
        after = self.create(2, messages=history, tools=TOOLS, thinking={"type": "enabled", "budget_tokens": 1024})
        self.assertEqual([block.type for block in after.content], ["thinking", "text"])
        self.assertEqual(after.content[0].thinking.strip(), "The file has 20 lines.")
        self.assertNotEqual(after.content[0].signature, "")
        self.assertEqual(after.content[1].text.strip(), "It has 20 lines — résumé 🚀.")
        again = self.create(0, messages=history + [{"role": "assistant", "content": after.content}, {"role": "user", "content": "Thanks"}])
        self.assertEqual(again.stop_reason, "end_turn")

    def test_the_second_turn_of_a_session_is_cached(self):
        headers = {"x-claude-code-session-id": "python-client"}
        system = [{"type": "text", "text": "You are careful. " * 60, "cache_control": {"type": "ephemeral"}}]
        first = self.create(0, system=system, extra_headers=headers)
        messages = QUESTION + [{"role": "assistant", "content": first.content}, {"role": "user", "content": "And of Spain?"}]
        second = self.create(0, system=system, messages=messages, extra_headers=headers)
        self.assertGreaterEqual(second.usage.cache_read_input_tokens, total_input(first.usage) // 32 * 32)
        self.assertGreater(second.usage.input_tokens, 0)

    def test_a_count_is_what_a_turn_then_has(self):
        conversation = {"model": "claude-anything", "system": "Be brief.", "messages": QUESTION, "tools": TOOLS}
        counted = self.client.messages.count_tokens(**conversation)
        self.assertEqual(counted.input_tokens, total_input(self.create(0, system="Be brief.", tools=TOOLS).usage))

    def test_models(self):
        self.assertEqual([model.id for model in self.client.models.list(limit=1000)], ["scripted"])
        self.assertEqual(self.client.models.retrieve("claude-anything").id, "scripted")

    def test_errors_have_their_classes(self):
        with self.assertRaises(anthropic.NotFoundError) as caught:
            self.create(0, model="nothing-like-it")
        self.assertEqual(caught.exception.body["error"]["type"], "not_found_error")
        self.assertEqual(caught.exception.body["request_id"], caught.exception.request_id)
        with self.assertRaises(anthropic.NotFoundError):
            self.client.models.retrieve("nothing-like-it")
        with self.assertRaises(anthropic.BadRequestError):
            self.create(0, tools=TOOLS, tool_choice={"type": "any"})
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}
        with self.assertRaises(anthropic.BadRequestError) as caught:
            self.create(0, messages=[{"role": "user", "content": [image]}])
        self.assertIn("messages[0].content[0]", caught.exception.message)
        with self.assertRaises(anthropic.BadRequestError) as caught:
            self.create(0, messages=[{"role": "user", "content": "word " * 70_000}])
        self.assertRegex(caught.exception.body["error"]["message"], r"^prompt is too long: \d+ tokens > \d+ maximum$")

    def test_streamed_thinking_is_signed_and_apart_from_the_text(self):
        with self.client.messages.stream(**self.fields(2)) as stream:
            events = [(event.type, getattr(event, "thinking", None) or getattr(event, "text", None)) for event in stream]
            message = stream.get_final_message()
        told = {kind: "".join(piece for what, piece in events if what == kind) for kind in ("thinking", "text")}
        self.assertEqual((told["thinking"].strip(), told["text"].strip()), ("The file has 20 lines.", "It has 20 lines — résumé 🚀."))
        self.assertEqual([block.type for block in message.content], ["thinking", "text"])
        self.assertNotEqual(message.content[0].signature, "")
        self.assertGreater(message.usage.output_tokens_details.thinking_tokens, 3)

    def test_what_is_refused_for_now_is_tried_again(self):
        headers = {"x-session-id": "busy"}
        running = self.create(0, stream=True, extra_body={"ignore_eos": True}, max_tokens=5000, extra_headers=headers)
        next(iter(running))
        with self.assertRaises(anthropic.APIStatusError) as caught:
            self.create(0, extra_headers=headers)
        self.assertEqual((caught.exception.status_code, caught.exception.body["error"]["type"]), (529, "overloaded_error"))
        self.assertEqual(caught.exception.response.headers["retry-after"], "1")
        transport, statuses = watched(anthropic.DefaultHttpxClient, running.close)
        with self.client.with_options(max_retries=2, http_client=transport) as patient:
            answer = patient.messages.create(**self.fields(0, extra_headers=headers))
        self.assertEqual(answer.content[0].text, "Paris is the capital of France.")
        self.assertEqual((statuses[0], statuses[-1]), (529, 200))

    def test_a_client_that_stops_waiting_for_a_whole_answer_ends_the_turn(self):
        with self.assertRaises(anthropic.APITimeoutError):
            self.client.with_options(timeout=0.2).messages.create(**self.fields(0, max_tokens=20_000, extra_body={"ignore_eos": True}))
        status = harness.eventually(lambda: self.server.request("GET", "/health")[2], lambda health: health["turns_running"] == 0)
        self.assertEqual(status["turns_running"], 0)

    def test_a_disconnect_ends_the_turn(self):
        stream = self.create(0, stream=True, extra_body={"ignore_eos": True}, max_tokens=5000)
        next(iter(stream))
        stream.close()
        status = harness.eventually(lambda: self.server.request("GET", "/health")[2], lambda health: health["turns_running"] == 0)
        self.assertEqual(status["turns_running"], 0)


if __name__ == "__main__":
    unittest.main()
