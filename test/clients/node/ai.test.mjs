// The Vercel AI SDK (npm `ai`) over chat completions, by two of its providers, and over messages.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { aiSuite } from "./ai-suite.mjs";

const apiKey = "none";
aiSuite("openai-compatible", ({ url, fetch }) => createOpenAICompatible({ name: "troupe", baseURL: `${url}/v1`, includeUsage: true, fetch })("scripted"));
aiSuite("openai-chat", ({ url, fetch }) => createOpenAI({ baseURL: `${url}/v1`, apiKey, fetch }).chat("scripted"), { reasons: false });
aiSuite("anthropic", ({ url, fetch }) => createAnthropic({ baseURL: `${url}/v1`, apiKey, fetch })("claude-anything"));
