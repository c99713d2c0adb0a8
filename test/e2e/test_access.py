"""Keys, tenants and quotas of the real program: who is let in, and that nothing of one tenant is seen or felt by another."""
import hashlib
import pathlib
import re
import subprocess
import tempfile
import unittest

import harness

CHAT = "/v1/chat/completions"
STRANGER = {"authorization": "Bearer tk-stranger"}


def hash_of(key):
    return hashlib.sha256(key.encode()).hexdigest()


def key_toml(name, tenant, admin="false"):
    return f'[[key]]\nname = "{name}"\nhash = "{hash_of("tk-" + name)}"\ntenant = "{tenant}"\nadmin = {admin}\n'


def bearer(name):
    return {"authorization": f"Bearer tk-{name}"}


TENANTS = "".join(f'[[tenant]]\nname = "{name}"\n' for name in ("acme", "beta")) + (
    '[[tenant]]\nname = "metered"\ntokens_per_min = 30\n' + key_toml("ann", "acme") + key_toml("bob", "beta") +
    key_toml("meg", "metered") + key_toml("ops", "default", "true"))


def say(text, **more):
    return {"model": "builtin", "messages": [{"role": "user", "content": text}], "max_tokens": 4, "temperature": 0, **more}


def session_after(server, who, name, turns):
    """What the server tells of a session, once so many of its turns are counted."""
    return harness.eventually(lambda: server.request("GET", "/v1/sessions/" + name, headers=bearer(who))[2],
                              lambda info: info.get("turns") == turns)


