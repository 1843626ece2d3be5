import type { JobWrite, Scope, Spawn } from "../contracts/turn.ts";
import { isItem, type Job } from "../engine/job.ts";

/** Text of the scopes that are kept at most, in characters; the one unused for longest goes first. */
const MAX_CHARACTERS = 32 * 1024 * 1024;
/** Scopes that are kept at most: their keys go with each turn. */
const MAX_SCOPES = 500;

/** Scopes by their keys. */
export type KnownScopes = ReadonlyMap<string, Scope>;

/** What branches see of the jobs around them, kept as long as there is room. */
export class Scopes {
  private readonly scopes = new Map<string, { scope: Scope; characters: number }>();
  private characters = 0;

  /** The scopes that are here now; none ever changes. */
  get known(): KnownScopes {
    return new Map([...this.scopes].map(([key, { scope }]) => [key, scope]));
  }

  add(scope: Scope): void {
    if (this.scopes.has(scope.key)) return;
    const characters = JSON.stringify(scope).length;
    this.scopes.set(scope.key, { scope, characters });
    this.characters += characters;
  }

  /** Lets go of a scope that has not come about. */
  forget(key: string): void {
    this.characters -= this.scopes.get(key)?.characters ?? 0;
    this.scopes.delete(key);
  }

  /**
   * The scopes around a job, the outermost first; null when one of them is not here.
   *
   * @param known what the turn that claimed the job was told is known; some may have gone since
   */
  around({ scope }: Pick<Job, "scope">, known: KnownScopes): readonly Scope[] | null {
    const chain: Scope[] = [];
    for (let key = scope; key !== null;) {
      const found = this.use(key) ?? known.get(key);
      if (found === undefined) return null;
      chain.unshift(found);
      key = found.parent;
    }
    return chain;
  }

  private use(key: string): Scope | undefined {
    const entry = this.scopes.get(key);
    if (entry === undefined) return undefined;
    this.scopes.delete(key);
    this.scopes.set(key, entry);
    return entry.scope;
  }

  /** Lets go of the scopes that were not used for longest. */
  trim(): void {
    for (const key of this.scopes.keys()) {
      if (this.characters <= MAX_CHARACTERS && this.scopes.size <= MAX_SCOPES) return;
      this.forget(key);
    }
  }
}

/** The key of the scope of children in their first run. */
export function firstScopeKey({ job_id, step_id, visit }: Spawn): string {
  return `${job_id}:${step_id}:${visit}:1`;
}

/** What the branches that a commit starts will see of their parent; null where it starts none. */
export function spawnedScope(job: Job, { spawn }: JobWrite): Scope | null {
  if (spawn === undefined || spawn.workflow_id !== null) return null;
  return {
    key: firstScopeKey(spawn),
    parent: job.scope,
    job_id: job.job_id,
    workflow_id: job.workflow_id,
    workflow_version: job.workflow_version,
    user_id: job.user_id,
    created_at: job.created_at,
    started_at: job.started_at,
    input_data: job.input_data,
    step_data: job.step_data,
    item: job.item,
    item_index: isItem(job) ? job.item_index : null,
    previous_step: job.state.previous_step,
  };
}
