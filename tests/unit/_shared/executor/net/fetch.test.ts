import assert from "node:assert/strict";
import { ExecutorError } from "../../../../../supabase/functions/_shared/executor/error.ts";
import {
  readBytes,
  readUpTo,
} from "../../../../../supabase/functions/_shared/executor/net/body.ts";
import { guardedFetch } from "../../../../../supabase/functions/_shared/executor/net/fetch.ts";
import { fetchPinned } from "../../../../../supabase/functions/_shared/executor/net/pinned_http.ts";

const open = { allowPrivate: true };

async function withServer(
  handler: (request: Request) => Response | Promise<Response>,
  use: (origin: string, port: number) => Promise<void>,
) {
  const stop = new AbortController();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", signal: stop.signal, onListen: () => {} },
    handler,
  );
  try {
    await use(`http://127.0.0.1:${server.addr.port}`, server.addr.port);
  } finally {
    stop.abort();
    await server.finished;
  }
}

function withCode(code: string, words = /./) {
  return (error: unknown) => {
    assert.ok(error instanceof ExecutorError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, words);
    return true;
  };
}

const echo = async (request: Request) =>
  Response.json({
    method: request.method,
    path: new URL(request.url).pathname,
    headers: Object.fromEntries(request.headers),
    body: await request.text(),
  });

Deno.test("guardedFetch() sends method, headers and body", async () => {
  await withServer(echo, async (origin) => {
    const { response, url, redirects } = await guardedFetch(
      `${origin}/a`,
      { method: "put", headers: { "x-a": "1" }, body: "text" },
      open,
    );
    const seen = await response.json();
    assert.deepEqual([seen.method, seen.path, seen.body, seen.headers["x-a"]], [
      "PUT",
      "/a",
      "text",
      "1",
    ]);
    assert.deepEqual([url.href, redirects], [`${origin}/a`, 0]);
  });
});

Deno.test("guardedFetch() refuses a private address without connecting", async () => {
  let requests = 0;
  await withServer(() => (requests++, new Response("x")), async (origin) => {
    await assert.rejects(
      guardedFetch(origin, {}, { allowPrivate: false }),
      withCode("http.url_refused", /loopback/),
    );
  });
  assert.equal(requests, 0);
});

Deno.test("guardedFetch() follows redirects up to its limit", async () => {
  const hops = (request: Request) => {
    const left = Number(new URL(request.url).pathname.slice(1));
    if (left === 0) return new Response("there");
    return new Response(null, { status: 302, headers: { location: `/${left - 1}` } });
  };
  await withServer(hops, async (origin) => {
    const { response, url, redirects } = await guardedFetch(`${origin}/3`, {}, {
      ...open,
      maxRedirects: 3,
    });
    assert.deepEqual([await response.text(), url.pathname, redirects], ["there", "/0", 3]);
    await assert.rejects(
      guardedFetch(`${origin}/4`, {}, { ...open, maxRedirects: 3 }),
      withCode("http.too_many_redirects", /more than 3 redirects/),
    );
    const raw = await guardedFetch(`${origin}/4`, {}, { ...open, maxRedirects: 0 });
    assert.equal(raw.response.status, 302);
    await raw.response.body?.cancel();
  });
});

Deno.test("guardedFetch() takes no secret to another origin", async () => {
  await withServer(echo, async (target) => {
    const away = () => new Response(null, { status: 307, headers: { location: target } });
    await withServer(away, async (origin) => {
      const { response } = await guardedFetch(origin, {
        method: "POST",
        headers: { authorization: "Bearer s", "x-token": "s", "x-plain": "p" },
        body: "b",
      }, { ...open, secretHeaders: ["X-Token"] });
      const { headers, body } = await response.json();
      assert.deepEqual(
        [headers.authorization, headers["x-token"], headers["x-plain"], body],
        [undefined, undefined, "p", "b"],
      );
    });
  });
});

Deno.test("guardedFetch() checks where a redirect leads", async () => {
  const away = () =>
    new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } });
  await withServer(away, async (origin) => {
    await assert.rejects(guardedFetch(origin, {}, open), withCode("http.url_refused", /scheme/));
  });
});

Deno.test("guardedFetch() reports a refused connection and an unknown host as network", async () => {
  let closed = "";
  await withServer(() => new Response(""), (origin) => Promise.resolve(void (closed = origin)));
  await assert.rejects(
    guardedFetch(`${closed}/?token=hush`, {}, open),
    withCode("network", /^Cannot fetch from http:\/\/127\.0\.0\.1:\d+ as the connection was ref/),
  );
  for (const allowPrivate of [true, false]) {
    await assert.rejects(
      guardedFetch("http://no-such-host.invalid/", {}, { allowPrivate }),
      withCode("network", /resolve/),
    );
  }
});

Deno.test("guardedFetch() ends with the signal's reason", async () => {
  await withServer(() => new Promise<Response>(() => {}), async (origin) => {
    const reason = new Error("deadline");
    const stop = new AbortController();
    const call = guardedFetch(origin, {}, { ...open, signal: stop.signal });
    stop.abort(reason);
    await assert.rejects(call, (error) => error === reason);
  });
});

