import { type StartRequest, startRequestSchema } from "../contracts/requests.ts";
import { readJson } from "../http/body.ts";
import { ApiError } from "../http/errors.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import { validate } from "../http/validate.ts";
import type { UserStore } from "../store/user_store.ts";
import type { StartJob } from "../store/user_store/jobs.ts";
import { asCaller } from "./caller.ts";
import type { ApiDeps } from "./deps.ts";
import { inputInvalid } from "./input_invalid.ts";
import { checkSize } from "./payload_size.ts";

/** `POST /start-workflow`: 201 for a new job, 200 for the one that the idempotency key names. */
export async function startJob(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const { store, wish } = await asCaller(deps, context, async (store) => {
    const body = await readJson(context.request, deps.limits.maxBodyBytes);
    const wish = toStartJob(validate(startRequestSchema, body), context.traceId);
    checkSize(wish.inputData, "input_data", deps.limits.maxPayloadBytes, "start the job");
    await checkInput(deps, store, wish);
    return { store, wish };
  });
  const job = await store.startJob(wish);
  if (job.kick) deps.kick("start");
  context.note("job_id", job.job_id);
  return {
    status: job.created ? 201 : 200,
    body: { job_id: job.job_id, status: job.status, created_at: job.created_at },
  };
}

function toStartJob(body: StartRequest, traceId: string): StartJob {
  return {
    workflowId: body.workflow_id,
    inputData: body.input_data ?? {},
    idempotencyKey: body.idempotency_key,
    priority: body.priority,
    runAt: body.run_at,
    metadata: body.metadata,
    traceId,
  };
}

/**
 * Against the version of now. Should the workflow change before the job is started, the engine finds
 * the fault when it takes the job's first step.
 */
async function checkInput(deps: ApiDeps, store: UserStore, wish: StartJob): Promise<void> {
  const workflow = await store.findInputSchema(wish.workflowId);
  if (workflow === null) {
    throw new ApiError("workflow_not_found", `There is no workflow '${wish.workflowId}'`);
  }
  if (workflow.inputSchema === null) return;
  const faults = deps.checkInput(workflow.inputSchema, wish.inputData, "input_data");
  if (faults.length > 0 && !(await wasStarted(store, wish))) {
    throw inputInvalid(`start '${wish.workflowId}' (version ${workflow.version})`, faults);
  }
}

/** A repeat gets the job it asked for, though the workflow may take other input by now. */
async function wasStarted(store: UserStore, { idempotencyKey }: StartJob): Promise<boolean> {
  return idempotencyKey !== undefined && await store.hasIdempotencyKey(idempotencyKey);
}
