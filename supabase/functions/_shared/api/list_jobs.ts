import { listRequestSchema } from "../contracts/requests.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import { asCaller } from "./caller.ts";
import { byCreation } from "./cursor.ts";
import type { ApiDeps } from "./deps.ts";
import { jobView } from "./job_view.ts";
import { readPage } from "./page.ts";
import { readQuery } from "./query.ts";

/** `GET /list-jobs`: a page of the caller's jobs, newest first; of children only when asked. */
export async function listJobs(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const page = await asCaller(deps, context, async (store) => {
    const list = readQuery(context, listRequestSchema);
    return await readPage(
      list,
      byCreation,
      (after, limit) =>
        store.listJobs({
          status: list.status,
          workflowId: list.workflow_id,
          includeChildren: list.include_children,
          after,
          limit,
        }),
      (row) => ({ createdAt: row.created_at, id: row.id }),
    );
  });
  return {
    status: 200,
    body: { jobs: page.rows.map(jobView), next_cursor: page.next_cursor },
  };
}
