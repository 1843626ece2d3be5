import assert from "node:assert/strict";
import { guardedFetch } from "../../../../../supabase/functions/_shared/executor/net/fetch.ts";
import { echo, withCode, withServer } from "./support.ts";

const open = { allowPrivate: true };

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
