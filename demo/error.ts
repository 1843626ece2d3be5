/** What went wrong with the demo in words for the person at the terminal: no stack trace. */
export class DemoError extends Error {
  override name = "DemoError";
}
