import assert from "node:assert/strict";
import {
  InvalidArgumentError,
  JobEndedError,
  JobNotFoundError,
  WrongStatusError,
} from "../../../../supabase/functions/_shared/store/errors.ts";
import type { UserStore } from "../../../../supabase/functions/_shared/store/user_store.ts";
import { fakeFunction, JOB_ID } from "./fake_deps.ts";

type Wish = "cancelJob" | "pauseJob" | "resumeJob" | "retryJob" | "signalJob";

/** The function `jobs` on a store that answers one wish, with what it was asked. */
function wishing(name: Wish, kick = true) {
  const asked: unknown[] = [];
  const store: Partial<UserStore> = {
    [name]: (...args: unknown[]) => {
      asked.push(args);
      return Promise.resolve({ job_id: JOB_ID, status: "running", kick });
    },
  };
  return { asked, ...fakeFunction("jobs", store) };
}

for (const name of ["cancelJob", "pauseJob"] as const) {
  const path = `/${JOB_ID}/${name.slice(0, -3)}`;

  Deno.test(`${name}() answers 202 and kicks`, async () => {
    const { call, seen, asked } = wishing(name);
    const reply = await call(path, { method: "POST", body: { reason: "changed my mind" } });
    assert.deepEqual([reply.status, reply.body], [202, { job_id: JOB_ID, status: "running" }]);
    assert.equal((await call(path, { method: "POST" })).status, 202);
    assert.deepEqual(asked, [[JOB_ID, "changed my mind"], [JOB_ID, undefined]]);
    assert.equal(seen.kicks, 2);
  });
}

Deno.test("resumeJob() answers 202 and kicks", async () => {
  const { call, seen, asked } = wishing("resumeJob");
  assert.equal((await call(`/${JOB_ID}/resume`, { method: "POST" })).status, 202);
  assert.deepEqual([asked, seen.kicks], [[[JOB_ID]], 1]);
});

Deno.test("pauseJob() kicks nobody where the database says so", async () => {
  const { call, seen } = wishing("pauseJob", false);
  assert.equal((await call(`/${JOB_ID}/pause`, { method: "POST" })).status, 202);
  assert.equal(seen.kicks, 0);
});

Deno.test("signalJob() hands on name and payload", async () => {
  const { call, seen, asked } = wishing("signalJob");
  const body = { name: "go on", payload: { a: [1] } };
  assert.equal((await call(`/${JOB_ID}/signal`, { method: "POST", body })).status, 202);
  const bare = await call(`/${JOB_ID}/signal`, { method: "POST", body: { name: "go" } });
  assert.equal(bare.status, 202);
  assert.deepEqual(asked, [[JOB_ID, "go on", { a: [1] }], [JOB_ID, "go", undefined]]);
  assert.equal(seen.kicks, 2);
});

Deno.test("signalJob() answers 413 for a payload that is too large", async () => {
  const { call, asked } = wishing("signalJob");
  const body = { name: "go", payload: ["x".repeat(1_000)] };
  const reply = await call(`/${JOB_ID}/signal`, { method: "POST", body });
  assert.deepEqual([reply.status, reply.body.error.details.path], [413, "payload"]);
  assert.deepEqual(asked, []);
});

Deno.test("retryJob() hands on what is asked for", async () => {
  const { call, asked } = wishing("retryJob");
  const path = `/${JOB_ID}/retry`;
  await call(path, { method: "POST" });
  await call(path, { method: "POST", body: { from_step: "b", failed_items_only: false } });
  assert.deepEqual(asked, [
    [JOB_ID, { fromStep: undefined, inputData: undefined, failedItemsOnly: undefined }],
    [JOB_ID, { fromStep: "b", inputData: undefined, failedItemsOnly: false }],
  ]);
});

function retrying(faults: { path: string; message: string }[]) {
  const checked: unknown[] = [];
  const found: unknown[] = [];
  const { call } = fakeFunction("jobs", {
    findJob: () => Promise.resolve({ workflow_id: "w", workflow_version: 3 }),
    retryJob: () => Promise.resolve({ job_id: JOB_ID, status: "pending", kick: false }),
  }, {
    findVersionSchema: (...args) => {
      found.push(args);
      return Promise.resolve({ type: "object" });
    },
    checkInput: (...args) => {
      checked.push(args);
      return faults;
    },
  });
  return { call, checked, found };
}

Deno.test("retryJob() checks new input against the version that the job runs", async () => {
  const { call, checked, found } = retrying([]);
  const body = { input_data: { a: 1 } };
  assert.equal((await call(`/${JOB_ID}/retry`, { method: "POST", body })).status, 202);
  assert.deepEqual(found, [["w", 3]]);
  assert.deepEqual(checked, [[{ type: "object" }, { a: 1 }, "input_data"]]);
});

Deno.test("retryJob() answers 422 with every fault of the new input", async () => {
  const faults = [{ path: "input_data.a", message: "is missing" }, { path: "b", message: "no" }];
  const { call } = retrying(faults);
  const body = { input_data: {} };
  const reply = await call(`/${JOB_ID}/retry`, { method: "POST", body });
  assert.deepEqual([reply.status, reply.body.error.details], [422, faults]);
  assert.equal(
    reply.body.error.message,
    "Cannot retry 'w' (version 3) as 'input_data.a' is missing (and 1 more)",
  );
});

for (
  const [error, status, code] of [
    [new JobEndedError("it has ended", "MR007"), 409, "job_ended"],
    [new JobNotFoundError("no job", "MR002"), 404, "job_not_found"],
    [new WrongStatusError("it runs", "MR013"), 409, "wrong_status"],
    [new InvalidArgumentError("not there", "MR008"), 400, "invalid_request"],
  ] as const
) {
  Deno.test(`retryJob() answers ${status} for ${error.name}`, async () => {
    const { call } = fakeFunction("jobs", { retryJob: () => Promise.reject(error) });
    const reply = await call(`/${JOB_ID}/retry`, { method: "POST" });
    assert.deepEqual([reply.status, reply.body.error.code], [status, code]);
  });
}

Deno.test("bulkJobs() fills in what is left out, and kicks once", async () => {
  const asked: unknown[] = [];
  const reply = { matched: 5, affected: 2, job_ids: [JOB_ID], dry_run: false };
  const { call, seen } = fakeFunction("jobs", {
    bulkJobs: (bulk) => {
      asked.push(bulk);
      return Promise.resolve({ ...reply, kick: true });
    },
  });
  const body = { action: "pause", filter: { status: "running" } };
  const answer = await call("/bulk", { method: "POST", body });
  assert.deepEqual([answer.status, answer.body], [200, reply]);
  assert.deepEqual(asked, [{
    action: "pause",
    filter: { status: ["running"] },
    limit: 100,
    reason: undefined,
    dryRun: false,
  }]);
  assert.equal(seen.kicks, 1);
});

Deno.test("emitEvent() answers 202 with the event's id, and kicks", async () => {
  const asked: unknown[] = [];
  const { call, seen } = fakeFunction("events", {
    emitEvent: (event) => {
      asked.push(event);
      return Promise.resolve({ event_id: 7, kick: true });
    },
  });
  const reply = await call("", { method: "POST", body: { name: "paid", key: "k" } });
  assert.deepEqual([reply.status, reply.body, seen.kicks], [202, { event_id: 7 }, 1]);
  assert.deepEqual(asked, [{ name: "paid", payload: undefined, key: "k" }]);
});
