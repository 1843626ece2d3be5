import assert from "node:assert/strict";
import { callbackToken } from "../../../supabase/functions/_shared/orchestrator/token.ts";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, insertJob } from "../../support/engine.ts";

const file = await privateDatabase();

const tokenOf = async (db: TestDatabase, job: string) => {
  const [settings] = await db`select callback_secret from millrace.settings`;
  return await callbackToken(settings?.callback_secret, job, {
    ...{ step_id: "a", visit: 1, attempt: 2 },
  });
};
const fail = (db: TestDatabase, token: string, error: unknown) =>
  db`select public.fail_step(${token}, ${JSON.stringify(error)}::text::jsonb) as reply`;

file.test("fail_step() puts the error into the mailbox that the token names", async (db) => {
  const id = await insertJob(db);
  const error = { code: "http_5xx", message: "it broke", retryable: true, details: [0, null] };
  const token = await tokenOf(db, id);
  const [row] = await as(db, "service_role", null, (db) => fail(db, token, error));
  assert.deepEqual(row?.reply, { job_id: id, step_id: "a" });
  const [message] = await db`select kind, step_id, visit, attempt, payload from public.job_inbox`;
  assert.deepEqual({ ...message }, {
    ...{ kind: "step_result", step_id: "a", visit: 1, attempt: 2 },
    payload: { status: "failed", error },
  });
});

for (
  const error of [null, {}, "broken", [], { code: "x" }, { code: 1, message: "m" }, {
    message: "m",
  }]
) {
  file.test(`fail_step() refuses ${JSON.stringify(error)} as an error, MR008`, async (db) => {
    const id = await insertJob(db);
    await assert.rejects(fail(db, await tokenOf(db, id), error), {
      code: "MR008",
      message: /^Cannot fail step as p_error must be \{code, message, …\}: current value is /,
    });
    assert.equal((await db`select from public.job_inbox`).count, 0);
  });
}

file.test("fail_step() refuses a forged token, MR005", async (db) => {
  const token = await tokenOf(db, await insertJob(db));
  await assert.rejects(fail(db, `${token}x`, { code: "timeout", message: "m" }), { code: "MR005" });
});
