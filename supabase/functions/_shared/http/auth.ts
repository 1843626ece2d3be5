import { ApiError, unauthorized, unavailable } from "./errors.ts";

/** A signed-in user, as their token says. */
export interface Caller {
  userId: string;
  /** What they showed: goes along to the Data API, where RLS holds them to their own rows. */
  token: string;
  /** When the token expires, in seconds since 1970. */
  expiresAt: number;
}

/** Checks a user's token. @throws {ApiError} 401, or 503 where Auth cannot be reached. */
export type VerifyToken = (token: string) => Promise<Caller>;

/** The part of supabase-js that checks tokens in every key regime. */
export interface ClaimsSource {
  getClaims(token: string): Promise<{
    data: { claims: Record<string, unknown> } | null;
    error: { name: string; status?: number | undefined; code?: string | undefined } | null;
  }>;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Longest token that is looked at, in characters; Supabase's are below 2,000. */
const MAX_TOKEN = 8_192;
/** How soon it is worth another try when Auth is down, in seconds. */
const AUTH_RETRY_SECONDS = 5;

/**
 * The bearer token of a request.
 *
 * @throws {ApiError} 401 when there is none.
 */
export function bearerToken(headers: Headers): string {
  const given = headers.get("authorization");
  if (given === null) throw unauthorized("Cannot accept a call without a bearer token", false);
  const token = /^Bearer +([^\s]+)$/i.exec(given)?.[1];
  if (token === undefined || token.length > MAX_TOKEN) {
    throw unauthorized("Cannot accept 'authorization' as it must be 'Bearer <user JWT>'", false);
  }
  return token;
}

/**
 * Verifies tokens by `getClaims`: by the project's public keys where it signs with private ones,
 * else by asking the Auth server.
 */
export function createVerifier(source: ClaimsSource): VerifyToken {
  return async (token) => {
    if (!looksLikeJwt(token)) throw refused("it is no JWT");
    const { data, error } = await source.getClaims(token).catch((cause: unknown) => {
      // Not an answer of Auth's: a header or a key that no check can be made with.
      throw refused("it cannot be verified", cause);
    });
    if (error !== null && isOutage(error)) {
      throw unavailable("The Auth server cannot be reached", AUTH_RETRY_SECONDS, error);
    }
    if (error !== null || data === null) throw refused("it is expired, revoked or forged", error);
    const { sub, role, exp } = data.claims;
    if (role !== "authenticated" || typeof sub !== "string" || !UUID.test(sub)) {
      throw refused("it must be a signed-in user's");
    }
    // An expiry that is missing or odd never lets a token stay in a cache.
    return { userId: sub, token, expiresAt: typeof exp === "number" ? exp : 0 };
  };
}

function refused(reason: string, cause?: unknown): ApiError {
  return unauthorized(`Cannot accept the token as ${reason}`, true, cause ?? undefined);
}

/** No answer, a broken one, or "too many requests": none of these says anything about the token. */
function isOutage(error: { name: string; status?: number | undefined }): boolean {
  return error.name === "AuthRetryableFetchError" || error.name === "AuthUnknownError" ||
    error.status === 429 || (error.status ?? 0) >= 500;
}

/** Cheap: API keys and rubbish never reach the Auth server. */
function looksLikeJwt(token: string): boolean {
  const [header, payload, signature, ...more] = token.split(".");
  return more.length === 0 &&
    [header, payload, signature].every((part) =>
      part !== undefined && /^[A-Za-z0-9_-]+$/.test(part)
    ) && isJsonObject(header ?? "") && isJsonObject(payload ?? "");
}

function isJsonObject(part: string): boolean {
  try {
    const bytes = Uint8Array.from(
      atob(part.replaceAll("-", "+").replaceAll("_", "/")),
      (char) => char.charCodeAt(0),
    );
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
