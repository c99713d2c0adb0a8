"""The official `openai` and `anthropic` clients from PyPI over TLS, with a certificate authority of their own."""
import contextlib
import tempfile
import unittest

import anthropic
import certificates
import harness
import openai
from scripted import TOML

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        files = certificates.SelfSigned(cls.stack.enter_context(tempfile.TemporaryDirectory(prefix="troupe-test-")))
        cls.server = cls.stack.enter_context(harness.serving("[gateway]\n" + files.toml() + TOML))
        cls.trust = files.trusting()

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def test_openai(self):
        client = openai.OpenAI(base_url=self.server.url + "/v1", api_key="none", max_retries=0,
                               http_client=openai.DefaultHttpxClient(verify=self.trust))
        self.addCleanup(client.close)
        chunks = list(client.chat.completions.create(model="scripted", messages=QUESTION, seed=0, stream=True))
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), "Paris is the capital of France.")

    def test_anthropic(self):
        client = anthropic.Anthropic(base_url=self.server.url, api_key="none", max_retries=0,
                                     http_client=anthropic.DefaultHttpxClient(verify=self.trust))
        self.addCleanup(client.close)
        with client.messages.stream(model="scripted", messages=QUESTION, max_tokens=100, extra_body={"seed": 0}) as stream:
            self.assertEqual(stream.get_final_text(), "Paris is the capital of France.")

    def test_a_client_without_the_authority_refuses(self):
        client = openai.OpenAI(base_url=self.server.url + "/v1", api_key="none", max_retries=0)
        self.addCleanup(client.close)
        with self.assertRaises(openai.APIConnectionError):
            client.models.list()


if __name__ == "__main__":
    unittest.main()
