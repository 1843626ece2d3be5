import type { TestDatabase } from "./database.ts";
import type { PrivateDatabase } from "./private_database.ts";

const AUTO_EXPLAIN = `
  load 'auto_explain';
  set auto_explain.log_min_duration = 0;
  set auto_explain.log_nested_statements = on;
  set auto_explain.log_level = notice;
  set auto_explain.log_analyze = on;
  set auto_explain.log_timing = off`;

/** The plans (with row counts) of all statements that run in there, those inside functions too. */
export async function plansOf(
  file: PrivateDatabase,
  run: (db: TestDatabase) => Promise<unknown>,
): Promise<string[]> {
  const plans: string[] = [];
  const onNotice = (message: string) => {
    if (message.includes("plan:")) plans.push(message);
  };
  await using db = file.connect({ superuser: true, onNotice });
  await db.unsafe(AUTO_EXPLAIN).simple();
  await run(db);
  return plans;
}

/** Those of them that read or write this table whole. */
export function seqScansOf(plans: readonly string[], table: string): string[] {
  return plans.filter((plan) => plan.includes(`Seq Scan on ${table} `));
}
