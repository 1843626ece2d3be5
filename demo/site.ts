/** A file that a site serves. */
export interface SiteFile {
  bytes: Uint8Array<ArrayBuffer>;
  contentType: string;
}

/** Something that was POSTed to a site. */
export interface Delivery {
  path: string;
  idempotencyKey: string | null;
  /** Of the body. */
  bytes: number;
  body: unknown;
}

/** How a site is served. */
export interface SiteOptions {
  /** By path: `/orders.json`. */
  files: Record<string, SiteFile>;
  /** 0, the default, is any free one. */
  port?: number;
  onDelivery?: (delivery: Delivery) => void;
}

/**
 * A web site on 127.0.0.1 for workflows to talk to: serves files, and takes what is POSTed below
 * `/hooks/`, as a receiver of webhooks does.
 */
export class Site implements AsyncDisposable {
  readonly deliveries: Delivery[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(readonly options: SiteOptions) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: options.port ?? 0, onListen: () => {} },
      (request) => this.#answer(request, new URL(request.url).pathname),
    );
  }

  /** Where it is served, without a slash at the end. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request, path: string): Promise<Response> {
    if (request.method === "POST" && path.startsWith("/hooks/")) {
      return await this.#receive(request, path);
    }
    const file = this.options.files[path];
    if (file === undefined) return new Response("There is no such file\n", { status: 404 });
    return new Response(file.bytes, { headers: { "content-type": file.contentType } });
  }

  async #receive(request: Request, path: string): Promise<Response> {
    const text = await request.text();
    const delivery = {
      path,
      idempotencyKey: request.headers.get("idempotency-key"),
      bytes: new TextEncoder().encode(text).byteLength,
      body: parse(text),
    };
    this.deliveries.push(delivery);
    this.options.onDelivery?.(delivery);
    return Response.json({ received: true });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // a receiver takes what comes
  }
}
