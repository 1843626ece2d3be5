import type { Reply, RequestContext } from "../http/router.ts";
import { asCaller } from "./caller.ts";
import type { ApiDeps } from "./deps.ts";
import { jobIdOf } from "./job_id.ts";
import { jobView } from "./job_view.ts";

/**
 * `GET /get-job/{id}`: the whole job, with a summary of its children; 404 also for another user's,
 * and for what is no job id.
 */
export async function getJob(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const [row, children] = await asCaller(deps, context, async (store) => {
    const jobId = jobIdOf(context);
    return await Promise.all([store.getJob(jobId), store.childrenSummary(jobId)]);
  });
  return { status: 200, body: { ...jobView(row), children } };
}
