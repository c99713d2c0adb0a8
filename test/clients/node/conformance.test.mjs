// Every answer to a corpus of requests, whole and streamed, held against what the vendors publish and against the server's own document;
// and the same generation told by each protocol gives the same text, reasoning, calls and usage.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answerOf, caseNamed, chat, corpus, messages } from "./corpus.mjs";
import { ownValidator, vendorValidator } from "./schemas.mjs";
import { serve } from "./server.mjs";
import { send } from "./wire.mjs";

const protocols = { chat: { ...chat, vendor: "openai", kinds: ["chat", "chat_chunk"] }, messages: { ...messages, vendor: "anthropic", kinds: ["message", "message_event"] } };
const vendors = { openai: vendorValidator("openai"), anthropic: vendorValidator("anthropic") };
let server, own;

before(async () => {
  server = await serve();
  own = ownValidator((await send(server.url, "/openapi.json", undefined, {}, "GET")).json);
});

after(() => server.stop());

/// Sends a request and holds its answer against both documents; answers what the client saw.
async function ask(protocol, body) {
  const { status, json, events } = await send(server.url, protocol.path, body);
  assert.equal(status, 200, JSON.stringify(json));
  const [whole, piece] = protocol.kinds, check = vendors[protocol.vendor], path = `post ${protocol.path} 200`;
  if (!body.stream) {
    assert.deepEqual([...check(whole, json), ...own(path, json)], []);
    return { ...protocol.whole(json), raw: json };
  }
  for (const event of events) assert.deepEqual([...check(piece, event), ...own(`${path} text/event-stream`, event)], []);
  return { ...protocol.stream(events), raw: events };
}

function holds(view, { name, expect, ...given }) {
  const { cut_call, calls = [], text, reasoning, ...rest } = expect;
  for (const [key, value] of Object.entries(rest)) if (key in view || key !== "stopped_by") assert.deepEqual(view[key], value, `${name}: ${key}`);
  if (text !== undefined) assert.equal(view.text.trim(), text);
  if (reasoning !== undefined) assert.equal(view.reasoning.trim(), reasoning);
  if (given.answer_repeated) assert.equal(view.text.trim(), answerOf(given).trim());
  if (!cut_call) assert.deepEqual(view.calls, calls);
}

for (const each of corpus.cases) {
  test(`the same by all protocols: ${each.name}`, async () => {
    const views = [];
    for (const protocol of Object.values(protocols)) {
      for (const more of [{}, protocol.streamed]) {
        const { raw, stopped_by, ...view } = await ask(protocol, { ...protocol.body(each), ...more });
        holds({ ...view, ...(stopped_by && { stopped_by }) }, each);
        // Of a call that was cut off, a whole answer in objects cannot tell what a stream told.
        views.push(each.expect.cut_call ? { ...view, calls: view.calls.map((call) => call.name) } : view);
      }
    }
    for (const view of views) assert.deepEqual(view, views[0]);
  });
}

for (const { name, protocol, case: of, fields, usage, logprobs } of corpus.variants) {
  test(name, async () => {
    const each = caseNamed(of);
    const { raw, ...view } = await ask(protocols[protocol], { ...protocols[protocol].body(each), ...fields });
    holds(view, each);
    if (usage === false) assert.ok(raw.every((chunk) => !("usage" in chunk)));
    if (!logprobs) return;
    const choices = [raw].flat().flatMap((chunk) => chunk.choices);
    const tokens = choices.flatMap((choice) => choice.logprobs?.content ?? []);
    // What closes the last call belongs to no piece of the answer.
    assert.equal(Buffer.from(tokens.flatMap((token) => token.bytes)).toString(), answerOf(each).replace(/\n<\/tool_call>$/, ""));
  });
}

