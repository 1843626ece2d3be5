import assert from "node:assert/strict";
import { call, post } from "../support/call.ts";
import { openDatabase } from "../support/database.ts";
import { callBeyondLimit } from "../support/rate_limit.ts";
import { testStack } from "../support/stack.ts";
import { signToken } from "../support/token.ts";
import { createUser } from "../support/user.ts";
import { createWorkflow, ECHO_DEFINITION } from "../support/workflow.ts";

const stack = await testStack();
const user = await createUser(stack);
const workflowId = await withDatabase((db) => createWorkflow(db));
const strictWorkflowId = await withDatabase((db) =>
  createWorkflow(db, {
    ...ECHO_DEFINITION,
    input_schema: {
      type: "object",
      required: ["url"],
      properties: { url: { type: "string" }, count: { type: "integer", minimum: 1 } },
    },
  })
);

/** Later than any test: a job that nobody takes meanwhile. */
const LATER = "2040-01-31T12:00:00.123456Z";

async function withDatabase<Result>(
  use: (db: ReturnType<typeof openDatabase>) => Promise<Result>,
): Promise<Result> {
  await using db = openDatabase(stack);
  return await use(db);
}

async function countJobs(idempotencyKey: string): Promise<number> {
  return await withDatabase(async (db) => {
    const rows = await db`select from jobs where idempotency_key = ${idempotencyKey}`;
    return rows.length;
  });
}

Deno.test("start-workflow answers 201 with the job that it has made", async () => {
  const input = { payload: "Hello" };
  const body = { workflow_id: workflowId, input_data: input };
  const answer = await post(stack, "start-workflow", body, user);
  assert.equal(answer.status, 201);
  assert.deepEqual(Object.keys(answer.body).sort(), ["created_at", "job_id", "status"]);
  assert.equal(answer.body.status, "pending");
  assert.ok(Math.abs(Date.parse(answer.body.created_at) - Date.now()) < 60_000);
  assert.match(answer.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);

  await withDatabase(async (db) => {
    const [job] = await db`
      select user_id, workflow_id, input_data, priority, metadata from jobs
      where id = ${answer.body.job_id}`;
    assert.deepEqual({ ...job }, {
      user_id: user.id,
      workflow_id: workflowId,
      input_data: input,
      priority: 5,
      metadata: {},
    });
  });
});

Deno.test("start-workflow stores run_at, priority, metadata and the caller's trace", async () => {
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const answer = await call(stack, "start-workflow", {
    method: "POST",
    as: user,
    headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` },
    body: { workflow_id: workflowId, run_at: LATER, priority: 9, metadata: { order: "A-1" } },
  });
  assert.equal(answer.status, 201);
  await withDatabase(async (db) => {
    const [job] = await db`
      select status, priority, metadata, input_data, run_at = ${LATER}::text::timestamptz as run_at_kept,
        replace(trace_id::text, '-', '') as trace
      from jobs where id = ${answer.body.job_id}`;
    assert.deepEqual({ ...job }, {
      status: "pending",
      priority: 9,
      metadata: { order: "A-1" },
      input_data: {},
      run_at_kept: true,
      trace,
    });
  });
});

Deno.test("start-workflow gives strings back as they came", async () => {
  const input = {
    sql: "'; drop table jobs; --",
    quotes: `"'\`\\ \\u0041 $1 {{x}} %s`,
    unicode: "Grüße 😀 漢字 \u202E \u2028 \u0001 \uFFFF",
    "odd key 😀 '": 1,
    __proto__x: { "": [null, true, 1.5, -0.1, 9007199254740991, "{}", "[1]"] },
    template: "$.job_input.x",
  };
  const body = { workflow_id: workflowId, input_data: input, run_at: LATER };
  const answer = await post(stack, "start-workflow", body, user);
  assert.equal(answer.status, 201);
  const job = await call(stack, `get-job/${answer.body.job_id}`, { as: user });
  assert.deepEqual(job.body.input_data, input);
});

Deno.test("start-workflow answers a repeat with 200 and the same job", async () => {
  const key = crypto.randomUUID();
  const body = { workflow_id: workflowId, input_data: { a: 1, b: [2] }, idempotency_key: key };
  const first = await post(stack, "start-workflow", body, user);
  const again = { ...body, input_data: { b: [2], a: 1 } };
  const second = await post(stack, "start-workflow", again, user);
  assert.deepEqual([first.status, second.status], [201, 200]);
  assert.equal(second.body.job_id, first.body.job_id);
  assert.equal(await countJobs(key), 1);

  for (const other of [{ input_data: { a: 2 } }, { workflow_id: strictWorkflowId }]) {
    const conflict = await post(stack, "start-workflow", {
      ...body,
      input_data: { ...body.input_data, url: "x" },
      ...other,
    }, user);
    assert.deepEqual([conflict.status, conflict.body.error?.code], [409, "idempotency_conflict"]);
  }
  assert.equal(await countJobs(key), 1);
});

Deno.test("start-workflow makes one job of many equal starts at the same time", async () => {
  const key = crypto.randomUUID();
  const body = { workflow_id: workflowId, input_data: { a: 1 }, idempotency_key: key };
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => post(stack, "start-workflow", body, user)),
  );
  assert.equal(new Set(answers.map((answer) => answer.body.job_id)).size, 1);
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [
    ...Array(9).fill(200),
    201,
  ]);
  assert.equal(await countJobs(key), 1);
});

