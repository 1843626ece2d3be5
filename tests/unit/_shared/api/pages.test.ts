import assert from "node:assert/strict";
import { byEnd, byNumber, byPlace } from "../../../../supabase/functions/_shared/api/cursor.ts";
import type { ListChildren } from "../../../../supabase/functions/_shared/store/user_store/children.ts";
import type {
  ListRecords,
  StepKey,
} from "../../../../supabase/functions/_shared/store/user_store/records.ts";
import { JobNotFoundError } from "../../../../supabase/functions/_shared/store/errors.ts";
import { CREATED_AT, fakeFunction, JOB_ID } from "./fake_deps.ts";

const CHILD = {
  id: JOB_ID,
  created_at: CREATED_AT,
  parent_step_id: "each",
  parent_visit: 2,
  item_index: 10,
};
const STEP = { step_id: "a", visit: 1, attempt: 0, ended_at: CREATED_AT };
const pinned = () => Promise.resolve({ workflow_id: "w", workflow_version: 1 });

Deno.test("listChildren() leads to the next page by step, visit and index", async () => {
  const lists: ListChildren[] = [];
  const { call } = fakeFunction("jobs", {
    findJob: pinned,
    listChildren: (list) => {
      lists.push(list);
      return Promise.resolve([CHILD, CHILD].slice(0, list.limit));
    },
  });
  const first = await call(`/${JOB_ID}/children?limit=1&status=failed`);
  assert.equal(first.body.children[0].job_id, JOB_ID);
  const last = await call(`/${JOB_ID}/children?limit=2&cursor=${first.body.next_cursor}`);
  assert.equal(last.body.next_cursor, null);
  assert.deepEqual(lists, [
    { jobId: JOB_ID, status: "failed", after: undefined, limit: 2 },
    {
      jobId: JOB_ID,
      status: undefined,
      after: { stepId: "each", visit: 2, index: 10 },
      limit: 3,
    },
  ]);
});

Deno.test("listSteps() leads to the next page by time and attempt", async () => {
  const lists: ListRecords<StepKey>[] = [];
  const { call } = fakeFunction("jobs", {
    findJob: pinned,
    listSteps: (list) => {
      lists.push(list);
      return Promise.resolve([{ ...STEP, output: 1 }, STEP].slice(0, list.limit));
    },
  });
  const first = await call(`/${JOB_ID}/steps?limit=1`);
  assert.deepEqual(first.body.steps, [{ ...STEP, output: 1 }]);
  await call(`/${JOB_ID}/steps?cursor=${first.body.next_cursor}`);
  assert.deepEqual(lists[1], { jobId: JOB_ID, after: STEP, limit: 21 });
});

Deno.test("listEvents() leads to the next page by number", async () => {
  const lists: ListRecords<number>[] = [];
  const { call } = fakeFunction("jobs", {
    findJob: pinned,
    listEvents: (list) => {
      lists.push(list);
      return Promise.resolve([{ id: 4 }, { id: 7 }].slice(0, list.limit));
    },
  });
  const first = await call(`/${JOB_ID}/events?limit=1`);
  assert.deepEqual(first.body.events, [{ id: 4 }]);
  await call(`/${JOB_ID}/events?cursor=${first.body.next_cursor}`);
  assert.deepEqual(lists.map(({ after }) => after), [undefined, 4]);
});

for (const kind of ["children", "steps", "events"]) {
  Deno.test(`GET jobs/{id}/${kind} answers 404 where an empty page would hide it`, async () => {
    const { call } = fakeFunction("jobs", {
      findJob: () => Promise.reject(new JobNotFoundError("no job", "MR002")),
      listChildren: () => Promise.resolve([]),
      listSteps: () => Promise.resolve([]),
      listEvents: () => Promise.resolve([]),
    });
    assert.equal((await call(`/${JOB_ID}/${kind}`)).status, 404);
  });
}

for (
  const [name, decode, text] of [
    ["byPlace", byPlace.decode, JSON.stringify({ stepId: 'a",x', visit: 1, index: 0 })],
    ["byPlace", byPlace.decode, JSON.stringify({ stepId: "a", visit: 1.5, index: 0 })],
    ["byPlace", byPlace.decode, JSON.stringify({ stepId: "a", visit: 1, index: 0, more: 1 })],
    ["byEnd", byEnd.decode, JSON.stringify({ ...STEP, ended_at: "now" })],
    ["byNumber", byNumber.decode, JSON.stringify({ id: -1 })],
    ["byNumber", byNumber.decode, "7"],
  ] as const
) {
  Deno.test(`${name} refuses ${text}`, () => {
    assert.throws(() => decode(btoa(text)), /'cursor' must be/);
  });
}
