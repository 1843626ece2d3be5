import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as } from "../../support/engine.ts";
import { ALICE, BOB } from "../../support/seed_database.ts";
import {
  asPerson,
  FINANCE,
  insertApproval,
  OTHER,
  OWNER,
  type Person,
} from "../../support/approvals.ts";

const file = await privateDatabase();

/** What a person finds of the only approval: nothing, or whether it may be decided. */
const seenBy = async (db: TestDatabase, person: Person): Promise<boolean | null> => {
  const [row] = await asPerson(
    db,
    person,
    (db) => db`select may_decide from public.approval_inbox`,
  );
  return row === undefined ? null : row.may_decide;
};

type Seen = [owner: boolean | null, other: boolean | null, finance: boolean | null];
const CASES: [name: string, columns: Record<string, unknown>, ...Seen][] = [
  ["nobody in particular", {}, true, null, null],
  ["nobody in particular and not the owner", { allow_self: false }, false, null, null],
  ["nobody at all", { assignees: [] }, false, null, null],
  ["a user id", { assignees: [BOB] }, false, true, null],
  ["a user id in capitals", { assignees: [BOB.toUpperCase()] }, false, true, null],
  ["an address in other letters", { assignees: ["BOB@example.COM"] }, false, true, null],
  ["a role", { assignees: ["finance"] }, false, null, true],
  ["a role in other letters", { assignees: ["Finance"] }, false, null, null],
  ["several", { assignees: [BOB, "audit"] }, false, true, true],
  ["the owner among others", { assignees: [ALICE, "audit"] }, true, null, true],
  [
    "the owner among others, but not himself",
    { assignees: [ALICE, "audit"], allow_self: false },
    ...[false, null, true] as Seen,
  ],
];

for (const [name, columns, ...seen] of CASES) {
  file.test(`approval_inbox: an approval for ${name}`, async (db) => {
    await insertApproval(db, columns);
    assert.deepEqual(
      [await seenBy(db, OWNER), await seenBy(db, OTHER), await seenBy(db, FINANCE)],
      seen,
    );
  });
}

for (
  const [name, person] of [
    ["no address", { sub: BOB }],
    ["an empty address", { sub: BOB, email: "" }],
    ["roles that are no list", { sub: BOB, app_metadata: { roles: "finance" } }],
    ["a role of his own making", { sub: BOB, user_metadata: { roles: ["finance"] } }],
  ] as [string, Person][]
) {
  file.test(`approval_inbox: ${name} is not an assignee`, async (db) => {
    await insertApproval(db, { assignees: ["finance", "bob@example.com", "", "null"] });
    assert.equal(await seenBy(db, person), null);
  });
}

file.test("approval_inbox: the one role of a token counts too", async (db) => {
  await insertApproval(db, { assignees: ["finance"] });
  assert.equal(await seenBy(db, { sub: BOB, app_metadata: { role: "finance" } }), true);
});

file.test("approvals: a person reads them, and writes nothing", async (db) => {
  const { id } = await insertApproval(db);
  for (
    const statement of [
      `update public.approvals set status = 'approved' where id = '${id}'`,
      `delete from public.approvals where id = '${id}'`,
      "insert into public.approvals default values",
    ]
  ) {
    await assert.rejects(asPerson(db, OWNER, (db) => db.unsafe(statement)), {
      code: "42501",
      message: "permission denied for table approvals",
    });
  }
});

file.test("approvals: a stranger and a session without a user see none", async (db) => {
  await insertApproval(db);
  assert.equal(
    (await as(db, "authenticated", null, (db) => db`select from public.approvals`)).count,
    0,
  );
  await assert.rejects(as(db, "anon", null, (db) => db`select from public.approvals`), {
    code: "42501",
  });
});

file.test("approvals: an attempt asks once", async (db) => {
  const { jobId } = await insertApproval(db);
  await assert.rejects(insertApproval(db, { job_id: jobId }), {
    constraint_name: "approvals_attempt_asks_once",
  });
});

for (
  const [constraint, columns] of [
    ["approvals_status_known", { status: "maybe", decided_at: new Date() }],
    ["approvals_closed_has_time", { status: "approved" }],
    ["approvals_closed_has_time", { decided_at: new Date() }],
    [
      "approvals_only_decisions_have_answers",
      { status: "expired", decided_at: new Date(), notes: "x" },
    ],
    [
      "approvals_notes_length",
      { status: "approved", decided_at: new Date(), notes: "x".repeat(10_001) },
    ],
  ] as [string, Record<string, unknown>][]
) {
  file.test(`approvals: ${constraint} refuses ${JSON.stringify(columns).slice(0, 60)}`, async (db) => {
    await assert.rejects(insertApproval(db, columns), { constraint_name: constraint });
  });
}

file.test("approvals: they go with their job", async (db) => {
  const { jobId } = await insertApproval(db);
  await db`delete from public.jobs where id = ${jobId}`;
  assert.equal((await db`select from public.approvals`).count, 0);
});
