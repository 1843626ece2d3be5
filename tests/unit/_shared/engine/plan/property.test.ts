import assert from "node:assert/strict";
import fc from "fast-check";
import { type Answer, isEnded, World } from "./world.ts";

/** A definition of tasks alone, in the form that the interpreter below reads too. */
interface Model {
  steps: {
    next: number | null;
    when: boolean | null;
    onError: number | null;
    retries: number;
  }[];
  onError: number | null;
  budget: number;
}

/** What the executor does with the n-th delivery of the whole job. */
type Script = readonly ("ok" | "fail" | "fatal" | "lost" | "crash")[];

const target = fc.option(fc.nat({ max: 4 }), { freq: 3 });

const model: fc.Arbitrary<Model> = fc.record({
  steps: fc.array(
    fc.record({
      next: target,
      when: fc.option(fc.boolean(), { freq: 2 }),
      onError: target,
      retries: fc.nat({ max: 2 }),
    }),
    { minLength: 1, maxLength: 5 },
  ),
  onError: target,
  budget: fc.integer({ min: 1, max: 12 }),
});

const script: fc.Arbitrary<Script> = fc.array(
  fc.constantFrom("ok", "ok", "ok", "fail", "fatal", "lost", "crash"),
  { minLength: 1, maxLength: 40 },
);

/** The step that a number names, among those there are. */
const stepOf = (steps: Model["steps"], n: number | null) => n === null ? null : n % steps.length;

/** Steps that nothing leads to would be refused: the definition keeps what can be come to. */
function toDefinition(m: Model): Record<string, unknown> {
  const reached = new Set<number>();
  const open = [0, ...(m.onError === null ? [] : [stepOf(m.steps, m.onError) ?? 0])];
  for (let n = open.pop(); n !== undefined; n = open.pop()) {
    const step = m.steps[n];
    if (step === undefined || reached.has(n)) continue;
    reached.add(n);
    for (const to of [step.next, step.onError]) if (to !== null) open.push(to % m.steps.length);
  }
  const id = (n: number | null) => n === null ? undefined : `s${stepOf(m.steps, n)}`;
  return JSON.parse(JSON.stringify({
    start_step: "s0",
    steps: Object.fromEntries(
      m.steps.flatMap((step, n) =>
        reached.has(n)
          ? [[`s${n}`, {
            transformer_id: "echo",
            next_step: id(step.next),
            when: step.when === null ? undefined : String(step.when),
            on_error: id(step.onError),
            retry: { max_retries: step.retries, jitter: "none" },
          }]]
          : []
      ),
    ),
    on_error: id(m.onError),
    max_step_visits: m.budget,
  }));
}

const answerOf = (script: Script, nth: number): Answer => {
  const said = script[nth % script.length];
  if (said === "lost" || said === "crash") return said;
  if (said === "fail") return { fail: "timeout" };
  return said === "fatal" ? { fail: "http_4xx" } : { output: nth };
};

/** The definition, read directly: no rows, no events, no crashes. */
function interpret(m: Model, script: Script): { status: string; result: unknown; log: string[] } {
  const log: string[] = [];
  const visits = new Map<number, number>();
  let nth = 0, entered = 1, at = 0, handling = false;
  let flowing: unknown = { given: true };
  let hasFlown = false;
  for (;;) {
    const step = m.steps[at];
    assert.ok(step);
    const visit = (visits.get(at) ?? 0) + 1;
    visits.set(at, visit);
    let next = stepOf(m.steps, step.next);
    if (step.when === false) log.push(`s${at}:${visit}:0 skipped`);
    else {
      const outcome = attempt(visit);
      hasFlown = true;
      flowing = outcome.ok ? outcome.output : null;
      if (!outcome.ok) {
        const handler = stepOf(m.steps, step.onError);
        if (handler !== null) next = handler;
        else if (m.onError !== null && !handling) {
          handling = true;
          next = stepOf(m.steps, m.onError);
        } else return { status: "failed", result: outcome.code, log };
      }
    }
    if (next === null) return { status: "completed", result: hasFlown ? flowing : null, log };
    if (entered++ >= m.budget) return { status: "failed", result: "step_budget_exceeded", log };
    at = next;
  }

  function attempt(visit: number): { ok: true; output: unknown } | { ok: false; code: string } {
    for (let tries = 1;; tries++) {
      let said = script[nth++ % script.length];
      for (let lost = 1; said === "lost" || said === "crash"; lost++) {
        if (lost > 3) break;
        said = script[nth++ % script.length];
      }
      const ref = `s${at}:${visit}:${tries}`;
      if (said === "ok") {
        log.push(`${ref} completed`);
        return { ok: true, output: nth - 1 };
      }
      log.push(`${ref} failed`);
      const code = said === "fail" ? "timeout" : said === "fatal" ? "http_4xx" : "executor_crashed";
      if (said === "fatal" || tries > (m.steps[at]?.retries ?? 0)) return { ok: false, code };
    }
  }
}

Deno.test("plan() ends every job as a direct reading of its definition does, whatever is lost", async () => {
  await fc.assert(
    fc.asyncProperty(model, script, async (m, s) => {
      const world = new World(toDefinition(m), { input_data: { given: true } });
      let nth = 0;
      const row = await world.run(() => answerOf(s, nth++));
      const expected = interpret(m, s);

      assert.ok(isEnded(row.status));
      assert.equal(row.status, expected.status);
      const result = row.status === "failed" ? world.last.error?.code : world.last.final_result;
      assert.deepEqual(result, expected.result);
      assert.deepEqual(world.records, expected.log);
      assert.equal(new Set(world.records).size, world.records.length, "recorded once");
      for (const step of row.writes.flatMap((write) => write.steps)) {
        assert.ok(step.started_at <= step.ended_at);
      }
      assert.equal(row.writes.filter((write) => isEnded(write.job.status)).length, 1);
    }),
    { numRuns: 2_000 },
  );
});
