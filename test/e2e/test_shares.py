"""Shares of the cache by tenant in the real program: one that floods it loses its own blocks, another keeps its hits."""
import re
import unittest

import harness
from test_access import bearer, key_toml

BLOCK = 16
PROMPT = "What the quiet tenant asks again and again, and nobody else ever does. " * 4


def toml(share):
    return (f'[[tenant]]\nname = "acme"\ncache_share_max = {share}\n[[tenant]]\nname = "beta"\n' + key_toml("ann", "acme") +
            key_toml("bob", "beta") + key_toml("ops", "default", "true") + '[retention]\npolicy = "lru"\n[host_tier]\nbytes = 0\n' +
            harness.model_toml(harness.BUILTIN, worker=f"blocks = 32\nblock_tokens = {BLOCK}\n"))


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


if __name__ == "__main__":
    unittest.main()
