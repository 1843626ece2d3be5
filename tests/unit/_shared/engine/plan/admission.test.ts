import assert from "node:assert/strict";
import { at, written } from "../steps/support.ts";
import { delivered, iso, T0, type World } from "./world.ts";

const step = { transformer_id: "echo" };
const concurrency = { max_running: 2 };

Deno.test("plan() asks for a slot of its workflow before the first step", async () => {
  const world = at(step, {}, { concurrency });
  const decision = await world.claim();
  assert.equal(decision.effect.type, "admit");
  assert.deepEqual(written(decision).job.admission, {
    kind: "slot",
    key: "workflow:w",
    capacity: 2,
  });
  assert.equal(written(decision).job.status, "running");
});

for (const [key, suffix] of [["{{job_input.who}}", "ann"], ["$.job_input.n", "7"]] as const) {
  Deno.test(`plan() asks for a slot of the key ${key}`, async () => {
    const world = at(step, { who: "ann", n: 7 }, { concurrency: { max_running: 1, key } });
    const { admission } = written(await world.claim()).job;
    assert.equal(admission?.key, `workflow:w:${suffix}`);
  });
}

Deno.test("plan() fails a job whose key is none", async () => {
  const limits = { concurrency: { max_running: 1, key: "$.job_input.who" } };
  const world = at(step, { who: {} }, limits);
  await world.claim();
  assert.equal(world.last.error?.code, "mapping_failed");
  assert.match(world.last.error?.message ?? "", /'concurrency\.key' must be/);
});

for (const held of ["held_slots", "inherited_slots"] as const) {
  Deno.test(`plan() does not ask for a slot that is among its ${held}`, async () => {
    const world = at(step, {}, { concurrency });
    world.job = { ...world.job, [held]: ["workflow:w"] };
    assert.equal((await world.claim()).effect.type, "dispatch");
  });
}

Deno.test("plan() asks for the slot of a map, then for that of its workflow, then for a start", async () => {
  const world = at(step, {}, { concurrency, rate_limit: { max_starts: 3, per_seconds: 60 } });
  world.job = { ...world.job, slot_key: "map:1" };
  const asked = async (go: () => ReturnType<World["claim"]>) => {
    const { admission } = written(await go()).job;
    if (admission?.kind === "slot") {
      world.job = { ...world.job, held_slots: [...world.job.held_slots, admission.key] };
    }
    return [admission?.kind, admission?.key];
  };
  assert.deepEqual(await asked(() => world.claim()), ["slot", "map:1"]);
  const go = () => world.step({ type: "admitted" });
  assert.deepEqual(await asked(go), ["slot", "workflow:w"]);
  assert.deepEqual(await asked(go), ["start", "workflow:w"]);
  assert.equal((await go()).effect.type, "dispatch");
});

Deno.test("plan() does not begin before the start that it was given, whoever wakes it", async () => {
  const world = at(step, {}, { rate_limit: { max_starts: 1, per_seconds: 60 } });
  await world.claim();
  world.job = { ...world.job, state: { ...world.job.state, not_before: iso(T0 + 60_000) } };
  world.now += 1_000;
  await world.claim([world.message("resume")]);
  assert.deepEqual([world.last.status, world.last.next_run_at], ["pending", iso(T0 + 60_000)]);
  world.now = T0 + 60_000;
  assert.equal((await world.claim()).effect.type, "dispatch");
});

Deno.test("plan() asks for nothing in the middle of a job", async () => {
  const world = at({ transformer_id: "echo", next_step: "next" }, {}, { concurrency });
  await world.claim();
  world.job = { ...world.job, held_slots: ["workflow:w"] };
  const delivery = delivered(await world.step({ type: "admitted" }));
  assert.equal((await world.result(delivery, { output: 1 })).effect.type, "dispatch");
});

Deno.test("plan() cancels a job that waits for its slot", async () => {
  const world = at(step, {}, { concurrency });
  await world.claim([world.message("cancel")]);
  assert.equal(world.last.status, "cancelled");
});
