import assert from "node:assert/strict";
import { ApiError } from "../../../../supabase/functions/_shared/http/errors.ts";
import { whileCounting } from "../../../../supabase/functions/_shared/http/rate_limit.ts";

const ALLOWED = { allowed: true, remaining: 1, retry_after_seconds: 0 };
const DENIED = { allowed: false, remaining: 0, retry_after_seconds: 12 };

Deno.test("whileCounting() gives the work's result", async () => {
  assert.equal(await whileCounting(Promise.resolve(ALLOWED), Promise.resolve(7)), 7);
});

Deno.test("whileCounting() answers 429 with Retry-After, whatever the work says", async () => {
  for (const work of [Promise.resolve(7), Promise.reject(new Error("not found"))]) {
    await assert.rejects(whileCounting(Promise.resolve(DENIED), work), (error: ApiError) => {
      assert.equal(error.status, 429);
      assert.equal(error.headers["retry-after"], "12");
      return true;
    });
  }
});

Deno.test("whileCounting() passes the work's error on", async () => {
  const work = Promise.reject(new Error("not found"));
  await assert.rejects(whileCounting(Promise.resolve(ALLOWED), work), /not found/);
});

Deno.test("whileCounting() fails when the request cannot be counted", async () => {
  await assert.rejects(
    whileCounting(Promise.reject(new Error("down")), Promise.resolve(1)),
    /down/,
  );
});
