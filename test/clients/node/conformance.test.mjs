// Chat completions and messages as the vendors publish them, with completions, counts, models and what is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, own, refusals, sameByAll, server, variants, vendors } from "./conformance-suite.mjs";
import { chat, corpus, messages } from "./corpus.mjs";
import { send } from "./wire.mjs";

const protocols = { chat, messages };
sameByAll(protocols);
variants(protocols);
refusals(protocols);

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

test("counts of tokens", async () => {
  for (const each of corpus.cases) {
    const body = messages.body(each);
    const { json } = await send(server.url, "/v1/messages/count_tokens", body);
    assert.deepEqual([...vendors.anthropic("count", json), ...own("post /v1/messages/count_tokens 200", json)], []);
    const { input_tokens } = await ask(messages, { ...body, max_tokens: 1 });
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
