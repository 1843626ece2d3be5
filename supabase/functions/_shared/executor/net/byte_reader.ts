/** Reads lines and bytes from a connection, and keeps what came too early for the next call. */
export class ByteReader {
  readonly #source: { read(buffer: Uint8Array): Promise<number | null> };
  readonly #buffer = new Uint8Array(16_384);
  #waiting: Uint8Array<ArrayBuffer> = new Uint8Array();

  constructor(source: { read(buffer: Uint8Array): Promise<number | null> }) {
    this.#source = source;
  }

  /** Reads at least one byte and at most `limit`; `null` at the end. */
  async readSome(limit = Infinity): Promise<Uint8Array<ArrayBuffer> | null> {
    if (this.#waiting.length === 0 && !await this.#fill()) return null;
    const some = this.#waiting.slice(0, Math.min(limit, this.#waiting.length));
    this.#waiting = this.#waiting.slice(some.length);
    return some;
  }

  /**
   * Reads a line of Latin-1 text, without its end.
   *
   * @throws {Error} when it is longer than `limit` bytes, or the connection ends within it.
   */
  async readLine(limit: number): Promise<string> {
    for (let searched = 0;;) {
      const end = this.#waiting.indexOf(0x0a, searched);
      if (end > limit || (end === -1 && this.#waiting.length > limit)) {
        throw new Error("the answer is not HTTP: a line of its head is too long");
      }
      if (end !== -1) {
        const line = latin1(this.#waiting.subarray(0, end));
        this.#waiting = this.#waiting.slice(end + 1);
        return line.endsWith("\r") ? line.slice(0, -1) : line;
      }
      searched = this.#waiting.length;
      if (!await this.#fill()) throw new Error("the connection was closed within the answer");
    }
  }

  async #fill(): Promise<boolean> {
    const count = await this.#source.read(this.#buffer);
    if (count === null || count === 0) return false;
    const joined = new Uint8Array(this.#waiting.length + count);
    joined.set(this.#waiting);
    joined.set(this.#buffer.subarray(0, count), this.#waiting.length);
    this.#waiting = joined;
    return true;
  }
}

/** Byte by byte: what `TextDecoder` calls Latin-1 is Windows-1252. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
