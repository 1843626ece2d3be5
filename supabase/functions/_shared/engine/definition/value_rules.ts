import { z } from "zod";
import { errorCodeSchema } from "../../contracts/errors.ts";
import { MAX_CHILDREN, MAX_WAIT_SECONDS } from "../../contracts/definition.ts";
import type { ValueRule } from "./compile_key.ts";

/** The longest name and key of an event, in characters. */
const MAX_NAME_LENGTH = 200;

/** The longest id, email address or role of an assignee, in characters. */
const MAX_ASSIGNEE_LENGTH = 320;

/** Most people, addresses and roles that one approval may name. */
const MAX_ASSIGNEES = 100;

const timeSchema = z.iso.datetime({ offset: true });
const nameSchema = z.string().min(1).max(MAX_NAME_LENGTH);
const assigneeSchema = z.string().min(1).max(MAX_ASSIGNEE_LENGTH);
const assigneesSchema = z.union([
  assigneeSchema,
  z.array(assigneeSchema).min(1).max(MAX_ASSIGNEES),
]);

/** What `seconds` of a wait must come to. */
export const secondsRule: ValueRule = (value) =>
  typeof value === "number" && value >= 0 && value <= MAX_WAIT_SECONDS
    ? undefined
    : `must be a number of seconds from 0 to ${MAX_WAIT_SECONDS}`;

/** What `until` of a wait must come to. */
export const timeRule: ValueRule = (value) =>
  timeSchema.safeParse(value).success
    ? undefined
    : "must be a time as of RFC 3339, such as 2030-01-31T09:00:00Z";

/** What `items` of a map must come to. */
export const itemsRule: ValueRule = (value) =>
  Array.isArray(value) && value.length <= MAX_CHILDREN
    ? undefined
    : `must be a list of at most ${MAX_CHILDREN} items`;

/** What the name and the key of an event must come to; numbers and truths count as texts. */
export const eventNameRule: ValueRule = (value) =>
  typeof value === "number" || typeof value === "boolean" || nameSchema.safeParse(value).success
    ? undefined
    : `must be a text of 1 to ${MAX_NAME_LENGTH} characters`;

/** What `assignees` of an approval must come to; one by itself need not be in a list. */
export const assigneesRule: ValueRule = (value) =>
  assigneesSchema.safeParse(value).success
    ? undefined
    : `must be a list of 1 to ${MAX_ASSIGNEES} user ids, email addresses and roles`;

/** What the `code` of a fail step must come to. */
export const errorCodeRule: ValueRule = (value) =>
  errorCodeSchema.safeParse(value).success
    ? undefined
    : "must be one of the engine's error codes, or an own one with a prefix: prefix.name";

/** What a title and a message must come to. */
export const textRule: ValueRule = (value) =>
  typeof value === "string" ? undefined : "must be a text";

/** What `key` of `concurrency` must come to. */
export const limitKeyRule: ValueRule = (value) =>
  typeof value === "number" || typeof value === "boolean" || nameSchema.safeParse(value).success
    ? undefined
    : `must be a number, true or false, or a text of 1 to ${MAX_NAME_LENGTH} characters`;
