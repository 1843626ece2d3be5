import { fileURLToPath } from "node:url";
import { until } from "../../support/until.ts";

const PROJECT = fileURLToPath(new URL("../../../", import.meta.url));
const MARK = "MILLRACE_TEST_DEMO";

/** A `deno task demo` of a test. */
export class Demo {
  stdout = "";
  stderr = "";
  /** Undefined while it runs. */
  code: number | undefined;
  readonly #output: ReadableStreamDefaultReader<string>;
  readonly #read: Promise<unknown>;

  constructor(readonly child: Deno.ChildProcess, readonly mark: string) {
    this.#output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#read = Promise.all([this.#readOutput(), this.#readErrors()]);
  }

  /** Waits until standard output holds this. */
  async says(text: RegExp): Promise<void> {
    await until(() => ({ done: text.test(this.stdout), value: this.stdout }), 60_000);
  }

  kill(signal: Deno.Signal): void {
    this.child.kill(signal);
  }

  /** Closes the pipe that it writes to. */
  async closeOutput(): Promise<void> {
    await this.#output.cancel();
  }

  /** Waits until it has ended; resolves to its exit code. */
  async ended(): Promise<number> {
    const { code } = await this.child.status;
    await this.#read;
    return this.code = code;
  }

  /**
   * Command lines of the processes that it has started and that still run. Known by their
   * environment, which only Linux shows; elsewhere there are none.
   */
  async processes(): Promise<string[]> {
    if (Deno.build.os !== "linux") return [];
    const found: string[] = [];
    for await (const { name } of Deno.readDir("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      const environment = await readProcFile(`/proc/${name}/environ`);
      if (!environment.includes(`${MARK}=${this.mark}`)) continue;
      const command = (await readProcFile(`/proc/${name}/cmdline`)).replaceAll("\0", " ").trim();
      // One that has ended and has not been collected yet has no command line.
      if (command !== "") found.push(command);
    }
    return found;
  }

  async #readOutput(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#output.read();
      if (done) return;
      this.stdout += value;
    }
  }

  async #readErrors(): Promise<void> {
    for await (const text of this.child.stderr.pipeThrough(new TextDecoderStream())) {
      this.stderr += text;
    }
  }
}

/** Starts `deno task demo` with these arguments, without a terminal. */
export function startDemo(args: string[], env: Record<string, string> = {}): Demo {
  const mark = crypto.randomUUID();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "demo", ...args],
    cwd: PROJECT,
    env: { GEMINI_API_KEY: "", ...env, [MARK]: mark },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return new Demo(child, mark);
}

async function readProcFile(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    // It has ended meanwhile, or is not ours.
    if (error instanceof Error) return "";
    throw error;
  }
}
