import assert from "node:assert/strict";
import { Site } from "../../demo/site.ts";
import { siteFiles } from "../../demo/plan_runs.ts";
import { buildSeed } from "../../scripts/build_seed.ts";
import { call, post } from "../support/call.ts";
import { openDatabase } from "../support/database.ts";
import { FAKE_KEY, startFakeGemini } from "../support/fake_gemini.ts";
import { EXAMPLE_TRANSCRIPTION } from "../support/gemini_answers.ts";
import { ownStack } from "../support/stack.ts";
import { until } from "../support/until.ts";
import { createUser } from "../support/user.ts";
import { addUp, type Order, profile } from "./examples/expected.ts";
import { exampleBytes, exampleFiles, readExample } from "./examples/files.ts";

const SEED_FILE = new URL("../../supabase/seed.sql", import.meta.url);

const gemini = startFakeGemini();
globalThis.addEventListener("unload", () => void gemini[Symbol.asyncDispose]());
const stack = await ownStack({ env: { GEMINI_BASE_URL: gemini.url, GEMINI_API_KEY: FAKE_KEY } });
const user = await createUser(stack);
const orders: Order[] = await readExample("data/orders.json");

Deno.test("seed.sql is what examples make it", async () => {
  assert.equal(await Deno.readTextFile(SEED_FILE), await buildSeed(), "run `deno task seed`");
});

Deno.test("seed.sql registers every example as its file has it", async () => {
  await using db = openDatabase(stack);
  const transformers = await db`select * from transformers order by id`;
  for (const name of await exampleFiles("transformers/")) {
    const file = await readExample(`transformers/${name}`);
    const row = transformers.find(({ id }) => id === file.id);
    assert.deepEqual({ ...row, ...file }, { ...row }, name);
  }
  const workflows = await db`select id, description, definition from workflows order by id`;
  for (const name of await exampleFiles("")) {
    const file = await readExample(name);
    assert.deepEqual({ ...workflows.find(({ id }) => id === file.id) }, file, name);
  }
});

Deno.test("every example has an input of its own", async () => {
  assert.deepEqual(await exampleFiles("input/"), await exampleFiles(""));
});

Deno.test("hello_v1 gives back its payload", async () => {
  const input = await readExample("input/hello_v1.json");
  const job = await run("hello_v1", input);
  assert.equal(job.status, "completed");
  assert.deepEqual(job.final_result, { result: input.payload });
});

Deno.test("orders_report_v1 adds the orders up and delivers the report once", async () => {
  await using site = new Site({ files: await siteFiles(undefined) });
  const job = await run("orders_report_v1", {
    orders_url: `${site.url}/orders.json`,
    report_url: `${site.url}/hooks/report`,
  });
  assert.equal(job.status, "completed", job.error_message);
  const expected = addUp(orders);
  assert.deepEqual(job.final_result, expected.result);
  assert.equal(job.step_data.call_owner.status, "skipped");

  const [delivery, ...more] = site.deliveries;
  assert.equal(more.length, 0);
  assert.equal(delivery?.path, "/hooks/report");
  assert.ok(delivery?.idempotencyKey?.startsWith(job.job_id), "the key names the job");
  assert.deepEqual(delivery?.body, { ...expected.report, job_id: job.job_id });
});

Deno.test("orders_report_v1 calls the owner when more orders are odd than he wants", async () => {
  await using site = new Site({ files: await siteFiles(undefined) });
  const job = await run("orders_report_v1", {
    orders_url: `${site.url}/orders.json`,
    report_url: `${site.url}/hooks/report`,
    call_owner_above: 0,
  });
  assert.equal(job.status, "completed", job.error_message);
  assert.equal(job.final_result.owner_called, true);
  const { odd } = addUp(orders).report;
  assert.deepEqual(site.deliveries[0]?.body, { urgent: true, odd });
  assert.equal(site.deliveries.length, 2);
  assert.notEqual(site.deliveries[0]?.idempotencyKey, site.deliveries[1]?.idempotencyKey);
});

