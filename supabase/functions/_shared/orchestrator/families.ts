import type { ChildEnd, JobWrite } from "../contracts/turn.ts";
import type { Job } from "../engine/job.ts";

/** More children than this are left to whoever has room for them. */
const MAX_HELD_CHILDREN = 16;

/** A parent that is held while all its children run here. */
export interface Family {
  readonly parentId: string;
  readonly total: number;
  readonly tolerated: number;
  /** The children that came with the commit that started them. */
  readonly members: Set<string>;
  readonly ends: Map<string, ChildEnd>;
  /** Ends the wait where the step, or the whole job, has a time limit. */
  readonly timer: ReturnType<typeof setTimeout> | undefined;
}

/** Timers take at most 2^31 - 1 ms; no run takes as long. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What a child's decision means for its parent. */
export type FamilyNews =
  /** The last child has ended. */
  | { readonly type: "complete"; readonly family: Family; readonly ends: readonly ChildEnd[] }
  /** From here on the database has to tell when the children have ended. */
  | { readonly type: "scattered"; readonly family: Family };

/**
 * Parents that are held while their children run in the same run. The run knows when the last has
 * ended before the database does, and decides what the parent does next in the same commit, which
 * spares a join its own turn. Should anything come between, the parent parks as every other does.
 */
export class Families {
  private readonly families = new Map<string, Family>();
  private readonly parentOf = new Map<string, string>();
  private readonly onLimit: (parentId: string) => void;

  /** @param onLimit told of a parent whose time is up while its children run */
  constructor(onLimit: (parentId: string) => void) {
    this.onLimit = onLimit;
  }

  /**
   * Whether the children of a commit may be leased with it.
   *
   * @param room how many more jobs the run can hold
   */
  static fits({ spawn }: JobWrite, room: number): boolean {
    if (spawn === undefined || spawn.detached) return false;
    const { length } = spawn.children;
    return length <= Math.min(MAX_HELD_CHILDREN, room) &&
      (spawn.max_running === 0 || length <= spawn.max_running);
  }

  /**
   * The write by which a parent keeps its lease and is handed its children.
   *
   * @param now the database's clock, in ms since 1970
   */
  adopt(write: JobWrite, now: number): JobWrite {
    const { spawn, job } = write;
    if (spawn === undefined) return write;
    const { waiting } = job.state;
    const ms = job.next_run_at === null ? Infinity : Date.parse(job.next_run_at) - now;
    this.families.set(job.job_id, {
      parentId: job.job_id,
      total: spawn.children.length,
      tolerated: waiting?.kind === "children" ? waiting.tolerated : 0,
      members: new Set(),
      ends: new Map(),
      timer: ms > MAX_TIMER_MS ? undefined : setTimeout(() => this.onLimit(job.job_id), ms),
    });
    return {
      ...write,
      job: { ...job, status: "running", next_run_at: null, awaits_children: false },
      spawn: { ...spawn, lease: true },
    };
  }

  /** Takes in a child that was claimed, if its parent is held here. */
  join({ job_id, parent_job_id }: Pick<Job, "job_id" | "parent_job_id">): void {
    const family = parent_job_id === null ? undefined : this.families.get(parent_job_id);
    if (family === undefined || family.members.size === family.total) return;
    family.members.add(job_id);
    this.parentOf.set(job_id, family.parentId);
  }

  /** Of these parents, those whose children did not all come with the commit. */
  incomplete(parentIds: Iterable<string>): Family[] {
    return [...parentIds].flatMap((id) => {
      const family = this.families.get(id);
      return family !== undefined && family.members.size < family.total ? [family] : [];
    });
  }

  /** Looks at what was decided for a child; null where its parent need not know. */
  notice(child: Job, { job }: JobWrite): FamilyNews | null {
    const family = this.familyOf(child.job_id);
    if (family === undefined || job.status === "running") return null;
    if (job.status !== "completed" && job.status !== "failed" && job.status !== "cancelled") {
      return { type: "scattered", family };
    }
    family.ends.set(child.job_id, {
      job_id: child.job_id,
      index: child.item_index ?? 0,
      status: job.status,
      result: job.final_result,
      error: job.error,
    });
    const ends = [...family.ends.values()].sort((a, b) => a.index - b.index);
    if (ends.length === family.total) return { type: "complete", family, ends };
    const failed = ends.filter(({ status }) => status !== "completed").length;
    return failed > family.tolerated ? { type: "scattered", family } : null;
  }

  /** Children that are to come with commits on their way. */
  get expected(): number {
    let expected = 0;
    for (const { total, members } of this.families.values()) expected += total - members.size;
    return expected;
  }

  /** Whether the end of a child has been noticed. */
  hasEnded(childId: string): boolean {
    return this.familyOf(childId)?.ends.has(childId) ?? false;
  }

  /** The family that a child belongs to. */
  familyOf(childId: string): Family | undefined {
    const parentId = this.parentOf.get(childId);
    return parentId === undefined ? undefined : this.families.get(parentId);
  }

  /** The parent goes on by itself, or is not held any more. */
  dissolve(parentId: string): void {
    const family = this.families.get(parentId);
    if (family === undefined) return;
    clearTimeout(family.timer);
    this.families.delete(parentId);
    for (const id of family.members) this.parentOf.delete(id);
  }
}
