import assert from "node:assert/strict";
import { readLines } from "../../../../supabase/functions/_shared/orchestrator/read_lines.ts";

const encoder = new TextEncoder();

async function linesOf(chunks: (string | Uint8Array)[], maxBytes = 100): Promise<string[]> {
  const bytes = chunks.map((chunk) => typeof chunk === "string" ? encoder.encode(chunk) : chunk);
  return await Array.fromAsync(readLines(ReadableStream.from(bytes), maxBytes));
}

const CASES: [words: string, chunks: string[], lines: string[]][] = [
  ["of nothing are none", [], []],
  ["end with line feeds", ["a\nb\n"], ["a", "b"]],
  ["need no line feed at the end", ["a\nb"], ["a", "b"]],
  ["may come in pieces", ["a", "b", "\n", "c\nd", "e\nf", "\n"], ["ab", "c", "de", "f"]],
  ["leave signs of life out", ["\n\n", "a\n", " \n", "\r\n", "\n"], ["a"]],
  ["keep a carriage return, which JSON takes for space", ["1\r\n2\r\n"], ["1\r", "2\r"]],
];

for (const [words, chunks, lines] of CASES) {
  Deno.test(`readLines() ${words}`, async () => assert.deepEqual(await linesOf(chunks), lines));
}

Deno.test("readLines() puts characters together that were cut between chunks", async () => {
  const text = "é€😀\n😀x\n";
  const bytes = encoder.encode(text);
  const one = [...bytes].map((byte) => new Uint8Array([byte]));
  assert.deepEqual(await linesOf(one), ["é€😀", "😀x"]);
  for (let at = 0; at <= bytes.length; at++) {
    const parts = [bytes.subarray(0, at), bytes.subarray(at)];
    assert.deepEqual(await linesOf(parts), ["é€😀", "😀x"]);
  }
});

Deno.test("readLines() gives up on a line without an end, and ends the stream", async () => {
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(encoder.encode("xxxxxxxxxx")),
    cancel: () => void (cancelled = true),
  });
  await assert.rejects(Array.fromAsync(readLines(endless, 55)), RangeError);
  assert.ok(cancelled);
});

Deno.test("readLines() takes any number of lines below the limit", async () => {
  const lines = await linesOf(["x".repeat(90) + "\n", "y".repeat(90), "\nz"]);
  assert.deepEqual(lines.map(({ length }) => length), [90, 90, 1]);
});

Deno.test("readLines() reads a long line in time that grows with its length", async () => {
  // Joined anew for each chunk, this would be 64 GB of characters to look through.
  const chunk = encoder.encode("x".repeat(16_384));
  const chunks = Array.from({ length: 2_048 }, () => chunk);
  const [line] = await linesOf(chunks, 64 * 1024 * 1024);
  assert.equal(line?.length, 16_384 * 2_048);
});
