/**
 * Keeps this process alive through two faults of the driver `postgres`:
 *
 * - When a connection is lost between two statements of a transaction, it writes to a socket that
 *   is gone, outside of any promise. The statement never settles; who runs one must not wait for
 *   ever.
 * - When a connection is ended while it is being made, or lost with a statement on its way, a promise
 *   of its own is rejected that nobody can await, beside that of the statement.
 */
export function surviveDriverFaults(): void {
  globalThis.addEventListener("error", ignoreLostSocket); // the same one counts once
  globalThis.addEventListener("unhandledrejection", ignoreDestroyedConnection);
}

function ignoreLostSocket(event: ErrorEvent): void {
  const stack = event.error instanceof TypeError ? event.error.stack ?? "" : "";
  if (/reading 'write'[\s\S]*nextWrite[\s\S]*\/postgres\/[\d.]+\/src\/connection/.test(stack)) {
    event.preventDefault();
  }
}

function ignoreDestroyedConnection(event: PromiseRejectionEvent): void {
  if (/^CONNECTION_(DESTROYED|CLOSED)$/.test(event.reason?.code)) event.preventDefault();
}
