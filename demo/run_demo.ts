import { readEnvFiles } from "../local/functions/environment.ts";
import { PROJECT, type Stack, startStack } from "../local/stack.ts";
import { type Client, signUp } from "./client.ts";
import { duration, size } from "./format.ts";
import { type InputFile, MAX_FILE_BYTES } from "./input_file.ts";
import { planRuns, siteFiles } from "./plan_runs.ts";
import { type Outcome, runWorkflow } from "./run_workflow.ts";
import { type Delivery, Site } from "./site.ts";
import { showNext, showSummary } from "./summary.ts";
import { showTask } from "./task.ts";
import type { Terminal } from "./terminal.ts";

/** What the demo runs with. */
export interface DemoOptions {
  terminal: Terminal;
  file: InputFile | undefined;
  /** Show what functions log. */
  verbose: boolean;
  /** Aborted: everything is stopped, and the demo rejects with the signal's reason. */
  signal: AbortSignal;
}

/**
 * Boots a local stack on throw-away data, runs the example workflows on it over HTTP as a user who
 * has signed up, and stops it. Resolves to whether all jobs have completed.
 *
 * @throws StackError or DemoError in words for the person at the terminal; nothing is left running
 */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const began = performance.now();
  const { terminal, signal } = options;
  const env = await readEnvFiles(PROJECT);
  const hasGeminiKey = Boolean(Deno.env.get("GEMINI_API_KEY") ?? env["GEMINI_API_KEY"]);
  const outcomes: Outcome[] = [];
  {
    await using site = new Site({ files: await siteFiles(options.file) });
    await using resources = new AsyncDisposableStack();
    const stack = await boot(options, env).catch((error) => {
      // Ctrl-C reaches what the stack has started, too: initdb fails, and that is no news.
      throw signal.aborted ? signal.reason : error;
    });
    resources.defer(() => stop(terminal, stack));
    signal.throwIfAborted();

    const client = await introduce(terminal, stack, signal);
    const hasFile = options.file !== undefined;
    for (const run of await planRuns(site.url, { hasFile, hasGeminiKey })) {
      outcomes.push(await runWorkflow(terminal, client, run));
      for (const delivery of site.deliveries.splice(0)) showDelivery(terminal, delivery);
    }
    showSummary(terminal, outcomes, hasGeminiKey);
    terminal.line();
  }
  const completed = outcomes.every(({ job }) => job.status === "completed");
  const total = `in ${duration(performance.now() - began)}; nothing is left running`;
  if (completed) terminal.line(["All jobs completed", "good"], `  ${total}`);
  else terminal.line(["Not all jobs completed", "bad"], `  ${total}`);
  if (completed) showNext(terminal);
  return completed;
}

async function boot({ terminal, verbose }: DemoOptions, env: Record<string, string>) {
  return await showTask(
    terminal,
    {
      doing: "Starting PostgreSQL, Data API, Auth and functions",
      whenLong: "the first run unpacks PostgreSQL",
      done: (stack) => `PostgreSQL 17, Data API, Auth and functions run on ${stack.apiUrl}`,
    },
    startStack({
      fresh: true,
      env: {
        ...env,
        // The records lie on this machine.
        HTTP_ALLOW_PRIVATE_NETWORK: "true",
        MAX_PAYLOAD_BYTES: String(MAX_FILE_BYTES + 1024 * 1024),
      },
      ...(verbose
        ? { onLog: (source, line) => terminal.line([`    ${source} | ${line}`, "dim"]) }
        : {}),
    }),
  );
}

async function stop(terminal: Terminal, stack: Stack): Promise<void> {
  await showTask(terminal, {
    doing: "Stopping everything and removing its data",
    done: () => "Stopped everything and removed its data",
  }, stack.stop());
}

async function introduce(
  terminal: Terminal,
  { apiUrl, publishableKey }: Stack,
  signal: AbortSignal,
): Promise<Client> {
  return await showTask(terminal, {
    doing: "Signing up",
    done: ({ user }) => `Signed up ${user.email} through Auth`,
  }, signUp({ apiUrl, publishableKey }, signal));
}

function showDelivery(terminal: Terminal, { path, bytes, idempotencyKey }: Delivery): void {
  terminal.line("  ", ["↳", "good"], ` the receiver got POST ${path}, ${size(bytes)}`);
  terminal.line([`    idempotency-key ${idempotencyKey ?? "none"}`, "dim"]);
}
