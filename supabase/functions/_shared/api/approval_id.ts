import { uuidSchema } from "../contracts/requests.ts";
import { ApiError } from "../http/errors.ts";
import type { RequestContext } from "../http/router.ts";

/**
 * The approval's id in the path.
 *
 * @throws {ApiError} 404 for what cannot be one.
 */
export function approvalIdOf(context: RequestContext): string {
  const id = uuidSchema.safeParse(context.params["id"]);
  if (!id.success) throw new ApiError("approval_not_found", "There is no approval of this id");
  context.note("approval_id", id.data);
  return id.data;
}
