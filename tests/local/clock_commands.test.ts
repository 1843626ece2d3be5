import assert from "node:assert/strict";
import postgres from "postgres";
import { createProject, FREE_PORTS, removeProject, ROOT, Run, runTask } from "./project.ts";
import { eventually } from "./support.ts";

const DAY_MS = 86_400_000;
const WORKFLOW = {
  start_step: "say",
  steps: { say: { transformer_id: "echo-transformer", input_map: { text: "$.job_input.text" } } },
};

/** Starts a job that is to run a day from the engine's now. */
async function startTomorrow(db: postgres.Sql): Promise<{ id: string; due: Date }> {
  const user = crypto.randomUUID();
  await db`insert into auth.users (id, email) values (${user}, ${`${user}@example.com`})`;
  await db`insert into transformers (id, type, target_function)
    values ('echo-transformer', 'echo', 'execute-echo') on conflict do nothing`;
  await db`insert into workflows (id, definition) values ('tomorrow', ${db.json(WORKFLOW)})
    on conflict do nothing`;
  const [job] = await db`insert into jobs (user_id, workflow_id, input_data, run_at)
    values (${user}, 'tomorrow', '{"text": "hi"}', millrace.now() + interval '24 hours')
    returning id, run_at`;
  return { id: job?.id, due: job?.run_at };
}

/** The time that a command has printed first. */
function timeIn({ stdout }: Run): Date {
  const time = new Date(stdout.split(" ")[0] ?? "");
  assert.ok(Number.isFinite(time.getTime()), stdout);
  return time;
}

Deno.test("the task clock", async (t) => {
  const project = await createProject(`${ROOT}/supabase`);
  const clock = (...args: string[]) => runTask(project, "clock", ...args);

  await t.step("says that no stack runs, with 1", async () => {
    const run = await clock();
    assert.equal(run.code, 1);
    assert.match(run.stderr, /does not run/);
  });

  await t.step("shows and moves the clock of dev --virtual-clock", async () => {
    await using dev = new Run(project, "dev", "--virtual-clock", "--json", ...FREE_PORTS);
    const { db_url = "" } = await dev.ready();
    const db = postgres(db_url, { max: 1, onnotice: () => {} });

    const before = Date.now();
    const shown = await clock();
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /^\S+Z {2}\(0s ahead of real time\)\n$/);
    assert.ok(timeIn(shown).getTime() >= before - 1);

    const nothing = await clock("next");
    assert.equal(nothing.code, 1);
    assert.match(nothing.stdout, /\(0s ahead of real time\)/);
    assert.equal(nothing.stderr, "No job waits for a time\n");

    const first = await startTomorrow(db);
    const next = await clock("next");
    assert.equal(next.code, 0, next.stderr);
    assert.ok(timeIn(next) >= first.due);
    assert.deepEqual(next.stdout.split("\n").slice(1), [
      "1 job became due:",
      `  job ${first.id} of tomorrow: it is to start`,
      "",
    ]);
    await eventually(async () =>
      (await db`select from jobs where id = ${first.id} and started_at >= run_at
        and status = 'completed'`)[0]
    );

    const second = await startTomorrow(db);
    const short = await clock("advance", "23h");
    assert.match(short.stdout, /moved by .*\)\nNothing became due\n$/);
    const step = await clock("advance", "1d2h", "--step");
    assert.equal(step.code, 0, step.stderr);
    const lines = step.stdout.trimEnd().split("\n");
    assert.deepEqual(lines.slice(1, 3), [
      "1 job became due:",
      `  job ${second.id} of tomorrow: it is to start`,
    ]);
    assert.equal(lines.at(-1), "Nothing became due");

    const past = await clock("set", "2020-01-01T00:00:00Z");
    assert.equal(past.code, 1);
    assert.equal(
      past.stderr,
      "The clock goes forward only: `deno task reset` sets it back\n",
    );
    const to = new Date(timeIn(step).getTime() + 30 * DAY_MS);
    const set = await clock("set", to.toISOString());
    assert.equal(set.code, 0, set.stderr);
    assert.ok(timeIn(set) >= to);
    const far = await clock("advance", "40000d");
    assert.equal(far.code, 1);
    assert.match(far.stderr, /^The clock can be at most 100 years ahead/);

    await db.end();
  });

  await t.step("a clock that was moved stays with the data, and reset ends it", async () => {
    await using dev = new Run(project, "dev", "--json", ...FREE_PORTS);
    await dev.ready();
    assert.match(dev.stderr, /The clock of these data is 3\dd\S* ahead of real time/);
    assert.ok(timeIn(await clock()).getTime() > Date.now() + 30 * DAY_MS);

    assert.equal((await runTask(project, "reset")).code, 0);
    const run = await clock();
    assert.deepEqual([run.code, run.stdout], [1, ""]);
    assert.match(run.stderr, /runs on real time: start it with `deno task dev --virtual-clock`/);
  });

  await t.step("one that was not moved leaves nothing behind", async () => {
    const functionOf = async (...options: string[]) => {
      await using dev = new Run(project, "dev", "--json", ...FREE_PORTS, ...options);
      const db = postgres((await dev.ready())["db_url"] ?? "", { max: 1 });
      const [row] = await db`select pg_get_functiondef('millrace.now()'::regprocedure) as text,
        has_function_privilege('authenticated', 'millrace.now()', 'execute') as is_granted,
        to_regnamespace('millrace_local') is not null as has_schema`;
      await db.end();
      return { ...row };
    };
    const real = await functionOf();
    const virtual = await functionOf("--virtual-clock");
    assert.notEqual(virtual["text"], real["text"]);
    assert.equal(virtual["is_granted"], true);
    assert.deepEqual([real["is_granted"], real["has_schema"]], [true, false]);
    assert.deepEqual(await functionOf(), real);
  });

  await removeProject(project);
});
