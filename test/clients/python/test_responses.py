"""The official `openai` client from PyPI on the Responses protocol: text, streams, tools, sealed reasoning, what is stored, errors."""
import json
import unittest

import harness
import openai
import pydantic
from openai.types import responses as types
from scripted import TOML

TOOLS = [{"type": "function", "name": name, "description": "d", "parameters": {"type": "object", "properties": {}}, "strict": False}
         for name in ("read_file", "list_files")]
QUESTION = "What is the capital of France?"


class Responses(unittest.TestCase):
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
        return self.client.responses.create(**{"model": "scripted", "input": QUESTION, "extra_body": {"seed": answer}, **fields})

    def test_text_with_usage(self):
        answer = self.create(0, instructions="Be brief.", metadata={"topic": "geography"})
        self.assertEqual(answer.output_text, "Paris is the capital of France.")
        self.assertEqual((answer.status, answer.error, answer.incomplete_details), ("completed", None, None))
        self.assertEqual(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens)
        self.assertEqual(answer.usage.output_tokens_details.reasoning_tokens, 0)
        self.assertEqual((answer.instructions, answer.metadata), ("Be brief.", {"topic": "geography"}))

    def test_a_stream_joins_to_the_response(self):
        with self.client.responses.stream(model="scripted", input=QUESTION, extra_body={"seed": 0}) as stream:
            types = [event.type for event in stream]
            final = stream.get_final_response()
        self.assertEqual(types[:4], ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"])
        self.assertEqual(types[-4:], ["response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"])
        self.assertEqual(final.output_text, "Paris is the capital of France.")
        self.assertGreater(final.usage.output_tokens, 3)

    def test_events_and_responses_have_every_field_of_the_published_types(self):
        event_type, response_type = pydantic.TypeAdapter(types.ResponseStreamEvent), pydantic.TypeAdapter(types.Response)
        custom = {"type": "custom", "name": "list_files", "description": "d"}
        spaced = {"type": "namespace", "name": "files", "description": "d", "tools": [TOOLS[0]]}
        for answer, tools in ((0, []), (1, TOOLS), (2, []), (1, [spaced, custom])):
            body = {"model": "scripted", "input": QUESTION, "seed": answer, "tools": tools, "include": ["reasoning.encrypted_content"]}
            status, _, text = self.server.request("POST", "/v1/responses", {**body, "stream": True})
            self.assertEqual(status, 200, text)
            events = [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: ")]
            for event in events:
                self.assertEqual(event_type.validate_python(event).type, event["type"])
            final = events[-1]["response"]
            response_type.validate_python(final)
            self.assertEqual(self.server.request("GET", f"/v1/responses/{final['id']}")[2], final)
            items = self.server.request("GET", f"/v1/responses/{final['id']}/input_items")[2]
            pydantic.TypeAdapter(types.ResponseItemList).validate_python(items)
        self.assertEqual([(item["type"], item.get("namespace")) for item in final["output"][1:]], [("function_call", "files"), ("custom_tool_call", None)])

    def test_a_tool_loop_that_sends_everything(self):
        first = self.create(1, tools=TOOLS, store=False)
        self.assertEqual([item.type for item in first.output], ["message", "function_call", "function_call"])
        calls = [item for item in first.output if item.type == "function_call"]
        self.assertEqual([call.name for call in calls], ["read_file", "list_files"])
        self.assertEqual(json.loads(calls[0].arguments), {"path": "src/über.c", "lines": [1, 20]})
        self.assertEqual(json.loads(calls[1].arguments), {})
        results = [{"type": "function_call_output", "call_id": call.call_id, "output": "20 lines"} for call in calls]
        history = [{"role": "user", "content": QUESTION}] + [item.model_dump(exclude_none=True) for item in first.output] + results
        second = self.create(2, input=history, tools=TOOLS, store=False)
        self.assertEqual(second.output_text.strip(), "It has 20 lines — résumé 🚀.")
        self.assertEqual(second.output[0].type, "reasoning")
        self.assertEqual(second.output[0].content[0].text.strip(), "The file has 20 lines.")

    def test_a_tool_loop_that_goes_on_from_a_response(self):
        with self.client.responses.stream(model="scripted", input=QUESTION, tools=TOOLS, extra_body={"seed": 1}) as stream:
            arguments = {}
            for event in stream:
                if event.type == "response.function_call_arguments.delta":
                    arguments[event.output_index] = arguments.get(event.output_index, "") + event.delta
            first = stream.get_final_response()
        self.assertEqual([json.loads(text) for text in arguments.values()], [{"path": "src/über.c", "lines": [1, 20]}, {}])
        calls = [item for item in first.output if item.type == "function_call"]
        results = [{"type": "function_call_output", "call_id": call.call_id, "output": "20 lines"} for call in calls]
        second = self.create(2, input=results, tools=TOOLS, previous_response_id=first.id)
        self.assertEqual(second.previous_response_id, first.id)
        self.assertEqual(second.output_text.strip(), "It has 20 lines — résumé 🚀.")
        items = self.client.responses.input_items.list(second.id, order="asc").data
        self.assertEqual([item.type for item in items], ["message", "message", "function_call", "function_call"] + ["function_call_output"] * 2)

    def test_sealed_reasoning_counts_as_the_reasoning_itself(self):
        first = self.create(2, store=False, include=["reasoning.encrypted_content"])
        thought = first.output[0]
        self.assertTrue(thought.encrypted_content)
        def count(**reasoning):
            history = [{"role": "user", "content": QUESTION}, {"type": "reasoning", "id": thought.id, "summary": [], **reasoning},
                       {"type": "function_call", "call_id": "c", "name": "read_file", "arguments": "{}"},
                       {"type": "function_call_output", "call_id": "c", "output": "x"}]
            return self.client.responses.input_tokens.count(model="scripted", input=history).input_tokens
        open_text = [part.model_dump() for part in thought.content]
        self.assertEqual(count(encrypted_content=thought.encrypted_content), count(content=open_text))
        self.assertGreater(count(content=open_text), count())
        self.assertEqual(count(encrypted_content="x" + thought.encrypted_content[1:]), count())

    def test_what_is_stored(self):
        made = self.create(0)
        self.assertEqual(self.client.responses.retrieve(made.id).output_text, made.output_text)
        with self.assertRaises(openai.BadRequestError):
            self.client.responses.cancel(made.id)
        self.client.responses.delete(made.id)
        with self.assertRaises(openai.NotFoundError):
            self.client.responses.retrieve(made.id)
        with self.assertRaises(openai.BadRequestError) as caught:
            self.create(0, previous_response_id=made.id)
        self.assertEqual((caught.exception.code, caught.exception.param), ("previous_response_not_found", "previous_response_id"))
        unstored = self.create(0, store=False)
        with self.assertRaises(openai.NotFoundError):
            self.client.responses.retrieve(unstored.id)

    def test_input_tokens_are_what_the_response_counts(self):
        counted = self.client.responses.input_tokens.count(model="scripted", input=QUESTION, instructions="Be brief.")
        self.assertEqual(counted.input_tokens, self.create(0, instructions="Be brief.").usage.input_tokens)

    def test_errors_have_their_classes(self):
        with self.assertRaises(openai.NotFoundError):
            self.create(0, model="nothing-like-it")
        for fields, code in (({"background": True}, "unsupported_parameter"), ({"tool_choice": "required", "tools": TOOLS}, "unsupported_parameter"),
                             ({"input": "word " * 70_000, "truncation": "auto"}, "context_length_exceeded"),
                             ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,", "detail": "auto"}]}]}, "unsupported_content")):
            with self.assertRaises(openai.BadRequestError) as caught:
                self.create(0, **fields)
            self.assertEqual(caught.exception.code, code)


if __name__ == "__main__":
    unittest.main()
