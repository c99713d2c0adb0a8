// The official `@anthropic-ai/sdk` client from npm: messages, streaming, tools, thinking, usage, errors, retries, counts, models, cancellation.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { oneTurnAtOnce, serve, turnsBegun, turnsRunning, watched } from "./server.mjs";

const question = [{ role: "user", content: "What is the capital of France?" }];
const tools = ["read_file", "list_files"].map((name) => ({ name, description: "d", input_schema: { type: "object", properties: {} } }));
let server, client;

before(async () => {
  server = await serve(oneTurnAtOnce);
  client = new Anthropic({ baseURL: server.url, apiKey: "none", timeout: 30_000, maxRetries: 0 });
});

after(() => server.stop());

const fields = (answer, more = {}) => ({ model: "claude-anything", max_tokens: 200, messages: question, seed: answer, ...more });
const create = (answer, more, options) => client.messages.create(fields(answer, more), options);

test("a message with usage", async () => {
  const answer = await create(0);
  assert.deepEqual(answer.content.map((block) => block.text), ["Paris is the capital of France."]);
  assert.equal(answer.stop_reason, "end_turn");
  assert.equal(answer.model, "claude-anything");
  assert.ok(answer.usage.input_tokens > 5);
  assert.ok(answer.usage.output_tokens > 3);
});

test("a stream has its input at the start and its whole usage at the end", async () => {
  const events = [];
  for await (const event of await create(0, { stream: true })) events.push(event);
  assert.equal(events[0].type, "message_start");
  assert.equal(events[0].message.usage.output_tokens, 0);
  const end = events.find((event) => event.type === "message_delta");
  assert.equal(end.usage.input_tokens, events[0].message.usage.input_tokens);
  assert.ok(end.usage.output_tokens > 3);
  assert.equal(events.at(-1).type, "message_stop");
  assert.equal(events.map((event) => event.delta?.text ?? "").join(""), "Paris is the capital of France.");
});

test("streamed tool calls, and thinking in the turn after", async () => {
  const message = await client.messages.stream(fields(1, { tools })).finalMessage();
  assert.equal(message.stop_reason, "tool_use");
  assert.equal(message.content[0].text.trim(), "I will look.");
  const calls = message.content.filter((block) => block.type === "tool_use");
  assert.deepEqual(calls.map((call) => call.name), ["read_file", "list_files"]);
  assert.deepEqual(calls.map((call) => call.input), [{ path: "src/über.c", lines: [1, 20] }, {}]);
  const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: "20 lines" }));
  const history = [...question, { role: "assistant", content: message.content }, { role: "user", content: results }];
  const next = await client.messages.stream(fields(2, { messages: history, tools })).finalMessage();
  assert.deepEqual(next.content.map((block) => block.type), ["thinking", "text"]);
  assert.equal(next.content[0].thinking.trim(), "The file has 20 lines.");
  assert.notEqual(next.content[0].signature, "");
  assert.equal(next.content[1].text.trim(), "It has 20 lines — résumé 🚀.");
});

test("a count is what a turn then has", async () => {
  const { input_tokens } = await client.messages.countTokens({ model: "claude-anything", messages: question, tools });
  const { usage } = await create(0, { tools });
  assert.equal(input_tokens, usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens);
});

test("the second turn of a session is cached", async () => {
  const headers = { "x-claude-code-session-id": "node-client" }, system = "You are careful. ".repeat(60);
  const total = ({ usage }) => usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens;
  const first = await create(0, { system }, { headers });
  const messages = [...question, { role: "assistant", content: first.content }, { role: "user", content: "And of Spain?" }];
  const next = await create(0, { system, messages }, { headers });
  assert.ok(next.usage.cache_read_input_tokens >= Math.floor(total(first) / 32) * 32);
  assert.ok(next.usage.input_tokens > 0);
});

test("what is refused for now is tried again", async () => {
  const headers = { "x-session-id": "busy" };
  const running = await create(0, { stream: true, max_tokens: 5000, ignore_eos: true }, { headers });
  const overloaded = (error) => error.status === 529 && error.error.error.type === "overloaded_error" && error.headers.get("retry-after") === "1";
  await assert.rejects(create(0, {}, { headers }), overloaded);
  const { send, statuses } = watched(() => running.controller.abort());
  const patient = client.withOptions({ maxRetries: 3, fetch: send });
  const answer = await patient.messages.create(fields(0), { headers });
  assert.equal(answer.content[0].text, "Paris is the capital of France.");
  assert.deepEqual([statuses[0], statuses.at(-1)], [529, 200]);
});

test("models", async () => {
  assert.deepEqual((await client.models.list({ limit: 1000 })).data.map((model) => model.id), ["scripted"]);
  assert.equal((await client.models.retrieve("claude-anything")).id, "scripted");
});

test("errors have their classes", async () => {
  await assert.rejects(create(0, { model: "nothing-like-it" }),
    (error) => error instanceof Anthropic.NotFoundError && error.error.error.type === "not_found_error" && error.requestID === error.error.request_id);
  await assert.rejects(create(0, { tool_choice: { type: "any" } }), Anthropic.BadRequestError);
  await assert.rejects(create(0, { messages: [{ role: "user", content: "word ".repeat(70_000) }] }),
    (error) => error instanceof Anthropic.BadRequestError && /prompt is too long: \d+ tokens > \d+ maximum/.test(error.message));
  await assert.rejects(client.models.retrieve("nothing-like-it"), Anthropic.NotFoundError);
});

test("a disconnect ends the turn", async () => {
  const stream = await create(0, { stream: true, max_tokens: 5000, ignore_eos: true });
  for await (const _ of stream) break;
  assert.equal(await turnsRunning(server.url), 0);
});

test("aborting a whole answer ends its turn", async () => {
  const aborted = new AbortController();
  const ended = assert.rejects(create(0, { max_tokens: 20_000, ignore_eos: true }, { signal: aborted.signal }), Anthropic.APIUserAbortError);
  assert.equal(await turnsBegun(server.url), 1);
  aborted.abort();
  await ended;
  assert.equal(await turnsRunning(server.url), 0);
});
