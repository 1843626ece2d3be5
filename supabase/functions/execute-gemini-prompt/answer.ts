import type { GenerateContentResponse } from "@google/generative-ai";
import { ExecutorError } from "../_shared/executor/error.ts";

/** What the model said, and what it took. */
export interface Answer {
  text: string;
  finish_reason: string;
  usage: { prompt_tokens: number; output_tokens: number; total_tokens: number };
  model: string;
}

/** Reasons that stand for a refusal: the same request would be refused again. */
const BLOCKED: readonly string[] = [
  "SAFETY",
  "RECITATION",
  "LANGUAGE",
  "BLOCKLIST",
  "PROHIBITED_CONTENT",
  "SPII",
  "IMAGE_SAFETY",
  "IMAGE_PROHIBITED_CONTENT",
  "IMAGE_RECITATION",
];
const COMPLETE: readonly string[] = ["STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED"];

/**
 * Reads the model's answer.
 *
 * @throws {ExecutorError} `gemini.blocked`, `gemini.empty`, `gemini.max_tokens` (nothing was said
 * before the limit), `invalid_result` (broken off for another reason).
 */
export function readAnswer(response: GenerateContentResponse, model: string): Answer {
  const candidate = response.candidates?.[0];
  const blockReason = response.promptFeedback?.blockReason;
  if (candidate === undefined) {
    if (blockReason !== undefined) throw blocked("the prompt", blockReason);
    throw empty("no candidates");
  }
  const reason: string = candidate.finishReason ?? "FINISH_REASON_UNSPECIFIED";
  if (BLOCKED.includes(reason)) throw blocked("its answer", reason);
  const text = (candidate.content?.parts ?? [])
    // Thoughts of the model are marked in newer versions of the API than the SDK's types know.
    .filter((part) => (part as { thought?: boolean }).thought !== true)
    .map((part) => part.text ?? "").join("");
  if (text.trim() === "") {
    if (reason === "MAX_TOKENS") throw maxTokens();
    throw empty(`no text (finish reason ${reason})`);
  }
  if (!COMPLETE.includes(reason)) {
    throw new ExecutorError(
      "invalid_result",
      `Gemini broke off its answer: ${reason}`,
      { details: { reason } },
    );
  }
  return {
    text,
    finish_reason: reason,
    usage: usageOf(response),
    model: versionOf(response, model),
  };
}

/**
 * Reads an answer that was asked for as JSON; a Markdown fence around it is forgiven.
 *
 * @throws {ExecutorError} `gemini.max_tokens` when it was cut off, else `invalid_result`.
 */
export function readJson({ text, finish_reason }: Answer): unknown {
  const bare = /^\s*```(?:json)?\s*([\s\S]*?)\s*```\s*$/i.exec(text)?.[1] ??
    text;
  try {
    return JSON.parse(bare);
  } catch {
    // The parser's message would quote the answer.
    if (finish_reason === "MAX_TOKENS") throw maxTokens();
    throw new ExecutorError("invalid_result", "Gemini's answer is not the JSON it was asked for");
  }
}

function blocked(what: string, reason: string): ExecutorError {
  return new ExecutorError(
    "gemini.blocked",
    `Gemini blocked ${what}: ${reason}`,
    { details: { reason } },
  );
}

function empty(what: string): ExecutorError {
  return new ExecutorError("gemini.empty", `Gemini answered with ${what}`, { retryable: true });
}

function maxTokens(): ExecutorError {
  return new ExecutorError(
    "gemini.max_tokens",
    "Gemini's answer was cut off by its token limit: raise generation_config.max_output_tokens or ask for less",
  );
}

function usageOf({ usageMetadata }: GenerateContentResponse): Answer["usage"] {
  const output = usageMetadata?.candidatesTokenCount ?? 0;
  // Billed as output, and counted in the total.
  const thoughts = (usageMetadata as { thoughtsTokenCount?: number } | undefined)
    ?.thoughtsTokenCount ?? 0;
  return {
    prompt_tokens: usageMetadata?.promptTokenCount ?? 0,
    output_tokens: output + thoughts,
    total_tokens: usageMetadata?.totalTokenCount ?? 0,
  };
}

function versionOf(response: GenerateContentResponse, model: string): string {
  const { modelVersion } = response as { modelVersion?: unknown };
  return typeof modelVersion === "string" ? modelVersion : model;
}
