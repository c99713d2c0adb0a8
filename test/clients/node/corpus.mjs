// The corpus of scripted generations, and each as a request of each protocol: `kinds` names the schemas of its answers (schemas.mjs), whole and
// streamed, `brokenOff` what the last event of a stream says of a failure, and what it should. `whole` and `stream` make of an answer what
// the client was given, alike for all protocols: {text, reasoning, calls, finish, output_tokens, ...}.
import { readFileSync } from "node:fs";

const read = (name) => JSON.parse(readFileSync(`${process.env.TROUPE_CLIENTS}/${name}`, "utf8"));
const answersBefore = read("answers.json").length;

export const corpus = read("corpus.json");
corpus.cases.forEach((each, index) => (each.seed = answersBefore + index));
/// Which answers of the script make the long conversation, in its order.
export const historySeeds = corpus.history.map((_, index) => answersBefore + corpus.cases.length + index);
export const caseNamed = (name) => corpus.cases.find((each) => each.name === name);
export const answerOf = ({ answer, answer_repeated }) => answer ?? answer_repeated.text.repeat(answer_repeated.times);

/// What a call was given, once read; the text itself when it was cut off.
function argumentsIn(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/// The parameters of a tool of the corpus, the same for all protocols.
export const parameters = { type: "object", properties: { path: { type: "string" } } };
const described = (name) => ({ name, description: "A tool." });
const withoutEmpty = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

export const chat = {
  vendor: "openai", kinds: ["chat", "chat_chunk"], said: "messages", bound: "max_tokens",
  brokenOff: ({ error }) => [error.code, "deadline_exceeded"],
  path: "/v1/chat/completions",
  body: ({ request, seed }) => withoutEmpty({
    model: "scripted", seed, max_tokens: request.max_tokens ?? 500, stop: request.stop,
    messages: [...(request.system ? [{ role: "system", content: request.system }] : []), ...request.messages.map(chatMessage)],
    tools: request.tools?.map((name) => ({ type: "function", function: { ...described(name), parameters } })),
  }),
  streamed: { stream: true, stream_options: { include_usage: true } },
  whole({ choices, usage }) {
    const [{ message, finish_reason }] = choices;
    return chatView(message.content ?? "", message.reasoning_content ?? "", message.tool_calls ?? [], finish_reason, usage);
  },
  stream(chunks) {
    let text = "", reasoning = "", finish, usage;
    const calls = [];
    for (const { choices, usage: counted } of chunks) {
      usage = counted ?? usage;
      if (choices.length === 0) continue;
      const [{ delta, finish_reason }] = choices;
      text += delta.content ?? "";
      reasoning += delta.reasoning_content ?? "";
      finish = finish_reason ?? finish;
      for (const { index, ...piece } of delta.tool_calls ?? []) {
        calls[index] ??= { id: piece.id, function: { name: piece.function.name, arguments: "" } };
        calls[index].function.arguments += piece.function.arguments;
      }
    }
    return chatView(text, reasoning, calls, finish, usage);
  },
};

function chatMessage({ role, text, calls, call }) {
  if (role === "tool") return { role, tool_call_id: call, content: text };
  const made = calls?.map(({ id, name, arguments: given }) => ({ id, type: "function", function: { name, arguments: JSON.stringify(given) } }));
  return withoutEmpty({ role, content: text, tool_calls: made });
}

function chatView(text, reasoning, calls, finish, usage) {
  return {
    text, reasoning, calls: calls.map((call) => ({ name: call.function.name, arguments: argumentsIn(call.function.arguments) })), finish: { tool_calls: "calls" }[finish] ?? finish,
    ...(usage && { input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens, reasoning_tokens: usage.completion_tokens_details.reasoning_tokens }),
  };
}

export const messages = {
  vendor: "anthropic", kinds: ["message", "message_event"], said: "messages", bound: "max_tokens",
  brokenOff: ({ error }) => [error.type, "timeout_error"],
  path: "/v1/messages",
  body: ({ request, seed }) => withoutEmpty({
    model: "scripted", seed, max_tokens: request.max_tokens ?? 500, stop_sequences: request.stop, system: request.system,
    messages: request.messages.map(messagesMessage),
    tools: request.tools?.map((name) => ({ ...described(name), input_schema: parameters })),
  }),
  streamed: { stream: true },
  whole: ({ content, ...end }) => messagesView(content.map((block) => ({ ...block, json: JSON.stringify(block.input) })), end, end.usage),
  stream(events) {
    const blocks = [];
    let end, usage;
    for (const event of events) {
      if (event.type === "content_block_start") blocks[event.index] = { ...event.content_block, json: "" };
      if (event.type === "content_block_delta") addDelta(blocks[event.index], event.delta);
      if (event.type === "message_delta") ({ delta: end, usage } = event);
    }
    for (const block of blocks) if (block.json === "") block.json = "{}";
    return messagesView(blocks, end, usage);
  },
};

function messagesMessage({ role, text, calls, call }) {
  if (role === "tool") return { role: "user", content: [{ type: "tool_result", tool_use_id: call, content: text }] };
  if (!calls) return { role, content: text };
  return { role, content: [{ type: "text", text }, ...calls.map(({ id, name, arguments: input }) => ({ type: "tool_use", id, name, input }))] };
}

function addDelta(block, delta) {
  if (delta.type === "text_delta") block.text += delta.text;
  if (delta.type === "thinking_delta") block.thinking += delta.thinking;
  if (delta.type === "signature_delta") block.signature = delta.signature;
  if (delta.type === "input_json_delta") block.json += delta.partial_json;
}

function messagesView(blocks, { stop_reason, stop_sequence }, usage) {
  const joined = (type, key) => blocks.filter((block) => block.type === type).map((block) => block[key]).join("");
  const finish = { end_turn: "stop", stop_sequence: "stop", max_tokens: "length", tool_use: "calls" }[stop_reason] ?? stop_reason;
  return {
    text: joined("text", "text"), reasoning: joined("thinking", "thinking"),
    calls: blocks.filter((block) => block.type === "tool_use").map(({ name, json }) => ({ name, arguments: argumentsIn(json) })), finish,
    ...(stop_sequence !== null && { stopped_by: stop_sequence }),
    input_tokens: usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
    output_tokens: usage.output_tokens, reasoning_tokens: usage.output_tokens_details.thinking_tokens,
  };
}

export const responses = {
  vendor: "openai", kinds: ["response", "response_event"], said: "input", bound: "max_output_tokens",
  brokenOff: ({ type }) => [type, "response.failed"],
  path: "/v1/responses",
  lacks: ({ stop }) => stop !== undefined,
  body: ({ request, seed }) => withoutEmpty({
    model: "scripted", seed, max_output_tokens: request.max_tokens ?? 500, instructions: request.system, store: false,
    input: request.messages.flatMap(responsesItems),
    tools: request.tools?.map((name) => ({ type: "function", ...described(name), parameters, strict: false })),
  }),
  streamed: { stream: true },
  whole(response) {
    const parts = response.output.flatMap(({ type, content, summary }) => (type === "function_call" ? [] : [...(summary ?? []), ...(content ?? [])]));
    const joined = (...types) => parts.filter((part) => types.includes(part.type)).map((part) => part.text).join("");
    return responsesView(joined("output_text"), joined("reasoning_text", "summary_text"), response.output.filter(({ type }) => type === "function_call"), response);
  },
  stream(events) {
    const told = (type) => events.filter((event) => event.type === type);
    const calls = told("response.output_item.added").filter(({ item }) => item.type === "function_call").map(({ item, output_index }) => ({
      name: item.name, arguments: told("response.function_call_arguments.delta").filter((event) => event.output_index === output_index).map(({ delta }) => delta).join(""),
    }));
    const joined = (...types) => types.flatMap(told).map(({ delta }) => delta).join("");
    const reasoning = joined("response.reasoning_text.delta", "response.reasoning_summary_text.delta");
    return responsesView(joined("response.output_text.delta"), reasoning, calls, events.at(-1).response);
  },
};

function responsesItems({ role, text, calls = [], call }) {
  if (role === "tool") return [{ type: "function_call_output", call_id: call, output: text }];
  const made = calls.map(({ id, name, arguments: given }) => ({ type: "function_call", call_id: id, name, arguments: JSON.stringify(given) }));
  return [{ role, content: text }, ...made];
}

function responsesView(text, reasoning, calls, { status, incomplete_details, usage }) {
  const finish = { max_output_tokens: "length" }[incomplete_details?.reason] ?? (calls.length > 0 ? "calls" : "stop");
  return {
    text, reasoning, calls: calls.map((call) => ({ name: call.name, arguments: argumentsIn(call.arguments) })), finish: status === "failed" ? status : finish,
    input_tokens: usage.input_tokens, output_tokens: usage.output_tokens, reasoning_tokens: usage.output_tokens_details.reasoning_tokens,
  };
}
