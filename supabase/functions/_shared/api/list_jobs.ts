import { type ListRequest, listRequestSchema } from "../contracts/requests.ts";
import { type Fault, invalidRequest } from "../http/errors.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import { validate } from "../http/validate.ts";
import type { JobRow } from "../store/job_row.ts";
import type { UserStore } from "../store/user_store.ts";
import { asCaller } from "./caller.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import type { ApiDeps } from "./deps.ts";
import { jobView } from "./job_view.ts";

/** `GET /list-jobs`: a page of the caller's jobs, newest first. */
export async function listJobs(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const { rows, limit } = await asCaller(deps, context, async (store) => {
    const list = validate(listRequestSchema, parametersOf(context.query));
    return { rows: await findRows(store, list), limit: list.limit };
  });
  const page = rows.slice(0, limit);
  return {
    status: 200,
    body: {
      jobs: page.map(jobView),
      next_cursor: rows.length > limit ? cursorAfter(page.at(-1)) : null,
    },
  };
}

async function findRows(store: UserStore, list: ListRequest): Promise<JobRow[]> {
  return await store.listJobs({
    status: list.status,
    workflowId: list.workflow_id,
    after: list.cursor === undefined ? undefined : decodeCursor(list.cursor),
    limit: list.limit + 1, // one more tells whether there is another page
  });
}

function cursorAfter(job: JobRow | undefined): string | null {
  return job === undefined ? null : encodeCursor({ createdAt: job.created_at, id: job.id });
}

function parametersOf(query: URLSearchParams): Record<string, string> {
  const names = [...query.keys()];
  const repeated: Fault[] = names.filter((name, index) => names.indexOf(name) !== index)
    .map((name) => ({ path: name, message: "must be given once" }));
  if (repeated.length > 0) throw invalidRequest(repeated);
  return Object.fromEntries(query);
}
