import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as } from "../../support/engine.ts";
import { ALICE, BOB, stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();

const consume = async (db: TestDatabase, user = ALICE, scope = "start", limit = 2) =>
  (await db`select public.consume_rate_limit(${user}, ${scope}, ${limit}, 60) as reply`)[0]?.reply;

file.test("consume_rate_limit() allows as many as the limit, then says how long to wait", async (db) => {
  await stopClock(db, "2030-01-01T12:00:10.500Z");
  assert.deepEqual(await consume(db), { allowed: true, remaining: 1, retry_after_seconds: 0 });
  assert.deepEqual(await consume(db), { allowed: true, remaining: 0, retry_after_seconds: 0 });
  assert.deepEqual(await consume(db), { allowed: false, remaining: 0, retry_after_seconds: 50 });
});

file.test("consume_rate_limit() begins anew with the next window", async (db) => {
  await stopClock(db, "2030-01-01T12:00:59.999Z");
  for (let i = 0; i < 3; i++) await consume(db);
  assert.deepEqual(await consume(db), { allowed: false, remaining: 0, retry_after_seconds: 1 });
  await stopClock(db, "2030-01-01T12:01:00Z");
  assert.deepEqual(await consume(db), { allowed: true, remaining: 1, retry_after_seconds: 0 });
  assert.equal((await db`select from public.rate_limits`).count, 1);
});

file.test("consume_rate_limit() counts users and scopes apart", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  await consume(db);
  await consume(db);
  assert.equal((await consume(db)).allowed, false);
  assert.equal((await consume(db, BOB)).remaining, 1);
  assert.equal((await consume(db, ALICE, "read")).remaining, 1);
});

file.test("consume_rate_limit() does not count a flood past its limit", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  for (let i = 0; i < 6; i++) await consume(db);
  const [row] = await db`select used from public.rate_limits`;
  assert.equal(row?.used, 3);
});

file.test("consume_rate_limit() with a limit of 0 allows nothing", async (db) => {
  assert.equal((await consume(db, ALICE, "start", 0)).allowed, false);
});

file.test("consume_rate_limit() allows no more than the limit when connections race", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  const connections = Array.from({ length: 5 }, () => file.connect());
  const replies = await Promise.all(
    connections.flatMap((each) => [consume(each, ALICE, "s", 4), consume(each, ALICE, "s", 4)]),
  );
  assert.equal(replies.filter(({ allowed }) => allowed).length, 4);
  for (const each of connections) await each.end();
});

file.test("consume_rate_limit() works for the service role", async (db) => {
  const reply = await as(db, "service_role", null, (db) => consume(db));
  assert.equal(reply.allowed, true);
});

file.test("record_api_requests() keeps measurements", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  const requests = [
    { endpoint: "jobs", method: "GET", status: 200, duration_ms: 1.5 },
    { endpoint: "start-workflow", method: "POST", status: 500, duration_ms: 20 },
  ];
  await as(
    db,
    "service_role",
    null,
    (db) => db`select public.record_api_requests(${db.json(requests)})`,
  );
  const rows = await db`select * from public.api_requests order by endpoint`;
  const created_at = new Date("2030-01-01T12:00:00Z");
  assert.deepEqual([...rows], requests.map((request) => ({ ...request, created_at })));
});
