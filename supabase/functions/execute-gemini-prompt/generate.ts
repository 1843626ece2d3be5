import {
  type GenerateContentResponse,
  type GenerationConfig,
  GoogleGenerativeAI,
  GoogleGenerativeAIError,
  GoogleGenerativeAIFetchError,
  type Part,
  type SafetySetting,
} from "@google/generative-ai";
import { ExecutorError } from "../_shared/executor/error.ts";
import type { GeminiConfig } from "./config.ts";
import {
  deadlineFailure,
  GENERATE,
  type HttpFailure,
  httpFailure,
  networkFailure,
} from "./failure.ts";

/** What is asked of the model. */
export interface GeminiRequest {
  parts: Part[];
  systemInstruction?: string | undefined;
  /** Present: the answer is JSON of this form. */
  responseSchema?: Record<string, unknown> | undefined;
  responseMimeType?: string | undefined;
}

/**
 * Calls the model once, through the SDK.
 *
 * @throws {ExecutorError} for every failure, with the code that the retry policy acts on.
 */
export async function generate(
  config: GeminiConfig,
  key: string,
  request: GeminiRequest,
  signal: AbortSignal,
): Promise<GenerateContentResponse> {
  // The SDK only listens for an abort to come.
  if (signal.aborted) throw deadlineFailure(GENERATE, signal.reason);
  const model = new GoogleGenerativeAI(key).getGenerativeModel({
    model: config.model,
    generationConfig: generationConfig(config, request),
    safetySettings: config.safety_settings as SafetySetting[],
    ...(request.systemInstruction === undefined
      ? {}
      : { systemInstruction: request.systemInstruction }),
  }, { baseUrl: config.base_url, apiVersion: config.api_version });
  let retryAfter: string | null = null;
  try {
    const { response } = await withOwnFetch(
      () =>
        model.generateContent({ contents: [{ role: "user", parts: request.parts }] }, { signal }),
      (answer) => retryAfter = answer.headers.get("retry-after"),
    );
    return response;
  } catch (error) {
    throw failureOf(error, retryAfter, key, signal);
  }
}

function failureOf(
  error: unknown,
  retryAfter: string | null,
  key: string,
  signal: AbortSignal,
): ExecutorError {
  if (signal.aborted) return deadlineFailure(GENERATE, error);
  if (error instanceof GoogleGenerativeAIFetchError && error.status !== undefined) {
    const failure: HttpFailure = {
      status: error.status,
      message: wordsOfApi(error.message),
      details: Array.isArray(error.errorDetails) ? error.errorDetails : undefined,
      retryAfter,
    };
    return httpFailure(failure, GENERATE, key);
  }
  if (error instanceof SyntaxError) {
    return new ExecutorError(
      "invalid_result",
      "Gemini answered something other than JSON",
      {},
      { cause: error },
    );
  }
  if (error instanceof GoogleGenerativeAIError || error instanceof TypeError) {
    return networkFailure(GENERATE, error, signal);
  }
  return new ExecutorError("internal", "The Gemini SDK failed", {}, { cause: error });
}

/** The SDK's message is its own words, the URL, `[400 Bad Request]`, the API's words, details. */
function wordsOfApi(message: string): string {
  return message.replace(/^.*?: \[\d{3}[^\]]*\] ?/s, "").replace(/ \[\{.*$/s, "");
}

/**
 * Does two things that the SDK has no option for: it lets the answer's head be seen (the SDK's
 * errors carry no `Retry-After`), and it refuses redirects, which would take the API key along to
 * another host. The SDK takes `fetch` from the global scope before it first waits, so the global is
 * replaced within one synchronous call only, and no other task can meet the replacement.
 */
function withOwnFetch<T>(call: () => Promise<T>, see: (answer: Response) => void): Promise<T> {
  const original = globalThis.fetch;
  globalThis.fetch = async (input: URL | RequestInfo, init?: RequestInit) => {
    const answer = await original(input, { ...init, redirect: "error" });
    see(answer);
    return answer;
  };
  try {
    return call();
  } finally {
    globalThis.fetch = original;
  }
}

function generationConfig(config: GeminiConfig, request: GeminiRequest): GenerationConfig {
  const set = Object.fromEntries(
    Object.entries(camelCase(config.generation_config)).filter(([, value]) => value !== undefined),
  );
  const mimeType = request.responseMimeType ??
    (request.responseSchema === undefined ? undefined : "application/json");
  return {
    ...set,
    ...(mimeType === undefined ? {} : { responseMimeType: mimeType }),
    ...(request.responseSchema === undefined ? {} : {
      responseSchema: request.responseSchema as unknown as NonNullable<
        GenerationConfig["responseSchema"]
      >,
    }),
  };
}

function camelCase(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase()),
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? camelCase(inner as Record<string, unknown>)
        : inner,
    ]),
  );
}
