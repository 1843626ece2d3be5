// Examples of steps that start jobs: parallel, map in its three forms, workflow; and of limits.

import assert from "node:assert/strict";
import { scenarios } from "../../support/scenario.ts";
import { exampleInput } from "./files.ts";

const test = await scenarios();

test("trip_quote_v1 adds up what its two branches have found", async (scenario) => {
  const input = await exampleInput("trip_quote_v1");
  const id = await scenario.start("trip_quote_v1", input);
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], { train: 18_900, hotel: 26_100, total: 45_000 });
  const children = await scenario.db`select branch, status from jobs where parent_job_id = ${id}
    order by branch`;
  assert.deepEqual([...children], [
    { branch: "ask.hotel", status: "completed" },
    { branch: "ask.train", status: "completed" },
  ]);
});

test("trip_quote_v1 has no quote when one of its branches fails", async (scenario) => {
  const input = { ...await exampleInput("trip_quote_v1"), to: "Gent", fares: {} };
  const job = await scenario.ended(await scenario.start("trip_quote_v1", input));
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.equal(job["final_result"].total, null);
  assert.match(job["final_result"].reason, /branch 'train' failed with trips\.no_train/);
});

test("price_list_v1 labels in the order of the list", async (scenario) => {
  const input = await exampleInput("price_list_v1");
  const job = await scenario.ended(await scenario.start("price_list_v1", input));
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], [
    { place: 1, label: "Ink: EUR 12.00" },
    { place: 2, label: "Nib: EUR 7.90" },
    { place: 3, label: "Paper: EUR 4.50" },
  ]);
});

test("price_list_v1 makes nothing of an empty list", async (scenario) => {
  const input = { currency: "EUR", articles: [] };
  const job = await scenario.ended(await scenario.start("price_list_v1", input));
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], []);
});

test("image_batch_v1 tolerates what is unusable, and keeps its place free", async (scenario) => {
  const input = await exampleInput("image_batch_v1");
  const job = await scenario.ended(await scenario.start("image_batch_v1", input));
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], {
    thumbnails: ["mill.jpg@200x150", "river.jpg@200x200"],
    by_item: [
      { index: 0, file: "mill.jpg@200x150" },
      null,
      { index: 2, file: "river.jpg@200x200" },
    ],
    unusable: ["icon.png is 32 wide"],
  });
});

test("image_batch_v1 fails when more than half of the images are unusable", async (scenario) => {
  const { images: [good, bad] } = await exampleInput("image_batch_v1");
  const input = { width: 200, images: [bad, good, bad] };
  const job = await scenario.ended(await scenario.start("image_batch_v1", input));
  assert.equal(job["status"], "failed");
  assert.equal(job["error"].code, "children_failed");
  assert.equal(job["error"].details.children[0].error.code, "images.too_small");
});

test("order_batch_v1 has each order handled by another workflow", async (scenario) => {
  const input = await exampleInput("order_batch_v1");
  const id = await scenario.start("order_batch_v1", input);
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], {
    shipped: 1,
    by_hand: 1,
    refused: [{ index: 1, code: "orders.no_delivery" }],
  });
  const children = await scenario.db`select workflow_id, input_data ->> 'order_id' as order_id
    from jobs where parent_job_id = ${id} order by item_index`;
  assert.deepEqual(
    [...children],
    ["A-17", "A-18", "A-19"].map((order_id) => ({
      workflow_id: "order_triage_v1",
      order_id,
    })),
  );
});

test("order_intake_v1 waits for one workflow, and starts another on its own", async (scenario) => {
  const id = await scenario.start("order_intake_v1", await exampleInput("order_intake_v1"));
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  const { greeting_job, ...result } = job["final_result"];
  assert.deepEqual(result, { accepted: true, handling: "ship" });
  const greeting = await scenario.ended(greeting_job);
  assert.equal(greeting["parent_job_id"], null);
  assert.equal(greeting["user_id"], scenario.userId);
  assert.deepEqual(greeting["final_result"], { result: "Thank you for order A-17" });
});

test("order_intake_v1 says why an order was refused", async (scenario) => {
  const { order } = await exampleInput("order_intake_v1");
  const input = { order: { ...order, country: "US" } };
  const job = await scenario.ended(await scenario.start("order_intake_v1", input));
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], {
    accepted: false,
    reason: "Order A-17 goes to US, where we do not deliver",
  });
});

test("customer_sync_v1 syncs a customer once at a time", async (scenario) => {
  // Ids of its own, as the limit is for all users of a stack.
  const customers = [crypto.randomUUID(), crypto.randomUUID()];
  const spans = new Map<string, { from: number; to: number }[]>();
  const ids = await Promise.all([0, 0, 0, 1].map(async (customer) => {
    const customer_id = customers[customer] ?? "";
    return { customer_id, id: await scenario.start("customer_sync_v1", { customer_id }) };
  }));
  for (const { customer_id, id } of ids) {
    const job = await scenario.ended(id);
    assert.equal(job["status"], "completed", job["error_message"]);
    assert.equal(job["final_result"], `Synced ${customer_id}`);
    const [step] = await scenario.steps(id);
    const span = { from: Number(step?.["started_at"]), to: Number(step?.["ended_at"]) };
    spans.set(customer_id, [...spans.get(customer_id) ?? [], span]);
  }
  const same = (spans.get(customers[0] ?? "") ?? []).sort((a, b) => a.from - b.from);
  assert.equal(same.length, 3);
  same.slice(1).forEach(({ from }, i) => {
    assert.ok(from >= (same[i]?.to ?? Infinity), "two jobs of a customer ran at the same time");
  });
});
