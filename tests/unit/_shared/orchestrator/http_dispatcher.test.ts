import assert from "node:assert/strict";
import { createLog } from "../../../../supabase/functions/_shared/log.ts";
import type {
  DeliveryEnd,
  TaskOut,
} from "../../../../supabase/functions/_shared/orchestrator/dispatcher.ts";
import { Batch } from "../../../../supabase/functions/_shared/orchestrator/batch.ts";
import { createHttpDispatcher } from "../../../../supabase/functions/_shared/orchestrator/http_dispatcher.ts";

const MAX_PAYLOAD = 2_000;

/** The function `f` on a port of its own, and the dispatcher that calls it. */
class World implements AsyncDisposable {
  readonly events: string[] = [];
  private readonly server: Deno.HttpServer<Deno.NetAddr>;

  constructor(answer: (request: Request) => Response | Promise<Response>) {
    this.server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
  }

  get url(): string {
    return `http://127.0.0.1:${this.server.addr.port}/functions/v1`;
  }

  dispatch(tasks: readonly TaskOut[], functionsUrl = this.url): void {
    createHttpDispatcher({
      functionsUrl,
      secretKey: "sb_secret",
      maxPayloadBytes: MAX_PAYLOAD,
      log: createLog({}, { write: (line) => this.events.push(JSON.parse(line).event) }),
    }).dispatch("f", tasks);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.shutdown();
  }
}

/** An answer that never ends, and when its reader has hung up. */
function endless(): { answer: Response; hungUp: Promise<void> } {
  const { promise: hungUp, resolve } = Promise.withResolvers<void>();
  return { answer: new Response(new ReadableStream({ cancel: () => resolve() })), hungUp };
}

/** A task on its way, and how it ended. */
function aTask(
  id: string,
  { timeoutMs = 60_000, input = {} as unknown, signal = new AbortController().signal } = {},
): { out: TaskOut; end: Promise<DeliveryEnd>; ends: DeliveryEnd[] } {
  const { promise, resolve } = Promise.withResolvers<DeliveryEnd>();
  const ends: DeliveryEnd[] = [];
  const out = {
    task: { task_id: id, input },
    timeoutMs,
    signal,
    end: (end: DeliveryEnd) => {
      ends.push(end);
      resolve(end);
    },
  } as unknown as TaskOut;
  return { out, end: promise, ends };
}

/** What became of a task in few words. */
function words(end: DeliveryEnd): string {
  if (end.type === "lost") return `lost: ${end.reason}`;
  const { result } = end;
  if (result.status !== "failed") return result.status;
  const { code, message, retry_after_seconds: wait } = result.error;
  return `${code}: ${message}${wait === undefined ? "" : ` (${wait} s)`}`;
}

/** Sends the tasks `a` and `b` to an executor that answers so: what becomes of them. */
async function ends(
  answer: (request: Request) => Response | Promise<Response>,
): Promise<{ a: string; b: string; events: string[] }> {
  await using world = new World(answer);
  const tasks = [aTask("a"), aTask("b")];
  world.dispatch(tasks.map(({ out }) => out));
  const [a, b] = await Promise.all(tasks.map(async ({ end }) => words(await end)));
  assert.ok(tasks.every((task) => task.ends.length === 1));
  return { a: a ?? "", b: b ?? "", events: world.events };
}

const line = (task_id: string, more: Record<string, unknown> = { status: "completed" }) =>
  JSON.stringify({ task_id, output: 1, ...more }) + "\n";
const text = (body: string, init?: ResponseInit) => () => new Response(body, init);
const BOTH = { a: "completed", b: "completed", events: [] };
const UNREADABLE = "invalid_result: Executor 'f' answered with something that is not a task result";
const FORGOTTEN = "invalid_result: Executor 'f' ended its answer without a result for this task";

Deno.test("dispatch() posts tasks with the secret key and tells each its result", async () => {
  let request: { url: string; key: string | null; body: unknown } | undefined;
  const found = await ends(async (received) => {
    request = {
      url: `${received.method} ${new URL(received.url).pathname}`,
      key: received.headers.get("apikey"),
      body: await received.json(),
    };
    assert.equal(received.headers.get("authorization"), null);
    return new Response(line("b") + line("a"));
  });
  assert.deepEqual(found, BOTH);
  assert.deepEqual(request, {
    url: "POST /functions/v1/f",
    key: "sb_secret",
    body: { tasks: [{ task_id: "a", input: {} }, { task_id: "b", input: {} }] },
  });
});

