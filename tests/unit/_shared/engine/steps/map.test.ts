import assert from "node:assert/strict";
import { toleratedOf } from "../../../../../supabase/functions/_shared/engine/steps/map.ts";
import { delivered } from "../plan/world.ts";
import { at, claimWith, end, entryOf, failureOf, written } from "./support.ts";

const map = { type: "map", items: "$.job_input.items", transformer_id: "echo" };

async function mapped(items: unknown, more: Record<string, unknown> = {}) {
  const world = at({ ...map, ...more }, { items });
  return { world, decision: await world.claim() };
}

Deno.test("map: starts a child for each item, at most ten at a time", async () => {
  const { decision } = await mapped([0, false, "", null]);
  const { spawn, job } = written(decision);
  assert.deepEqual(
    spawn?.children,
    [0, false, "", null].map((item, index) => ({
      index,
      item,
      branch: "s",
      start_step: "s",
    })),
  );
  assert.equal(spawn?.max_running, 10);
  assert.equal(job.spawned, 4);
});

Deno.test("map: the body is a branch, a transformer or a workflow", async () => {
  const branch = { start_step: "b", steps: { b: { transformer_id: "echo" } } };
  const inner = await mapped([1], { transformer_id: undefined, branch, max_concurrency: 1 });
  const { spawn } = written(inner.decision);
  assert.deepEqual(spawn?.children, [{ index: 0, item: 1, branch: "s", start_step: "b" }]);
  assert.equal(spawn?.max_running, 1);
});

Deno.test("map: each job of a workflow gets its own input", async () => {
  const { decision } = await mapped(["a", "b"], {
    transformer_id: undefined,
    workflow_id: "each",
    version: 3,
    input_map: { it: "$.item", at: "{{index}}" },
  });
  const { spawn } = written(decision);
  assert.deepEqual([spawn?.workflow_id, spawn?.workflow_version], ["each", 3]);
  assert.deepEqual(spawn?.children, [
    { index: 0, item: "a", input: { it: "a", at: 0 } },
    { index: 1, item: "b", input: { it: "b", at: 1 } },
  ]);
});

Deno.test("map: over nothing gives nothing, at once", async () => {
  const { world, decision } = await mapped([], { next_step: "next" });
  assert.deepEqual(delivered(decision).input, []);
  assert.deepEqual(world.records, ["s:1:1 completed"]);
});

for (const items of [null, {}, "abc", 5]) {
  Deno.test(`map: over ${JSON.stringify(items)} is an error`, async () => {
    const { world } = await mapped(items);
    assert.match(failureOf(world), /^mapping_failed: 'steps\.s\.items' must be a list/);
  });
}

Deno.test("map: gives the results in the order of the items, whenever each came", async () => {
  const { world } = await mapped([1, 2, 3, 4], { next_step: "next" });
  const results = [0, false, "", null];
  const ends = results.map((result, i) => end(i, { result }));
  const decision = await claimWith(world, [3, 1, 0, 2].flatMap((i) => ends[i] ?? []));
  assert.deepEqual(delivered(decision).input, results);
  assert.deepEqual(entryOf(world).errors, []);
});

Deno.test("map: holds 10,000 results in order", async () => {
  const items = Array.from({ length: 10_000 }, (_, i) => i);
  const { world } = await mapped(items);
  await claimWith(world, items.map((i) => end(i, { result: i * 2 })).toReversed());
  assert.deepEqual(world.last.final_result, items.map((i) => i * 2));
});

Deno.test("map: takes at most 20,000 items", async () => {
  const { world } = await mapped(new Array(20_001).fill(0));
  assert.match(failureOf(world), /'steps\.s\.items' must be a list of at most 20000 items/);
});

const FAILED = end(1, { code: "timeout" });

for (
  const [tolerated, isTolerated] of [
    [undefined, false],
    [1, true],
    ["24%", false],
    ["25%", true],
  ] as const
) {
  Deno.test(`map: one failure of four is ${isTolerated ? "" : "not "}tolerated by ${tolerated ?? "default"}`, async () => {
    const { world } = await mapped([0, 1, 2, 3], { tolerated_failures: tolerated });
    await claimWith(world, [end(0, { result: 0 }), FAILED, end(2, { result: 2 }), end(3, {})]);
    assert.equal(world.last.status, isTolerated ? "completed" : "failed");
    if (!isTolerated) {
      assert.equal(
        failureOf(world),
        "children_failed: 1 of the children of step 's' failed: item 1 failed with timeout: as told",
      );
      return;
    }
    assert.deepEqual(world.last.final_result, [0, null, 2, null]);
    assert.deepEqual(entryOf(world).errors, [{ index: 1, error: FAILED.error }]);
  });
}

Deno.test("map: keeps of the errors that it tolerates what says why, and of 100 at most", async () => {
  const items = Array.from({ length: 120 }, (_, i) => i);
  const { world } = await mapped(items, { tolerated_failures: "100%" });
  const long = { code: "http_4xx", message: "m".repeat(600), retryable: false } as const;
  const error = { ...long, details: { body: "b".repeat(10_000) }, retry_after_seconds: 5 };
  await claimWith(world, items.map((i) => ({ ...end(i, { code: "http_4xx" }), error })));
  const { errors = [] } = entryOf(world);
  assert.deepEqual(errors[99], { index: 99, error: { ...long, message: "m".repeat(500) } });
  assert.equal(errors.length, 100);
});

Deno.test("map: is woken early for one failure more than it tolerates, not for less", async () => {
  const { world, decision } = await mapped([0, 1, 2], { tolerated_failures: 1 });
  assert.equal(written(decision).job.max_failed_children, 1);
  const tolerant = written(await claimWith(world, [FAILED], { open: 2 }));
  assert.equal(tolerant.childMessage, undefined);
  const second = end(2, { code: "timeout" });
  const enough = written(await claimWith(world, [FAILED, second], { open: 1 }));
  assert.equal(enough.childMessage?.kind, "cancel");
  assert.match(enough.childMessage?.reason ?? "", /^2 of the children of step 's' failed: item 1/);
});

for (
  const [tolerated, total, count] of [
    [3, 2, 3],
    ["0%", 10, 0],
    ["10%", 9, 0],
    ["10%", 10, 1],
    ["99%", 3, 2],
    ["100%", 3, 3],
  ] as const
) {
  Deno.test(`toleratedOf() ${JSON.stringify(tolerated)} of ${total} is ${count}`, () => {
    assert.equal(toleratedOf(tolerated, total), count);
  });
}
