import assert from "node:assert/strict";
import { serveExecutor } from "../../../../supabase/functions/_shared/executor/serve.ts";
import { aCall, anExecutor, aTask, parseLines, resultOf, resultsOf, SECRET } from "./support.ts";

const soon = (milliseconds: number) => new Date(Date.now() + milliseconds).toISOString();

Deno.test("serveExecutor() answers at once and sends each result as it is ready", async () => {
  const slow = Promise.withResolvers<string>();
  const fast = Promise.withResolvers<string>();
  const { call } = anExecutor(({ input }) => (input === "slow" ? slow : fast).promise);
  const tasks = [aTask({ input: "slow" }), aTask({ input: "fast" })];
  const response = await call(aCall(tasks));
  assert.equal(response.status, 200);
  assert.ok(response.body !== null);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  fast.resolve("f");
  const [first] = parseLines((await reader.read()).value ?? "");
  assert.equal(first?.task_id, tasks[1]?.task_id);
  slow.resolve("s");
  const [second] = parseLines((await reader.read()).value ?? "");
  assert.equal(second?.task_id, tasks[0]?.task_id);
  assert.equal((await reader.read()).done, true);
});

Deno.test("serveExecutor() sends results that are ready together in one piece", async () => {
  const gate = Promise.withResolvers<void>();
  const { call } = anExecutor(({ input }) => gate.promise.then(() => input));
  const response = await call(aCall(Array.from({ length: 100 }, () => aTask())));
  gate.resolve();
  const chunks = await Array.fromAsync(response.body ?? []);
  assert.equal(chunks.length, 1);
  assert.equal(parseLines(new TextDecoder().decode(chunks[0])).length, 100);
});

Deno.test("serveExecutor() runs the tasks of a batch side by side, up to its limit", async () => {
  for (const [concurrency, expected] of [[undefined, 10], [3, 3], [1, 1]] as const) {
    let running = 0;
    let most = 0;
    const harness = anExecutor(
      async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
      },
      {},
      concurrency === undefined ? {} : { concurrency },
    );
    const results = await resultsOf(harness, Array.from({ length: 10 }, () => aTask()));
    assert.deepEqual([results.size, most], [10, expected]);
  }
});

Deno.test("serveExecutor() ends a task at its deadline, whatever its handler does", async () => {
  const aborted: unknown[] = [];
  const harness = anExecutor(({ input }, { signal }) => {
    signal.addEventListener("abort", () => aborted.push(signal.reason?.name));
    if (input === "deaf") return new Promise(() => {});
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(new Error("gave up")))
    );
  });
  const tasks = ["deaf", "polite"].map((input) => aTask({ input, deadline: soon(30) }));
  const quick = aTask({ input: "deaf", deadline: soon(-1) });
  const results = await resultsOf(harness, [...tasks, quick]);
  for (const task of [...tasks, quick]) {
    const result = results.get(task.task_id);
    assert.ok(result?.status === "failed");
    assert.deepEqual(result.error, {
      code: "timeout",
      message: "Cannot finish the task before its deadline",
    });
  }
  // The one that was late on arrival was never started.
  assert.deepEqual(aborted, ["AbortError", "AbortError"]);
});

Deno.test("serveExecutor() drops what a handler says after its deadline", async () => {
  const late = Promise.withResolvers<string>();
  const harness = anExecutor(() => late.promise);
  const response = await harness.call(aCall([aTask({ deadline: soon(10) })]));
  const text = await response.text();
  late.reject(new Error("too late to matter"));
  assert.equal(parseLines(text).length, 1);
});

Deno.test("serveExecutor() takes a deadline beyond what a timer can hold", async () => {
  const harness = anExecutor(async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return "ok";
  });
  const result = await resultOf(harness, aTask({ deadline: soon(1e12) }));
  assert.equal(result.status, "completed");
});

Deno.test("serveExecutor() sends blank lines while nothing is ready", async () => {
  const gate = Promise.withResolvers<void>();
  const { call } = anExecutor(() => gate.promise, {}, { keepAliveMs: 5 });
  const response = await call(aCall([aTask()]));
  assert.ok(response.body !== null);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await reader.read()).value, "\n");
  assert.equal((await reader.read()).value, "\n");
  gate.resolve();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) rest += part.value;
  assert.equal(parseLines(rest).length, 1);
});

Deno.test("serveExecutor() stops its tasks when the caller goes away", async () => {
  const stopped = Promise.withResolvers<unknown>();
  let started = 0;
  const variables: Record<string, string> = {
    SUPABASE_SERVICE_ROLE_KEY: SECRET,
    LOG_LEVEL: "error",
  };
  const handler = serveExecutor("execute-test", (_task, { signal }) => {
    started++;
    signal.addEventListener("abort", () => stopped.resolve(signal.reason.name));
    return new Promise(() => {});
  }, { read: (name) => variables[name], concurrency: 1 });
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, handler);
  const caller = new AbortController();
  const response = await fetch(`http://127.0.0.1:${server.addr.port}/`, {
    method: "POST",
    headers: { apikey: SECRET },
    body: JSON.stringify({ tasks: [aTask(), aTask()] }),
    signal: caller.signal,
  });
  assert.equal(response.status, 200);
  caller.abort();
  await assert.rejects(response.text());
  assert.equal(await stopped.promise, "AbortError");
  await server.shutdown();
  assert.equal(started, 1, "a task that had not been started stays so");
});
