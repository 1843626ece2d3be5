import { fileURLToPath } from "node:url";

/** A running local stack as tests see it; the fields are those of `dev --json`, and more. */
export interface TestStack {
  apiUrl: string;
  functionsUrl: string;
  dbUrl: string;
  publishableKey: string;
  secretKey: string;
  /** Connects as superuser; only where the tests' own stack runs. */
  superuserUrl: string | undefined;
  /** Signs users' tokens; only where the tests' own stack runs. */
  jwtSecret: string | undefined;
  /** Only where the tests' own stack runs. */
  controlUrl: string | undefined;
  /** Folder of the ledger that executors made for tests keep; only where the tests' own stack runs. */
  ledger: string | undefined;
}

/** How a stack is to differ from the one that all tests share. */
export interface TestStackOptions {
  /** Environment variables of the functions. */
  env?: Record<string, string>;
  /** Run the jobs of `cron.job`. Default: true. */
  cron?: boolean;
  /** The engine's clock can be moved: see `clockOf`. */
  virtualClock?: boolean;
  /** Functions reach the stack by way of a proxy on which faults can be had: see `addFault`. */
  faults?: boolean;
}

let running: Promise<TestStack> | undefined;

/**
 * The stack of this test process: the one that `MILLRACE_TEST_STACK` tells of (JSON as `dev --json`
 * prints it), or else one that is booted now and stops with the process. Call it at the top of a
 * test file, outside of the tests.
 */
export function testStack(): Promise<TestStack> {
  return running ??= attachOrBoot();
}

/** Boots a stack of the test file's own; else as {@link testStack}. */
export async function ownStack(options: TestStackOptions): Promise<TestStack> {
  return parse(await boot(options));
}

/** Whether the stack can be told to do this: one that was attached to may not be ours to break. */
export function hasControl(stack: TestStack): boolean {
  return stack.controlUrl !== undefined;
}

/** Has the stack's own process do something: `restartPostgres`, `killFunction`, … */
export async function control(
  stack: TestStack,
  method:
    | "restartPostgres"
    | "killFunction"
    | "retireFunction"
    | "functionPid"
    | "createDatabase"
    | "addFault"
    | "faultHits"
    | "removeFault",
  argument?: string,
): Promise<unknown> {
  if (stack.controlUrl === undefined) throw new Error("The stack that runs cannot be controlled");
  const body = JSON.stringify({ method, argument });
  const response = await fetch(stack.controlUrl, { method: "POST", body });
  const { result, error } = await response.json();
  if (error !== undefined) throw new Error(error);
  return result;
}

async function attachOrBoot(): Promise<TestStack> {
  const given = Deno.env.get("MILLRACE_TEST_STACK");
  return parse(given ?? await boot());
}

/** In a process of its own: what it does is not mistaken for what a test leaves behind. */
async function boot(options: TestStackOptions = {}): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", fileURLToPath(new URL("./stack_server.ts", import.meta.url))],
    env: { MILLRACE_TEST_OPTIONS: JSON.stringify(options) },
    stdin: "piped", // its end is what stops the stack, however this process ends
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const line = await readLine(child.stdout);
  if (line === undefined) throw new Error("The stack did not start: see above");
  globalThis.addEventListener("unload", () => void child.stdin.close());
  return line;
}

async function readLine(stream: ReadableStream<Uint8Array>): Promise<string | undefined> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end);
  }
  return undefined;
}

function parse(line: string): TestStack {
  const state: Record<string, string | undefined> = JSON.parse(line);
  const need = (name: string): string => {
    const value = state[name];
    if (value === undefined) throw new Error(`The stack's description has no '${name}'`);
    return value;
  };
  return {
    apiUrl: need("api_url"),
    functionsUrl: need("functions_url"),
    dbUrl: need("db_url"),
    publishableKey: need("publishable_key"),
    secretKey: need("secret_key"),
    superuserUrl: state["superuser_url"],
    jwtSecret: state["jwt_secret"],
    controlUrl: state["control_url"],
    ledger: state["ledger"],
  };
}
