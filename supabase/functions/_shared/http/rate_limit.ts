import type { RateLimitReply } from "../store/api_store.ts";
import { ApiError } from "./errors.ts";

/**
 * Does the work while the request is being counted, so that the limit costs no extra wait; only for
 * work that changes nothing. Where both fail, the limit's answer is the one that is told.
 *
 * @throws {ApiError} 429 with `Retry-After` when the user has had enough.
 */
export async function whileCounting<Result>(
  count: Promise<RateLimitReply>,
  work: Promise<Result>,
): Promise<Result> {
  const [reply, result] = await Promise.allSettled([count, work]);
  if (reply.status === "rejected") throw reply.reason;
  if (!reply.value.allowed) throw rateLimited(reply.value);
  if (result.status === "rejected") throw result.reason;
  return result.value;
}

function rateLimited(reply: RateLimitReply): ApiError {
  const seconds = Math.max(1, Math.ceil(reply.retry_after_seconds));
  return new ApiError(
    "rate_limited",
    `Cannot take more requests of this user for ${seconds} seconds`,
    { headers: { "retry-after": String(seconds) }, details: { retry_after_seconds: seconds } },
  );
}
