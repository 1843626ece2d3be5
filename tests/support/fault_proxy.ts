import { forward } from "../../local/functions/forward.ts";

/** What is to go wrong with requests, until it is taken back. */
export interface Fault {
  /** Part of the path of the requests that it is about. */
  path: string;
  /** Part of their body, if not all are meant. */
  body?: string;
  /** Before the request is passed on, or when its answer is there but not yet passed back. */
  when: "before" | "after";
  /**
   * Keeps it until the fault is taken back (`hold`), and then loses it (`lose`), answers 503 at once
   * (`fail`), or only counts it.
   */
  then: "hold" | "lose" | "fail" | "count";
  /** About so many requests only. */
  times?: number;
}

/**
 * Stands between functions and the stack's gateway, so that a test can choose what is lost on the
 * way: nothing, unless faults are added.
 */
export class FaultProxy {
  /** Where the requests go; set before the first comes. */
  target = "";
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #client = Deno.createHttpClient({ poolMaxIdlePerHost: 256 });
  readonly #faults = new Map<string, ActiveFault>();

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request, info) => this.#handle(request, info.completed),
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Makes something go wrong from now on; answers by which id to speak of it. */
  add(fault: Fault): string {
    const id = crypto.randomUUID();
    this.#faults.set(id, { ...fault, met: 0, hits: 0, over: Promise.withResolvers() });
    return id;
  }

  /** How many requests it has been about, in the moment that it is about. */
  hits(id: string): number {
    return this.#faults.get(id)?.hits ?? 0;
  }

  /** Takes a fault back: what it holds goes on. */
  remove(id: string): void {
    this.#faults.get(id)?.over.resolve();
    this.#faults.delete(id);
  }

  async close(): Promise<void> {
    for (const id of [...this.#faults.keys()]) this.remove(id);
    await Promise.race([
      this.#server.shutdown(),
      new Promise((resolve) => setTimeout(resolve, 200)),
    ]);
    this.#client.close();
  }

  async #handle(request: Request, completed: Promise<void>): Promise<Response> {
    completed.catch(() => {}); // the caller has left: forward() deals with it
    const path = request.url.slice(request.url.indexOf("/", "http://".length));
    const text = request.body === null ? null : await request.text();
    const fault = this.#find(path, text ?? "");
    if (fault?.when === "before") {
      await untilOver(fault);
      if (fault.then === "fail" || fault.then === "lose") return failed();
    }
    const { method, headers } = request;
    const passedOn = new Request(this.target + path, { method, headers, body: text });
    const response = await forward(passedOn, this.target + path, this.#client, completed);
    if (fault?.when !== "after") return response;
    const body = await response.arrayBuffer();
    fault.hits++;
    await untilOver(fault);
    if (fault.then === "fail" || fault.then === "lose") return failed();
    return new Response(body, response);
  }

  #find(path: string, body: string): ActiveFault | undefined {
    for (const fault of this.#faults.values()) {
      if (!path.includes(fault.path) || !body.includes(fault.body ?? "")) continue;
      if (fault.met >= (fault.times ?? Infinity)) continue;
      fault.met++;
      if (fault.when === "before") fault.hits++;
      return fault;
    }
    return undefined;
  }
}

type ActiveFault = Fault & { met: number; hits: number; over: PromiseWithResolvers<void> };

async function untilOver(fault: ActiveFault): Promise<void> {
  if (fault.then === "hold" || fault.then === "lose") await fault.over.promise;
}

function failed(): Response {
  return Response.json({ message: "the way to the database is broken" }, { status: 503 });
}
