/**
 * A server that speaks the Gemini REST protocol: `generateContent` and the Files API with its
 * resumable upload. Answers have the shapes that the real API's have, can be scripted, and every
 * request is recorded.
 */
import {
  answerOf,
  errorOf,
  EXAMPLE_TRANSCRIPTION,
  INVALID_KEY,
  type ScriptedAnswer,
} from "./gemini_answers.ts";

/** The key that the server takes for good. */
export const FAKE_KEY = "AIzaFakeKeyForTests_0123456789abcdefghi";
/** Chunks of an upload, but for the last, must be a multiple of this many bytes. */
const GRANULARITY = 256 * 1024;

/** The calls that can be scripted. */
export type GeminiCall =
  | "generateContent"
  | "upload.start"
  | "upload.chunk"
  | "files.get"
  | "files.delete";

/** A request as it came. */
export interface RecordedRequest {
  call: GeminiCall | "unknown";
  method: string;
  path: string;
  headers: Headers;
  /** Parsed, where it was JSON. */
  // deno-lint-ignore no-explicit-any -- tests look into it wherever they like
  json?: any;
  /** Bytes of the body. */
  size: number;
}

/** A file that the server holds. */
export interface FakeFile {
  name: string;
  mimeType: string;
  bytes: Uint8Array;
  /** `files.get` calls that still answer PROCESSING. */
  processing: number;
  failed: boolean;
}

/** A running server. */
export interface FakeGemini extends AsyncDisposable {
  url: string;
  requests: RecordedRequest[];
  files: Map<string, FakeFile>;
  /** Bytes of every upload that was finished, also of those deleted since. */
  uploaded: Uint8Array[];
  /** Puts an answer in the queue of a call; calls beyond the queue are answered as usual. */
  script(call: GeminiCall, ...answers: ScriptedAnswer[]): void;
  /** How many `files.get` calls a new file is PROCESSING for, and whether it fails then. */
  processing: { calls: number; fails: boolean };
  /** The requests of one kind. */
  of(call: GeminiCall): RecordedRequest[];
}

interface Upload {
  mimeType: string;
  announced: number | undefined;
  chunks: Uint8Array[];
  received: number;
}

/** Starts a server on a free port of the loopback. */
export function startFakeGemini(): FakeGemini {
  const scripts = new Map<GeminiCall, ScriptedAnswer[]>();
  const uploads = new Map<string, Upload>();
  const closing = Promise.withResolvers<void>();
  const state = {
    requests: [] as RecordedRequest[],
    files: new Map<string, FakeFile>(),
    uploaded: [] as Uint8Array[],
    processing: { calls: 0, fails: false },
  };
  let ids = 0;

  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const url = new URL(request.url);
    const call = callOf(request.method, url);
    const bytes = await request.bytes();
    state.requests.push({
      call,
      method: request.method,
      path: url.pathname + url.search,
      headers: request.headers,
      size: bytes.byteLength,
      ...(request.headers.get("content-type") === "application/json"
        ? { json: JSON.parse(new TextDecoder().decode(bytes)) }
        : {}),
    });
    if (call === "unknown") return errorResponse(404, "NOT_FOUND", "Not Found");
    const scripted = scripts.get(call)?.shift();
    if (scripted?.hang === true) await closing.promise;
    if (scripted !== undefined) return toResponse(scripted);
    // The URL of an upload carries its own authority.
    if (call !== "upload.chunk" && request.headers.get("x-goog-api-key") !== FAKE_KEY) {
      return toResponse(INVALID_KEY);
    }
    switch (call) {
      case "generateContent":
        return generate(url, state.requests.at(-1)?.json);
      case "upload.start": {
        const id = `upload${++ids}`;
        const length = request.headers.get("x-goog-upload-header-content-length");
        uploads.set(id, {
          mimeType: request.headers.get("x-goog-upload-header-content-type") ?? "",
          announced: length === null ? undefined : Number(length),
          chunks: [],
          received: 0,
        });
        return new Response(null, {
          headers: {
            "x-goog-upload-status": "active",
            "x-goog-upload-url": `${url.origin}${url.pathname}?upload_id=${id}`,
            "x-goog-upload-chunk-granularity": String(GRANULARITY),
          },
        });
      }
      case "upload.chunk":
        return receive(request, url, bytes);
      case "files.get": {
        const file = state.files.get(url.pathname.split("/").at(-1) ?? "");
        if (file === undefined) return noSuchFile();
        if (file.processing > 0) file.processing--;
        return Response.json(fileJson(file, url.origin));
      }
      case "files.delete":
        return state.files.delete(url.pathname.split("/").at(-1) ?? "")
          ? Response.json({})
          : noSuchFile();
    }
  });

  function receive(request: Request, url: URL, bytes: Uint8Array): Response {
    const upload = uploads.get(url.searchParams.get("upload_id") ?? "");
    const command = request.headers.get("x-goog-upload-command") ?? "";
    const final = command === "upload, finalize";
    if (upload === undefined || (!final && command !== "upload")) {
      return errorResponse(400, "INVALID_ARGUMENT", "Upload has already been terminated.");
    }
    if (Number(request.headers.get("x-goog-upload-offset")) !== upload.received) {
      return errorResponse(400, "INVALID_ARGUMENT", "The offset does not match.");
    }
    if (!final && (bytes.byteLength === 0 || bytes.byteLength % GRANULARITY !== 0)) {
      return errorResponse(400, "INVALID_ARGUMENT", "The chunk is not a multiple of granularity.");
    }
    upload.chunks.push(bytes);
    upload.received += bytes.byteLength;
    if (!final) return new Response(null, { headers: { "x-goog-upload-status": "active" } });
    if (upload.announced !== undefined && upload.announced !== upload.received) {
      return errorResponse(400, "INVALID_ARGUMENT", "The size does not match.");
    }
    const whole = new Uint8Array(upload.received);
    let at = 0;
    for (const chunk of upload.chunks) {
      whole.set(chunk, at);
      at += chunk.byteLength;
    }
    const id = `file${++ids}`;
    const file: FakeFile = {
      name: `files/${id}`,
      mimeType: upload.mimeType,
      bytes: whole,
      processing: state.processing.calls,
      failed: state.processing.fails,
    };
    state.files.set(id, file);
    state.uploaded.push(whole);
    return Response.json({ file: fileJson(file, url.origin) }, {
      headers: { "x-goog-upload-status": "final" },
    });
  }

  return {
    ...state,
    url: `http://127.0.0.1:${server.addr.port}`,
    of: (call) => state.requests.filter((each) => each.call === call),
    script(call, ...answers) {
      scripts.set(call, [...scripts.get(call) ?? [], ...answers]);
    },
    async [Symbol.asyncDispose]() {
      closing.resolve();
      await server.shutdown();
    },
  };
}

