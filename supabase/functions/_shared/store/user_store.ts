import type { SupabaseClient } from "@supabase/supabase-js";
import { type ApprovalsStore, createApprovalsStore } from "./user_store/approvals.ts";
import { type ChildrenStore, createChildrenStore } from "./user_store/children.ts";
import { createEventsStore, type EventsStore } from "./user_store/events.ts";
import { createJobsStore, type JobsStore } from "./user_store/jobs.ts";
import { createRecordsStore, type RecordsStore } from "./user_store/records.ts";
import { createRunControlStore, type RunControlStore } from "./user_store/run_control.ts";

/** What one user can do in the database: everything here runs under RLS. All throw StoreError. */
export interface UserStore
  extends JobsStore, RunControlStore, ChildrenStore, RecordsStore, EventsStore, ApprovalsStore {}

/** The store of the user that the client acts as. */
export function createUserStore(client: SupabaseClient): UserStore {
  return {
    ...createJobsStore(client),
    ...createRunControlStore(client),
    ...createChildrenStore(client),
    ...createRecordsStore(client),
    ...createEventsStore(client),
    ...createApprovalsStore(client),
  };
}
