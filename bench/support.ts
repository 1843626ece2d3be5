import postgres from "postgres";
import { startStack } from "../local/stack.ts";
import type { Stack } from "../local/stack.ts";

/** A stack to measure, with a user of its own and a connection past the Data API. */
export interface Bench {
  stack: Stack;
  sql: postgres.Sql;
  userId: string;
  /** Headers of a signed-in user's request. */
  headers: Record<string, string>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Boots a stack on throw-away data with the workflow `bench_echo`: three steps, each an echo. */
export async function startBench(options: { cron?: boolean } = {}): Promise<Bench> {
  const stack = await startStack({
    fresh: true,
    cron: options.cron ?? true,
    env: { RATE_LIMIT_PER_MINUTE: "0", LOG_LEVEL: "warn", ORCHESTRATOR_MAX_STEPS: "1000000" },
  });
  const sql = postgres(stack.superuserUrl, { max: 2, onnotice: () => {} });
  await sql`
    insert into public.workflows (id, definition) values ('bench_echo', ${sql.json(threeEchoes)})`;
  const { userId, token } = await signUp(stack);
  return {
    stack,
    sql,
    userId,
    headers: {
      apikey: stack.publishableKey,
      Authorization: `Bearer ${token}`,
      "Content-Type": "application/json",
    },
    async [Symbol.asyncDispose]() {
      await sql.end();
      await stack.stop();
    },
  };
}

/** The database's version, and the settings on which its speed at commits depends. */
export async function describeDatabase({ sql }: Bench): Promise<string> {
  const [row] = await sql`select current_setting('server_version') as version,
    current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous`;
  return `${row?.version}, embedded, fsync ${row?.fsync}, synchronous_commit ${row?.synchronous}`;
}

const echo = (input: string, next: string | null) => ({
  transformer_id: "echo-transformer",
  input_map: { data: input },
  next_step: next,
});

const threeEchoes = {
  start_step: "one",
  steps: {
    one: echo("$.job_input.payload", "two"),
    two: echo("$.one.output.echoed_data", "three"),
    three: echo("$.two.output.echoed_data", null),
  },
  output_map: { result: "$.three.output.echoed_data" },
};

async function signUp(stack: Stack): Promise<{ userId: string; token: string }> {
  const response = await fetch(`${stack.apiUrl}/auth/v1/signup`, {
    method: "POST",
    headers: { apikey: stack.publishableKey, "Content-Type": "application/json" },
    body: JSON.stringify({ email: `${crypto.randomUUID()}@example.com`, password: "bench-only-1" }),
  });
  const { user, access_token } = await response.json();
  return { userId: user.id, token: access_token };
}

/** Queues jobs of `bench_echo` by one statement; nobody is told of them. */
export async function queueJobs({ sql, userId }: Bench, count: number): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`select set_config('millrace.kick', 'caller', true)`;
    await tx`
      insert into public.jobs (user_id, workflow_id, input_data)
      select ${userId}, 'bench_echo', jsonb_build_object('payload', n)
      from generate_series(1, ${count}::integer) as n`;
  });
}

/** Summary of an orchestrator's run. */
export interface RunReport {
  claimed: number;
  steps: number;
  turns: number;
  calls: number;
  duration_ms: number;
}

/** Kicks the orchestrator and waits until its run has ended. */
export async function runOrchestrator({ stack }: Bench): Promise<RunReport> {
  const response = await fetch(`${stack.functionsUrl}/workflow-orchestrator?wait=true`, {
    method: "POST",
    headers: { apikey: stack.secretKey },
  });
  if (response.status !== 200) throw new Error(`The orchestrator answered ${response.status}`);
  return await response.json();
}

/** Calls something until it gives an answer. @throws when none has come within the time limit */
export async function poll<T>(
  look: () => Promise<T | undefined>,
  limitMs = 60_000,
  everyMs = 1,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`Nothing came within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** The value below which a share of all values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** One measured figure, with the bound that the project sets itself, if any. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** The value is to be at most this. */
  atMost?: number;
  note?: string;
}

export function round(value: number): number {
  return Number(value.toPrecision(3));
}
