import { join } from "node:path";
import { readTextIfExists, removeIfExists } from "./files.ts";
import { StackError } from "./error.ts";

/** How to reach a running stack. */
export interface StackState {
  api_url: string;
  functions_url: string;
  db_url: string;
  publishable_key: string;
  secret_key: string;
  jwt_secret: string;
  /** Process id of the stack. */
  pid: number;
}

/** Holds a data folder for this process alone; the system lets go of it however the process ends. */
export class DataLock {
  private constructor(readonly folder: string, readonly file: Deno.FsFile) {}

  /** @throws StackError when another stack runs on this folder, naming its process and address */
  static async take(folder: string): Promise<DataLock> {
    const file = await Deno.open(join(folder, "lock"), { create: true, write: true, mode: 0o600 });
    if (await file.tryLock(true)) return new DataLock(folder, file);
    file.close();
    const state = await readState(folder);
    throw new StackError(
      `A stack runs on ${folder} already` +
        (state ? ` (process ${state.pid}, ${state.api_url})` : "") +
        ": stop it first, or start this one with --fresh",
    );
  }

  /** Tells others how to reach the stack that holds the folder. */
  async publish(state: StackState): Promise<void> {
    await Deno.writeTextFile(statePath(this.folder), JSON.stringify(state, null, 2), {
      mode: 0o600,
    });
  }

  /** Lets go of the folder. */
  async release(): Promise<void> {
    await removeIfExists(statePath(this.folder));
    this.file.close();
  }
}

/** How to reach the stack that runs on a data folder; `undefined` when none does. */
export async function findRunningStack(folder: string): Promise<StackState | undefined> {
  let file;
  try {
    file = await Deno.open(join(folder, "lock"), { write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  try {
    return await file.tryLock(true) ? undefined : await readState(folder);
  } finally {
    file.close();
  }
}

async function readState(folder: string): Promise<StackState | undefined> {
  const text = await readTextIfExists(statePath(folder));
  return text === undefined ? undefined : JSON.parse(text);
}

function statePath(folder: string): string {
  return join(folder, "state.json");
}