const ANSWERS: [words: string, body: string, a: string, b: string, events: string[]][] = [
  ["signs of life", `\n\n${line("a")}\n \n${line("b")}\n\n`, "completed", "completed", []],
  ["no line feed at the end", (line("a") + line("b")).trim(), "completed", "completed", []],
  ["nothing", "", FORGOTTEN, FORGOTTEN, []],
  ["an early end", line("a"), "completed", FORGOTTEN, []],
  [
    "a result twice",
    line("a") + line("a", { status: "accepted" }) + line("b"),
    "completed",
    "completed",
    ["executor_result_unexpected"],
  ],
  [
    "a result of nobody's task",
    line("c") + line("a") + line("b"),
    "completed",
    "completed",
    ["executor_result_unexpected"],
  ],
  [
    "rubbish",
    "<html>\n" + line("a"),
    "completed",
    UNREADABLE,
    ["executor_answer_unreadable"],
  ],
  [
    "JSON that is no result",
    `1\nnull\n[]\n{}\n${line("a", { status: "done" })}`,
    UNREADABLE,
    UNREADABLE,
    Array(5).fill("executor_answer_unreadable"),
  ],
  [
    "a line that broke off",
    line("a") + line("b").slice(0, 20),
    "completed",
    UNREADABLE,
    ["executor_answer_unreadable"],
  ],
  [
    "an error of a code that is none",
    line("a", { status: "failed", error: { code: "Oops!", message: "x" } }) + line("b"),
    UNREADABLE,
    "completed",
    ["executor_answer_unreadable"],
  ],
  [
    "errors, and tasks that are accepted",
    line("a", { status: "failed", error: { code: "network", message: "gone" } }) +
    line("b", { status: "accepted" }),
    "network: gone",
    "accepted",
    [],
  ],
  [
    "a hint when to come again",
    line("a", {
      status: "failed",
      error: { code: "rate_limited", message: "slow down", retry_after_seconds: 2.5 },
    }) + line("b"),
    "rate_limited: slow down (2.5 s)",
    "completed",
    [],
  ],
];

for (const [words, body, a, b, events] of ANSWERS) {
  Deno.test(`dispatch() takes an answer with ${words}`, async () => {
    assert.deepEqual(await ends(text(body)), { a, b, events });
  });
}

Deno.test("dispatch() takes outputs as they are, falsy ones too", async () => {
  const outputs = [0, false, "", null, [], {}, "é😀\u2028", { __proto__x: 1, "a.b": [null] }];
  await using world = new World(
    text(outputs.map((output, at) => line(`${at}`, { status: "completed", output })).join("")),
  );
  const tasks = outputs.map((_, at) => aTask(`${at}`));
  world.dispatch(tasks.map(({ out }) => out));
  for (const [at, output] of outputs.entries()) {
    assert.deepEqual(await tasks[at]?.end, {
      type: "result",
      result: { status: "completed", output },
    });
  }
});

Deno.test("dispatch() takes an output that is left out for null", async () => {
  await using world = new World(text(`{"task_id":"a","status":"completed"}`));
  const task = aTask("a");
  world.dispatch([task.out]);
  const result = { status: "completed", output: null };
  assert.deepEqual(await task.end, { type: "result", result });
});

Deno.test("dispatch() puts characters together that arrive in two pieces", async () => {
  const bytes = new TextEncoder().encode(line("a", { status: "completed", output: "😀" }));
  const cut = bytes.indexOf(0xf0) + 2;
  const chunks = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes.slice(0, cut));
      controller.enqueue(bytes.slice(cut));
      controller.close();
    },
  });
  await using world = new World(() => new Response(chunks));
  const task = aTask("a");
  world.dispatch([task.out]);
  assert.deepEqual(await task.end, {
    type: "result",
    result: { status: "completed", output: "😀" },
  });
});

Deno.test("dispatch() tells a result as soon as its line is in", async () => {
  const { promise: rest, resolve: finish } = Promise.withResolvers<void>();
  await using world = new World(() =>
    new Response(
      new ReadableStream({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode(line("a")));
          await rest;
          controller.enqueue(new TextEncoder().encode(line("b")));
          controller.close();
        },
      }),
    )
  );
  const [a, b] = [aTask("a"), aTask("b")];
  world.dispatch([a.out, b.out]);
  assert.equal(words(await a.end), "completed");
  assert.deepEqual(b.ends, []);
  finish();
  assert.equal(words(await b.end), "completed");
});