Deno.test("start-workflow keeps the keys of users apart", async () => {
  const key = crypto.randomUUID();
  const body = { workflow_id: workflowId, idempotency_key: key, run_at: LATER };
  const other = await createUser(stack);
  const answers = [
    await post(stack, "start-workflow", body, user),
    await post(stack, "start-workflow", { ...body, input_data: { x: 1 } }, other),
  ];
  assert.deepEqual(answers.map((answer) => answer.status), [201, 201]);
});

for (const id of ["no_such_workflow", "'; drop table workflows; --", "a,b(c).d:e", "😀"]) {
  Deno.test(`start-workflow answers 404 for workflow ${id}`, async () => {
    const answer = await post(stack, "start-workflow", { workflow_id: id }, user);
    assert.deepEqual([answer.status, answer.body.error.code], [404, "workflow_not_found"]);
    assert.ok(answer.body.error.message.includes(id));
  });
}

Deno.test("start-workflow answers 422 with every fault of the input", async () => {
  const body = { workflow_id: strictWorkflowId, input_data: { url: 7, count: 0 } };
  const answer = await post(stack, "start-workflow", body, user);
  assert.deepEqual([answer.status, answer.body.error.code], [422, "input_invalid"]);
  const paths = answer.body.error.details.map((fault: { path: string }) => fault.path);
  assert.deepEqual(paths.sort(), ["input_data.count", "input_data.url"]);
  const fits = { workflow_id: strictWorkflowId, input_data: { url: "x" } };
  assert.equal((await post(stack, "start-workflow", fits, user)).status, 201);
});

const valid = { workflow_id: workflowId, run_at: LATER };
const wrap = (text: string) => `{"workflow_id":"${workflowId}","input_data":${text}}`;
const BAD: [name: string, body: unknown, status: number, code: string, about: RegExp][] = [
  ["malformed JSON", '{"workflow_id": ', 400, "malformed_json", /position 16/],
  ["no JSON at all", "workflow_id=x", 400, "malformed_json", /position 0/],
  ["an array", [], 400, "invalid_request", /object/],
  ["null", "null", 400, "invalid_request", /object/],
  ["no workflow_id", {}, 400, "invalid_request", /'workflow_id' is missing/],
  ["a number for workflow_id", { workflow_id: 1 }, 400, "invalid_request", /'workflow_id' must/],
  ["an unknown field", { ...valid, user_id: user.id }, 400, "invalid_request", /'user_id' is not/],
  ["an engine's field", { ...valid, lease_token: "x" }, 400, "invalid_request", /'lease_token'/],
  [
    "an array for input_data",
    { ...valid, input_data: [1] },
    400,
    "invalid_request",
    /'input_data'/,
  ],
  ["a string for priority", { ...valid, priority: "9" }, 400, "invalid_request", /'priority'/],
  ["a priority of 10", { ...valid, priority: 10 }, 400, "invalid_request", /'priority'/],
  [
    "a run_at without offset",
    { ...valid, run_at: "2030-01-01 00:00" },
    400,
    "invalid_request",
    /'run_at'/,
  ],
  ["metadata that is no object", { ...valid, metadata: "x" }, 400, "invalid_request", /'metadata'/],
  [
    "large metadata",
    { ...valid, metadata: { x: "y".repeat(20_000) } },
    400,
    "invalid_request",
    /'metadata'/,
  ],
  ["\\u0000", wrap('{"a":["\\u0000"]}'), 400, "invalid_request", /'input_data\.a\[0\]'.*\\u0000/],
  ["\\u0000 in a key", wrap('{"a\\u0000":1}'), 400, "invalid_request", /\\u0000/],
  ["half a surrogate pair", wrap('{"a":"\\ud800"}'), 400, "invalid_request", /surrogate/],
  ["2^53 + 1", wrap('{"n":9007199254740993}'), 400, "invalid_request", /'input_data\.n'.*digits/],
  ["1e999", wrap('{"n":1e999}'), 400, "invalid_request", /'input_data\.n'/],
  ["deep nesting", wrap("[".repeat(200) + "]".repeat(200)), 400, "invalid_request", /nest/],
  ["nesting of a million", "[".repeat(1_000_000), 400, "invalid_request", /nest/],
  [
    "an input over 1 MiB",
    { ...valid, input_data: { x: "y".repeat(1_050_000) } },
    413,
    "payload_too_large",
    /'input_data'/,
  ],
  [
    "a body over the limit",
    { ...valid, input_data: { x: "y".repeat(2_000_000) } },
    413,
    "payload_too_large",
    /body/,
  ],
];

