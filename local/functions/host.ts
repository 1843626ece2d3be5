import { dirname, join } from "node:path";
import { exists } from "../files.ts";
import { verifyUserToken } from "../api/user_token.ts";
import type { ProjectConfig } from "../config.ts";
import { FunctionProcess } from "./process.ts";

/** What the functions of a project run with. */
export interface FunctionHostOptions {
  /** Folder that holds one folder per function. */
  folder: string;
  config: ProjectConfig["functions"];
  jwtSecret: string;
  /** Environment of every function, on top of this process's own. */
  env: Record<string, string>;
  /** Called with each line that a function writes. */
  onLog: (name: string, line: string) => void;
}

/** A request that takes longer to answer is given up, as on Supabase. */
const IDLE_LIMIT_MS = 150_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;

/** Serves `/functions/v1/<name>/…`: one process per function, started on its first request. */
export class FunctionHost {
  readonly #processes = new Map<string, Promise<FunctionProcess>>();
  readonly #retired = new Set<Promise<void>>();
  readonly #client = Deno.createHttpClient({ poolMaxIdlePerHost: 256, poolIdleTimeout: 60_000 });
  #stopping = false;

  constructor(readonly options: FunctionHostOptions) {}

  /**
   * Passes a request on to the function that `path` (`/<name>/…?query`) names; `completed` settles
   * when the caller has the whole answer, and is rejected when it left before.
   */
  async handle(request: Request, path: string, completed: Promise<void>): Promise<Response> {
    const name = /^\/([^/?]*)/.exec(path)?.[1] ?? "";
    const settings = this.options.config[name];
    if (settings?.verify_jwt !== false && request.method !== "OPTIONS") {
      const problem = await verifyUserToken(request, this.options.jwtSecret);
      if (problem !== undefined) return answer(401, "UNAUTHORIZED", problem);
    }
    let worker: FunctionProcess;
    try {
      const running = await this.#process(name);
      if (running === undefined) {
        return answer(404, "NOT_FOUND", "Requested function was not found");
      }
      worker = running;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.options.onLog(name, `Function '${name}' failed to start: it ${reason}`);
      return answer(503, "BOOT_ERROR", "Function failed to start (please check logs)");
    }
    return await this.#forward(request, worker, path, completed);
  }

  /** Process id of a running function. */
  async pid(name: string): Promise<number | undefined> {
    const worker = await this.#processes.get(name);
    return worker === undefined || worker.ended ? undefined : worker.child.pid;
  }

  /**
   * Sends a signal to a running function; resolves to whether there was one. After SIGKILL, when it
   * has ended.
   */
  async kill(name: string, signal: Deno.Signal): Promise<boolean> {
    const worker = await this.#processes.get(name);
    if (worker === undefined || worker.ended) return false;
    worker.kill(signal);
    if (signal === "SIGKILL") await worker.gone;
    return true;
  }

  /** Lets running functions finish; the next request starts them anew. No name means all. */
  retire(name?: string): void {
    for (const [key, started] of this.#processes) {
      if (name !== undefined && name !== key) continue;
      this.#processes.delete(key);
      const ended = started.then((worker) => worker.stop(), () => {})
        .finally(() => this.#retired.delete(ended));
      this.#retired.add(ended);
    }
  }

  /** Lets all functions finish what they do, within limits, and ends them. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.retire();
    await Promise.all(this.#retired);
    this.#client.close();
  }

  /** The running process of a function, started when there is none. */
  async #process(name: string): Promise<FunctionProcess | undefined> {
    const known = this.#processes.get(name);
    if (known !== undefined) {
      const worker = await known;
      if (!worker.ended) return worker;
      if (this.#processes.get(name) === known) this.#processes.delete(name);
      return await this.#process(name);
    }
    if (this.#stopping) throw new Error("the local stack is stopping");
    // Set before anything is awaited, so that requests at the same time share one start.
    const started = this.#start(name);
    this.#processes.set(name, started as Promise<FunctionProcess>);
    const forget = () => {
      if (this.#processes.get(name) === started) this.#processes.delete(name);
    };
    const worker = await started.catch((error) => {
      forget();
      throw error;
    });
    if (worker === undefined) forget();
    return worker;
  }

  async #start(name: string): Promise<FunctionProcess | undefined> {
    const settings = this.options.config[name];
    const entrypoint = settings?.entrypoint === undefined
      ? join(this.options.folder, name, "index.ts")
      : join(dirname(this.options.folder), settings.entrypoint);
    if (!NAME.test(name) || settings?.enabled === false || !await exists(entrypoint)) return;
    return await FunctionProcess.start({
      name,
      entrypoint,
      env: this.options.env,
      onLog: (line) => this.options.onLog(name, line),
    });
  }

  async #forward(
    request: Request,
    worker: FunctionProcess,
    path: string,
    completed: Promise<void>,
  ): Promise<Response> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort("idle"), IDLE_LIMIT_MS);
    completed.catch(() => abort.abort("caller left"));
    const headers = new Headers(request.headers);
    headers.set("accept-encoding", "identity"); // nothing to gain on one machine
    try {
      return await fetch(worker.url + path, {
        method: request.method,
        headers,
        body: request.body,
        redirect: "manual",
        signal: abort.signal,
        client: this.#client,
      });
    } catch (error) {
      if (abort.signal.reason === "idle") {
        return answer(504, "IDLE_TIMEOUT", "Request idle timeout limit reached");
      }
      return answer(502, "WORKER_ERROR", `Function did not answer: ${String(error)}`);
    } finally {
      clearTimeout(timer);
    }
  }
}

function answer(status: number, code: string, message: string): Response {
  return Response.json({ code, message }, {
    status,
    headers: { "access-control-allow-origin": "*" },
  });
}
