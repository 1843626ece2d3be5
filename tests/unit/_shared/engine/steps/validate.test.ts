import assert from "node:assert/strict";
import { delivered, iso, T0, type World } from "../plan/world.ts";
import { at, entryOf, failureOf, written } from "./support.ts";

const RULES: readonly (readonly [string, Record<string, unknown>, unknown, unknown, string])[] = [
  [
    "regex",
    { type: "regex", pattern: "^a+$" },
    "aa",
    "ab",
    'must match ^a+$: current value is "ab"',
  ],
  [
    "regex of a value",
    { type: "regex", pattern: "^a", value: "$.output.text" },
    { text: "a" },
    { text: "b" },
    'must match ^a: current value is "b"',
  ],
  [
    "regex of what is no text",
    { type: "regex", pattern: "^a" },
    "a",
    5,
    "must be a text: current value is 5",
  ],
  [
    "expression",
    { type: "expression", expression: "output.n > 1" },
    { n: 2 },
    { n: 1 },
    'must make "output.n > 1" true',
  ],
];

function checked(validate: Record<string, unknown>, more: Record<string, unknown> = {}): World {
  const retry = { max_retries: 0 };
  const world = at({ transformer_id: "echo", retry, validate, ...more });
  world.addTransformer("judge", { config: { strict: true } });
  return world;
}

for (const [what, rule, good, bad, why] of RULES) {
  Deno.test(`validate: ${what} lets pass what fits`, async () => {
    const world = checked(rule);
    await world.result(delivered(await world.claim()), { output: good });
    assert.equal(world.last.status, "completed");
  });

  Deno.test(`validate: ${what} fails the attempt otherwise`, async () => {
    const world = checked(rule);
    await world.result(delivered(await world.claim()), { output: bad });
    assert.equal(
      failureOf(world),
      `validation_failed: The output of step 's' does not pass its check: ${why}`,
    );
    assert.deepEqual(entryOf(world).output, bad);
  });
}

Deno.test("validate: json_schema names what does not fit", async () => {
  const world = checked({ type: "json_schema", schema: { type: "object", required: ["n"] } });
  await world.result(delivered(await world.claim()), { output: {} });
  assert.match(failureOf(world), /^validation_failed: .* does not pass its check: .*n/);
});

Deno.test("validate: failing is retried like any other error", async () => {
  const world = checked({ type: "regex", pattern: "a" }, { retry: { max_retries: 1 } });
  await world.result(delivered(await world.claim()), { output: "b" });
  assert.equal(world.last.status, "awaiting_retry");
});

Deno.test("validate: has its own ways on for what passes and what does not", async () => {
  const rule = {
    type: "regex",
    pattern: "^a",
    next_step_on_pass: "next",
    next_step_on_fail: "other",
  };
  for (const [output, next] of [["a", "next"], ["b", "other"]] as const) {
    const world = checked(rule, { retry: { max_retries: 5 } });
    const decision = await world.result(delivered(await world.claim()), { output });
    assert.equal(delivered(decision).attempt.step_id, next);
    assert.equal(delivered(decision).input, output);
  }
});

async function atCheck(more: Record<string, unknown> = {}) {
  const world = checked({ type: "function", transformer_id: "judge" }, more);
  world.now += 5;
  const work = delivered(await world.claim());
  return { world, check: delivered(await world.result(work, { output: { n: 1 } })) };
}

Deno.test("validate: function sends the output to the other executor, under a key of its own", async () => {
  const { world, check } = await atCheck();
  assert.equal(check.transformer.id, "judge");
  assert.deepEqual(check.attempt, { step_id: "s", visit: 1, attempt: 1, check: true });
  assert.deepEqual([check.input, check.config, check.callback], [
    { n: 1 },
    { strict: true },
    false,
  ]);
  assert.deepEqual(world.records, []);
});

for (
  const [answer, status, code, output] of [
    [{ pass: true }, "completed", undefined, { n: 1 }],
    [{ pass: false, notes: "too low" }, "failed", "validation_failed", { n: 1 }],
    ["yes", "failed", "invalid_result", { n: 1 }],
  ] as const
) {
  Deno.test(`validate: a function that answers ${JSON.stringify(answer)} makes the step ${status}`, async () => {
    const { world, check } = await atCheck();
    await world.result(check, { output: answer });
    assert.equal(world.last.status, status);
    assert.equal(entryOf(world).error?.code, code);
    assert.deepEqual(entryOf(world).output, output);
    assert.deepEqual(world.records, [`s:1:1 ${status}`]);
  });
}

Deno.test("validate: what the check loses is checked again, and the work is not done again", async () => {
  const { world, check } = await atCheck();
  const again = delivered(await world.result(check, "lost"));
  assert.deepEqual(again.attempt, check.attempt);
  world.job = { ...world.job, redeliveries: 2 };
  assert.deepEqual(delivered(await world.claim()).attempt, check.attempt);
});

Deno.test("validate: work that came by callback is not waited for while it is checked", async () => {
  const world = checked({ type: "function", transformer_id: "judge" }, { callback: true });
  await world.result(delivered(await world.claim()), "accepted");
  const at = { step_id: "s", visit: 1, attempt: 1 };
  const payload = { status: "completed", output: 1 };
  await world.claim([world.message("step_result", { ...at, payload })]);
  assert.equal(world.last.state.waiting, undefined);
  // Its owner is lost, and the time of the callback is over.
  world.now = T0 + 100_000;
  world.job = { ...world.job, redeliveries: 1 };
  assert.equal(delivered(await world.claim()).transformer.id, "judge");
});

Deno.test("validate: manual asks a person, who sees the output", async () => {
  const world = checked({ type: "manual", title: "Good?", timeout_seconds: 60 });
  const decision = await world.result(delivered(await world.claim()), { output: { n: 1 } });
  assert.deepEqual(written(decision).approval, {
    job_id: world.job.job_id,
    step_id: "s",
    visit: 1,
    attempt: 1,
    title: "Good?",
    details: { output: { n: 1 } },
    assignees: null,
    form: null,
    allow_self: true,
    expires_at: iso(T0 + 60_000),
  });
  assert.equal(world.last.status, "waiting");
});

for (
  const [decision, status] of [["approved", "completed"], ["rejected", "failed"]] as const
) {
  Deno.test(`validate: manual, ${decision}, makes the step ${status}`, async () => {
    const world = checked({ type: "manual" });
    await world.result(delivered(await world.claim()), { output: 7 });
    const about = { step_id: "s", visit: 1, attempt: 1, payload: { decision, by: "u" } };
    await world.claim([world.message("decision", about)]);
    assert.equal(world.last.status, status);
    assert.deepEqual(entryOf(world).output, 7);
    assert.deepEqual(world.records, [`s:1:1 ${status}`]);
  });
}

Deno.test("validate: manual that nobody answers in time is approval_timeout", async () => {
  const world = checked({ type: "manual", timeout_seconds: 60 });
  await world.result(delivered(await world.claim()), { output: 7 });
  world.now += 60_000;
  const decision = await world.claim();
  assert.equal(written(decision).closeApproval, "expired");
  assert.equal(world.last.error?.code, "approval_timeout");
});
