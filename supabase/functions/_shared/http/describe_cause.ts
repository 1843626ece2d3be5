import { ConfigError } from "../contracts/env.ts";
import { StoreError } from "../store/errors.ts";

/** Longest message that is logged, in characters. */
const MAX_MESSAGE = 300;

/**
 * What the log says of an error's cause. Of a database error only code and first words: Postgres'
 * details quote rows, and with them payloads. The stack only where it is our fault.
 */
export function describeCause(cause: unknown, withStack: boolean): Record<string, unknown> {
  if (cause instanceof ConfigError) return { code: cause.code, message: cause.message };
  if (cause instanceof StoreError) {
    return { name: cause.name, sqlstate: cause.sqlstate, message: shorten(cause.message) };
  }
  if (cause instanceof Error) {
    const code = (cause as { code?: unknown }).code;
    const stack = withStack ? cause.stack : undefined;
    return { name: cause.name, code, message: shorten(cause.message), stack };
  }
  return { message: shorten(String(cause)) };
}

function shorten(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE)}…`;
}
