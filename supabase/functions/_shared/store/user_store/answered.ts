import { StoreError } from "../errors.ts";

/**
 * What a database function answered.
 *
 * @throws {StoreError} when that is nothing.
 */
export function answered<Reply>(reply: unknown): Reply {
  if (typeof reply !== "object" || reply === null) {
    throw new StoreError("the database function answered nothing");
  }
  return reply as Reply;
}