for (const [name, body, status, code, about] of BAD) {
  Deno.test(`start-workflow answers ${status} for ${name}, and starts nothing`, async () => {
    const answer = await post(stack, "start-workflow", body, user);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    const { error } = answer.body;
    assert.equal(error.code, code);
    assert.match(error.message, about);
    assert.equal(error.request_id, answer.headers.get("x-request-id"));
  });
}

Deno.test("start-workflow answers 415 for another media type", async () => {
  const headers = { "content-type": "text/plain" };
  const answer = await call(stack, "start-workflow", {
    method: "POST",
    body: valid,
    headers,
    as: user,
  });
  assert.deepEqual([answer.status, answer.body.error.code], [415, "unsupported_media_type"]);
});

Deno.test("start-workflow answers 405 with Allow for GET, 404 below its path", async () => {
  const get = await call(stack, "start-workflow", { as: user });
  assert.deepEqual([get.status, get.headers.get("allow")], [405, "POST, OPTIONS"]);
  assert.equal((await post(stack, "start-workflow/x", valid, user)).status, 404);
});

Deno.test("start-workflow lets a browser ask first", async () => {
  const answer = await call(stack, "start-workflow", {
    method: "OPTIONS",
    headers: { origin: "https://app.example", "access-control-request-method": "POST" },
  });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
  assert.match(answer.headers.get("access-control-allow-headers") ?? "", /authorization/);
});

const now = Math.floor(Date.now() / 1000);
const claims = {
  sub: user.id,
  role: "authenticated",
  aud: "authenticated",
  iat: now,
  exp: now + 600,
};
const [header = "", payload = "", signature = ""] = user.token.split(".");
const TOKENS: Record<string, string | undefined> = {
  "no token": undefined,
  "the publishable key": stack.publishableKey,
  "the secret key": stack.secretKey,
  "rubbish": "rubbish",
  "a forged token": await signToken("another secret, also of some length", claims),
  "a token without signature": `${header}.${payload}.`,
  "a token signed with 'none'": `${
    btoa('{"alg":"none"}').replaceAll("=", "")
  }.${payload}.${signature}`,
  "a changed token": `${header}.${payload.slice(0, -2)}AA.${signature}`,
  ...(stack.jwtSecret === undefined ? {} : {
    "an expired token": await signToken(stack.jwtSecret, { ...claims, exp: now - 1 }),
    "the anon key as JWT": await signToken(stack.jwtSecret, { role: "anon", exp: now + 600 }),
    "the service key as JWT": await signToken(stack.jwtSecret, {
      role: "service_role",
      exp: now + 600,
    }),
    "a token of nobody": await signToken(stack.jwtSecret, { ...claims, sub: crypto.randomUUID() }),
  }),
};

for (const [name, token] of Object.entries(TOKENS)) {
  Deno.test(`start-workflow answers 401 for ${name}`, async () => {
    const answer = await post(stack, "start-workflow", valid, token);
    assert.equal(answer.status, 401, JSON.stringify(answer.body));
    assert.equal(answer.body.error.code, "unauthorized");
    assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/);
  });
}

Deno.test("start-workflow answers 401 for a user who is gone", async () => {
  const gone = await createUser(stack);
  assert.equal((await post(stack, "start-workflow", valid, gone)).status, 201);
  await withDatabase((db) => db`delete from auth.users where id = ${gone.id}`);
  const answer = await post(stack, "start-workflow", valid, gone);
  assert.deepEqual([answer.status, answer.body.error?.code], [401, "unauthorized"]);
});

Deno.test("start-workflow answers 429 with Retry-After when a user has had enough", async () => {
  const busy = await createUser(stack);
  const send = () => post(stack, "start-workflow", valid, busy);
  const answer = await callBeyondLimit(stack, busy, send);
  assert.deepEqual([answer.status, answer.body.error?.code], [429, "rate_limited"]);
  const seconds = Number(answer.headers.get("retry-after"));
  assert.ok(seconds >= 1 && seconds <= 60, String(seconds));
  assert.equal((await post(stack, "start-workflow", valid, user)).status, 201);
});
