import type { Reply, RequestContext } from "../http/router.ts";
import type { ControlledJob } from "../store/user_store/run_control.ts";
import {
  cancelRequestSchema,
  pauseRequestSchema,
  resumeRequestSchema,
} from "../contracts/requests.ts";
import { asCaller } from "./caller.ts";
import type { ApiDeps } from "./deps.ts";
import { jobIdOf } from "./job_id.ts";
import { readOptional } from "./optional_body.ts";

/** `POST /jobs/{id}/cancel`: asks for the end of the job. */
export async function cancelJob(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const { store, jobId, reason } = await asCaller(deps, context, async (store) => {
    const jobId = jobIdOf(context);
    const body = await readOptional(context, cancelRequestSchema, deps.limits.maxBodyBytes);
    return { store, jobId, reason: body.reason };
  });
  return accepted(deps, await store.cancelJob(jobId, reason));
}

/** `POST /jobs/{id}/pause`: asks that nothing new be begun. */
export async function pauseJob(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const { store, jobId, reason } = await asCaller(deps, context, async (store) => {
    const jobId = jobIdOf(context);
    const body = await readOptional(context, pauseRequestSchema, deps.limits.maxBodyBytes);
    return { store, jobId, reason: body.reason };
  });
  return accepted(deps, await store.pauseJob(jobId, reason));
}

/** `POST /jobs/{id}/resume`: lets a paused job go on. */
export async function resumeJob(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const { store, jobId } = await asCaller(deps, context, async (store) => {
    const jobId = jobIdOf(context);
    await readOptional(context, resumeRequestSchema, deps.limits.maxBodyBytes);
    return { store, jobId };
  });
  return accepted(deps, await store.resumeJob(jobId));
}

/**
 * 202, as the owner of the job's lease carries the wish out; the status is the one at the time of
 * asking.
 */
export function accepted(deps: ApiDeps, job: ControlledJob): Reply {
  if (job.kick) deps.kick("message");
  return { status: 202, body: { job_id: job.job_id, status: job.status } };
}
