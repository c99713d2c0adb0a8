// Who is turned away, and for what: keys that are unknown or may not, idempotency keys that name another turn. Each answer is held against what
// the vendor of its shape publishes of errors, and against the server's own document.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { caseNamed, chat, messages, responses } from "./corpus.mjs";
import { ownValidator, vendorValidator } from "./schemas.mjs";
import { serve } from "./server.mjs";
import { send } from "./wire.mjs";

const protocols = { chat, messages, responses };
const vendors = { openai: vendorValidator("openai"), anthropic: vendorValidator("anthropic") };
const keys = { plain: "a-key-of-acme", admin: "a-key-of-an-administrator" };
const bearer = (key) => ({ authorization: `Bearer ${key}` });
const anthropicVersion = { "anthropic-version": "2023-06-01" };
const keyToml = Object.entries(keys).map(([name, key]) =>
  `[[key]]\nname = "${name}"\nhash = "${createHash("sha256").update(key).digest("hex")}"\ntenant = "acme"\nadmin = ${name === "admin"}\n`);
let server, own;

before(async () => {
  server = await serve(`[[tenant]]\nname = "acme"\n${keyToml.join("")}`);
  own = ownValidator((await send(server.url, "/openapi.json", undefined, {}, "GET")).json);
});

after(() => server.stop());

/// The error of an answer that must be refused with `status`, as its vendor and the document want it.
async function refusedBy(vendor, kind, status, ...request) {
  const { status: got, json } = await send(server.url, ...request);
  assert.equal(got, status, JSON.stringify(json));
  assert.deepEqual([...vendors[vendor]("error", json), ...own(`${kind} ${status}`, json)], []);
  return json.error;
}

for (const [name, protocol] of Object.entries(protocols)) {
  const { path, vendor } = protocol, kind = `post ${path}`;
  const body = protocol.body(caseNamed("a short text"));

  test(`${name}: no key and an unknown key`, async () => {
    for (const headers of [{}, bearer("nobody's"), { "x-api-key": "nobody's" }]) {
      const error = await refusedBy(vendor, kind, 401, path, body, headers);
      assert.equal(error.type, "authentication_error");
      if (vendor === "openai") assert.equal(error.code, "unauthenticated");
    }
    const { status } = await send(server.url, path, body, { "x-api-key": keys.plain });
    assert.equal(status, 200);
  });

  test(`${name}: an idempotency key that names another turn, and one that names none`, async () => {
    const headers = { ...bearer(keys.plain), "idempotency-key": `key-of-${name}` };
    const first = await send(server.url, path, body, headers);
    const again = await send(server.url, path, body, headers);
    assert.deepEqual([again.json, again.headers.get("idempotent-replayed")], [first.json, "true"]);
    const mismatch = await refusedBy(vendor, kind, 422, path, { ...body, seed: 1 }, headers);
    assert.equal(mismatch.type, vendor === "openai" ? "idempotency_error" : "invalid_request_error");
    const unknown = await refusedBy(vendor, kind, 404, path, { ...body, stream: true }, { ...headers, "idempotency-key": "nobody's", "last-event-id": "3" });
    assert.equal(unknown.type, vendor === "openai" ? "invalid_request_error" : "not_found_error");
  });
}

test("what is for administrators is refused to others, in both shapes", async () => {
  for (const [method, path, body] of [["GET", "/health"], ["GET", "/metrics"], ["POST", "/v1/kv_hints", { protocol_version: "0.1", message_id: "m", actions: [] }]]) {
    const kind = `${method.toLowerCase()} ${path}`;
    const error = await refusedBy("openai", kind, 403, path, body, bearer(keys.plain), method);
    assert.deepEqual([error.type, error.code], ["permission_error", "permission_denied"]);
    assert.equal((await refusedBy("anthropic", kind, 403, path, body, { "x-api-key": keys.plain, ...anthropicVersion }, method)).type, "permission_error");
    assert.equal((await refusedBy("openai", kind, 401, path, body, {}, method)).code, "unauthenticated");
    assert.equal((await send(server.url, path, body, bearer(keys.admin), method)).status, 200);
  }
});

test("who has no administrator's key learns of the state alone, and sees sessions of its tenant", async () => {
  const ready = await send(server.url, "/ready", undefined, {}, "GET");
  assert.deepEqual([ready.json, own("get /ready 200", ready.json)], [{ status: "ready" }, []]);
  await send(server.url, chat.path, chat.body(caseNamed("a short text")), { ...bearer(keys.plain), "x-session-id": "mine" });
  const { json } = await send(server.url, "/v1/sessions/mine", undefined, bearer(keys.plain), "GET");
  assert.deepEqual([json.id, json.tenant, own("get /v1/sessions/{id} 200", json)], ["mine", "acme", []]);
});

test("the vendors' clients have their classes for it", async () => {
  const openai = (apiKey) => new OpenAI({ baseURL: `${server.url}/v1`, apiKey, maxRetries: 0 });
  const anthropic = (apiKey) => new Anthropic({ baseURL: server.url, apiKey, maxRetries: 0 });
  const said = [{ role: "user", content: "Hi" }];
  await assert.rejects(openai("nobody's").chat.completions.create({ model: "scripted", messages: said }), OpenAI.AuthenticationError);
  await assert.rejects(openai("nobody's").responses.create({ model: "scripted", input: "Hi" }), OpenAI.AuthenticationError);
  await assert.rejects(anthropic("nobody's").messages.create({ model: "scripted", max_tokens: 5, messages: said }), Anthropic.AuthenticationError);
  assert.equal((await openai(keys.plain).responses.create({ model: "scripted", input: "Hi", seed: 0 })).output_text, "Paris is the capital of France.");
  assert.equal((await anthropic(keys.plain).messages.create({ model: "scripted", max_tokens: 50, seed: 0, messages: said })).content[0].text, "Paris is the capital of France.");
});
