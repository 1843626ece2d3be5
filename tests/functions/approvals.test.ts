import assert from "node:assert/strict";
import { call, post } from "../support/call.ts";
import { openDatabase, type TestDatabase } from "../support/database.ts";
import { testStack } from "../support/stack.ts";
import { createUser, type TestUser } from "../support/user.ts";
import { insertWaitingJob } from "./support.ts";

const stack = await testStack();
const owner = await createUser(stack);
const boss = await createUser(stack);

/** An open question of a job of the owner's; returns the ids. */
async function ask(
  db: TestDatabase,
  columns: Record<string, unknown> = {},
  asker: TestUser = owner,
): Promise<{ id: string; jobId: string }> {
  const jobId = await insertWaitingJob(db, asker);
  const row = {
    job_id: jobId,
    step_id: "step1",
    visit: 1,
    attempt: 1,
    user_id: asker.id,
    title: "May it?",
    ...columns,
  };
  const [approval] = await db`insert into approvals ${db(row as never)} returning id`;
  return { id: approval?.["id"], jobId };
}

const idsOf = (list: { approvals: { approval_id: string }[] }) =>
  list.approvals.map(({ approval_id }) => approval_id);

Deno.test("GET approvals lists the open ones that the caller may decide, newest first", async () => {
  await using db = openDatabase(stack);
  const [asker, decider] = [await createUser(stack), await createUser(stack)];
  const own = await ask(db, {}, asker);
  const byEmail = await ask(db, { assignees: [decider.email.toUpperCase()] }, asker);
  const byId = await ask(db, { assignees: ["someone-else", decider.id] }, asker);
  await ask(db, { assignees: ["another-role"] }, asker);
  await ask(db, { assignees: [asker.id], allow_self: false }, asker);
  await ask(db, { assignees: [decider.id], status: "expired", decided_at: new Date() }, asker);

  const ofAsker = await call(stack, "approvals", { as: asker });
  assert.equal(ofAsker.status, 200, JSON.stringify(ofAsker.body));
  assert.deepEqual(idsOf(ofAsker.body), [own.id]);
  const ofDecider = await call(stack, "approvals?status=open", { as: decider });
  assert.deepEqual(idsOf(ofDecider.body), [byId.id, byEmail.id]);
  assert.equal(ofDecider.body.next_cursor, null);
});

Deno.test("GET approvals pages, and lists closed ones that the caller can see", async () => {
  await using db = openDatabase(stack);
  const asker = await createUser(stack);
  const closed = { status: "rejected", decided_at: new Date(), decided_by: boss.id };
  const ids = [];
  for (let n = 0; n < 3; n++) {
    ids.unshift((await ask(db, { ...closed, assignees: ["boss"] }, asker)).id);
  }
  const first = await call(stack, "approvals?status=rejected&limit=2", { as: asker });
  assert.deepEqual(idsOf(first.body), ids.slice(0, 2));
  const path = `approvals?status=rejected&limit=2&cursor=${first.body.next_cursor}`;
  const last = await call(stack, path, { as: asker });
  assert.deepEqual([idsOf(last.body), last.body.next_cursor], [ids.slice(2), null]);
});

for (const query of ["status=done", "limit=0", "cursor=x", "user_id=1"]) {
  Deno.test(`GET approvals answers 400 for ${query}`, async () => {
    const answer = await call(stack, `approvals?${query}`, { as: owner });
    assert.deepEqual([answer.status, answer.body.error.code], [400, "invalid_request"]);
  });
}

Deno.test("GET approvals/{id} shows the question to whom it concerns", async () => {
  await using db = openDatabase(stack);
  const details = { amount: 5 };
  const { id, jobId } = await ask(db, { assignees: [boss.id], details });
  const seen = await call(stack, `approvals/${id}`, { as: boss });
  assert.equal(seen.status, 200, JSON.stringify(seen.body));
  const { approval_id, job_id, step_id, title, status, may_decide } = seen.body;
  assert.deepEqual({ approval_id, job_id, step_id, title, status, may_decide }, {
    approval_id: id,
    job_id: jobId,
    step_id: "step1",
    title: "May it?",
    status: "open",
    may_decide: true,
  });
  assert.deepEqual(seen.body.details, details);
  assert.match(seen.body.created_at, /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/);
  assert.equal((await call(stack, `approvals/${id}`, { as: owner })).body.may_decide, false);
});

Deno.test("POST approvals/{id}/decision keeps who decided what, and tells the job", async () => {
  await using db = openDatabase(stack);
  const { id, jobId } = await ask(db, { assignees: [boss.email] });
  const body = { decision: "reject", notes: "not now", form: { why: ["rain"] } };
  const answer = await post(stack, `approvals/${id}/decision`, body, boss);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.deepEqual(answer.body, { approval_id: id, job_id: jobId, status: "rejected" });
  const seen = (await call(stack, `approvals/${id}`, { as: owner })).body;
  const { status, decided_by, notes, form_data } = seen;
  assert.deepEqual({ status, decided_by, notes, form_data }, {
    status: "rejected",
    decided_by: boss.id,
    notes: "not now",
    form_data: { why: ["rain"] },
  });
});

