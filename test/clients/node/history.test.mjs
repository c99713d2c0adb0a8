// A loop of tools of seven turns, in which each client repeats what it was answered the way that it does: with reasoning, calls at once, letters of
// many scripts, answers without a text. Each later turn must find in cache all full blocks of the prompt before it and of its answer.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
import OpenAI from "openai";
import { historySeeds } from "./corpus.mjs";
import { serve } from "./server.mjs";

const blockTokens = 32, apiKey = "none", names = ["read_file", "list_files"];
const schema = { type: "object", properties: {}, additionalProperties: true };
const outputOf = (input) => `It was asked for ${JSON.stringify(input)} — 20 lines.`;
let server;

before(async () => (server = await serve()));
after(() => server.stop());

/// A system prompt that no other test has, so that nothing but its own turns is in cache.
const systemOf = (name) => `You are ${name}. ${"Look at the files before you say anything. ".repeat(12)}`;
const question = "What do the files say?";

function checkHits(usages) {
  assert.equal(usages.length, historySeeds.length);
  const missed = usages.slice(1).map(({ cached }, index) => {
    const { prompt, output } = usages[index];
    // Of the last token of an answer nothing was computed.
    return Math.max(0, Math.floor((prompt + output - 1) / blockTokens) * blockTokens - cached);
  });
  assert.deepEqual(missed, missed.map(() => 0), JSON.stringify(usages));
}

async function chatLoop(client, name, answer) {
  const messages = [{ role: "system", content: systemOf(name) }, { role: "user", content: question }], usages = [];
  const tools = names.map((name) => ({ type: "function", function: { name, description: "d", parameters: schema } }));
  for (const seed of historySeeds) {
    const { choices: [{ message }], usage } = await answer(client.chat.completions, { model: "scripted", messages, tools, seed });
    usages.push({ prompt: usage.prompt_tokens, cached: usage.prompt_tokens_details.cached_tokens, output: usage.completion_tokens });
    messages.push(message);
    for (const call of message.tool_calls ?? []) messages.push({ role: "tool", tool_call_id: call.id, content: outputOf(call.function.arguments) });
  }
  return usages;
}

async function messagesLoop(client, name, answer) {
  const messages = [{ role: "user", content: question }], usages = [];
  const tools = names.map((name) => ({ name, description: "d", input_schema: schema }));
  for (const seed of historySeeds) {
    const { content, usage } = await answer(client.messages, { model: "scripted", max_tokens: 500, system: systemOf(name), messages, tools, seed });
    const prompt = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens;
    usages.push({ prompt, cached: usage.cache_read_input_tokens, output: usage.output_tokens });
    const results = content.filter(({ type }) => type === "tool_use").map(({ id, input }) => ({ type: "tool_result", tool_use_id: id, content: outputOf(input) }));
    messages.push({ role: "assistant", content }, { role: "user", content: results });
  }
  return usages;
}

/// `goOn(response, results)` is what the next request adds to the first; the items of both are of the protocol.
async function responsesLoop(client, name, answer, fields, goOn) {
  let more = { input: [{ role: "user", content: question }] };
  const usages = [], tools = names.map((name) => ({ type: "function", name, description: "d", strict: false, parameters: schema }));
  for (const seed of historySeeds) {
    const response = await answer(client.responses, { model: "scripted", instructions: systemOf(name), tools, seed, ...fields, ...more });
    const { input_tokens, input_tokens_details, output_tokens } = response.usage;
    usages.push({ prompt: input_tokens, cached: input_tokens_details.cached_tokens, output: output_tokens });
    const calls = response.output.filter(({ type }) => type === "function_call");
    more = goOn(more, response, calls.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: outputOf(call.arguments) })));
  }
  return usages;
}

const whole = (resource, body) => resource.create(body);
const openai = () => new OpenAI({ baseURL: `${server.url}/v1`, apiKey, timeout: 30_000, maxRetries: 0 });
const anthropic = () => new Anthropic({ baseURL: server.url, apiKey, timeout: 30_000, maxRetries: 0 });
const echoed = ({ input }, { output }, results) => ({ input: [...input, ...output, ...results] });
const goneOn = (_, { id }, results) => ({ input: results, previous_response_id: id });
/// Of members that it does not know the client's helper keeps the last piece; who wants them joins them.
async function joinedChat(stream) {
  let reasoning = "";
  for await (const { choices } of stream) reasoning += choices[0]?.delta.reasoning_content ?? "";
  const completion = await stream.finalChatCompletion();
  if (reasoning !== "") completion.choices[0].message.reasoning_content = reasoning;
  return completion;
}

