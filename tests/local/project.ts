import { fileURLToPath } from "node:url";
import { readTextIfExists } from "../../local/files.ts";
import { eventually } from "./support.ts";

/** Root of the project that the tests are part of. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Options with which `dev` gets in nobody's way. */
export const FREE_PORTS = ["--port", "0", "--db-port", "0"];

const STOP_LIMIT_MS = 60_000;

/**
 * Makes a copy of the stack in a project of its own, in a path with a space.
 *
 * @param supabase what is to be its folder `supabase`
 */
export async function createProject(supabase: string): Promise<string> {
  const folder = `${await Deno.makeTempDir()}/my project`;
  await Deno.chmod(folder.slice(0, folder.lastIndexOf("/")), 0o755);
  await Deno.mkdir(folder, { mode: 0o755 });
  for (const path of [`${ROOT}/local`, `${ROOT}/deno.json`]) await copy(path, folder);
  await copy(`${supabase}/.`, `${folder}/supabase`);
  return folder;
}

/** Removes it. */
export async function removeProject(project: string): Promise<void> {
  await Deno.remove(project.slice(0, project.lastIndexOf("/")), { recursive: true });
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  const { success } = await new Deno.Command("cp", { args: ["-R", from, to] }).output();
  if (!success) throw new Error(`Cannot copy ${from}`);
}

/** One run of a task; `Deno.Command` on the file that the task names, so signals reach it alone. */
export class Run implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  stdout = "";
  stderr = "";
  /** Resolves to the exit code, when all output has been read. */
  readonly ended: Promise<number>;
  #hasEnded = false;

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
    ]).then(([, , status]) => {
      this.#hasEnded = true;
      return status.code;
    });
  }

  /** What `dev --json` prints when it is ready. @throws Error when it ends instead */
  ready(): Promise<Record<string, string>> {
    return eventually(() => {
      if (this.stdout.endsWith("\n")) return Promise.resolve(JSON.parse(this.stdout));
      if (this.#hasEnded) throw new Error(`It has ended: ${this.stderr}`);
      return Promise.resolve(undefined);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#hasEnded) return;
    const timer = setTimeout(() => this.#kill("SIGKILL"), STOP_LIMIT_MS);
    this.#kill("SIGTERM");
    await this.ended;
    clearTimeout(timer);
  }

  #kill(signal: Deno.Signal): void {
    try {
      this.child.kill(signal);
    } catch (error) {
      // It has ended, and its output is still being read.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Runs a task to its end. */
export async function runTask(project: string, ...args: string[]): Promise<Run & { code: number }> {
  const run = new Run(project, ...args);
  return Object.assign(run, { code: await run.ended });
}

/** Waits until no process lives that was started from this project. @throws Error with those left */
export async function allEnded(project: string): Promise<void> {
  let left: string[] = [];
  try {
    await eventually(async () => (left = await processes(project)).length === 0 || undefined);
  } catch {
    throw new Error(`Still alive: ${left.join("\n")}`);
  }
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