Deno.test("guardedFetch() sends no header of the connection", async () => {
  await withServer(echo, async (origin) => {
    const { response } = await guardedFetch(origin, {
      method: "POST",
      headers: { "transfer-encoding": "chunked", "content-length": "1", host: "evil.example" },
      body: "four",
    }, open);
    const { headers, body } = await response.json();
    assert.equal(body, "four");
    assert.equal(headers["transfer-encoding"], undefined);
    assert.equal(headers.host, new URL(origin).host);
  });
});

Deno.test("fetchPinned() connects to the address under the name in the URL", async () => {
  await withServer(echo, async (_origin, port) => {
    const url = new URL(`http://name.example:${port}/deep/path?q=%20`);
    const response = await fetchPinned(
      { url, method: "POST", headers: new Headers({ "x-a": "1" }), body: "näh" },
      "127.0.0.1",
      new AbortController().signal,
    );
    assert.equal(response.status, 200);
    const seen = await response.json();
    assert.equal(seen.headers.host, `name.example:${port}`);
    assert.deepEqual([seen.method, seen.path, seen.body, seen.headers["x-a"]], [
      "POST",
      "/deep/path",
      "näh",
      "1",
    ]);
  });
});

Deno.test("fetchPinned() hands on statuses, repeated headers and compressed bodies", async () => {
  const gzip = () =>
    new Response(new Blob(["zipped"]).stream().pipeThrough(new CompressionStream("gzip")), {
      status: 404,
      headers: [["content-encoding", "gzip"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]],
    });
  await withServer(gzip, async (_origin, port) => {
    const url = new URL(`http://name.example:${port}/`);
    const hop = { url, headers: new Headers() };
    const { signal } = new AbortController();
    const response = await fetchPinned({ ...hop, method: "GET" }, "127.0.0.1", signal);
    assert.equal(response.status, 404);
    assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
    assert.equal(await response.text(), "zipped");
    const head = await fetchPinned({ ...hop, method: "HEAD" }, "127.0.0.1", signal);
    assert.equal(head.body, null);
  });
});

Deno.test("fetchPinned() ends with the signal's reason, in the body too", async () => {
  const dribble = () =>
    new Response(
      new ReadableStream({ start: (stream) => stream.enqueue(new Uint8Array([1])) }),
    );
  await withServer(dribble, async (_origin, port) => {
    const url = new URL(`http://name.example:${port}/`);
    const reason = new Error("deadline");
    const stop = new AbortController();
    const hop = { url, method: "GET", headers: new Headers() };
    const response = await fetchPinned(hop, "127.0.0.1", stop.signal);
    const reading = readUpTo(response, { maxBytes: 10, url, signal: stop.signal });
    stop.abort(reason);
    await assert.rejects(reading, (error) => error === reason);
    await assert.rejects(fetchPinned(hop, "127.0.0.1", stop.signal), (error) => error === reason);
  });
});

Deno.test("readBytes() reads a body up to its limit and not a byte more", async () => {
  const url = new URL("http://x.example/");
  const of = (text: string) => new Response(text);
  const bytes = await readBytes(of("12345"), { maxBytes: 5, url });
  assert.equal(new TextDecoder().decode(bytes), "12345");
  await assert.rejects(
    readBytes(of("123456"), { maxBytes: 5, url }),
    withCode("payload_too_large", /more than 5 bytes/),
  );
  assert.equal((await readBytes(new Response(null), { maxBytes: 5, url })).byteLength, 0);
  const announced = new Response("x", { headers: { "content-length": "100" } });
  await assert.rejects(readBytes(announced, { maxBytes: 5, url }), withCode("payload_too_large"));
});

Deno.test("readBytes() counts what a compressed body becomes", async () => {
  const bomb = () =>
    new Response(
      new Blob([new Uint8Array(1_000_000)]).stream().pipeThrough(new CompressionStream("gzip")),
      { headers: { "content-encoding": "gzip" } },
    );
  await withServer(bomb, async (origin) => {
    const { response, url } = await guardedFetch(origin, {}, open);
    await assert.rejects(
      readBytes(response, { maxBytes: 10_000, url }),
      withCode("payload_too_large"),
    );
  });
});

Deno.test("readUpTo() hands back the beginning of a long body", async () => {
  const url = new URL("http://x.example/");
  const { bytes, complete } = await readUpTo(new Response("123456"), { maxBytes: 4, url });
  assert.deepEqual([new TextDecoder().decode(bytes), complete], ["1234", false]);
});

Deno.test("readBytes() reports a connection that breaks off as network", async () => {
  const broken = new Response(
    new ReadableStream({ pull: (stream) => stream.error(new Error("connection reset")) }),
  );
  await assert.rejects(
    readBytes(broken, { maxBytes: 5, url: new URL("http://x.example/") }),
    withCode("network", /broke off/),
  );
});
