/** Bytes to send at a time, about: the memory that an upload takes. */
export const CHUNK_TARGET_BYTES = 4 * 1024 * 1024;
/** What Google's own clients send at a time: fits whatever granularity a server keeps to itself. */
const CHUNK_SAFE_BYTES = 8 * 1024 * 1024;

/** Decides on the bytes of a chunk, which must be a multiple of what the server wants. */
export function chunkSize(granularity: string | null): number {
  const unit = Number(granularity ?? 0);
  if (!Number.isInteger(unit) || unit < 1 || unit > CHUNK_SAFE_BYTES) {
    return CHUNK_SAFE_BYTES;
  }
  return Math.ceil(CHUNK_TARGET_BYTES / unit) * unit;
}

/** Cuts a stream into full chunks; the last one, and only it, may be shorter or empty. */
export async function* chunksOf(
  source: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<{ bytes: Uint8Array<ArrayBuffer>; last: boolean }> {
  let chunk = new Uint8Array(size);
  let filled = 0;
  for await (const piece of source) {
    for (let taken = 0; taken < piece.byteLength;) {
      // Handed on only when more follows, as the last chunk has another command.
      if (filled === size) {
        yield { bytes: chunk, last: false };
        chunk = new Uint8Array(size);
        filled = 0;
      }
      const part = piece.subarray(taken, taken + size - filled);
      chunk.set(part, filled);
      filled += part.byteLength;
      taken += part.byteLength;
    }
  }
  yield { bytes: chunk.subarray(0, filled), last: true };
}
