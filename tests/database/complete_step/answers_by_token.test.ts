import assert from "node:assert/strict";
import { callbackToken } from "../../../supabase/functions/_shared/orchestrator/token.ts";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import {
  as,
  claimOne,
  commit,
  commitOf,
  completionOf,
  insertJob,
  readJob,
} from "../../support/engine.ts";
import { queuedCalls, setSecrets } from "../../support/seed_database.ts";

const file = await privateDatabase();

const tokenOf = async (db: TestDatabase, job: string, step_id = "a", visit = 1, attempt = 1) => {
  const [settings] = await db`select callback_secret from millrace.settings`;
  return await callbackToken(settings?.callback_secret, job, { step_id, visit, attempt });
};
const complete = async (db: TestDatabase, token: string, output: unknown) =>
  (await db`select public.complete_step(${token}, ${
    JSON.stringify(output)
  }::text::jsonb) as reply`)[
    0
  ]?.reply;
const messages = async (
  db: TestDatabase,
) => [
  ...await db`select job_id, kind, step_id, visit, attempt, payload from public.job_inbox order by id`,
];

file.test("complete_step() puts the result into the mailbox that the token names", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  await commit(db, [commitOf(job, { status: "waiting", next_run_at: "2099-01-01T00:00:00Z" })]);
  const token = await tokenOf(db, id, "a", 2, 3);
  const reply = await as(db, "service_role", null, (db) => complete(db, token, { ok: true }));
  assert.deepEqual(reply, { job_id: id, step_id: "a" });
  assert.deepEqual(await messages(db), [
    {
      ...{ job_id: id, kind: "step_result", step_id: "a", visit: 2, attempt: 3 },
      payload: { status: "completed", output: { ok: true } },
    },
  ]);
  assert.ok((await readJob(db, id)).next_run_at <= new Date());
});

file.test("complete_step() reads tokens of every length that a step id can have", async (db) => {
  const id = await insertJob(db);
  for (const length of [1, 2, 3, 4, 63, 64]) {
    const step = "s".repeat(length);
    const reply = await complete(db, await tokenOf(db, id, step, 1000, 1001), null);
    assert.deepEqual(reply, { job_id: id, step_id: step });
  }
});

file.test("complete_step() keeps outputs that look like nothing", async (db) => {
  const id = await insertJob(db);
  const token = await tokenOf(db, id);
  const outputs = [0, false, "", null, []];
  for (const output of outputs) await complete(db, token, output);
  await db`select public.complete_step(${token}, null)`;
  assert.deepEqual(
    (await messages(db)).map(({ payload }) => payload.output),
    [...outputs, null],
  );
});

file.test("complete_step() kicks an orchestrator", async (db) => {
  const id = await insertJob(db, { run_at: "2099-01-01T00:00:00Z" });
  await setSecrets(db);
  await db`update millrace.pulse set last_kick_at = null`;
  const token = await tokenOf(db, id);
  await as(db, "service_role", null, (db) => complete(db, token, 1));
  assert.deepEqual((await queuedCalls(db)).map(({ body }) => body.reason), ["message"]);
});

file.test("complete_step() takes a result that is late: the engine drops it", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  await commit(db, [commitOf(job, { current_step_id: "b" })]);
  await complete(db, await tokenOf(db, id), 1);
  assert.equal((await messages(db)).length, 1);
  assert.equal((await readJob(db, id)).current_step_id, "b");
});

file.test("complete_step() refuses a job that has ended, MR007", async (db) => {
  const id = await insertJob(db);
  await commit(db, [completionOf(await claimOne(db))]);
  await assert.rejects(complete(db, await tokenOf(db, id), 1), {
    code: "MR007",
    message: `Cannot send a message to job ${id} as it has ended`,
  });
});

file.test("complete_step() refuses a job that is gone, MR002", async (db) => {
  const id = crypto.randomUUID();
  await assert.rejects(complete(db, await tokenOf(db, id), 1), {
    code: "MR002",
    message: `Cannot finish step as there is no job ${id}`,
  });
});

file.test("complete_step() refuses every token that is not one of ours, MR005", async (db) => {
  const id = await insertJob(db);
  const other = await insertJob(db);
  const token = await tokenOf(db, id);
  const [body = "", signature = ""] = token.split(".");
  const [otherBody = ""] = (await tokenOf(db, other)).split(".");
  const garbled: Record<string, string | null> = {
    "null": null,
    "nothing": "",
    "a dot": ".",
    "a word": "token",
    "no signature": body,
    "an empty signature": `${body}.`,
    "an empty body": `.${signature}`,
    "another job's body": `${otherBody}.${signature}`,
    "a shortened signature": token.slice(0, -1),
    "a changed signature": `${body}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`,
    "other capitals": `${body}.${signature.toUpperCase()}`,
    "a body that is not base64": `!!!.${signature}`,
    "a key of somebody else's": await callbackToken("f".repeat(64), id, {
      ...{ step_id: "a", visit: 1, attempt: 1 },
    }),
    "non-ASCII letters": "ü.ü",
  };
  for (const [title, forged] of Object.entries(garbled)) {
    await assert.rejects(
      db`select public.complete_step(${forged}, '1')`,
      { code: "MR005", message: "Cannot finish step as the token is not one of ours" },
      title,
    );
  }
  assert.deepEqual(await messages(db), []);
});

file.test("complete_step() refuses the tokens of before when the secret is changed", async (db) => {
  const id = await insertJob(db);
  const token = await tokenOf(db, id);
  await db`update millrace.settings set callback_secret = repeat('n', 64)`;
  await assert.rejects(complete(db, token, 1), { code: "MR005" });
  await complete(db, await tokenOf(db, id), 1);
});

for (
  const [name, output] of [
    ["large", "x".repeat(4_194_304)],
    ["of numbers hundreds of digits long", Array(60).fill("1e131000")],
  ] as const
) {
  file.test(`complete_step() refuses a result that is ${name}, MR006`, async (db) => {
    const token = await tokenOf(db, await insertJob(db));
    const json = typeof output === "string" ? JSON.stringify(output) : `[${output}]`;
    await assert.rejects(
      db`select public.complete_step(${token}, ${json}::text::jsonb)`,
      { code: "MR006", message: /^Cannot finish step as its result must be <= 4194304 bytes: / },
    );
    await complete(db, token, "x".repeat(4_194_000));
    assert.equal((await messages(db)).length, 1);
  });
}
