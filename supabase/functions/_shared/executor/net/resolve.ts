import { promises as dns } from "node:dns";
import { ExecutorError } from "../error.ts";

/** Finds every IPv4 and IPv6 address of a host name; empty when it has none. */
export type Resolve = (hostname: string) => Promise<string[]>;

/**
 * Finds every address of a host name: by the system's resolver first, because that is the one
 * which `fetch` asks (it knows the hosts file), and by DNS queries where the runtime has none.
 *
 * A name without an address and a runtime without a resolver both fail: nobody connects to what
 * could not be checked.
 *
 * @throws {ExecutorError} `network` when the name cannot be resolved.
 */
export const resolveHost: Resolve = async (hostname) => {
  const failures: unknown[] = [];
  for (const resolver of [bySystem, byDns]) {
    try {
      const addresses = await resolver(hostname);
      if (addresses.length > 0) return [...new Set(addresses)];
    } catch (error) {
      failures.push(error);
    }
  }
  throw new ExecutorError(
    "network",
    `Cannot resolve the host name '${hostname}'`,
    {},
    {
      cause: new AggregateError(failures),
    },
  );
};

const bySystem: Resolve = async (hostname) =>
  (await dns.lookup(hostname, { all: true })).map(({ address }) => address);

/** One record type may be missing where the other is there; only when both fail is it an error. */
const byDns: Resolve = async (hostname) => {
  const answers = await Promise.allSettled([
    Deno.resolveDns(hostname, "A"),
    Deno.resolveDns(hostname, "AAAA"),
  ]);
  const found = answers.flatMap((each) => each.status === "fulfilled" ? each.value : []);
  const failed = answers.find((each) => each.status === "rejected");
  if (found.length === 0 && failed !== undefined) throw failed.reason;
  return found;
};