for (const { name, body } of corpus.plain) {
  test(`${name}, whole and streamed`, async () => {
    const fields = { model: "scripted", seed: 0, max_tokens: 30, ...body };
    const whole = (await send(server.url, "/v1/completions", fields)).json;
    const { events } = await send(server.url, "/v1/completions", { ...fields, stream: true, stream_options: { include_usage: true } });
    const path = "post /v1/completions 200";
    assert.deepEqual([...vendors.openai("completion", whole), ...own(path, whole)], []);
    for (const event of events) assert.deepEqual(own(`${path} text/event-stream`, event), []);
    for (const event of events.filter((event) => event.choices[0]?.finish_reason)) assert.deepEqual(vendors.openai("completion", event), []);
    assert.equal(events.map((event) => event.choices[0]?.text ?? "").join(""), whole.choices[0].text);
    assert.equal(events.at(-1).usage.completion_tokens, whole.usage.completion_tokens);
  });
}

for (const { name, raw, fields, headers, long_prompt, whole_only, status, code, type } of corpus.errors) {
  for (const [of, protocol] of Object.entries(protocols)) {
    for (const more of whole_only ? [{}] : [{}, { stream: true }]) {
      test(`${of}: refused${more.stream ? " before its stream" : ""}: ${name}`, async () => {
        const body = { ...protocol.body(caseNamed(long_prompt ? "a short text" : "a long text")), ...fields, ...more };
        if (long_prompt) body.messages = [{ role: "user", content: "word ".repeat(70_000) }];
        const answer = await send(server.url, protocol.path, raw ?? body, headers);
        assert.equal(answer.status, status);
        assert.deepEqual([...vendors[protocol.vendor]("error", answer.json), ...own(`post ${protocol.path} default`, answer.json)], []);
        if (of === "messages") assert.equal(answer.json.error.type, type);
        else assert.equal(answer.json.error.code, code);
        assert.ok(answer.json.error.message.length > 0);
      });
    }
  }
}

for (const [of, { path, vendor, kinds, ...protocol }] of Object.entries(protocols)) {
  test(`${of}: a deadline that passes in the middle of a stream is its last event`, async () => {
    const body = { ...protocol.body(caseNamed("a long text")), max_tokens: 20_000, ignore_eos: true, stream: true };
    const { status, events } = await send(server.url, path, body, { "x-request-timeout-ms": "150" });
    assert.equal(status, 200);
    const error = events.at(-1);
    assert.deepEqual([...vendors[vendor]("error", error), ...own(`post ${path} 200 text/event-stream`, error)], []);
    assert.equal(error.error.code ?? error.error.type, of === "chat" ? "deadline_exceeded" : "timeout_error");
    assert.ok(events.length > 2);
  });
}

test("counts of tokens", async () => {
  for (const each of corpus.cases) {
    const body = messages.body(each);
    const { json } = await send(server.url, "/v1/messages/count_tokens", body);
    assert.deepEqual([...vendors.anthropic("count", json), ...own("post /v1/messages/count_tokens 200", json)], []);
    const { input_tokens } = await ask(protocols.messages, { ...body, max_tokens: 1 });
    assert.equal(json.input_tokens, input_tokens);
  }
});

test("models, listed and alone", async () => {
  for (const [vendor, headers] of [["openai", {}], ["anthropic", { "anthropic-version": "2026-10-21" }]]) {
    const list = (await send(server.url, "/v1/models", undefined, headers, "GET")).json;
    const alone = (await send(server.url, "/v1/models/claude-anything", undefined, headers, "GET")).json;
    assert.deepEqual([...vendors[vendor]("models", list), ...own("get /v1/models 200", list)], []);
    assert.deepEqual([...vendors[vendor]("model", alone), ...own("get /v1/models/{model} 200", alone)], []);
    const missing = await send(server.url, "/v1/models/nothing-like-it", undefined, headers, "GET");
    assert.equal(missing.status, 404);
    assert.deepEqual([...vendors[vendor]("error", missing.json), ...own("get /v1/models/{model} 404", missing.json)], []);
  }
});
