import { bearerToken } from "../http/auth.ts";
import { whileCounting } from "../http/rate_limit.ts";
import type { RequestContext } from "../http/router.ts";
import type { UserStore } from "../store/user_store.ts";
import type { ApiDeps } from "./deps.ts";

/**
 * Identifies the caller, then does the work as them while their request is being counted; so the
 * work must change nothing. Every request of a known user counts, a malformed one too.
 *
 * @throws {ApiError} 401, 429, 503 where Auth cannot be reached; and whatever the work throws.
 */
export async function asCaller<Result>(
  deps: ApiDeps,
  context: RequestContext,
  work: (store: UserStore) => Promise<Result>,
): Promise<Result> {
  const caller = await deps.verify(bearerToken(context.request.headers));
  context.note("user_id", caller.userId);
  const count = deps.countRequest(caller.userId);
  const asUser = async () => await work(deps.userStore(caller.token));
  return await whileCounting(count, asUser());
}
