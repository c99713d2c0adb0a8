// Requests as bytes and answers as JSON, without any client between; what frames of a stream must look like is checked here.
import assert from "node:assert/strict";

export async function send(url, path, body, headers = {}, method = "POST") {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(url + path, { method, headers: { "content-type": "application/json", ...headers }, ...(body !== undefined && { body: text }) });
  const kind = response.headers.get("content-type");
  const answer = await response.text();
  if (kind.startsWith("application/json")) return { status: response.status, headers: response.headers, json: JSON.parse(answer) };
  if (kind.startsWith("text/event-stream")) return { status: response.status, headers: response.headers, events: eventsIn(answer) };
  return { status: response.status, headers: response.headers, text: answer };
}

/// The data of each frame. A name of a frame is its data's type; `[DONE]` can only come last.
export function eventsIn(text) {
  assert.ok(text.endsWith("\n\n"), "a stream ends with a whole frame");
  const frames = text.split("\n\n").filter((frame) => frame !== "" && !frame.startsWith(":"));
  const events = [];
  frames.forEach((frame, index) => {
    const lines = frame.split("\n");
    const named = lines.find((line) => line.startsWith("event: "))?.slice(7);
    const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
    assert.deepEqual(lines.filter((line) => !/^(event|data|id): /.test(line)), []);
    if (data === "[DONE]") return assert.equal(index, frames.length - 1);
    const event = JSON.parse(data);
    assert.equal(named, named === undefined ? undefined : event.type);
    events.push(event);
  });
  return events;
}
