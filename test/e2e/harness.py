"""Starts the real server for a test and talks plain HTTP to it. Every wait has a deadline."""
import contextlib
import http.client
import json
import os
import pathlib
import queue
import signal
import subprocess
import tempfile
import threading
import time

SOURCE = pathlib.Path(os.environ.get("TROUPE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
SHARED = pathlib.Path(os.environ.get("TROUPE_SHARED", SOURCE.parent / "shared"))
BINARY = os.environ.get("TROUPE_BINARY", str(SOURCE / "build/release/troupe"))
BUILTIN = SOURCE / "configs/models/builtin"
STORIES = SHARED / "models/stories260K"
WAIT_S = 60


class Server:
    """`troupe serve` on a free port of the loopback address, with a data folder of its own."""

    def __init__(self, toml, folder):
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "node.toml"
        data = json.dumps(str(self.folder / "data"))
        self.config.write_text(f"[node]\ndata_dir = {data}\n" + toml)
        self.process = None
        self.port, self.scheme = None, "http"

    def start(self):
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen([BINARY, "serve", "--config", str(self.config), "--port", "0"],
                                            stdout=subprocess.PIPE, stderr=log)
        lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.process.stdout, lines), daemon=True).start()
        deadline = time.monotonic() + WAIT_S
        while self.port is None:
            try:
                line = lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"the server did not listen within {WAIT_S} s:\n{self.tail()}") from None
            if line is None:
                raise AssertionError(f"the server ended with status {self.process.wait(5)}:\n{self.tail()}")
            if "listening on http" in line:
                self.port = int(line.rsplit(":", 1)[1])
                self.scheme = line.split()[-1].split(":")[0]
        return self

    def _read(self, stream, lines):
        with stream, open(self.folder / "server.log", "ab", buffering=0) as log:
            for line in stream:
                log.write(line)
                lines.put(line.decode(errors="replace").strip())
        lines.put(None)

    def tail(self):
        return (self.folder / "server.log").read_text(errors="replace")[-4000:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_S)
        self.port = None

    def stop(self):
        """SIGTERM; returns the exit status."""
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the server did not end after SIGTERM:\n{self.tail()}") from None
        self.port = None
        return status

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def request(self, method, path, body=None, headers=None):
        """One request; returns (status, headers, parsed JSON or text)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        with contextlib.closing(connection):
            data = json.dumps(body).encode() if body is not None else None
            connection.request(method, path, data, {"content-type": "application/json", **(headers or {})})
            response = connection.getresponse()
            text = response.read().decode()
            kind = response.getheader("content-type", "")
            return response.status, dict(response.getheaders()), json.loads(text) if "json" in kind and text else text

    def stream(self, path, body, headers=None):
        """One streamed request; yields each SSE data payload as JSON, until [DONE]."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        with contextlib.closing(connection):
            connection.request("POST", path, json.dumps({**body, "stream": True}), {"content-type": "application/json", **(headers or {})})
            response = connection.getresponse()
            if response.status != 200:
                raise AssertionError(f"{response.status}: {response.read().decode()}")
            for line in response:
                if line.startswith(b"data: "):
                    if line.strip() == b"data: [DONE]":
                        return
                    yield json.loads(line[6:])
            raise AssertionError("the stream ended without [DONE]")


@contextlib.contextmanager
def serving(toml):
    with tempfile.TemporaryDirectory(prefix="troupe-test-") as folder:
        server = Server(toml, folder)
        try:
            yield server.start()
        finally:
            if server.process and server.process.poll() is None:
                server.process.kill()
                server.process.wait(WAIT_S)


def model_toml(path, extra="", worker='blocks = 512\nblock_tokens = 16\n'):
    return f'[[model]]\npath = {json.dumps(str(path))}\n{extra}\n[[worker]]\n{worker}'


def eventually(read, holds):
    """Reads until what was read holds, at most WAIT_S; returns the last reading."""
    deadline = time.monotonic() + WAIT_S
    while True:
        value = read()
        if holds(value) or time.monotonic() > deadline:
            return value
