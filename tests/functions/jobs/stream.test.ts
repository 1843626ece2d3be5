import assert from "node:assert/strict";
import { call } from "../../support/call.ts";
import { openDatabase } from "../../support/database.ts";
import { testStack } from "../../support/stack.ts";
import { createUser, type TestUser } from "../../support/user.ts";
import { insertFailedJob, insertWaitingJob, startLater } from "../support.ts";

const stack = await testStack();
const owner = await createUser(stack);
const accept = "text/event-stream";

interface Message {
  event: string;
  id: string | undefined;
  // deno-lint-ignore no-explicit-any -- tests look into whatever came
  data: any;
}

function parse(text: string): Message[] {
  return text.split("\n\n").filter((part) => part.startsWith("id") || part.startsWith("event"))
    .map((part) => {
      const fields = new Map(
        part.split("\n").map((line) => {
          const colon = line.indexOf(": ");
          return [line.slice(0, colon), line.slice(colon + 2)];
        }),
      );
      return {
        event: fields.get("event") ?? "",
        id: fields.get("id"),
        data: JSON.parse(fields.get("data") ?? "null"),
      };
    });
}

async function open(id: string, as: TestUser): Promise<Response> {
  return await fetch(`${stack.functionsUrl}/jobs/${id}/events`, {
    headers: { accept, apikey: stack.publishableKey, authorization: `Bearer ${as.token}` },
  });
}

async function insertEvents(id: string, ...numbers: number[]): Promise<void> {
  await using db = openDatabase(stack);
  await db`
    insert into job_events (job_id, type, data)
    select ${id}, 'retry_scheduled', jsonb_build_object('n', n)
    from unnest(${numbers}::int[]) as n`;
}

Deno.test("GET jobs/{id}/events streams what happened, and ends with the job", async () => {
  await using db = openDatabase(stack);
  const id = await insertFailedJob(db, owner);
  await insertEvents(id, 1, 2);
  const answer = await call(stack, `jobs/${id}/events`, { as: owner, headers: { accept } });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.ok(answer.headers.get("x-request-id"));
  const messages = parse(answer.body);
  assert.deepEqual(messages.map(({ event }) => event), ["event", "event", "status", "end"]);
  assert.deepEqual(messages.slice(0, 2).map(({ data }) => data.data), [{ n: 1 }, { n: 2 }]);
  assert.equal(messages[0]?.id, String(messages[0]?.data.id));
  assert.deepEqual(messages[2]?.data, {
    job_id: id,
    status: "failed",
    current_step_id: "step1",
    run_number: 1,
  });
  assert.deepEqual(messages[3]?.data, { reason: "job_ended" });
});

Deno.test("GET jobs/{id}/events goes on after Last-Event-ID", async () => {
  await using db = openDatabase(stack);
  const id = await insertFailedJob(db, owner);
  await insertEvents(id, 1, 2, 3);
  const options = { as: owner, headers: { accept } };
  const first = parse((await call(stack, `jobs/${id}/events`, options)).body)[0];
  const headers = { accept, "last-event-id": first?.id ?? "" };
  const rest = parse((await call(stack, `jobs/${id}/events`, { as: owner, headers })).body);
  assert.deepEqual(
    rest.filter(({ event }) => event === "event").map(({ data }) => data.data.n),
    [2, 3],
  );
});

Deno.test("GET jobs/{id}/events streams more events than one look takes", async () => {
  await using db = openDatabase(stack);
  const id = await insertFailedJob(db, owner);
  const numbers = Array.from({ length: 250 }, (_, index) => index);
  await insertEvents(id, ...numbers);
  const answer = await call(stack, `jobs/${id}/events`, { as: owner, headers: { accept } });
  const events = parse(answer.body).filter(({ event }) => event === "event");
  assert.deepEqual(events.map(({ data }) => data.data.n), numbers);
});

Deno.test("GET jobs/{id}/events tells what happens while it streams", async () => {
  await using db = openDatabase(stack);
  const id = await insertWaitingJob(db, owner);
  const response = await open(id, owner);
  assert.ok(response.body !== null);
  let text = "";
  let changed = false;
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (changed || !text.includes(`"status":"waiting"`)) continue;
    changed = true;
    await db.begin((db) => [
      db`insert into job_events (job_id, type) values (${id}, 'resumed')`,
      db`update jobs set status = 'completed', completed_at = now() where id = ${id}`,
    ]);
  }
  assert.deepEqual(
    parse(text).map(({ event, data }) => [event, data.status ?? data.type ?? data.reason]),
    [["status", "waiting"], ["event", "resumed"], ["status", "completed"], ["end", "job_ended"]],
  );
});

Deno.test("GET jobs/{id}/events stops when the client has gone", async () => {
  const response = await open(await startLater(stack, owner), owner);
  assert.equal(response.status, 200);
  await response.body?.cancel();
});

Deno.test("GET jobs/{id}/events as a stream answers errors as JSON", async () => {
  const id = await startLater(stack, owner);
  const other = await createUser(stack);
  const hidden = await call(stack, `jobs/${id}/events`, { as: other, headers: { accept } });
  assert.deepEqual([hidden.status, hidden.body.error.code], [404, "job_not_found"]);
  assert.equal((await call(stack, `jobs/${id}/events`, { headers: { accept } })).status, 401);
  for (const [path, lastId] of [["events", "x"], ["events", "-1"], ["events?limit=1", ""]]) {
    const headers = { accept, "last-event-id": lastId ?? "" };
    const bad = await call(stack, `jobs/${id}/${path}`, { as: owner, headers });
    assert.deepEqual([bad.status, bad.body.error.code], [400, "invalid_request"]);
  }
});
