import assert from "node:assert/strict";
import {
  isExpected,
  retryAfterSeconds,
  statusError,
} from "../../../supabase/functions/execute-http-request/status.ts";

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

Deno.test("isExpected() goes by statuses, ranges and classes", () => {
  const cases: [status: number, expected: (number | string)[], is: boolean][] = [
    [200, ["2xx"], true],
    [299, ["2xx"], true],
    [300, ["2xx"], false],
    [404, ["2xx", 404], true],
    [403, [404], false],
    [200, ["200-204"], true],
    [204, ["200-204"], true],
    [205, ["200-204"], false],
  ];
  for (const [status, expected, is] of cases) {
    assert.equal(isExpected(status, expected), is, `${status} ${expected}`);
  }
});

Deno.test("statusError() has a code that the retry policy can act on", () => {
  const cases: [status: number, code: string, retryable: boolean | undefined][] = [
    [301, "http.unexpected_status", undefined],
    [202, "http.unexpected_status", undefined],
    [400, "http_4xx", undefined],
    [404, "http_4xx", undefined],
    [408, "http_4xx", true],
    [425, "http_4xx", true],
    [429, "rate_limited", undefined],
    [500, "http_5xx", undefined],
    [503, "http_5xx", undefined],
  ];
  for (const [status, code, retryable] of cases) {
    const report = statusError(new Response("", { status }), "", "https://a.example", NOW).report();
    assert.deepEqual([report.code, report.retryable], [code, retryable], String(status));
    assert.deepEqual(report.details, { status });
    assert.equal(report.message, `https://a.example answered with the status ${status}`);
  }
});

Deno.test("statusError() passes on how long to wait", () => {
  const response = new Response("", { status: 503, headers: { "retry-after": "120" } });
  const report = statusError(response, "down for an hour", "https://a.example", NOW).report();
  assert.equal(report.retry_after_seconds, 120);
  assert.deepEqual(report.details, { status: 503, body_excerpt: "down for an hour" });
});

Deno.test("retryAfterSeconds() reads seconds and dates, and nothing else", () => {
  const cases: [header: string | null, seconds: number | undefined][] = [
    ["0", 0],
    [" 30 ", 30],
    ["Thu, 01 Jan 2026 12:01:30 GMT", 90],
    ["Thu, 01 Jan 2026 11:00:00 GMT", 0],
    ["-5", undefined],
    ["1.5", undefined],
    ["2026", 2026],
    ["2026-01-01", undefined],
    ["soon", undefined],
    ["", undefined],
    [null, undefined],
  ];
  for (const [header, seconds] of cases) {
    assert.equal(retryAfterSeconds(header, NOW), seconds, String(header));
  }
});
