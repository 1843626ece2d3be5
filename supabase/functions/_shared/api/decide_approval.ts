import { type DecisionRequest, decisionRequestSchema } from "../contracts/requests.ts";
import { readJson } from "../http/body.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import { validate } from "../http/validate.ts";
import type { ApprovalRow } from "../store/user_store/approvals.ts";
import { approvalIdOf } from "./approval_id.ts";
import { asCaller } from "./caller.ts";
import type { ApiDeps } from "./deps.ts";
import { inputInvalid } from "./input_invalid.ts";
import { checkSize } from "./payload_size.ts";

/** `POST /approvals/{id}/decision`: a person's answer, which counts once. */
export async function decideApproval(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const { store, approvalId, body, form } = await asCaller(deps, context, async (store) => {
    const approvalId = approvalIdOf(context);
    const json = await readJson(context.request, deps.limits.maxBodyBytes);
    const body = validate(decisionRequestSchema, json);
    checkSize(body.form, "form", deps.limits.maxPayloadBytes, "decide the approval");
    const form = checkForm(deps, await store.getApproval(approvalId), body);
    return { store, approvalId, body, form };
  });
  const { decision, notes } = body;
  const decided = await store.decideApproval(approvalId, { decision, notes, form });
  if (decided.kick) deps.kick("message");
  context.note("job_id", decided.job_id);
  const { approval_id, job_id, status } = decided;
  return { status: 200, body: { approval_id, job_id, status } };
}

/**
 * The form that goes with the decision: one that is left out is an empty one where a form is asked
 * for. Whether this caller may decide at all, and still, is the database's to say: where it will
 * refuse, faults of the form are none of their business.
 *
 * @throws {ApiError} 422 that lists every fault.
 */
function checkForm(
  deps: ApiDeps,
  approval: ApprovalRow,
  { decision, form }: DecisionRequest,
): Record<string, unknown> | undefined {
  const refused = !approval.may_decide || approval.status !== "open";
  if (decision === "reject" || approval.form === null || refused) return form;
  const filled = form ?? {};
  const faults = deps.checkInput(approval.form, filled, "form");
  if (faults.length > 0) throw inputInvalid("approve", faults);
  return filled;
}
