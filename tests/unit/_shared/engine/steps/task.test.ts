import assert from "node:assert/strict";
import { delivered, iso, T0, World } from "../plan/world.ts";
import { at, entryOf, failureOf } from "./support.ts";

Deno.test("task: what flows in is its input where it has no input_map", async () => {
  assert.deepEqual(delivered(await at({ transformer_id: "echo" }, { n: 1 }).claim()).input, {
    n: 1,
  });
});

Deno.test("task: its output flows on, whatever it is", async () => {
  for (const output of [0, false, "", null, []]) {
    const world = at({ transformer_id: "echo", next_step: "next" });
    const decision = await world.result(delivered(await world.claim()), { output });
    assert.deepEqual(delivered(decision).input, output);
    assert.deepEqual(entryOf(world), { output, status: "completed", error: null, attempts: 1 });
  }
});

const HANDLERS = [
  { errors: ["http_4xx"], next_step: "other" },
  { errors: ["gemini.*", "timeout"], next_step: "mend" },
  { errors: ["*"], next_step: "next" },
];

for (
  const [code, next] of [
    ["http_4xx", "other"],
    ["timeout", "mend"],
    ["gemini.blocked", "mend"],
    ["network", "next"],
  ] as const
) {
  Deno.test(`task: '${code}' goes to the first handler that means it`, async () => {
    const world = at({ transformer_id: "echo", retry: { max_retries: 0 }, on_error: HANDLERS });
    const decision = await world.result(delivered(await world.claim()), { fail: code });
    assert.equal(delivered(decision).attempt.step_id, next);
    assert.equal(delivered(decision).input, null);
    assert.equal(entryOf(world).error?.code, code);
  });
}

Deno.test("task: an error inside an error handler is the job's, not once more the handler's", async () => {
  const world = new World({
    start_step: "s",
    steps: {
      s: { transformer_id: "echo", retry: { max_retries: 0 } },
      mend: { transformer_id: "echo", retry: { max_retries: 0 } },
    },
    on_error: "mend",
  });
  await world.run(({ attempt }) => ({ fail: attempt.step_id === "s" ? "timeout" : "network" }));
  assert.equal(world.last.error?.code, "network");
  assert.deepEqual(world.records, ["s:1:1 failed", "mend:1:1 failed"]);
});

Deno.test("task: every visit has its own retries", async () => {
  const world = new World({
    start_step: "s",
    steps: {
      s: { transformer_id: "echo", retry: { max_retries: 1, jitter: "none" }, next_step: "s" },
    },
    max_step_visits: 2,
  });
  await world.run(({ attempt }) => attempt.attempt === 1 ? { fail: "timeout" } : { output: 1 });
  assert.deepEqual(world.records, [
    "s:1:1 failed",
    "s:1:2 completed",
    "s:2:1 failed",
    "s:2:2 completed",
  ]);
});

for (
  const [strategy, waits] of [
    ["exponential", [2, 6, 18, 20]],
    ["linear", [2, 4, 6, 8]],
    ["fixed", [2, 2, 2, 2]],
  ] as const
) {
  Deno.test(`task: retries wait as '${strategy}' says`, async () => {
    const retry = {
      strategy,
      max_retries: 4,
      base_delay_seconds: 2,
      multiplier: 3,
      max_delay_seconds: 20,
      jitter: "none",
    };
    const world = at({ transformer_id: "echo", retry });
    await world.run(() => ({ fail: "timeout" }));
    const scheduled = world.row.writes.flatMap(({ events }) => events)
      .filter(({ type }) => type === "retry_scheduled").map(({ data }) => data["delay_seconds"]);
    assert.deepEqual(scheduled, waits);
  });
}

Deno.test("task: waits as long as the other side asks, where that is longer", async () => {
  const world = at({ transformer_id: "echo", retry: { jitter: "none" } });
  await world.result(delivered(await world.claim()), { fail: "rate_limited", retryAfter: 90 });
  assert.equal(world.last.next_retry_at, iso(T0 + 90_000));
});

for (
  const [retry, code, isRetried] of [
    [{}, "http_4xx", false],
    [{ retry_on: ["http_4xx"] }, "http_4xx", true],
    [{ retry_on: ["http_4xx"] }, "timeout", false],
    [{ retry_on: ["*"], never_retry_on: ["timeout"] }, "timeout", false],
    [{ never_retry_on: ["network"] }, "network", false],
    [{}, "story.unknown", false],
    [{ retry_on: ["story.*"] }, "story.unknown", true],
  ] as const
) {
  const verb = isRetried ? "is" : "is not";
  Deno.test(`task: '${code}' ${verb} retried under ${JSON.stringify(retry)}`, async () => {
    const world = at({ transformer_id: "echo", retry });
    await world.result(delivered(await world.claim()), { fail: code });
    assert.equal(world.last.status, isRetried ? "awaiting_retry" : "failed");
  });
}

Deno.test("task: a `when` that fails is not passed by a retry", async () => {
  const world = at({ transformer_id: "echo", when: "$error('no')", retry: { retry_on: ["*"] } });
  await world.run(() => assert.fail("nothing is to be sent"));
  assert.equal(world.last.error?.code, "expression_failed");
  assert.equal(world.records.length, 4);
});

Deno.test("task: a retry that a message interrupts is not made early", async () => {
  const world = at({ transformer_id: "echo", retry: { jitter: "none", base_delay_seconds: 60 } });
  await world.result(delivered(await world.claim()), { fail: "timeout" });
  const { error } = world.last;
  assert.ok(error);
  world.job = { ...world.job, retry: { at: iso(T0 + 60_000), error } };
  world.now += 1_000;
  await world.claim([world.message("resume")]);
  assert.equal(world.last.status, "awaiting_retry");
  assert.equal(world.last.next_run_at, iso(T0 + 60_000));
  assert.equal(world.last.error?.code, "timeout");
});

Deno.test("task: `when` is one answer for all attempts of a visit, whatever chance says", async () => {
  const retry = { max_retries: 6, jitter: "none" };
  const kinds = new Set<string>();
  for (let n = 0; n < 10; n++) {
    const world = at({ transformer_id: "echo", when: "$random() < 0.5", retry });
    world.job = { ...world.job, job_id: `00000000-0000-4000-8000-00000000010${n}` };
    await world.run(() => ({ fail: "timeout" }));
    kinds.add(world.records.join());
  }
  const attempts = Array.from({ length: 7 }, (_, i) => `s:1:${i + 1} failed`);
  assert.deepEqual([...kinds].sort(), ["s:1:0 skipped", attempts.join()]);
});

for (const [what, text] of [["U+0000", "'\\u0000'"], ["half a pair", "'\\ud800'"]] as const) {
  Deno.test(`task: an input that holds ${what} is an error of the step`, async () => {
    const world = at({ transformer_id: "echo", input_map: { a: [{ $expr: text }] } });
    await world.run(() => assert.fail("nothing is to be sent"));
    assert.match(failureOf(world), /^invalid_result: The input of 's' must not hold the character/);
  });
}
