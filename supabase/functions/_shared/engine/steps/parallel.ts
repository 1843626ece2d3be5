import { setOwn } from "../json.ts";
import { startChildren } from "./children.ts";
import type { StepHandler } from "./handler.ts";
import { EngineError } from "../errors.ts";

/** A child for each of its branches. */
export const parallelHandler: StepHandler<"parallel"> = {
  begin(job, checked, { definition, now }) {
    const children = checked.branches.map(({ path }, index) => {
      const branch = definition.branches.get(path);
      if (branch === undefined) {
        throw new EngineError("definition_invalid", `There is no branch '${path}'`);
      }
      return { index, branch: path, start_step: branch.start_step };
    });
    const { timeout_seconds } = checked.step;
    return Promise.resolve(
      startChildren(job, checked.id, now, { children, timeoutSeconds: timeout_seconds }),
    );
  },

  join(checked, ends) {
    const output: Record<string, unknown> = {};
    const results = new Map(ends.map(({ index, result }) => [index, result]));
    checked.branches.forEach(({ name }, index) => {
      setOwn(output, name, results.get(index) ?? null);
    });
    return { type: "completed", output };
  },

  childName: (checked, { index }) => `branch '${checked.branches[index]?.name ?? index}'`,
};
