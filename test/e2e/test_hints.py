"""Hints as a client sees them: what became of them, why a turn missed the cache, and what a router may tell of cached blocks."""
import http.client
import json
import unittest

import harness

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
TIMING = 'backend = "timing"\nblocks = 512\nblock_tokens = 16\ntiming_step_us = 1000\n'
RULES = "Rules that every agent here must follow. " * 12


def chat(system=RULES, **more):
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "What now?"}]
    return {"model": "builtin", "messages": messages, "max_tokens": 4, "ignore_eos": True, **more}


def message(**more):
    return {"model": "builtin", "system": "Of messages. " + RULES, "messages": [{"role": "user", "content": "What now?"}], "max_tokens": 4, **more}


class StrictClient:
    """Reads answers as vendors' clients do: every frame must have what its protocol names; members beside that are kept and not looked at."""

    def __init__(self, server):
        self.server = server

    def chat_chunks(self, body, headers):
        for chunk in self.server.stream(CHAT, body, headers):
            assert chunk["object"] == "chat.completion.chunk" and isinstance(chunk["choices"], list), chunk
            yield chunk

    def message_events(self, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=harness.WAIT_S)
        connection.request("POST", MESSAGES, json.dumps({**body, "stream": True}), {"content-type": "application/json", **headers})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        for block in response.read().decode().split("\n\n"):
            lines = [line for line in block.split("\n") if line and not line.startswith(":")]
            if not lines:
                continue
            event = json.loads(lines[1].removeprefix("data: "))
            assert lines[0] == "event: " + event["type"], block
            yield event
        connection.close()


