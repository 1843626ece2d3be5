import assert from "node:assert/strict";
import { oneStep, rubbish, scenarios } from "../support/scenario.ts";

const test = await scenarios();

const NO_RETRY = { retry: { max_retries: 0 } };

for (
  const [what, answer, code] of [
    ["404", { status: 404 }, "executor_unreachable"],
    ["500", { status: 500 }, "executor_unreachable"],
    ["no result", { lines: [] }, "invalid_result"],
    ["no JSON", { lines: ["<html>Bad gateway</html>"] }, "invalid_result"],
    [
      "another task's id",
      { lines: [`{"task_id":"x","status":"completed","output":1}`] },
      "invalid_result",
    ],
    ["no status", { lines: [`{"task_id":"TASK_ID","output":1}`] }, "invalid_result"],
    [
      "an error without a code",
      { lines: [`{"task_id":"TASK_ID","status":"failed","error":"no"}`] },
      "invalid_result",
    ],
    ["an unknown code", {
      lines: [`{"task_id":"TASK_ID","status":"failed","error":{"code":"oops","message":"no"}}`],
    }, "invalid_result"],
  ] as const
) {
  test(`an executor that answers ${what} fails the attempt with ${code}`, async (scenario) => {
    const job = await scenario.run(
      oneStep(
        rubbish({ ...answer, lines: [...("lines" in answer ? answer.lines : [])] }, NO_RETRY),
      ),
    );

    assert.deepEqual([job["status"], job["error"].code], ["failed", code]);
    assert.match(job["error_message"], /execute-rubbish/);
  });
}

test("an executor's first result for a task counts, whatever it says besides", async (scenario) => {
  const result = (output: unknown) =>
    JSON.stringify({ task_id: "TASK_ID", status: "completed", output });
  const job = await scenario.run(oneStep(rubbish({
    lines: ["", "rubbish", `{"task_id":"x","status":"completed","output":0}`, result(1), result(2)],
  })));

  assert.deepEqual([job["status"], job["final_result"]], ["completed", 1]);
  assert.equal((await scenario.steps(job["id"])).length, 1);
});

test("an executor without end is cut off, and its task times out", async (scenario) => {
  const job = await scenario.run(
    oneStep(rubbish({ hang: true }, { timeout_seconds: 0.2, ...NO_RETRY })),
  );

  assert.deepEqual([job["status"], job["error"].code], ["failed", "timeout"]);
});

for (const [what, text] of [["U+0000", "\\u0000"], ["half a character", "\\ud800"]]) {
  test(`an output that holds ${what} fails its own job, which says so`, async (scenario) => {
    const job = await scenario.run(oneStep(rubbish({
      lines: [`{"task_id":"TASK_ID","status":"completed","output":{"deep":["${text}"]}}`],
    })));

    assert.deepEqual([job["status"], job["error"].code], ["failed", "invalid_result"]);
    assert.match(job["error_message"], /output\.deep\[0\]/);
    assert.equal((await scenario.steps(job["id"])).length, 1, "it would be the same again");
  });

  test(`an error that holds ${what} is kept without it`, async (scenario) => {
    const error = `{"code":"shop.closed","message":"a${text}b","details":["${text}"]}`;
    const job = await scenario.run(oneStep(rubbish({
      lines: [`{"task_id":"TASK_ID","status":"failed","error":${error}}`],
    })));

    assert.deepEqual([job["status"], job["error"].code], ["failed", "shop.closed"]);
    assert.match(job["error_message"], /^a.b$/);
  });
}
