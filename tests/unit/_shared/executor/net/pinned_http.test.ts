import assert from "node:assert/strict";
import {
  readBytes,
  readUpTo,
} from "../../../../../supabase/functions/_shared/executor/net/body.ts";
import { fetchPinned } from "../../../../../supabase/functions/_shared/executor/net/pinned_http.ts";
import { echo, withServer } from "./support.ts";

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

Deno.test("fetchPinned() fails where a connection is refused or breaks off", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const url = new URL(`http://name.example:${listener.addr.port}/`);
  const hop = { url, method: "GET", headers: new Headers() };
  const { signal } = new AbortController();
  const answers = ["", "rubbish\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"];
  for (const answer of answers) {
    const serving = listener.accept().then(async (connection) => {
      await connection.read(new Uint8Array(4096));
      await connection.write(new TextEncoder().encode(answer));
      connection.close();
    });
    const exchange = fetchPinned(hop, "127.0.0.1", signal)
      .then((response) => readBytes(response, { maxBytes: 100, url }));
    await assert.rejects(exchange, /closed within the answer|not HTTP|broke off/);
    await serving;
  }
  listener.close();
  await assert.rejects(fetchPinned(hop, "127.0.0.1", signal), /refused/);
});
