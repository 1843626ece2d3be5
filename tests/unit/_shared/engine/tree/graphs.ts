import fc from "fast-check";

/** A step in the making: numbers whose meaning depends on its type. */
export interface StepSeed {
  readonly type: string;
  readonly next: number | null;
  readonly onError: number | null;
  readonly when: number;
  readonly knobs: readonly number[];
  readonly inner: readonly GraphSeed[];
}

/** The steps of a definition or a branch. */
export type GraphSeed = readonly StepSeed[];

/** Three workflows, each of which may start those after it, and what happens to jobs of the first. */
export interface StorySeed {
  readonly graphs: readonly GraphSeed[];
  readonly knobs: readonly number[];
  readonly answers: number;
  readonly chaos: number;
}

const LEAVES = [
  "task",
  "task",
  "task",
  "task",
  "choice",
  "wait",
  "wait_for_event",
  "approval",
  "transform",
  "workflow",
  "succeed",
  "fail",
  "stuck",
  "map",
];

const target = fc.option(fc.nat({ max: 29 }), { freq: 5 });
const common = {
  next: target,
  onError: target,
  when: fc.nat({ max: 69 }),
  knobs: fc.array(fc.nat({ max: 999 }), { minLength: 6, maxLength: 6 }),
};

const { graph } = fc.letrec<{ step: StepSeed; nest: StepSeed; leaf: StepSeed; graph: GraphSeed }>((
  tie,
) => ({
  leaf: fc.record({ ...common, type: fc.constantFrom(...LEAVES), inner: fc.constant([]) }),
  nest: fc.record({
    ...common,
    type: fc.constantFrom("parallel", "map"),
    inner: fc.array(tie("graph"), { minLength: 1, maxLength: 2 }),
  }),
  step: fc.oneof(
    { maxDepth: 3, depthIdentifier: "nesting" },
    { weight: 5, arbitrary: tie("leaf") },
    { weight: 2, arbitrary: tie("nest") },
  ),
  graph: fc.array(tie("step"), { minLength: 1, maxLength: 5 }),
}));

/** One that takes event after event, with a while between them in which it waits for none. */
const eventLoop: fc.Arbitrary<GraphSeed> = fc.record({
  knobs: fc.array(fc.nat({ max: 2 }), { minLength: 6, maxLength: 6 }),
  seconds: fc.nat({ max: 999 }),
}).map(({ knobs, seconds }) => {
  const calm = { onError: null, when: 69, inner: [] };
  return [
    { ...calm, type: "wait_for_event", next: 2, knobs },
    { ...calm, type: "wait", next: 0, knobs: [0, seconds] },
  ];
});

const whole = fc.oneof({ weight: 12, arbitrary: graph }, { weight: 1, arbitrary: eventLoop });

/** Everything that a story is made of. */
export const storySeed: fc.Arbitrary<StorySeed> = fc.record({
  graphs: fc.tuple(whole, whole, whole),
  knobs: fc.array(fc.nat({ max: 999 }), { minLength: 12, maxLength: 12 }),
  answers: fc.nat({ max: 0xffff }),
  chaos: fc.nat({ max: 0xffffff }),
});
