// Every answer to the corpus, whole and streamed, held against what the vendors publish and against the server's own document; and the same
// generation told by each protocol gives the same text, reasoning, calls and usage.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answerOf, caseNamed, corpus } from "./corpus.mjs";
import { ownValidator, vendorValidator } from "./schemas.mjs";
import { serve } from "./server.mjs";
import { send } from "./wire.mjs";

export const vendors = { openai: vendorValidator("openai"), anthropic: vendorValidator("anthropic") };
export let server, own;

before(async () => {
  server = await serve();
  own = ownValidator((await send(server.url, "/openapi.json", undefined, {}, "GET")).json);
});

after(() => server.stop());

/// Sends a request and holds its answer against both documents; answers what the client saw.
export async function ask(protocol, body) {
  assert.deepEqual(own(`post ${protocol.path} request`, body), []);
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

/// `protocols` by name; those that cannot say what a case asks for are left out of it.
export function sameByAll(protocols) {
  for (const each of corpus.cases) {
    test(`the same by all protocols: ${each.name}`, async () => {
      const views = [];
      for (const protocol of Object.values(protocols).filter(({ lacks }) => !lacks?.(each.request))) {
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
}

export function variants(protocols) {
  for (const { name, protocol, case: of, fields, usage, logprobs } of corpus.variants.filter((each) => each.protocol in protocols)) {
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
}

export function refusals(protocols) {
  for (const { name, raw, fields, headers, long_prompt, whole_only, status, code, type } of corpus.errors) {
    for (const [of, protocol] of Object.entries(protocols)) {
      for (const more of whole_only ? [{}] : [{}, { stream: true }]) {
        test(`${of}: refused${more.stream ? " before its stream" : ""}: ${name}`, async () => {
          const body = { ...protocol.body(caseNamed(long_prompt ? "a short text" : "a long text")), ...fields, ...more };
          if (long_prompt) body[protocol.said] = [{ role: "user", content: "word ".repeat(70_000) }];
          const answer = await send(server.url, protocol.path, raw ?? body, headers);
          assert.equal(answer.status, status);
          assert.deepEqual([...vendors[protocol.vendor]("error", answer.json), ...own(`post ${protocol.path} default`, answer.json)], []);
          if (protocol.vendor === "anthropic") assert.equal(answer.json.error.type, type);
          else assert.equal(answer.json.error.code, code);
          assert.ok(answer.json.error.message.length > 0);
        });
      }
    }
  }

  for (const [of, { path, vendor, kinds, bound, brokenOff, ...protocol }] of Object.entries(protocols)) {
    test(`${of}: a deadline that passes in the middle of a stream is its last event`, async () => {
      const body = { ...protocol.body(caseNamed("a long text")), [bound]: 20_000, ignore_eos: true, stream: true };
      const { status, events } = await send(server.url, path, body, { "x-request-timeout-ms": "700" });
      assert.equal(status, 200);
      const last = events.at(-1), kind = "error" in last ? "error" : kinds[1];
      assert.deepEqual([...vendors[vendor](kind, last), ...own(`post ${path} 200 text/event-stream`, last)], []);
      assert.equal(...brokenOff(last));
      assert.ok(events.length > 2);
    });
  }
}
