import assert from "node:assert/strict";
import { ByteReader } from "../../../../../supabase/functions/_shared/executor/net/byte_reader.ts";
import {
  encodeRequest,
  framingOf,
  readBody,
  readHead,
} from "../../../../../supabase/functions/_shared/executor/net/http1.ts";

/** A connection that brings a text in pieces of so many bytes. */
function readerOf(text: string, pieceBytes: number): ByteReader {
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  let at = 0;
  return new ByteReader({
    read(buffer) {
      if (at >= bytes.length) return Promise.resolve(null);
      const piece = bytes.subarray(at, at + Math.min(pieceBytes, buffer.length));
      buffer.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length);
    },
  });
}

async function read(text: string, pieceBytes: number) {
  const reader = readerOf(text, pieceBytes);
  const head = await readHead(reader);
  const pieces = await Array.fromAsync(readBody(reader, framingOf(head)));
  const body = pieces.map((piece) => new TextDecoder().decode(piece)).join("");
  return { status: head.status, statusText: head.statusText, headers: head.headers, body };
}

Deno.test("readHead() and readBody() read an answer however its bytes arrive", async () => {
  const cases: [text: string, status: number, body: string][] = [
    ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, "hello"],
    ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello, and more", 200, "hello"],
    ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, ""],
    ["HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello", 200, "hello"],
    ["HTTP/1.0 200\r\n\r\nuntil the end", 200, "until the end"],
    ["HTTP/1.1 404 Not Found\nserver: x\n\ngone", 404, "gone"],
    [
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\ntrailer: x\r\n\r\n",
      200,
      "hello, world",
    ],
    [
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\n!",
      201,
      "!",
    ],
  ];
  for (const [text, status, body] of cases) {
    for (const pieceBytes of [1, 2, 3, 7, 10_000]) {
      const answer = await read(text, pieceBytes);
      assert.deepEqual([answer.status, answer.body], [status, body], `${pieceBytes}: ${text}`);
    }
  }
});

Deno.test("readHead() keeps repeated headers and their words", async () => {
  const { headers, statusText } = await read(
    "HTTP/1.1 200 All is well\r\nSet-Cookie: a=1\r\nset-cookie:b=2\r\nX-Name: \t J\xfcrgen  \r\ncontent-length: 0\r\n\r\n",
    5,
  );
  assert.equal(statusText, "All is well");
  assert.deepEqual(headers.getSetCookie(), ["a=1", "b=2"]);
  assert.equal(headers.get("x-name"), "Jürgen");
});

Deno.test("readHead() and readBody() refuse what is not HTTP or not whole", async () => {
  const cases: [text: string, words: RegExp][] = [
    ["", /closed within the answer/],
    ["hello\r\n\r\n", /not HTTP/],
    ["HTTP/2 200 OK\r\n\r\n", /not HTTP/],
    ["HTTP/1.1 200 OK\r\nno colon\r\n\r\n", /a header has no name/],
    ["HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", /a header has no name/],
    ["HTTP/1.1 200 OK\r\nname : x\r\n\r\n", /a header has no name/],
    ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell", /closed within the answer/],
    ["HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", /length makes no sense/],
    [
      "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
      /length makes no sense/,
    ],
    ["HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", /unknown transfer encoding/],
    ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", /a chunk has no size/],
    ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n", /a chunk runs on/],
    ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", /closed within the answer/],
    [`HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(300)}\r\n`, /too many headers/],
    [`HTTP/1.1 200 OK\r\na: ${"b".repeat(20_000)}\r\n\r\n`, /too long/],
    ["x".repeat(1_000_000), /too long/],
  ];
  for (const [text, words] of cases) {
    for (const pieceBytes of [3, 10_000]) {
      await assert.rejects(read(text, pieceBytes), words, text.slice(0, 100));
    }
  }
});

Deno.test("encodeRequest() says one request and its length", () => {
  const url = new URL("http://name.example:8080/a b?q=é#part");
  const headers = new Headers({ "x-name": "J\xfcrgen", host: "evil.example" });
  const bytes = encodeRequest({ url, method: "POST", headers, body: "é" });
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const [head = "", body] = text.split("\r\n\r\n");
  assert.equal(body, "\xc3\xa9");
  const [first, ...lines] = head.split("\r\n");
  assert.equal(first, "POST /a%20b?q=%C3%A9 HTTP/1.1");
  assert.deepEqual(lines, [
    "accept: */*",
    "accept-encoding: identity",
    "connection: close",
    "content-length: 2",
    "host: name.example:8080",
    "x-name: J\xfcrgen",
  ]);
  const lengthOf = (method: string) =>
    /content-length: (\d+)/.exec(new TextDecoder().decode(encodeRequest({ url, method, headers })));
  assert.equal(lengthOf("POST")?.[1], "0");
  assert.equal(lengthOf("GET"), null);
  for (const method of ["", "GET /x", "A\r\nB"]) {
    assert.throws(() => encodeRequest({ url, method, headers }), /not an HTTP method/);
  }
});
