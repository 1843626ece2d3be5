// Examples of steps that wait for somebody: an event, an approval, a callback, a check by others.

import assert from "node:assert/strict";
import { call, post } from "../../support/call.ts";
import { readLedger } from "../../support/functions/ledger.ts";
import { type Scenario, scenarios } from "../../support/scenario.ts";
import { until } from "../../support/until.ts";
import { createUser, type TestUser } from "../../support/user.ts";
import { exampleInput } from "./files.ts";

const test = await scenarios();

/** Emits `payment.received` for an order, for the jobs of this test's user. */
async function pay({ db, userId }: Scenario, orderId: string, payload: object): Promise<void> {
  await db`select emit_event('payment.received', ${db.json(payload as never)}, ${orderId},
    p_user_id => ${userId})`;
}

test("payment_wait_v1 ships once the whole sum has come in", async (scenario) => {
  const id = await scenario.start("payment_wait_v1", await exampleInput("payment_wait_v1"));
  await scenario.reaches(id, "waiting");
  await pay(scenario, "A-16", { cents: 9999, method: "another order" });
  await pay(scenario, "A-17", { cents: 10, method: "not enough" });
  await pay(scenario, "A-17", { cents: 3190, method: "card" });
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], { shipped: true, paid_with: "card" });
});

test("payment_wait_v1 takes a payment that came before the order was reserved", async (scenario) => {
  const input = await exampleInput("payment_wait_v1");
  const id = await scenario.start("payment_wait_v1", input, { kick: false });
  await pay(scenario, "A-17", { cents: 3190, method: "cash" });
  await scenario.kick();
  const job = await scenario.ended(id);
  assert.deepEqual(job["final_result"], { shipped: true, paid_with: "cash" });
});

/** Starts order_approval_v1 for a new user with another one as approver, up to its question. */
async function ask(scenario: Scenario) {
  const { stack } = scenario;
  const [owner, approver] = await Promise.all([createUser(stack), createUser(stack)]);
  const input = { ...await exampleInput("order_approval_v1"), approvers: [approver.email] };
  const id = await scenario.start("order_approval_v1", input, { user_id: owner.id });
  await scenario.reaches(id, "waiting");
  const { body } = await call(stack, "approvals?status=open", { as: approver });
  const [approval, ...more] = body.approvals;
  assert.equal(more.length, 0);
  assert.equal(approval.job_id, id);
  assert.equal(approval.title, "Order Printing press?");
  return {
    id,
    owner,
    approver,
    decide: (as: TestUser, decision: object) =>
      post(stack, `approvals/${approval.approval_id}/decision`, decision, as),
  };
}

test("order_approval_v1 orders what somebody else has approved", async (scenario) => {
  const { id, owner, approver, decide } = await ask(scenario);
  const approve = { decision: "approve", form: { budget: "B-7" } };
  assert.equal((await decide(owner, approve)).status, 403);
  assert.equal((await decide(approver, { decision: "approve", form: {} })).status, 422);
  assert.equal((await decide(approver, approve)).status, 200);
  assert.equal((await decide(approver, approve)).status, 409);
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], {
    ordered: true,
    order: { item: "Printing press", budget: "B-7" },
  });
  assert.equal(job["step_data"].ask.output.by, approver.id);
});

test("order_approval_v1 ends without an order when it is rejected", async (scenario) => {
  const { id, approver, decide } = await ask(scenario);
  await decide(approver, { decision: "reject", notes: "We have one" });
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], { ordered: false, by: approver.id, notes: "We have one" });
});

test("order_approval_v1 asks nobody about a cheap order", async (scenario) => {
  const job = await scenario.ended(
    await scenario.start("order_approval_v1", { item: "Pencil", cents: 100 }),
  );
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"].order, { item: "Pencil", budget: null });
});

/** Lets the executor of the tests stand in for one that the example leaves to its reader. */
async function standIn({ db }: Scenario, transformerId: string, actions: object[]): Promise<void> {
  const config = { do: actions };
  await db`update transformers set target_function = 'execute-test',
    config = ${db.json(config as never)} where id = ${transformerId}`;
}

/** Starts print_order_v1 up to the callback; answers the job and its token. */
async function handOver(scenario: Scenario): Promise<{ id: string; token: string }> {
  await standIn(scenario, "print-shop", [{ accept: true }]);
  const id = await scenario.start("print_order_v1", await exampleInput("print_order_v1"));
  await scenario.reaches(id, "waiting");
  const [line] = readLedger(scenario.stack.ledger ?? "", id);
  return { id, token: line?.token ?? "" };
}

test("print_order_v1 goes on with what the print shop reports", async (scenario) => {
  const { id, token } = await handOver(scenario);
  await scenario.db`select complete_step(${token}, ${scenario.db.json({ copies: 250 })})`;
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], { printed: 250, tracking: null });
});

test("print_order_v1 ends with the reason when the print shop cannot print", async (scenario) => {
  const { id, token } = await handOver(scenario);
  const error = { code: "print.no_paper", message: "Out of paper" };
  await scenario.db`select fail_step(${token}, ${scenario.db.json(error)})`;
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], { printed: 0, reason: "Out of paper" });
});

/** Starts article_review_v1, whose wording gets this verdict. */
async function review(scenario: Scenario, verdict: object, input: object = {}): Promise<string> {
  await standIn(scenario, "wording-check", [{ output: verdict }]);
  const article = await exampleInput("article_review_v1");
  return await scenario.start("article_review_v1", { ...article, ...input });
}

/** Decides the question that a job waits with, in the name of nobody in particular. */
async function decide({ db }: Scenario, id: string, decision: string, notes: string) {
  const approval = await until(async () => {
    const [row] = await db`select id from approvals where job_id = ${id} and status = 'open'`;
    return { done: row !== undefined, value: row };
  });
  await db`select decide_approval(${approval?.["id"]}, ${decision}, ${notes})`;
}

test("article_review_v1 publishes what passes all checks", async (scenario) => {
  const id = await review(scenario, { pass: true });
  await decide(scenario, id, "approve", "");
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], {
    published: true,
    slug: "how-a-mill-grinds",
    teaser: "Water turns the wheel, the wheel turns t",
  });
  assert.equal(job["step_data"].teaser.error.code, "validation_failed");
});

test("article_review_v1 is sent back when a person does not like it", async (scenario) => {
  const id = await review(scenario, { pass: true });
  await decide(scenario, id, "reject", "Too loud");
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], { published: false, notes: "Too loud" });
});

for (
  const [step, verdict, input] of [
    ["slug", { pass: true }, { title: "Mühle!" }],
    ["tags", { pass: true }, { tags: [] }],
    ["wording", { pass: false, notes: "says 'synergy'" }, {}],
  ] as const
) {
  test(`article_review_v1 fails when its ${step} does not pass its check`, async (scenario) => {
    const job = await scenario.ended(await review(scenario, verdict, input));
    assert.equal(job["status"], "failed");
    assert.equal(job["error"].code, "validation_failed");
    assert.equal(job["current_step_id"], step);
    assert.match(job["error_message"], new RegExp(`output of step '${step}' does not pass`));
  });
}