const finalOf = { chat: joinedChat, messages: (stream) => stream.finalMessage(), responses: (stream) => stream.finalResponse() };

for (const way of ["whole", "streamed"]) {
  const by = (kind) => (way === "whole" ? whole : (resource, body) => finalOf[kind](resource.stream({ ...body, ...(kind === "chat" && { stream_options: { include_usage: true } }) })));
  test(`openai over chat completions, ${way}`, async () => checkHits(await chatLoop(openai(), `chat-${way}`, by("chat"))));
  test(`anthropic over messages, ${way}`, async () => checkHits(await messagesLoop(anthropic(), `messages-${way}`, by("messages"))));
  const sealed = { store: false, include: ["reasoning.encrypted_content"] };
  for (const summary of [undefined, "auto"]) {
    const reasoning = summary && { summary }, told = summary ? ", with summaries" : "";
    test(`openai over responses, stateless, ${way}${told}`, async () =>
      checkHits(await responsesLoop(openai(), `stateless-${way}${told}`, by("responses"), { ...sealed, reasoning }, echoed)));
    test(`openai over responses, without a seal, ${way}${told}`, async () =>
      checkHits(await responsesLoop(openai(), `unsealed-${way}${told}`, by("responses"), { store: false, reasoning }, echoed)));
    test(`openai over responses, stored, ${way}${told}`, async () =>
      checkHits(await responsesLoop(openai(), `stored-${way}${told}`, by("responses"), { reasoning }, goneOn)));
  }
}

/// A fetch that asks for the answers of the story in turn.
function telling() {
  let turn = 0;
  return (url, options) => fetch(url, { ...options, body: JSON.stringify({ ...JSON.parse(options.body), seed: historySeeds[turn++] }) });
}

const tools = Object.fromEntries(names.map((name) => [name, tool({ description: "d", inputSchema: jsonSchema(schema), execute: outputOf })]));
const usageOf = ({ usage }) => ({ prompt: usage.inputTokens, cached: usage.inputTokenDetails.cacheReadTokens ?? 0, output: usage.outputTokens });
const responsesOptions = (more) => ({ openai: { reasoningSummary: "auto", forceReasoning: true, ...more } });
const models = {
  "openai-compatible": [(fetch) => createOpenAICompatible({ name: "troupe", baseURL: `${server.url}/v1`, includeUsage: true, fetch })("scripted")],
  anthropic: [(fetch) => createAnthropic({ baseURL: `${server.url}/v1`, apiKey, fetch })("claude-anything")],
  "openai responses": [(fetch) => createOpenAI({ baseURL: `${server.url}/v1`, apiKey, fetch }).responses("scripted"), responsesOptions()],
  "openai responses, stateless": [(fetch) => createOpenAI({ baseURL: `${server.url}/v1`, apiKey, fetch }).responses("scripted"),
    responsesOptions({ store: false, include: ["reasoning.encrypted_content"] })],
};

for (const [name, [make, providerOptions]] of Object.entries(models)) {
  for (const [way, run] of [["whole", generateText], ["streamed", streamText]]) {
    test(`the AI SDK's ${name}, ${way}`, async () => {
      const result = run({
        model: make(telling()), instructions: systemOf(`ai-${name}-${way}`), messages: [{ role: "user", content: question }], tools, maxRetries: 0, maxOutputTokens: 500,
        stopWhen: isStepCount(historySeeds.length), providerOptions,
      });
      const steps = await (await result).steps;
      checkHits(steps.map(usageOf));
      assert.match(steps.at(-1).text, /^\s*All is read: 7 files — résumé 🚀\.$/);
      assert.deepEqual(steps.map((step) => step.reasoningText?.trim().split("\n")[0] || undefined),
        ["The list first — 列表, then the rest.", undefined, "One is missing.", undefined, "Once more.", undefined, "Done."]);
    });
  }
}
