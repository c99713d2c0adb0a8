// What the control surface answers, held against the server's own document: sessions, events, health, tokens, and what is refused.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { caseNamed, chat, messages, responses } from "./corpus.mjs";
import { ownValidator } from "./schemas.mjs";
import { eventually, serve } from "./server.mjs";
import { send } from "./wire.mjs";

let server, own;

before(async () => {
  server = await serve();
  own = ownValidator((await send(server.url, "/openapi.json", undefined, {}, "GET")).json);
});

after(() => server.stop());

/// Asks and holds the answer against what `path` documents for its status; answers its JSON.
async function ask(method, path, wanted, { at = path, body, headers } = {}) {
  const { status, json } = await send(server.url, at, body, headers, method.toUpperCase());
  assert.equal(status, wanted, JSON.stringify(json));
  if (body && status < 400) assert.deepEqual(own(`${method} ${path} request`, body), []);
  assert.deepEqual(own(`${method} ${path} ${status}`, json), []);
  return json;
}

test("a session's life", async () => {
  const lead = await ask("post", "/v1/sessions", 200, { body: { id: "lead" } });
  assert.deepEqual([lead.state, lead.parent, lead.turns], ["idle", null, 0]);
  const child = await ask("post", "/v1/sessions", 200, { body: { id: "child", parent: "lead", agent_hints: { sched: { priority: 1 } } } });
  assert.equal(child.parent, "lead");
  await send(server.url, chat.path, chat.body(caseNamed("three calls at once")), { "x-session-id": "lead" });
  const paused = await eventually(() => ask("get", "/v1/sessions/{id}", 200, { at: "/v1/sessions/lead" }), ({ state }) => state !== "generating");
  assert.deepEqual([paused.state, paused.children, paused.turns], ["tool_paused", 1, 1]);
  assert.deepEqual(paused.paused_on, ["read_file", "list_files", "read_file"]);
  assert.equal((await ask("get", "/v1/sessions", 200)).data.length, 2);
  const gone = await ask("delete", "/v1/sessions/{id}", 200, { at: "/v1/sessions/lead" });
  assert.equal(gone.outcome, "accepted");
  const dead = await ask("get", "/v1/sessions", 200, { at: "/v1/sessions?dead=true&limit=10" });
  assert.deepEqual(dead.data.map((each) => each.state), ["dead", "dead"]);
  assert.equal((await ask("delete", "/v1/sessions/{id}", 409, { at: "/v1/sessions/lead" })).error.code, "session_dead");
});

test("each verb", async () => {
  await ask("post", "/v1/sessions", 200, { body: { id: "told" } });
  await send(server.url, chat.path, chat.body(caseNamed("a long text")), { "x-session-id": "told" });
  const verbs = ["tool_pause", "resume", "pin", "retain", "demote", "prefetch", "compact", "release", "die"];
  const path = "/v1/sessions/{id}/events", at = "/v1/sessions/told/events";
  for (const verb of verbs) {
    const outcome = await ask("post", path, 200, { at, body: { id: `e-${verb}`, verb, expect_ms: 10, tools: ["read_file"], ttl_ms: 1000, priority: 50 } });
    assert.equal(outcome.id, `e-${verb}`);
    assert.notEqual(outcome.outcome, "missing");
  }
  assert.equal((await ask("post", path, 409, { at, body: { id: "late", verb: "resume" } })).outcome, "missing");
  assert.equal((await ask("post", path, 400, { at, body: { id: "e", verb: "sing" } })).error.param, "verb");
  assert.equal((await ask("get", "/v1/sessions/{id}", 404, { at: "/v1/sessions/nobody" })).error.code, "not_found");
});

