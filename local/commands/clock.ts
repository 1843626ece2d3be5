import postgres from "postgres";
import { describeDueJob } from "../clock/due_job.ts";
import { formatDuration, parseDuration } from "../clock/duration.ts";
import { findClock } from "../clock/settle.ts";
import type { Move, MoveOptions, VirtualClock } from "../clock/virtual_clock.ts";
import { StackError } from "../error.ts";
import { readArguments, UsageError } from "./arguments.ts";
import { print, say } from "./say.ts";
import { needProjectStack } from "./status.ts";

/** What `deno task clock --help` prints. */
export const USAGE = `Usage: deno task clock                      shows the time
       deno task clock advance DURATION     moves forward: 1d2h, 90s, 250ms (units w d h m s ms)
       deno task clock set TIME             moves to a time in the future (RFC 3339)
       deno task clock next                 moves to when the next job falls due; 1 when none does

Needs a stack that was started with --virtual-clock. Before it moves, the clock waits until no job
is under way (leased or due); what becomes due is taken up at once. pg_cron, Auth and the time
limits within executors stay on real time.

  --step             (advance, set) stop at every moment on the way when a job falls due
  --wait SECONDS     how long to wait for the end of what is under way; default 30
  --force            wait for nothing: attempts that are out may be delivered once more`;

const MAX_WAIT_SECONDS = 86_400;

/** `deno task clock`: shows and moves the clock of the stack that runs. */
export async function clock(args: string[]): Promise<number> {
  const { values, positionals } = readArguments(args, {
    step: { type: "boolean" },
    wait: { type: "string" },
    force: { type: "boolean" },
  }, 2);
  const act = readAction(positionals, {
    step: values.step ?? false,
    waitMs: readWait(values.wait),
    force: values.force ?? false,
  });

  const { db_url } = await needProjectStack();
  const db = postgres(db_url, { max: 1, onnotice: ({ message }) => say(message ?? "") });
  try {
    const found = await findClock(db);
    if (found === undefined) {
      throw new StackError(
        "The local stack runs on real time: start it with `deno task dev --virtual-clock`",
      );
    }
    return await act(found);
  } finally {
    await db.end();
  }
}

type Action = (clock: VirtualClock) => Promise<number>;
type Options = MoveOptions & { step: boolean };

function readAction([name, argument]: string[], options: Options): Action {
  const wantsArgument = name === "advance" || name === "set";
  if (wantsArgument !== (argument !== undefined)) {
    throw new UsageError(
      wantsArgument ? `'${name}' needs an argument` : `Unexpected argument '${argument}'`,
    );
  }
  if (options.step && !wantsArgument) throw new UsageError("--step is for advance and set");
  switch (name) {
    case undefined:
      return async (clock) => await showTime(clock);
    case "next":
      return async (clock) => await moveToNext(clock, options);
    case "advance": {
      const ms = readDuration(argument ?? "");
      return async (clock) =>
        await moveTo(clock, new Date((await clock.now()).getTime() + ms), options);
    }
    case "set": {
      const to = readTime(argument ?? "");
      return async (clock) => {
        if (to > await clock.now()) return await moveTo(clock, to, options);
        throw new StackError("The clock goes forward only: `deno task reset` sets it back");
      };
    }
    default:
      throw new UsageError(`Unknown action '${name}'`);
  }
}

async function showTime(clock: VirtualClock, moved = ""): Promise<number> {
  const ahead = formatDuration(await clock.aheadMs());
  print(`${(await clock.now()).toISOString()}  (${ahead} ahead of real time${moved})`);
  return 0;
}

async function moveToNext(clock: VirtualClock, options: Options): Promise<number> {
  const move = await clock.next(options);
  if (move === undefined) {
    await showTime(clock);
    say("No job waits for a time");
    return 1;
  }
  await show(clock, move);
  return 0;
}

async function moveTo(clock: VirtualClock, to: Date, options: Options): Promise<number> {
  if (options.step) {
    for await (const move of clock.stepTo(to, options)) await show(clock, move);
  } else {
    await show(clock, await clock.moveTo(to, options));
  }
  return 0;
}

async function show(clock: VirtualClock, { from, to, due, jobs }: Move): Promise<void> {
  await showTime(clock, `, moved by ${formatDuration(to.getTime() - from.getTime())}`);
  if (due === 0) print("Nothing became due");
  else print(due === 1 ? "1 job became due:" : `${due} jobs became due:`);
  for (const job of jobs) print(`  ${describeDueJob(job)}`);
  if (due > jobs.length) print(`  … and ${due - jobs.length} more`);
}

function readDuration(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new UsageError(`A duration is written as 1d2h or 90s: current value is '${text}'`);
}

const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)$/;

function readTime(text: string): Date {
  const time = new Date(text);
  if (RFC_3339.test(text) && Number.isFinite(time.getTime())) return time;
  throw new UsageError(
    `A time is written as 2030-12-31T23:59:00Z: current value is '${text}'`,
  );
}

function readWait(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && seconds <= MAX_WAIT_SECONDS) return seconds * 1000;
  throw new UsageError(
    `--wait must be seconds from 0 to ${MAX_WAIT_SECONDS}: current value is '${text}'`,
  );
}