const STATUSES: [status: number, headers: Record<string, string>, becomes: string][] = [
  [400, {}, "executor_unreachable: Executor 'f' answered 400"],
  [
    401,
    {},
    "executor_unreachable: Executor 'f' answered 401: " +
    "is verify_jwt = false set for it in config.toml, and in force?",
  ],
  [404, {}, "executor_unreachable: Executor 'f' answered 404: is the function deployed?"],
  [429, {}, "rate_limited: Executor 'f' answered 429"],
  [429, { "Retry-After": "7" }, "rate_limited: Executor 'f' answered 429 (7 s)"],
  [429, { "Retry-After": "soon" }, "rate_limited: Executor 'f' answered 429"],
  [429, { "Retry-After": "-5" }, "rate_limited: Executor 'f' answered 429"],
  [429, { "Retry-After": "1e300" }, "rate_limited: Executor 'f' answered 429 (2592000 s)"],
  [500, {}, "executor_unreachable: Executor 'f' answered 500"],
  [
    503,
    { "Retry-After": "3" },
    "executor_unreachable: Executor 'f' answered 503: " +
    "does the function start? Its log says why not (3 s)",
  ],
  [502, {}, "lost: the platform answered 502"],
  [504, {}, "lost: the platform answered 504"],
  [546, {}, "lost: the platform answered 546"],
  [204, {}, "executor_unreachable: Executor 'f' answered 204"],
];

for (const [status, headers, becomes] of STATUSES) {
  Deno.test(`dispatch() takes ${status} ${JSON.stringify(headers)} for ${becomes}`, async () => {
    const body = status === 204 ? null : line("a");
    const found = await ends(() => new Response(body, { status, headers }));
    assert.deepEqual(found, { a: becomes, b: becomes, events: [] });
  });
}

Deno.test("dispatch() knows that nothing has begun where the connection is refused", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const nobody = `http://127.0.0.1:${listener.addr.port}/functions/v1`;
  listener.close();
  await using world = new World(text(""));
  const task = aTask("a");
  world.dispatch([task.out], nobody);
  const end = await task.end;
  assert.equal(words(end), "executor_unreachable: Executor 'f' cannot be reached");
});

Deno.test("dispatch() does not know what was done where the connection breaks", async () => {
  const head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  const chunk = line("a");
  const cases = [
    ["", "lost: the call broke off", "lost: the call broke off"],
    [head, "lost: its answer broke off", "lost: its answer broke off"],
    [
      `${head}${chunk.length.toString(16)}\r\n${chunk}\r\n`,
      "completed",
      "lost: its answer broke off",
    ],
  ] as const;
  for (const [answer, ...expected] of cases) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const served = (async () => {
      using connection = await listener.accept();
      await connection.read(new Uint8Array(65_536));
      await connection.write(new TextEncoder().encode(answer));
    })();
    await using world = new World(text(""));
    const tasks = [aTask("a"), aTask("b")];
    world.dispatch(
      tasks.map(({ out }) => out),
      `http://127.0.0.1:${listener.addr.port}/functions/v1`,
    );
    await served;
    assert.deepEqual(await Promise.all(tasks.map(async ({ end }) => words(await end))), expected);
  }
});

Deno.test("dispatch() fails a task that takes too long, and hangs up when all have", async () => {
  const { answer, hungUp } = endless();
  await using world = new World(() => answer);
  const tasks = [aTask("a", { timeoutMs: -999 }), aTask("b", { timeoutMs: -980 })];
  world.dispatch(tasks.map(({ out }) => out));
  for (const { end } of tasks) {
    assert.match(words(await end), /^timeout: Executor 'f' did not finish within -1 s$/);
  }
  await hungUp;
});

Deno.test("dispatch() hangs up when nobody waits any more, and says nothing", async () => {
  const { promise: called, resolve } = Promise.withResolvers<void>();
  const { answer, hungUp } = endless();
  await using world = new World(() => {
    resolve();
    return answer;
  });
  const stops = [new AbortController(), new AbortController()];
  const tasks = stops.map(({ signal }, at) => aTask(`${at}`, { signal }));
  world.dispatch(tasks.map(({ out }) => out));
  await called;
  for (const stop of stops) stop.abort();
  await hungUp;
  assert.deepEqual(tasks.flatMap(({ ends }) => ends), []);
});

