import { cancelRequestSchema } from "../contracts/requests.ts";
import { readJson } from "../http/body.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import { validate } from "../http/validate.ts";
import { asCaller } from "./caller.ts";
import type { ApiDeps } from "./deps.ts";
import { jobIdOf } from "./job_id.ts";

/**
 * `POST /jobs/{id}/cancel`: 202, as the job's owner carries the request out; the status is the one
 * at the time of asking.
 */
export async function cancelJob(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const { store, jobId, reason } = await asCaller(deps, context, async (store) => {
    const jobId = jobIdOf(context);
    const body = await readJson(context.request, deps.limits.maxBodyBytes);
    return { store, jobId, ...validate(cancelRequestSchema, body === undefined ? {} : body) };
  });
  const job = await store.cancelJob(jobId, reason);
  if (job.kick) deps.kick("message");
  return { status: 202, body: { job_id: job.job_id, status: job.status } };
}
