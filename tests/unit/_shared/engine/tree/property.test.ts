import fc from "fast-check";
import { storySeed } from "./graphs.ts";
import type { Roughness } from "./story.ts";
import { tellStory } from "./tell.ts";

const CALM: Roughness = { crash: 0, lost: 0, pause: 0, cancel: 0, deadline: 0, retry: 0 };
const CRASHES = { ...CALM, crash: 0.05, lost: 0.1 };

/** `MILLRACE_TEST_SEED` and `MILLRACE_TEST_RUNS` explore what the suite does not come to. */
const seed = Number(Deno.env.get("MILLRACE_TEST_SEED") ?? 20_261_120);
const runs = Number(Deno.env.get("MILLRACE_TEST_RUNS") ?? 0);

const VARIANTS: readonly (readonly [string, Roughness, number])[] = [
  ["a direct reading of its definition does", CALM, 500],
  ["a direct reading does, whatever crashes", CRASHES, 800],
  ["a direct reading does, or at its deadline", { ...CRASHES, deadline: 0.8 }, 300],
  ["a direct reading does, whoever pauses it", { ...CRASHES, pause: 0.02 }, 300],
  ["a direct reading does, or as cancelled", { ...CRASHES, cancel: 0.01 }, 300],
  [
    "something, however often it is run once more",
    { ...CRASHES, pause: 0.005, cancel: 0.02, deadline: 0.2, retry: 0.2 },
    400,
  ],
];

for (const [what, rough, least] of VARIANTS) {
  Deno.test(`plan() ends every tree of jobs as ${what}`, async () => {
    await fc.assert(
      fc.asyncProperty(storySeed, (story) => tellStory(story, rough)),
      { numRuns: runs || least, seed, endOnFailure: false, verbose: false },
    );
  });
}
