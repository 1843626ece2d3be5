/** What went wrong with the local stack in words for the person at the terminal: no stack trace. */
export class StackError extends Error {
  override name = "StackError";
}

/** What an error says: the cause too, where `fetch` hides what happened in it. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
