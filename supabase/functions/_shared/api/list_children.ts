import { childrenRequestSchema } from "../contracts/requests.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import type { JobRow } from "../store/job_row.ts";
import { asCaller } from "./caller.ts";
import { byPlace } from "./cursor.ts";
import type { ApiDeps } from "./deps.ts";
import { jobIdOf } from "./job_id.ts";
import { jobView } from "./job_view.ts";
import { readPage } from "./page.ts";
import { readQuery } from "./query.ts";

/** `GET /jobs/{id}/children`: a page of the job's children, by step, visit and index. */
export async function listChildren(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const page = await asCaller(deps, context, async (store) => {
    const jobId = jobIdOf(context);
    const { status, ...list } = readQuery(context, childrenRequestSchema);
    const [children] = await Promise.all([
      readPage(
        list,
        byPlace,
        (after, limit) => store.listChildren({ jobId, status, after, limit }),
        placeOf,
      ),
      store.findJob(jobId), // an empty page would hide that there is no such job
    ]);
    return children;
  });
  return {
    status: 200,
    body: { children: page.rows.map(jobView), next_cursor: page.next_cursor },
  };
}

function placeOf(child: JobRow): { stepId: string; visit: number; index: number } {
  return {
    stepId: String(child["parent_step_id"]),
    visit: Number(child["parent_visit"]),
    index: Number(child["item_index"]),
  };
}
