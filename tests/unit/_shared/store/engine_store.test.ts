import assert from "node:assert/strict";
import type { SupabaseClient } from "@supabase/supabase-js";
import type {
  JobWrite,
  TurnReply,
  TurnRequest,
} from "../../../../supabase/functions/_shared/contracts/turn.ts";
import { createLog } from "../../../../supabase/functions/_shared/log.ts";
import {
  createEngineStore,
  turnArgument,
} from "../../../../supabase/functions/_shared/store/engine_store.ts";
import {
  DatabaseUnavailableError,
  InvalidArgumentError,
} from "../../../../supabase/functions/_shared/store/errors.ts";
import { aJob } from "../../../support/manual_engine.ts";

interface Answer {
  data?: unknown;
  error?: { code: string; message: string };
  status?: number;
}

/** A store whose client answers so, one call after the other, and what it was asked and logged. */
function aStore(...answers: Answer[]) {
  const calls: { name: string; body: unknown }[] = [];
  const lines: Record<string, unknown>[] = [];
  const client = {
    rpc: (name: string, body?: unknown) => {
      calls.push({ name, body });
      const { data = null, error = null, status = 200 } = answers.shift() ?? {};
      return Promise.resolve({ data, error, status });
    },
  } as unknown as SupabaseClient;
  const log = createLog({}, { write: (line) => lines.push(JSON.parse(line)) });
  return { calls, lines, store: createEngineStore(client, log, () => Promise.resolve()) };
}

const REQUEST: TurnRequest = {
  lease_token: "10000000-0000-4000-8000-000000000001",
  lease_seconds: 30,
  claim: 5,
  in_flight: 0,
  writes: [],
  spawning: [],
  extend: ["e"],
  known_definitions: ["w@1"],
  known_scopes: [],
  catalog_revision: null,
  look_ahead: true,
  leaving: false,
};

const REPLY: TurnReply = {
  now: "2026-01-01T00:00:00+00:00",
  results: [],
  spawned: [],
  woken: [],
  extended: { lost: [], woken: [] },
  claimed: [],
  scopes: [],
  unreadable: [],
  definitions: [],
  catalog_revision: 1,
  transformers: null,
  callback_secret: null,
  next_run_at: null,
  events_left: false,
};

function aWrite(job_id: string, ids: number[]): JobWrite {
  return {
    job: { job_id, version: 1 },
    steps: [{ job_id, step_id: "one" }],
    events: [{ job_id, type: "redelivered" }],
    consumed: ids,
  } as unknown as JobWrite;
}

Deno.test("turnArgument() has the writes of all jobs as flat lists", () => {
  const writes: JobWrite[] = [
    aWrite("a", [1, 2]),
    { ...aWrite("b", []), unsubscribe: true, closeApproval: "expired" },
  ];
  const { writes: _writes, spawning: _spawning, ...rest } = REQUEST;
  assert.deepEqual(turnArgument({ ...REQUEST, writes }), {
    p_turn: {
      ...rest,
      spawning: null,
      commit: {
        jobs: [{ job_id: "a", version: 1 }, { job_id: "b", version: 1 }],
        steps: [{ job_id: "a", step_id: "one" }, { job_id: "b", step_id: "one" }],
        events: [{ job_id: "a", type: "redelivered" }, { job_id: "b", type: "redelivered" }],
        consumed: [{ job_id: "a", id: 1 }, { job_id: "a", id: 2 }],
        spawns: [],
        child_messages: [],
        reopenings: [],
        subscriptions: [],
        unsubscribed: ["b"],
        approvals: [],
        closed_approvals: [{ job_id: "b", status: "expired" }],
      },
    },
  });
  assert.deepEqual(turnArgument(REQUEST), { p_turn: { ...rest, spawning: null, commit: null } });
});

Deno.test("turn() reads what the database answers", async () => {
  const { job_id } = aJob();
  // A fresh job's state is empty, and users may have ids that are no RFC 9562 UUIDs.
  const row = { ...aJob({ user_id: "11111111-1111-1111-1111-111111111111" }), state: {} };
  const data = { ...REPLY, claimed: [row], extended: { lost: [job_id], woken: [] } };
  const { store, calls, lines } = aStore({ data });
  const reply = await store.turn(REQUEST);
  assert.deepEqual(calls, [{ name: "turn", body: turnArgument(REQUEST) }]);
  assert.deepEqual(reply.extended.lost, [job_id]);
  assert.equal(reply.claimed[0]?.user_id, row.user_id);
  assert.deepEqual(reply.claimed[0]?.state, {
    visit: 1,
    attempt: 1,
    steps_visited: 1,
    previous_step: null,
    visits: {},
    handling_error: false,
    paused: false,
    events: {},
  });
  assert.deepEqual(lines, []);
});

Deno.test("turn() leaves jobs that it cannot read to their leases, and takes the others", async () => {
  const unreadable: unknown[] = [
    { ...aJob(), state: { waiting: { kind: "of a newer version" } } },
    { ...aJob(), current_step_id: null },
    { ...aJob(), messages: [{ id: 1, kind: "of a newer version" }] },
    {},
    null,
  ];
  const good = aJob();
  const { store, lines } = aStore({ data: { ...REPLY, claimed: [...unreadable, good] } });
  const { claimed, unreadable: setApart } = await store.turn(REQUEST);
  assert.deepEqual(claimed.map(({ job_id }) => job_id), [good.job_id]);
  assert.equal(setApart.length, 3, "those whose owner and version are known can be ended");
  assert.deepEqual(
    lines.map(({ event, job_id }) => [event, job_id]),
    unreadable.map((row) => ["job_unreadable", (row as { job_id?: string } | null)?.job_id]),
  );
});

Deno.test("turn() fails when the answer is none", async () => {
  for (const data of [null, {}, { ...REPLY, claimed: null }, { ...REPLY, now: 1 }]) {
    await assert.rejects(aStore({ data }).store.turn(REQUEST), { name: "ZodError" });
  }
});

const CONFLICT: Answer = { error: { code: "40P01", message: "deadlock detected" }, status: 400 };
const AWAY: Answer = { error: { code: "", message: "fetch failed" }, status: 0 };

Deno.test("turn() and tick() are sent again after a conflict or a broken connection", async () => {
  const { store, calls } = aStore(CONFLICT, AWAY, { data: REPLY }, AWAY, {});
  await store.turn(REQUEST);
  assert.equal(calls.length, 3);
  for (const { body } of calls) assert.deepEqual(body, turnArgument(REQUEST));
  await store.tick();
  assert.deepEqual(calls.slice(3).map(({ name }) => name), ["tick", "tick"]);
});

Deno.test("turn() and tick() fail when the database stays away, or refuses", async () => {
  const { store } = aStore(AWAY, AWAY, AWAY, AWAY, AWAY, AWAY, AWAY, AWAY);
  await assert.rejects(store.turn(REQUEST), DatabaseUnavailableError);
  await assert.rejects(store.tick(), DatabaseUnavailableError);
  const refused = { error: { code: "22P05", message: "unsupported" }, status: 400 };
  const other = aStore(refused);
  await assert.rejects(other.store.turn(REQUEST), InvalidArgumentError);
  assert.equal(other.calls.length, 1);
});
