import type { TestDatabase } from "./database.ts";
import { as } from "./engine.ts";
import type { PrivateDatabase } from "./private_database.ts";
import { setSecrets, stopClock } from "./seed_database.ts";

/** When the clock of a test of alerts stands still. */
export const NOW: number = Date.parse("2030-01-08T12:00:00Z");

/** So many seconds before now. */
export const ago = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString();

/** A row of the view `alerts`. */
export interface Alert {
  severity: string;
  kind: string;
  subject: string;
  message: string;
  value: number | null;
  threshold: number | null;
  since: Date | null;
}

/** The alerts, as the service role reads them. */
export function alerts(db: TestDatabase): Promise<Alert[]> {
  return as(db, "service_role", null, async (db) => {
    const rows = await db<Alert[]>`select * from public.alerts order by kind, subject`;
    return rows.map((row) => ({ ...row }));
  });
}

/** Registers a test that starts where nothing is wrong: Vault is set, the tick was a moment ago. */
export function alertTest(
  file: PrivateDatabase,
  name: string,
  run: (db: TestDatabase) => Promise<void>,
) {
  file.test(`alerts: ${name}`, async (db) => {
    await stopClock(db, ago(0));
    await setSecrets(db);
    await db`update millrace.pulse set last_tick_at = ${ago(3)}`;
    await run(db);
  });
}