Deno.test("POST approvals/{id}/decision holds an approval to its form, and lists every fault", async () => {
  await using db = openDatabase(stack);
  const form = {
    type: "object",
    required: ["amount", "currency"],
    properties: { amount: { type: "number" }, currency: { enum: ["EUR", "CHF"] } },
  };
  const { id } = await ask(db, { form });
  const decide = (body: unknown) => post(stack, `approvals/${id}/decision`, body, owner);
  for (const given of [{}, { form: { amount: "5", currency: "USD" } }]) {
    const bad = await decide({ decision: "approve", ...given });
    assert.deepEqual([bad.status, bad.body.error.code], [422, "input_invalid"]);
    const paths = bad.body.error.details.map((fault: { path: string }) => fault.path);
    assert.deepEqual(paths.sort(), ["form.amount", "form.currency"]);
  }
  const good = await decide({ decision: "approve", form: { amount: 5, currency: "CHF" } });
  assert.deepEqual([good.status, good.body.status], [200, "approved"], JSON.stringify(good.body));
});

Deno.test("POST approvals/{id}/decision asks for no form where it rejects", async () => {
  await using db = openDatabase(stack);
  const { id } = await ask(db, { form: { required: ["amount"] } });
  const answer = await post(stack, `approvals/${id}/decision`, { decision: "reject" }, owner);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
});

Deno.test("POST approvals/{id}/decision answers 409 to the second who decides", async () => {
  await using db = openDatabase(stack);
  const form = { required: ["amount"] };
  const { id } = await ask(db, { form, assignees: [owner.id, boss.id] });
  const first = { decision: "approve", form: { amount: 1 } };
  assert.equal((await post(stack, `approvals/${id}/decision`, first, boss)).status, 200);
  // Faults of the form are told to nobody who comes too late.
  for (const as of [boss, owner]) {
    const again = await post(stack, `approvals/${id}/decision`, { decision: "approve" }, as);
    assert.deepEqual([again.status, again.body.error.code], [409, "approval_closed"]);
  }
  const seen = (await call(stack, `approvals/${id}`, { as: owner })).body;
  assert.deepEqual([seen.status, seen.decided_by], ["approved", boss.id]);
});

Deno.test("POST approvals/{id}/decision answers 409 when it has expired", async () => {
  await using db = openDatabase(stack);
  const late = await ask(db, { expires_at: new Date("2020-01-01") });
  const answer = await post(stack, `approvals/${late.id}/decision`, { decision: "approve" }, owner);
  assert.deepEqual([answer.status, answer.body.error.code], [409, "approval_closed"]);
});

Deno.test("POST approvals/{id}/decision answers 403 to an owner who may not decide", async () => {
  await using db = openDatabase(stack);
  const form = { required: ["amount"] };
  const ofOther = await ask(db, { assignees: [boss.id], form });
  const notSelf = await ask(db, { assignees: [owner.id], allow_self: false, form });
  for (const { id } of [ofOther, notSelf]) {
    const answer = await post(stack, `approvals/${id}/decision`, { decision: "approve" }, owner);
    assert.deepEqual([answer.status, answer.body.error.code], [403, "forbidden"]);
    assert.equal((await call(stack, `approvals/${id}`, { as: owner })).body.status, "open");
  }
});

Deno.test("approvals answers 404 for what does not concern the caller", async () => {
  await using db = openDatabase(stack);
  const { id } = await ask(db, { assignees: [boss.id] });
  const stranger = await createUser(stack);
  for (const target of [id, crypto.randomUUID(), "7"]) {
    const seen = await call(stack, `approvals/${target}`, { as: stranger });
    const body = { decision: "approve" };
    const decided = await post(stack, `approvals/${target}/decision`, body, stranger);
    for (const answer of [seen, decided]) {
      assert.deepEqual([answer.status, answer.body.error.code], [404, "approval_not_found"]);
    }
  }
});

for (
  const body of [
    undefined,
    {},
    { decision: "approved" },
    { decision: "approve", notes: 1 },
    { decision: "approve", notes: "x".repeat(10_001) },
    { decision: "approve", form: [] },
    { decision: "approve", by: owner.id },
  ]
) {
  Deno.test(`POST approvals/{id}/decision answers 400 for ${JSON.stringify(body)?.slice(0, 50)}`, async () => {
    const target = `approvals/${crypto.randomUUID()}/decision`;
    assert.equal((await post(stack, target, body, owner)).status, 400);
  });
}

Deno.test("approvals answers 401 without a token, 405 to another method", async () => {
  const id = crypto.randomUUID();
  assert.equal((await call(stack, "approvals")).status, 401);
  assert.equal((await call(stack, `approvals/${id}`)).status, 401);
  const decision = `approvals/${id}/decision`;
  assert.equal((await post(stack, decision, { decision: "approve" })).status, 401);
  assert.equal((await post(stack, "approvals", {}, owner)).status, 405);
  assert.equal((await post(stack, `approvals/${id}`, {}, owner)).status, 405);
  const answer = await call(stack, decision, { as: owner });
  assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "POST, OPTIONS"]);
});
