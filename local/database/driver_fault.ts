/**
 * Keeps this process alive when the driver `postgres` throws outside of any promise, which it does
 * when a connection is lost between two statements of a transaction: it then writes to a socket
 * that is gone. The query in question never settles; who runs one must not wait for ever.
 */
export function surviveDriverFault(): void {
  globalThis.removeEventListener("error", ignoreDriverFault);
  globalThis.addEventListener("error", ignoreDriverFault);
}

function ignoreDriverFault(event: ErrorEvent): void {
  const stack = event.error instanceof TypeError ? event.error.stack ?? "" : "";
  if (
    /reading 'write'[\s\S]*\bnextWrite\b[\s\S]*\/postgres\/[\d.]+\/src\/connection\.js/.test(stack)
  ) {
    event.preventDefault();
  }
}
