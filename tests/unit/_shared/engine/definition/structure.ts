/** A definition that is refused by the engine and by the database, at the same places. */
export interface Faulty {
  name: string;
  definition: unknown;
  /** What the engine says, one text for each problem, in its order. */
  engine: string[];
  /** What the database says, in its order. */
  database: string[];
}

const echo = { transformer_id: "echo" };
const one = (step: object) => ({ start_step: "a", steps: { a: step } });
const branch = (step: object = echo) => ({ start_step: "b", steps: { b: step } });
const fan = (left: unknown) => one({ type: "parallel", branches: { left } });
const each = (body: unknown) => one({ type: "map", items: [], branch: body });

/** Parallels within one another, around a step. */
function nested(levels: number, step: object): object {
  return levels === 0
    ? step
    : { type: "parallel", branches: { n: branch(nested(levels - 1, step)) } };
}
const deep = `steps.a${".branches.n.steps.b".repeat(10)}`;
const tooDeep = "must not start jobs of its own: branches nest at most 10 deep";

const circle = "must lead to a wait, a task or an end: it goes in circles";
const types =
  "task, choice, wait, parallel, map, workflow, wait_for_event, approval, transform, succeed, fail";

function faulty(
  name: string,
  definition: unknown,
  engine: string | string[],
  database: string | string[],
): Faulty {
  return { name, definition, engine: [engine].flat(), database: [database].flat() };
}

