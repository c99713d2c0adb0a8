"""Many clients that say little: what they cost the real program, and that others are served beside them."""
import contextlib
import resource
import socket
import unittest

import harness

CONNECTIONS_MAX = 1024


def dial(server, data=b""):
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=harness.WAIT_S)
    connection.sendall(data)
    return connection


def resident_bytes(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


class Crowds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 4096:
            raise unittest.SkipTest("too few file descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))

    def test_one_connection_too_many_takes_the_place_of_the_oldest_that_says_nothing(self):
        with harness.serving(harness.model_toml(harness.BUILTIN)) as server, contextlib.ExitStack() as stack:
            crowd = [stack.enter_context(dial(server)) for _ in range(CONNECTIONS_MAX)]
            late = stack.enter_context(dial(server))
            self.assertEqual(crowd[0].recv(1), b"")
            for connection in (crowd[1], crowd[-1], late):
                connection.sendall(b"GET /live HTTP/1.1\r\nhost: localhost\r\n\r\n")
                self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 200 "))

    def test_stalled_uploads_cost_what_they_sent_and_no_more(self):
        uploads, sent = 500, 64 << 10
        begin = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 60000000\r\n\r\n"
        with harness.serving(harness.model_toml(harness.BUILTIN)) as server, contextlib.ExitStack() as stack:
            self.assertEqual(server.request("GET", "/health")[0], 200)
            before = resident_bytes(server)
            for _ in range(uploads):
                connection = stack.enter_context(dial(server, begin))
                self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 100 "))
                connection.sendall(b" " * sent)
            # Served behind everything that was sent: one thread reads all of it.
            self.assertEqual(server.request("GET", "/health")[0], 200)
            grown = harness.eventually(lambda: resident_bytes(server) - before, lambda bytes: bytes > uploads * sent)
            # A string that grows may hold twice its bytes, and a connection has a buffer beside it.
            self.assertLess(grown, uploads * (2 * sent + (96 << 10)))
            answer = server.request("POST", "/v1/completions", {"prompt": "a", "max_tokens": 1})
            self.assertEqual(answer[0], 200)


if __name__ == "__main__":
    unittest.main()
