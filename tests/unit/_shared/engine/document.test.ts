import assert from "node:assert/strict";
import { jobDocument } from "../../../../supabase/functions/_shared/engine/document.ts";

const job = {
  id: "6b0a",
  workflow_id: "hello_v1",
  workflow_version: 2,
  user_id: "u1",
  created_at: "2030-01-01T00:00:00Z",
  started_at: "2030-01-01T00:00:01Z",
  input_data: { payload: 1 },
  step_data: { step1: { output: 0, status: "completed", error: null, attempts: 1 } },
};

Deno.test("jobDocument() holds the input, the job and its steps", () => {
  assert.deepEqual(jobDocument(job), {
    job_input: { payload: 1 },
    job: {
      id: "6b0a",
      workflow_id: "hello_v1",
      workflow_version: 2,
      user_id: "u1",
      created_at: "2030-01-01T00:00:00Z",
      started_at: "2030-01-01T00:00:01Z",
    },
    step1: { output: 0, status: "completed", error: null, attempts: 1 },
  });
});

Deno.test("jobDocument() holds item and index in a child of a map, falsy ones too", () => {
  const document = jobDocument({ ...job, item: null, index: 0 });
  assert.equal(document["item"], null);
  assert.equal(document["index"], 0);
});

Deno.test("jobDocument() is not taken over by step data with a reserved name", () => {
  const step_data = JSON.parse('{"job":"x","job_input":"y","__proto__":{"z":1}}');
  const document = jobDocument({ ...job, step_data });
  assert.deepEqual(document["job_input"], { payload: 1 });
  assert.equal(Object.getPrototypeOf(document), Object.prototype);
});
