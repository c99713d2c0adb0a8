"""A stream that is cut and gone on with, against the real program: the turn is computed once, and no byte of it is lost or said twice."""
import contextlib
import http.client
import json
import socket
import unittest

import harness

CHAT = {"model": "builtin", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 12, "ignore_eos": True, "stream": True}
MESSAGES = {"model": "builtin", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 12, "stream": True}
TEXT = {"model": "builtin", "prompt": "hello", "max_tokens": 12, "ignore_eos": True, "stream": True}
STREAMS = (("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES), ("/v1/completions", TEXT))


def frames_of(text):
    """The frames of a stream without its comments, each with its empty line."""
    return [frame + "\n\n" for frame in text.split("\n\n") if frame and not frame.startswith(":")]


class Resume(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        worker = 'backend = "timing"\nblocks = 512\nblock_tokens = 16\ntiming_step_us = 5000\n'
        cls.context = harness.serving(harness.model_toml(harness.BUILTIN, worker=worker))
        cls.server = cls.context.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def post(self, path, body, headers):
        status, head, text = self.server.request("POST", path, body, headers)
        self.assertEqual(status, 200, text)
        return head, text

    def read_frames(self, path, body, headers, count):
        """Reads that many frames of a stream and drops the connection; returns them, fewer where the stream ends before, and the session's name."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=harness.WAIT_S)
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json", **headers})
        sock = connection.sock
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        text = ""
        while len(frames_of(text)) < count or not text.endswith("\n\n"):
            line = response.readline().decode()
            if not line:
                break  # a shorter answer than the last one
            text += line
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        response.close()
        connection.close()
        return frames_of(text), response.getheader("x-session-id")

    def turns_of(self, session):
        """A session counts a turn a moment after its last frame; one that lives for one turn may be gone by then."""
        def read():
            status, _, info = self.server.request("GET", f"/v1/sessions/{session}")
            return info["turns"] if status == 200 and info["state"] != "dead" else 1
        return harness.eventually(read, lambda turns: turns > 0)

    def test_every_cut_is_gone_on_with(self):
        for path, body in STREAMS:
            total = None
            cut = 0
            while total is None or cut < total:
                cut += 1
                key = {"idempotency-key": f"cut-{cut}"}
                seen, session = self.read_frames(path, body, key, cut)
                _, rest = self.post(path, body, {**key, "last-event-id": str(len(seen))})
                whole = frames_of(self.post(path, body, key)[1])
                self.assertEqual(seen + frames_of(rest), whole, (path, cut))
                self.assertEqual([frame.split("\n")[0] for frame in whole], [f"id: {n + 1}" for n in range(len(whole))])
                total = len(whole)
                self.assertEqual(self.turns_of(session), 1, (path, cut))
            self.assertGreater(total, 3)

    def test_a_whole_answer_is_repeated(self):
        body = {**CHAT, "stream": False}
        first_head, first = self.post("/v1/chat/completions", body, {"idempotency-key": "whole"})
        head, again = self.post("/v1/chat/completions", body, {"idempotency-key": "whole"})
        self.assertEqual(again, first)
        self.assertEqual(head["x-session-id"], first_head["x-session-id"])
        self.assertEqual(head["idempotent-replayed"], "true")
        status, _, refused = self.server.request("POST", "/v1/chat/completions", {**body, "max_tokens": 5}, {"idempotency-key": "whole"})
        self.assertEqual((status, refused["error"]["code"]), (422, "idempotency_mismatch"))

    def test_a_stream_without_a_key_has_no_ids(self):
        _, text = self.post("/v1/chat/completions", CHAT, {})
        self.assertNotIn("id: ", "".join(frame.split("data: ")[0] for frame in frames_of(text)))

    def test_a_turn_that_is_not_known_is_not_begun_by_going_on_with_it(self):
        status, _, refused = self.server.request("POST", "/v1/chat/completions", CHAT, {"idempotency-key": "nobody", "last-event-id": "3"})
        self.assertEqual((status, refused["error"]["code"]), (404, "not_found"))
        status, _, refused = self.server.request("POST", "/v1/chat/completions", CHAT, {"last-event-id": "3"})
        self.assertEqual((status, refused["error"]["param"]), (400, "last-event-id"))


if __name__ == "__main__":
    unittest.main()