class Hints(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.context = harness.serving(harness.model_toml(harness.BUILTIN, worker=TIMING))
        cls.server = cls.context.__enter__()
        cls.client = StrictClient(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def post(self, path, body, session=None, **headers):
        if session:
            headers["x-session-id"] = session
        status, fields, answer = self.server.request("POST", path, body, headers)
        self.assertEqual(status, 200, answer)
        return fields, answer

    def at_rest(self, session):
        read = lambda: self.server.request("GET", f"/v1/sessions/{session}")[2]
        return harness.eventually(read, lambda info: info["state"] != "generating")

    def test_an_echo_says_what_was_applied_clipped_and_ignored(self):
        hints = {"echo": True, "sched": {"priority": 500, "deadline_ms": 10}, "shape": {"output_tokens": 4}}
        fields, answer = self.post(CHAT, chat(agent_hints=hints, service_tier="flex"), "echo")
        echo = answer["agent_hints"]
        self.assertEqual(echo["applied"], {"shape.output_tokens": 4, "sched.class": "background"})
        self.assertEqual(echo["clipped"], {"sched.priority": {"asked": 500, "given": 100}})
        self.assertEqual(list(echo["ignored"]), ["agent_hints.sched.deadline_ms"])
        self.assertEqual(fields["x-agent-hints"],
                         "applied=shape.output_tokens,sched.class;clipped=sched.priority;ignored=agent_hints.sched.deadline_ms")

    def test_nobody_is_told_who_has_not_asked(self):
        fields, answer = self.post(CHAT, chat(agent_hints={"sched": {"priority": 5}}), "quiet")
        self.assertNotIn("agent_hints", answer)
        self.assertNotIn("prompt_cache_diagnostics", answer)
        self.assertNotIn("x-agent-hints", fields)

    def test_streams_tell_it_with_their_last_data(self):
        headers = {"x-agent-hints-echo": "1", "x-agent-priority": "7"}
        plain = list(self.client.chat_chunks(chat(), {"x-session-id": "stream", **headers}))
        self.assertEqual([index for index, chunk in enumerate(plain) if "agent_hints" in chunk], [len(plain) - 1])
        self.assertEqual(plain[-1]["agent_hints"]["applied"], {"sched.priority": 7})
        self.assertEqual(plain[-1]["choices"][0]["finish_reason"], "length")
        counted = list(self.client.chat_chunks(chat(stream_options={"include_usage": True}), {"x-session-id": "stream", **headers}))
        self.assertEqual([index for index, chunk in enumerate(counted) if "agent_hints" in chunk], [len(counted) - 1])
        self.assertEqual(counted[-1]["usage"]["completion_tokens"], 4)

    def test_messages_tell_it_whole_and_streamed(self):
        headers = {"x-session-id": "messages", "x-agent-hints-echo": "1"}
        _, answer = self.post(MESSAGES, message(speed="fast"), **headers)
        self.assertEqual(answer["agent_hints"]["applied"], {"sched.class": "interactive"})
        self.assertEqual(answer["agent_hints"]["cache_miss"]["reason"], "first_turn")
        events = list(self.client.message_events(message(), headers))
        self.assertEqual([each["type"] for each in events if "agent_hints" in each], ["message_delta"])
        self.assertIsNone(next(each for each in events if "agent_hints" in each)["agent_hints"]["cache_miss"])

    def test_a_turn_says_why_it_missed_the_cache(self):
        asked = {"prompt_cache_options": {"comparison_response_id": "chatcmpl-0"}}
        _, first = self.post(CHAT, chat("Of misses. " + RULES, **asked), "missing")
        self.assertEqual(first["prompt_cache_diagnostics"]["cache_miss"]["reason"], "first_turn")
        self.at_rest("missing")
        _, same = self.post(CHAT, chat("Of misses. " + RULES, **asked), "missing")
        self.assertIsNone(same["prompt_cache_diagnostics"]["cache_miss"])
        self.at_rest("missing")
        _, other = self.post(CHAT, chat("Of others. " + RULES, **asked), "missing")
        miss = other["prompt_cache_diagnostics"]["cache_miss"]
        self.assertEqual(miss["reason"], "system_changed")
        self.assertGreaterEqual(miss["cache_missed_tokens"], 32)
        info = self.at_rest("missing")
        self.assertEqual(info["cache_miss"], {"reason": "system_changed", "missed_tokens": miss["cache_missed_tokens"]})
        line = 'troupe_cache_misses_total{model="builtin",reason="system_changed"} '
        text = harness.eventually(lambda: self.server.request("GET", "/metrics")[2], lambda text: line in text)
        self.assertGreaterEqual(int(text.split(line)[1].split()[0]), 1)

    def test_a_salt_keeps_contexts_apart_whatever_it_is_called(self):
        self.post(CHAT, chat(agent_hints={"cache": {"scope": "apart"}}), "salted")
        self.at_rest("salted")
        _, again = self.post(CHAT, chat(extra_key="apart"), "salted")
        self.assertGreaterEqual(again["usage"]["prompt_tokens_details"]["cached_tokens"], 16)
        self.at_rest("salted")
        _, bare = self.post(CHAT, chat(agent_hints={"echo": True, "cache": {"scope": "elsewhere"}}), "salted")
        self.assertEqual(bare["usage"]["prompt_tokens_details"]["cached_tokens"], 0)
        self.assertEqual(bare["agent_hints"]["cache_miss"]["reason"], "salt_changed")

    def test_a_router_tells_what_shall_happen_to_cached_blocks(self):
        self.post(CHAT, chat(), "routed")
        self.at_rest("routed")
        action = lambda name, what, **payload: {"action_id": name, "action_type": what, "action_version": 1, "payload": payload}
        actions = [action("a", "pin", session="routed", ttl_ms=60_000), action("b", "prefetch", session="nobody"),
                   action("c", "teleport", session="routed"), action("d", "retain", session="routed", ttl_ms=999_999_999)]
        envelope = {"protocol_version": "0.1", "message_id": "m", "actions": actions}
        _, answer = self.post("/v1/kv_hints", envelope)
        outcomes = {each["action_id"]: each["outcome"] for each in answer["outcomes"]}
        self.assertEqual(outcomes, {"a": "accepted", "b": "missing", "c": "rejected", "d": "clipped"})
        self.assertEqual(self.post("/v1/kv_hints", envelope)[1], answer)
        _, future = self.post("/v1/kv_hints", {**envelope, "protocol_version": "7"})
        self.assertEqual({each["outcome"] for each in future["outcomes"]}, {"rejected"})
        _, turn = self.post(CHAT, chat(kv_hints=envelope, agent_hints={"echo": True}), "routed")
        self.assertEqual(turn["agent_hints"]["ignored"], {"kv_hints": "is taken at POST /v1/kv_hints alone"})


if __name__ == "__main__":
    unittest.main()
