import assert from "node:assert/strict";
import { ago, alerts, alertTest } from "../../support/alerts.ts";
import type { TestDatabase } from "../../support/database.ts";
import { insertJob } from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { ALICE } from "../../support/seed_database.ts";

const file = await privateDatabase();
const test = (name: string, run: (db: TestDatabase) => Promise<void>) => alertTest(file, name, run);

test("secret_missing for each Vault secret that is not set", async (db) => {
  await db`delete from vault.secrets where name = 'millrace_secret_key'`;
  assert.deepEqual(await alerts(db), [{
    ...{ severity: "critical", kind: "secret_missing", subject: "millrace_secret_key" },
    message: "The Vault secret 'millrace_secret_key' is not set, so the database cannot call " +
      "workflow-orchestrator: select vault.create_secret(<value>, 'millrace_secret_key')",
    ...{ value: null, threshold: null, since: null },
  }]);
});

test("tick_missing when tick() does not run while something is due", async (db) => {
  await db`update millrace.pulse set last_tick_at = ${ago(90)}`;
  assert.deepEqual(await alerts(db), []); // nothing is due
  await insertJob(db, { created_at: ago(61) });
  const missing = (await alerts(db)).filter(({ kind }) => kind === "tick_missing");
  assert.deepEqual(missing.map(({ value, threshold, since }) => [value, threshold, since]), [
    [90, 60, new Date(ago(90))],
  ]);
  assert.match(
    missing[0]?.message ?? "",
    /^tick\(\) last ran at .* while jobs or events are due: check /,
  );
});

test("tick_missing when tick() has never run, or a crash has taken its trace", async (db) => {
  await db`delete from millrace.pulse`;
  await insertJob(db, { created_at: ago(61) });
  const missing = (await alerts(db)).filter(({ kind }) => kind === "tick_missing");
  assert.deepEqual(missing.map(({ value, since }) => [value, since]), [[null, new Date(ago(61))]]);
  assert.match(missing[0]?.message ?? "", /^tick\(\) has not run since the database started while/);
});

test("tick_missing when events wait to be delivered and no job is due", async (db) => {
  await db`update millrace.pulse set last_tick_at = ${ago(90)}`;
  await db`insert into public.events (user_id, name, created_at) values (${ALICE}, 'e', ${
    ago(61)
  })`;
  const kinds = (await alerts(db)).map(({ kind }) => kind);
  assert.deepEqual(kinds, ["event_delay", "tick_missing"]);
});

/** Answers of pg_net to the two watched calls, the newer first, and the message they make. */
const ANSWERS: [title: string, answers: Record<string, unknown>[], message: RegExp | null][] = [
  ["202", [{ id: 8, status_code: 202 }], null],
  ["202 after a 500", [{ id: 8, status_code: 202 }, { id: 5, status_code: 500 }], null],
  ["nothing yet after a 202", [{ id: 5, status_code: 202 }], null],
  ["500", [{ id: 8, status_code: 500 }, { id: 5, status_code: 202 }], /answered 500$/],
  ["nothing yet after a 503", [{ id: 5, status_code: 503 }], /answered 503$/],
  [
    "401",
    [{ id: 8, status_code: 401 }],
    /answered 401: check the Vault secret millrace_secret_key/,
  ],
  ["404", [{ id: 8, status_code: 404 }], /answered 404: deploy workflow-orchestrator/],
  [
    "nothing in time",
    [{ id: 8, timed_out: true, error_msg: "Timeout of 10000 ms reached" }],
    /did not answer within 10 seconds$/,
  ],
  [
    "no server",
    [{ id: 8, error_msg: "Couldn't connect" }],
    /could not be reached: Couldn't connect$/,
  ],
  [
    "an error to somebody else's call",
    [{ id: 6, status_code: 500 }, { id: 9, status_code: 500 }],
    null,
  ],
];
for (const [title, answers, message] of ANSWERS) {
  test(`orchestrator_unreachable by the last answer: ${title}`, async (db) => {
    await db`update millrace.pulse set watched_kick_ids = '{8,5}', watched_kick_at = ${ago(60)}`;
    for (const answer of answers) {
      const row = { created: ago(50), ...answer };
      await db`insert into net._http_response ${db(row as never)}`;
    }
    const found = await alerts(db);
    assert.deepEqual(found.map(({ kind }) => kind), message ? ["orchestrator_unreachable"] : []);
    if (message) {
      assert.match(found[0]?.message ?? "", /^The database called workflow-orchestrator, which /);
      assert.match(found[0]?.message ?? "", message);
      assert.equal(found[0]?.since?.toISOString(), ago(50));
    }
  });
}

test("no secret is in them", async (db) => {
  await db`update millrace.pulse set watched_kick_ids = '{8}', watched_kick_at = ${ago(60)}`;
  await db`insert into net._http_response (id, status_code, headers, content, created)
    values (8, 401, '{"apikey": "sb_secret_test"}', 'sb_secret_test', ${ago(50)})`;
  const text = JSON.stringify(await alerts(db));
  assert.match(text, /answered 401/);
  assert.doesNotMatch(text, /sb_secret_test/);
});
