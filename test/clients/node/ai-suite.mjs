// What the Vercel AI SDK must get through any of its providers: text, streams, tool loops, reasoning, usage, errors, retries, cancellation.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { APICallError, generateText, isStepCount, streamText, tool } from "ai";
import { z } from "zod";
import { oneTurnAtOnce, serve, turnsBegun, turnsRunning } from "./server.mjs";

const question = [{ role: "user", content: "What is the capital of France?" }];
const answers = JSON.parse(readFileSync(`${process.env.TROUPE_CLIENTS}/answers.json`, "utf8"));
const [paris, calls, after_calls] = answers.keys();

/// A fetch that asks for scripted answers in turn (not every provider can send a seed) and keeps the status of each attempt.
function scripted(seeds, more = {}) {
  const statuses = [];
  const send = async (url, options) => {
    const seed = seeds[Math.min(statuses.filter((status) => status === 200).length, seeds.length - 1)];
    const response = await fetch(url, { ...options, body: JSON.stringify({ ...JSON.parse(options.body), seed, ...more }) });
    statuses.push(response.status);
    return response;
  };
  return { send, statuses };
}

/// `make({url, fetch})` is a provider's model; a provider may leave out reasoning, of which its vendor's protocol knows nothing, or which has to be asked for.
export function aiSuite(name, make, { reasons = true, providerOptions } = {}) {
  let server;
  before(async () => (server = await serve(oneTurnAtOnce)));
  after(() => server.stop());

  const fields = (seeds, { more, ...rest } = {}) => {
    const { send, statuses } = scripted(seeds, more);
    return { statuses, options: { model: make({ url: server.url, fetch: send }), messages: question, maxRetries: 0, providerOptions, ...rest } };
  };
  const generate = (seeds, more) => generateText(fields(seeds, more).options);
  const tools = {
    read_file: tool({ description: "d", inputSchema: z.object({ path: z.string(), lines: z.array(z.number()) }), execute: ({ path }) => `${path} has 20 lines` }),
    list_files: tool({ description: "d", inputSchema: z.object({}), execute: () => "nothing" }),
  };

  test(`${name}: a text with usage`, async () => {
    const { text, finishReason, usage } = await generate([paris]);
    assert.deepEqual([text, finishReason], ["Paris is the capital of France.", "stop"]);
    assert.ok(usage.inputTokens > 5 && usage.outputTokens > 3);
    assert.equal(usage.totalTokens, usage.inputTokens + usage.outputTokens);
    assert.equal(usage.outputTokenDetails.reasoningTokens ?? 0, 0);
  });

  test(`${name}: a stream with the same usage`, async () => {
    const whole = await generate([paris]);
    const stream = streamText(fields([paris]).options);
    const pieces = [];
    for await (const piece of stream.textStream) pieces.push(piece);
    assert.ok(pieces.length > 3);
    assert.equal(pieces.join(""), whole.text);
    assert.equal(await stream.finishReason, "stop");
    assert.equal((await stream.usage).inputTokens, whole.usage.inputTokens);
    assert.equal((await stream.usage).outputTokens, whole.usage.outputTokens);
  });

  test(`${name}: an answer that is cut at its length`, async () => {
    assert.equal((await generate([paris], { maxOutputTokens: 2 })).finishReason, "length");
  });

  test(`${name}: a loop of tools, with reasoning at its end`, async () => {
    const { steps, text, reasoningText, usage } = await generate([calls, after_calls], { tools, stopWhen: isStepCount(4) });
    assert.equal(steps.length, 2);
    assert.equal(steps[0].finishReason, "tool-calls");
    assert.equal(steps[0].text.trim(), "I will look.");
    assert.deepEqual(steps[0].toolCalls.map(({ toolName, input }) => [toolName, input]), [["read_file", { path: "src/über.c", lines: [1, 20] }], ["list_files", {}]]);
    assert.deepEqual(steps[0].toolResults.map(({ output }) => output), ["src/über.c has 20 lines", "nothing"]);
    assert.equal(text.trim(), "It has 20 lines — résumé 🚀.");
    assert.equal(reasoningText?.trim(), reasons ? "The file has 20 lines." : undefined);
    assert.ok(usage.outputTokens > 20);
    assert.ok(steps[1].usage.inputTokenDetails.cacheReadTokens > 64);
  });

  test(`${name}: a streamed loop of tools`, async () => {
    const parts = [];
    const stream = streamText({ ...fields([calls, after_calls]).options, tools, stopWhen: isStepCount(4) });
    for await (const part of stream.fullStream) parts.push(part);
    const inputs = new Map();
    for (const { type, id, delta } of parts) if (type === "tool-input-delta") inputs.set(id, (inputs.get(id) ?? "") + delta);
    assert.deepEqual([...inputs.values()].map((text) => JSON.parse(text)).at(0), { path: "src/über.c", lines: [1, 20] });
    const told = (type) => parts.filter((part) => part.type === type).map((part) => part.text ?? "").join("");
    assert.equal(told("reasoning-delta").trim(), reasons ? "The file has 20 lines." : "");
    assert.equal(told("text-delta").replace("I will look.", "").trim(), "It has 20 lines — résumé 🚀.");
    assert.deepEqual(parts.filter((part) => part.type === "finish-step").map((part) => part.finishReason), ["tool-calls", "stop"]);
    assert.deepEqual(parts.filter((part) => part.type === "error"), []);
  });

  test(`${name}: a second turn reads from the cache`, async () => {
    const headers = { "x-session-id": `cached-${name}` };
    const system = "You are careful. ".repeat(60);
    const first = await generate([paris], { headers, instructions: system });
    const messages = [...question, ...first.response.messages, { role: "user", content: "And of Spain?" }];
    const { inputTokenDetails, inputTokens } = (await generate([paris], { headers, instructions: system, messages })).usage;
    assert.ok(inputTokenDetails.cacheReadTokens >= Math.floor(first.usage.inputTokens / 32) * 32);
    assert.equal(inputTokenDetails.noCacheTokens, inputTokens - inputTokenDetails.cacheReadTokens - (inputTokenDetails.cacheWriteTokens ?? 0));
  });

  test(`${name}: errors have their status and are not tried again`, async () => {
    const fails = (status, pattern, more) => assert.rejects(generate([paris], more), (error) => {
      assert.ok(APICallError.isInstance(error), String(error));
      assert.deepEqual([error.statusCode, error.isRetryable], [status, false]);
      return pattern.test(error.message);
    });
    await fails(404, /'nothing-like-it' is not served here/, { more: { model: "nothing-like-it" } });
    await fails(400, /tokens/, { messages: [{ role: "user", content: "word ".repeat(70_000) }] });
    await fails(400, /temperature/, { more: { temperature: "hot" } });
  });

  test(`${name}: what is refused for now is tried again after the wait that the server names`, async () => {
    const headers = { "x-session-id": `busy-${name}` }, aborted = new AbortController();
    const running = fields([paris], { headers, abortSignal: aborted.signal, maxOutputTokens: 5000, more: { ignore_eos: true }, onError: () => {} });
    const stream = streamText(running.options);
    for await (const _ of stream.textStream) break;
    const { options, statuses } = fields([paris], { headers, maxRetries: 2 });
    const waiting = generateText(options), begin = Date.now();
    while (statuses.length === 0 && Date.now() < begin + 10_000) await new Promise((resolve) => setImmediate(resolve));
    const refused = Date.now();
    aborted.abort();
    assert.equal((await waiting).text, "Paris is the capital of France.");
    assert.ok(Date.now() - refused > 900);
    assert.ok([429, 529].includes(statuses[0]));
    assert.equal(statuses.at(-1), 200);
    assert.equal(await turnsRunning(server.url), 0);
  });

  for (const [what, run] of [["a stream", streamText], ["a whole answer", generateText]]) {
    test(`${name}: aborting ${what} ends its turn`, async () => {
      const aborted = new AbortController();
      const { options } = fields([paris], { abortSignal: aborted.signal, maxOutputTokens: 5000, more: { ignore_eos: true }, onError: () => {} });
      const result = run(options);
      const ended = run === generateText ? assert.rejects(result, /abort/i) : result.consumeStream();
      assert.equal(await turnsBegun(server.url), 1);
      aborted.abort();
      await ended;
      assert.equal(await turnsRunning(server.url), 0);
    });
  }
}
