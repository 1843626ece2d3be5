/** A web site on this machine for executors to call. */
export interface Site {
  origin: string;
  /** How many requests it has had. */
  readonly requests: number;
  /** A port that nobody listens on. */
  closedPort: number;
}

/** Runs a site while `use` runs. */
export async function withSite(use: (site: Site) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const counter = { requests: 0 };
  const server = Deno.serve(
    {
      port: 0,
      hostname: "127.0.0.1",
      signal: stop.signal,
      onListen: () => {},
      onError: () => new Response(null, { status: 500 }),
    },
    (request) => {
      counter.requests++;
      return answer(request, new URL(request.url), stop.signal);
    },
  );
  const closed = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const closedPort = closed.addr.port;
  closed.close();
  try {
    await use({
      origin: `http://127.0.0.1:${server.addr.port}`,
      get requests() {
        return counter.requests;
      },
      closedPort,
    });
  } finally {
    stop.abort();
    await server.finished;
  }
}

async function answer(request: Request, url: URL, stopped: AbortSignal): Promise<Response> {
  const [, first, second] = url.pathname.split("/");
  switch (first) {
    case "echo":
      return Response.json({
        method: request.method,
        query: url.search,
        headers: Object.fromEntries(request.headers),
        body: await request.text(),
      }, { headers: { "set-cookie": "session=1" } });
    case "status": {
      const status = Number(second);
      const after = url.searchParams.get("retry-after");
      return new Response(status === 204 ? null : `status ${status}`, {
        status,
        headers: after === null ? {} : { "retry-after": after },
      });
    }
    case "redirect":
      return new Response(null, {
        status: Number(url.searchParams.get("status")),
        headers: { location: url.searchParams.get("to") ?? "" },
      });
    case "loop":
      return new Response(null, { status: 302, headers: { location: "/loop" } });
    case "records.json":
      return new Response(`[{"id":1},{"id":2}]`, { headers: { "content-type": "text/plain" } });
    case "text":
      return new Response("grüße", { headers: { "content-type": "text/html; charset=utf-8" } });
    case "bytes":
      return new Response(new Uint8Array([0, 1, 255]), {
        headers: { "content-type": "image/png" },
      });
    case "nul":
      return new Response(`{"a":"\\u0000"}`, { headers: { "content-type": "application/json" } });
    case "gzip":
      return new Response(
        new Blob([`{"zipped":true}`]).stream().pipeThrough(new CompressionStream("gzip")),
        { headers: { "content-type": "application/json", "content-encoding": "gzip" } },
      );
    case "large":
      return url.search === "?announced"
        ? new Response(new Uint8Array(100_000))
        : new Response(new Blob([new Uint8Array(100_000)]).stream());
    case "breaks-off":
      return new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode("half"));
            queueMicrotask(() => controller.error(new Error("broken on purpose")));
          },
        }),
        { headers: { "content-length": "100" } },
      );
    case "never":
      return await new Promise<Response>((resolve) =>
        stopped.addEventListener("abort", () => resolve(new Response("stopped")))
      );
    case "never-ends": {
      let close = () => {};
      stopped.addEventListener("abort", () => close());
      return new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode("first"));
            close = () => controller.close();
          },
          cancel() {
            close = () => {};
          },
        }),
      );
    }
    default:
      return new Response("no such page", { status: 404 });
  }
}
