"""Serves the built-in model on a worker with scripted answers, prints the address, and ends when standard input closes.

Its argument, if there is one, is TOML that goes on after the worker's table.
"""
import sys

import harness
from scripted import script_toml, script_of_corpus

if __name__ == "__main__":
    with script_of_corpus() as script, harness.serving(script_toml(script, *sys.argv[1:])) as server:
        print(server.url, flush=True)
        sys.stdin.read()
        sys.exit(server.stop())
