import type { Reply, RequestContext } from "../http/router.ts";
import { asCaller } from "./caller.ts";
import type { ApiDeps } from "./deps.ts";
import { jobIdOf } from "./job_id.ts";
import { jobView } from "./job_view.ts";

/** `GET /get-job/{id}`: the whole job; 404 also for another user's, and for what is no job id. */
export async function getJob(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const row = await asCaller(
    deps,
    context,
    async (store) => await store.getJob(jobIdOf(context)),
  );
  return { status: 200, body: jobView(row) };
}
