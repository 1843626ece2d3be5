import { approvalsRequestSchema } from "../contracts/requests.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import { approvalView } from "./approval_view.ts";
import { asCaller } from "./caller.ts";
import { byCreation } from "./cursor.ts";
import type { ApiDeps } from "./deps.ts";
import { readPage } from "./page.ts";
import { readQuery } from "./query.ts";

/**
 * `GET /approvals`: the caller's inbox, newest first. Of open ones only those that they may decide;
 * of closed ones all that they can see.
 */
export async function listApprovals(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const page = await asCaller(deps, context, async (store) => {
    const { status, ...list } = readQuery(context, approvalsRequestSchema);
    return await readPage(
      list,
      byCreation,
      (after, limit) => store.listApprovals({ status, decidable: status === "open", after, limit }),
      (row) => ({ createdAt: row.created_at, id: row.id }),
    );
  });
  return {
    status: 200,
    body: { approvals: page.rows.map(approvalView), next_cursor: page.next_cursor },
  };
}
