import type { SupabaseClient } from "@supabase/supabase-js";
import { ApprovalNotFoundError, unwrap } from "../errors.ts";
import { withTimes } from "../times.ts";
import { answered } from "./answered.ts";
import type { PagePosition } from "./jobs.ts";
import { afterKeys } from "./keyset.ts";

/** A question to a person, as somebody sees it whom it concerns. */
export type ApprovalRow = Record<string, unknown> & {
  id: string;
  created_at: string;
  status: string;
  /** JSON Schema of what has to be filled in to approve; null: nothing. */
  form: unknown;
  /** Whether the user is one of those who may decide. */
  may_decide: boolean;
};

/** Which approvals, and how many at most. */
export interface ListApprovals {
  status: string;
  /** Whether only those are listed that the user may decide. */
  decidable: boolean;
  after: PagePosition | undefined;
  limit: number;
}

/** What a person decides. */
export interface DecideApproval {
  decision: "approve" | "reject";
  notes: string | undefined;
  form: Record<string, unknown> | undefined;
}

/** What `decide_approval` answers. */
export interface DecidedApproval {
  approval_id: string;
  job_id: string;
  status: string;
  kick: boolean;
}

/** Approvals that a user may decide or has asked for. All throw StoreError. */
export interface ApprovalsStore {
  /** Newest first. */
  listApprovals(list: ListApprovals): Promise<ApprovalRow[]>;
  /** @throws ApprovalNotFoundError also where it does not concern the user */
  getApproval(approvalId: string): Promise<ApprovalRow>;
  /** @throws ApprovalNotFoundError, ApprovalClosedError, NotAllowedError, PayloadTooLargeError */
  decideApproval(approvalId: string, decision: DecideApproval): Promise<DecidedApproval>;
}

const APPROVAL_COLUMNS = [
  "id",
  "job_id",
  "step_id",
  "visit",
  "attempt",
  "user_id",
  "title",
  "details",
  "assignees",
  "form",
  "allow_self",
  "status",
  "decided_by",
  "decided_at",
  "notes",
  "form_data",
  "created_at",
  "expires_at",
  "may_decide",
];

/** The approvals of the user that the client acts as. */
export function createApprovalsStore(client: SupabaseClient): ApprovalsStore {
  const inbox = () => client.from("approval_inbox").select(APPROVAL_COLUMNS.join(","));

  return {
    async listApprovals({ status, decidable, after, limit }) {
      let query = inbox().eq("status", status)
        .order("created_at", { ascending: false }).order("id", { ascending: false }).limit(limit);
      if (decidable) query = query.is("may_decide", true);
      if (after !== undefined) {
        query = query.lte("created_at", after.createdAt)
          .or(afterKeys([["created_at", after.createdAt], ["id", after.id]], "lt"));
      }
      const rows: unknown[] = unwrap(await query) ?? [];
      return rows.map(toApprovalRow);
    },

    async getApproval(approvalId) {
      const row: unknown = unwrap(await inbox().eq("id", approvalId).maybeSingle());
      if (row === null) {
        throw new ApprovalNotFoundError(`There is no approval ${approvalId}`, "MR012");
      }
      return toApprovalRow(row);
    },

    async decideApproval(approvalId, { decision, notes, form }) {
      const reply = await client.rpc("decide_approval", {
        p_approval_id: approvalId,
        p_decision: decision,
        p_notes: notes,
        p_form: form,
        p_kick: false,
      });
      return answered<DecidedApproval>(unwrap(reply));
    },
  };
}

function toApprovalRow(row: unknown): ApprovalRow {
  return withTimes(row as ApprovalRow, ["created_at", "decided_at", "expires_at"]);
}
