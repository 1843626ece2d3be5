import assert from "node:assert/strict";
import {
  readBytes,
  readUpTo,
} from "../../../../../supabase/functions/_shared/executor/net/body.ts";
import { guardedFetch } from "../../../../../supabase/functions/_shared/executor/net/fetch.ts";
import { withCode, withServer } from "./support.ts";

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
    const { response, url } = await guardedFetch(origin, {}, { allowPrivate: true });
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
