/** What went wrong with the local stack in words for the person at the terminal: no stack trace. */
export class StackError extends Error {
  override name = "StackError";
}
