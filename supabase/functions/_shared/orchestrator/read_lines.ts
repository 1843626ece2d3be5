/**
 * The lines of a stream, as they come; blank ones (signs of life) are left out.
 *
 * @throws {RangeError} when a line is longer than `maxBytes`
 */
export async function* readLines(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  // Pieces of a line that has not ended: joined once, however many chunks it comes in.
  let pieces: string[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const [first = "", ...others] = decoder.decode(chunk, { stream: true }).split("\n");
    pieces.push(first);
    length += first.length;
    for (const next of others) {
      const line = pieces.join("");
      pieces = [next];
      length = next.length;
      if (line.trim() !== "") yield line;
    }
    if (length > maxBytes) throw new RangeError(`a line of its answer exceeds ${maxBytes} bytes`);
  }
  const line = pieces.join("") + decoder.decode();
  if (line.trim() !== "") yield line;
}
