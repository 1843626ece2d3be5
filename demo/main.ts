// Entry point of `deno task demo`. Imports nothing that has to be fetched from the npm registry, so
// that it can say what it waits for while that goes on.

import { StackError } from "../local/error.ts";
import { readArguments, USAGE } from "./arguments.ts";
import { DemoError } from "./error.ts";
import { readInputFile } from "./input_file.ts";
import { LONG_MS, showTask } from "./task.ts";
import { Terminal } from "./terminal.ts";

/** Not a literal: Deno would fetch what it needs before the first line of this file runs. */
const DEMO: string = "./run_demo.ts";
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Ends what goes on; the demo then stops all it has started. */
class Interruption extends Error {
  override name = "Interruption";

  constructor(readonly exitCode: number) {
    super("The demo was interrupted");
  }
}

async function main(args: string[]): Promise<number> {
  let parsed;
  try {
    parsed = readArguments(args);
  } catch (error) {
    say(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return 2;
  }
  if (parsed.help) {
    say(USAGE);
    return 0;
  }
  if (!("tryLock" in Deno.FsFile.prototype)) {
    say(`The demo needs a newer Deno than ${Deno.version.deno}: npx -y deno@2.9.6 task demo`);
    return 1;
  }
  try {
    return await demo(parsed.file, parsed.verbose);
  } catch (error) {
    if (error instanceof Interruption) return error.exitCode;
    if (!(error instanceof DemoError || error instanceof StackError)) throw error;
    say(error.message);
    return 1;
  }
}

async function demo(path: string | undefined, verbose: boolean): Promise<number> {
  const file = path === undefined ? undefined : await readInputFile(path);
  const terminal = Terminal.ofProcess({ verbose });
  const abort = new AbortController();
  let running = false;
  const interrupt = (exitCode: number) => {
    abort.abort(new Interruption(exitCode));
    if (running) return;
    terminal.keep();
    Deno.exit(exitCode); // nothing has been started yet
  };
  for (const [signal, code] of Object.entries(EXIT_CODES)) {
    Deno.addSignalListener(signal as keyof typeof EXIT_CODES, () => interrupt(code));
  }
  terminal.onGone(() => interrupt(EXIT_CODES.SIGHUP));

  terminal.line(["Millrace", "bold"], "  workflows on a local Supabase, with throw-away data");
  terminal.line();
  const { runDemo } = await load(terminal);
  running = true;
  return await runDemo({ terminal, file, verbose, signal: abort.signal }) ? 0 : 1;
}

async function load(terminal: Terminal): Promise<typeof import("./run_demo.ts")> {
  try {
    return await showTask(terminal, {
      doing: "Loading packages",
      whenLong: "the first run fetches them from the npm registry: some 100 MB, once",
      done: (_, milliseconds) => milliseconds > LONG_MS ? "Loaded packages" : "",
    }, import(DEMO));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new DemoError(`Cannot load what the demo needs: ${error.message}`);
  }
}

function say(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}

Deno.exit(await main(Deno.args));
