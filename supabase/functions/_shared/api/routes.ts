import type { Reply, RequestContext, Route } from "../http/router.ts";
import { cancelJob } from "./cancel_job.ts";
import type { ApiDeps, GetApiDeps } from "./deps.ts";
import { getJob } from "./get_job.ts";
import { listJobs } from "./list_jobs.ts";
import { startJob } from "./start_job.ts";

/** One operation, whatever path it is reached by. */
export interface Operation {
  method: Route["method"];
  endpoint: string;
  run(deps: ApiDeps, context: RequestContext): Promise<Reply>;
}

export const START_JOB: Operation = { method: "POST", endpoint: "start-workflow", run: startJob };
export const GET_JOB: Operation = { method: "GET", endpoint: "get-job", run: getJob };
export const LIST_JOBS: Operation = { method: "GET", endpoint: "list-jobs", run: listJobs };
export const CANCEL_JOB: Operation = { method: "POST", endpoint: "cancel-job", run: cancelJob };

/** A door: paths below a function's name, with the operation behind each. */
export type Door = Readonly<Record<string, Operation>>;

/** Every function of the API with its door: the only list of them. */
export const DOORS = {
  "start-workflow": { "/": START_JOB },
  "get-job": { "/{id}": GET_JOB },
  "list-jobs": { "/": LIST_JOBS },
  workflows: { "/start": START_JOB },
  jobs: { "/": LIST_JOBS, "/{id}": GET_JOB, "/{id}/cancel": CANCEL_JOB },
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