Deno.test("orders_report_v1 reports on no orders, on one, and on one country", async () => {
  const german = orders.filter(({ customer }) => customer.country === "DE").slice(0, 3);
  for (const some of [[], orders.slice(1, 2), german]) {
    await using site = new Site({ files: { "/orders.json": jsonFile(some) } });
    const job = await run("orders_report_v1", {
      orders_url: `${site.url}/orders.json`,
      report_url: `${site.url}/hooks/report`,
    });
    assert.equal(job.status, "completed", job.error_message);
    assert.deepEqual(job.final_result, addUp(some).result);
  }
});

Deno.test("orders_report_v1 is refused at start without its addresses", async () => {
  const body = { workflow_id: "orders_report_v1", input_data: { orders_url: 7 } };
  const answer = await post(stack, "start-workflow", body, user);
  assert.equal(answer.status, 422);
  assert.match(JSON.stringify(answer.body), /report_url/);
});

Deno.test("records_profile_v1 tells what is in a file", async () => {
  const odd = [{ a: 1.5, b: null, "a b": "x" }, { a: null, b: { c: 1 } }, { a: -2, d: [1, "y"] }];
  for (const records of [orders as unknown as Record<string, unknown>[], odd, [{}], []]) {
    await using site = new Site({ files: { "/records.json": jsonFile(records) } });
    const job = await run("records_profile_v1", { records_url: `${site.url}/records.json` });
    assert.equal(job.status, "completed", job.error_message);
    assert.deepEqual(job.final_result, profile(records));
  }
});

for (
  const [records, type] of [
    [[1, "x", null], "array of number and string and null"],
    [{ data: [] }, "object"],
    ["text", "string"],
  ] as const
) {
  Deno.test(`records_profile_v1 refuses a file that is of the type ${type}`, async () => {
    await using site = new Site({ files: { "/records.json": jsonFile(records) } });
    const job = await run("records_profile_v1", { records_url: `${site.url}/records.json` });
    assert.equal(job.status, "failed");
    assert.equal(job.error.code, "expression_failed");
    assert.ok(job.error.message.includes(`must be an array of objects: current type is ${type}`));
  });
}

Deno.test("audio_transcription_v1 transcribes the recording", async () => {
  await using site = new Site({ files: await siteFiles(undefined) });
  const job = await run("audio_transcription_v1", { audio_url: `${site.url}/mill-report.mp3` });
  assert.equal(job.status, "completed", job.error_message);
  const { transcript, segments, language } = job.final_result;
  assert.equal(language, EXAMPLE_TRANSCRIPTION.language);
  const words = EXAMPLE_TRANSCRIPTION.segments.map(({ text }) => text).join(" ");
  assert.equal(transcript.replaceAll("\n", " "), words);
  const said = segments.map(({ speaker, text }: Record<string, string>) => ({ speaker, text }));
  assert.deepEqual(
    said,
    EXAMPLE_TRANSCRIPTION.segments.map(({ speaker, text }) => ({ speaker, text })),
  );
  const [request] = gemini.of("generateContent");
  const sent = request?.json.contents[0].parts.find((part: object) => "inlineData" in part);
  const recording = await exampleBytes("audio/mill-report.mp3");
  assert.equal(atob(sent.inlineData.data).length, recording.byteLength);
});

/** Starts a workflow over HTTP, and answers its job when that has ended. */
// deno-lint-ignore no-explicit-any -- tests look into whatever came
async function run(workflowId: string, input: unknown): Promise<any> {
  const body = { workflow_id: workflowId, input_data: input };
  const started = await post(stack, "start-workflow", body, user);
  assert.equal(started.status, 201, JSON.stringify(started.body));
  return await until(async () => {
    const { body: job } = await call(stack, `get-job/${started.body.job_id}`, { as: user });
    return { done: job.completed_at !== null, value: job };
  }, 30_000);
}

function jsonFile(value: unknown) {
  return {
    bytes: new TextEncoder().encode(JSON.stringify(value)),
    contentType: "application/json",
  };
}
