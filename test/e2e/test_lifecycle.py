"""The life of sessions as a harness sees it: spawned, paused, resumed, compacted, dead, and remembered over a restart."""
import http.client
import json
import signal
import unittest

import harness

CHAT = "/v1/chat/completions"
TIMING = 'backend = "timing"\nblocks = 512\nblock_tokens = 16\ntiming_step_us = 10000\n'


def say(text="hello", **more):
    return {"model": "builtin", "messages": [{"role": "user", "content": text}], "max_tokens": 4, "ignore_eos": True, **more}


class Life(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.context = harness.serving(harness.model_toml(harness.BUILTIN, worker=TIMING))
        cls.server = cls.context.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def ok(self, method, path, body=None, headers=None):
        status, _, answer = self.server.request(method, path, body, headers)
        self.assertEqual(status, 200, answer)
        return answer

    def get(self, session):
        return self.ok("GET", f"/v1/sessions/{session}")

    def tell(self, session, event, verb, **more):
        return self.ok("POST", f"/v1/sessions/{session}/events", {"id": event, "verb": verb, **more})

    def turn(self, session, text="hello", **more):
        return self.ok("POST", CHAT, say(text, **more), {"x-session-id": session})

    def at_rest(self, session):
        """A turn's answer reaches its client before the directory hears of the turn's end."""
        return harness.eventually(lambda: self.get(session), lambda info: info["state"] != "generating")

    def test_spawn_get_and_list(self):
        parent = self.ok("POST", "/v1/sessions", {"id": "lead"})
        self.assertEqual((parent["id"], parent["object"], parent["parent"], parent["model"], parent["state"]),
                         ("lead", "session", None, "builtin", "idle"))
        self.assertEqual((parent["turns"], parent["children"], parent["incarnation"], parent["context_tokens"]), (0, 0, 1, 0))
        child = self.ok("POST", "/v1/sessions", {"id": "helper", "parent": "lead", "model": "builtin"})
        self.assertEqual(child["parent"], "lead")
        self.assertEqual(self.ok("POST", "/v1/sessions", {"id": "helper", "parent": "lead"})["created_ms"], child["created_ms"])
        self.assertEqual(harness.eventually(lambda: self.get("lead"), lambda info: info["children"] == 1)["children"], 1)
        listed = self.ok("GET", "/v1/sessions")
        self.assertEqual(listed["object"], "list")
        self.assertLessEqual({"lead", "helper"}, {each["id"] for each in listed["data"]})
        self.assertEqual(len(self.ok("GET", "/v1/sessions?limit=1")["data"]), 1)

    def pinned(self):
        return sum(worker["blocks"]["pinned"] for worker in self.server.request("GET", "/health")[2]["workers"])

    def test_pins_hold_until_they_are_taken_back_or_their_session_dies(self):
        self.ok("POST", "/v1/sessions", {"id": "pinner"})
        self.assertEqual(self.tell("pinner", "p0", "pin")["outcome"], "deferred")
        self.turn("pinner", "keep this " * 20)
        self.at_rest("pinner")
        self.assertGreater(self.pinned(), 4)
        self.assertEqual(self.tell("pinner", "p1", "pin", ttl_ms=0)["outcome"], "accepted")
        self.assertEqual(self.pinned(), 0)
        self.assertEqual(self.tell("pinner", "p2", "pin", ttl_ms=60_000, token_begin=0, token_end=32)["outcome"], "accepted")
        self.assertEqual(self.pinned(), 2)
        self.assertEqual(self.tell("pinner", "p3", "retain", ttl_ms=999_999_999, priority=90)["outcome"], "clipped")
        self.assertEqual(self.tell("pinner", "p4", "pin", token_begin=9, token_end=3)["outcome"], "rejected")
        self.assertEqual(self.tell("pinner", "end", "die")["outcome"], "accepted")
        self.assertEqual(self.pinned(), 0)

    def test_a_cache_breakpoint_and_a_tier_limit_are_taken_with_a_turn(self):
        part = {"type": "text", "text": "long instructions " * 10, "cache_control": {"type": "ephemeral"}}
        body = {"model": "builtin", "messages": [{"role": "user", "content": [part]}], "max_tokens": 4, "ignore_eos": True,
                "agent_hints": {"cache": {"max_tier": "device", "retain": [{"start": 0, "end": 16, "weight": 80}]}}}
        self.assertEqual(self.ok("POST", CHAT, body, {"x-session-id": "careful"})["usage"]["completion_tokens"], 4)
        self.assertEqual(self.ok("POST", CHAT, body, {"x-session-id": "careful"})["usage"]["prompt_tokens_details"]["cached_tokens"] % 16, 0)

    def test_removed_blocks_are_counted_by_cause(self):
        self.turn("counted", "something of its own " * 10)
        self.at_rest("counted")
        before = self.server.request("GET", "/metrics")[2]
        freed = self.tell("counted", "end", "die")["blocks_freed"]
        self.assertGreater(freed, 0)
        count = 'troupe_worker_blocks_removed_total{worker="1",model="builtin",cause="death"} '
        value = lambda text: int(text.split(count)[1].split()[0])
        self.assertEqual(value(self.server.request("GET", "/metrics")[2]) - value(before), freed)

    def by_role(self, place):
        """Cached blocks by role, of the only worker or of a tier."""
        text = self.server.request("GET", "/metrics")[2]
        lines = [line for line in text.splitlines() if line.startswith(f"troupe_{place}_blocks_by_role" + "{")]
        return {line.split('role="')[1].split('"')[0]: int(line.rsplit(" ", 1)[1]) for line in lines}

    def test_blocks_are_counted_by_role(self):
        before = self.by_role("worker")
        self.assertEqual(set(before), {"unknown", "system", "tools", "user", "tool_result", "reasoning", "output"})
        messages = [{"role": "system", "content": "Rules to follow. " * 20}, {"role": "user", "content": "A question of its own. " * 20}]
        body = {"model": "builtin", "messages": messages, "max_tokens": 40, "ignore_eos": True}
        answer = self.ok("POST", CHAT, body, {"x-session-id": "roles"})
        info = self.at_rest("roles")
        roles = info["prompt_roles"]
        self.assertEqual(sum(roles.values()), answer["usage"]["prompt_tokens"])
        self.assertEqual(set(roles), {"system", "user"})
        now = harness.eventually(lambda: self.by_role("worker"), lambda now: now["output"] > before["output"])
        self.assertIn(now["system"] - before["system"], (roles["system"] // 16, roles["system"] // 16 + 1))
        self.assertGreaterEqual(now["user"] - before["user"], roles["user"] // 16 - 1)
        self.assertGreaterEqual(now["output"] - before["output"], 1)
        host = harness.eventually(lambda: self.by_role("tier"), lambda host: host["system"] >= now["system"] - before["system"])
        self.assertGreaterEqual(host["user"], roles["user"] // 16 - 1)
        self.tell("roles", "end", "die")
        self.assertEqual(harness.eventually(lambda: self.by_role("worker"), lambda now: now["system"] == before["system"])["system"], before["system"])

    def test_a_session_without_a_name_gets_one(self):
        first, second = (self.ok("POST", "/v1/sessions")["id"] for _ in range(2))
        self.assertNotEqual(first, second)
        self.assertEqual(self.get(first)["state"], "idle")

    def test_a_turn_spawns_its_session_and_its_parent(self):
        status, headers, answer = self.server.request("POST", CHAT, say(), {"x-session-id": "younger", "x-parent-session-id": "older"})
        self.assertEqual(status, 200, answer)
        self.assertEqual(headers["x-session-id"], "younger")
        info = self.at_rest("younger")
        self.assertEqual((info["parent"], info["turns"], info["state"]), ("older", 1, "idle"))
        self.assertEqual(info["usage"]["output_tokens"], 4)
        self.assertEqual(info["context_tokens"], answer["usage"]["total_tokens"])
        self.assertEqual(self.get("older")["turns"], 0)

    def test_identity_may_come_in_the_body(self):
        self.ok("POST", CHAT, say(agent_hints={"session_id": "in-body", "parent": "body-lead"}))
        self.assertEqual(self.at_rest("in-body")["parent"], "body-lead")

    def test_states_of_a_pause(self):
        self.turn("pausing")
        self.at_rest("pausing")
        self.assertEqual(self.tell("pausing", "1", "tool_pause", tools=["bash", "read"], expect_ms=9000)["outcome"], "accepted")
        info = self.get("pausing")
        self.assertEqual((info["state"], info["paused_on"]), ("tool_paused", ["bash", "read"]))
        self.assertEqual(self.tell("pausing", "2", "resume")["outcome"], "accepted")
        info = self.get("pausing")
        self.assertEqual((info["state"], info["paused_on"]), ("idle", []))
        self.tell("pausing", "3", "tool_pause", tools=["bash"])
        self.turn("pausing")  # a turn resumes as well
        self.assertEqual(self.at_rest("pausing")["state"], "idle")

    def test_a_pause_during_a_turn_begins_at_its_end(self):
        stream = self.server.stream(CHAT, say(max_tokens=60), {"x-session-id": "busy"})
        next(stream)
        self.assertEqual(self.get("busy")["state"], "generating")
        self.assertEqual(self.tell("busy", "1", "tool_pause", tools=["web"])["outcome"], "deferred")
        self.assertEqual(self.get("busy")["state"], "generating")
        for _ in stream:
            pass
        self.assertEqual(self.at_rest("busy")["paused_on"], ["web"])

    def test_compact_keeps_what_the_next_prompt_keeps(self):
        words = "the quick brown fox " * 30
        self.turn("compacted", words)
        self.at_rest("compacted")
        answer = self.tell("compacted", "1", "compact")
        self.assertEqual(answer["outcome"], "deferred")
        usage = self.turn("compacted", words)["usage"]
        self.assertGreater(usage["prompt_tokens_details"]["cached_tokens"], usage["prompt_tokens"] - 64)

    def test_a_dead_session_comes_back_as_a_new_incarnation(self):
        self.turn("phoenix")
        self.assertEqual(self.ok("DELETE", "/v1/sessions/phoenix")["outcome"], "accepted")
        self.assertEqual(self.get("phoenix")["state"], "dead")
        self.assertNotIn("phoenix", [each["id"] for each in self.ok("GET", "/v1/sessions")["data"]])
        dead = self.ok("GET", "/v1/sessions?dead=true&limit=1000")["data"]
        self.assertIn("phoenix", [each["id"] for each in dead])
        self.turn("phoenix")
        info = self.at_rest("phoenix")
        self.assertEqual((info["incarnation"], info["turns"], info["state"]), (2, 1, "idle"))

    def test_children_die_with_their_parent(self):
        self.ok("POST", "/v1/sessions", {"id": "king"})
        self.ok("POST", "/v1/sessions", {"id": "prince", "parent": "king"})
        stream = self.server.stream(CHAT, say(max_tokens=2000), {"x-session-id": "grandson", "x-parent-session-id": "prince"})
        next(stream)
        self.assertEqual(self.tell("king", "end", "die")["outcome"], "accepted")
        with self.assertRaises(AssertionError):  # the frame of an error, then the end without [DONE]
            for frame in stream:
                last = frame
        self.assertEqual(last["error"]["code"], "cancelled")
        for name in ("king", "prince", "grandson"):
            self.assertEqual(self.get(name)["state"], "dead")

    def test_a_final_turn_ends_its_session(self):
        for hints in ({"final": True}, {"id": {"final": True}}):
            name = "final" + str(len(json.dumps(hints)))
            self.turn(name, agent_hints=hints)
            self.assertEqual(harness.eventually(lambda: self.get(name), lambda info: info["state"] == "dead")["state"], "dead")

    def test_an_anonymous_text_dies_after_its_turn(self):
        status, headers, _ = self.server.request("POST", "/v1/completions", {"prompt": "once upon", "max_tokens": 4})
        self.assertEqual(status, 200)
        name = headers["x-session-id"]
        self.assertTrue(name.startswith("once-"), name)
        self.assertEqual(harness.eventually(lambda: self.get(name), lambda info: info["state"] == "dead")["state"], "dead")

    def test_an_anonymous_conversation_goes_on_in_its_session(self):
        body = say("who are you?")
        status, headers, answer = self.server.request("POST", CHAT, body)
        self.assertEqual(status, 200)
        name = headers["x-session-id"]
        self.assertTrue(name.startswith("auto-"), name)
        text = answer["choices"][0]["message"]["content"]
        body["messages"] += [{"role": "assistant", "content": text}, {"role": "user", "content": "and now?"}]
        status, headers, answer = self.server.request("POST", CHAT, body)
        self.assertEqual(status, 200)
        self.assertEqual(headers["x-session-id"], name)
        self.assertEqual(harness.eventually(lambda: self.get(name), lambda info: info["turns"] == 2)["turns"], 2)

    def test_a_subagent_of_claude_code_is_a_child(self):
        lead, child = {"x-claude-code-session-id": "cc"}, {"x-claude-code-session-id": "cc", "x-claude-code-agent-id": "a1"}
        for fields in (lead, child):
            self.assertEqual(self.server.request("POST", CHAT, say(), fields)[0], 200)
        self.assertEqual(self.get("cc.a1")["parent"], "cc")
        self.assertEqual(harness.eventually(lambda: self.get("cc"), lambda info: info["children"] == 1)["children"], 1)

    def test_a_title_beside_the_tools_is_a_side_call(self):
        tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
        turns = lambda count: harness.eventually(lambda: self.get("titled"), lambda info: info["turns"] == count)
        self.turn("titled", tools=[tool])
        self.assertEqual(turns(1)["state"], "idle")
        self.assertEqual(self.tell("titled", "pause", "tool_pause", tools=["look"])["outcome"], "accepted")
        self.turn("titled", "a title for this")
        self.assertEqual(turns(2)["state"], "tool_paused")
        self.turn("titled", tools=[tool])
        self.assertEqual(turns(3)["state"], "idle")


class Memory(unittest.TestCase):
    toml = harness.model_toml(harness.BUILTIN, worker=TIMING)

    def test_a_restart_keeps_the_living_and_the_dead(self):
        with harness.serving(self.toml) as server:
            server.request("POST", CHAT, say(), {"x-session-id": "lead"})
            server.request("POST", CHAT, say(), {"x-session-id": "helper", "x-parent-session-id": "lead"})
            server.request("POST", "/v1/sessions/helper/events", {"id": "1", "verb": "tool_pause", "tools": ["bash"]})
            server.request("POST", CHAT, say(), {"x-session-id": "gone"})
            self.assertEqual(server.request("DELETE", "/v1/sessions/gone")[0], 200)
            before = server.request("GET", "/v1/sessions/lead")[2]
            self.assertEqual(server.stop(), 0)
            server.start()
            lead = server.request("GET", "/v1/sessions/lead")[2]
            self.assertEqual((lead["state"], lead["turns"], lead["created_ms"]), ("dormant", 1, before["created_ms"]))
            helper = server.request("GET", "/v1/sessions/helper")[2]
            self.assertEqual((helper["state"], helper["parent"]), ("dormant", "lead"))
            self.assertEqual(server.request("GET", "/v1/sessions/gone")[2]["state"], "dead")
            self.assertEqual(server.request("POST", "/v1/sessions/gone/events", {"id": "9", "verb": "resume"})[0], 409)
            self.assertEqual(server.request("POST", CHAT, say(), {"x-session-id": "helper"})[0], 200)
            helper = harness.eventually(lambda: server.request("GET", "/v1/sessions/helper")[2], lambda info: info["state"] == "idle")
            self.assertEqual((helper["turns"], helper["incarnation"]), (2, 1))
            self.assertEqual(server.request("DELETE", "/v1/sessions/lead")[0], 200)
            self.assertEqual(server.request("GET", "/v1/sessions/helper")[2]["state"], "dead")

    def test_a_stream_finishes_although_the_server_was_told_to_end(self):
        with harness.serving("drain_s = 50\n" + self.toml) as server:  # the harness has opened [node]
            stream = server.stream(CHAT, say(max_tokens=150), {"x-session-id": "last"})
            frames = [next(stream)]
            server.process.send_signal(signal.SIGTERM)
            frames += list(stream)  # raises when [DONE] does not come
            self.assertEqual(frames[-1]["choices"][0]["finish_reason"], "length")
            self.assertEqual(server.process.wait(harness.WAIT_S), 0)
            with self.assertRaises(OSError):
                server.request("GET", "/live")

    def test_a_drain_that_takes_too_long_tells_its_turns(self):
        with harness.serving("drain_s = 1\n" + self.toml) as server:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=harness.WAIT_S)
            connection.request("POST", CHAT, json.dumps(say(max_tokens=20000, stream=True)), {"content-type": "application/json"})
            response = connection.getresponse()
            while not response.readline().startswith(b"data: "):
                self.assertFalse(response.isclosed())
            server.process.send_signal(signal.SIGTERM)
            frames = [line[6:] for line in response if line.startswith(b"data: ")]
            connection.close()
            self.assertEqual(json.loads(frames[-1])["error"]["code"], "draining")
            self.assertEqual(server.process.wait(harness.WAIT_S), 0)

    def test_turns_that_run_at_a_kill_do_not_keep_their_session_generating(self):
        with harness.serving(self.toml) as server:
            stream = server.stream(CHAT, say(max_tokens=20000), {"x-session-id": "cut"})
            next(stream)
            server.kill()
            with self.assertRaises((AssertionError, OSError, http.client.HTTPException)):
                list(stream)
            server.start()
            self.assertEqual(server.request("GET", "/v1/sessions/cut")[2]["state"], "dormant")
            self.assertEqual(server.request("POST", CHAT, say(), {"x-session-id": "cut"})[0], 200)


if __name__ == "__main__":
    unittest.main()
