"""Stands between a harness and the server, and says by each request's `seed` which scripted answer it gets; passes all else on as it is.

Harnesses send no seed, and their turns can be told apart only by what is in them.
"""
import contextlib
import http.client
import http.server
import json
import threading

WAIT_S = 60
# Of one connection each.
NOT_PASSED_ON = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}


class Seen:
    """A request as the harness sent it, and the bytes of its answer."""

    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body
        self.status, self.answer = None, b""

    @property
    def session(self):
        return self.headers.get("x-session-id") or self.headers.get("thread-id")

    @property
    def parent(self):
        return self.headers.get("x-parent-session-id") or self.headers.get("x-codex-parent-thread-id")

    @property
    def offers_tools(self):
        return bool(self.body.get("tools"))

    @property
    def results(self):
        """How many results of tools it carries, in any protocol."""
        said = self.body.get("messages") or self.body.get("input") or []
        parts = [part for each in said if isinstance(each.get("content"), list) for part in each["content"]]
        return (sum(each.get("role") == "tool" or each.get("type") == "function_call_output" for each in said)
                + sum(part.get("type") == "tool_result" for part in parts))

    @property
    def usage(self):
        """(prompt, cached, output) tokens, as its answer says at its end."""
        lines = [line[6:] for line in self.answer.decode().splitlines() if line.startswith("data: {")]
        counted = [event.get("usage") or event.get("response", {}).get("usage") for event in map(json.loads, lines)]
        last = [usage for usage in counted if usage][-1]
        if "prompt_tokens" in last:
            return last["prompt_tokens"], last["prompt_tokens_details"]["cached_tokens"], last["completion_tokens"]
        if "cache_read_input_tokens" in last:
            cached = last["cache_read_input_tokens"]
            return last["input_tokens"] + last["cache_creation_input_tokens"] + cached, cached, last["output_tokens"]
        return last["input_tokens"], last["input_tokens_details"]["cached_tokens"], last["output_tokens"]


class Relay:
    def __init__(self, server_port, choose):
        """`choose(seen)` is the number of the answer that a request gets; it may take its time."""
        self.seen = []
        self._choose = choose
        self._server_port = server_port
        self._changed = threading.Condition()
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = WAIT_S

            def do_GET(self):
                relay._pass_on(self, None)

            def do_POST(self):
                relay._pass_on(self, self.rfile.read(int(self.headers["content-length"])))

            def log_message(self, *_):
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._http.server_address[1]

    def wait_for(self, is_it, seconds):
        """Until a request with a body `is_it`, or so many seconds have passed."""
        with self._changed:
            self._changed.wait_for(lambda: any(seen.body and is_it(seen) for seen in self.seen), seconds)

    def _pass_on(self, handler, data):
        headers = {name.lower(): value for name, value in handler.headers.items() if name.lower() not in NOT_PASSED_ON}
        seen = Seen(handler.path, headers, json.loads(data) if data else None)
        with self._changed:
            self.seen.append(seen)
            self._changed.notify_all()
        body = json.dumps({**seen.body, "seed": self._choose(seen)}).encode() if data else None
        connection = http.client.HTTPConnection("127.0.0.1", self._server_port, timeout=WAIT_S)
        with contextlib.closing(connection):
            connection.request(handler.command, handler.path, body, headers)
            response = connection.getresponse()
            seen.status = response.status
            handler.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in NOT_PASSED_ON:
                    handler.send_header(name, value)
            handler.send_header("transfer-encoding", "chunked")
            handler.end_headers()
            with contextlib.suppress(ConnectionError):  # who has its last event may go
                while piece := response.read1(65536):
                    with self._changed:
                        seen.answer += piece
                        self._changed.notify_all()
                    handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    handler.wfile.flush()
                handler.wfile.write(b"0\r\n\r\n")

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()
