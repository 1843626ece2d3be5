import type { Reply, RequestContext, Route } from "../http/router.ts";
import { bulkJobs } from "./bulk_jobs.ts";
import { cancelJob, pauseJob, resumeJob } from "./control_job.ts";
import { decideApproval } from "./decide_approval.ts";
import type { ApiDeps, GetApiDeps } from "./deps.ts";
import { emitEvent } from "./emit_event.ts";
import { explainJob } from "./explain_job.ts";
import { getApproval } from "./get_approval.ts";
import { getJob } from "./get_job.ts";
import { listApprovals } from "./list_approvals.ts";
import { listChildren } from "./list_children.ts";
import { listEvents } from "./list_events.ts";
import { listJobs } from "./list_jobs.ts";
import { listSteps } from "./list_steps.ts";
import { createWorkflow, putWorkflow } from "./register_workflow.ts";
import { retryJob } from "./retry_job.ts";
import { signalJob } from "./signal_job.ts";
import { startJob } from "./start_job.ts";

/** One operation, whatever path it is reached by. */
export interface Operation {
  method: Route["method"];
  endpoint: string;
  run(deps: ApiDeps, context: RequestContext): Promise<Reply>;
}

export const START_JOB = post("start-workflow", startJob);
export const GET_JOB = get("get-job", getJob);
export const LIST_JOBS = get("list-jobs", listJobs);

/** A door: paths below a function's name, with the operation behind each. */
export type Door = Readonly<Record<string, Operation>>;

/** Every function of the API with its door: the only list of them. */
export const DOORS = {
  "start-workflow": { "/": START_JOB },
  "get-job": { "/{id}": GET_JOB },
  "list-jobs": { "/": LIST_JOBS },
  workflows: {
    "/": post("create-workflow", createWorkflow),
    "/start": START_JOB,
    "/{id}": { method: "PUT", endpoint: "put-workflow", run: putWorkflow },
  },
  jobs: {
    "/": LIST_JOBS,
    "/bulk": post("bulk-jobs", bulkJobs),
    "/{id}": GET_JOB,
    "/{id}/cancel": post("cancel-job", cancelJob),
    "/{id}/pause": post("pause-job", pauseJob),
    "/{id}/resume": post("resume-job", resumeJob),
    "/{id}/retry": post("retry-job", retryJob),
    "/{id}/signal": post("signal-job", signalJob),
    "/{id}/children": get("list-children", listChildren),
    "/{id}/steps": get("list-steps", listSteps),
    "/{id}/events": get("list-job-events", listEvents),
    "/{id}/explain": get("explain-job", explainJob),
  },
  events: { "/": post("emit-event", emitEvent) },
  approvals: {
    "/": get("list-approvals", listApprovals),
    "/{id}": get("get-approval", getApproval),
    "/{id}/decision": post("decide-approval", decideApproval),
  },
} as const satisfies Record<string, Door>;

/** The name of a function of the API. */
export type DoorName = keyof typeof DOORS;

/** The routes of a door. */
export function routesOf(door: Door, deps: GetApiDeps): Route[] {
  return Object.entries(door).map(([path, { method, endpoint, run }]) => ({
    method,
    path,
    endpoint,
    // async, so that a configuration that cannot be read is a rejection like any other error
    run: async (context) => await run(deps(), context),
  }));
}

function get(endpoint: string, run: Operation["run"]): Operation {
  return { method: "GET", endpoint, run };
}

function post(endpoint: string, run: Operation["run"]): Operation {
  return { method: "POST", endpoint, run };
}
