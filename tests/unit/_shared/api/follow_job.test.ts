import assert from "node:assert/strict";
import { followJob } from "../../../../supabase/functions/_shared/api/follow_job.ts";
import { DatabaseUnavailableError } from "../../../../supabase/functions/_shared/store/errors.ts";
import { fakeStore, JOB_ID } from "./fake_deps.ts";

const STANDING = { status: "running", current_step_id: "a", run_number: 1 };
type Standing = typeof STANDING;

interface Script {
  /** How the job stands at each further look; the last stays. */
  standings?: Standing[];
  /** Ids of the events that are there at each look; none afterwards. */
  events?: number[][];
  after?: number;
  /** Fails the look of this number. */
  failAt?: number;
  /** Called with the clock at each pause. */
  onSleep?: (now: number, gone: AbortController) => void;
}

/** Follows a job on a clock that only pauses move. */
async function follow(script: Script, first: Standing = STANDING) {
  const { standings = [], events = [], after = 0, failAt, onSleep } = script;
  let [now, looks] = [0, 0];
  const asked: (number | undefined)[] = [];
  const gone = new AbortController();
  const store = fakeStore({
    jobStanding: () => Promise.resolve(standings[Math.min(looks, standings.length) - 1] ?? first),
    listEvents: (list) => {
      asked.push(list.after);
      if (++looks === failAt) return Promise.reject(new DatabaseUnavailableError("it is down"));
      return Promise.resolve((events[looks - 1] ?? []).map((id) => ({ id, type: "resumed" })));
    },
  });
  const text = [];
  const stream = followJob(store, {
    jobId: JOB_ID,
    after,
    standing: first,
    requestId: "r1",
    signal: gone.signal,
    now: () => now,
    sleep: (ms) => {
      now += ms;
      onSleep?.(now, gone);
      return Promise.resolve();
    },
  });
  for await (const part of stream) text.push(part);
  return { text: text.join(""), asked, seconds: () => now / 1_000 };
}

const status = (standing: Standing) =>
  `event: status\ndata: ${JSON.stringify({ job_id: JOB_ID, ...standing })}\n\n`;
const event = (id: number) => `id: ${id}\nevent: event\ndata: {"id":${id},"type":"resumed"}\n\n`;
const end = (reason: string) => `event: end\ndata: {"reason":"${reason}"}\n\n`;
const COMPLETED = { ...STANDING, status: "completed" };

Deno.test("followJob() tells all events of a job that has ended, then ends", async () => {
  const { text } = await follow({ events: [[3, 5]] }, COMPLETED);
  assert.equal(text, event(3) + event(5) + status(COMPLETED) + end("job_ended"));
});

Deno.test("followJob() tells each event once, and the status when it changes", async () => {
  const step = { ...STANDING, current_step_id: "b" };
  const { text, asked, seconds } = await follow({
    standings: [STANDING, step, step, COMPLETED],
    events: [[1], [], [4], [], [9]],
    after: 0,
  });
  assert.equal(
    text,
    event(1) + status(STANDING) + event(4) + status(step) + event(9) + status(COMPLETED) +
      end("job_ended"),
  );
  assert.deepEqual(asked, [0, 1, 1, 4, 4]);
  assert.equal(seconds(), 4);
});

Deno.test("followJob() begins after the event that it is told", async () => {
  const { asked } = await follow({ after: 41, events: [[42]] }, COMPLETED);
  assert.deepEqual(asked, [41]);
});

Deno.test("followJob() does not wait while there are more events than one look takes", async () => {
  const full = Array.from({ length: 100 }, (_, index) => index + 1);
  const { text, asked, seconds } = await follow({ events: [full, [101]] }, COMPLETED);
  assert.deepEqual([asked, seconds()], [[0, 100], 0]);
  assert.ok(text.endsWith(event(101) + status(COMPLETED) + end("job_ended")));
});

Deno.test("followJob() ends after 120 s, and is never silent for longer than 15 s", async () => {
  const { text, seconds } = await follow({});
  assert.equal(seconds(), 120);
  const heartbeats = text.split(": still here\n\n").length - 1;
  assert.equal(heartbeats, 8);
  assert.ok(text.startsWith(status(STANDING)) && text.endsWith(end("time_limit")));
});

Deno.test("followJob() stops when nobody reads on", async () => {
  const { text, seconds } = await follow({
    onSleep: (now, gone) => now === 3_000 && gone.abort(),
  });
  assert.deepEqual([text, seconds()], [status(STANDING), 3]);
});

Deno.test("followJob() ends with an error that tells nothing internal", async () => {
  const { text } = await follow({ failAt: 2 });
  assert.equal(
    text,
    status(STANDING) +
      `event: error\ndata: {"error":{"code":"unavailable","message":"The database cannot be reached","request_id":"r1"}}\n\n`,
  );
});
