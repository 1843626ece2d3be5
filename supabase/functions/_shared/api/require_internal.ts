import { bearerToken } from "../http/auth.ts";
import { ApiError } from "../http/errors.ts";
import type { RequestContext } from "../http/router.ts";
import type { ApiDeps } from "./deps.ts";

/**
 * Lets only those through who hold a secret key of the project.
 *
 * @throws {ApiError} 403 for signed-in users, 401 for everybody else.
 */
export async function requireInternal(deps: ApiDeps, context: RequestContext): Promise<void> {
  if (deps.isInternal(context.request)) return;
  await deps.verify(bearerToken(context.request.headers));
  throw new ApiError("forbidden", "Cannot do this without a secret key of the project in 'apikey'");
}
