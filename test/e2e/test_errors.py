"""Every refusal that a client of the real program can meet: its status, its code, and the four keys of OpenAI's shape."""
import http.client
import json
import pathlib
import socket
import tempfile
import unittest

import harness

KEYS = {"message", "type", "param", "code"}
CHAT = "/v1/chat/completions"
RAISING_TEMPLATE = """{% for message in messages %}{% if message.content == 'raise' %}{{ raise_exception('no such word') }}{% endif %}
{{ message.content }}{% endfor %}"""


def say(text="hello", **more):
    return {"model": "builtin", "messages": [{"role": "user", "content": text}], "max_tokens": 4, **more}


class Refusals(unittest.TestCase):
    def check(self, answer, status, code, param=None, kind="invalid_request_error"):
        got_status, _, body = answer
        self.assertEqual(got_status, status, body)
        self.assertIsInstance(body, dict, body)
        error = body["error"]
        self.assertEqual(set(error), KEYS, error)
        self.assertEqual(error["code"], code, error)
        self.assertEqual(error["type"], kind, error)
        self.assertEqual(error["param"], param, error)
        self.assertIsInstance(error["message"], str)
        self.assertTrue(error["message"])
        return error["message"]


class RequestRefusals(Refusals):
    """One server with small limits; a test changes nothing that another one sees."""

    @classmethod
    def setUpClass(cls):
        cls.context = harness.serving("[gateway]\nbody_bytes_max = 65536\n" + harness.model_toml(
            harness.BUILTIN, extra='aliases = ["gpt-*"]\ncontext_tokens_max = 2000', worker="blocks = 32\nblock_tokens = 16\n"))
        cls.server = cls.context.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def post(self, body, path=CHAT, headers=None):
        return self.server.request("POST", path, body, headers)

    def raw(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=harness.WAIT_S)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), json.loads(response.read() or b"null")
        finally:
            connection.close()

    def test_malformed_json(self):
        for body in (b"{", b"", b"[1]", b'{"messages": [}', b"\xff\xfe"):
            self.check(self.raw("POST", CHAT, body), 400, "invalid_request")

    def test_too_deep_json(self):
        self.check(self.raw("POST", CHAT, b'{"a":' * 100 + b"1" + b"}" * 100), 400, "invalid_request")

    def test_wrong_types_name_their_field(self):
        for field, value in (("temperature", "hot"), ("max_tokens", 1.5), ("stream", 1), ("stop", 7), ("messages", "hi"), ("top_p", 2),
                             ("model", 3), ("seed", "x"), ("max_tokens", 0), ("temperature", -1), ("tools", {})):
            with self.subTest(field=field, value=value):
                self.check(self.post({**say(), field: value}), 400, "invalid_request", field)
        self.check(self.post(say(agent_hints={"priority": "high"})), 400, "invalid_request", "agent_hints.priority")
        self.check(self.post({**say(), "messages": [{"role": "user", "content": "a"}, {"role": "user", "content": 5}]}), 400, "invalid_request",
                   "messages[1].content")
        self.check(self.post({**say(), "messages": [{"role": "robot", "content": "a"}]}), 400, "invalid_request", "messages[0].role")
        self.check(self.post({**say(), "messages": []}), 400, "invalid_request", "messages")
        self.check(self.post({"model": "builtin", "prompt": {"a": 1}}, "/v1/completions"), 400, "invalid_request", "prompt")

    def test_what_is_not_offered(self):
        self.check(self.post(say(n=2)), 400, "unsupported_parameter", "n")
        self.check(self.post(say(logit_bias={"5": 1})), 400, "unsupported_parameter", "logit_bias")
        self.check(self.post(say(response_format={"type": "json_object"})), 400, "unsupported_parameter", "response_format.type")
        self.check(self.post(say(tool_choice="required", tools=[])), 400, "unsupported_parameter", "tool_choice")
        self.check(self.post({"prompt": ["a", "b"]}, "/v1/completions"), 400, "unsupported_parameter", "prompt")

    def test_an_image_is_named_with_its_index(self):
        parts = [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
        messages = [{"role": "system", "content": "s"}, {"role": "user", "content": parts}]
        message = self.check(self.post({**say(), "messages": messages}), 400, "unsupported_content", "messages[1].content[1].type")
        self.assertIn("image_url", message)

    def test_an_unknown_model(self):
        self.check(self.post({**say(), "model": "nobody"}), 404, "model_not_found", "model")
        self.check(self.server.request("GET", "/v1/models/nobody"), 404, "model_not_found", "model")
        self.check(self.post({"id": "x", "model": "nobody"}, "/v1/sessions"), 404, "model_not_found", "model")
        self.assertEqual(self.post({**say(), "model": "gpt-9"})[0], 200)

    def test_an_unknown_path(self):
        for path in ("/v2/chat", "/v1", "/v1/chat/completions/x", "/v1/embeddings"):
            self.check(self.post(say(), path), 404, "not_found")

    def test_an_unknown_session(self):
        self.check(self.server.request("GET", "/v1/sessions/nobody"), 404, "not_found", "id")
        self.check(self.post({"id": "1", "verb": "resume"}, "/v1/sessions/nobody/events"), 404, "not_found", "id")
        self.check(self.server.request("DELETE", "/v1/sessions/nobody"), 404, "not_found", "id")

    def test_another_method(self):
        answer = self.server.request("GET", CHAT)
        self.check(answer, 405, "method_not_allowed")
        self.assertEqual(answer[1]["allow"], "POST")
        answer = self.server.request("PUT", "/v1/sessions", {})
        self.check(answer, 405, "method_not_allowed")
        self.assertEqual(answer[1]["allow"], "GET, HEAD, POST")

    def test_a_prompt_longer_than_the_context(self):
        message = self.check(self.post({"prompt": [5] * 2500, "max_tokens": 4}, "/v1/completions"), 400, "context_length_exceeded")
        self.assertEqual(message, "prompt is too long: 2500 tokens > 2000 maximum")

    def test_a_prompt_and_answer_longer_than_the_context(self):
        message = self.check(self.post({"prompt": [5] * 100, "max_tokens": 1950}, "/v1/completions"), 400, "context_length_exceeded", "max_tokens")
        self.assertTrue(message.startswith("This model's maximum context length is 2000 tokens"), message)

    def test_a_prompt_longer_than_the_pool(self):
        message = self.check(self.post({"prompt": [5] * 600, "max_tokens": 4}, "/v1/completions"), 400, "prompt_exceeds_capacity")
        self.assertIn("600", message)

    def test_a_token_outside_the_vocabulary(self):
        self.check(self.post({"prompt": [5, 1 << 20], "max_tokens": 4}, "/v1/completions"), 400, "invalid_request", "prompt[1]")

    def test_a_body_that_is_too_large(self):
        message = self.check(self.post(say("x" * 70000)), 413, "body_too_large")
        self.assertIn("65536", message)

    def test_a_header_that_is_too_large(self):
        self.check(self.raw("GET", "/health", headers={"x-long": "x" * 70000}), 431, "headers_too_large")

    def test_a_timeout_that_is_no_number(self):
        for text in ("soon", "-1", "0", "5s"):
            self.check(self.post(say(), headers={"x-request-timeout-ms": text}), 400, "invalid_request", "x-request-timeout-ms")

    def test_session_ids_that_are_refused(self):
        self.check(self.post(say(), headers={"x-session-id": "a" * 257}), 400, "invalid_request", "x-session-id")
        self.check(self.post(say(), headers={"x-session-id": "a b"}), 400, "invalid_request", "x-session-id")
        self.check(self.post(say(), headers={"x-session-id": "a", "x-parent-session-id": "a"}), 400, "invalid_request", "x-parent-session-id")
        self.check(self.post({"id": "a", "parent": "a"}, "/v1/sessions"), 400, "invalid_request", "parent")

    def test_events_that_are_refused(self):
        self.assertEqual(self.post({"id": "events"}, "/v1/sessions")[0], 200)
        path = "/v1/sessions/events/events"
        self.check(self.post({"id": "1", "verb": "sing"}, path), 400, "invalid_request", "verb")
        self.check(self.post({"verb": "resume"}, path), 400, "invalid_request", "id")
        self.check(self.post({"id": "1"}, path), 400, "invalid_request", "verb")
        self.check(self.post({"id": "1", "verb": "tool_pause", "tools": "bash"}, path), 400, "invalid_request", "tools")

    def test_an_event_for_a_dead_session(self):
        self.assertEqual(self.post({"id": "gone"}, "/v1/sessions")[0], 200)
        self.assertEqual(self.server.request("DELETE", "/v1/sessions/gone")[0], 200)
        answer = self.post({"id": "late", "verb": "tool_pause"}, "/v1/sessions/gone/events")
        self.check(answer, 409, "session_dead", "id")
        self.assertEqual((answer[2]["id"], answer[2]["outcome"]), ("late", "missing"))

    def test_a_repeated_verb_has_its_first_outcome(self):
        self.assertEqual(self.post({"id": "twice"}, "/v1/sessions")[0], 200)
        path = "/v1/sessions/twice/events"
        verb = {"id": "v1", "verb": "tool_pause", "tools": ["bash"]}
        first = self.post(verb, path)
        self.assertEqual((first[0], first[2]["outcome"]), (200, "accepted"))
        self.assertEqual(self.post({"id": "v2", "verb": "resume"}, path)[2]["outcome"], "accepted")
        self.assertEqual(self.post(verb, path)[2], first[2])
        self.assertEqual(self.server.request("GET", "/v1/sessions/twice")[2]["state"], "idle")
        last = {"id": "v3", "verb": "die"}
        death = self.post(last, path)
        self.assertEqual((death[0], death[2]["outcome"]), (200, "accepted"))
        again = self.post(last, path)
        self.assertEqual((again[0], again[2]), (200, death[2]))

    def test_verbs_about_memory_say_what_became_of_them(self):
        self.assertEqual(self.post({"id": "tiers"}, "/v1/sessions")[0], 200)
        for verb, status, outcome in (("pin", 200, "deferred"), ("retain", 200, "deferred"), ("demote", 200, "accepted"), ("prefetch", 409, "missing")):
            answer = self.post({"id": verb, "verb": verb}, "/v1/sessions/tiers/events")
            self.assertEqual((answer[0], answer[2]["outcome"]), (status, outcome))

    def test_another_origin_is_refused(self):
        for origin in ("https://example.org", "http://localhost:1", "null"):
            self.check(self.post(say(), headers={"origin": origin}), 403, "forbidden_origin", "origin")
        self.assertEqual(self.server.request("GET", "/health", headers={"origin": self.server.url})[0], 200)

    def test_another_host_is_refused(self):
        self.check(self.raw("GET", "/v1/models", headers={"host": "evil.example:80"}), 403, "forbidden_origin", "host")
        self.assertEqual(self.raw("GET", "/v1/models", headers={"host": "localhost:1"})[0], 200)

    def test_a_compressed_body_is_refused(self):
        self.check(self.raw("POST", CHAT, b"\x1f\x8b", {"content-encoding": "gzip"}), 400, "invalid_request", "content-encoding")

    def test_bytes_that_are_no_http(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=harness.WAIT_S) as connection:
            connection.sendall(b"hello?\r\n\r\n")
            head, _, body = self.read_all(connection).partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 400 "), head)
        self.assertEqual(json.loads(body)["error"]["code"], "invalid_request")

    @staticmethod
    def read_all(connection):
        data = b""
        while piece := connection.recv(65536):
            data += piece
        return data


class TemplateRefusals(Refusals):
    def test_a_template_that_raises(self):
        with tempfile.TemporaryDirectory() as folder:
            template = pathlib.Path(folder) / "raising.jinja"
            template.write_text(RAISING_TEMPLATE)
            extra = f"chat_template = {json.dumps(str(template))}"
            with harness.serving(harness.model_toml(harness.BUILTIN, extra=extra)) as server:
                message = self.check(server.request("POST", CHAT, say("raise")), 400, "template_failed")
                self.assertIn("no such word", message)
                self.assertEqual(server.request("POST", CHAT, say("speak"))[0], 200)

    def test_a_template_that_takes_too_long(self):
        with tempfile.TemporaryDirectory() as folder:
            template = pathlib.Path(folder) / "endless.jinja"
            template.write_text("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}")
            extra = f"chat_template = {json.dumps(str(template))}"
            with harness.serving(harness.model_toml(harness.BUILTIN, extra=extra)) as server:
                self.check(server.request("POST", CHAT, say()), 400, "template_failed")
                self.assertEqual(server.request("POST", "/v1/completions", {"prompt": "a", "max_tokens": 1})[0], 200)


class Deadlines(Refusals):
    """A step of this backend lasts longer than the deadline, so nothing depends on how fast the machine is."""

    def serving(self, more=""):
        worker = f'backend = "timing"\nblocks = 512\nblock_tokens = 16\n{more}'
        return harness.serving(harness.model_toml(harness.BUILTIN, worker=worker))

    def test_a_deadline_before_the_first_byte(self):
        with self.serving("timing_step_us = 400000\n") as server:
            answer = server.request("POST", CHAT, say(), {"x-request-timeout-ms": "50"})
            self.check(answer, 504, "deadline_exceeded", kind="server_error")

    def test_a_deadline_in_the_middle_of_a_stream(self):
        with self.serving("timing_step_us = 20000\n") as server:
            self.assertEqual(server.request("POST", CHAT, say())[0], 200)  # the template is compiled
            body = say(stream=True, max_tokens=5000, ignore_eos=True)
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=harness.WAIT_S)
            connection.request("POST", CHAT, json.dumps(body), {"content-type": "application/json", "x-request-timeout-ms": "3000"})
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            frames = [line[6:].strip() for line in response if line.startswith(b"data: ")]
            connection.close()
            self.assertGreater(len(frames), 2)
            last = json.loads(frames[-1])
            self.assertEqual(set(last["error"]), KEYS)
            self.assertEqual(last["error"]["code"], "deadline_exceeded")
            at_rest = harness.eventually(lambda: server.request("GET", "/health")[2], lambda health: health["turns_running"] == 0)
            self.assertEqual(at_rest["turns_running"], 0)

    def test_a_full_queue(self):
        worker = "timing_step_us = 50000\nrunning_max = 1\nwaiting_max = 1\n"
        with self.serving(worker) as server:
            running = server.stream(CHAT, say(max_tokens=200, ignore_eos=True))
            next(running)
            waiting = http.client.HTTPConnection("127.0.0.1", server.port, timeout=harness.WAIT_S)
            waiting.request("POST", CHAT, json.dumps(say("another", stream=True)), {"content-type": "application/json"})
            harness.eventually(lambda: server.request("GET", "/health")[2], lambda health: health["turns_running"] == 2)
            answer = server.request("POST", CHAT, say("one more"))
            self.check(answer, 429, "queue_full", kind="rate_limit_error")
            self.assertEqual(answer[1]["retry-after"], "1")
            waiting.close()
            running.close()


if __name__ == "__main__":
    unittest.main()
