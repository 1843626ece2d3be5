import assert from "node:assert/strict";
import type {
  JobWrite,
  TurnReply,
  TurnRequest,
} from "../../../../supabase/functions/_shared/contracts/turn.ts";
import { createLog } from "../../../../supabase/functions/_shared/log.ts";
import { takeTurn } from "../../../../supabase/functions/_shared/orchestrator/take_turn.ts";
import {
  DatabaseUnavailableError,
  InvalidArgumentError,
  StatementTimeoutError,
  StoreError,
  TransactionConflictError,
} from "../../../../supabase/functions/_shared/store/errors.ts";

const AWAY = new DatabaseUnavailableError("away");
const CONFLICT = new TransactionConflictError("lost", "40P01");
const REFUSED = new InvalidArgumentError("unsupported Unicode escape sequence", "22P05");

const TOO_LONG = new StatementTimeoutError("canceling statement", "57014");

type Answer = Error | Partial<TurnReply>;

/** A database that answers as it is told, and a clock that only passes while it is waited for. */
class World {
  readonly requests: TurnRequest[] = [];
  elapsed = 0;
  readonly events: unknown[] = [];

  constructor(private readonly answer: (request: TurnRequest, nth: number) => Answer) {}

  take(request: TurnRequest): Promise<TurnReply | null> {
    return takeTurn({
      store: {
        turn: (sent) => {
          this.requests.push(sent);
          const answer = this.answer(sent, this.requests.length - 1);
          if (answer instanceof Error) return Promise.reject(answer);
          return Promise.resolve({ ...emptyReply(sent), ...answer });
        },
      },
      log: createLog({}, { write: (line) => this.events.push(JSON.parse(line).event) }),
      clock: { elapsed: () => this.elapsed },
      config: { leaseSeconds: 30 },
      sleep: (ms) => Promise.resolve(void (this.elapsed += ms)),
    }, request);
  }

  /** Ids of the jobs that each request writes; `!` for one that is failed. */
  get written(): string[] {
    return this.requests.map(({ writes }) =>
      writes.map(({ job }) => `${job.job_id}${job.status === "failed" ? "!" : ""}`).join(" ")
    );
  }
}

