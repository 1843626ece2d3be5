import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as } from "../../support/engine.ts";
import { ALICE, BOB, queuedCalls, setSecrets } from "../../support/seed_database.ts";

const file = await privateDatabase();

interface Args {
  payload?: unknown;
  key?: string | null;
  user?: string | null;
}
const emit = async (db: TestDatabase, name: string, { payload, key, user }: Args = {}) => {
  const [row] = await db`
    select public.emit_event(${name}, ${db.json((payload ?? {}) as never)}, ${key ?? null},
      ${user ?? null}) as reply`;
  return row?.reply;
};

const events = async (db: TestDatabase) =>
  (await db`select user_id, name, key, payload, job_id, delivered_at from public.events order by id`)
    .map((row) => ({ ...row }));

file.test("emit_event() keeps an event of the caller's for an orchestrator to deliver", async (db) => {
  const reply = await as(
    db,
    "authenticated",
    ALICE,
    (db) => emit(db, "order.paid", { payload: { amount: 0 }, key: "A1" }),
  );
  const [row] = await db`select id from public.events`;
  assert.deepEqual(reply, { event_id: row?.id, kick: false });
  assert.deepEqual(await events(db), [{
    user_id: ALICE,
    name: "order.paid",
    key: "A1",
    payload: { amount: 0 },
    job_id: null,
    delivered_at: null,
  }]);
});

file.test("emit_event() takes a list as payload and an empty object for none", async (db) => {
  await emit(db, "a", { payload: [0, false, null], user: ALICE });
  await db`select public.emit_event('b', null, p_user_id => ${ALICE})`;
  assert.deepEqual((await events(db)).map(({ payload }) => payload), [[0, false, null], {}]);
});

file.test("emit_event() by the service role is for everybody, or for whom it says", async (db) => {
  await as(db, "service_role", null, async (db) => {
    await emit(db, "for.all");
    await emit(db, "for.bob", { user: BOB });
  });
  assert.deepEqual((await events(db)).map(({ user_id }) => user_id), [null, BOB]);
  await db`delete from public.events`; // what is everybody's does not go with a user
});

file.test("emit_event() refuses a user who emits for another, MR011", async (db) => {
  await assert.rejects(as(db, "authenticated", ALICE, (db) => emit(db, "a", { user: BOB })), {
    code: "MR011",
    message: "Cannot emit event for somebody else",
  });
  await as(db, "authenticated", ALICE, (db) => emit(db, "a", { user: ALICE }));
});

file.test("emit_event() refuses a session without a user, MR009", async (db) => {
  for (const user of [null, BOB]) {
    await assert.rejects(as(db, "authenticated", null, (db) => emit(db, "a", { user })), {
      code: "MR009",
    });
  }
});

for (
  const [name, args, code] of [
    ["an empty name", ["", {}], "MR008"],
    ["a long name", ["x".repeat(201), {}], "MR008"],
    ["an empty key", ["a", { key: "" }], "MR008"],
    ["a long key", ["a", { key: "x".repeat(201) }], "MR008"],
    ["a large payload", ["a", { payload: { x: "x".repeat(65_536) } }], "MR006"],
    ["a payload that is large on disk", ["a", { payload: Array(10_000).fill(1) }], "MR006"],
  ] as [string, [string, Args], string][]
) {
  file.test(`emit_event() refuses ${name}, ${code}`, async (db) => {
    await assert.rejects(emit(db, ...args), { code, message: /^Cannot emit event as its / });
  });
}

file.test("emit_event() takes what is just short enough", async (db) => {
  const payload = { x: "x".repeat(65_000) };
  const longest = { key: "x".repeat(200), payload, user: ALICE };
  await emit(db, "x".repeat(200), longest);
  assert.equal((await events(db)).length, 1);
});

for (const kick of [true, false]) {
  file.test(`emit_event() leaves the kick to ${kick ? "the database" : "its caller"}`, async (db) => {
    await setSecrets(db);
    const [row] = await as(
      db,
      "authenticated",
      ALICE,
      (db) => db`select public.emit_event('a', p_kick => ${kick}) as reply`,
    );
    assert.equal(row?.reply.kick, !kick);
    assert.equal((await queuedCalls(db)).length, kick ? 1 : 0);
  });
}