Deno.test("dispatch() goes on for the others when nobody waits for one task", async () => {
  const { promise: called, resolve: calledNow } = Promise.withResolvers<void>();
  const { promise: given, resolve: give } = Promise.withResolvers<void>();
  await using world = new World(async () => {
    calledNow();
    await given;
    return new Response(line("a") + line("b"));
  });
  const stop = new AbortController();
  const [a, b] = [aTask("a", { signal: stop.signal }), aTask("b")];
  world.dispatch([a.out, b.out]);
  await called;
  stop.abort();
  give();
  assert.equal(words(await b.end), "completed");
  assert.deepEqual(a.ends, []);
});

Deno.test("Batch does not hang up on an answer whose results are all in", () => {
  const stop = new AbortController();
  const { out, ends } = aTask("a", { signal: stop.signal });
  const batch = new Batch("f", [out], { log: createLog(), maxPayloadBytes: MAX_PAYLOAD });
  batch.line(line("a"));
  stop.abort(); // as the next attempt begins, before the answer has ended by itself
  assert.equal(ends.length, 1);
  assert.ok(batch.isOver && !batch.signal.aborted);
});

Deno.test("dispatch() gives up on an answer without line feeds", async () => {
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(120)),
  });
  const found = await ends(() => new Response(stream));
  const becomes = /^payload_too_large: Executor 'f': a line of its answer exceeds \d+ bytes$/;
  assert.match(found.a, becomes);
  assert.match(found.b, becomes);
});

const OUTPUTS: [words: string, output: string, becomes: RegExp][] = [
  ["at the limit", JSON.stringify("x".repeat(MAX_PAYLOAD - 2)), /^completed$/],
  ["above the limit", JSON.stringify("x".repeat(MAX_PAYLOAD - 1)), /^payload_too_large: /],
  ["above the limit in bytes", JSON.stringify("é".repeat(1_000)), /^payload_too_large: /],
  ["with U+0000", `{"a":["\\u0000"]}`, /^invalid_result: .*output\.a\[0\] holds \\u0000/],
  ["with U+0000 in a key", `{"\\u0000":1}`, /^invalid_result: /],
  ["with words that look like U+0000", `"\\\\u0000"`, /^completed$/],
  ["with half a character", `"\\ud83d"`, /^invalid_result: .*half a surrogate pair/],
  ["with half a character in capitals", `"\\uDE00"`, /^invalid_result: /],
  ["with a whole one in escapes", `"\\uD83D\\uDE00"`, /^completed$/],
  ["with a number that JSON would make null", `[1e999]`, /^invalid_result: .*Infinity/],
  ["nested very deep", "[".repeat(900) + "]".repeat(900), /^invalid_result: .*nested deeper/],
];

for (const [about, output, becomes] of OUTPUTS) {
  Deno.test(`dispatch() takes an output ${about} for ${becomes}`, async () => {
    await using world = new World(
      text(`{"task_id":"a","status":"completed","output":${output}}`),
    );
    const task = aTask("a");
    world.dispatch([task.out]);
    assert.match(words(await task.end), becomes);
  });
}

Deno.test("dispatch() takes errors so that the database can store them", async () => {
  const error = `{"code":"network","message":"a\\u0000b\\ud83d","details":{"x":"\\u0000"}}`;
  await using world = new World(text(`{"task_id":"a","status":"failed","error":${error}}`));
  const task = aTask("a");
  world.dispatch([task.out]);
  const end = await task.end;
  assert.ok(end.type === "result" && end.result.status === "failed");
  const { message, details } = end.result.error;
  assert.equal(message, "a\ufffdb\ufffd");
  assert.match(JSON.stringify(details), /^\{"omitted":"/);
});

Deno.test("dispatch() sends large tasks apart", async () => {
  const sizes: number[] = [];
  await using world = new World(async (request) => {
    const { tasks } = await request.json();
    sizes.push(tasks.length);
    return new Response(tasks.map(({ task_id }: { task_id: string }) => line(task_id)).join(""));
  });
  const input = "x".repeat(3 * 1024 * 1024);
  const tasks = ["a", "b", "c", "d"].map((id) => aTask(id, { input }));
  world.dispatch(tasks.map(({ out }) => out));
  for (const { end } of tasks) assert.equal(words(await end), "completed");
  assert.deepEqual(sizes, [2, 2]);
});
