import { matchesErrorPattern, type OnError } from "../contracts/definition.ts";
import { isFinalCode } from "./error_codes.ts";

/**
 * The step that takes over after an error with this code, or `null` where none of the handlers
 * means it. A list is tried in order.
 */
export function findErrorHandler(onError: OnError | undefined, code: string): string | null {
  if (onError === undefined || isFinalCode(code)) return null;
  if (typeof onError === "string") return onError;
  const handler = onError.find(({ errors }) =>
    errors.some((pattern) => matchesErrorPattern(pattern, code))
  );
  return handler?.next_step ?? null;
}
