import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { verifyUserToken } from "../api/user_token.ts";
import type { ProjectConfig } from "../config.ts";
import { reasonOf } from "../error.ts";
import { failure, forward } from "./forward.ts";
import { FunctionProcess } from "./process.ts";

/** What the functions of a project run with. */
export interface FunctionHostOptions {
  /** Folder that holds one folder per function. */
  folder: string;
  config: ProjectConfig["functions"];
  jwtSecret: string;
  /** Environment of every function, on top of this process's own. */
  env: Record<string, string>;
  /** Names of the functions that call others. */
  callers?: readonly string[];
  /** Called with each line that a function writes. */
  onLog: (name: string, line: string) => void;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;

/** Serves `/functions/v1/<name>/…`: one process per function, started on its first request. */
export class FunctionHost {
  /** File that each function begins in, by name. */
  readonly #found = new Map<string, string>();
  /** Those that take requests, by name. */
  readonly #serving = new Map<string, FunctionProcess>();
  /** All that live, retired ones too. */
  readonly #living = new Set<FunctionProcess>();
  readonly #client = Deno.createHttpClient({ poolMaxIdlePerHost: 256, poolIdleTimeout: 60_000 });
  #stopping = false;

  constructor(readonly options: FunctionHostOptions) {}

  /**
   * Passes a request on to the function that `path` (`/<name>/…?query`) names; `completed` settles
   * when the caller has the whole answer, and is rejected when it left before.
   */
  async handle(request: Request, path: string, completed: Promise<void>): Promise<Response> {
    const name = /^\/([^/?]*)/.exec(path)?.[1] ?? "";
    const entrypoint = this.#found.get(name) ?? this.#locate(name);
    if (entrypoint === undefined) {
      return failure(404, "NOT_FOUND", "Requested function was not found");
    }
    if (this.options.config[name]?.verify_jwt !== false && request.method !== "OPTIONS") {
      const problem = await verifyUserToken(request, this.options.jwtSecret);
      if (problem !== undefined) return failure(401, "UNAUTHORIZED", problem);
    }
    if (this.#stopping) return failure(503, "UNAVAILABLE", "The local stack is stopping");
    let url: string;
    try {
      url = await this.#serve(name, entrypoint).url;
    } catch (error) {
      this.options.onLog(name, `Function '${name}' failed to start: it ${reasonOf(error)}`);
      return failure(503, "BOOT_ERROR", "Function failed to start (please check logs)");
    }
    return await forward(request, url + path, this.#client, completed);
  }

  /** Process id of a running function. */
  pid(name: string): number | undefined {
    const worker = this.#serving.get(name);
    return worker?.ended === false ? worker.pid : undefined;
  }

  /**
   * Sends a signal to a running function; resolves to whether there was one. After SIGKILL, when it
   * has ended.
   */
  async kill(name: string, signal: Deno.Signal): Promise<boolean> {
    const worker = this.#serving.get(name);
    if (worker?.ended !== false) return false;
    worker.kill(signal);
    if (signal === "SIGKILL") await worker.gone;
    return true;
  }

  /** Lets running functions finish; the next request starts them anew. No name means all. */
  retire(name?: string): void {
    for (const [key, worker] of this.#serving) {
      if (name === undefined || name === key) worker.retire();
    }
  }

  /**
   * Gives functions a few seconds to finish what they do, and ends them all. Those that call others
   * end at once: they would take the end of the others for a fault.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all((this.options.callers ?? []).map((name) => this.kill(name, "SIGKILL")));
    await Promise.all([...this.#living].map((worker) => worker.stop()));
    this.#client.close();
  }

  /** Looks for the file that a function begins in; `undefined` when there is no such function. */
  #locate(name: string): string | undefined {
    const { folder, config } = this.options;
    const { enabled = true, entrypoint } = config[name] ?? {};
    if (!enabled || !NAME.test(name)) return undefined;
    const path = entrypoint === undefined
      ? join(folder, name, "index.ts")
      : join(dirname(folder), entrypoint);
    if (!existsSync(path)) return undefined;
    this.#found.set(name, path);
    return path;
  }

  /** The process of a function, started when there is none that takes requests. */
  #serve(name: string, entrypoint: string): FunctionProcess {
    const known = this.#serving.get(name);
    if (known?.ended === false) return known;
    const worker = new FunctionProcess({
      entrypoint,
      env: this.options.env,
      onLog: (line) => this.options.onLog(name, line),
    });
    this.#serving.set(name, worker);
    this.#living.add(worker);
    void worker.gone.finally(() => this.#living.delete(worker));
    return worker;
  }
}