test("the node's state", async () => {
  const health = await ask("get", "/health", 200);
  assert.deepEqual([health.status, health.workers.length, health.tiers.length], ["ready", 1, 1]);
  await ask("get", "/ready", 200);
  assert.deepEqual(await ask("get", "/live", 200), { status: "live" });
  assert.match((await send(server.url, "/metrics", undefined, {}, "GET")).text, /^# HELP /);
});

test("a response's life", async () => {
  const path = "/v1/responses/{id}", body = { model: "scripted", seed: 2, input: "How long is it?", reasoning: { summary: "auto" }, agent_hints: { echo: true } };
  const { id, output, agent_hints, prompt_cache_diagnostics } = await ask("post", "/v1/responses", 200, { body: { ...body, prompt_cache_options: { comparison_response_id: "resp_x" } } });
  assert.deepEqual([output[0].summary[0].text.trim(), output[0].content], ["The file has 20 lines.", undefined]);
  assert.deepEqual([agent_hints.cache_miss, prompt_cache_diagnostics], [null, { cache_miss: null }]);
  assert.equal((await ask("get", path, 200, { at: `/v1/responses/${id}` })).id, id);
  const more = { ...body, input: [{ role: "user", content: "Sure?" }], previous_response_id: id, store: true };
  const next = await ask("post", "/v1/responses", 200, { body: more });
  const items = await ask("get", `${path}/input_items`, 200, { at: `/v1/responses/${next.id}/input_items?order=asc&limit=3` });
  assert.deepEqual([items.data.map(({ type }) => type), items.has_more], [["message", "reasoning", "message"], true]);
  const { input_tokens } = await ask("post", "/v1/responses/input_tokens", 200, { body: { model: "scripted", input: more.input, previous_response_id: id } });
  assert.equal(input_tokens, next.usage.input_tokens);
  assert.equal((await ask("post", `${path}/cancel`, 400, { at: `/v1/responses/${id}/cancel` })).error.param, "response_id");
  assert.equal((await ask("delete", path, 200, { at: `/v1/responses/${id}` })).deleted, true);
  assert.equal((await ask("get", path, 404, { at: `/v1/responses/${id}` })).error.code, "not_found");
  assert.equal((await ask("post", "/v1/responses", 400, { body: more })).error.code, "previous_response_not_found");
});

test("hints are told back by each protocol, whole and streamed", async () => {
  for (const protocol of [chat, messages, responses]) {
    const body = { ...protocol.body(caseNamed("a short text")), agent_hints: { echo: true, sched: { priority: 101 }, pause: { expect_ms: "long" } } };
    for (const more of [{}, protocol.streamed]) {
      const { status, json, events } = await send(server.url, protocol.path, { ...body, agent_hints: { ...body.agent_hints, pause: {} }, ...more });
      assert.equal(status, 200, JSON.stringify(json));
      const kind = `post ${protocol.path} 200`;
      if (json) assert.deepEqual(own(kind, json), []);
      for (const event of events ?? []) assert.deepEqual(own(`${kind} text/event-stream`, event), []);
      const told = [json ?? events.map((event) => event.response ?? event)].flat().map(({ agent_hints }) => agent_hints).filter(Boolean);
      assert.deepEqual(told.map(({ clipped }) => clipped), [{ "sched.priority": { asked: 101, given: 100 } }]);
    }
    assert.equal((await ask("post", protocol.path, 400, { body })).error.type, "invalid_request_error");
  }
});

test("what a router tells", async () => {
  const actions = ["pin", "sing"].map((action_type) => ({ action_id: action_type, action_type, action_version: 1, payload: { session: "told-by-router", ttl_ms: 1000 } }));
  await ask("post", "/v1/sessions", 200, { body: { id: "told-by-router" } });
  const { outcomes } = await ask("post", "/v1/kv_hints", 200, { body: { protocol_version: "0.1", message_id: "m1", actions } });
  assert.deepEqual(outcomes.map(({ action_id, outcome }) => [action_id, outcome]), [["pin", "deferred"], ["sing", "rejected"]]);
  assert.equal((await ask("post", "/v1/kv_hints", 400, { body: {} })).error.param, "message_id");
});

test("tokens and text", async () => {
  const { tokens, count } = await ask("post", "/tokenize", 200, { body: { prompt: "Grüße, 世界", add_special_tokens: false } });
  assert.equal(count, tokens.length);
  assert.deepEqual(await ask("post", "/detokenize", 200, { body: { tokens } }), { prompt: "Grüße, 世界" });
  assert.equal((await ask("post", "/tokenize", 400, { body: {} })).error.param, "prompt");
  assert.equal((await ask("post", "/detokenize", 400, { body: { tokens: [-1] } })).error.param, "tokens[0]");
});

test("what is not served is refused in the shape that the client reads", async () => {
  const missing = await send(server.url, "/v1/nothing", undefined, {}, "GET");
  assert.deepEqual([missing.status, missing.json.error.code], [404, "not_found"]);
  const wrong = await send(server.url, "/v1/messages", undefined, {}, "GET");
  assert.deepEqual([wrong.status, wrong.headers.get("allow"), wrong.json.error.type], [405, "POST", "invalid_request_error"]);
  assert.deepEqual(own("post /v1/messages 405", wrong.json), []);
});
