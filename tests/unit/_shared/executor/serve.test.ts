import assert from "node:assert/strict";
import { ExecutorError } from "../../../../supabase/functions/_shared/executor/error.ts";
import { ACCEPTED } from "../../../../supabase/functions/_shared/executor/handler.ts";
import { aCall, anExecutor, aTask, parseLines, resultOf, resultsOf } from "./support.ts";

const echo = anExecutor(({ input }) => input);

async function refusal(response: Response) {
  const { error } = await response.json();
  assert.equal(error.request_id, response.headers.get("x-request-id"));
  return [response.status, error.code, error.message] as const;
}

Deno.test("serveExecutor() lets nobody in without a secret key", async () => {
  for (const apikey of ["", "wrong", "sb_secret_tes", "sb_secret_test2"]) {
    const response = await echo.call(aCall([aTask()], { headers: { apikey } }));
    const [status, code] = await refusal(response);
    assert.deepEqual([status, code], [401, "unauthorized"], apikey);
  }
});

Deno.test("serveExecutor() takes POST only, and says so", async () => {
  for (const method of ["GET", "PUT", "DELETE", "OPTIONS"]) {
    const response = await echo.call(aCall("", { method, body: null }));
    assert.deepEqual((await refusal(response)).slice(0, 2), [405, "method_not_allowed"], method);
    assert.equal(response.headers.get("allow"), "POST");
  }
});

Deno.test("serveExecutor() names the place of what is wrong in a batch", async () => {
  const task = aTask();
  const twin = aTask({ task_id: task.task_id });
  const cases: [body: string, code: string, words: RegExp][] = [
    ["", "malformed_json", /parse the body as JSON/],
    ["{", "malformed_json", /parse the body as JSON/],
    ["[]", "invalid_request", /the body must be an object/],
    ["{}", "invalid_request", /as 'tasks' /],
    [`{"tasks":[]}`, "invalid_request", /as 'tasks' must be >= 1/],
    [
      JSON.stringify({ tasks: [task, { ...task, job_id: "x" }] }),
      "invalid_request",
      /tasks\[1\]\.job_id/,
    ],
    [
      JSON.stringify({ tasks: [{ ...task, attempt: 0 }] }),
      "invalid_request",
      /tasks\[0\]\.attempt/,
    ],
    [
      JSON.stringify({ tasks: [{ ...task, deadline: "soon" }] }),
      "invalid_request",
      /tasks\[0\]\.deadline/,
    ],
    [
      JSON.stringify({ tasks: [task, aTask(), twin] }),
      "invalid_request",
      /'tasks\[2\]\.task_id' is the same as tasks\[0\]/,
    ],
  ];
  for (const [body, code, words] of cases) {
    const [status, actual, message] = await refusal(await echo.call(aCall(body)));
    assert.deepEqual([status, actual], [400, code], body);
    assert.match(message, words);
  }
  const bytes = new Uint8Array([0x22, 0xff, 0xfe, 0x22]);
  const notText = await refusal(await echo.call(aCall("", { body: bytes })));
  assert.deepEqual(notText.slice(0, 2), [400, "malformed_json"]);
});

Deno.test("serveExecutor() refuses a batch that is too large, announced or not", async () => {
  const small = anExecutor(({ input }) => input, { MAX_BATCH_BYTES: "2048" });
  const large = JSON.stringify({ tasks: [aTask({ input: "x".repeat(3000) })] });
  const streamed = new Blob([large]).stream();
  for (const body of [large, streamed]) {
    const response = await small.call(aCall("", { body }));
    assert.deepEqual((await refusal(response)).slice(0, 2), [413, "payload_too_large"]);
  }
  const announced = aCall("{}", {
    headers: { apikey: "sb_secret_test", "content-length": "9999" },
  });
  assert.equal((await small.call(announced)).status, 413);
});

Deno.test("serveExecutor() answers a misconfiguration with the variable's name", async () => {
  const broken = anExecutor(() => null, { MAX_PAYLOAD_BYTES: "lots" });
  const [status, code, message] = await refusal(await broken.call(aCall([aTask()])));
  assert.deepEqual([status, code], [500, "config_invalid"]);
  assert.match(message, /MAX_PAYLOAD_BYTES/);
});

