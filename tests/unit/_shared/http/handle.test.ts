import assert from "node:assert/strict";
import { ApiError } from "../../../../supabase/functions/_shared/http/errors.ts";
import { handle } from "../../../../supabase/functions/_shared/http/handle.ts";
import type { Route } from "../../../../supabase/functions/_shared/http/router.ts";
import { createLog } from "../../../../supabase/functions/_shared/log.ts";
import type { RequestRecord } from "../../../../supabase/functions/_shared/store/api_store.ts";
import {
  DatabaseUnavailableError,
  StoreError,
} from "../../../../supabase/functions/_shared/store/errors.ts";

interface Shell {
  call(path: string, init?: RequestInit): Promise<Response>;
  lines: Record<string, unknown>[];
  records: RequestRecord[];
}

function shell(run: Route["run"]): Shell {
  const lines: Record<string, unknown>[] = [];
  const records: RequestRecord[] = [];
  const handler = handle({
    name: "things",
    routes: [
      { method: "GET", path: "/", endpoint: "list-things", run },
      { method: "POST", path: "/", endpoint: "make-thing", run },
      { method: "GET", path: "/{id}", endpoint: "get-thing", run },
      { method: "POST", path: "/all", endpoint: "make-all-things", run },
      { method: "POST", path: "/{id}/stop", endpoint: "stop-thing", run },
    ],
    log: createLog({}, { write: (line) => lines.push(JSON.parse(line)) }),
    observe: (record) => records.push(record),
  });
  return { call: (path, init) => handler(new Request(`http://host${path}`, init)), lines, records };
}

const ok: Route["run"] = (context) =>
  Promise.resolve({ status: 200, body: { params: context.params, trace: context.traceId } });

function failing(error: unknown): Route["run"] {
  return () => Promise.reject(error);
}

Deno.test("handle() answers with JSON that nobody may keep or frame by origin", async () => {
  const response = await shell(ok).call("/things");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/json; charset=utf-8");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  await response.body?.cancel();
});

for (const path of ["/things/a%20b", "/things/a%20b/", "/functions/v1/things/a%20b"]) {
  Deno.test(`handle() finds the operation at ${path}`, async () => {
    const body = await (await shell(ok).call(path)).json();
    assert.deepEqual(body.params, { id: "a b" });
  });
}

for (
  const path of ["/", "/other", "/things/a/b", "/things//stop", "/things/%zz", "/things/a/stop/x"]
) {
  Deno.test(`handle() answers 404 at ${path}`, async () => {
    const response = await shell(ok).call(path, { method: "GET" });
    assert.equal(response.status, 404);
    assert.equal((await response.json()).error.code, "not_found");
  });
}

Deno.test("handle() answers 405 with Allow for a method that the path does not know", async () => {
  const response = await shell(ok).call("/things", { method: "DELETE" });
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("allow"), "GET, POST, OPTIONS");
  assert.equal((await response.json()).error.code, "method_not_allowed");
});

Deno.test("handle() takes a path that is written out for no blank, whatever the method", async () => {
  const made = await shell(ok).call("/things/all", { method: "POST" });
  assert.deepEqual((await made.json()).params, {});
  const read = await shell(ok).call("/things/all");
  assert.deepEqual([read.status, read.headers.get("allow")], [405, "POST, OPTIONS"]);
});

Deno.test("handle() sends a stream as it comes", async () => {
  const body = new Blob(["data: 1\n\n"]).stream();
  const headers = { "content-type": "text/event-stream" };
  const { call } = shell(() => Promise.resolve({ status: 200, body, headers }));
  const response = await call("/things");
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  assert.equal(await response.text(), "data: 1\n\n");
});

Deno.test("handle() answers OPTIONS with what a browser may send", async () => {
  const { call, lines, records } = shell(ok);
  const response = await call("/things/1/stop", { method: "OPTIONS" });
  assert.equal(response.status, 204);
  assert.equal(response.headers.get("access-control-allow-methods"), "POST, OPTIONS");
  assert.match(response.headers.get("access-control-allow-headers") ?? "", /authorization/);
  assert.deepEqual([lines, records], [[], []]);
});

