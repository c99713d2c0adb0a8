"""Stored responses over a crash: what a client has seen the end of is there, and can be gone on from, after kill -9."""
import json
import unittest

import harness

PATH = "/v1/responses"
TIMING = 'backend = "timing"\nblocks = 512\nblock_tokens = 16\ntiming_step_us = 1000\n'
TOML = harness.model_toml(harness.BUILTIN, worker=TIMING)


def ask(text, **more):
    return {"model": "builtin", "input": text, "max_output_tokens": 4, "ignore_eos": True, **more}


class Responses(unittest.TestCase):
    def stream(self, server, body):
        """The last event of a streamed response; the events' numbers are checked on the way."""
        status, headers, text = server.request("POST", PATH, {**body, "stream": True})
        self.assertEqual(status, 200, text)
        frames = [frame.split("\n") for frame in text.split("\n\n") if frame and not frame.startswith(":")]
        events = [json.loads(lines[1].removeprefix("data: ")) for lines in frames]
        self.assertEqual([event["sequence_number"] for event in events], list(range(len(events))))
        self.assertEqual([lines[0].removeprefix("event: ") for lines in frames], [event["type"] for event in events])
        return events[-1]

    def test_a_chain_goes_on_after_a_crash(self):
        with harness.serving(TOML) as server:
            first = self.stream(server, ask("Remember the number seven. " * 8))["response"]
            status, headers, second = server.request("POST", PATH, ask("And eight.", previous_response_id=first["id"]), {"x-session-id": "lead"})
            self.assertEqual(status, 200, second)
            self.assertEqual(headers["x-session-id"], "lead")
            dropped = self.stream(server, ask("Forget this."))["response"]["id"]
            self.assertTrue(server.request("DELETE", f"{PATH}/{dropped}")[2]["deleted"])
            before = server.request("GET", f"{PATH}/{second['id']}/input_items?order=asc")[2]
            server.kill()
            server.start()
            self.assertEqual(server.request("GET", f"{PATH}/{second['id']}")[2], second)
            self.assertEqual(server.request("GET", f"{PATH}/{second['id']}/input_items?order=asc")[2], before)
            self.assertEqual(server.request("GET", f"{PATH}/{dropped}")[0], 404)
            status, headers, third = server.request("POST", PATH, ask("And nine.", previous_response_id=second["id"]))
            self.assertEqual(status, 200, third)
            self.assertEqual(headers["x-session-id"], "lead")
            self.assertEqual(third["previous_response_id"], second["id"])
            self.assertGreater(third["usage"]["input_tokens"], second["usage"]["input_tokens"])
            whole = before["data"] + second["output"] + [{"role": "user", "content": "And nine."}]
            counted = server.request("POST", PATH + "/input_tokens", {"model": "builtin", "input": whole})[2]
            self.assertEqual(counted["input_tokens"], third["usage"]["input_tokens"])
            self.assertEqual(server.stop(), 0)

    def test_sealed_reasoning_is_of_this_node_alone(self):
        with harness.serving(TOML) as server:
            key = server.folder / "data" / "cache.key"
            self.assertEqual(key.stat().st_size, 32)
            items = [{"role": "user", "content": "Hi"}, {"type": "reasoning", "summary": [], "encrypted_content": "c29tZXRoaW5nIGVsc2U="}]
            with_it = server.request("POST", PATH + "/input_tokens", {"model": "builtin", "input": items})[2]
            without = server.request("POST", PATH + "/input_tokens", {"model": "builtin", "input": items[:1]})[2]
            self.assertEqual(with_it, without)

    def test_responses_that_nobody_keeps(self):
        with harness.serving(TOML + "\n[responses]\ncount_max = 0\n") as server:
            answer = self.stream(server, ask("Hi"))["response"]
            self.assertEqual(answer["status"], "incomplete")
            self.assertEqual(server.request("GET", f"{PATH}/{answer['id']}")[0], 404)


if __name__ == "__main__":
    unittest.main()
