import type { TestDatabase } from "./database.ts";
import { as, insertJob } from "./engine.ts";
import type { PrivateDatabase } from "./private_database.ts";
import { ALICE, setSecrets, stopClock } from "./seed_database.ts";

/** When the clock of a test of `explain_job()` stands still. */
export const NOW: number = Date.parse("2030-01-08T12:00:00Z");

/** So many seconds from now, negative for before. */
export const at = (seconds: number): string => new Date(NOW + seconds * 1000).toISOString();

/** What `explain_job()` answers. */
export interface Explained {
  job_id: string;
  status: string;
  reason: string;
  explanation: string;
  action: string;
  // deno-lint-ignore no-explicit-any -- tests look into whatever detail
  details: Record<string, any>;
}

/** `explain_job()`, as the user. */
export async function explain(db: TestDatabase, id: string, user = ALICE): Promise<Explained> {
  const [row] = await as(
    db,
    "authenticated",
    user,
    (db) => db`select public.explain_job(${id}) as reply`,
  );
  return row?.reply;
}

/** Registers tests in which the clock stands still, Vault is set and tick and orchestrator live. */
export function explainTests(file: PrivateDatabase): PrivateDatabase["test"] {
  return (name, run) =>
    file.test(`explain_job() ${name}`, async (db) => {
      await stopClock(db, at(0));
      await setSecrets(db);
      await db`delete from millrace.slots`;
      await db`update millrace.pulse set last_tick_at = ${at(-3)}`;
      await db`insert into public.orchestrators
        values (gen_random_uuid(), ${at(-60)}, ${at(-1)}, 0, 10, 0)`;
      await run(db);
    });
}

/** A child of a job's step `each`. */
export function insertChild(
  db: TestDatabase,
  parent: string,
  columns: Record<string, unknown> = {},
): Promise<string> {
  return insertJob(db, {
    parent_job_id: parent,
    parent_step_id: "each",
    parent_visit: 1,
    root_job_id: parent,
    depth: 1,
    workflow_version: 1,
    branch: "each",
    status: "waiting",
    ...columns,
  });
}
