import { recordsRequestSchema } from "../contracts/requests.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import { asCaller } from "./caller.ts";
import { byNumber } from "./cursor.ts";
import type { ApiDeps } from "./deps.ts";
import { jobIdOf } from "./job_id.ts";
import { readPage } from "./page.ts";
import { readQuery } from "./query.ts";
import { streamEvents } from "./stream_events.ts";

const EVENT_STREAM = "text/event-stream";

/**
 * `GET /jobs/{id}/events`: a page of what happened to the job; or, as Server-Sent Events, what
 * happens until it has ended.
 */
export async function listEvents(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const accepts = context.request.headers.get("accept") ?? "";
  if (accepts.toLowerCase().includes(EVENT_STREAM)) return await streamEvents(deps, context);
  const page = await asCaller(deps, context, async (store) => {
    const jobId = jobIdOf(context);
    const list = readQuery(context, recordsRequestSchema);
    const [events] = await Promise.all([
      readPage(
        list,
        byNumber,
        (after, limit) => store.listEvents({ jobId, after: after?.id, limit }),
        (row) => row,
      ),
      store.findJob(jobId), // an empty page would hide that there is no such job
    ]);
    return events;
  });
  return { status: 200, body: { events: page.rows, next_cursor: page.next_cursor } };
}
