import { recordsRequestSchema } from "../contracts/requests.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import { asCaller } from "./caller.ts";
import { byEnd } from "./cursor.ts";
import type { ApiDeps } from "./deps.ts";
import { jobIdOf } from "./job_id.ts";
import { readPage } from "./page.ts";
import { readQuery } from "./query.ts";

/** `GET /jobs/{id}/steps`: a page of the job's attempts, in the order in which they ended. */
export async function listSteps(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const page = await asCaller(deps, context, async (store) => {
    const jobId = jobIdOf(context);
    const list = readQuery(context, recordsRequestSchema);
    const [steps] = await Promise.all([
      readPage(
        list,
        byEnd,
        (after, limit) => store.listSteps({ jobId, after, limit }),
        (row) => row,
      ),
      store.findJob(jobId), // an empty page would hide that there is no such job
    ]);
    return steps;
  });
  return { status: 200, body: { steps: page.rows, next_cursor: page.next_cursor } };
}
