import type {
  ChildEnd,
  JobWrite,
} from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import type { Job } from "../../../../../supabase/functions/_shared/engine/job.ts";
import { isEnded } from "./rows.ts";

/** A parent that is held while all its children run beside it. */
export interface Family {
  readonly parentId: string;
  readonly total: number;
  readonly tolerated: number;
  readonly members: Set<string>;
  readonly ends: Map<string, ChildEnd>;
}

/** Parents that go on with what the ends of their children are, before the database has them. */
export class Families {
  private readonly families = new Map<string, Family>();

  static fits({ spawn }: JobWrite): boolean {
    return spawn !== undefined && !spawn.detached &&
      (spawn.max_running === 0 || spawn.children.length <= spawn.max_running);
  }

  /** The write by which a parent keeps its lease and is handed its children. */
  adopt(write: JobWrite): JobWrite {
    const { spawn, job } = write;
    if (spawn === undefined) return write;
    const { waiting } = job.state;
    this.families.set(job.job_id, {
      parentId: job.job_id,
      total: spawn.children.length,
      tolerated: waiting?.kind === "children" ? waiting.tolerated : 0,
      members: new Set(),
      ends: new Map(),
    });
    return {
      ...write,
      job: { ...job, status: "running", next_run_at: null, awaits_children: false },
      spawn: { ...spawn, lease: true },
    };
  }

  join({ job_id, parent_job_id }: Pick<Job, "job_id" | "parent_job_id">): void {
    const family = this.families.get(parent_job_id ?? "");
    if (family !== undefined && family.members.size < family.total) family.members.add(job_id);
  }

  familyOf(childId: string): Family | undefined {
    return [...this.families.values()].find(({ members }) => members.has(childId));
  }

  hasEnded(childId: string): boolean {
    return this.familyOf(childId)?.ends.has(childId) ?? false;
  }

  dissolve(parentId: string): void {
    this.families.delete(parentId);
  }

  /** What a child's decision means for its parent; null where it need not know. */
  notice(child: Job, { job }: JobWrite): { family: Family; isComplete: boolean } | null {
    const family = this.familyOf(child.job_id);
    if (family === undefined || job.status === "running") return null;
    if (!isEnded(job.status)) return { family, isComplete: false };
    family.ends.set(child.job_id, {
      job_id: child.job_id,
      index: child.item_index ?? 0,
      status: job.status as ChildEnd["status"],
      result: job.final_result,
      error: job.error,
    });
    if (family.ends.size === family.total) return { family, isComplete: true };
    const failed = [...family.ends.values()].filter(({ status }) => status !== "completed").length;
    return failed > family.tolerated ? { family, isComplete: false } : null;
  }
}
