import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { readLines } from "../lines.ts";

const RUNNER = new URL("./runner.ts", import.meta.url);
const READY = "\u0001listening ";
/** Long, as a first start may have packages to fetch. */
const START_LIMIT_MS = 120_000;
/** A little more than the process gives itself. */
const STOP_LIMIT_MS = 6_000;

/** What a function's process is started with. */
export interface FunctionSettings {
  entrypoint: string;
  env: Record<string, string>;
  onLog: (line: string) => void;
}

/** One process that serves one function on a port of its own. */
export class FunctionProcess {
  /** Whether the process has ended, or takes nothing new as it was told to end. */
  ended = false;
  /**
   * Where the function is served: `http://127.0.0.1:<port>`. Rejected when the process ends before
   * it serves, with a reason that its log explains.
   */
  readonly url: Promise<string>;
  /** Resolves when the process has ended. */
  readonly gone: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;

  constructor(settings: FunctionSettings) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...flags(settings), RUNNER.href, pathToFileURL(settings.entrypoint).href],
      cwd: dirname(settings.entrypoint),
      env: { NO_COLOR: "1", ...settings.env },
      stdin: "piped", // its end is what tells the process that this one is gone
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.gone = this.#child.status.finally(() => this.ended = true);
    this.url = this.#waitForPort(settings.onLog);
    this.url.catch(() => {}); // whoever needs it awaits it, which may be nobody
  }

  /** Process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Lets the process finish what it does, however long it takes, and take on nothing new. */
  retire(): void {
    this.ended = true;
    this.kill("SIGHUP");
  }

  /** Gives the process a few seconds to finish what it does, and waits until it has ended. */
  async stop(): Promise<void> {
    this.ended = true;
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill("SIGKILL"), STOP_LIMIT_MS);
    await this.gone;
    clearTimeout(timer);
  }

  /** Sends a signal; does nothing when the process has ended. */
  kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      // "Child process has already terminated", or it has without this process knowing yet.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async #waitForPort(onLog: (line: string) => void): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => {
      this.kill("SIGKILL");
      reject(new Error(`did not listen within ${START_LIMIT_MS / 1000} s`));
    }, START_LIMIT_MS);
    const output = readLines(this.#child.stdout, (line) => {
      if (!line.startsWith(READY)) onLog(line);
      else resolve(`http://127.0.0.1:${line.slice(READY.length)}`);
    });
    void Promise.all([this.gone, output, readLines(this.#child.stderr, onLog)])
      .then(([{ signal, code }]) =>
        reject(new Error(`ended with ${signal ?? `code ${code}`} before it listened`))
      );
    return await promise.finally(() => clearTimeout(timer));
  }
}

/** The rights that a function has on Supabase: no programs, no files but temporary ones. */
function flags({ entrypoint }: FunctionSettings): string[] {
  const config = join(dirname(entrypoint), "deno.json");
  return [
    "run",
    ...(existsSync(config) ? ["--config", config] : ["--no-config"]),
    ...["--quiet", "--no-lock", "--no-prompt", "--node-modules-dir=none"],
    ...["--allow-net", "--allow-env", "--allow-read", "--allow-sys", "--allow-write=/tmp"],
  ];
}
