import assert from "node:assert/strict";
import { Lanes } from "../../../../supabase/functions/_shared/orchestrator/lanes.ts";

const settled = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("Lanes lets one pass when the one before is over, each lane by itself", async () => {
  const lanes = new Lanes();
  const gone: string[] = [];
  const [first, second, third] = Array.from({ length: 3 }, () => new AbortController());
  lanes.enter("a", first?.signal ?? AbortSignal.abort(), () => gone.push("first"));
  lanes.enter("a", second?.signal ?? AbortSignal.abort(), () => gone.push("second"));
  lanes.enter("b", third?.signal ?? AbortSignal.abort(), () => gone.push("third"));
  await settled();
  assert.deepEqual(gone, ["first", "third"]);
  first?.abort();
  await settled();
  assert.deepEqual(gone, ["first", "third", "second"]);
});

Deno.test("Lanes passes over what is not wanted any more", async () => {
  const lanes = new Lanes();
  const gone: string[] = [];
  const [first, second, third] = Array.from({ length: 3 }, () => new AbortController());
  lanes.enter("a", first?.signal ?? AbortSignal.abort(), () => gone.push("first"));
  lanes.enter("a", second?.signal ?? AbortSignal.abort(), () => gone.push("second"));
  lanes.enter("a", third?.signal ?? AbortSignal.abort(), () => gone.push("third"));
  await settled();
  second?.abort();
  first?.abort();
  await settled();
  assert.deepEqual(gone, ["first", "third"]);
});
