import { join } from "node:path";
import { StackError } from "./error.ts";
import { digest } from "./files.ts";
import { isOpenToAll } from "./postgres/account.ts";

/**
 * The folder of a project's local stack: `.millrace` in the project. Only where Postgres runs as
 * an account that cannot reach the project (root's home is closed to it) it is one of /var/tmp.
 *
 * @throws StackError when that folder belongs to another user
 */
export async function findHome(project: string): Promise<string> {
  const usual = join(project, ".millrace");
  if (Deno.uid() !== 0 || await isOpenToAll(project)) {
    await Deno.mkdir(usual, { recursive: true });
    return usual;
  }
  const home = `/var/tmp/millrace-${await digest(project)}`;
  await Deno.mkdir(home, { recursive: true });
  if ((await Deno.lstat(home)).uid !== 0) {
    throw new StackError(`Cannot use ${home} as it belongs to another user: remove it`);
  }
  await Deno.chmod(home, 0o755);
  return home;
}
