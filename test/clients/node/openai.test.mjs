// The official `openai` client from npm: chat, streaming, tools, reasoning, usage, errors, retries, models, cancellation.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI from "openai";
import { oneTurnAtOnce, serve, turnsBegun, turnsRunning, watched } from "./server.mjs";

const question = [{ role: "user", content: "What is the capital of France?" }];
const tools = ["read_file", "list_files"].map((name) => ({
  type: "function",
  function: { name, description: "d", parameters: { type: "object", properties: {} } },
}));
let server, client;

before(async () => {
  server = await serve(oneTurnAtOnce);
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", timeout: 30_000, maxRetries: 0 });
});

after(() => server.stop());

const create = (answer, fields = {}, options = {}) =>
  client.chat.completions.create({ model: "scripted", messages: question, seed: answer, ...fields }, options);

test("chat with usage", async () => {
  const answer = await create(0);
  assert.equal(answer.choices[0].message.content, "Paris is the capital of France.");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test("a stream with usage", async () => {
  let text = "", usage;
  for await (const chunk of await create(0, { stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, "Paris is the capital of France.");
  assert.ok(usage.completion_tokens > 3);
});

test("streamed tool calls and the turn after", async () => {
  const { choices } = await client.chat.completions.stream({ model: "scripted", messages: question, tools, seed: 1 }).finalChatCompletion();
  const message = choices[0].message;
  assert.equal(choices[0].finish_reason, "tool_calls");
  assert.deepEqual(message.tool_calls.map((call) => call.function.name), ["read_file", "list_files"]);
  assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { path: "src/über.c", lines: [1, 20] });
  const results = message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "20 lines" }));
  const next = await create(2, { messages: [...question, message, ...results], tools });
  assert.equal(next.choices[0].message.content.trim(), "It has 20 lines — résumé 🚀.");
});

test("streamed reasoning is apart from the text", async () => {
  const whole = (await create(2)).choices[0].message;
  assert.equal(whole.reasoning_content.trim(), "The file has 20 lines.");
  const told = { content: "", reasoning_content: "" };
  for await (const { choices } of await create(2, { stream: true })) for (const key of Object.keys(told)) told[key] += choices[0].delta[key] ?? "";
  assert.deepEqual(told, { content: whole.content, reasoning_content: whole.reasoning_content });
});

test("the second turn of a session is cached", async () => {
  const headers = { "x-session-id": "node-client" }, system = { role: "system", content: "You are careful. ".repeat(60) };
  const { choices, usage } = await create(0, { messages: [system, ...question] }, { headers });
  const next = await create(0, { messages: [system, ...question, choices[0].message, { role: "user", content: "And of Spain?" }] }, { headers });
  assert.ok(next.usage.prompt_tokens_details.cached_tokens >= Math.floor(usage.prompt_tokens / 32) * 32);
});

test("what is refused for now is tried again", async () => {
  const headers = { "x-session-id": "busy" };
  const running = await create(0, { stream: true, max_tokens: 5000, ignore_eos: true }, { headers });
  await assert.rejects(create(0, {}, { headers }), (error) => error instanceof OpenAI.RateLimitError && error.headers.get("retry-after") === "1");
  const { send, statuses } = watched(() => running.controller.abort());
  const patient = client.withOptions({ maxRetries: 3, fetch: send });
  const answer = await patient.chat.completions.create({ model: "scripted", messages: question, seed: 0 }, { headers });
  assert.equal(answer.choices[0].message.content, "Paris is the capital of France.");
  assert.deepEqual([statuses[0], statuses.at(-1)], [429, 200]);
});

test("models", async () => {
  assert.deepEqual((await client.models.list()).data.map((model) => model.id), ["scripted"]);
  assert.equal((await client.models.retrieve("gpt-anything")).id, "scripted");
});

test("errors have their classes", async () => {
  await assert.rejects(create(0, { model: "nothing-like-it" }), OpenAI.NotFoundError);
  await assert.rejects(create(0, { n: 2 }), (error) => error instanceof OpenAI.BadRequestError && error.code === "unsupported_parameter");
  await assert.rejects(create(0, { messages: [{ role: "user", content: "word ".repeat(70_000) }] }),
    (error) => error instanceof OpenAI.BadRequestError && error.code === "context_length_exceeded");
});

test("a disconnect ends the turn", async () => {
  const stream = await create(0, { stream: true, max_tokens: 5000, ignore_eos: true });
  for await (const _ of stream) break;
  assert.equal(await turnsRunning(server.url), 0);
});

test("aborting a whole answer ends its turn", async () => {
  const aborted = new AbortController();
  const ended = assert.rejects(create(0, { max_tokens: 20_000, ignore_eos: true }, { signal: aborted.signal }), OpenAI.APIUserAbortError);
  assert.equal(await turnsBegun(server.url), 1);
  aborted.abort();
  await ended;
  assert.equal(await turnsRunning(server.url), 0);
});
