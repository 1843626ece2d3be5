import type { Reply, RequestContext } from "../http/router.ts";
import { asCaller } from "./caller.ts";
import type { ApiDeps } from "./deps.ts";
import { jobIdOf } from "./job_id.ts";

/** `GET /jobs/{id}/explain`: why the job does not move, and what to do. */
export async function explainJob(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const body = await asCaller(
    deps,
    context,
    async (store) => await store.explainJob(jobIdOf(context)),
  );
  return { status: 200, body };
}
