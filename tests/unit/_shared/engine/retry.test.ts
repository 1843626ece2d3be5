import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type ErrorInfo,
  errorInfo,
} from "../../../../supabase/functions/_shared/contracts/errors.ts";
import {
  backoffSeconds,
  decideRetry,
  DEFAULT_RETRY_POLICY,
  resolveRetryPolicy,
  type RetryPolicy,
} from "../../../../supabase/functions/_shared/engine/retry.ts";

const timeout = errorInfo("timeout", "too slow");
const mapping = errorInfo("mapping_failed", "nothing there");

function policyWith(patch: Partial<RetryPolicy>): RetryPolicy {
  return { ...DEFAULT_RETRY_POLICY, jitter: "none", ...patch };
}

function decide(
  { policy = {}, error = timeout, retriesUsed = 0, random = 0.5 }: {
    policy?: Partial<RetryPolicy>;
    error?: ErrorInfo;
    retriesUsed?: number;
    random?: number;
  },
) {
  return decideRetry({ policy: policyWith(policy), error, retriesUsed, random });
}

Deno.test("resolveRetryPolicy() gives the defaults where nobody says anything", () => {
  assert.deepEqual(resolveRetryPolicy({}), { ...DEFAULT_RETRY_POLICY, retry_on: undefined });
  assert.deepEqual(
    resolveRetryPolicy({ step: null, definition: null, transformer: null, job_max_retries: null }),
    { ...DEFAULT_RETRY_POLICY, retry_on: undefined },
  );
});

Deno.test("resolveRetryPolicy() takes each field from the innermost place that has it", () => {
  const policy = resolveRetryPolicy({
    step: { strategy: "fixed", base_delay_seconds: 0, retry_on: [] },
    definition: { strategy: "linear", multiplier: 3, retry_on: ["*"], max_retries: 0 },
    transformer: { strategy: "linear", jitter: "none", multiplier: 4, never_retry_on: ["timeout"] },
    job_max_retries: 9,
  });
  assert.deepEqual(policy, {
    max_retries: 0,
    strategy: "fixed",
    base_delay_seconds: 0,
    multiplier: 3,
    max_delay_seconds: 300,
    jitter: "none",
    retry_on: [],
    never_retry_on: ["timeout"],
  });
});

Deno.test("resolveRetryPolicy() takes the job's count where no policy has one", () => {
  assert.equal(resolveRetryPolicy({ job_max_retries: 0 }).max_retries, 0);
  assert.equal(resolveRetryPolicy({ step: { max_retries: 2 }, job_max_retries: 5 }).max_retries, 2);
  assert.equal(
    resolveRetryPolicy({ transformer: { max_retries: 2 }, job_max_retries: 5 }).max_retries,
    2,
  );
});

const BACKOFF: [Partial<RetryPolicy>, delays: number[]][] = [
  [{}, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]],
  [{ base_delay_seconds: 0.5, multiplier: 3, max_delay_seconds: 5 }, [0.5, 1.5, 4.5, 5, 5]],
  [{ multiplier: 1 }, [1, 1, 1]],
  [{ base_delay_seconds: 0 }, [0, 0, 0]],
  [{ strategy: "linear", base_delay_seconds: 200 }, [200, 400, 600]],
  [{ strategy: "fixed", base_delay_seconds: 400 }, [400, 400]],
];

for (const [patch, delays] of BACKOFF) {
  Deno.test(`backoffSeconds() with ${JSON.stringify(patch)}`, () => {
    assert.deepEqual(delays.map((_, i) => backoffSeconds(policyWith(patch), i + 1)), delays);
  });
}

Deno.test("backoffSeconds() does not overflow at the thousandth retry", () => {
  assert.equal(backoffSeconds(policyWith({ multiplier: 100 }), 1000), 300);
  assert.equal(backoffSeconds(policyWith({ base_delay_seconds: 0, multiplier: 100 }), 1000), 0);
});

const policies = fc.record({
  strategy: fc.constantFrom("exponential" as const, "linear" as const, "fixed" as const),
  base_delay_seconds: fc.double({ min: 0, max: 86_400, noNaN: true }),
  multiplier: fc.double({ min: 1, max: 100, noNaN: true }),
  max_delay_seconds: fc.double({ min: 0, max: 86_400, noNaN: true }),
});

