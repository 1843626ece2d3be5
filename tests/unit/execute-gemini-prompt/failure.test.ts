import { strict as assert } from "node:assert";
import {
  GENERATE,
  type HttpFailure,
  httpFailure,
  redact,
  retryAfterSeconds,
} from "../../../supabase/functions/execute-gemini-prompt/failure.ts";

Deno.test("httpFailure() gives each status its code", () => {
  const table: [failure: HttpFailure, code: string][] = [
    [{ status: 400, message: "Invalid value" }, "http_4xx"],
    [{ status: 400, message: "API key expired. Please renew the API key." }, "gemini.bad_key"],
    [{ status: 400, details: [{ reason: "API_KEY_INVALID" }] }, "gemini.bad_key"],
    [{ status: 401 }, "gemini.bad_key"],
    [{ status: 403, message: "Permission denied" }, "gemini.bad_key"],
    [{ status: 403, message: "You do not have permission to access the File x" }, "http_4xx"],
    [{ status: 404 }, "gemini.model_not_found"],
    [{ status: 408 }, "timeout"],
    [{ status: 409 }, "http_4xx"],
    [{ status: 413 }, "payload_too_large"],
    [{ status: 429 }, "rate_limited"],
    [{ status: 500 }, "http_5xx"],
    [{ status: 503 }, "http_5xx"],
    [{ status: 504 }, "http_5xx"],
  ];
  for (const [failure, code] of table) {
    assert.equal(httpFailure(failure, GENERATE, "k").code, code, JSON.stringify(failure));
  }
  assert.equal(httpFailure({ status: 404 }, "files.get", "k").code, "http_4xx");
});

Deno.test("retryAfterSeconds() reads RetryInfo, then the header, then the message", () => {
  const now = Date.parse("2026-11-20T12:00:00Z");
  const table: [failure: Omit<HttpFailure, "status">, seconds: number | undefined][] = [
    [{ details: [{ links: [] }, { retryDelay: "47.2s" }], retryAfter: "5" }, 48],
    [{ details: [{ retryDelay: "0s" }] }, 0],
    [{ details: [{ retryDelay: "soon" }], retryAfter: "5" }, 5],
    [{ retryAfter: "Fri, 20 Nov 2026 12:00:30 GMT" }, 30],
    [{ retryAfter: "Fri, 20 Nov 2026 11:00:00 GMT" }, 0],
    [{ retryAfter: "whenever", message: "Please retry in 12.01s." }, 13],
    [{ retryAfter: null, message: "Quota" }, undefined],
    [{ details: [null, "x"] }, undefined],
    [{ retryAfter: "99999999999" }, 86_400 * 30],
  ];
  for (const [failure, seconds] of table) {
    assert.equal(retryAfterSeconds({ status: 429, ...failure }, now), seconds);
  }
});

Deno.test("redact() takes keys and payload out", () => {
  const secret = "my-own-key";
  assert.equal(
    redact(`Consumer 'api_key:${secret}' is suspended, AIzaSyA1234567890 too`, secret),
    "Consumer 'api_key:[key]' is suspended, [key] too",
  );
  assert.equal(
    redact("at https://x/upload?key=abc&b=1", secret),
    "at https://x/upload?key=[key]&b=1",
  );
  assert.equal(
    redact(`Bad base64 "${"QUJD".repeat(50)}" here`, secret),
    'Bad base64 "[data]" here',
  );
  assert.equal(redact(`Said "${"words ".repeat(20)}" here`, secret), 'Said "…" here');
  assert.equal(redact("word ".repeat(200), secret).length, 501);
});