class Access(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.context = harness.serving(TENANTS + harness.model_toml(harness.BUILTIN))
        cls.server = cls.context.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def turn(self, who, text, **headers):
        status, _, body = self.server.request("POST", CHAT, say(text), {**bearer(who), **{name.replace("_", "-"): value for name, value in headers.items()}})
        self.assertEqual(status, 200, body)
        return body["usage"]["prompt_tokens_details"]["cached_tokens"]

    def test_without_a_known_key_there_is_nothing_to_see(self):
        for headers in ({}, STRANGER, {"x-api-key": "tk-stranger"}, {"x-api-key": "ann"}, {"x-api-key": hash_of("tk-ann")}):
            for method, path in (("POST", CHAT), ("POST", "/v1/messages"), ("GET", "/v1/models"), ("GET", "/v1/sessions"),
                                 ("GET", "/metrics"), ("GET", "/health"), ("POST", "/tokenize"), ("GET", "/nowhere")):
                status, fields, body = self.server.request(method, path, say("hello") if method == "POST" else None, headers)
                self.assertEqual(status, 401, (path, headers, body))
                self.assertEqual(body["error"]["type"], "authentication_error")
                self.assertEqual({name.lower(): value for name, value in fields.items()}["www-authenticate"], "Bearer")
        self.assertEqual(self.server.request("GET", "/live")[0], 200)
        self.assertEqual(self.server.request("GET", "/ready", headers=STRANGER)[2], {"status": "ready"})

    def test_both_headers_of_the_clients_are_taken(self):
        self.assertEqual(self.server.request("GET", "/v1/models", headers={"x-api-key": "tk-ann"})[0], 200)
        self.assertEqual(self.server.request("GET", "/v1/models", headers={**STRANGER, "x-api-key": "tk-ann"})[0], 200)
        self.assertEqual(self.server.request("GET", "/v1/models", headers={**bearer("ann"), "x-api-key": "unused"})[0], 200)

    def test_a_prompt_of_one_tenant_is_cached_for_no_other(self):
        prompt = "The same long words of two tenants, which only one of them has said before. " * 8
        self.assertEqual(self.turn("ann", prompt, x_session_id="one"), 0)
        hit = self.turn("ann", prompt, x_session_id="two")
        self.assertGreater(hit, 64)
        self.assertEqual(self.turn("bob", prompt, x_session_id="one"), 0)
        self.assertEqual(self.turn("bob", prompt, x_session_id="two"), hit)
        self.assertEqual(self.turn("ops", prompt, x_session_id="one"), 0)

    def test_a_session_of_another_tenant_is_not_there(self):
        self.turn("ann", "hello", x_session_id="shared-name")
        mine = session_after(self.server, "ann", "shared-name", 1)
        self.assertEqual((mine["tenant"], mine["turns"]), ("acme", 1))
        for method, path, body in (("GET", "/v1/sessions/shared-name", None), ("DELETE", "/v1/sessions/shared-name", None),
                                   ("POST", "/v1/sessions/shared-name/events", {"id": "e", "verb": "compact"})):
            status, _, answer = self.server.request(method, path, body, bearer("bob"))
            self.assertEqual(status, 404, answer)
            self.assertEqual(answer["error"]["message"], "no session shared-name")
        for path in ("/v1/sessions/acme%20shared-name", "/v1/sessions/shared-name?tenant=acme", "/v1/sessions?tenant=acme"):
            self.assertIn(self.server.request("GET", path, headers=bearer("bob"))[0], (400, 403))
        self.turn("bob", "hello", x_session_id="shared-name")
        self.assertEqual(session_after(self.server, "bob", "shared-name", 1)["tenant"], "beta")
        self.assertEqual(self.server.request("GET", "/v1/sessions/shared-name", headers=bearer("ann"))[2]["turns"], 1)
        listed = self.server.request("GET", "/v1/sessions", headers=bearer("bob"))[2]["data"]
        self.assertEqual({info["tenant"] for info in listed}, {"beta"})

    def test_an_admin_sees_everybody_and_speaks_of_one_by_name(self):
        self.turn("ann", "hello", x_session_id="watched")
        listed = self.server.request("GET", "/v1/sessions", headers=bearer("ops"))[2]["data"]
        self.assertIn(("acme", "watched"), {(info["tenant"], info["id"]) for info in listed})
        self.assertEqual(self.server.request("GET", "/v1/sessions/watched", headers=bearer("ops"))[0], 404)
        self.assertEqual(self.server.request("DELETE", "/v1/sessions/watched?tenant=acme", headers=bearer("ops"))[2]["outcome"], "accepted")
        self.assertEqual(self.server.request("GET", "/v1/sessions/watched", headers=bearer("ann"))[2]["state"], "dead")
        self.assertEqual(self.server.request("GET", "/health", headers=bearer("ann"))[0], 403)
        self.assertIn('troupe_tenant_tokens_total{tenant="acme"}', self.server.request("GET", "/metrics", headers=bearer("ops"))[2])

    def test_a_tenant_that_has_used_its_tokens_is_told_when_to_come_back(self):
        prompt = "More words than this tenant may have computed in a minute of its life. " * 4
        first = self.server.request("POST", CHAT, say(prompt), bearer("meg"))
        self.assertEqual(first[0], 200, first[2])
        fields = {name.lower(): value for name, value in first[1].items()}
        self.assertEqual(fields["x-ratelimit-limit-tokens"], "30")
        status, fields, body = self.server.request("POST", CHAT, say(prompt), bearer("meg"))
        self.assertEqual((status, body["error"]["type"], body["error"]["code"]), (429, "rate_limit_error", "quota_reached"))
        fields = {name.lower(): value for name, value in fields.items()}
        self.assertGreater(int(fields["retry-after"]), 60)
        self.assertEqual(int(fields["retry-after"]), -(-int(fields["retry-after-ms"]) // 1000))
        self.assertEqual(fields["x-should-retry"], "true")
        self.turn("ann", prompt)

    def test_no_key_is_in_the_log(self):
        self.turn("ann", "hello")
        self.server.request("GET", "/v1/models", headers=STRANGER)
        log = (self.server.folder / "server.log").read_text(errors="replace")
        for key in ("tk-ann", "tk-stranger"):
            self.assertNotIn(key, log)


class Restart(unittest.TestCase):
    def test_sessions_come_back_under_their_tenants(self):
        with harness.serving(TENANTS + harness.model_toml(harness.BUILTIN)) as server:
            for who in ("ann", "bob", "ann"):
                status, _, body = server.request("POST", CHAT, say("hello"), {**bearer(who), "x-session-id": "same"})
                self.assertEqual(status, 200, body)
            self.assertEqual((session_after(server, "ann", "same", 2)["turns"], session_after(server, "bob", "same", 1)["turns"]), (2, 1))
            server.kill()
            server.start()
            for who, tenant, turns in (("ann", "acme", 2), ("bob", "beta", 1)):
                info = server.request("GET", "/v1/sessions/same", headers=bearer(who))[2]
                self.assertEqual((info["tenant"], info["state"], info["turns"]), (tenant, "dormant", turns))
            self.assertEqual(server.request("GET", "/v1/sessions/same", headers=bearer("ops"))[0], 404)


class Listening(unittest.TestCase):
    def check(self, toml):
        with tempfile.TemporaryDirectory(prefix="troupe-test-") as folder:
            file = pathlib.Path(folder) / "node.toml"
            file.write_text(toml)
            return subprocess.run([harness.BINARY, "check", str(file)], capture_output=True, text=True, timeout=harness.WAIT_S)

    def test_beyond_this_machine_it_listens_with_keys_only(self):
        everywhere = '[gateway]\naddress = "0.0.0.0"\n' + harness.model_toml(harness.BUILTIN)
        refused = self.check(everywhere)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("gateway.address", refused.stderr)
        drawn = subprocess.run([harness.BINARY, "key", "--name", "ci"], capture_output=True, text=True, timeout=harness.WAIT_S, check=True).stdout
        key = re.search(r"tk-[0-9a-f]{64}", drawn).group()
        lines = drawn[drawn.index("[[key]]"):]
        self.assertNotIn(key, lines)
        self.assertIn(hash_of(key), lines)
        with harness.serving('[gateway]\naddress = "0.0.0.0"\n' + lines + harness.model_toml(harness.BUILTIN)) as server:
            self.assertEqual(server.request("GET", "/v1/models")[0], 401)
            self.assertEqual(server.request("GET", "/v1/models", headers={"authorization": "Bearer " + key})[0], 200)
            self.assertEqual(server.request("GET", "/health", headers={"authorization": "Bearer " + key})[0], 403)


if __name__ == "__main__":
    unittest.main()
