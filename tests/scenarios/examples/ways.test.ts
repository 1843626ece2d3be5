// Examples of steps that decide, compute, wait, loop and fail.

import assert from "node:assert/strict";
import { Site } from "../../../demo/site.ts";
import { scenarios } from "../../support/scenario.ts";
import { exampleInput } from "./files.ts";

const test = await scenarios();

test("order_triage_v1 ships an ordinary order", async (scenario) => {
  const input = await exampleInput("order_triage_v1");
  const job = await scenario.ended(await scenario.start("order_triage_v1", input));
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], {
    order_id: "A-17",
    handling: "ship",
    cents: 3190,
    label: "Label for A-17 to DE",
  });
  assert.deepEqual(job["step_data"].way.output, { next_step: "ship" });
});

test("order_triage_v1 leaves an expensive order to a person", async (scenario) => {
  const input = await exampleInput("order_triage_v1");
  input.items = [{ quantity: 100, unit_cents: 1000 }];
  const job = await scenario.ended(await scenario.start("order_triage_v1", input));
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], { order_id: "A-17", handling: "by_hand", cents: 100_000 });
  assert.equal(job["step_data"].ship, undefined);
});

test("order_triage_v1 fails for a country without delivery", async (scenario) => {
  const input = { ...await exampleInput("order_triage_v1"), country: "US" };
  const job = await scenario.ended(await scenario.start("order_triage_v1", input));
  assert.equal(job["status"], "failed");
  assert.equal(job["error"].code, "orders.no_delivery");
  assert.equal(job["error_message"], "Order A-17 goes to US, where we do not deliver");
});

test("trial_reminder_v1 waits before it reminds, and not for a time that has passed", async (scenario) => {
  const input = { ...await exampleInput("trial_reminder_v1"), remind_after_seconds: 0.2 };
  const id = await scenario.start("trial_reminder_v1", input);
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], [
    "Welcome, Ada",
    "Still there, Ada?",
    "Your trial has ended, Ada",
  ]);
  const [, wait] = await scenario.steps(id);
  assert.equal(wait?.["step_id"], "a_while");
  assert.ok(wait?.["ended_at"] - wait?.["started_at"] >= 200);
  const states = job["state_history"].map(({ to }: { to: string }) => to);
  assert.equal(states.filter((state: string) => state === "waiting").length, 1);
});

test("trial_reminder_v1 skips the end of a trial that has none", async (scenario) => {
  const input = { name: "Ada", remind_after_seconds: 0 };
  const job = await scenario.ended(await scenario.start("trial_reminder_v1", input));
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.equal(job["step_data"].trial_ends.status, "skipped");
});

test("export_poll_v1 asks until the export is ready", async (scenario) => {
  const id = await scenario.start("export_poll_v1", { ready_after: 4, every_seconds: 0 });
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], { asked: 4 });
  const visits = (await scenario.steps(id)).filter(({ step_id }) => step_id === "ask");
  assert.deepEqual(visits.map(({ visit }) => visit), [1, 2, 3, 4]);
});

test("export_poll_v1 gives up when its budget of steps is used up", async (scenario) => {
  const id = await scenario.start("export_poll_v1", { ready_after: 1000, every_seconds: 0 });
  const job = await scenario.ended(id);
  assert.equal(job["status"], "failed");
  assert.equal(job["error"].code, "step_budget_exceeded");
  assert.equal((await scenario.steps(id)).length, 30);
});

/** A site with these files, and where feed_import_v1 finds one and reports to. */
function feedSite(files: Record<string, unknown>) {
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  return new Site({
    files: Object.fromEntries(
      Object.entries(files).map(([path, value]) => [
        path,
        { bytes: bytes(value), contentType: "application/json" },
      ]),
    ),
  });
}

const feedInput = ({ url }: Site) => ({
  feed_url: `${url}/feed.json`,
  report_url: `${url}/hooks/report`,
});

test("feed_import_v1 counts what is in the feed", async (scenario) => {
  await using site = feedSite({ "/feed.json": [1, 2, 3] });
  const job = await scenario.ended(await scenario.start("feed_import_v1", feedInput(site)));
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], { imported: 3, feed: true });
});

test("feed_import_v1 takes a missing feed as a result, by the step's own on_error", async (scenario) => {
  await using site = feedSite({});
  const job = await scenario.ended(await scenario.start("feed_import_v1", feedInput(site)));
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], { imported: 0, feed: false });
  assert.equal(site.deliveries.length, 0);
});

test("feed_import_v1 reports any other error, by the workflow's on_error", async (scenario) => {
  await using site = feedSite({ "/feed.json": { no: "list" } });
  const id = await scenario.start("feed_import_v1", feedInput(site));
  const job = await scenario.ended(id);
  assert.equal(job["status"], "failed");
  assert.equal(job["error"].code, "feeds.not_imported");
  assert.match(job["error_message"], /the feed is no list/);
  const [report, ...more] = site.deliveries;
  assert.equal(more.length, 0);
  const body = report?.body as Record<string, Record<string, unknown> | null>;
  assert.equal(body["job_id"], id);
  assert.equal(body["download"], null);
  assert.equal(body["count"]?.["code"], "expression_failed");
});