Deno.test("serveExecutor() keeps a sane request id and replaces another", async () => {
  const idOf = async (given: string) => {
    const request = aCall([aTask()]);
    request.headers.set("x-request-id", given);
    return (await echo.call(request)).headers.get("x-request-id");
  };
  assert.equal(await idOf("req-1.a_b"), "req-1.a_b");
  assert.notEqual(await idOf("a b <script>"), "a b <script>");
});

Deno.test("serveExecutor() answers one line per task, under its id", async () => {
  const tasks = Array.from({ length: 100 }, (_, n) => aTask({ input: { n } }));
  const response = await echo.call(aCall(tasks));
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/x-ndjson");
  const results = new Map(parseLines(await response.text()).map((each) => [each.task_id, each]));
  assert.equal(results.size, 100);
  for (const task of tasks) {
    assert.deepEqual(results.get(task.task_id), {
      task_id: task.task_id,
      status: "completed",
      output: task.input,
    });
  }
});

Deno.test("serveExecutor() keeps 0, false and empty text, and makes null of undefined", async () => {
  for (const value of [0, false, "", null, [], {}]) {
    const result = await resultOf(echo, aTask({ input: value }));
    assert.ok(result.status === "completed");
    assert.deepEqual(result.output, value);
  }
  const nothing = await resultOf(anExecutor(() => undefined));
  assert.ok(nothing.status === "completed");
  assert.equal(nothing.output, null);
});

Deno.test("serveExecutor() passes on that a task finishes later", async () => {
  const result = await resultOf(anExecutor(() => Promise.resolve(ACCEPTED)));
  assert.equal(result.status, "accepted");
  assert.deepEqual(Object.keys(result).sort(), ["status", "task_id"]);
});

Deno.test("serveExecutor() makes results of errors, and only of the task that had one", async () => {
  const harness = anExecutor(({ input }) => {
    if (input === "known") {
      throw new ExecutorError("rate_limited", "Slow down", {
        retry_after_seconds: 7,
        details: { status: 429 },
      });
    }
    if (input === "crash") throw new Error("password is hunter2");
    if (input === "odd") return Promise.reject("a string");
    if (input === "library") throw new DOMException("took too long", "TimeoutError");
    return "fine";
  });
  const tasks = ["known", "crash", "odd", "library", "fine"].map((input) => aTask({ input }));
  const results = await resultsOf(harness, tasks);
  const [known, crash, odd, library, fine] = tasks.map(({ task_id }) => results.get(task_id));
  assert.deepEqual(known?.status === "failed" && known.error, {
    code: "rate_limited",
    message: "Slow down",
    retry_after_seconds: 7,
    details: { status: 429 },
  });
  for (const each of [crash, odd]) {
    assert.ok(each?.status === "failed");
    assert.equal(each.error.code, "internal");
    assert.doesNotMatch(JSON.stringify(each), /hunter2|a string/);
  }
  assert.equal(library?.status === "failed" && library.error.code, "timeout");
  assert.equal(fine?.status, "completed");
  const logged = harness.lines.find(({ level }) => level === "error");
  assert.match(String(logged?.["error"]), /hunter2/);
});

Deno.test("serveExecutor() logs a task without its payload, unless asked", async () => {
  const secretive = anExecutor(({ input }) => input);
  await resultOf(secretive, aTask({ input: "private words" }));
  assert.deepEqual(secretive.lines.map(({ event }) => event), [
    "task_started",
    "task_completed",
    "batch_completed",
  ]);
  assert.doesNotMatch(JSON.stringify(secretive.lines), /private words/);
  const { job_id, step_id, transformer_id, attempt, trace_id, duration_ms } = secretive.lines[1] ??
    {};
  assert.deepEqual(
    { job_id, step_id, transformer_id, attempt, trace_id },
    {
      job_id: aTask().job_id,
      step_id: "hello",
      transformer_id: "a-transformer",
      attempt: 1,
      trace_id: aTask().trace_id,
    },
  );
  assert.equal(typeof duration_ms, "number");

  const open = anExecutor(({ input }) => input, { LOG_PAYLOADS: "true" });
  await resultOf(open, aTask({ input: "private words" }));
  assert.match(JSON.stringify(open.lines), /private words/);
});
