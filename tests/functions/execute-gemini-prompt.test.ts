import { strict as assert } from "node:assert";
import { encodeBase64, linesOf, taskOf } from "../unit/execute-gemini-prompt/support.ts";
import { FAKE_KEY, type FakeGemini, startFakeGemini } from "../support/fake_gemini.ts";
import { EXAMPLE_TRANSCRIPTION, quotaExceeded } from "../support/gemini_answers.ts";

const INDEX = new URL("../../supabase/functions/execute-gemini-prompt/index.ts", import.meta.url);
const RECORDING = await Deno.readFile(
  new URL("../../examples/audio/mill-report.mp3", import.meta.url),
);
const SECRET = "sb_secret_for_tests";

interface RunningFunction extends AsyncDisposable {
  /** Sends tasks and returns the results by task id. */
  run(...tasks: unknown[]): Promise<Map<string, Result>>;
  url: string;
}

interface Result {
  task_id: string;
  status: string;
  // deno-lint-ignore no-explicit-any -- tests look into it wherever they like
  output?: any;
  error?: { code: string; message: string; retry_after_seconds?: number };
}

/** Runs the function's own entry point in a process of its own, as a function host does. */
async function startFunction(
  gemini: FakeGemini,
  env: Record<string, string> = {},
): Promise<RunningFunction> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["serve", "--allow-all", "--host=127.0.0.1", "--port=0", INDEX.href],
    env: {
      SUPABASE_URL: "http://127.0.0.1:1",
      SUPABASE_PUBLISHABLE_KEYS: '{"default":"sb_publishable_for_tests"}',
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: SECRET }),
      GEMINI_BASE_URL: gemini.url,
      GEMINI_API_KEY: FAKE_KEY,
      HTTP_ALLOW_PRIVATE_NETWORK: "true",
      NO_COLOR: "1",
      ...env,
    },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const said = linesOf(child.stderr);
  let url: string | undefined;
  while (url === undefined) {
    const line = await said.next();
    if (line.done) break;
    url = /Listening on (http:\/\/\S+?)\/?$/.exec(line.value)?.[1];
  }
  // Read on, or the process would stand still once the pipe is full.
  const rest = (async () => {
    for await (const _line of said);
  })();
  assert.ok(url !== undefined, "The function did not start");
  const address = url;
  return {
    url: address,
    async run(...tasks) {
      const response = await fetch(address, {
        method: "POST",
        headers: { apikey: SECRET, "content-type": "application/json" },
        body: JSON.stringify({ tasks }),
      });
      const text = await response.text();
      assert.equal(response.status, 200, text);
      const results = text.split("\n").filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Result);
      return new Map(results.map((result) => [result.task_id, result]));
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.status;
      await rest;
    },
  };
}

Deno.test("execute-gemini-prompt runs a batch, each task with an end of its own", async () => {
  await using gemini = startFakeGemini();
  await using fn = await startFunction(gemini);
  const media = { data: encodeBase64(RECORDING), mime_type: "audio/mpeg" };
  const results = await fn.run(
    { ...taskOf({ input: { prompt: "Say hello" } }), task_id: "prompt" },
    { ...taskOf({ type: "gemini_transcription", input: { media } }), task_id: "transcribe" },
    { ...taskOf({ config: { modle: "gemini-3.5-flash" } }), task_id: "config" },
    { ...taskOf({ config: { api_key_env_var: "NO_SUCH_KEY" } }), task_id: "secret" },
    { ...taskOf({ config: { model: "palm-2" } }), task_id: "model" },
  );
  assert.equal(results.get("prompt")?.output.text, "Hello from the mill.");
  assert.equal(
    results.get("transcribe")?.output.segments.length,
    EXAMPLE_TRANSCRIPTION.segments.length,
  );
  assert.equal(results.get("config")?.error?.code, "config_invalid");
  assert.match(results.get("config")?.error?.message ?? "", /modle is not a known key/);
  assert.equal(results.get("secret")?.error?.code, "secret_missing");
  assert.equal(results.get("model")?.error?.code, "gemini.model_not_found");

  gemini.script("generateContent", quotaExceeded("9.5s"));
  const limited = await fn.run({ ...taskOf({}), task_id: "limited" });
  assert.equal(limited.get("limited")?.error?.code, "rate_limited");
  assert.equal(limited.get("limited")?.error?.retry_after_seconds, 10);
});

Deno.test("execute-gemini-prompt ends a task at its deadline", async () => {
  await using gemini = startFakeGemini();
  await using fn = await startFunction(gemini);
  gemini.script("generateContent", { hang: true });
  const deadline = new Date(Date.now() + 500).toISOString();
  const results = await fn.run({ ...taskOf({}), deadline });
  assert.equal(results.get("t1")?.error?.code, "timeout");
});

Deno.test("execute-gemini-prompt lets in the secret key only", async () => {
  await using gemini = startFakeGemini();
  await using fn = await startFunction(gemini);
  for (const apikey of ["", "sb_publishable_for_tests", `${SECRET}x`]) {
    const response = await fetch(fn.url, {
      method: "POST",
      headers: { apikey },
      body: JSON.stringify({ tasks: [taskOf({})] }),
    });
    assert.equal(response.status, 401);
    await response.body?.cancel();
  }
  assert.equal(gemini.requests.length, 0);
});
