"""TLS of the real program, to Python's ssl module: trust, versions, streams, renewal on SIGHUP, and what is refused at the start."""
import contextlib
import http.client
import json
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest

import certificates
import harness

CHAT = "/v1/chat/completions"
HELLO = {"model": "builtin", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8, "temperature": 0}


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.files = certificates.SelfSigned(cls.stack.enter_context(tempfile.TemporaryDirectory(prefix="troupe-test-")))
        cls.server = cls.stack.enter_context(harness.serving("[gateway]\n" + cls.files.toml() + harness.model_toml(harness.BUILTIN)))

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def ask(self, method, path, body=None, headers=None, trust=None):
        connection = http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=harness.WAIT_S, context=trust or self.files.trusting())
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body else None, {"content-type": "application/json", **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read().decode()

    def test_a_chat_is_answered_and_streamed(self):
        self.assertEqual(self.server.scheme, "https")
        status, whole = self.ask("POST", CHAT, HELLO)
        self.assertEqual(status, 200, whole)
        status, stream = self.ask("POST", CHAT, {**HELLO, "stream": True})
        self.assertEqual(status, 200, stream)
        chunks = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]
        said = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
        self.assertEqual(said, json.loads(whole)["choices"][0]["message"]["content"])
        self.assertTrue(stream.endswith("data: [DONE]\n\n"))

    def test_a_keyed_stream_is_read_again_from_a_frame_on(self):
        key = {"idempotency-key": "again"}
        _, first = self.ask("POST", CHAT, {**HELLO, "stream": True}, key)
        _, again = self.ask("POST", CHAT, {**HELLO, "stream": True}, {**key, "last-event-id": "2"})
        self.assertEqual(again, first[first.index("id: 3\n"):])

    def test_versions_before_1_2_are_refused(self):
        old = self.files.trusting()
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertRaises(ssl.SSLError):
            self.ask("GET", "/live", trust=old)
        middle = self.files.trusting()
        middle.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assertEqual(self.ask("GET", "/live", trust=middle)[0], 200)

    def test_plain_http_is_told_so(self):
        status, _, body = self.server.request("GET", "/live")
        self.assertEqual((status, body["error"]["message"]), (400, "this port speaks TLS: https instead of http"))

    def test_the_end_is_told(self):
        with socket.create_connection(("127.0.0.1", self.server.port), harness.WAIT_S) as plain:
            with self.files.trusting().wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as wrapped:
                wrapped.sendall(b"GET /live HTTP/1.0\r\n\r\n")
                answer = b""
                while piece := wrapped.recv(4096):  # raises if the connection ended without a farewell
                    answer += piece
        self.assertTrue(answer.endswith(b'{"status":"live"}'), answer)

    def test_a_renewed_certificate_is_taken_on_sighup(self):
        before = self.files.trusting()
        self.assertEqual(self.ask("GET", "/live", trust=before)[0], 200)
        self.files.renew()
        self.server.process.send_signal(signal.SIGHUP)
        after = self.files.trusting()

        def answer():
            try:
                return self.ask("GET", "/live", trust=after)[0]
            except ssl.SSLCertVerificationError:
                return None
        self.assertEqual(harness.eventually(answer, lambda status: status is not None), 200)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.ask("GET", "/live", trust=before)


class Starting(unittest.TestCase):
    def test_keys_without_tls_are_warned_of(self):
        key = f'[[key]]\nname = "ci"\nhash = "{"0" * 64}"\n'
        for address, is_warned in (("0.0.0.0", True), ("127.0.0.1", False)):
            with harness.serving(f'[gateway]\naddress = "{address}"\n' + key + harness.model_toml(harness.BUILTIN)) as server:
                self.assertEqual("without TLS: keys and prompts travel in clear" in server.tail(), is_warned)

    def serve(self, folder, gateway):
        file = pathlib.Path(folder) / "node.toml"
        file.write_text(f"[node]\ndata_dir = {json.dumps(folder + '/data')}\n[gateway]\nport = 0\n{gateway}" + harness.model_toml(harness.BUILTIN))
        return subprocess.run([harness.BINARY, "serve", "--config", str(file)], capture_output=True, text=True, timeout=harness.WAIT_S)

    def test_files_that_do_not_belong_together_end_the_start(self):
        with tempfile.TemporaryDirectory(prefix="troupe-test-") as folder:
            ours, other = certificates.SelfSigned(folder), certificates.SelfSigned(folder, "other")
            mixed = self.serve(folder, f"tls_certificate = {json.dumps(str(ours.certificate))}\ntls_key = {json.dumps(str(other.key))}\n")
            self.assertEqual(mixed.returncode, 1)
            self.assertIn(f"gateway.tls_key: the key in {other.key} is not that of {ours.certificate}", mixed.stderr)
            ours.key.chmod(0o640)
            opened = self.serve(folder, ours.toml())
            self.assertEqual(opened.returncode, 1)
            self.assertIn("its mode must be 0600", opened.stderr)


if __name__ == "__main__":
    unittest.main()
