import {
  workflowPathSchema,
  workflowPutSchema,
  workflowRequestSchema,
} from "../contracts/requests.ts";
import { readJson } from "../http/body.ts";
import { ApiError } from "../http/errors.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import { validate } from "../http/validate.ts";
import type { RegisterWorkflow } from "../store/api_store.ts";
import type { ApiDeps } from "./deps.ts";
import { requireInternal } from "./require_internal.ts";

/** `POST /workflows`, with a secret key: 201 for a new workflow. */
export async function createWorkflow(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  await requireInternal(deps, context);
  const body = await readJson(context.request, deps.limits.maxBodyBytes);
  const workflow = await check(deps, context, validate(workflowRequestSchema, body));
  const version = await deps.workflows.insert(workflow);
  if (version !== null) return { status: 201, body: { id: workflow.id, version } };
  throw new ApiError(
    "workflow_exists",
    `Cannot create workflow '${workflow.id}' as there is one already: change it with PUT`,
  );
}

/** `PUT /workflows/{id}`, with a secret key: 201 for a new workflow, 200 for one that was there. */
export async function putWorkflow(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  await requireInternal(deps, context);
  const { id } = validate(workflowPathSchema, context.params);
  const body = await readJson(context.request, deps.limits.maxBodyBytes);
  const workflow = await check(deps, context, { id, ...validate(workflowPutSchema, body) });
  const changed = await deps.workflows.update(workflow);
  if (changed !== null) return { status: 200, body: { id, version: changed } };
  const version = await deps.workflows.insert(workflow);
  if (version !== null) return { status: 201, body: { id, version } };
  // Somebody else was faster with the same id: it is there now.
  return { status: 200, body: { id, version: await deps.workflows.update(workflow) } };
}

/** @throws {ApiError} 422 that lists every fault of the definition. */
async function check(
  deps: ApiDeps,
  context: RequestContext,
  workflow: RegisterWorkflow,
): Promise<RegisterWorkflow> {
  context.note("workflow_id", workflow.id);
  const problems = await deps.findProblems(workflow.definition);
  const [first] = problems;
  if (first === undefined) return workflow;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  throw new ApiError(
    "definition_invalid",
    `Cannot register '${workflow.id}' as '${first.path || "definition"}' ${first.message}${more}`,
    { details: problems },
  );
}
