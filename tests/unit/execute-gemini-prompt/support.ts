import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import type { Task } from "../../../supabase/functions/_shared/contracts/executor.ts";
import { ExecutorError } from "../../../supabase/functions/_shared/executor/error.ts";
import { createLog } from "../../../supabase/functions/_shared/log.ts";
import { createHandler } from "../../../supabase/functions/execute-gemini-prompt/handler.ts";
import { FAKE_KEY, type FakeGemini } from "../../support/fake_gemini.ts";

export const USER_ID = "3f1c6d3e-5a55-4a4e-9a55-6a1f1f0f7c11";

/** What a test sets about one run of the handler. */
export interface RunOptions {
  type?: string;
  config?: Record<string, unknown>;
  input?: unknown;
  env?: Record<string, string | undefined>;
  userId?: string | undefined;
  signal?: AbortSignal;
  /** Receives the lines that are logged. */
  lines?: string[];
}

/** The environment of a run: the fake API, its key, and leave to fetch from the loopback. */
export function envOf(gemini: FakeGemini | undefined, more: RunOptions["env"] = {}) {
  const values: Record<string, string | undefined> = {
    GEMINI_API_KEY: FAKE_KEY,
    GEMINI_BASE_URL: gemini?.url,
    HTTP_ALLOW_PRIVATE_NETWORK: "true",
    ...more,
  };
  return (name: string) => values[name];
}

export function taskOf(options: RunOptions): Task {
  return {
    task_id: "t1",
    idempotency_key: "k1",
    job_id: "7d8b6f5a-53f0-4f5e-8a53-0e8f3a1c9f10",
    ...("userId" in options && options.userId === undefined
      ? {}
      : { user_id: options.userId ?? USER_ID }),
    workflow_id: "w1",
    step_id: "s1",
    attempt: 1,
    deadline: new Date(Date.now() + 60_000).toISOString(),
    transformer_id: "tr1",
    type: options.type ?? "gemini_prompt",
    config: options.config ?? {},
    input: "input" in options ? options.input : { prompt: "Say hello" },
  };
}

/** Runs the handler once, against the fake API. */
// deno-lint-ignore no-explicit-any -- tests look into the output wherever they like
export async function run(gemini: FakeGemini | undefined, options: RunOptions = {}): Promise<any> {
  const log = createLog({}, { level: "debug", write: (line) => options.lines?.push(line) });
  const handler = createHandler(envOf(gemini, options.env));
  return await handler(taskOf(options), {
    signal: options.signal ?? new AbortController().signal,
    log,
  });
}

/** Runs the handler and returns the error that it must fail with. */
export async function failing(
  gemini: FakeGemini | undefined,
  options: RunOptions = {},
): Promise<ExecutorError> {
  try {
    await run(gemini, options);
  } catch (error) {
    assert.ok(error instanceof ExecutorError, `not an ExecutorError: ${error}`);
    return error;
  }
  throw new Error("The handler must fail");
}

/** A server on the loopback, and every request that it got. */
export interface TestServer extends AsyncDisposable {
  url: string;
  requests: { path: string; headers: Headers }[];
}

/** Serves whatever a test wants to be fetched. */
export function serve(
  answer: (request: Request, url: URL) => Response | Promise<Response>,
): TestServer {
  const requests: TestServer["requests"] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const url = new URL(request.url);
    requests.push({ path: url.pathname, headers: request.headers });
    return answer(request, url);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    requests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Bytes that differ from place to place, so that a lost or doubled one shows. */
export function noise(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at++) bytes[at] = (at * 31 + (at >> 8) * 17 + (at >> 16)) & 0xff;
  return bytes;
}

/** Base64 of bytes of any number. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

/** The lines of a stream of text, as they come. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const piece of stream) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
