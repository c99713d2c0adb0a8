"""What a session has computed is still there after kill -9, from disk, and for another process, from Redis: same tokens, nothing
computed twice; and a store that is gone costs hits, never answers."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import harness

BLOCK = 32
PROMPT = [3 + (7 * i) % 200 for i in range(4000)]
FULL = (len(PROMPT) - 1) // BLOCK


def toml(**sections):
    text = ""
    for name, keys in sections.items():
        text += f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    return text + harness.model_toml(harness.BUILTIN, worker=f"blocks = 512\nblock_tokens = {BLOCK}\n")


def ask(server, session="reader"):
    status, _, body = server.request("POST", "/v1/completions", {"prompt": PROMPT, "max_tokens": 24, "temperature": 0},
                                     {"x-session-id": session})
    if status != 200:
        raise AssertionError(f"{status}: {body}")
    return body["choices"][0]["text"], body["usage"]["prompt_tokens_details"]["cached_tokens"]


def tier(server, kind):
    tiers = server.request("GET", "/health")[2]["tiers"]
    return next(each for each in tiers if each["tier"] == kind)


def computed(server):
    return sum(worker["tokens"]["computed"] for worker in server.request("GET", "/health")[2]["workers"])


def pinned(server):
    """Blocks by place, as /metrics has them."""
    text = server.request("GET", "/metrics")[2]
    found = re.findall(r'^troupe_(worker|tier)_blocks_pinned{(?:tier="(\w+)")?[^}]*} (\d+)$', text, re.MULTILINE)
    return {tier or place: int(blocks) for place, tier, blocks in found}


def until(read, holds):
    value = harness.eventually(read, holds)
    assert holds(value), value
    return value


def ask_twice(server, kind):
    """The second turn shows that the prefix is worth keeping; returns its text when the store has all of it."""
    first, cached = ask(server)
    assert cached == 0, cached
    until(lambda: tier(server, "host")["blocks"]["cached"], lambda held: held >= FULL)
    again, cached = ask(server)
    assert again == first and cached == FULL * BLOCK, cached
    until(lambda: tier(server, kind)["blocks"]["stored"], lambda stored: stored >= FULL)
    return first


class DiskTier(unittest.TestCase):
    def test_a_prefix_is_loaded_after_a_kill_instead_of_computed(self):
        with harness.serving(toml(disk_tier={"bytes": 256 << 20})) as server:
            text = ask_twice(server, "disk")
            server.kill()
            server.start()
            again, cached = ask(server)
            self.assertEqual(again, text)
            self.assertEqual(cached, FULL * BLOCK)
            self.assertEqual(tier(server, "disk")["blocks"]["read"], FULL)
            self.assertLess(computed(server), 200)

    def test_what_is_pinned_is_pinned_again_after_a_kill(self):
        with harness.serving(toml(disk_tier={"bytes": 256 << 20})) as server:
            text = ask_twice(server, "disk")
            pin = {"id": "p", "verb": "pin", "ttl_ms": 600_000}
            status, _, told = server.request("POST", "/v1/sessions/reader/events", pin)
            self.assertEqual((status, told["outcome"]), (200, "accepted"))
            kept = until(lambda: pinned(server), lambda now: min(now.values()) >= FULL)  # the disk hears of it after the answer
            server.kill()
            server.start()
            self.assertEqual(set(pinned(server).values()), {0})
            again, cached = ask(server)
            self.assertEqual((again, cached), (text, FULL * BLOCK))
            until(lambda: pinned(server), lambda now: now == kept)
            pin.update(id="q", ttl_ms=0)
            self.assertEqual(server.request("POST", "/v1/sessions/reader/events", pin)[0], 200)
            until(lambda: pinned(server), lambda now: set(now.values()) == {0})
            server.kill()
            server.start()
            ask(server)
            self.assertEqual(set(pinned(server).values()), {0})

    def test_a_death_takes_what_is_on_disk_along(self):
        with harness.serving(toml(disk_tier={"bytes": 256 << 20})) as server:
            ask_twice(server, "disk")
            self.assertEqual(server.request("DELETE", "/v1/sessions/reader")[0], 200)
            until(lambda: tier(server, "disk")["blocks"]["cached"], lambda held: held == 0)
            server.kill()
            server.start()
            self.assertEqual(ask(server)[1], 0)

    def test_a_damaged_disk_costs_hits_and_no_token(self):
        with harness.serving(toml(disk_tier={"bytes": 256 << 20})) as server:
            text = ask_twice(server, "disk")
            server.kill()
            for file in (server.folder / "data" / "disk").rglob("*"):
                if file.is_file() and file.stat().st_size > 100_000:
                    data = bytearray(file.read_bytes())
                    for place in range(50_000, len(data), 50_000):
                        data[place] ^= 1
                    file.write_bytes(data)
            server.start()
            again, cached = ask(server)
            self.assertEqual(again, text)
            self.assertLess(cached, FULL * BLOCK)


class RedisCase(unittest.TestCase):
    """A Redis of its own for each test."""
    wait_ms = 2000

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="troupe-redis-")
        self.addCleanup(self.folder.cleanup)
        self.socket = str(pathlib.Path(self.folder.name) / "redis.sock")
        self.redis = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", self.folder.name],
                                      stdout=subprocess.DEVNULL)
        self.addCleanup(self.redis.wait)
        self.addCleanup(self.redis.kill)
        until(lambda: pathlib.Path(self.socket).exists(), bool)
        self.toml = toml(remote_tier={"address": self.socket, "wait_ms": self.wait_ms})


@unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
class RemoteTier(RedisCase):
    def test_another_process_loads_what_this_one_has_computed(self):
        with harness.serving(self.toml) as server:
            text = ask_twice(server, "remote")
            key = (server.folder / "data" / "cache.key").read_bytes()
        with tempfile.TemporaryDirectory(prefix="troupe-test-") as folder:
            other = harness.Server(self.toml, folder)
            (other.folder / "data").mkdir()
            (other.folder / "data" / "cache.key").write_bytes(key)
            (other.folder / "data" / "cache.key").chmod(0o600)
            try:
                other.start()
                again, cached = ask(other)
                self.assertEqual(again, text)
                self.assertEqual(cached, FULL * BLOCK)
                self.assertLess(computed(other), 200)
            finally:
                other.process.kill()
                other.process.wait(harness.WAIT_S)

    def test_a_redis_that_has_gone_costs_no_answer(self):
        with harness.serving(self.toml) as server:
            text = ask_twice(server, "remote")
            self.redis.kill()
            self.redis.wait()
            self.assertEqual(ask(server, "other")[0], text)
            self.assertEqual(server.request("DELETE", "/v1/sessions/reader")[0], 200)
            self.assertEqual(server.request("DELETE", "/v1/sessions/other")[0], 200)
            again, cached = ask(server)
            self.assertEqual(again, text)
            self.assertEqual(cached, 0)


if __name__ == "__main__":
    unittest.main()
