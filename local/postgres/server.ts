import { join } from "node:path";
import type { Account } from "./account.ts";
import { reasonOf, StackError } from "../error.ts";
import { readTextIfExists } from "../files.ts";
import { readLines } from "../lines.ts";

/** What is needed to run one server on one data folder. */
export interface ServerOptions {
  /** Folder with `bin`, `lib` and `share`. */
  binaries: string;
  dataFolder: string;
  port: number;
  account: Account | undefined;
  /** Extra settings, each as `name=value`. */
  settings?: string[];
  /** Called with every line that the server logs. */
  onLog: (line: string) => void;
  /** Called each time that the server has ended, for whatever reason. */
  onEnd?: () => void;
}

// Starts its arguments and stops them when standard input ends, which it does as well when this
// process is killed and can do nothing any more.
const GUARD = `exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -INT $server; } >/dev/null 2>&1 & guard=$!
wait $server; status=$?
kill $guard 2>/dev/null
wait $guard 2>/dev/null
exit $status`;

const STARTS_AFTER_CRASH = 20;
const STOP_LIMIT_MS = 15_000;

/** One PostgreSQL server: started, stopped, and started again when it dies by itself. */
export class PostgresServer {
  #child: Deno.ChildProcess | undefined;
  /** What was asked for last; the next waits for it, so that no start runs into a stop. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(readonly options: ServerOptions) {}

  /**
   * Starts the server and waits until it takes connections.
   *
   * @throws StackError with the server's own words when it does not start
   */
  start(): Promise<void> {
    return this.#inTurn(() => this.#start());
  }

  /**
   * Stops the server. `fast` ends sessions and writes everything to the data files, `immediate`
   * is a crash as far as Postgres is concerned, `smart` is not offered as it can take for ever.
   */
  stop(mode: "fast" | "immediate" = "fast"): Promise<void> {
    return this.#inTurn(() => this.#stop(mode));
  }

  /** Stops and starts the server on the same port. */
  restart(mode: "fast" | "immediate"): Promise<void> {
    return this.#inTurn(async () => {
      await this.#stop(mode);
      await this.#start();
    });
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => {}); // who asked for it is told
    return done;
  }

  async #start(): Promise<void> {
    const { binaries, dataFolder, port, account, settings = [] } = this.options;
    const flags = [
      "listen_addresses=127.0.0.1",
      "unix_socket_directories=",
      `port=${port}`,
      "timezone=UTC",
      "log_line_prefix=",
      ...settings,
    ].flatMap((setting) => ["-c", setting]);
    const child = new Deno.Command("sh", {
      args: ["-c", GUARD, "sh", join(binaries, "bin/postgres"), "-D", dataFolder, ...flags],
      env: { LC_ALL: "C" },
      cwd: binaries,
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
      // Out of reach of the terminal's Ctrl-C: functions still need the database while they end.
      detached: true,
      ...account,
    }).spawn();
    try {
      await this.#waitUntilReady(child);
    } catch (error) {
      await child.stdin.close();
      throw error;
    }
    this.#child = child;
    void child.status.then(() => this.#ended(child));
  }

  async #stop(mode: "fast" | "immediate"): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined; // so its end is none that was not asked for
    const { dataFolder } = this.options;
    const isQuitting = mode === "immediate" && await signalServer(dataFolder, "SIGQUIT");
    if (!isQuitting) await child.stdin.close(); // the guard sends SIGINT
    const timer = setTimeout(() => void signalServer(dataFolder, "SIGQUIT"), STOP_LIMIT_MS);
    await child.status;
    clearTimeout(timer);
    if (isQuitting) await child.stdin.close();
  }

  #ended(child: Deno.ChildProcess): void {
    this.options.onEnd?.();
    if (this.#child !== child) return;
    this.#child = undefined;
    void this.#inTurn(() => this.#startAfterCrash(child));
  }

  async #startAfterCrash(child: Deno.ChildProcess): Promise<void> {
    await child.stdin.close();
    for (let attempt = 1; attempt <= STARTS_AFTER_CRASH; attempt++) {
      this.options.onLog("postgres ended by itself: starting it again");
      try {
        return await this.#start();
      } catch (error) {
        // Its backends may need a moment to see that it is gone.
        this.options.onLog(reasonOf(error));
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    }
  }

  #waitUntilReady(child: Deno.ChildProcess): Promise<void> {
    const said: string[] = [];
    return new Promise((resolve, reject) => {
      const done = readLines(child.stderr, (line) => {
        this.options.onLog(line);
        if (line.includes("database system is ready to accept connections")) resolve();
        else if (said.length < 50) said.push(line);
      });
      void Promise.all([done, child.status]).then(() => {
        const reason = said.filter((line) => /FATAL|ERROR|HINT|not/.test(line)).join("\n");
        reject(new StackError(`PostgreSQL did not start: ${reason || said.join("\n")}`));
      });
    });
  }
}

/** Stops a server that a killed stack has left behind on this data folder. */
export async function stopOrphan(dataFolder: string): Promise<void> {
  for (let waited = 0; await runningServer(dataFolder) !== undefined; waited += 100) {
    if (waited === 0) await signalServer(dataFolder, "SIGINT");
    if (waited === 5_000) await signalServer(dataFolder, "SIGQUIT");
    if (waited === 10_000) throw new StackError(`Another PostgreSQL runs on ${dataFolder}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Sends a signal to the server that runs on this folder; resolves to whether one does. */
async function signalServer(dataFolder: string, signal: Deno.Signal): Promise<boolean> {
  const pid = await runningServer(dataFolder);
  if (pid === undefined) return false;
  try {
    Deno.kill(pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false; // ended just now
    throw error;
  }
}

/** Process id of the server that runs on this folder, if one does. */
async function runningServer(dataFolder: string): Promise<number | undefined> {
  const pid = Number((await readTextIfExists(join(dataFolder, "postmaster.pid")))?.split("\n")[0]);
  if (!(pid > 0)) return undefined;
  // The file outlives a server that was killed, and the number may belong to another process now.
  const command = await commandLine(pid);
  return command?.includes(dataFolder) ? pid : undefined;
}

async function commandLine(pid: number): Promise<string | undefined> {
  if (Deno.build.os === "linux") return await readTextIfExists(`/proc/${pid}/cmdline`);
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "command=", "-p", `${pid}`] })
    .output();
  return new TextDecoder().decode(stdout);
}
