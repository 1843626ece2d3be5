import assert from "node:assert/strict";
import { SECRET_KEY, withFunction } from "../support/function_process.ts";
import { aTask, parseLines } from "../unit/_shared/executor/support.ts";
import type { Task, TaskResult } from "../../supabase/functions/_shared/contracts/executor.ts";

async function run(url: string, tasks: Task[]): Promise<TaskResult[]> {
  const response = await fetch(url, {
    method: "POST",
    headers: { apikey: SECRET_KEY },
    body: JSON.stringify({ tasks }),
  });
  assert.equal(response.status, 200);
  return parseLines(await response.text());
}

const outputOf = (result: TaskResult | undefined) =>
  result?.status === "completed" ? result.output : result;

Deno.test("execute-echo gives back what it was given", async () => {
  await withFunction("execute-echo", {}, async (url) => {
    const cases: [input: unknown, output: unknown][] = [
      [{ data: "Hello" }, "Hello"],
      [{ data: null }, null],
      [{ data: { nested: [1, 2] }, more: 1 }, { nested: [1, 2] }],
      [{ other: 1 }, { other: 1 }],
      [{}, {}],
      [[{ data: 1 }], [{ data: 1 }]],
      ["text", "text"],
      [0, 0],
      [false, false],
      [null, null],
      [{ data: "é😀" }, "é😀"],
    ];
    const tasks = cases.map(([input]) => aTask({ input }));
    const results = new Map((await run(url, tasks)).map((result) => [result.task_id, result]));
    for (const [index, [, output]] of cases.entries()) {
      const result = results.get(tasks[index]?.task_id ?? "");
      assert.deepEqual(outputOf(result), { echoed_data: output });
    }
  });
});

Deno.test("execute-echo waits where its config says so, within bounds and its deadline", async () => {
  await withFunction("execute-echo", {}, async (url) => {
    const slow = aTask({ config: { delay_ms: 50 } });
    const quick = aTask({ config: { delay_ms: 1 } });
    const late = aTask({
      config: { delay_ms: 60_000 },
      deadline: new Date(Date.now() + 60).toISOString(),
    });
    const results = await run(url, [slow, late, quick]);
    const statuses = new Map(results.map(({ task_id, status }) => [task_id, status]));
    assert.deepEqual(
      [slow, quick, late].map(({ task_id }) => statuses.get(task_id)),
      ["completed", "completed", "failed"],
    );
    for (const delay_ms of [-1, 60_001, "5", null, {}]) {
      const [result] = await run(url, [aTask({ config: { delay_ms } })]);
      assert.ok(result?.status === "failed");
      assert.equal(result.error.code, "config_invalid");
      assert.match(result.error.message, /'config\.delay_ms' must be a number from 0 to 60000/);
    }
  });
});

Deno.test("execute-echo is closed to callers without a secret key", async () => {
  await withFunction("execute-echo", {}, async (url) => {
    const callers: Record<string, string>[] = [
      {},
      { apikey: "sb_publishable_x" },
      { authorization: `Bearer ${SECRET_KEY}` },
    ];
    for (const headers of callers) {
      const response = await fetch(url, { method: "POST", headers, body: "{}" });
      assert.equal(response.status, 401);
      const { error } = await response.json();
      assert.equal(error.code, "unauthorized");
    }
  });
});
