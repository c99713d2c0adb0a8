"""Disk and Redis fail in the middle of a transfer, and the server is killed in the middle of one: the tokens stay the same, what went wrong
is in /metrics, and nobody waits for what is known to be gone."""
import concurrent.futures
import contextlib
import pathlib
import re
import shutil
import signal
import socket
import tempfile
import threading
import time
import unittest

import harness
import test_tiers
from test_tiers import BLOCK, FULL, ask, ask_twice, computed, tier, toml, until

WAIT_MS = 400


def metric(server, name, kind):
    text = server.request("GET", "/metrics")[2]
    return int(re.search(rf'^troupe_{name}{{tier="{kind}",[^}}]*}} (\d+)$', text, re.MULTILINE).group(1))


class GetWatch:
    """Between server and Redis: calls `at_get` once, before the next GET is passed on."""

    def __init__(self, redis):
        self.folder = tempfile.TemporaryDirectory(prefix="troupe-watch-")
        self.address = str(pathlib.Path(self.folder.name) / "watch.sock")
        self.redis, self.at_get, self.gets = redis, None, 0

    def __enter__(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.address)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.folder.cleanup()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.listener.accept()
                redis = socket.socket(socket.AF_UNIX)
                redis.connect(self.redis)
                threading.Thread(target=self.carry, args=(peer, redis, self.look), daemon=True).start()
                threading.Thread(target=self.carry, args=(redis, peer, lambda data: None), daemon=True).start()

    def look(self, data):
        if self.at_get and b"$3\r\nGET\r\n" in data:
            at_get, self.at_get = self.at_get, None
            self.gets += 1
            at_get()

    @staticmethod
    def carry(source, sink, look):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                look(data)
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()


def in_background(call, *arguments):
    return concurrent.futures.ThreadPoolExecutor(1).submit(call, *arguments)


def forget(server, *sessions):
    """Their blocks leave devices and host; Redis keeps its own."""
    for session in sessions:
        assert server.request("DELETE", f"/v1/sessions/{session}")[0] == 200
    until(lambda: tier(server, "host")["blocks"]["cached"], lambda held: held == 0)


