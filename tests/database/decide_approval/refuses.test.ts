import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { BOB, stopClock } from "../../support/seed_database.ts";
import {
  asPerson,
  decide,
  FINANCE,
  insertApproval,
  OTHER,
  OWNER,
} from "../../support/approvals.ts";

const file = await privateDatabase();

file.test("decide_approval() refuses a second decision, MR010", async (db) => {
  const { id } = await insertApproval(db, { assignees: ["finance", "bob@example.com"] });
  await asPerson(db, FINANCE, (db) => decide(db, id));
  await assert.rejects(asPerson(db, OTHER, (db) => decide(db, id, "reject")), {
    code: "MR010",
    message: `Cannot decide approval ${id} as it is approved already`,
  });
  assert.equal((await db`select from public.job_inbox`).count, 1);
});

for (const status of ["expired", "cancelled"]) {
  file.test(`decide_approval() refuses one that is ${status}, MR010`, async (db) => {
    const { id } = await insertApproval(db, { status, decided_at: new Date() });
    await assert.rejects(asPerson(db, OWNER, (db) => decide(db, id)), {
      code: "MR010",
      message: `Cannot decide approval ${id} as it is ${status} already`,
    });
  });
}

file.test("decide_approval() refuses one whose time is over, MR010", async (db) => {
  const { id } = await insertApproval(db, { expires_at: "2030-01-08T12:00:00Z" });
  await stopClock(db, "2030-01-08T12:00:00Z");
  await assert.rejects(asPerson(db, OWNER, (db) => decide(db, id)), { code: "MR010" });
  await stopClock(db, "2030-01-08T11:59:59Z");
  await asPerson(db, OWNER, (db) => decide(db, id));
});

file.test("decide_approval() refuses one whose job has ended, MR010", async (db) => {
  const { id } = await insertApproval(db);
  await db`update public.jobs set status = 'cancelled', completed_at = now(), next_run_at = null`;
  await assert.rejects(asPerson(db, OWNER, (db) => decide(db, id)), {
    code: "MR010",
    message: `Cannot decide approval ${id} as its job has ended`,
  });
});

file.test("decide_approval() refuses who may see and not decide, MR011", async (db) => {
  const { id } = await insertApproval(db, { assignees: ["finance"] });
  await assert.rejects(asPerson(db, OWNER, (db) => decide(db, id)), {
    code: "MR011",
    message: `Cannot decide approval ${id} as you are not one of those who may`,
  });
});

file.test("decide_approval() refuses the owner himself where that is asked for, MR011", async (db) => {
  const { id } = await insertApproval(db, {
    assignees: ["finance", "alice@example.com"],
    allow_self: false,
  });
  await assert.rejects(asPerson(db, OWNER, (db) => decide(db, id)), { code: "MR011" });
});

file.test("decide_approval() refuses a person who decides for another, MR011", async (db) => {
  const { id } = await insertApproval(db);
  await assert.rejects(asPerson(db, OWNER, (db) => decide(db, id, "approve", { by: BOB })), {
    code: "MR011",
    message: "Cannot decide approval for somebody else",
  });
});

file.test("decide_approval() tells a stranger what it tells of one that never was, MR012", async (db) => {
  const { id } = await insertApproval(db);
  for (const unknown of [id, crypto.randomUUID()]) {
    await assert.rejects(asPerson(db, OTHER, (db) => decide(db, unknown)), {
      code: "MR012",
      message: `Cannot decide approval as there is no approval ${unknown}`,
    });
  }
});

file.test("decide_approval() refuses what is no decision and what is too much", async (db) => {
  const { id } = await insertApproval(db);
  const asOwner = (decision: string, more: Parameters<typeof decide>[3] = {}) =>
    asPerson(db, OWNER, (db) => decide(db, id, decision, more));
  await assert.rejects(asOwner("approved"), {
    code: "MR008",
    message:
      "Cannot decide approval as p_decision must be approve or reject: current value is approved",
  });
  await assert.rejects(asOwner("approve", { notes: "x".repeat(10_001) }), { code: "MR008" });
  await assert.rejects(asOwner("approve", { form: { x: "x".repeat(1_048_576) } }), {
    code: "MR006",
  });
  await asOwner("approve", { notes: "x".repeat(10_000) });
});