function emptyReply({ writes, spawning }: TurnRequest): TurnReply {
  return {
    now: "2026-01-01T00:00:00.000Z",
    results: writes.map(({ job }) => ({ job_id: job.job_id, committed: true })),
    spawned: spawning.map(({ job }) => ({ job_id: job.job_id, committed: true })),
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
}

function aWrite(job_id: string): JobWrite {
  return {
    job: {
      job_id,
      version: 4,
      status: "running",
      current_step_id: "two",
      state: { visit: 2 },
      step_data: { one: { output: "bad", status: "completed", error: null, attempts: 1 } },
      next_run_at: null,
      next_retry_at: null,
      retry_count: 0,
      redeliveries: 0,
      final_result: "bad",
      error: null,
      spawned: null,
      max_failed_children: null,
      joined_failures: null,
      awaits_children: false,
      admission: null,
    },
    steps: [{ job_id } as JobWrite["steps"][number]],
    events: [{ job_id, type: "redelivered", step_id: "one", data: {} }],
    consumed: [7],
  };
}

function aRequest(...ids: string[]): TurnRequest {
  return {
    lease_token: "10000000-0000-4000-8000-000000000001",
    lease_seconds: 30,
    claim: 5,
    in_flight: 2,
    writes: ids.map(aWrite),
    spawning: [],
    extend: ["e"],
    known_definitions: [],
    known_scopes: [],
    catalog_revision: 1,
    look_ahead: true,
    leaving: true,
  };
}

Deno.test("takeTurn() is one call where nothing comes in between", async () => {
  const world = new World(() => ({}));
  const reply = await world.take(aRequest("a"));
  assert.deepEqual(reply?.results, [{ job_id: "a", committed: true }]);
  assert.equal(world.requests.length, 1);
});

Deno.test("takeTurn() tries the same again while the database is away", async () => {
  const world = new World((_, nth) => nth < 5 ? (nth % 2 === 0 ? AWAY : CONFLICT) : {});
  const request = aRequest("a");
  assert.ok(await world.take(request));
  assert.equal(world.requests.length, 6);
  for (const sent of world.requests) assert.equal(sent, request);
});

Deno.test("takeTurn() gives up when leases have run out, however long each answer took", async () => {
  const quick = new World(() => AWAY);
  assert.equal(await quick.take(aRequest("a")), null);
  assert.ok(quick.elapsed >= 30_000 && quick.elapsed < 31_000, `waited ${quick.elapsed} ms`);
  const slow: World = new World((): Answer => {
    slow.elapsed += 15_000;
    return AWAY;
  });
  assert.equal(await slow.take(aRequest("a")), null);
  assert.equal(slow.requests.length, 2);
});

Deno.test("takeTurn() fails with what it is told when nothing was to be written", async () => {
  const refusal = new StoreError("no", "22003");
  const world = new World(() => refusal);
  await assert.rejects(world.take(aRequest()), refusal);
  assert.equal(world.requests.length, 1);
});

Deno.test("takeTurn() fails the job whose write is refused, and no other", async () => {
  const hasBad = ({ writes }: TurnRequest) =>
    writes.some(({ job }) => job.job_id === "bad" && job.status !== "failed");
  const world = new World((request) => {
    if (hasBad(request)) return REFUSED;
    return request.writes.length > 0 ? {} : { next_run_at: "2026-01-02T00:00:00Z" };
  });
  const reply = await world.take(aRequest("a", "bad", "b"));
  assert.deepEqual(world.written, ["a bad b", "a", "bad", "bad!", "b", ""]);
  assert.deepEqual(reply?.results, [
    { job_id: "a", committed: true },
    { job_id: "bad", committed: false },
    { job_id: "b", committed: true },
  ]);
  assert.equal(reply?.next_run_at, "2026-01-02T00:00:00Z");
  const failure = JSON.parse(JSON.stringify(world.requests[3]?.writes[0]));
  assert.deepEqual(failure, {
    job: {
      ...aWrite("bad").job,
      status: "failed",
      state: { visit: 2 },
      step_data: {},
      final_result: null,
      force: true,
      error: {
        code: "internal",
        message: "What the step produced could not be stored",
        retryable: false,
      },
    },
    steps: [],
    events: [],
    consumed: [7],
  });
  assert.deepEqual(world.events, ["commit_refused", "write_refused"]);
});

Deno.test("takeTurn() claims and extends once, with the last of what it took apart", async () => {
  const world = new World((request) => request.writes.length > 1 ? REFUSED : {});
  await world.take(aRequest("a", "b"));
  const asks = ({ claim, extend, leaving, look_ahead }: TurnRequest) =>
    JSON.stringify([claim, extend.length, leaving, look_ahead]);
  assert.deepEqual(world.requests.map(asks), [
    "[5,1,true,true]",
    "[0,0,false,false]",
    "[0,0,false,false]",
    "[5,1,true,true]",
  ]);
});

Deno.test("takeTurn() hands on the messages of all that it took apart", async () => {
  const mail = (job_id: string) => [{ job_id, messages: [] }];
  const world = new World(({ writes }) => {
    if (writes.length > 1) return REFUSED;
    return { woken: mail(writes[0]?.job.job_id ?? "rest") };
  });
  const reply = await world.take(aRequest("a", "b"));
  assert.deepEqual(reply?.woken.map(({ job_id }) => job_id), ["a", "b", "rest"]);
});

Deno.test("takeTurn() fails no job because the database goes away while it takes apart", async () => {
  let away = 3;
  const world = new World(({ writes }) => {
    if (writes.length > 1) return REFUSED;
    return writes[0]?.job.job_id === "b" && away-- > 0 ? AWAY : {};
  });
  const reply = await world.take(aRequest("a", "b"));
  assert.deepEqual(world.written, ["a b", "a", "b", "b", "b", "b", ""]);
  assert.deepEqual(reply?.results.map(({ committed }) => committed), [true, true]);

  const gone = new World(({ writes }) => writes.length > 1 ? REFUSED : AWAY);
  assert.equal(await gone.take(aRequest("a", "b")), null);
  assert.ok(gone.written.every((ids) => !ids.includes("!")));
});

Deno.test("takeTurn() leaves a job to its lease when not even its failure can be stored", async () => {
  const world = new World(({ writes }) => writes.length > 0 ? REFUSED : {});
  const reply = await world.take(aRequest("bad"));
  assert.deepEqual(reply?.results, [{ job_id: "bad", committed: false }]);
  assert.deepEqual(world.events, ["commit_refused", "write_refused", "failure_refused"]);
});

Deno.test("takeTurn() takes apart what cannot even be sent", async () => {
  const world = new World(({ writes }) =>
    writes.some(({ job }) => job.job_id === "deep" && job.status !== "failed")
      ? new RangeError("Maximum call stack size exceeded")
      : {}
  );
  const reply = await world.take(aRequest("deep", "a"));
  assert.deepEqual(reply?.results.map(({ committed }) => committed), [false, true]);
});

Deno.test("takeTurn() takes a turn apart at once that takes the database too long", async () => {
  const world = new World(({ writes }) => writes.length > 1 ? TOO_LONG : {});
  const reply = await world.take(aRequest("a", "b"));
  assert.deepEqual(world.written, ["a b", "a", "b", ""]);
  assert.deepEqual(reply?.results.map(({ committed }) => committed), [true, true]);
  assert.equal(world.elapsed, 0);
});

Deno.test("takeTurn() leaves a job to its lease whose write alone takes too long", async () => {
  for (const kind of ["writes", "spawning"] as const) {
    const world = new World((request) =>
      request[kind].some(({ job }) => job.job_id === "long") ? TOO_LONG : {}
    );
    const writes = ["long", "a"].map(aWrite);
    const reply = await world.take({ ...aRequest(), [kind]: writes });
    const told = kind === "writes" ? reply?.results : reply?.spawned;
    assert.deepEqual(told, [
      { job_id: "long", committed: false },
      { job_id: "a", committed: true },
    ]);
    assert.ok(world.written.every((ids) => !ids.includes("!")), "it is failed");
    assert.deepEqual(world.events, ["commit_refused", "write_refused"]);
  }
});

Deno.test("takeTurn() tries a turn again that takes too long though it writes nothing", async () => {
  const world = new World((_, nth) => nth < 2 ? TOO_LONG : {});
  assert.ok(await world.take(aRequest()));
  assert.equal(world.requests.length, 3);
  assert.ok(world.elapsed > 0);
});

Deno.test("takeTurn() keeps of a job that it fails what tells its attempts apart", async () => {
  const state = {
    ...{ visit: 2, attempt: 3, visits: { one: 4 }, entered_at: 5, previous_step: "one" },
    ...{ events: { one: 6 }, not_before: "2026-01-01T00:00:00.000Z" },
  };
  const bad = aWrite("bad");
  const rest = { checking: { output: "\u0000", since: "t" }, paused: true };
  const write = { ...bad, job: { ...bad.job, state: { ...state, ...rest } } };
  const world = new World(({ writes }) => writes[0]?.job.status === "running" ? REFUSED : {});
  await world.take({ ...aRequest(), writes: [write] });
  assert.deepEqual(world.written, ["bad", "bad", "bad!", ""]);
  assert.deepEqual(world.requests[2]?.writes[0]?.job.state, state);
});
