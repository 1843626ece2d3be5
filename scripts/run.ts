import { PROJECT } from "./place.ts";

/** How a command is run. */
export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Whether its output is shown while it comes; default: true. */
  show?: boolean;
}

/** How a command ended, and what it wrote to standard output. */
export interface RunResult {
  code: number;
  stdout: string;
  /** What it wrote to standard error, where that was not shown. */
  stderr: string;
}

const running = new Set<Deno.ChildProcess>();
let interrupted = false;

/**
 * Runs a command with nothing on its standard input, in a process group of its own: when a signal
 * has ended it, what it has started goes too.
 */
export async function run(
  command: string,
  args: string[],
  { cwd = PROJECT, env = {}, show = true }: RunOptions = {},
): Promise<RunResult> {
  const child = new Deno.Command(command, {
    ...{ args, cwd, env },
    stdin: "null",
    stdout: "piped",
    stderr: show ? "inherit" : "piped",
    detached: true,
  }).spawn();
  running.add(child);
  try {
    const [stdout, stderr, { code }] = await Promise.all([
      read(child.stdout, show),
      show ? "" : read(child.stderr, false),
      child.status,
    ]);
    return { code, stdout, stderr };
  } finally {
    running.delete(child);
    if (interrupted) kill(-child.pid, "SIGTERM");
  }
}

/** Runs Deno itself, the one that runs this. */
export function runDeno(args: string[], options?: RunOptions): Promise<RunResult> {
  return run(Deno.execPath(), args, options);
}

/** Whether a signal asked this process to stop. */
export function wasInterrupted(): boolean {
  return interrupted;
}

/** From now on SIGINT and SIGTERM interrupt the commands that run, and not this process. */
export function passSignalsOn(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      interrupted = true;
      for (const { pid } of running) kill(pid, "SIGINT");
    });
  }
}

/** Signals a process, or the group of a negative id, unless it is gone. */
function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function read(stream: ReadableStream<Uint8Array>, show: boolean): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (show) await writeAll(chunk);
  }
  return text;
}

async function writeAll(chunk: Uint8Array): Promise<void> {
  for (let rest = chunk; rest.length > 0;) rest = rest.subarray(await Deno.stdout.write(rest));
}
