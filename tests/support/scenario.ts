import assert from "node:assert/strict";
import { openDatabase, type TestDatabase } from "./database.ts";
import { gateFile, type LedgerLine, readLedger } from "./functions/ledger.ts";
import type { Action, RawAnswer } from "./functions/script.ts";
import { control, hasControl, ownStack, testStack } from "./stack.ts";
import type { TestStack, TestStackOptions } from "./stack.ts";
import type { Fault } from "./fault_proxy.ts";
import { until } from "./until.ts";

// deno-lint-ignore no-explicit-any -- tests look into whatever column
type Row = Record<string, any>;

/** What `start_job` may be told beside the workflow and its input. */
export interface StartOptions {
  priority?: number;
  run_at?: string;
  max_retries?: number;
  user_id?: string;
  /** False: nobody is told of the job. */
  kick?: boolean;
}

/** One test's view of a stack: a user of its own, and what a test does and looks at. */
export class Scenario {
  constructor(
    readonly stack: TestStack,
    readonly db: TestDatabase,
    readonly userId: string,
  ) {}

  /** Registers a workflow under a new id. */
  async workflow(definition: Row): Promise<string> {
    const id = `test_${crypto.randomUUID().replaceAll("-", "")}`;
    await this.db`insert into workflows (id, definition)
      values (${id}, ${this.db.json(definition as never)})`;
    return id;
  }

  /** Registers a transformer under a new id, by default one of `execute-test`. */
  async transformer(columns: Row = {}): Promise<string> {
    const id = `test-${crypto.randomUUID()}`;
    const row = { id, type: "test", target_function: "execute-test", ...columns };
    await this.db`insert into transformers ${this.db(row)}`;
    return id;
  }

  /** Starts a job by SQL, as the user of this test; answers its id. */
  async start(
    workflowId: string,
    input: unknown = {},
    options: StartOptions = {},
  ): Promise<string> {
    const { priority = null, run_at = null, max_retries = null, kick = true } = options;
    const [row] = await this.db`select start_job(${workflowId}, ${this.db.json(input as never)},
      p_priority := ${priority}, p_run_at := ${run_at}, p_max_retries := ${max_retries},
      p_user_id := ${options.user_id ?? this.userId}, p_kick := ${kick}) ->> 'job_id' as id`;
    return row?.["id"];
  }

  /** Registers a workflow, runs one job of it to its end, and answers its row. */
  async run(definition: Row, input: unknown = {}, options: StartOptions = {}): Promise<Row> {
    return await this.ended(await this.start(await this.workflow(definition), input, options));
  }

  async job(id: string): Promise<Row> {
    const [row] = await this.db`select * from jobs where id = ${id}`;
    assert.ok(row, `there is no job ${id}`);
    return row;
  }

  /** Waits until a job has ended; answers its row. */
  async ended(id: string, limitMs?: number): Promise<Row> {
    return await this.when(id, (job) => job["completed_at"] !== null, limitMs);
  }

  /** Waits until a job has this status; answers its row. */
  async reaches(id: string, status: string): Promise<Row> {
    return await this.when(id, (job) => job["status"] === status);
  }

  /** Waits until a job's row is as wished, and answers it. */
  async when(id: string, isSo: (job: Row) => boolean, limitMs?: number): Promise<Row> {
    return await until(async () => {
      const job = await this.job(id);
      return { done: isSo(job), value: job };
    }, limitMs);
  }

  /** The attempts of a job that have ended, oldest first. */
  async steps(id: string): Promise<Row[]> {
    return await this.db`select * from job_steps where job_id = ${id}
      order by started_at, ended_at, ctid`;
  }

  async events(id: string): Promise<Row[]> {
    return await this.db`select type, step_id, data from job_events where job_id = ${id}
      order by id`;
  }

  /** What the tests' executors have noted of a job. */
  ledger(id: string, what?: LedgerLine["what"]): LedgerLine[] {
    return readLedger(this.stack.ledger ?? "", id)
      .filter((line) => what === undefined || line.what === what);
  }

  /** Waits until a job's tasks have been delivered so many times; answers the ledger's lines. */
  async delivered(id: string, times = 1): Promise<LedgerLine[]> {
    return await this.noted(id, "delivered", times);
  }

  /** Waits until executors have noted this so many times; answers the ledger's lines. */
  async noted(id: string, what: LedgerLine["what"], times = 1): Promise<LedgerLine[]> {
    return await until(() => {
      const lines = this.ledger(id, what);
      return { done: lines.length >= times, value: lines };
    });
  }

