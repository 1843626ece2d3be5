import assert from "node:assert/strict";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { FAKE_KEY, startFakeGemini } from "../support/fake_gemini.ts";
import { type Demo, startDemo } from "./demo/run_demo.ts";

const ORDERS = fileURLToPath(new URL("../../examples/data/orders.json", import.meta.url));

/** Runs the demo to its end, and sees that it has left nothing running. */
async function run(args: string[], env: Record<string, string> = {}): Promise<Demo> {
  const demo = startDemo(args, env);
  await demo.ended();
  await assertGone(demo);
  return demo;
}

async function assertGone(demo: Demo): Promise<void> {
  assert.deepEqual(await demo.processes(), []);
  const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(demo.stdout) ?? [];
  if (address === undefined) return;
  await assert.rejects(fetch(address), TypeError, "the API still answers");
}

Deno.test("deno task demo runs every example and shows each step", async () => {
  await using gemini = startFakeGemini();
  const demo = await run([], { GEMINI_BASE_URL: gemini.url, GEMINI_API_KEY: FAKE_KEY });
  assert.equal(demo.code, 0, demo.stdout + demo.stderr);
  for (
    const line of [
      /^ {2}✓ PostgreSQL 17, Data API, Auth and functions run on http:\/\/127\.0\.0\.1:\d+ /m,
      /^ {2}✓ Signed up visitor-\w+@example\.com through Auth /m,
      /^ {2}✓ step1 {2}echo-transformer +\d.*Hello, Millrace!/m,
      /^ {4}result {2}\{"message":"Hello, Millrace!"\}$/m,
      /^ {2}✓ download {4}Download the orders +\d.* 200, 130 KiB from 127/m,
      /^ {2}✓ totals +Add up by country and month +\d/m,
      /^ {2}– call_owner +Call the owner if many are odd +skipped: its `when` is false$/m,
      /^ {2}✓ deliver +Deliver the report +\d.* 200 from 127/m,
      /^ {4}revenue +EUR 21,613\.43$/m,
      /^ {6}DE +93 +6,415\.59$/m,
      /^ {2}↳ the receiver got POST \/hooks\/report, /m,
      /^ {4}idempotency-key [0-9a-f-]{36}:deliver:1/m,
      /^ {2}✓ ask +Ask for both +\d.*hotel.*train/m,
      /^ {4}total +45000$/m,
      /^ {2}✓ each +Make a thumbnail of each +\d/m,
      /^ {4}unusable +icon\.png is 32 wide$/m,
      /^ {2}↳ the payment comes in: POST \/functions\/v1\/events$/m,
      /^ {2}✓ payment +wait_for_event +\d/m,
      /^ {4}paid_with +card$/m,
      /^ {2}✓ transcribe .* 6 segments, up to 45\.4 s$/m,
      /^ {4}transcript {2}Good morning\. This is the line manager/m,
      /^ {2}hello_v1 +completed +1 step +\d/m,
      /^ {2}orders_report_v1 +completed +6 steps +\d/m,
      /^ {2}payment_wait_v1 +completed +3 steps +\d/m,
      /^ {2}audio_transcription_v1 +completed +1 step +\d/m,
      /^All jobs completed {2}in \d.*; nothing is left running$/m,
      /^ {2}(npx -y deno@\S+|deno) task dev$/m,
    ]
  ) assert.match(demo.stdout, line);
  // deno-lint-ignore no-control-regex -- nothing for terminals in what is no terminal
  assert.doesNotMatch(demo.stdout, /\x1b|\r/);
  assert.doesNotMatch(demo.stdout, /"level":|\| LOG:/, "logs are for --verbose");
});

Deno.test("deno task demo FILE profiles the file, found from where the task was called", async () => {
  const demo = await run([basename(ORDERS)], { INIT_CWD: ORDERS.replace(/[^/]+$/, "") });
  assert.equal(demo.code, 0, demo.stdout + demo.stderr);
  assert.match(demo.stdout, /^records_profile_v1$/m);
  assert.match(demo.stdout, /^ {4}records +302$/m);
  assert.match(demo.stdout, /^ {6}total_cents +224750 +0 +2329713 +7714\.28$/m);
  assert.match(demo.stdout, /^ {2}audio_transcription_v1 {2}to run it, set GEMINI_API_KEY/m);
  assert.doesNotMatch(demo.stdout, /orders_report_v1/);
});

Deno.test("deno task demo FILE shows why a job failed, and exits with 1", async () => {
  await using file = await makeFile(`{"data": []}`);
  const demo = await run([file.path, "--verbose"]);
  assert.equal(demo.code, 1);
  assert.match(demo.stdout, /^ {2}✗ check +Check their shape .*expression_failed$/m);
  assert.match(demo.stdout, /must be an array of objects: current type is object/);
  assert.match(demo.stdout, /^ {2}records_profile_v1 +failed +/m);
  assert.match(demo.stdout, /^Not all jobs completed/m);
  assert.match(demo.stdout, /^ {4}workflow-orchestrator \| \{/m);
});

Deno.test("deno task demo stops everything on Ctrl-C while a job runs", async () => {
  const demo = startDemo([]);
  await demo.says(/job [0-9a-f-]{36} started/);
  if (Deno.build.os === "linux") assert.notDeepEqual(await demo.processes(), []);
  demo.kill("SIGINT");
  assert.equal(await demo.ended(), 130);
  assert.match(demo.stdout, /Stopped everything and removed its data/);
  await assertGone(demo);
});

Deno.test("deno task demo stops everything when nobody reads on", async () => {
  const demo = startDemo([]);
  await demo.says(/Signed up/);
  await demo.closeOutput();
  assert.equal(await demo.ended(), 129);
  await assertGone(demo);
});

for (
  const [what, content, message] of [
    ["is not JSON", `[{"a": 1},]`, /is not JSON: Unexpected token/],
    ["is empty", "", /is not JSON: Unexpected end of JSON input/],
    ["is not text", new Uint8Array([0x5b, 0xff, 0x5d]), /is not JSON: it is not UTF-8 text/],
    ["is too large", new Uint8Array(9 * 1024 * 1024), /must be at most 8\.0 MiB: .* 9\.0 MiB/],
  ] as const
) {
  Deno.test(`deno task demo refuses a file that ${what}, before it starts anything`, async () => {
    await using file = await makeFile(content);
    await assertRefused([file.path], 1, message);
  });
}

Deno.test("deno task demo refuses a file that is missing or a folder", async () => {
  await assertRefused(["/no/such file.json"], 1, /^There is no file \/no\/such file\.json$/m);
  await assertRefused(["examples"], 1, /^Cannot read \/.*\/examples as it is a folder$/m);
});

Deno.test("deno task demo refuses a command line that it does not understand", async () => {
  await assertRefused(["a.json", "b.json"], 2, /takes one file: current number is 2[\s\S]*Usage:/);
  await assertRefused(["--fast"], 2, /--fast[\s\S]*Usage: deno task demo \[FILE\]/);
});

async function assertRefused(args: string[], code: number, message: RegExp): Promise<void> {
  const demo = await run(args);
  assert.equal(demo.code, code, demo.stderr);
  assert.match(demo.stderr, message);
  assert.equal(demo.stdout, "");
}

async function makeFile(content: string | Uint8Array): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempFile({ prefix: "millrace demo ", suffix: ".json" });
  await Deno.writeFile(
    path,
    typeof content === "string" ? new TextEncoder().encode(content) : content,
  );
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}
