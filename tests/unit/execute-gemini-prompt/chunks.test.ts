import { strict as assert } from "node:assert";
import {
  chunkSize,
  chunksOf,
} from "../../../supabase/functions/execute-gemini-prompt/files/chunks.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

Deno.test("chunkSize() is a multiple of what the server wants", () => {
  const table: [granularity: string | null, size: number][] = [
    ["1", 4 * MIB],
    [String(256 * KIB), 4 * MIB],
    [String(3 * MIB), 6 * MIB],
    [String(8 * MIB), 8 * MIB],
    [null, 8 * MIB],
    ["", 8 * MIB],
    ["-1", 8 * MIB],
    ["lots", 8 * MIB],
    [String(64 * MIB), 8 * MIB],
  ];
  for (const [granularity, size] of table) assert.equal(chunkSize(granularity), size);
});

Deno.test("chunksOf() cuts and joins pieces, and marks the last chunk", async () => {
  const table: [pieces: number[][], chunks: number[][]][] = [
    [[], [[]]],
    [[[]], [[]]],
    [[[1, 2]], [[1, 2]]],
    [[[1], [2], [3]], [[1, 2, 3]]],
    [[[1, 2, 3]], [[1, 2, 3]]],
    [[[1, 2], [3, 4, 5, 6, 7]], [[1, 2, 3], [4, 5, 6], [7]]],
    [[[1, 2, 3, 4, 5, 6], []], [[1, 2, 3], [4, 5, 6]]],
  ];
  for (const [pieces, expected] of table) {
    const chunks: number[][] = [];
    const lasts: boolean[] = [];
    for await (const { bytes, last } of chunksOf(streamOf(pieces), 3)) {
      chunks.push([...bytes]);
      lasts.push(last);
    }
    assert.deepEqual(chunks, expected);
    assert.deepEqual(lasts, expected.map((_chunk, index) => index === expected.length - 1));
  }
});

async function* streamOf(pieces: number[][]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield new Uint8Array(piece);
}
