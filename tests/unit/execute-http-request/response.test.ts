import assert from "node:assert/strict";
import { excerpt, parseBody } from "../../../supabase/functions/execute-http-request/response.ts";
import { failure } from "./support.ts";

const facts = (contentType: string, url = "https://a.example/file", bodiless = false) => ({
  contentType,
  url: new URL(url),
  bodiless,
});
const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("parseBody() finds out what a body is", () => {
  const cases: [body: Uint8Array, type: string, url: string, parsed: unknown, is: string][] = [
    [bytes(`{"a":1}`), "application/json", "/x", { a: 1 }, "json"],
    [bytes(`[1]`), "application/problem+json; charset=utf-8", "/x", [1], "json"],
    [bytes(`\ufeff{"a":1}`), "application/json", "/x", { a: 1 }, "json"],
    [bytes(`{"a":1}`), "text/plain", "/data.json", { a: 1 }, "json"],
    [bytes(`{"a":1}`), "application/octet-stream", "/data.json?v=1", { a: 1 }, "json"],
    [bytes(`{"a":1}`), "text/plain", "/x", `{"a":1}`, "text"],
    [bytes(`{broken`), "application/json", "/x", "{broken", "text"],
    [bytes("héllo"), "text/html; charset=utf-8", "/x", "héllo", "text"],
    [new Uint8Array([0x68, 0xe9]), "text/plain; charset=ISO-8859-1", "/x", "hé", "text"],
    [bytes("x"), "text/plain; charset=nonsense", "/x", "x", "text"],
    [bytes("<a/>"), "image/svg+xml", "/x", "PGEvPg==", "base64"],
    [bytes("<a/>"), "application/atom+xml", "/x", "<a/>", "text"],
    [bytes("a,b"), "", "/x", "a,b", "text"],
    [new Uint8Array([0xff, 0xfe]), "", "/x", "//4=", "base64"],
    [new Uint8Array([0xff, 0xfe]), "text/plain", "/x", "//4=", "base64"],
    [bytes("a\0b"), "text/plain", "/x", "YQBi", "base64"],
    [bytes("ID3"), "audio/mpeg", "/x", "SUQz", "base64"],
    [bytes(""), "application/json", "/x", null, "none"],
  ];
  for (const [body, type, url, parsed, is] of cases) {
    assert.deepEqual(
      parseBody(body, "auto", facts(type, `https://a.example${url}`)),
      { body: parsed, body_encoding: is },
      `${type} ${url}`,
    );
  }
});

Deno.test("parseBody() reads a body as asked", () => {
  assert.deepEqual(parseBody(bytes(`{"a":1}`), "json", facts("text/html")).body, { a: 1 });
  assert.deepEqual(parseBody(bytes(`{"a":1}`), "text", facts("application/json")).body, `{"a":1}`);
  assert.deepEqual(parseBody(bytes("é"), "base64", facts("text/plain")).body, "w6k=");
  assert.deepEqual(parseBody(bytes(""), "text", facts("")).body, "");
  assert.deepEqual(parseBody(bytes(""), "json", facts("", "https://a.example/", true)).body, null);
  for (const text of ["", "{", "<html>"]) {
    assert.throws(
      () => parseBody(bytes(text), "json", facts("application/json")),
      failure("invalid_result", /Cannot parse the response as JSON/),
    );
  }
});

Deno.test("parseBody() encodes large bodies whole", () => {
  const large = crypto.getRandomValues(new Uint8Array(60_000));
  const { body } = parseBody(large, "base64", facts(""));
  assert.deepEqual(Uint8Array.from(atob(String(body)), (char) => char.charCodeAt(0)), large);
});

Deno.test("excerpt() is short, printable and without secrets", () => {
  assert.equal(excerpt(bytes(" you sent Bearer t0ken\0\n"), ["Bearer t0ken"]), "you sent [secret]");
  assert.equal(excerpt(bytes("x".repeat(3000)), []).length, 1001);
});
