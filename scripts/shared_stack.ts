import { inProject } from "./place.ts";
import { say, seconds } from "./say.ts";

/** The stack that all tests of a run share. */
export interface SharedStack extends AsyncDisposable {
  /** What tests attach by: the value of `MILLRACE_TEST_STACK`. */
  description: string;
}

/**
 * Boots a stack, or takes the one that `MILLRACE_TEST_STACK` tells of already. It is stopped when
 * disposed of, and in any case when this process ends.
 *
 * @throws Error when it does not start
 */
export async function sharedStack(): Promise<SharedStack> {
  const given = Deno.env.get("MILLRACE_TEST_STACK");
  if (given !== undefined) return { description: given, [Symbol.asyncDispose]: async () => {} };

  say("Starting the local stack (the first time it fetches and unpacks PostgreSQL)");
  const began = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", inProject("tests/support/stack_server.ts")],
    stdin: "piped", // its end is what stops the stack, however this process ends
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const description = await readLine(child.stdout);
  if (description === undefined) throw new Error("The local stack did not start: see above");
  say(`The local stack runs after ${seconds(performance.now() - began)}`);
  return {
    description,
    [Symbol.asyncDispose]: async () => {
      await child.stdin.close();
      await child.status;
    },
  };
}

async function readLine(stream: ReadableStream<Uint8Array>): Promise<string | undefined> {
  let text = "";
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return undefined;
    text += value;
    const end = text.indexOf("\n");
    if (end < 0) continue;
    reader.releaseLock();
    return text.slice(0, end);
  }
}
