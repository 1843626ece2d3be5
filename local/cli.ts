// Entry point of the tasks `dev`, `status`, `db` and `reset`.
import { dev } from "./commands/dev.ts";
import { db } from "./commands/db.ts";
import { reset } from "./commands/reset.ts";
import { status } from "./commands/status.ts";
import { UsageError } from "./commands/arguments.ts";
import { StackError } from "./error.ts";
import { say } from "./commands/say.ts";

const COMMANDS: Record<string, (args: string[]) => Promise<number>> = { dev, status, db, reset };

async function main([name = "", ...args]: string[]): Promise<number> {
  const command = COMMANDS[name];
  if (command === undefined) {
    say(`Usage: deno task ${Object.keys(COMMANDS).join(" | ")}`);
    return 2;
  }
  if (!("tryLock" in Deno.FsFile.prototype)) {
    say(
      `The local stack needs a newer Deno than ${Deno.version.deno}: npx -y deno@2.9.6 task ${name}`,
    );
    return 1;
  }
  try {
    return await command(args);
  } catch (error) {
    if (error instanceof UsageError) {
      say(error.message);
      return 2;
    }
    if (error instanceof StackError) say(error.message);
    else if (error instanceof Deno.errors.PermissionDenied) {
      say(`${error.message}\nIf the stack was run as another user before, remove what it has left`);
    } else throw error;
    return 1;
  }
}

Deno.exit(await main(Deno.args));
