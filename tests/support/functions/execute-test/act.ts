import { existsSync } from "node:fs";
import type { Task } from "../../../../supabase/functions/_shared/contracts/executor.ts";
import { ExecutorError } from "../../../../supabase/functions/_shared/executor/error.ts";
import {
  ACCEPTED,
  type TaskContext,
} from "../../../../supabase/functions/_shared/executor/handler.ts";
import { gateFile, ledgerFolder, note } from "../ledger.ts";
import { type Action, entryFor } from "../script.ts";

/** Does what the task's `config.do` says: a list of actions, one per delivery of its step. */
export async function act(task: Task, { signal }: TaskContext): Promise<unknown> {
  note("delivered", task);
  signal.addEventListener("abort", () => note("aborted", task), { once: true });
  const output = await perform(task, entryFor(script(task), task), signal);
  note("finished", task);
  return output;
}

function script({ config }: Task): readonly Action[] {
  return Array.isArray(config["do"]) ? config["do"] : [{}];
}

async function perform(task: Task, action: Action, signal: AbortSignal): Promise<unknown> {
  if (action.gate !== undefined) await passGate(action.gate, signal);
  if (action.deaf_gate !== undefined) await passGate(action.deaf_gate, null);
  if (action.sleep_ms !== undefined) await sleep(action.sleep_ms);
  if (action.exit) Deno.exit(1);
  if (action.fail !== undefined) {
    const { code, message, ...more } = action.fail;
    throw new ExecutorError(code as `${string}.${string}`, message, more);
  }
  if (action.throw !== undefined) throw new Error(action.throw);
  if (action.complete !== undefined) await complete(task.token ?? "", action.complete);
  if (action.accept) return ACCEPTED;
  if (action.size !== undefined) return "x".repeat(action.size);
  return Object.hasOwn(action, "output") ? action.output : task.input;
}

async function passGate(name: string, signal: AbortSignal | null): Promise<void> {
  while (!existsSync(gateFile(ledgerFolder(), name))) {
    signal?.throwIfAborted();
    await sleep(10);
  }
}

async function complete(token: string, output: unknown): Promise<void> {
  const key = Deno.env.get("SUPABASE_SERVICE_ROLE_KEY") ?? "";
  const response = await fetch(`${Deno.env.get("SUPABASE_URL")}/rest/v1/rpc/complete_step`, {
    method: "POST",
    headers: { apikey: key, "content-type": "application/json" },
    body: JSON.stringify({ p_token: token, p_output: output }),
  });
  if (!response.ok) throw new Error(`complete_step answered ${await response.text()}`);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
