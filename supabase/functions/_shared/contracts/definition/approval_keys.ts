import { z } from "zod";
import { MAX_STEP_TIMEOUT_SECONDS } from "./limits.ts";

/** What a person is asked, and who may answer: the keys of an approval, however it comes about. */
export const approvalKeys = {
  /** A value. */
  title: z.unknown().optional(),
  /** A value: what the person is to see. */
  details: z.unknown().optional(),
  /** A value: a list of user ids, email addresses and roles. Absent: the job's owner decides. */
  assignees: z.unknown().optional(),
  /** JSON Schema 2020-12 of what is to be filled in. */
  form: z.union([z.record(z.string(), z.unknown()), z.boolean()]).optional(),
  /** Whether the job's owner may decide. */
  allow_self: z.boolean().default(true),
  timeout_seconds: z.number().positive().max(MAX_STEP_TIMEOUT_SECONDS).optional(),
};
