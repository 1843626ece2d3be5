import { errorInfo } from "../contracts/errors.ts";
import type { ErrorInfo } from "../contracts/errors.ts";
import type { Transformer, TurnReply } from "../contracts/turn.ts";
import { retryPolicySchema } from "../contracts/definition.ts";
import {
  checkDefinition,
  type CheckedDefinition,
  printProblems,
} from "../engine/definition/check.ts";
import type { Job } from "../engine/job.ts";

/** Definitions kept at most; the one that was unused for longest goes first. */
const MAX_DEFINITIONS = 100;

/** Definitions by `workflow_id@version`; an error for one that cannot be run. */
export type Definitions = ReadonlyMap<string, CheckedDefinition | ErrorInfo>;

/** What the orchestrator has read of workflows and transformers, kept as long as it is true. */
export class Catalog {
  private readonly definitions = new Map<string, CheckedDefinition | ErrorInfo>();
  /** All transformers, as of `revision`. */
  transformers: ReadonlyMap<string, Transformer> = new Map();
  /** Revision of the transformers; null before the first turn. */
  revision: number | null = null;
  /** Key that signs callback tokens. */
  callbackSecret = "";

  /** The definitions that are here now; versions never change. */
  get known(): Definitions {
    return new Map(this.definitions);
  }

  /** Takes what a turn brought along. */
  update(reply: TurnReply): void {
    if (reply.transformers !== null) {
      this.transformers = new Map(reply.transformers.map((row) => [row.id, parseTransformer(row)]));
      this.revision = reply.catalog_revision;
    }
    if (reply.callback_secret !== null) this.callbackSecret = reply.callback_secret;
    for (const { workflow_id, version, definition } of reply.definitions) {
      this.definitions.set(`${workflow_id}@${version}`, check(workflow_id, version, definition));
    }
  }

  /**
   * The definition that a job is pinned to, or why it cannot be run.
   *
   * @param known what the turn that claimed it was told is known; another run of this worker may
   * have let go of some of it since
   */
  definitionOf(job: Job, known: Definitions): CheckedDefinition | ErrorInfo {
    const key = `${job.workflow_id}@${job.workflow_version}`;
    const found = this.definitions.get(key) ?? known.get(key);
    if (found === undefined) {
      return errorInfo("internal", `Definition ${key} did not come with its job`);
    }
    this.definitions.delete(key);
    this.definitions.set(key, found);
    return found;
  }

  /** Lets go of the definitions that were not used for longest. */
  trim(): void {
    for (const key of this.definitions.keys()) {
      if (this.definitions.size <= MAX_DEFINITIONS) return;
      this.definitions.delete(key);
    }
  }
}

/** What a job runs of its definition: a branch of it, or all. */
export function branchOf(
  { branch, workflow_id, workflow_version }: Job,
  definition: CheckedDefinition | ErrorInfo,
): CheckedDefinition | ErrorInfo {
  if ("code" in definition || branch === null) return definition;
  return definition.branches.get(branch) ?? errorInfo(
    "definition_invalid",
    `Version ${workflow_version} of workflow '${workflow_id}' has no branch '${branch}'`,
  );
}

function check(workflowId: string, version: number, raw: unknown): CheckedDefinition | ErrorInfo {
  const result = checkDefinition(raw);
  if (result.ok) return result.definition;
  return errorInfo(
    "definition_invalid",
    `Version ${version} of workflow '${workflowId}' cannot be run: ${
      printProblems(result.problems)
    }`,
    { details: result.problems },
  );
}

/** A row's retry policy comes from SQL unchecked; one that does not fit counts as none. */
function parseTransformer(row: NonNullable<TurnReply["transformers"]>[number]): Transformer {
  const retry = retryPolicySchema.nullable().safeParse(row.retry ?? null);
  return { ...row, retry: retry.success ? retry.data : null };
}