function callOf(method: string, { pathname, searchParams }: URL): RecordedRequest["call"] {
  if (/^\/v\w+\/(models|tunedModels)\/[^/]+:generateContent$/.test(pathname)) {
    return "generateContent";
  }
  if (/^\/upload\/v\w+\/files$/.test(pathname)) {
    return searchParams.has("upload_id") ? "upload.chunk" : "upload.start";
  }
  if (!/^\/v\w+\/files\/[\w-]+$/.test(pathname)) return "unknown";
  return method === "GET" ? "files.get" : method === "DELETE" ? "files.delete" : "unknown";
}

function generate(url: URL, body: { generationConfig?: { responseSchema?: unknown } }): Response {
  const model = /models\/([^/:]+):/.exec(url.pathname)?.[1] ?? "";
  if (!model.startsWith("gemini-")) {
    return errorResponse(
      404,
      "NOT_FOUND",
      `models/${model} is not found for API version v1beta, or is not supported for ` +
        "generateContent. Call ListModels to see the list of available models and their " +
        "supported methods.",
    );
  }
  const schema = JSON.stringify(body.generationConfig?.responseSchema ?? null);
  const text = schema.includes('"segments"')
    ? JSON.stringify(EXAMPLE_TRANSCRIPTION)
    : "Hello from the mill.";
  return toResponse(answerOf(text, { modelVersion: model }));
}

function fileJson(file: FakeFile, origin: string): Record<string, unknown> {
  const state = file.processing > 0 ? "PROCESSING" : file.failed ? "FAILED" : "ACTIVE";
  return {
    name: file.name,
    displayName: "millrace",
    mimeType: file.mimeType,
    sizeBytes: String(file.bytes.byteLength),
    createTime: "2026-11-20T11:00:00.000000Z",
    updateTime: "2026-11-20T11:00:00.000000Z",
    expirationTime: "2026-11-22T11:00:00.000000Z",
    sha256Hash: "ZmFrZQ==",
    uri: `${origin}/v1beta/${file.name}`,
    state,
    source: "UPLOADED",
    ...(state === "FAILED"
      ? { error: { code: 3, message: "The file failed to be processed." } }
      : {}),
  };
}

function noSuchFile(): Response {
  return errorResponse(
    403,
    "PERMISSION_DENIED",
    "You do not have permission to access the File or it may not exist.",
  );
}

function errorResponse(status: number, grpcStatus: string, message: string): Response {
  return toResponse(errorOf(status, grpcStatus, message));
}

function toResponse({ status = 200, headers = {}, body }: ScriptedAnswer): Response {
  return typeof body === "string"
    ? new Response(body, { status, headers })
    : Response.json(body ?? {}, { status, headers });
}