class DiskFaults(unittest.TestCase):
    def check_rest(self, server):
        until(lambda: [each["blocks"]["leased"] for each in server.request("GET", "/health")[2]["tiers"]], lambda leased: not any(leased))
        for each in server.request("GET", "/health")[2]["tiers"]:
            self.assertEqual(each["integrity"], "")

    def test_a_server_killed_while_blocks_are_written_keeps_those_that_were(self):
        with harness.serving(toml()) as server:
            host = tier(server, "host")
            block_bytes = host["bytes"] // host["blocks"]["total"]
        # A quarter passes at once, then a quarter each second.
        keys = {"bytes": 256 << 20, "write_bytes_per_s": FULL * block_bytes // 4}
        for part in (0.1, 0.4):
            with harness.serving(toml(disk_tier=keys)) as server:
                text, _ = ask(server)
                until(lambda: tier(server, "host")["blocks"]["cached"], lambda held: held >= FULL)
                ask(server)
                until(lambda: tier(server, "disk")["blocks"]["stored"], lambda stored: stored >= part * FULL)
                stored = tier(server, "disk")["blocks"]["stored"]
                self.assertLess(stored, FULL)
                server.kill()
                server.start()
                again, cached = ask(server)
                self.assertEqual(again, text)
                self.assertGreaterEqual(cached, stored * BLOCK)
                self.check_rest(server)

    def test_a_server_killed_while_a_prefix_is_loaded_loads_it_again(self):
        with harness.serving(toml(disk_tier={"bytes": 256 << 20})) as server:
            text = ask_twice(server, "disk")
            for looks in (0, 1, 3):
                server.kill()
                server.start()
                waiting = in_background(self.broken_ask, server)
                for _ in range(looks):
                    tier(server, "disk")
                server.kill()
                self.assertIn(waiting.result(harness.WAIT_S), (None, text))
            server.start()
            again, cached = ask(server)
            self.assertEqual(again, text)
            self.assertEqual(cached, FULL * BLOCK)
            self.assertEqual(tier(server, "disk")["blocks"]["read"], FULL)
            self.check_rest(server)

    @staticmethod
    def broken_ask(server):
        try:
            return ask(server)[0]
        except (OSError, ValueError, harness.http.client.HTTPException):
            return None

    def test_siblings_that_start_together_read_the_disk_once(self):
        # The direct router lets all of them start at once: no worker waits for what another one computes.
        router = '[router]\nbehaviour = "direct"\n'
        with harness.serving(router + toml(disk_tier={"bytes": 256 << 20})) as server:
            text = ask_twice(server, "disk")
            server.kill()
            server.start()
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                for again, cached in pool.map(lambda number: ask(server, f"sibling-{number}"), range(8)):
                    self.assertEqual(again, text)
                    self.assertEqual(cached, FULL * BLOCK)
            self.assertEqual(tier(server, "disk")["blocks"]["read"], FULL)
            self.assertLess(computed(server), 8 * 64)
            self.assertEqual(metric(server, "tier_blocks_failed_total", "host"), 0)
            self.assertEqual(metric(server, "tier_blocks_recomputed_total", "host"), 0)
            self.check_rest(server)


@unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
class RedisFaults(test_tiers.RedisCase):
    wait_ms = WAIT_MS

    def redis_says(self, *words):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(harness.WAIT_S)
            peer.connect(self.socket)
            peer.sendall(b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)]))
            reader = peer.makefile("rb")
            line = reader.readline()
            return [reader.read(int(reader.readline()[1:]) + 2)[:-2] for _ in range(int(line[1:]))] if line[:1] == b"*" else line

    def timed(self, server, session, text):
        begin = time.monotonic()
        self.assertEqual(ask(server, session)[0], text)
        return time.monotonic() - begin

    def test_a_frozen_redis_costs_its_wait_a_few_times_and_is_used_again_when_it_thaws(self):
        with harness.serving(self.toml) as server:
            text = ask_twice(server, "remote")
            forget(server, "reader")
            self.redis.send_signal(signal.SIGSTOP)
            for number in range(4):
                self.timed(server, f"frozen-{number}", text)
                forget(server, f"frozen-{number}")
            self.assertGreater(metric(server, "tier_blocks_failed_total", "remote"), 0)
            quick = []
            for number in range(3):
                quick.append(self.timed(server, f"quick-{number}", text))
                forget(server, f"quick-{number}")
            self.assertLess(min(quick), WAIT_MS / 1000)
            self.redis.send_signal(signal.SIGCONT)

            def hit():
                cached = ask(server, "later")[1]
                forget(server, "later")
                return cached

            until(hit, lambda cached: cached == FULL * BLOCK)

    def test_a_redis_that_freezes_while_it_owes_blocks_costs_no_token_and_crosses_none(self):
        # It has said which blocks there are, not what is in them.
        with GetWatch(self.socket) as watch:
            keys = {"address": watch.address, "wait_ms": WAIT_MS}
            with harness.serving(toml(remote_tier=keys)) as server:
                text = ask_twice(server, "remote")
                forget(server, "reader")
                before = computed(server)
                watch.at_get = lambda: self.redis.send_signal(signal.SIGSTOP)
                again, cached = ask(server, "frozen")
                self.assertEqual((again, cached), (text, 0))
                self.assertEqual(watch.gets, 1)
                self.assertGreaterEqual(computed(server) - before, len(test_tiers.PROMPT))
                self.assertGreater(metric(server, "tier_blocks_failed_total", "remote"), 0)
                self.assertEqual(metric(server, "tier_blocks_read_total", "remote"), 0)
                self.redis.send_signal(signal.SIGCONT)  # and answers whom nobody listens to
                for number in range(3):
                    forget(server, "frozen" if number == 0 else f"thawed-{number - 1}")
                    again, cached = ask(server, f"thawed-{number}")
                    self.assertEqual((again, cached), (text, FULL * BLOCK))
                self.assertEqual(metric(server, "tier_hash_mismatches_total", "remote"), 0)
                self.assertGreaterEqual(metric(server, "tier_blocks_read_total", "remote"), 3 * FULL)

    def test_a_redis_killed_while_it_owes_an_answer_costs_no_token(self):
        with harness.serving(self.toml) as server:
            text = ask_twice(server, "remote")
            forget(server, "reader")
            self.redis.send_signal(signal.SIGSTOP)
            waiting = in_background(ask, server, "waits")
            until(lambda: server.request("GET", "/health")[2]["turns_running"], lambda running: running == 1)
            self.redis.kill()
            self.redis.wait()
            self.assertEqual(waiting.result(harness.WAIT_S)[0], text)
            self.assertGreater(metric(server, "tier_blocks_failed_total", "remote"), 0)
            forget(server, "waits")
            self.assertLess(self.timed(server, "next", text), 5)
            self.assertEqual([each["integrity"] for each in server.request("GET", "/health")[2]["tiers"]], ["", ""])

    def test_bytes_that_redis_spoils_are_counted_and_computed_anew(self):
        with harness.serving(self.toml) as server:
            text = ask_twice(server, "remote")
            forget(server, "reader")
            keys = self.redis_says(b"KEYS", b"*")
            self.assertGreaterEqual(len(keys), FULL)
            for key in keys:
                self.redis_says(b"SETRANGE", key, b"3000", b"spoilt")
            again, cached = ask(server, "other")
            self.assertEqual(again, text)
            self.assertEqual(cached, 0)
            self.assertGreaterEqual(metric(server, "tier_blocks_failed_total", "remote"), FULL)
            self.assertEqual(metric(server, "tier_blocks_read_total", "remote"), 0)


if __name__ == "__main__":
    unittest.main()
