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
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) if (part.trim() !== "") yield part;
    if (rest.length > maxBytes) {
      throw new RangeError(`a line of its answer exceeds ${maxBytes} bytes`);
    }
  }
  rest += decoder.decode();
  if (rest.trim() !== "") yield rest;
}
