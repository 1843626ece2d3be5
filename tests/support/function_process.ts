import { fileURLToPath } from "node:url";

/** The secret key that {@link withFunction} gives a function. */
export const SECRET_KEY = "sb_secret_of_the_test";

/**
 * Runs one function in a process of its own, under its own `deno.json` and with nothing else of
 * the stack, and hands over its URL; the process has ended when this returns.
 */
export async function withFunction(
  name: string,
  env: Record<string, string>,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const folder = new URL(`../../supabase/functions/${name}/`, import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["serve", "--allow-all", "--no-lock", "--no-check"],
      ...["--config", fileURLToPath(new URL("deno.json", folder))],
      ...["--host", "127.0.0.1", "--port", "0", fileURLToPath(new URL("index.ts", folder))],
    ],
    env: {
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: SECRET_KEY }),
      NO_COLOR: "1",
      ...env,
    },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const output = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  try {
    await use(await listeningUrl(output));
  } finally {
    child.kill("SIGKILL");
    await output.cancel();
    await child.status;
  }
}

async function listeningUrl(output: ReadableStreamDefaultReader<string>): Promise<string> {
  let seen = "";
  for (;;) {
    const url = /Listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(seen)?.[1];
    if (url !== undefined) return url;
    const { done, value } = await output.read();
    if (done) throw new Error(`the function did not start:\n${seen}`);
    seen += value;
  }
}
