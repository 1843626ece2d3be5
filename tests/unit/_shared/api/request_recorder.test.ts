import assert from "node:assert/strict";
import { createRequestRecorder } from "../../../../supabase/functions/_shared/api/request_recorder.ts";
import { createLog } from "../../../../supabase/functions/_shared/log.ts";
import type { RequestRecord } from "../../../../supabase/functions/_shared/store/api_store.ts";

const RECORD: RequestRecord = { endpoint: "get-job", method: "GET", status: 200, duration_ms: 1 };

function setUp(write?: () => Promise<void>) {
  const written: number[] = [];
  const works: Promise<void>[] = [];
  const lines: string[] = [];
  const record = createRequestRecorder({
    write: (records) => {
      written.push(records.length);
      return write?.() ?? Promise.resolve();
    },
    background: (work) => works.push(work),
    log: createLog({}, { write: (line) => lines.push(line) }),
    gatherMs: 0,
    maxRecords: 5,
  });
  return { record, written, works, lines };
}

Deno.test("createRequestRecorder() writes what gathered in one call", async () => {
  const { record, written, works } = setUp();
  record(RECORD);
  record(RECORD);
  await Promise.all(works);
  assert.deepEqual(written, [2]);
  record(RECORD);
  await Promise.all(works);
  assert.deepEqual(written, [2, 1]);
});

Deno.test("createRequestRecorder() writes once more what came during a write", async () => {
  const late: { record?: () => void } = {};
  const { record, written, works } = setUp(() => {
    late.record?.();
    delete late.record;
    return Promise.resolve();
  });
  late.record = () => record(RECORD);
  record(RECORD);
  await Promise.all(works);
  assert.deepEqual([written, works.length], [[1, 1], 1]);
});

Deno.test("createRequestRecorder() keeps no more than its bound", async () => {
  const { record, written, works } = setUp();
  for (let count = 0; count < 20; count++) record(RECORD);
  await Promise.all(works);
  assert.deepEqual(written, [5]);
});

Deno.test("createRequestRecorder() drops what cannot be written, and says so", async () => {
  const { record, works, lines } = setUp(() => Promise.reject(new Error("down")));
  record(RECORD);
  await Promise.all(works);
  assert.match(lines.join(), /request_records_lost.*down/);
});
