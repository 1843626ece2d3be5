import { dirname } from "node:path";
import { exists, readTextIfExists } from "../files.ts";
import { StackError } from "../error.ts";

/** The operating system's account that Postgres runs as. */
export interface Account {
  uid: number;
  gid: number;
}

/**
 * Finds an account for Postgres, which refuses to run as root. Returns `undefined` when this
 * process is not root: Postgres then runs as the same user. Data that exist keep their owner.
 *
 * @throws StackError when no account can be used
 */
export async function findAccount(
  dataFolder: string,
  postgres: string,
): Promise<Account | undefined> {
  if (Deno.uid() !== 0) return undefined;
  for (const account of await listCandidates(dataFolder)) {
    // The probe also fails where a container does not map the account.
    try {
      const probe = new Deno.Command(postgres, { args: ["--version"], cwd: "/", ...account });
      if ((await probe.output()).success) return account;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
  throw new StackError(
    "Cannot run PostgreSQL as root, and neither account 'nobody' nor 'daemon' can be used: " +
      "run this as a normal user",
  );
}

async function listCandidates(dataFolder: string): Promise<Account[]> {
  const accounts: Account[] = [];
  if (await exists(dataFolder)) {
    const { uid, gid } = await Deno.stat(dataFolder);
    if (uid && gid) accounts.push({ uid, gid });
  }
  const lines = (await readTextIfExists("/etc/passwd") ?? "").split("\n");
  for (const name of ["nobody", "daemon"]) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(":") ?? [];
    // macOS gives `nobody` the id -2, which cannot be passed on.
    if (Number(uid) > 0 && Number(gid) > 0) accounts.push({ uid: Number(uid), gid: Number(gid) });
  }
  return accounts;
}

/**
 * Lets an unprivileged Postgres walk into a data folder; what is in there stays closed.
 *
 * @throws StackError when a folder above it is closed
 */
export async function openTo(dataFolder: string): Promise<void> {
  const mode = (await Deno.stat(dataFolder)).mode ?? 0;
  if (mode % 2 === 0) await Deno.chmod(dataFolder, (mode & 0o777) | 0o011);
  if (await isOpenToAll(dataFolder)) return;
  throw new StackError(
    `Cannot keep data in ${dataFolder} as PostgreSQL, which does not run as root, cannot get there`,
  );
}

/** Whether every account may walk to `folder`, which is what an unprivileged Postgres needs. */
export async function isOpenToAll(folder: string): Promise<boolean> {
  for (let path = await Deno.realPath(folder);; path = dirname(path)) {
    if (((await Deno.stat(path)).mode ?? 0) % 2 === 0) return false;
    if (path === dirname(path)) return true;
  }
}
