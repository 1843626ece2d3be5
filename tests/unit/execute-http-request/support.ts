import assert from "node:assert/strict";
import { ExecutorError } from "../../../supabase/functions/_shared/executor/error.ts";
import { readConfig } from "../../../supabase/functions/execute-http-request/config.ts";
import {
  buildRequest,
  type HttpRequest,
} from "../../../supabase/functions/execute-http-request/request.ts";

export const VARIABLES: Record<string, string> = {
  API_TOKEN: "t0ken",
  API_PASSWORD: "pässword",
  WITH_NEWLINE: "a\nb",
  BLANK: " ",
  SIGNING: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLhSw",
};

/** The request that a task of this config and input makes. */
export async function requestOf(
  config: Record<string, unknown>,
  input: unknown = {},
  type = "http_request",
): Promise<HttpRequest> {
  return await buildRequest(
    { input, idempotency_key: "job:step:1:1" },
    readConfig({ type, config }),
    (name) => VARIABLES[name],
  );
}

/** For `assert.rejects`: an ExecutorError of this code whose message fits. */
export function failure(code: string, words: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof ExecutorError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    for (const secret of ["t0ken", "pässword"]) assert.ok(!error.message.includes(secret));
    return true;
  };
}