  /** Lets the tasks go on that wait at this gate, now and later. */
  openGate(name: string): void {
    Deno.writeTextFileSync(gateFile(this.stack.ledger ?? "", name), "");
  }

  async cancel(id: string, reason = "no longer wanted"): Promise<void> {
    await this.db`select cancel_job(${id}, ${reason})`;
  }

  /** Calls the orchestrator, as whoever has changed something for a job does. */
  async kick(reason = "test"): Promise<void> {
    const response = await fetch(`${this.stack.functionsUrl}/workflow-orchestrator`, {
      method: "POST",
      headers: { apikey: this.stack.secretKey, "content-type": "application/json" },
      body: JSON.stringify({ reason }),
    });
    await response.body?.cancel();
    assert.equal(response.status, 202);
  }

  /** Process id of a function that runs. */
  async pid(name: string): Promise<number> {
    return Number(await control(this.stack, "functionPid", name));
  }

  async kill(name: string): Promise<void> {
    await control(this.stack, "killFunction", name);
  }

  /** Lets a function finish what it does; what is asked of it from now on is for a new process. */
  async retire(name: string): Promise<void> {
    await control(this.stack, "retireFunction", name);
  }

  /** Makes something go wrong on the way from the functions to the stack. */
  async fault(fault: Fault): Promise<ActiveFault> {
    const id = String(await control(this.stack, "addFault", JSON.stringify(fault)));
    const remove = async () => void await control(this.stack, "removeFault", id);
    return {
      hit: async (times = 1) => {
        await until(async () => {
          const hits = Number(await control(this.stack, "faultHits", id));
          return { done: hits >= times, value: hits };
        });
      },
      remove,
      [Symbol.asyncDispose]: remove,
    };
  }
}

/** A fault that is in force: `await using fault = await scenario.fault(…)`. */
export interface ActiveFault extends AsyncDisposable {
  /** Waits until it has met so many requests. */
  hit(times?: number): Promise<void>;
  /** Takes it back: what it holds goes on. */
  remove(): Promise<void>;
}

/** Registers tests that each have a {@link Scenario} on the same stack. */
export type ScenarioTest = (name: string, run: (scenario: Scenario) => Promise<void>) => void;

/**
 * Prepares the stack for scenarios; call it at the top of a test file.
 * @param options for a stack of the file's own; without, the tests share theirs with others
 */
export async function scenarios(options?: TestStackOptions): Promise<ScenarioTest> {
  const stack = await (options === undefined ? testStack() : ownStack(options));
  const ignore = !hasControl(stack) || stack.ledger === undefined;
  if (!ignore) await prepare(stack);
  return testsOf(stack, ignore);
}

function testsOf(stack: TestStack, ignore: boolean): ScenarioTest {
  return (name, run) => {
    Deno.test({
      name,
      ignore,
      async fn() {
        await using db = openDatabase(stack);
        await run(new Scenario(stack, db, await insertUser(db)));
      },
    });
  };
}

/**
 * Prepares a stack of the file's own for tests that break things: leases run out after 3 s, the
 * database ticks each second, and faults can be had.
 */
export async function faultScenarios(env: Record<string, string> = {}): Promise<ScenarioTest> {
  const stack = await ownStack({ faults: true, env: { LEASE_SECONDS: "3", ...env } });
  await prepare(stack);
  await using db = openDatabase(stack);
  await db`select cron.schedule('millrace-tick', '1 seconds', 'select public.tick()')`;
  return testsOf(stack, false);
}

async function prepare(stack: TestStack): Promise<void> {
  await using db = openDatabase(stack);
  await db`insert into transformers (id, type, target_function) values
    ('test', 'test', 'execute-test'), ('rubbish', 'test', 'execute-rubbish'),
    ('echo-transformer', 'echo', 'execute-echo') on conflict do nothing`;
}

/** A user who cannot sign in, which is quicker than one who can. */
export async function insertUser(db: TestDatabase, id: string = crypto.randomUUID()) {
  await db`insert into auth.users (id, email) values (${id}, ${`${id}@example.com`})`;
  return id;
}

/** A step of `execute-test`, which does one of these actions per delivery. */
export function task(actions: Action | Action[] = {}, keys: Row = {}): Row {
  return { transformer_id: "test", config: { do: [actions].flat() }, ...keys };
}

/** A step of `execute-rubbish`, which gives one of these answers per call. */
export function rubbish(answers: RawAnswer | RawAnswer[], keys: Row = {}): Row {
  return { transformer_id: "rubbish", config: { answers: [answers].flat() }, ...keys };
}

/** A definition of one step. */
export function oneStep(step: Row, keys: Row = {}): Row {
  return { start_step: "only", steps: { only: step }, ...keys };
}
