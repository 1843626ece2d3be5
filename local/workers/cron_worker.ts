import { Cron } from "croner";
import postgres, { type Sql } from "postgres";

interface CronJob {
  jobid: string;
  schedule: string;
  command: string;
  username: string;
  database: string;
}

const ALIASES: Record<string, string> = { "@midnight": "@daily", "@annually": "@yearly" };
const CONNECTIONS_PER_USER = 5;

/**
 * Plays pg_cron's background worker: runs the jobs of `cron.job` when they are due, each at most
 * once at a time, as the user that scheduled them, and writes down how it went. Times are UTC.
 */
export class CronWorker {
  readonly #timers = new Map<string, { definition: string; stop: () => void }>();
  readonly #connections = new Map<string, Sql>();
  readonly #running = new Map<string, Promise<void>>();
  #reading: Promise<void> = Promise.resolve();
  #stopped = false;

  /**
   * `db` must be connected as superuser to the database in question; `urlFor` gives the connection
   * string for a user of it.
   */
  constructor(
    readonly db: Sql,
    readonly urlFor: (user: string) => string,
    readonly onLog: (line: string) => void,
  ) {}

  /** Channel that is notified when a job was scheduled, changed or removed. */
  readonly channel = "millrace_cron";

  /** Starts no more runs and cuts those under way short. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { stop } of this.#timers.values()) stop();
    await this.#reading;
    await Promise.all([...this.#connections.values()].map((sql) => sql.end({ timeout: 0 })));
    await Promise.all(this.#running.values());
  }

  /** Reads the jobs anew. To be called on each notice, and once when notices may have been lost. */
  wake(): void {
    this.#reading = this.#reading.then(() => this.#readJobs()).catch((error) => {
      if (!this.#stopped) this.onLog(`pg_cron: ${error}`);
    });
  }

  async #readJobs(): Promise<void> {
    if (this.#stopped) return;
    const [table] = await this.db`select to_regclass('cron.job') as found`;
    const jobs = table?.found === null ? [] : await this.db<CronJob[]>`
      select jobid, schedule, command, username, database from cron.job
      where active and database = current_database()`;
    const current = new Map(jobs.map((job) => [job.jobid, job]));
    for (const [id, { definition, stop }] of this.#timers) {
      const job = current.get(id);
      if (job !== undefined && JSON.stringify(job) === definition) continue;
      stop();
      this.#timers.delete(id);
    }
    for (const [id, job] of current) {
      if (this.#stopped || this.#timers.has(id)) continue;
      const stop = schedule(job.schedule, () => this.#run(job));
      this.#timers.set(id, { definition: JSON.stringify(job), stop });
    }
  }

  #run(job: CronJob): void {
    if (this.#running.has(job.jobid)) return;
    const run = this.#runOnce(job)
      .catch((error) => {
        if (!this.#stopped) this.onLog(`pg_cron: job ${job.jobid}: ${error}`);
      })
      .finally(() => this.#running.delete(job.jobid));
    this.#running.set(job.jobid, run);
  }

  async #runOnce({ jobid, command, username, database }: CronJob): Promise<void> {
    const started = new Date();
    let status = "succeeded";
    let message: string;
    try {
      const result = await this.#connection(username).unsafe(command).simple();
      // Of several statements the last one counts, as in pg_cron.
      const last = Array.isArray(result[0]) ? result.at(-1) as typeof result : result;
      message = last.command === "SELECT" || last.command === "INSERT"
        ? `${last.count} row${last.count === 1 ? "" : "s"}`
        : String(last.command);
    } catch (error) {
      status = "failed";
      message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      if (!this.#stopped) this.onLog(`pg_cron: job ${jobid} failed: ${message}`);
    }
    if (this.#stopped) return;
    await this.db`insert into cron.job_run_details
        (jobid, database, username, command, status, return_message, start_time, end_time)
      values (${jobid}, ${database}, ${username}, ${command}, ${status}, ${message}, ${started}, ${new Date()})`;
  }

  #connection(username: string): Sql {
    let sql = this.#connections.get(username);
    if (sql === undefined) {
      sql = postgres(this.urlFor(username), {
        max: CONNECTIONS_PER_USER,
        fetch_types: false,
        onnotice: () => {},
        connection: { application_name: "pg_cron" },
      });
      this.#connections.set(username, sql);
    }
    return sql;
  }
}

/** Calls `run` as pg_cron's schedule says; returns what ends it. */
function schedule(pattern: string, run: () => void): () => void {
  const seconds = /^\s*(\d+)\s+seconds?\s*$/i.exec(pattern)?.[1];
  if (seconds !== undefined) {
    const timer = setInterval(run, Number(seconds) * 1000);
    return () => clearInterval(timer);
  }
  const trimmed = pattern.trim().toLowerCase();
  // pg_cron's `$` is the last day of the month.
  const job = new Cron(ALIASES[trimmed] ?? trimmed.replaceAll("$", "L"), { timezone: "UTC" }, run);
  return () => job.stop();
}
