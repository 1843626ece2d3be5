import { EVENTS, FORM } from "./answers.ts";
import type { GraphSeed, StepSeed, StorySeed } from "./graphs.ts";

/** A piece of a definition as it is written. */
type Written = Record<string, unknown>;

/** One of a list, which a number names. */
function pick<T>(list: readonly T[], n: number): T {
  return list[n % list.length] as T;
}

const CONDITIONS = [
  "true",
  "false",
  "job_input.n = 1",
  "job_input.n != 1",
  "item = 0",
  "index = 1",
  "s0.status = 'completed'",
  "s0.output.ok = true",
  "s1.output.n != 2",
  "s1.error.code = 'timeout'",
  "$error('no')",
];

const VALUES: readonly unknown[] = [
  "$.job_input.n?",
  "$.s0.output?",
  "$.s1.output.n?",
  "$.item?",
  { a: "$.index?", b: ["$.s0.output.ok?", 0] },
  { $literal: "$.not.a.path" },
  { $expr: "s0.output.n" },
  "text",
  false,
  "$.missing",
];

const RETRIES = [
  { max_retries: 0 },
  { max_retries: 1 },
  { max_retries: 2, strategy: "fixed", base_delay_seconds: 3, jitter: "none" },
  { retry_on: ["*"], max_retries: 1 },
  { never_retry_on: ["timeout"] },
  { retry_on: ["story.*"], max_retries: 2, base_delay_seconds: 60 },
];

const ITEMS: readonly unknown[] = [
  [0, false, "", null],
  [1, 0, { n: 2 }],
  "$.job_input.items",
  "$.s0.output.items?",
  [],
  [[1], 0],
];

/** What a story calls its steps: their types differ where a branch and what is around it share one. */
const idOf = (n: number) => `s${n}`;

/** The definitions of a story by their names; each may start those after it. */
export function definitionsOf({ graphs, knobs }: StorySeed): Map<string, Written> {
  const definitions = new Map<string, Written>();
  graphs.forEach((graph, i) => {
    const callable = graphs.slice(i + 1).map((_, k) => `w${i + 1 + k}`);
    const knob = (n: number) => knobs[i * 4 + n] ?? 0;
    const handler = knob(0) % 3 === 0 ? (knob(0) >> 2) % graph.length : null;
    const limits = knob(2);
    definitions.set(`w${i}`, {
      ...partOf(graph, callable, handler === null ? [] : [handler]),
      max_step_visits: 5 + knob(1) % 9,
      ...(handler === null ? {} : { on_error: idOf(handler) }),
      ...(knob(3) % 4 === 0 ? { output_map: { a: "$.s0.output?", b: pick(VALUES, knob(3)) } } : {}),
      ...(knob(1) % 5 === 0 ? { retry: pick(RETRIES, knob(2)) } : {}),
      ...(i === 1 && knob(3) % 7 === 0 ? { input_schema: { type: "object" } } : {}),
      ...(limits % 3 === 1 ? { concurrency: { max_running: 1 + limits % 2 } } : {}),
      ...(limits % 9 === 2
        ? { concurrency: { max_running: 1, key: { $expr: "'k' & job_input.n" } } }
        : {}),
      ...(limits % 5 === 0 ? { rate_limit: { max_starts: 2, per_seconds: 20 } } : {}),
    });
  });
  return definitions;
}

/** Steps with their start; those that nothing leads to would be refused and are left out. */
function partOf(graph: GraphSeed, callable: readonly string[], more: readonly number[]): Written {
  const steps = new Map<string, Written>();
  const open = [idOf(0), ...more.map(idOf)];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const seed = graph[Number(id.slice(1))];
    if (seed === undefined || steps.has(id)) continue;
    const at = Number(id.slice(1));
    const targets: string[] = [];
    const to = (n: number) => {
      // Mostly on, now and then back or around.
      const ahead = at + 1 + n % 2;
      const target = idOf(n % 5 > 0 && ahead < graph.length ? ahead : (n >> 2) % graph.length);
      targets.push(target);
      return target;
    };
    steps.set(id, { ...stepOf(seed, callable, to), ...whenOf(seed) });
    open.push(...targets);
  }
  const order = [...steps].sort(([a], [b]) => a < b ? -1 : 1);
  return { start_step: idOf(0), steps: Object.fromEntries(order) };
}

function whenOf({ when }: StepSeed): Written {
  return when < CONDITIONS.length ? { when: CONDITIONS[when] } : {};
}

