import assert from "node:assert/strict";
import { readJson } from "../../../../supabase/functions/_shared/http/body.ts";
import { ApiError } from "../../../../supabase/functions/_shared/http/errors.ts";

const URL = "http://localhost/f";

function post(body: BodyInit | null, headers: Record<string, string> = {}): Request {
  return new Request(URL, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
}

async function rejected(request: Request, maxBytes = 1_000): Promise<ApiError> {
  try {
    await readJson(request, maxBytes);
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "must be rejected" });
}

Deno.test("readJson() gives the value", async () => {
  assert.deepEqual(await readJson(post('{"a": [1]}'), 1_000), { a: [1] });
});

Deno.test("readJson() gives undefined for no body", async () => {
  assert.equal(await readJson(new Request(URL, { method: "POST" }), 1_000), undefined);
  assert.equal(await readJson(post(""), 1_000), undefined);
});

for (
  const type of ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']
) {
  Deno.test(`readJson() takes ${type}`, async () => {
    assert.deepEqual(await readJson(post("{}", { "content-type": type }), 1_000), {});
  });
}

for (
  const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json;charset=utf-16",
  ]
) {
  Deno.test(`readJson() refuses ${type}`, async () => {
    assert.equal((await rejected(post("{}", { "content-type": type }))).status, 415);
  });
}

Deno.test("readJson() refuses a compressed body", async () => {
  assert.equal((await rejected(post("{}", { "content-encoding": "gzip" }))).status, 415);
});

Deno.test("readJson() refuses a length beyond the limit without reading", async () => {
  const request = post("{}", { "content-length": "5000" });
  assert.equal((await rejected(request)).code, "payload_too_large");
  assert.equal(request.bodyUsed, false);
});

Deno.test("readJson() counts a body that has no length, and stops it", async () => {
  let cancelled = false;
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += 1;
      controller.enqueue(new Uint8Array(600).fill(32));
    },
    cancel() {
      cancelled = true;
    },
  });
  assert.equal((await rejected(post(endless))).code, "payload_too_large");
  assert.ok(cancelled);
  assert.ok(pulled < 10);
});

Deno.test("readJson() tells the position of bad syntax", async () => {
  const error = await rejected(post('{"a": }'));
  assert.equal(error.code, "malformed_json");
  assert.match(error.message, /unexpected "\}" at position 6$/);
  assert.deepEqual(error.details, { position: 6, path: "a" });
});

Deno.test("readJson() tells the path of what cannot be stored", async () => {
  const error = await rejected(post('{"input_data": {"list": [0, {"the name": "\\u0000"}]}}'));
  assert.equal(error.code, "invalid_request");
  assert.match(error.message, /'input_data\.list\[1\]\["the name"\]' must not hold \\u0000/);
});

Deno.test("readJson() refuses what is not UTF-8", async () => {
  const error = await rejected(post(new Uint8Array([0x22, 0xff, 0xfe, 0x22])));
  assert.equal(error.code, "malformed_json");
});

Deno.test("readJson() keeps characters that are split between chunks", async () => {
  const bytes = new TextEncoder().encode('"😀"');
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
      controller.close();
    },
  });
  assert.equal(await readJson(post(stream), 1_000), "😀");
});
