// The Vercel AI SDK (npm `ai`) over the Responses protocol, which its OpenAI provider speaks unless told otherwise. Of reasoning that provider
// tells summaries only, and asks for them when it is told to.
import { createOpenAI } from "@ai-sdk/openai";
import { aiSuite } from "./ai-suite.mjs";

const make = ({ url, fetch }) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "none", fetch }).responses("scripted");
aiSuite("openai-responses", make, { reasons: false });
aiSuite("openai-responses-summaries", make, { providerOptions: { openai: { reasoningSummary: "auto", forceReasoning: true } } });
