import type { Reply, RequestContext } from "../http/router.ts";
import { approvalIdOf } from "./approval_id.ts";
import { approvalView } from "./approval_view.ts";
import { asCaller } from "./caller.ts";
import type { ApiDeps } from "./deps.ts";

/** `GET /approvals/{id}`: one that the caller may decide, or that a job of theirs waits for. */
export async function getApproval(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const row = await asCaller(
    deps,
    context,
    async (store) => await store.getApproval(approvalIdOf(context)),
  );
  return { status: 200, body: approvalView(row) };
}
