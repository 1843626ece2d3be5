import { evaluationContext, flowingInto } from "../job.ts";
import { startChildren } from "./children.ts";
import { iso } from "../draft.ts";
import type { StepHandler } from "./handler.ts";

/** One child, of another workflow. */
export const workflowHandler: StepHandler<"workflow"> = {
  async begin(job, checked, { now, newId }) {
    const { step } = checked;
    const input = checked.input === null
      ? flowingInto(job)
      : await checked.input.evaluate(evaluationContext(job));
    if (!step.detached) {
      return startChildren(job, checked.id, now, {
        children: [{ index: 0, input }],
        workflow: { id: step.workflow_id, version: step.version },
        timeoutSeconds: step.timeout_seconds,
      });
    }
    return {
      type: "spawn",
      waiting: { kind: "start", since: iso(now), until: null, job_id: newId },
      spawn: {
        max_running: 0,
        lease: false,
        detached: true,
        workflow_id: step.workflow_id,
        workflow_version: step.version ?? null,
        children: [{ index: 0, id: newId, input }],
      },
    };
  },

  join: (_checked, [end]) => ({ type: "completed", output: end?.result ?? null }),

  childName: ({ step }) => `workflow '${step.workflow_id}'`,
};
