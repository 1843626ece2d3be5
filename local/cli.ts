// Entry point of the tasks `dev`, `status`, `db`, `clock` and `reset`.
import { isHelpAsked, UsageError } from "./commands/arguments.ts";
import * as clock from "./commands/clock.ts";
import * as db from "./commands/db.ts";
import * as dev from "./commands/dev.ts";
import * as reset from "./commands/reset.ts";
import { print, say } from "./commands/say.ts";
import * as status from "./commands/status.ts";
import { StackError } from "./error.ts";

interface Command {
  /** What `--help` prints. */
  usage: string;
  /** Resolves to the exit code. */
  run(args: string[]): Promise<number>;
}

const COMMANDS: Record<string, Command> = {
  dev: { usage: dev.USAGE, run: dev.dev },
  status: { usage: status.USAGE, run: status.status },
  db: { usage: db.USAGE, run: db.db },
  clock: { usage: clock.USAGE, run: clock.clock },
  reset: { usage: reset.USAGE, run: reset.reset },
};

async function main([name = "", ...args]: string[]): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    say(`Usage: deno task ${Object.keys(COMMANDS).join(" | ")}`);
    return 2;
  }
  if (isHelpAsked(args)) {
    print(command.usage);
    return 0;
  }
  if (!("tryLock" in Deno.FsFile.prototype)) {
    say(
      `The local stack needs a newer Deno than ${Deno.version.deno}: npx -y deno@2.9.6 task ${name}`,
    );
    return 1;
  }
  try {
    return await command.run(args);
  } catch (error) {
    if (error instanceof UsageError) {
      say(`${error.message}\n\n${command.usage}`);
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
