import { DemoError } from "./error.ts";
import { cut } from "./format.ts";

/** How to reach the stack. */
export interface Address {
  apiUrl: string;
  publishableKey: string;
}

/** Who calls. */
export interface User {
  email: string;
  /** Their access token; none before they have signed up. */
  token: string | undefined;
}

/** An error as jobs and steps have it. */
export interface JobError {
  code: string;
  message: string;
}

/** What `GET /jobs/{id}` says of a job, as far as the demo looks at it. */
export interface Job {
  job_id: string;
  workflow_id: string;
  status: string;
  current_step_id: string | null;
  step_data: Record<string, StepEntry>;
  final_result: unknown;
  created_at: string;
  completed_at: string | null;
  last_updated_at: string;
  error: JobError | null;
  error_message: string | null;
}

/** What the job document says of a step that has ended. */
export interface StepEntry {
  status: "completed" | "failed" | "skipped";
  output: unknown;
  error: JobError | null;
}

/** A row of `job_steps`: one attempt that has ended. */
export interface Attempt {
  step_id: string;
  visit: number;
  attempt: number;
  status: string;
  transformer_id: string | null;
  started_at: string;
  ended_at: string;
  error: JobError | null;
}

/** A row of `workflows`, as far as the demo looks at it. */
export interface Workflow {
  id: string;
  description: string;
  definition: { start_step: string; steps: Record<string, StepDefinition> };
}

/** A step of a definition, as far as the demo looks at it. */
export interface StepDefinition {
  title?: string;
  type?: string;
  transformer_id?: string;
  next_step?: string | null;
}

/** Time limit of one request. Long, as the first of a function starts its process. */
const REQUEST_LIMIT_MS = 60_000;

/** Signs a user up by the Auth API, and returns the API as that user sees it. */
export async function signUp(address: Address, signal: AbortSignal): Promise<Client> {
  const email = `visitor-${crypto.randomUUID().slice(0, 8)}@example.com`;
  const visitor = new Client(address, { email, token: undefined }, signal);
  return new Client(address, { email, token: await visitor.signUp() }, signal);
}

/** The API as one user sees it. Every method throws a DemoError when the answer is not a good one. */
export class Client {
  /** @param signal gives up what is under way */
  constructor(readonly address: Address, readonly user: User, readonly signal: AbortSignal) {}

  /** Signs the user up, and returns the access token. */
  async signUp(): Promise<string> {
    const body = { email: this.user.email, password: crypto.randomUUID() };
    const answer = await this.#send("POST", "/auth/v1/signup", body) as { access_token?: string };
    if (answer.access_token === undefined) throw new DemoError("Auth has given the user no token");
    return answer.access_token;
  }

  /** Starts a job. */
  async start(workflowId: string, input: Record<string, unknown>): Promise<{ job_id: string }> {
    const body = { workflow_id: workflowId, input_data: input };
    return await this.#send("POST", "/functions/v1/workflows/start", body) as { job_id: string };
  }

  /** Emits an event for the jobs of this user. */
  async emit(event: { name: string; key: string; payload: unknown }): Promise<void> {
    await this.#send("POST", "/functions/v1/events", event);
  }

  /** Asks how a job stands. */
  async job(jobId: string): Promise<Job> {
    return await this.#send("GET", `/functions/v1/jobs/${jobId}`) as Job;
  }

  /** The attempts of a job that have ended, oldest first; by the Data API. */
  async attempts(jobId: string): Promise<Attempt[]> {
    const columns = "step_id,visit,attempt,status,transformer_id,started_at,ended_at,error";
    const query = `job_id=eq.${jobId}&select=${columns}&order=started_at,visit,attempt`;
    return await this.#send("GET", `/rest/v1/job_steps?${query}`) as Attempt[];
  }

  /** A workflow by its id; by the Data API. */
  async workflow(id: string): Promise<Workflow> {
    const query = `id=eq.${id}&select=id,description,definition`;
    const [row] = await this.#send("GET", `/rest/v1/workflows?${query}`) as Workflow[];
    if (row === undefined) throw new DemoError(`The project has no workflow '${id}'`);
    return row;
  }

  async #send(method: string, path: string, body?: unknown): Promise<unknown> {
    const { apiUrl, publishableKey } = this.address;
    const { token } = this.user;
    const response = await fetch(apiUrl + path, {
      method,
      headers: {
        apikey: publishableKey,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.any([this.signal, AbortSignal.timeout(REQUEST_LIMIT_MS)]),
    });
    const text = await response.text();
    if (response.ok) return JSON.parse(text);
    const [pathname] = path.split("?");
    throw new DemoError(`${method} ${pathname} answered ${response.status}: ${cut(text, 500)}`);
  }
}
