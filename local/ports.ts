import { StackError } from "./error.ts";

/** Below what systems give to outgoing connections, which could take the port in the meantime. */
const FIRST = 12_000;
const COUNT = 20_000;

/** A port of 127.0.0.1 that nothing listens on at the moment. */
export function freePort(): number {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/**
 * Makes sure that `port` can be listened on; 0 picks a free one.
 *
 * @throws StackError when something listens on it, naming the option that sets another
 */
export function claimPort(port: number, option: string): number {
  if (port === 0) return freePort();
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return port;
  } catch (error) {
    throw portError(error, port, option);
  }
}

/** Turns "address in use" into words for a person; other errors stay what they are. */
export function portError(error: unknown, port: number, option: string): unknown {
  if (!(error instanceof Deno.errors.AddrInUse)) return error;
  return new StackError(
    `Port ${port} is taken by another program: stop it, or choose another port with ${option} ` +
      `(0 = any free one)`,
  );
}
