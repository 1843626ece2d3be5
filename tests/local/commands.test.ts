import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readTextIfExists } from "../../local/files.ts";
import { eventually, FIXTURES } from "./support.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FREE_PORTS = ["--port", "0", "--db-port", "0"];

/** A copy of the stack in a project of its own, in a path with a space. */
async function createProject(): Promise<string> {
  const folder = `${await Deno.makeTempDir()}/my project`;
  await Deno.chmod(folder.slice(0, folder.lastIndexOf("/")), 0o755);
  await Deno.mkdir(folder, { mode: 0o755 });
  for (const path of [`${ROOT}/local`, `${ROOT}/deno.json`]) await copy(path, folder);
  await copy(`${FIXTURES}/.`, `${folder}/supabase`);
  return folder;
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  await new Deno.Command("cp", { args: ["-R", from, to] }).output();
}

/** One run of a task; `Deno.Command` on the file that the task names, so signals reach it alone. */
class Run implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  stdout = "";
  stderr = "";
  readonly ended: Promise<number>;

  constructor(project: string, ...args: string[]) {
    this.child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-lock", "local/cli.ts", ...args],
      cwd: project,
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const read = async (stream: ReadableStream<Uint8Array>, name: "stdout" | "stderr") => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) this[name] += text;
    };
    this.ended = Promise.all([
      read(this.child.stdout, "stdout"),
      read(this.child.stderr, "stderr"),
      this.child.status,
    ]).then(([, , status]) => status.code);
  }

  /** What `dev --json` prints when it is ready. */
  ready(): Promise<Record<string, string>> {
    return eventually(() =>
      Promise.resolve(this.stdout.endsWith("\n") ? JSON.parse(this.stdout) : undefined)
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 10_000);
    if (this.stdout !== "") {
      try {
        this.child.kill("SIGTERM");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // has ended
      }
    }
    await this.ended;
    clearTimeout(timer);
  }
}

async function runTask(project: string, ...args: string[]): Promise<Run & { code: number }> {
  const run = new Run(project, ...args);
  return Object.assign(run, { code: await run.ended });
}

/** Command lines of all processes that were started from this project. */
async function processes(project: string): Promise<string[]> {
  const lines: string[] = [];
  if (Deno.build.os === "linux") {
    for await (const { name } of Deno.readDir("/proc")) {
      if (/^\d+$/.test(name)) lines.push(await readTextIfExists(`/proc/${name}/cmdline`) ?? "");
    }
  } else {
    const { stdout } = await new Deno.Command("ps", { args: ["-A", "-o", "args="] }).output();
    lines.push(...new TextDecoder().decode(stdout).split("\n"));
  }
  return lines.filter((line) => line.includes(project));
}

Deno.test("the tasks dev, status, db and reset", async (t) => {
  const project = await createProject();
  const dev = new Run(project, "dev", "--json", ...FREE_PORTS);
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
    assert.deepEqual(await processes(project), []);
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
      await eventually(async () => (await processes(project)).length === 0 ? true : undefined);
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
    assert.deepEqual(await processes(project), []);
    assert.deepEqual([...Deno.readDirSync(`${project}/.millrace/run`)], []);
    // Mended, the same data take it: its first half was rolled back.
    await Deno.writeTextFile(
      `${project}/supabase/migrations/${broken}`,
      "create table public.half (id integer);",
    );
    assert.equal((await runTask(project, "reset")).code, 0);
  });

  await t.step("wrong options are refused with 2 and the usage", async () => {
    for (const args of [["dev", "--port", "x"], ["dev", "--nope"], ["status", "-o", "yaml"], []]) {
      const run = await runTask(project, ...args);
      assert.equal(run.code, 2, args.join(" "));
    }
  });

  await Deno.remove(project.slice(0, project.lastIndexOf("/")), { recursive: true });
});
