import assert from "node:assert/strict";
import {
  ApprovalClosedError,
  ApprovalNotFoundError,
  NotAllowedError,
} from "../../../../supabase/functions/_shared/store/errors.ts";
import type {
  ApprovalRow,
  ListApprovals,
} from "../../../../supabase/functions/_shared/store/user_store/approvals.ts";
import { CREATED_AT, fakeFunction, JOB_ID } from "./fake_deps.ts";

const ID = "99999999-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const FORM = { required: ["amount"] };
const APPROVAL: ApprovalRow = {
  id: ID,
  created_at: CREATED_AT,
  status: "open",
  form: null,
  may_decide: true,
};

function deciding(approval: Partial<ApprovalRow>, faults = [{ path: "form", message: "no" }]) {
  const asked: unknown[] = [];
  const checked: unknown[] = [];
  const { call, seen } = fakeFunction("approvals", {
    getApproval: () => Promise.resolve({ ...APPROVAL, ...approval }),
    decideApproval: (...args) => {
      asked.push(args);
      return Promise.resolve({ approval_id: ID, job_id: JOB_ID, status: "approved", kick: true });
    },
  }, {
    checkInput: (...args) => {
      checked.push(args);
      return faults;
    },
  });
  const decide = (body: unknown) => call(`/${ID}/decision`, { method: "POST", body });
  return { decide, seen, asked, checked };
}

Deno.test("decideApproval() answers 200 and kicks", async () => {
  const { decide, seen, asked, checked } = deciding({});
  const reply = await decide({ decision: "approve", notes: "fine", form: { a: 1 } });
  const body = { approval_id: ID, job_id: JOB_ID, status: "approved" };
  assert.deepEqual([reply.status, reply.body, seen.kicks], [200, body, 1]);
  assert.deepEqual(asked, [[ID, { decision: "approve", notes: "fine", form: { a: 1 } }]]);
  assert.deepEqual(checked, []);
});

Deno.test("decideApproval() checks the form, an absent one as empty", async () => {
  const { decide, asked, checked } = deciding({ form: FORM });
  const reply = await decide({ decision: "approve" });
  assert.deepEqual([reply.status, reply.body.error.code], [422, "input_invalid"]);
  assert.deepEqual(checked, [[FORM, {}, "form"]]);
  assert.deepEqual(asked, []);
});

Deno.test("decideApproval() stores what was checked", async () => {
  const { decide, asked } = deciding({ form: {} }, []);
  assert.equal((await decide({ decision: "approve" })).status, 200);
  assert.deepEqual(asked, [[ID, { decision: "approve", notes: undefined, form: {} }]]);
});

for (
  const [name, approval, decision] of [
    ["a rejection", {}, "reject"],
    ["somebody who may not decide", { may_decide: false }, "approve"],
    ["one that is decided", { status: "approved" }, "approve"],
  ] as const
) {
  Deno.test(`decideApproval() does not check the form of ${name}`, async () => {
    const { decide, asked, checked } = deciding({ ...approval, form: FORM });
    await decide({ decision });
    assert.deepEqual([asked.length, checked], [1, []]);
  });
}

for (
  const [error, status, code] of [
    [new ApprovalClosedError("it is approved already", "MR010"), 409, "approval_closed"],
    [new NotAllowedError("you are not one of those who may", "MR011"), 403, "forbidden"],
    [new ApprovalNotFoundError("there is none", "MR012"), 404, "approval_not_found"],
  ] as const
) {
  Deno.test(`decideApproval() answers ${status} for ${error.name}`, async () => {
    const { call } = fakeFunction("approvals", {
      getApproval: () => Promise.resolve(APPROVAL),
      decideApproval: () => Promise.reject(error),
    });
    const options = { method: "POST", body: { decision: "approve" } };
    const reply = await call(`/${ID}/decision`, options);
    assert.deepEqual([reply.status, reply.body.error.code], [status, code]);
    assert.equal(reply.body.error.message, error.message);
  });
}

Deno.test("listApprovals() asks for what the caller may decide, but of closed ones for all", async () => {
  const lists: ListApprovals[] = [];
  const { call } = fakeFunction("approvals", {
    listApprovals: (list) => {
      lists.push(list);
      return Promise.resolve([APPROVAL, APPROVAL].slice(0, list.limit));
    },
  });
  const first = (await call("?limit=1")).body;
  assert.deepEqual(first.approvals, [{ approval_id: ID, ...APPROVAL }]);
  await call(`?status=expired&cursor=${first.next_cursor}`);
  assert.deepEqual(lists, [
    { status: "open", decidable: true, after: undefined, limit: 2 },
    {
      status: "expired",
      decidable: false,
      after: { createdAt: CREATED_AT, id: ID },
      limit: 21,
    },
  ]);
});
