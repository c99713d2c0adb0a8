"""What tenants share in the real program: one that floods the cache, or a table of the gateway, loses its own, another keeps its hits."""
import re
import unittest

import harness
from test_access import bearer, key_toml

BLOCK = 16
PROMPT = "What the quiet tenant asks again and again, and nobody else ever does. " * 4


def toml(share, blocks=32):
    return (f'[[tenant]]\nname = "acme"\ncache_share_max = {share}\n[[tenant]]\nname = "beta"\n' + key_toml("ann", "acme") +
            key_toml("bob", "beta") + key_toml("ops", "default", "true") + '[retention]\npolicy = "lru"\n[host_tier]\nbytes = 0\n' +
            harness.model_toml(harness.BUILTIN, worker=f"blocks = {blocks}\nblock_tokens = {BLOCK}\n"))


def ask(server, who, session, prompt):
    """Tokens of the prompt that came from cache."""
    status, _, body = server.request("POST", "/v1/completions", {"prompt": prompt, "max_tokens": 2, "temperature": 0},
                                     {**bearer(who), "x-session-id": session})
    if status != 200:
        raise AssertionError(f"{status}: {body}")
    return body["usage"]["prompt_tokens_details"]["cached_tokens"]


def flood(server):
    for number in range(12):
        ask(server, "ann", f"flood-{number}", f"{number:03} is one of many prompts that come once. " * 5)


def figures(server, name, label):
    """By the value of a label."""
    text = server.request("GET", "/metrics", headers=bearer("ops"))[2]
    found = re.findall(rf'^{name}{{[^}}]*{label}="(\w+)"[^}}]*}} (\d+)$', text, re.MULTILINE)
    return {key: int(value) for key, value in found}


class Shares(unittest.TestCase):
    def test_a_flood_of_one_tenant_takes_nothing_from_another(self):
        with harness.serving(toml(0.25)) as server:
            ask(server, "bob", "quiet", PROMPT)
            held = ask(server, "bob", "again", PROMPT)
            self.assertGreater(held, 6 * BLOCK)
            flood(server)
            self.assertEqual(ask(server, "bob", "later", PROMPT), held)
            removed = figures(server, "troupe_worker_blocks_removed_total", "cause")
            self.assertGreater(removed["quota"], 0)
            self.assertEqual(removed["capacity"], 0)
            by_tenant = figures(server, "troupe_worker_blocks_by_tenant", "tenant")
            self.assertGreater(by_tenant["acme"], 32 // 4)  # idle room is used
            health = server.request("GET", "/health", headers=bearer("ops"))[2]
            self.assertEqual(set(health["workers"][0]["blocks"]["tenants"]), {"default", "acme", "beta"})
            self.assertEqual(health["workers"][0]["integrity"], "")

    def test_without_a_bound_the_same_flood_takes_it_all(self):
        with harness.serving(toml(1)) as server:
            ask(server, "bob", "quiet", PROMPT)
            self.assertGreater(ask(server, "bob", "again", PROMPT), 0)
            flood(server)
            self.assertEqual(ask(server, "bob", "later", PROMPT), 0)
            self.assertEqual(figures(server, "troupe_worker_blocks_removed_total", "cause")["quota"], 0)


SMALL = '[gateway]\nconversations_max = 4\n[responses]\ncount_max = 4\n[session]\nsessions_max = 16\n'
TALK = [{"role": "user", "content": "Who nobody names says this first. " * 8}]


class Tables(unittest.TestCase):
    """What the gateway bounds for all: a tenant that fills it makes room for others itself."""

    def post(self, path, who, body, headers=None, status=200):
        got, fields, answer = self.server.request("POST", path, body, {**bearer(who), **(headers or {})})
        self.assertEqual(got, status, answer)
        return fields, answer

    def chat(self, who, messages):
        """The session that answered, what it said, and how much of the prompt came from cache."""
        body = {"model": "builtin", "messages": messages, "max_tokens": 4, "temperature": 0}
        fields, answer = self.post("/v1/chat/completions", who, body)
        return (fields["x-session-id"], answer["choices"][0]["message"]["content"],
                answer["usage"]["prompt_tokens_details"]["cached_tokens"])

    def respond(self, who, text, **more):
        return self.post("/v1/responses", who, {"model": "builtin", "input": text, "max_output_tokens": 4, **more})[1]["id"]

    def flood(self):
        for number in range(12):
            self.chat("ann", [{"role": "user", "content": f"{number} is new here"}])
            self.respond("ann", f"{number} is stored")
        refused = 0
        for number in range(40):
            status, fields, _ = self.server.request("POST", "/v1/sessions", {"id": f"spawned-{number}"}, bearer("ann"))
            self.assertIn(status, (200, 429))
            refused += status == 429
        self.assertGreater(refused, 20)
        self.assertEqual(fields["retry-after"], "1")

    def test_a_tenant_that_fills_what_all_share_displaces_its_own(self):
        with harness.serving(SMALL + toml(0.25, blocks=128)) as self.server:
            held = [ask(self.server, "bob", "quiet", PROMPT) for _ in range(2)][1]
            self.assertGreater(held, 6 * BLOCK)
            session, said, _ = self.chat("bob", TALK)
            stored = self.respond("bob", "Remember seven.")
            self.flood()
            self.assertEqual(ask(self.server, "bob", "quiet", PROMPT), held)
            again, _, cached = self.chat("bob", TALK + [{"role": "assistant", "content": said}, {"role": "user", "content": "And?"}])
            self.assertEqual(again, session)
            self.assertGreater(cached, 0)
            self.assertEqual(self.server.request("GET", "/v1/responses/" + stored, headers=bearer("bob"))[0], 200)
            self.respond("bob", "And eight.", previous_response_id=stored)
            for number in range(3):
                ask(self.server, "bob", f"new-{number}", "Another one begins.")
            alive = self.server.request("GET", "/v1/sessions?limit=100", headers=bearer("ops"))[2]["data"]
            self.assertIn(("beta", "quiet"), {(each["tenant"], each["id"]) for each in alive})


if __name__ == "__main__":
    unittest.main()
