import assert from "node:assert/strict";
import { byCreation } from "../../../../supabase/functions/_shared/api/cursor.ts";
import { JobNotFoundError } from "../../../../supabase/functions/_shared/store/errors.ts";
import type { ListJobs } from "../../../../supabase/functions/_shared/store/user_store/jobs.ts";
import { CREATED_AT, fakeFunction, JOB_ID } from "./fake_deps.ts";

const ROW = { id: JOB_ID, created_at: CREATED_AT, status: "completed" };

for (const name of ["get-job", "jobs"] as const) {
  Deno.test(`getJob() answers the job through ${name}`, async () => {
    const { call, seen } = fakeFunction(name, {
      getJob: (id) => Promise.resolve({ ...ROW, id }),
    });
    const reply = await call(`/${JOB_ID.toUpperCase()}`);
    assert.equal(reply.status, 200);
    assert.deepEqual(reply.body, { job_id: JOB_ID, ...ROW, children: null });
    assert.equal(seen.counted, 1);
  });
}

Deno.test("getJob() tells how the children stand", async () => {
  const children = { total: 2, by_status: { running: 2 }, failed: [] };
  const { call } = fakeFunction("get-job", {
    getJob: () => Promise.resolve(ROW),
    childrenSummary: () => Promise.resolve(children),
  });
  assert.deepEqual((await call(`/${JOB_ID}`)).body.children, children);
});

Deno.test("getJob() answers 404 for a job that is not there", async () => {
  const { call } = fakeFunction("get-job", {
    getJob: () => Promise.reject(new JobNotFoundError("There is no job", "MR002")),
  });
  const reply = await call(`/${JOB_ID}`);
  assert.deepEqual([reply.status, reply.body.error.code], [404, "job_not_found"]);
});

for (const id of ["7", "not-a-uuid", `${JOB_ID}x`, "'%20or%201=1"]) {
  Deno.test(`getJob() answers 404 for '${id}' without asking the database`, async () => {
    const reply = await fakeFunction("get-job", {}).call(`/${id}`);
    assert.deepEqual([reply.status, reply.body.error.code], [404, "job_not_found"]);
  });
}

Deno.test("getJob() answers 401 without a token", async () => {
  assert.equal((await fakeFunction("get-job", {}).call(`/${JOB_ID}`, { token: null })).status, 401);
});

function listing(rows: typeof ROW[]) {
  const lists: ListJobs[] = [];
  const { call } = fakeFunction("list-jobs", {
    listJobs: (list) => {
      lists.push(list);
      return Promise.resolve(rows.slice(0, list.limit));
    },
  });
  return { call, lists };
}

Deno.test("listJobs() answers an empty page", async () => {
  const { call, lists } = listing([]);
  assert.deepEqual((await call("")).body, { jobs: [], next_cursor: null });
  assert.deepEqual(lists[0], {
    status: undefined,
    workflowId: undefined,
    includeChildren: false,
    after: undefined,
    limit: 21,
  });
});

Deno.test("listJobs() leads to the next page, and tells where there is none", async () => {
  const { call, lists } = listing([ROW, ROW, ROW]);
  const first = (await call("?limit=2&status=completed&workflow_id=w")).body;
  assert.equal(first.jobs.length, 2);
  assert.equal(first.jobs[0].job_id, JOB_ID);
  const last = (await call(`?limit=3&cursor=${first.next_cursor}`)).body;
  assert.equal(last.jobs.length, 3);
  assert.equal(last.next_cursor, null);
  assert.deepEqual(lists[0]?.status, "completed");
  assert.deepEqual(lists[1]?.after, { createdAt: CREATED_AT, id: JOB_ID });
});

for (const query of ["?page=2", "?limit=1&limit=2", "?cursor=rubbish", "?status=done"]) {
  Deno.test(`listJobs() answers 400 for ${query}`, async () => {
    const reply = await listing([]).call(query);
    assert.deepEqual([reply.status, reply.body.error.code], [400, "invalid_request"]);
  });
}

Deno.test("byCreation keeps microseconds", () => {
  const position = { createdAt: CREATED_AT, id: JOB_ID };
  assert.deepEqual(byCreation.decode(byCreation.encode(position)), position);
});

for (
  const position of [
    { createdAt: '2030-01-31T12:00:00Z",id.gt."', id: JOB_ID },
    { createdAt: CREATED_AT, id: 'x"),and(' },
  ]
) {
  Deno.test(`byCreation refuses ${JSON.stringify(position)}`, () => {
    assert.throws(() => byCreation.decode(byCreation.encode(position)), /'cursor' must be/);
  });
}
