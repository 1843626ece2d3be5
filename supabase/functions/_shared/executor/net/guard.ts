import { ExecutorError } from "../error.ts";
import { addressRefusal, isAddress } from "./address.ts";
import { type Resolve, resolveHost } from "./resolve.ts";

/** What the guard goes by. */
export interface GuardOptions {
  /** Lets private addresses through, unresolved and unchecked. */
  allowPrivate: boolean;
  /** How names become addresses; the system's resolver by default. */
  resolve?: Resolve;
}

/** A URL that may be fetched. */
export interface Target {
  url: URL;
  /** The checked address to connect to; absent when nothing was checked. */
  address?: string;
}

/** Whether this deployment may call private addresses: `HTTP_ALLOW_PRIVATE_NETWORK=true`. */
export function privateNetworkAllowed(
  env: { get(name: string): string | undefined } = Deno.env,
): boolean {
  return env.get("HTTP_ALLOW_PRIVATE_NETWORK") === "true";
}

/**
 * Decides whether a URL may be fetched: http or https, no credentials in it, and a host all of
 * whose addresses are of the public internet. One private address among public ones refuses it.
 *
 * @throws {ExecutorError} `http.url_refused`, or `network` when the name cannot be resolved.
 */
export async function checkUrl(
  url: string | URL,
  options: GuardOptions,
): Promise<Target> {
  const parsed = parseUrl(url);
  if (options.allowPrivate) return { url: parsed };
  // The URL parser has brought every spelling of an IPv4 address to four decimals.
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  const addresses = isAddress(host) ? [host] : await (options.resolve ?? resolveHost)(host);
  for (const address of addresses) {
    const reason = addressRefusal(address);
    if (reason !== undefined) {
      throw refused(
        `its host '${host}' is at a ${reason} address` +
          (host === address ? "" : `, ${address}`) +
          "; HTTP_ALLOW_PRIVATE_NETWORK=true would allow it",
      );
    }
  }
  // IPv4 first, as many hosts of functions have no way out over IPv6.
  const address = addresses.find((each) => !each.includes(":")) ?? addresses[0];
  if (address === undefined) throw refused(`its host '${host}' has no address`);
  return { url: parsed, address };
}

function parseUrl(url: string | URL): URL {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw refused("it is not an absolute URL");
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
    throw refused(
      `its scheme must be http or https: current value is ${parsed.protocol}`,
    );
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw refused(
      "it holds credentials; put them in a header from an environment variable",
    );
  }
  return parsed;
}

/** The URL itself stays out of the message: its query may hold what is not for logs. */
function refused(why: string): ExecutorError {
  return new ExecutorError(
    "http.url_refused",
    `Cannot fetch this URL as ${why}`,
  );
}
