// Starts the server of serve-for-clients.py for one file of tests.
import { spawn } from "node:child_process";

export async function serve() {
  const server = spawn("/usr/bin/python3", ["serve-for-clients.py"], { stdio: ["pipe", "pipe", "inherit"] });
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

/// Waits until no turn runs any more, at most 10 s; answers how many do.
export async function turnsRunning(url) {
  const deadline = Date.now() + 10_000;
  let running;
  do running = (await (await fetch(`${url}/health`)).json()).turns_running;
  while (running !== 0 && Date.now() < deadline);
  return running;
}
