import { type RetryRequest, retryRequestSchema } from "../contracts/requests.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import type { UserStore } from "../store/user_store.ts";
import { asCaller } from "./caller.ts";
import { accepted } from "./control_job.ts";
import type { ApiDeps } from "./deps.ts";
import { inputInvalid } from "./input_invalid.ts";
import { jobIdOf } from "./job_id.ts";
import { readOptional } from "./optional_body.ts";
import { checkSize } from "./payload_size.ts";

/** `POST /jobs/{id}/retry`: opens a job again that has failed or was cancelled. */
export async function retryJob(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const { store, jobId, wish } = await asCaller(deps, context, async (store) => {
    const jobId = jobIdOf(context);
    const wish = await readOptional(context, retryRequestSchema, deps.limits.maxBodyBytes);
    await checkInput(deps, store, jobId, wish);
    return { store, jobId, wish };
  });
  const job = await store.retryJob(jobId, {
    fromStep: wish.from_step,
    inputData: wish.input_data,
    failedItemsOnly: wish.failed_items_only,
  });
  return accepted(deps, job);
}

/** Against the version that the job runs, which may be an old one. */
async function checkInput(
  deps: ApiDeps,
  store: UserStore,
  jobId: string,
  { input_data: inputData }: RetryRequest,
): Promise<void> {
  if (inputData === undefined) return;
  checkSize(inputData, "input_data", deps.limits.maxPayloadBytes, "retry the job");
  const job = await store.findJob(jobId);
  const schema = await deps.findVersionSchema(job.workflow_id, job.workflow_version);
  if (schema === null) return;
  const faults = deps.checkInput(schema, inputData, "input_data");
  if (faults.length > 0) {
    throw inputInvalid(
      `retry '${job.workflow_id}' (version ${job.workflow_version})`,
      faults,
    );
  }
}
