"""The audit log of the real program: a line for each request, nobody else's to read, and no secret in it."""
import hashlib
import json
import pathlib
import stat
import tempfile
import unittest

import harness

CHAT = "/v1/chat/completions"
KEY = "tk-audited"
TENANT = f'[[tenant]]\nname = "acme"\n[[key]]\nname = "ci"\nhash = "{hashlib.sha256(KEY.encode()).hexdigest()}"\ntenant = "acme"\nadmin = true\n'


def say(text, **more):
    return {"model": "builtin", "messages": [{"role": "user", "content": text}], "max_tokens": 4, "temperature": 0, **more}


class Audit(unittest.TestCase):
    def serve(self, content):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="troupe-test-"))
        self.file = pathlib.Path(folder) / "audit.jsonl"
        audit = f'[audit]\nfile = {json.dumps(str(self.file))}\ncontent = "{content}"\n'
        return self.enterContext(harness.serving(audit + TENANT + harness.model_toml(harness.BUILTIN)))

    def lines(self, count):
        text = harness.eventually(lambda: self.file.read_text(), lambda text: text.count("\n") >= count)
        return [json.loads(line) for line in text.splitlines()]

    def test_lines_of_turns_and_strangers(self):
        server = self.serve("none")
        headers = {"authorization": f"Bearer {KEY}", "x-session-id": "lead", "x-request-id": "r-1"}
        status, _, body = server.request("POST", CHAT, say("Hello"), headers)
        self.assertEqual(status, 200, body)
        self.assertEqual(server.request("GET", "/v1/models", headers={"x-api-key": "tk-guess"})[0], 401)
        turn, stranger = self.lines(2)
        usage = body["usage"]
        self.assertEqual({name: turn[name] for name in turn if name not in ("at_ms", "latency_us")},
                         {"client": "127.0.0.1", "tenant": "acme", "key": "ci", "request": "r-1", "session": "lead", "method": "POST", "path": CHAT,
                          "model": "builtin", "status": 200, "prompt_tokens": usage["prompt_tokens"], "cached_tokens": 0,
                          "output_tokens": usage["completion_tokens"]})
        self.assertGreater(turn["latency_us"], 0)
        self.assertEqual((stranger["status"], stranger["tenant"], stranger["key"], stranger["path"]), (401, None, None, "/v1/models"))
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        self.assertNotIn("tk-", self.file.read_text())
        metrics = server.request("GET", "/metrics", headers=headers)[2]
        self.assertIn("troupe_audit_lines_total 2\n", metrics)
        self.assertIn("troupe_audit_lines_lost_total 0\n", metrics)

    def test_full_content_has_no_usual_secret(self):
        server = self.serve("full")
        headers = {"authorization": f"Bearer {KEY}"}
        prompt = "keep sk-proj-abc123 and\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----"
        status, _, answer = server.request("POST", CHAT, say(prompt), headers)
        self.assertEqual(status, 200, answer)
        line, = self.lines(1)
        self.assertEqual(json.loads(line["body"]), say("keep [redacted] and\n[redacted] EC PRIVATE KEY-----"))
        self.assertEqual(line["answer"], answer["choices"][0]["message"]["content"])

    def test_digests_name_contents(self):
        server = self.serve("digest")
        request = say("Hello", stream=True)
        list(server.stream(CHAT, request, {"authorization": f"Bearer {KEY}"}))
        line, = self.lines(1)
        self.assertEqual(line["body_sha256"], hashlib.sha256(json.dumps(request).encode()).hexdigest())
        self.assertEqual(line["body_bytes"], len(json.dumps(request)))
        self.assertNotIn("body", line)


if __name__ == "__main__":
    unittest.main()