function stepOf(seed: StepSeed, callable: readonly string[], to: (n: number) => string): Written {
  const { type, next, onError, inner, knobs } = seed;
  const k = (n: number) => knobs[n] ?? 0;
  const on = (key: string, n: number) => k(n) % 3 === 0 ? { [key]: to(k(n) >> 3) } : {};
  const timeout = (n: number) => k(n) % 2 === 0 ? { timeout_seconds: 30 + k(n) % 100 } : {};
  const follows = next === null || next % 5 === 4 ? {} : { next_step: to(next) };
  const handles = onError === null ? {} : { on_error: handlersOf(onError, k(5), to) };
  const input = k(1) % 2 === 0 ? {} : { input_map: pick(VALUES, k(1) >> 1) };
  const both = { ...follows, ...handles };
  switch (type) {
    case "task":
      return {
        ...both,
        ...input,
        transformer_id: pick(
          ["echo", "echo", "echo", "stubborn", "echo", "stubborn", "gone"],
          k(0),
        ),
        ...(k(2) % 2 === 0 ? {} : { retry: pick(RETRIES, k(2) >> 1) }),
        ...(k(3) % 4 === 0 ? { callback: true } : {}),
        ...(k(3) % 5 < 3 ? {} : { validate: validateOf(k(4), k(2), to) }),
      };
    case "choice":
      return {
        type,
        ...both,
        choices: [k(0), k(1)].map((n) => ({
          when: pick(CONDITIONS, n),
          next_step: to(n >> 4),
        })),
        ...on("default", 2),
      };
    case "wait":
      return {
        type,
        ...both,
        ...pick<Written>([
          { seconds: k(1) },
          { seconds: "$.job_input.n" },
          { until: "2020-01-01T00:00:00Z" },
          { seconds: "$.item?" },
          { seconds: 0 },
        ], k(0)),
      };
    case "wait_for_event":
      return { type, ...both, ...eventOf(k(0), k(1)), ...timeout(2), ...neverOf(k(0), on) };
    case "approval":
      return {
        type,
        ...both,
        ...(k(0) % 3 === 0 ? { title: pick(VALUES, k(1)) } : {}),
        ...(k(1) % 3 === 0 ? { form: FORM } : {}),
        ...timeout(2),
        ...on("on_reject", 3),
        ...on("on_timeout", 4),
      };
    case "transform":
      return { type, ...both, output: pick(VALUES, k(0)) };
    case "workflow":
      if (callable.length === 0) return { type: "transform", ...both, output: pick(VALUES, k(0)) };
      return {
        type,
        ...both,
        ...input,
        workflow_id: k(0) % 9 === 0 ? "gone" : pick(callable, k(0)),
        ...(k(2) % 4 === 0 ? { detached: true } : {}),
      };
    case "succeed":
      return { type, ...follows, ...(k(0) % 2 === 0 ? { output: pick(VALUES, k(1)) } : {}) };
    case "fail":
      return { type, ...follows, ...(k(0) % 2 === 0 ? { code: "story.over" } : {}) };
    case "stuck":
      return {
        type: "parallel",
        ...both,
        branches: {
          stuck: {
            start_step: "s0",
            steps: { s0: { type: "wait_for_event", event: EVENTS.never } },
          },
        },
        timeout_seconds: 40,
      };
    case "parallel":
      return { type, ...both, branches: branchesOf(inner, callable, k(0)) };
    case "map":
      return {
        type,
        ...both,
        items: pick(ITEMS, k(0)),
        ...bodyOf(seed, callable, input),
        ...pick<Written>([{}, { max_concurrency: 0 }, { max_concurrency: 1 }, {
          max_concurrency: 2,
        }], k(3)),
        ...pick<Written>([{}, {}, { tolerated_failures: 1 }, { tolerated_failures: "50%" }], k(4)),
      };
  }
  throw new Error(`a story has no ${type}`);
}

function handlersOf(n: number, knob: number, to: (n: number) => string): unknown {
  if (knob % 2 === 0) return to(n);
  return [
    { errors: ["timeout", "story.*"], next_step: to(n) },
    { errors: [knob % 4 === 1 ? "*" : "children_failed"], next_step: to(n + 1) },
  ];
}

function validateOf(knob: number, more: number, to: (n: number) => string): Written {
  const routes = {
    ...(more % 3 === 0 ? { next_step_on_pass: to(more >> 2) } : {}),
    ...(more % 5 < 2 ? { next_step_on_fail: to(more >> 3) } : {}),
  };
  return {
    ...routes,
    ...pick<Written>([
      { type: "regex", pattern: "^a" },
      { type: "json_schema", schema: { type: "object" } },
      { type: "expression", expression: "output.ok = true" },
      { type: "function", transformer_id: "judge" },
      { type: "manual", timeout_seconds: 50 },
      { type: "manual", form: FORM },
    ], knob),
  };
}

function eventOf(kind: number, which: number): Written {
  const n = which % 3;
  return pick<Written>([
    { event: `${EVENTS.comes}-${n}` },
    { event: `${EVENTS.matching}-${n}`, match: "event.ok = true" },
    { event: `${EVENTS.keyed}-${n}`, key: "mine" },
    { event: EVENTS.never, timeout_seconds: 25 },
  ], kind);
}

/** Only an event that never comes may be given up: the others come in time, however late. */
function neverOf(kind: number, on: (key: string, n: number) => Written): Written {
  return kind % 4 === 3 ? { ...on("on_timeout", 3), timeout_seconds: 25 } : {
    timeout_seconds: 1_000_000,
  };
}

function branchesOf(inner: readonly GraphSeed[], callable: readonly string[], knob: number) {
  return Object.fromEntries(inner.map((graph, i) => [`b${i}`, {
    ...partOf(graph, callable, []),
    ...(knob % 4 === i ? { output_map: pick(VALUES, knob) } : {}),
  }]));
}

function bodyOf({ inner, knobs }: StepSeed, callable: readonly string[], input: Written): Written {
  const [, , knob = 0, , , more = 0] = knobs;
  const [graph] = inner;
  if (graph !== undefined) return { branch: partOf(graph, callable, []) };
  if (knob % 2 === 0 && callable.length > 0) {
    return { ...input, workflow_id: more % 9 === 0 ? "gone" : pick(callable, more) };
  }
  return {
    ...input,
    transformer_id: pick(["echo", "stubborn"], more),
    ...(more % 3 === 0 ? { retry: { max_retries: 1 } } : {}),
  };
}
