import { bulkRequestSchema } from "../contracts/requests.ts";
import { readJson } from "../http/body.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import { validate } from "../http/validate.ts";
import { asCaller } from "./caller.ts";
import type { ApiDeps } from "./deps.ts";

/** `POST /jobs/bulk`: one action on all of the caller's jobs that a filter finds. */
export async function bulkJobs(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const { store, body } = await asCaller(deps, context, async (store) => {
    const body = await readJson(context.request, deps.limits.maxBodyBytes);
    return { store, body: validate(bulkRequestSchema, body) };
  });
  const { action, filter, limit, reason, dry_run: dryRun } = body;
  const { kick, ...reply } = await store.bulkJobs({ action, filter, limit, reason, dryRun });
  if (kick) deps.kick("message");
  context.note("affected", reply.affected);
  const { matched, affected, job_ids, dry_run } = reply;
  return { status: 200, body: { matched, affected, job_ids, dry_run } };
}