Deno.test("backoffSeconds() never shrinks, is finite, and keeps to the maximum", () => {
  fc.assert(fc.property(policies, fc.integer({ min: 1, max: 1000 }), (patch, n) => {
    const policy = policyWith(patch);
    const delay = backoffSeconds(policy, n);
    assert.ok(Number.isFinite(delay) && delay >= 0);
    assert.ok(backoffSeconds(policy, n + 1) >= delay);
    if (policy.strategy === "exponential") assert.ok(delay <= policy.max_delay_seconds);
  }));
});

Deno.test("decideRetry() draws full jitter uniformly from 0 to the backoff", () => {
  fc.assert(
    fc.property(
      policies,
      fc.nat(999),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (patch, retriesUsed, random) => {
        const policy = policyWith({ ...patch, max_retries: 1000, jitter: "full" });
        const decision = decideRetry({ policy, error: timeout, retriesUsed, random });
        assert.deepEqual(decision, {
          retry: true,
          delay_seconds: backoffSeconds(policy, retriesUsed + 1) * random,
        });
      },
    ),
  );
});

Deno.test("decideRetry() without jitter waits exactly the backoff", () => {
  assert.deepEqual(decide({ retriesUsed: 2 }), { retry: true, delay_seconds: 4 });
});

Deno.test("decideRetry() waits as long as the error asks, where that is longer", () => {
  const asking = { ...timeout, retry_after_seconds: 30 };
  assert.deepEqual(decide({ error: asking }), { retry: true, delay_seconds: 30 });
  assert.deepEqual(decide({ error: asking, policy: { base_delay_seconds: 60 } }), {
    retry: true,
    delay_seconds: 60,
  });
  assert.deepEqual(decide({ error: asking, policy: { jitter: "full" }, random: 0 }), {
    retry: true,
    delay_seconds: 30,
  });
});

Deno.test("decideRetry() stops when retries are used up", () => {
  assert.equal(decide({ retriesUsed: 2 }).retry, true);
  assert.deepEqual(decide({ retriesUsed: 3 }), { retry: false, reason: "retries_used_up" });
  assert.deepEqual(decide({ policy: { max_retries: 0 } }), {
    retry: false,
    reason: "retries_used_up",
  });
});

const WORTH: [name: string, Partial<RetryPolicy>, ErrorInfo, boolean][] = [
  ["retries what is retryable", {}, timeout, true],
  ["does not retry what is not retryable", {}, mapping, false],
  ["goes by the error's own word", {}, { ...timeout, retryable: false }, false],
  [
    "goes by the error's own word for codes of executors",
    {},
    errorInfo("gemini.blocked", "x", {
      retryable: true,
    }),
    true,
  ],
  ["retries what retry_on lists", { retry_on: ["mapping_failed"] }, mapping, true],
  ["retries nothing else than retry_on lists", { retry_on: ["http_5xx"] }, timeout, false],
  ["retries nothing where retry_on is empty", { retry_on: [] }, timeout, false],
  ["takes '*' for all", { retry_on: ["*"] }, mapping, true],
  ["takes a prefix", { retry_on: ["gemini.*"] }, errorInfo("gemini.blocked", "x"), true],
  ["takes a prefix whole", { retry_on: ["gem.*"] }, errorInfo("gemini.blocked", "x"), false],
  ["lets never_retry_on win", { retry_on: ["*"], never_retry_on: ["timeout"] }, timeout, false],
  ["lets a prefix in never_retry_on win", { never_retry_on: ["gemini.*"] }, {
    ...errorInfo("gemini.quota", "x"),
    retryable: true,
  }, false],
  ["never retries a cancelled job", { retry_on: ["*"] }, errorInfo("cancelled", "x"), false],
  [
    "never retries beyond the step budget",
    { retry_on: ["*"] },
    errorInfo("step_budget_exceeded", "x"),
    false,
  ],
  [
    "never retries a bad definition",
    { retry_on: ["*"] },
    errorInfo("definition_invalid", "x"),
    false,
  ],
];

for (const [behaviour, policy, error, retry] of WORTH) {
  Deno.test(`decideRetry() ${behaviour}`, () => {
    const decision = decide({ policy, error });
    assert.equal(decision.retry, retry);
    if (!decision.retry) assert.equal(decision.reason, "not_retryable");
  });
}
