import type { SupabaseClient } from "@supabase/supabase-js";
import { unwrap } from "../errors.ts";
import { withTimes } from "../times.ts";
import { afterKeys } from "./keyset.ts";

/** One attempt of a step, as its job's owner sees it. */
export type StepRow = Record<string, unknown> & StepKey;

/** What tells an attempt from every other of its job, and gives it its place in time. */
export interface StepKey {
  ended_at: string;
  step_id: string;
  visit: number;
  attempt: number;
}

/** One thing that happened to a job. */
export type EventRow = Record<string, unknown> & { id: number };

/** Which page of a job's records. */
export interface ListRecords<Position> {
  jobId: string;
  after: Position | undefined;
  limit: number;
}

/** What a job of the user's has left behind. All throw StoreError. */
export interface RecordsStore {
  /** Attempts in the order in which they ended. */
  listSteps(list: ListRecords<StepKey>): Promise<StepRow[]>;
  /** Events in the order in which they happened; the position is an event's id. */
  listEvents(list: ListRecords<number>): Promise<EventRow[]>;
}

const STEP_COLUMNS = [
  "job_id",
  "step_id",
  "visit",
  "attempt",
  "status",
  "transformer_id",
  "input",
  "output",
  "error",
  "redeliveries",
  "started_at",
  "ended_at",
];
const EVENT_COLUMNS = ["id", "job_id", "type", "step_id", "data", "created_at"];

/** The records of jobs of the user that the client acts as. */
export function createRecordsStore(client: SupabaseClient): RecordsStore {
  return {
    async listSteps({ jobId, after, limit }) {
      let query = client.from("job_steps").select(STEP_COLUMNS.join(",")).eq("job_id", jobId)
        .order("ended_at").order("step_id").order("visit").order("attempt").limit(limit);
      if (after !== undefined) {
        query = query.or(afterKeys([
          ["ended_at", after.ended_at],
          ["step_id", after.step_id],
          ["visit", after.visit],
          ["attempt", after.attempt],
        ], "gt"));
      }
      const rows: unknown[] = unwrap(await query) ?? [];
      return rows.map((row) => withTimes(row as StepRow, ["started_at", "ended_at"]));
    },

    async listEvents({ jobId, after, limit }) {
      let query = client.from("job_events").select(EVENT_COLUMNS.join(",")).eq("job_id", jobId)
        .order("id").limit(limit);
      if (after !== undefined) query = query.gt("id", after);
      const rows: unknown[] = unwrap(await query) ?? [];
      return rows.map((row) => withTimes(row as EventRow, ["created_at"]));
    },
  };
}
