// Starts the server of serve-for-clients.py for one file of tests, and asks it what it does.
import { spawn } from "node:child_process";

/// `more` is TOML for a server with bounds of its own.
export async function serve(more = "") {
  const server = spawn("/usr/bin/python3", [`${process.env.TROUPE_CLIENTS}/serve-for-clients.py`, more], { stdio: ["pipe", "pipe", "inherit"] });
  const url = await new Promise((resolve, reject) => {
    server.stdout.once("data", (data) => resolve(data.toString().trim()));
    server.once("exit", (code) => reject(new Error(`the server ended with status ${code}`)));
  });
  const stop = () => new Promise((resolve) => {
    server.once("exit", resolve);
    server.stdin.end();
  });
  return { url, stop };
}

/// What a server is told so that a second turn of a session is refused for now.
export const oneTurnAtOnce = "[session]\nturns_per_session_max = 1\n";

/// A fetch that keeps the status of each attempt and calls `afterRefusal` when one was refused.
export function watched(afterRefusal) {
  const statuses = [];
  const send = async (...request) => {
    const response = await fetch(...request);
    statuses.push(response.status);
    if (!response.ok) afterRefusal();
    return response;
  };
  return { send, statuses };
}

/// Reads until what was read holds, at most 10 s; answers the last reading.
export async function eventually(read, holds) {
  const deadline = Date.now() + 10_000;
  let value;
  do value = await read();
  while (!holds(value) && Date.now() < deadline);
  return value;
}

const runningOn = async (url) => (await (await fetch(`${url}/health`)).json()).turns_running;

/// Waits until no turn runs any more, at most 10 s; answers how many do.
export const turnsRunning = (url) => eventually(() => runningOn(url), (running) => running === 0);

/// Waits until some turn runs, at most 10 s; answers how many do.
export const turnsBegun = (url) => eventually(() => runningOn(url), (running) => running > 0);