export const FAULTY: readonly Faulty[] = [
  faulty(
    "an unknown step type",
    one({ type: "tsak" }),
    `steps.a.type must be one of ${types}: current value is "tsak"`,
    "steps.a.type: 'tsak' is not a step type",
  ),
  faulty(
    "a step type of null",
    one({ type: null }),
    `steps.a.type must be one of ${types}: current value is null`,
    "steps.a.type: '' is not a step type",
  ),
  faulty(
    "a choice without choices and default",
    one({ type: "choice" }),
    "steps.a.choices is required",
    "steps.a.choices: is required",
  ),
  faulty(
    "a choice of nothing",
    one({ type: "choice", choices: [] }),
    "steps.a.choices must have a number of items >= 1: current value is []",
    "steps.a.choices: must be a list of 1 to 100 choices",
  ),
  faulty(
    "choices that are no list",
    one({ type: "choice", choices: {} }),
    "steps.a.choices must be a list: current value is {}",
    "steps.a.choices: must be a list of 1 to 100 choices",
  ),
  faulty(
    "choices with faults",
    one({ type: "choice", choices: [5, { when: "true" }, { next_step: "a", whne: "true" }] }),
    [
      "steps.a.choices[0] must be an object: current value is 5",
      "steps.a.choices[1].next_step is required",
      "steps.a.choices[2].when is required",
      "steps.a.choices[2].whne is not a known key",
    ],
    [
      "steps.a.choices[0]: must be an object",
      "steps.a.choices[1].next_step: is required",
      "steps.a.choices[2].when: is required",
      "steps.a.choices[2].whne: unknown key",
    ],
  ),
  faulty(
    "a choice that leads nowhere",
    one({ type: "choice", choices: [{ when: "true", next_step: "x" }], default: "y" }),
    [
      'steps.a.choices[0].next_step must be a step of this definition: current value is "x"',
      'steps.a.default must be a step of this definition: current value is "y"',
    ],
    ["steps.a.choices[0].next_step: no step 'x'", "steps.a.default: no step 'y'"],
  ),
  faulty(
    "a wait for nothing",
    one({ type: "wait" }),
    "steps.a must have one of 'seconds' and 'until': current keys are type",
    "steps.a: must have one of 'seconds' and 'until'",
  ),
  faulty(
    "a wait for two things",
    one({ type: "wait", seconds: 1, until: "2030-01-01T00:00:00Z" }),
    "steps.a must have one of 'seconds' and 'until': current keys are type, seconds, until",
    "steps.a: must have one of 'seconds' and 'until'",
  ),
  faulty(
    "no branches",
    one({ type: "parallel" }),
    "steps.a.branches is required",
    "steps.a.branches: is required",
  ),
  faulty(
    "empty branches",
    one({ type: "parallel", branches: {} }),
    "steps.a.branches must have 1 to 100 branches: current keys are none",
    "steps.a.branches: must be an object of 1 to 100 branches",
  ),
  faulty(
    "more than 100 branches",
    one({
      type: "parallel",
      branches: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`b${i}`, branch()])),
    }),
    "steps.a.branches must have 1 to 100 branches: current number of keys is 101",
    "steps.a.branches: must be an object of 1 to 100 branches",
  ),
  faulty(
    "branches in a list",
    one({ type: "parallel", branches: [branch()] }),
    'steps.a.branches must be an object: current value is [{"start_step":"b","steps":{"b":{"transformer_id":"echo"}}}]',
    "steps.a.branches: must be an object of 1 to 100 branches",
  ),
  faulty(
    "a branch of another name",
    one({ type: "parallel", branches: { "1 x": branch() } }),
    `steps.a.branches["1 x"] must be a letter followed by at most 63 letters, digits, '_' or '-': current value is {"start_step":"b","steps":{"b":{"transformer_id":"echo"}}}`,
    'steps.a.branches["1 x"]: a branch name must match ^[A-Za-z][A-Za-z0-9_-]{0,63}$',
  ),
  faulty(
    "a branch that is no object",
    fan(5),
    "steps.a.branches.left must be an object: current value is 5",
    "steps.a.branches.left: must be an object",
  ),
  faulty(
    "an unknown key of a branch",
    fan({ ...branch(), on_error: "b" }),
    "steps.a.branches.left.on_error is not a known key",
    "steps.a.branches.left.on_error: unknown key",
  ),
  faulty(
    "steps of a branch that are none",
    each({ start_step: "b", steps: [] }),
    "steps.a.branch.steps must be an object: current value is []",
    "steps.a.branch.steps: must be an object with at least one step",
  ),
  faulty(
    "a branch that leads out of itself",
    {
      start_step: "a",
      steps: {
        a: { type: "parallel", branches: { left: branch({ ...echo, next_step: "c" }) } },
        c: { ...echo, next_step: "a" },
      },
      on_error: "c",
    },
    'steps.a.branches.left.steps.b.next_step must be a step of this branch: current value is "c"',
    "steps.a.branches.left.steps.b.next_step: no step 'c'",
  ),
  faulty(
    "a start of a branch that does not exist",
    each({ start_step: "a", steps: { b: echo } }),
    [
      'steps.a.branch.start_step must be a step of this branch: current value is "a"',
      "steps.a.branch.steps.b must be reachable: no step leads to it",
    ],
    "steps.a.branch.start_step: no step 'a'",
  ),
  faulty(
    "a step of a branch that nothing leads to",
    fan({ start_step: "b", steps: { b: echo, c: echo } }),
    "steps.a.branches.left.steps.c must be reachable: no step leads to it",
    "steps.a.branches.left.steps.c: no step leads here",
  ),
  faulty(
    "faults in a branch of a branch",
    fan(branch({
      type: "map",
      items: [],
      branch: { start_step: "item", steps: { item: { type: "wait", second: 1 } } },
    })),
    [
      'steps.a.branches.left.steps.b.branch.steps.item must not be job_input, job, item or index, which the job document uses itself: current value is "item"',
      "steps.a.branches.left.steps.b.branch.steps.item.second is not a known key",
      "steps.a.branches.left.steps.b.branch.steps.item must have one of 'seconds' and 'until': current keys are type, second",
    ],
    [
      "steps.a.branches.left.steps.b.branch.steps.item: 'item' is reserved in the job document",
      "steps.a.branches.left.steps.b.branch.steps.item: must have one of 'seconds' and 'until'",
      "steps.a.branches.left.steps.b.branch.steps.item.second: unknown key",
    ],
  ),
  faulty(
    "a map of nothing",
    one({ type: "map", ...echo }),
    "steps.a.items is required",
    "steps.a.items: is required",
  ),
  faulty(
    "a map without a body",
    one({ type: "map", items: [] }),
    "steps.a must have exactly one of 'transformer_id', 'branch' and 'workflow_id': current keys are type, items",
    "steps.a: must have exactly one of 'transformer_id', 'branch' and 'workflow_id'",
  ),
  faulty(
    "a map with two bodies",
    one({ type: "map", items: [], ...echo, branch: branch() }),
    "steps.a must have exactly one of 'transformer_id', 'branch' and 'workflow_id': current keys are type, items, transformer_id, branch",
    "steps.a: must have exactly one of 'transformer_id', 'branch' and 'workflow_id'",
  ),
  faulty(
    "keys of a map that its branch does not take",
    one({
      type: "map",
      items: [],
      branch: branch(),
      input_map: 1,
      config: {},
      retry: {},
      item_timeout_seconds: 1,
      version: 1,
    }),
    [
      "steps.a.input_map needs 'transformer_id' or 'workflow_id'",
      "steps.a.config needs 'transformer_id'",
      "steps.a.retry needs 'transformer_id'",
      "steps.a.item_timeout_seconds needs 'transformer_id'",
      "steps.a.version needs 'workflow_id'",
    ],
    [
      "steps.a.config: needs 'transformer_id'",
      "steps.a.input_map: needs 'transformer_id' or 'workflow_id'",
      "steps.a.item_timeout_seconds: needs 'transformer_id'",
      "steps.a.retry: needs 'transformer_id'",
      "steps.a.version: needs 'workflow_id'",
    ],
  ),
  faulty(
    "a workflow step without a workflow",
    one({ type: "workflow" }),
    "steps.a.workflow_id is required",
    "steps.a.workflow_id: is required",
  ),
  faulty(
    "ids that are no texts",
    {
      start_step: "a",
      steps: {
        a: { transformer_id: 1, next_step: "b" },
        b: { type: "workflow", workflow_id: {} },
      },
    },
    [
      "steps.a.transformer_id must be a string: current value is 1",
      "steps.b.workflow_id must be a string: current value is {}",
    ],
    [
      "steps.a.transformer_id: must be the id of a transformer",
      "steps.b.workflow_id: must be the id of a workflow",
    ],
  ),
  faulty(
    "a wait for an event without its name",
    one({ type: "wait_for_event" }),
    "steps.a.event is required",
    "steps.a.event: is required",
  ),
  faulty(
    "people and events that lead nowhere",
    {
      start_step: "a",
      steps: {
        a: { type: "approval", on_reject: "x", on_timeout: "y", next_step: "b" },
        b: { type: "wait_for_event", event: "e", on_timeout: "z" },
      },
    },
    [
      'steps.a.on_reject must be a step of this definition: current value is "x"',
      'steps.a.on_timeout must be a step of this definition: current value is "y"',
      'steps.b.on_timeout must be a step of this definition: current value is "z"',
    ],
    [
      "steps.a.on_reject: no step 'x'",
      "steps.a.on_timeout: no step 'y'",
      "steps.b.on_timeout: no step 'z'",
    ],
  ),
  faulty(
    "a transform of nothing",
    one({ type: "transform" }),
    "steps.a.output is required",
    "steps.a.output: is required",
  ),
  faulty(
    "an error handler of an end",
    one({ type: "fail", on_error: "a" }),
    "steps.a.on_error is not a known key",
    "steps.a.on_error: unknown key",
  ),
  faulty(
    "a validate that is no object",
    one({ ...echo, validate: "regex" }),
    'steps.a.validate must be an object: current value is "regex"',
    "steps.a.validate: must be an object",
  ),
  faulty(
    "a validate without a type",
    one({ ...echo, validate: {} }),
    "steps.a.validate.type is required",
    "steps.a.validate.type: is required",
  ),
  faulty(
    "a validate of an unknown type",
    one({ ...echo, validate: { type: "luck" } }),
    'steps.a.validate.type must be one of regex, json_schema, expression, function, manual: current value is "luck"',
    "steps.a.validate.type: 'luck' is not a type of validate",
  ),
  faulty(
    "a validate with faults",
    one({
      ...echo,
      validate: { type: "regex", schema: {}, next_step_on_pass: "x", next_step_on_fail: 5 },
    }),
    [
      "steps.a.validate.next_step_on_fail must be a string: current value is 5",
      "steps.a.validate.pattern is required",
      "steps.a.validate.schema is not a known key",
    ],
    [
      "steps.a.validate.next_step_on_fail: must be the id of a step",
      "steps.a.validate.next_step_on_pass: no step 'x'",
      "steps.a.validate.pattern: is required",
      "steps.a.validate.schema: unknown key",
    ],
  ),
  faulty(
    "a validate that leads nowhere",
    one({
      ...echo,
      validate: { type: "manual", next_step_on_pass: "x", next_step_on_fail: "y" },
    }),
    [
      'steps.a.validate.next_step_on_pass must be a step of this definition: current value is "x"',
      'steps.a.validate.next_step_on_fail must be a step of this definition: current value is "y"',
    ],
    [
      "steps.a.validate.next_step_on_fail: no step 'y'",
      "steps.a.validate.next_step_on_pass: no step 'x'",
    ],
  ),
  faulty(
    "a transform that leads to itself",
    one({ type: "transform", output: 1, next_step: "a" }),
    `steps.a ${circle}`,
    `steps.a: ${circle}`,
  ),
  faulty(
    "a circle with a way in",
    {
      start_step: "in",
      steps: {
        in: { type: "transform", output: 1, next_step: "a" },
        a: { type: "choice", choices: [{ when: "true", next_step: "b" }], default: "c" },
        b: { type: "transform", output: 1, when: "false", next_step: "a" },
        c: { type: "transform", output: 1, next_step: "a", on_error: "b" },
      },
    },
    ["in", "a", "b", "c"].map((id) => `steps.${id} ${circle}`),
    ["a", "b", "c", "in"].map((id) => `steps.${id}: ${circle}`),
  ),
  faulty(
    "a circle within a branch",
    fan(branch({ type: "transform", output: 1, next_step: "b" })),
    `steps.a.branches.left.steps.b ${circle}`,
    `steps.a.branches.left.steps.b: ${circle}`,
  ),
  faulty(
    "branches more than 10 deep",
    one(nested(11, echo)),
    `${deep} ${tooDeep}`,
    `${deep}: ${tooDeep}`,
  ),
  faulty(
    "a map 11 deep",
    one(nested(10, { type: "map", items: [], ...echo })),
    `${deep} ${tooDeep}`,
    `${deep}: ${tooDeep}`,
  ),
  faulty(
    "limits that are no objects",
    { ...one(echo), concurrency: 5, rate_limit: [] },
    [
      "concurrency must be an object: current value is 5",
      "rate_limit must be an object: current value is []",
    ],
    ["concurrency: must be an object", "rate_limit: must be an object"],
  ),
  faulty(
    "limits with faults",
    {
      ...one(echo),
      concurrency: { max_running: 0, per: 1 },
      rate_limit: { max_starts: 1.5, per_seconds: 0.5 },
    },
    [
      "concurrency.max_running must be >= 1: current value is 0",
      "concurrency.per is not a known key",
      "rate_limit.max_starts must be an integer: current value is 1.5",
      "rate_limit.per_seconds must be >= 1: current value is 0.5",
    ],
    [
      "concurrency.max_running: must be an integer from 1 to 100000",
      "concurrency.per: unknown key",
      "rate_limit.max_starts: must be an integer from 1 to 10000",
      "rate_limit.per_seconds: must be a number from 1 to 2678400",
    ],
  ),
  faulty(
    "limits without their numbers",
    { ...one(echo), concurrency: {}, rate_limit: {} },
    [
      "concurrency.max_running is required",
      "rate_limit.max_starts is required",
      "rate_limit.per_seconds is required",
    ],
    [
      "concurrency.max_running: is required",
      "rate_limit.max_starts: is required",
      "rate_limit.per_seconds: is required",
    ],
  ),
  faulty(
    "more than 500 steps with those of branches",
    fan({
      start_step: "s0",
      steps: Object.fromEntries(
        Array.from({ length: 500 }, (_, i) => [`s${i}`, { ...echo, next_step: `s${i + 1}` }]),
      ),
    }),
    "steps must be at most 500 steps, those of branches included: current number is 501",
    "steps: must be at most 500 steps, those of branches included",
  ),
];
