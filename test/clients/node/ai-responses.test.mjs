// The Vercel AI SDK (npm `ai`) over the Responses protocol, which its OpenAI provider speaks unless told otherwise. Of reasoning that provider
// tells summaries only.
import { createOpenAI } from "@ai-sdk/openai";
import { aiSuite } from "./ai-suite.mjs";

aiSuite("openai-responses", ({ url, fetch }) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "none", fetch }).responses("scripted"), { reasons: false });
