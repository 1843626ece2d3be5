import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { exists } from "../files.ts";
import { readLines } from "../lines.ts";

const RUNNER = new URL("./runner.ts", import.meta.url);
const READY = "\u0001listening ";
/** Long, as a first start may have packages to fetch. */
const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 7_000;

/** What a function's process is started with. */
export interface FunctionSettings {
  name: string;
  entrypoint: string;
  env: Record<string, string>;
  onLog: (line: string) => void;
}

/** One process that serves one function on a port of its own. */
export class FunctionProcess {
  /** Whether the process has ended, or is about to as it was told to. */
  ended = false;
  /** Resolves when the process has ended. */
  readonly gone: Promise<void>;

  private constructor(
    readonly child: Deno.ChildProcess,
    /** Where the function is served: `http://127.0.0.1:<port>`. */
    readonly url: string,
  ) {
    this.gone = child.status.then(() => {
      this.ended = true;
    });
  }

  /**
   * Starts the process and waits until it serves.
   *
   * @throws Error when it ends before, with its exit code; its log tells why
   */
  static async start(settings: FunctionSettings): Promise<FunctionProcess> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [...await flags(settings), RUNNER.href, pathToFileURL(settings.entrypoint).href],
      cwd: dirname(settings.entrypoint),
      env: settings.env,
      stdin: "piped", // its end is what tells the process that this one is gone
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const port = await waitForPort(child, settings.onLog);
    return new FunctionProcess(child, `http://127.0.0.1:${port}`);
  }

  /** Lets the process finish what it does, within limits, and waits until it has ended. */
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
      this.child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // "already terminated"
    }
  }
}

/** The rights that a function has on Supabase: no programs, no files but temporary ones. */
async function flags({ entrypoint }: FunctionSettings): Promise<string[]> {
  const config = join(dirname(entrypoint), "deno.json");
  return [
    "run",
    ...(await exists(config) ? ["--config", config] : ["--no-config"]),
    ...["--quiet", "--no-lock", "--no-prompt", "--node-modules-dir=none"],
    ...["--allow-net", "--allow-env", "--allow-read", "--allow-sys", "--allow-write=/tmp"],
  ];
}

function waitForPort(child: Deno.ChildProcess, onLog: (line: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`did not listen within ${START_LIMIT_MS / 1000} s`));
    }, START_LIMIT_MS);
    const output = readLines(child.stdout, (line) => {
      if (!line.startsWith(READY)) return onLog(line);
      clearTimeout(timer);
      resolve(Number(line.slice(READY.length)));
    });
    void Promise.all([child.status, output, readLines(child.stderr, onLog)]).then(([status]) => {
      clearTimeout(timer);
      reject(new Error(`ended with ${status.signal ?? `code ${status.code}`} before it listened`));
    });
  });
}