Deno.test("handle() answers OPTIONS at no path of its own with 404", async () => {
  assert.equal((await shell(ok).call("/things/1/x", { method: "OPTIONS" })).status, 404);
});

Deno.test("handle() gives back a sane request id, in the header and in errors", async () => {
  const { call } = shell(failing(new ApiError("forbidden", "No")));
  const response = await call("/things", { headers: { "x-request-id": "req-1.A:b_c" } });
  assert.equal(response.headers.get("x-request-id"), "req-1.A:b_c");
  assert.deepEqual(await response.json(), {
    error: { code: "forbidden", message: "No", request_id: "req-1.A:b_c" },
  });
});

for (const given of ["a b", "<script>", "x".repeat(129)]) {
  Deno.test(`handle() makes a request id of its own for '${given.slice(0, 10)}'`, async () => {
    const response = await shell(ok).call("/things", { headers: { "x-request-id": given } });
    assert.match(response.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
  });
}

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
for (
  const [traceparent, kept] of [
    [`00-${TRACE}-00f067aa0ba902b7-01`, true],
    [`01-${TRACE}-00f067aa0ba902b7-01-more`, true],
    [`00-${TRACE}-00f067aa0ba902b7-01-more`, false],
    [`00-${TRACE}-0000000000000000-01`, false],
    [`00-${"0".repeat(32)}-00f067aa0ba902b7-01`, false],
    [`ff-${TRACE}-00f067aa0ba902b7-01`, false],
    [`00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`, false],
    ["rubbish", false],
  ] as const
) {
  Deno.test(`handle() ${kept ? "keeps" : "replaces"} the trace of ${traceparent}`, async () => {
    const body = await (await shell(ok).call("/things", { headers: { traceparent } })).json();
    assert.match(body.trace, /^[0-9a-f]{32}$/);
    assert.equal(body.trace === TRACE, kept);
  });
}

Deno.test("handle() tells nothing of an unknown error, and logs it", async () => {
  const { call, lines } = shell(failing(new TypeError("secret of db-host-7")));
  const response = await call("/things");
  assert.equal(response.status, 500);
  const text = await response.text();
  assert.doesNotMatch(text, /db-host-7|TypeError|stack/);
  assert.equal(JSON.parse(text).error.code, "internal");
  assert.equal(lines[0]?.["level"], "error");
  assert.match(JSON.stringify(lines[0]), /db-host-7/);
});

Deno.test("handle() tells nothing of Postgres' own messages", async () => {
  const { call } = shell(failing(new StoreError('relation "x" does not exist', "42P01")));
  const text = await (await call("/things")).text();
  assert.doesNotMatch(text, /relation|42P01/);
});

Deno.test("handle() answers 503 with Retry-After when the database is down", async () => {
  const { call } = shell(failing(new DatabaseUnavailableError("connect ECONNREFUSED 10.0.0.7")));
  const response = await call("/things");
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("retry-after"), "5");
  assert.doesNotMatch(await response.text(), /10\.0\.0\.7/);
});

Deno.test("handle() logs one line per request, and records its time", async () => {
  const { call, lines, records } = shell((context) => {
    context.note("user_id", "u1");
    return Promise.resolve({ status: 201, body: {} });
  });
  await call("/things/7/stop?secret=1", { method: "POST" });
  assert.equal(lines.length, 1);
  const { endpoint, method, status, user_id, level } = lines[0] ?? {};
  assert.deepEqual([endpoint, method, status, user_id, level], [
    "stop-thing",
    "POST",
    201,
    "u1",
    "info",
  ]);
  assert.doesNotMatch(JSON.stringify(lines), /secret/);
  assert.equal(records[0]?.endpoint, "stop-thing");
  assert.ok((records[0]?.duration_ms ?? -1) >= 0);
});
