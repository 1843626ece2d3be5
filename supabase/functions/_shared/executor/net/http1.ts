import type { ByteReader } from "./byte_reader.ts";
import type { Hop } from "./redirect.ts";

const MAX_LINE = 16_384;
const MAX_HEADERS = 200;
const EXPECT_BODY: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

/** The head of a response. */
export interface Head {
  status: number;
  statusText: string;
  headers: Headers;
}

/** How the end of a body is known: by its length, by its chunks, or by the connection's end. */
export type Framing = { by: "length"; length: number } | { by: "chunks" } | { by: "end" };

/** A request as HTTP/1.1 says it, for a connection that serves just this one. */
export function encodeRequest(hop: Hop): Uint8Array<ArrayBuffer> {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(hop.method)) throw new TypeError("not an HTTP method");
  const body = typeof hop.body === "string" ? new TextEncoder().encode(hop.body) : hop.body;
  const headers = new Headers(hop.headers);
  headers.set("host", hop.url.host);
  headers.set("connection", "close");
  headers.set("accept-encoding", "identity");
  if (!headers.has("accept")) headers.set("accept", "*/*");
  // An empty body is announced too where one could be: some servers answer 411 otherwise.
  if (body !== undefined || EXPECT_BODY.has(hop.method)) {
    headers.set("content-length", String(body?.byteLength ?? 0));
  }
  // `Headers` let no line feed and nothing beyond Latin-1 in, and `URL` has encoded the path.
  const head = [
    `${hop.method} ${hop.url.pathname}${hop.url.search} HTTP/1.1`,
    ...[...headers].map(([name, value]) => `${name}: ${value}`),
    "\r\n",
  ].join("\r\n");
  const bytes = new Uint8Array(head.length + (body?.byteLength ?? 0));
  for (let at = 0; at < head.length; at++) bytes[at] = head.charCodeAt(at);
  if (body !== undefined) bytes.set(body, head.length);
  return bytes;
}

/**
 * Reads the head of a response; interim ones (100 Continue, 103 Early Hints) are passed over.
 *
 * @throws {Error} when what comes is not HTTP/1.
 */
export async function readHead(reader: ByteReader): Promise<Head> {
  for (;;) {
    const line = await reader.readLine(MAX_LINE);
    const [, status = "", statusText = ""] = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(line) ?? [];
    if (status === "") throw new Error("the answer is not HTTP");
    const headers = await readHeaders(reader);
    if (status !== "101" && status.startsWith("1")) continue;
    return { status: Number(status), statusText, headers };
  }
}

/**
 * Says how the end of a body is known.
 *
 * @throws {Error} when its lengths contradict one another or its encoding is unknown.
 */
export function framingOf({ headers }: Head): Framing {
  const transfer = headers.get("transfer-encoding")?.trim().toLowerCase();
  if (transfer === "chunked") return { by: "chunks" };
  if (transfer !== undefined) throw new Error("the answer has an unknown transfer encoding");
  const lengths = new Set(headers.get("content-length")?.split(",").map((each) => each.trim()));
  if (lengths.size === 0) return { by: "end" };
  const [length = ""] = lengths;
  if (lengths.size > 1 || !/^\d{1,15}$/.test(length)) {
    throw new Error("the answer is not HTTP: its length makes no sense");
  }
  return { by: "length", length: Number(length) };
}

/**
 * Reads a body piece by piece.
 *
 * @throws {Error} when the connection ends before the body does.
 */
export async function* readBody(
  reader: ByteReader,
  framing: Framing,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  if (framing.by === "length") return yield* readExactly(reader, framing.length);
  if (framing.by === "chunks") return yield* readChunks(reader);
  for (let some = await reader.readSome(); some !== null; some = await reader.readSome()) {
    yield some;
  }
}

async function* readChunks(reader: ByteReader): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  for (;;) {
    const [, size = ""] = /^([0-9a-f]{1,8})\s*(?:;.*)?$/i.exec(await reader.readLine(MAX_LINE)) ??
      [];
    if (size === "") throw new Error("the answer is not HTTP: a chunk has no size");
    if (Number.parseInt(size, 16) === 0) break;
    yield* readExactly(reader, Number.parseInt(size, 16));
    if (await reader.readLine(2) !== "") throw new Error("the answer is not HTTP: a chunk runs on");
  }
  await readHeaders(reader); // trailers, which nobody asked for
}

async function* readExactly(
  reader: ByteReader,
  length: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  for (let left = length; left > 0;) {
    const some = await reader.readSome(left);
    if (some === null) throw new Error("the connection was closed within the answer");
    left -= some.length;
    yield some;
  }
}

async function readHeaders(reader: ByteReader): Promise<Headers> {
  const headers = new Headers();
  for (let count = 0; count <= MAX_HEADERS; count++) {
    const line = await reader.readLine(MAX_LINE);
    if (line === "") return headers;
    const [, name = "", value = ""] = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === "") throw new Error("the answer is not HTTP: a header has no name");
    headers.append(name, value);
  }
  throw new Error("the answer is not HTTP: it has too many headers");
}
