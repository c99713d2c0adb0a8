// The official `openai` client from npm on the Responses protocol: text, streams, tools, sealed reasoning, what is stored, errors.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI from "openai";
import { serve } from "./server.mjs";

const question = "What is the capital of France?";
const tools = ["read_file", "list_files"].map((name) => ({
  type: "function", name, description: "d", strict: false, parameters: { type: "object", properties: {} },
}));
let server, client;

before(async () => {
  server = await serve();
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", timeout: 30_000, maxRetries: 0 });
});

after(() => server.stop());

const create = (answer, fields = {}) => client.responses.create({ model: "scripted", input: question, seed: answer, ...fields });

test("text with usage", async () => {
  const answer = await create(0);
  assert.equal(answer.output_text, "Paris is the capital of France.");
  assert.equal(answer.status, "completed");
  assert.equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
});

test("a stream joins to the response, reasoning and all", async () => {
  const stream = client.responses.stream({ model: "scripted", input: question, seed: 2 });
  let thought = "", text = "";
  for await (const event of stream) {
    if (event.type === "response.reasoning_text.delta") thought += event.delta;
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  const final = await stream.finalResponse();
  assert.equal(thought.trim(), "The file has 20 lines.");
  assert.equal(final.output_text, text);
  assert.equal(text.trim(), "It has 20 lines — résumé 🚀.");
  assert.ok(final.usage.output_tokens_details.reasoning_tokens > 3);
});

test("a tool loop that goes on from a response", async () => {
  const first = await client.responses.stream({ model: "scripted", input: question, tools, seed: 1 }).finalResponse();
  const calls = first.output.filter((item) => item.type === "function_call");
  assert.deepEqual(calls.map((call) => call.name), ["read_file", "list_files"]);
  assert.deepEqual(JSON.parse(calls[0].arguments), { path: "src/über.c", lines: [1, 20] });
  const results = calls.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: "20 lines" }));
  const next = await create(2, { input: results, tools, previous_response_id: first.id });
  assert.equal(next.output_text.trim(), "It has 20 lines — résumé 🚀.");
  const items = [];
  for await (const item of client.responses.inputItems.list(next.id, { order: "asc", limit: 2 })) items.push(item.type);
  assert.deepEqual(items, ["message", "message", "function_call", "function_call", "function_call_output", "function_call_output"]);
});

test("a history that is sent whole, with sealed reasoning", async () => {
  const first = await create(2, { store: false, include: ["reasoning.encrypted_content"] });
  assert.ok(first.output[0].encrypted_content.length > 40);
  const input = [{ role: "user", content: question }, ...first.output, { role: "user", content: "Sure?" }];
  assert.equal((await create(0, { store: false, input })).output_text, "Paris is the capital of France.");
});

test("what is stored", async () => {
  const made = await create(0);
  assert.equal((await client.responses.retrieve(made.id)).output_text, made.output_text);
  await client.responses.delete(made.id);
  await assert.rejects(client.responses.retrieve(made.id), OpenAI.NotFoundError);
  await assert.rejects(create(0, { previous_response_id: made.id }),
    (error) => error instanceof OpenAI.BadRequestError && error.code === "previous_response_not_found");
});

test("input tokens are what the response counts", async () => {
  const { input_tokens } = await client.responses.inputTokens.count({ model: "scripted", input: question });
  assert.equal(input_tokens, (await create(0)).usage.input_tokens);
});

test("errors have their classes", async () => {
  await assert.rejects(create(0, { model: "nothing-like-it" }), OpenAI.NotFoundError);
  await assert.rejects(create(0, { background: true }), (error) => error.status === 400 && error.code === "unsupported_parameter");
  await assert.rejects(create(0, { input: "word ".repeat(70_000) }), (error) => error.status === 400 && error.code === "context_length_exceeded");
});
