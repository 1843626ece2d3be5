import { signalRequestSchema } from "../contracts/requests.ts";
import { readJson } from "../http/body.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import { validate } from "../http/validate.ts";
import { asCaller } from "./caller.ts";
import { accepted } from "./control_job.ts";
import type { ApiDeps } from "./deps.ts";
import { jobIdOf } from "./job_id.ts";
import { checkSize } from "./payload_size.ts";

/** `POST /jobs/{id}/signal`: an event for one job and the jobs below it. */
export async function signalJob(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const { store, jobId, signal } = await asCaller(deps, context, async (store) => {
    const jobId = jobIdOf(context);
    const body = await readJson(context.request, deps.limits.maxBodyBytes);
    const signal = validate(signalRequestSchema, body);
    checkSize(signal.payload, "payload", deps.limits.maxPayloadBytes, "signal the job");
    return { store, jobId, signal };
  });
  return accepted(deps, await store.signalJob(jobId, signal.name, signal.payload));
}
