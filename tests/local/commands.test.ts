import assert from "node:assert/strict";
import { allEnded, createProject, FREE_PORTS, removeProject, Run, runTask } from "./project.ts";
import { FIXTURES } from "./support.ts";

Deno.test("the tasks dev, status, db and reset", async (t) => {
  const project = await createProject(FIXTURES);
  await using dev = new Run(project, "dev", "--json", ...FREE_PORTS);
  const addresses = await dev.ready();

  await t.step("dev --json prints one line with the addresses and keys", () => {
    assert.deepEqual(Object.keys(addresses), [
      "api_url",
      "functions_url",
      "db_url",
      "publishable_key",
      "secret_key",
    ]);
    assert.equal(dev.stdout.trim().split("\n").length, 1);
  });

  await t.step("status -o json and -o env tell the same", async () => {
    const { jwt_secret, ...rest } = JSON.parse(
      (await runTask(project, "status", "-o", "json")).stdout,
    );
    assert.deepEqual(rest, addresses);
    assert.equal(typeof jwt_secret, "string");
    const env = await runTask(project, "status", "-o", "env");
    assert.match(env.stdout, new RegExp(`^API_URL="${addresses.api_url}"$`, "m"));
  });

  await t.step("a second dev on the same data says which one runs, and ends with 1", async () => {
    const second = await runTask(project, "dev", "--json", ...FREE_PORTS);
    assert.equal(second.code, 1);
    assert.equal(second.stdout, "");
    assert.ok(second.stderr.includes(addresses.api_url ?? ""), second.stderr);
  });

  await t.step("dev on a port that is taken names it, and ends with 1", async () => {
    const port = new URL(addresses.api_url ?? "").port;
    for (const options of [["--port", port], ["--port", "0", "--db-port", port]]) {
      const other = await runTask(project, "dev", "--fresh", ...options);
      assert.equal(other.code, 1);
      assert.match(other.stderr, new RegExp(`Port ${port} is taken.*${options.at(-2)}`));
    }
  });

  await t.step("reset drops the data of a stack that runs, and keeps its keys", async () => {
    const insert = await runTask(project, "db", "insert into notes (text) values ('gone soon')");
    assert.equal(insert.code, 0, insert.stderr);
    assert.equal((await runTask(project, "reset")).code, 0);
    const count = await runTask(
      project,
      "db",
      "select count(*) as left from notes where text like 'g%'",
    );
    assert.match(count.stdout, /"0"/);
  });

  await t.step("SIGINT stops everything, with 0", async () => {
    await (await fetch(`${addresses.functions_url}/greet`)).body?.cancel();
    dev.child.kill("SIGINT");
    assert.equal(await dev.ended, 0, dev.stderr);
    await allEnded(project);
    assert.equal((await runTask(project, "status")).code, 1);
  });

  await t.step(
    "after SIGKILL nothing lives on, and dev starts again on the same data",
    async () => {
      const killed = new Run(project, "dev", "--json", ...FREE_PORTS);
      const { functions_url } = await killed.ready();
      await (await fetch(`${functions_url}/greet`)).body?.cancel();
      killed.child.kill("SIGKILL");
      await killed.ended;
      await using again = new Run(project, "dev", "--json", ...FREE_PORTS);
      assert.equal((await again.ready()).secret_key, addresses.secret_key);
      again.child.kill("SIGTERM");
      assert.equal(await again.ended, 0, again.stderr);
      await allEnded(project);
    },
  );

  await t.step("a migration that fails is named with its line, and nothing is left", async () => {
    const broken = "20270101000000_break_things.sql";
    await Deno.writeTextFile(
      `${project}/supabase/migrations/${broken}`,
      "create table public.half (id integer);\n\ncreate table public.broken (id no_such_type);\n",
    );
    for (const fresh of [[], ["--fresh"]]) {
      const run = await runTask(project, "dev", "--json", ...FREE_PORTS, ...fresh);
      assert.equal(run.code, 1);
      assert.equal(run.stdout, "");
      assert.match(run.stderr, new RegExp(`${broken}, line 3: .*no_such_type`));
    }
    await allEnded(project);
    assert.deepEqual([...Deno.readDirSync(`${project}/.millrace/run`)], []);
    // Mended, the same data take it: its first half was rolled back.
    await Deno.writeTextFile(
      `${project}/supabase/migrations/${broken}`,
      "create table public.half (id integer);",
    );
    assert.equal((await runTask(project, "reset")).code, 0);
  });

  await t.step("wrong options are refused with 2 and the usage", async () => {
    for (
      const [args, firstLine] of [
        [["dev", "--port", "x"], "--port must be a port from 0 to 65535: current value is 'x'"],
        [["dev", "--nope"], "Unknown option '--nope'"],
        [["dev", "fast"], "Unexpected argument 'fast'"],
        [["status", "-o", "yaml"], "-o must be env or json: current value is 'yaml'"],
        [["reset", "all"], "Unexpected argument 'all'"],
        [["clock", "advance"], "'advance' needs an argument"],
        [
          ["clock", "advance", "1 day"],
          "A duration is written as 1d2h or 90s: current value is '1 day'",
        ],
        [
          ["clock", "set", "noon"],
          "A time is written as 2030-12-31T23:59:00Z: current value is 'noon'",
        ],
        [["clock", "next", "1d"], "Unexpected argument '1d'"],
        [["clock", "next", "--step"], "--step is for advance and set"],
        [["clock", "next", "--wait", "-1"], /^Option '--wait' argument is ambiguous/],
        [
          ["clock", "next", "--wait", "x"],
          "--wait must be seconds from 0 to 86400: current value is 'x'",
        ],
        [["clock", "stop"], "Unknown action 'stop'"],
        [["nope"], "Usage: deno task dev | status | db | clock | reset"],
        [[], "Usage: deno task dev | status | db | clock | reset"],
      ] as [string[], string | RegExp][]
    ) {
      const run = await runTask(project, ...args);
      const [first] = run.stderr.split("\n");
      assert.equal(run.code, 2, args.join(" "));
      if (typeof firstLine === "string") assert.equal(first, firstLine);
      else assert.match(first ?? "", firstLine);
      assert.match(
        run.stderr,
        new RegExp(`^Usage: deno task ${args[0] ?? ""}`.replace("nope", ""), "m"),
      );
      assert.equal(run.stdout, "");
    }
  });

  await t.step("--help prints the usage, with 0", async () => {
    for (const name of ["dev", "status", "db", "clock", "reset"]) {
      const run = await runTask(project, name, "--help");
      assert.deepEqual([run.code, run.stderr], [0, ""]);
      assert.ok(run.stdout.startsWith(`Usage: deno task ${name}`), run.stdout);
    }
  });

  await removeProject(project);
});
