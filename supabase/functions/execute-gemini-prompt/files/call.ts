import { ExecutorError } from "../../_shared/executor/error.ts";
import type { GeminiConfig } from "../config.ts";
import { httpFailure, networkFailure } from "../failure.ts";

/** What every call of the Files API needs. */
export interface FilesContext {
  config: GeminiConfig;
  key: string;
  signal: AbortSignal;
}

/**
 * Makes one call of the Files API.
 *
 * @param what what is asked for, as errors call it.
 * @throws {ExecutorError} for every failure.
 */
export async function callFiles(
  { key, signal }: FilesContext,
  what: string,
  url: string,
  init: RequestInit,
): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, { ...init, signal, redirect: "error" });
  } catch (error) {
    throw networkFailure(what, error, signal);
  }
  if (answer.ok) return answer;
  const retryAfter = answer.headers.get("retry-after");
  const said = await errorOf(answer);
  throw httpFailure({ status: answer.status, retryAfter, ...said }, what, key);
}

async function errorOf(answer: Response): Promise<{ message?: string; details?: unknown[] }> {
  try {
    const { error } = await answer.json() as {
      error?: { message?: unknown; details?: unknown };
    };
    return {
      ...(typeof error?.message === "string" ? { message: error.message } : {}),
      ...(Array.isArray(error?.details) ? { details: error.details } : {}),
    };
  } catch {
    return {}; // Not JSON, or cut off: the status says enough.
  }
}

/**
 * Reads an answer's JSON.
 *
 * @throws {ExecutorError} `invalid_result` when it is none.
 */
export async function readJson(answer: Response): Promise<unknown> {
  try {
    return await answer.json();
  } catch (error) {
    throw new ExecutorError(
      "invalid_result",
      "Gemini's Files API answered no JSON",
      {},
      { cause: error },
    );
  }
}
