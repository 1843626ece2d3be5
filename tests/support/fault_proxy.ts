import { forward } from "../../local/functions/forward.ts";

/** What is to go wrong with requests, until it is taken back. */
export interface Fault {
  /** Part of the path of the requests that it is about. */
  path: string;
  /** Part of their body, if not all are meant. */
  body?: string;
  /** Before the request is passed on, or when its answer is there but not yet passed back. */
  when: "before" | "after";
  /** Keeps it until the fault is taken back, or answers 503 instead. */
  then: "hold" | "fail";
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
    this.#faults.set(id, { ...fault, hits: 0, over: Promise.withResolvers() });
    return id;
  }

  /** How many requests it has been about. */
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
      if (fault.then === "fail") return failed();
      await fault.over.promise;
    }
    const { method, headers } = request;
    const passedOn = new Request(this.target + path, { method, headers, body: text });
    const response = await forward(passedOn, this.target + path, this.#client, completed);
    if (fault?.when !== "after") return response;
    const body = await response.arrayBuffer();
    if (fault.then === "fail") return failed();
    await fault.over.promise;
    return new Response(body, response);
  }

  #find(path: string, body: string): ActiveFault | undefined {
    for (const fault of this.#faults.values()) {
      if (!path.includes(fault.path) || !body.includes(fault.body ?? "")) continue;
      if (fault.hits >= (fault.times ?? Infinity)) continue;
      fault.hits++;
      return fault;
    }
    return undefined;
  }
}

type ActiveFault = Fault & { hits: number; over: PromiseWithResolvers<void> };

function failed(): Response {
  return Response.json({ message: "the way to the database is broken" }, { status: 503 });
}
