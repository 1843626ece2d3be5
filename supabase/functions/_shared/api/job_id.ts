import { uuidSchema } from "../contracts/requests.ts";
import { ApiError } from "../http/errors.ts";
import type { RequestContext } from "../http/router.ts";

/**
 * The job id in the path.
 *
 * @throws {ApiError} 404 for what cannot be one: nothing is there, whatever it was meant to be.
 */
export function jobIdOf(context: RequestContext): string {
  const jobId = uuidSchema.safeParse(context.params["id"]);
  if (!jobId.success) throw new ApiError("job_not_found", "There is no job of this id");
  context.note("job_id", jobId.data);
  return jobId.data;
}
