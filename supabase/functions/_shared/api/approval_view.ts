import type { ApprovalRow } from "../store/user_store/approvals.ts";

/** An approval as the API shows it: its row, with `approval_id` beside `id`. */
export function approvalView(row: ApprovalRow): Record<string, unknown> {
  return { approval_id: row.id, ...row };
}
