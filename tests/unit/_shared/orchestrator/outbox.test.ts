import assert from "node:assert/strict";
import type { Delivery } from "../../../../supabase/functions/_shared/engine/decision.ts";
import type { TaskOut } from "../../../../supabase/functions/_shared/orchestrator/dispatcher.ts";
import { Outbox } from "../../../../supabase/functions/_shared/orchestrator/outbox.ts";

interface Given {
  id: string;
  size?: number;
  to?: string;
  redeliveries?: number;
  aborted?: boolean;
}

/** Puts tasks in and flushes: the calls that leave, each as `function: ids`. */
function callsFor(tasks: Given[]): string[] {
  const calls: string[] = [];
  const outbox = new Outbox({
    dispatch: (name, sent) =>
      void calls.push(`${name}: ${sent.map(({ task }) => task.task_id).join(" ")}`),
  });
  for (const { id, size = 10, to = "f", redeliveries = 0, aborted = false } of tasks) {
    const delivery = {
      transformer: { target_function: to, batch_size: size },
      redeliveries,
    } as Delivery;
    const signal = aborted ? AbortSignal.abort() : new AbortController().signal;
    outbox.add(delivery, { task: { task_id: id }, signal } as TaskOut);
  }
  assert.equal(outbox.flush(), calls.length);
  assert.equal(outbox.flush(), 0);
  return calls;
}

const CASES: [words: string, tasks: Given[], calls: string[]][] = [
  ["calls nobody for nothing", [], []],
  ["sends what belongs together in one call", [{ id: "a" }, { id: "b" }], ["f: a b"]],
  [
    "sends no more tasks in a call than the batch size",
    [{ id: "a", size: 2 }, { id: "b", size: 2 }, { id: "c", size: 2 }],
    ["f: a b", "f: c"],
  ],
  ["sends tasks alone at a batch size of 1", [{ id: "a", size: 1 }, { id: "b", size: 1 }], [
    "f: a",
    "f: b",
  ]],
  [
    "keeps to the smallest batch size of those that travel together",
    [{ id: "a" }, { id: "b" }, { id: "c", size: 2 }, { id: "d" }, { id: "e" }],
    ["f: a b", "f: c d", "f: e"],
  ],
  [
    "calls each function by itself",
    [{ id: "a" }, { id: "b", to: "g" }, { id: "c" }],
    ["f: a c", "g: b"],
  ],
  [
    "sends a task that was lost before alone, and the others together",
    [{ id: "a" }, { id: "b", redeliveries: 1 }, { id: "c" }, { id: "d", redeliveries: 2 }],
    ["f: b", "f: d", "f: a c"],
  ],
  [
    "sends nothing that nobody waits for any more",
    [{ id: "a", aborted: true }, { id: "b" }, { id: "c", aborted: true, redeliveries: 1 }],
    ["f: b"],
  ],
  ["calls nobody when all have been given up", [{ id: "a", aborted: true }], []],
];

for (const [words, tasks, calls] of CASES) {
  Deno.test(`flush() ${words}`, () => assert.deepEqual(callsFor(tasks), calls));
}
