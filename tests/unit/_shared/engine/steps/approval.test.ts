import assert from "node:assert/strict";
import type { Message } from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import { delivered, iso, T0, type World } from "../plan/world.ts";
import { at, failureOf, written } from "./support.ts";

const step = { type: "approval", next_step: "next" };

function decision(world: World, said: Record<string, unknown>, attempt = 1): Message {
  const payload = { approval_id: "a", by: "u", at: "t", notes: null, form: null, ...said };
  return world.message("decision", { step_id: "s", visit: 1, attempt, payload });
}

Deno.test("approval: asks a person and parks", async () => {
  const world = at({
    ...step,
    title: "Pay {{job_input.n}}?",
    details: { n: "$.job_input.n" },
    assignees: ["$.job_input.who", "boss"],
    form: { type: "object" },
    allow_self: false,
    timeout_seconds: 60,
  }, { n: 5, who: "ann@example.com" });
  const { approval, job } = written(await world.claim());
  assert.deepEqual(approval, {
    job_id: world.job.job_id,
    step_id: "s",
    visit: 1,
    attempt: 1,
    title: "Pay 5?",
    details: { n: 5 },
    assignees: ["ann@example.com", "boss"],
    form: { type: "object" },
    allow_self: false,
    expires_at: iso(T0 + 60_000),
  });
  assert.deepEqual([job.status, job.next_run_at], ["waiting", iso(T0 + 60_000)]);
  assert.deepEqual(world.events, ["approval_asked"]);
});

Deno.test("approval: is not asked twice when it is looked at for nothing", async () => {
  const world = at(step);
  await world.claim();
  assert.equal(written(await world.claim()).approval, undefined);
});

const OUTPUT = { by: "u", at: "t", notes: null, form: null };

Deno.test("approval: approved, it hands on what was decided", async () => {
  const world = at(step);
  await world.claim();
  const next = await world.claim([decision(world, { decision: "approved" })]);
  assert.deepEqual(delivered(next).input, { decision: "approved", ...OUTPUT });
  assert.equal(written(next).closeApproval, undefined);
});

Deno.test("approval: rejected, it is an error, or goes to on_reject", async () => {
  for (const on_reject of [undefined, "other"]) {
    const world = at({ ...step, on_reject });
    await world.claim();
    const next = await world.claim([decision(world, { decision: "rejected", notes: "too much" })]);
    if (on_reject === undefined) {
      assert.equal(failureOf(world), "rejected: Step 's' was rejected: too much");
      assert.equal(world.last.status, "failed");
    } else {
      const { attempt, input } = delivered(next);
      assert.equal(attempt.step_id, on_reject);
      assert.deepEqual(input, { decision: "rejected", ...OUTPUT, notes: "too much" });
    }
  }
});

Deno.test("approval: out of time it is approval_timeout, or goes to on_timeout; the question is closed", async () => {
  for (const on_timeout of [undefined, "other"]) {
    const world = at({ ...step, timeout_seconds: 60, on_timeout });
    await world.claim();
    world.now = T0 + 60_000;
    const next = await world.claim();
    assert.equal(written(next).closeApproval, "expired");
    assert.equal(failureOf(world), "approval_timeout: Nobody decided step 's' within 60 s");
    if (on_timeout !== undefined) assert.equal(delivered(next).attempt.step_id, on_timeout);
  }
});

Deno.test("approval: a decision that is there counts, however late it is looked", async () => {
  const world = at({ ...step, timeout_seconds: 60 });
  await world.claim();
  world.now = T0 + 99_000;
  const next = await world.claim([decision(world, { decision: "approved" })]);
  assert.equal(delivered(next).attempt.step_id, "next");
});

Deno.test("approval: a form that does not fit is asked for once more", async () => {
  const form = { type: "object", required: ["sum"] };
  const world = at({ ...step, form });
  await world.claim();
  await world.claim([decision(world, { decision: "approved", form: {} })]);
  assert.match(failureOf(world), /^validation_failed: The form of step 's' does not fit: .*sum/);
  assert.equal(world.last.status, "awaiting_retry");
  world.now += 10_000;
  assert.equal(written(await world.claim()).approval?.attempt, 2);
  // The answer to the first question is none to the second.
  const late = await world.claim([decision(world, { decision: "approved", form: { sum: 1 } }, 1)]);
  assert.equal(written(late).job.status, "waiting");
  const next = await world.claim([
    decision(world, { decision: "approved", form: { sum: 1 } }, 2),
  ]);
  assert.equal(delivered(next).attempt.step_id, "next");
});

Deno.test("approval: the form of a rejection is not looked at", async () => {
  const world = at({ ...step, form: { type: "object", required: ["sum"] }, on_reject: "other" });
  await world.claim();
  const next = await world.claim([decision(world, { decision: "rejected", form: {} })]);
  assert.equal(delivered(next).attempt.step_id, "other");
});

Deno.test("approval: a cancel closes the question", async () => {
  const world = at(step);
  await world.claim();
  const { closeApproval, job } = written(await world.claim([world.message("cancel")]));
  assert.deepEqual([closeApproval, job.status], ["cancelled", "cancelled"]);
  assert.deepEqual(world.records, ["s:1:1 cancelled"]);
});

for (const assignees of [[], "", [5], null]) {
  Deno.test(`approval: refuses the assignees ${JSON.stringify(assignees)}`, async () => {
    const world = at({ ...step, assignees: "$.job_input.who" }, { who: assignees });
    await world.claim();
    assert.match(failureOf(world), /^mapping_failed: 'steps\.s\.assignees' must be a list of 1 to/);
  });
}

for (const key of ["title", "details", "assignees"]) {
  Deno.test(`approval: ${key} that the database cannot keep are an error of the step`, async () => {
    const world = at({ ...step, [key]: { $expr: "'a\\u0000b'" }, on_error: "mend" });
    const decision = await world.claim();
    assert.equal(delivered(decision).attempt.step_id, "mend");
    assert.match(failureOf(world), /^invalid_result: .* must not hold the character U\+0000/);
    const { approval, closeApproval } = written(decision);
    assert.deepEqual([approval, closeApproval], [undefined, undefined]);
  });
}

Deno.test("approval: details that are too large are an error of the step", async () => {
  const world = at({ ...step, details: "$.job_input" }, { text: "x".repeat(70_000) });
  world.maxPayloadBytes = 1_500;
  await world.claim();
  assert.match(failureOf(world), /^payload_too_large: /);
});
