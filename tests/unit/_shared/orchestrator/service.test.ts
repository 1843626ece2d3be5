import assert from "node:assert/strict";
import type { RunSummary } from "../../../../supabase/functions/_shared/orchestrator/run_summary.ts";
import {
  OrchestratorService,
  type ServiceRun,
} from "../../../../supabase/functions/_shared/orchestrator/service.ts";

class FakeRun implements ServiceRun {
  isAccepting = true;
  readonly kicks: string[] = [];
  private readonly ended = Promise.withResolvers<RunSummary>();

  kick(reason: string): void {
    this.kicks.push(reason);
  }

  work(): Promise<RunSummary> {
    return this.ended.promise;
  }

  end(run_id: string): void {
    this.isAccepting = false;
    this.ended.resolve({ run_id } as RunSummary);
  }

  fail(error: Error): void {
    this.isAccepting = false;
    this.ended.reject(error);
  }
}

function aService() {
  const runs: FakeRun[] = [];
  const service = new OrchestratorService(() => {
    const run = new FakeRun();
    runs.push(run);
    return run;
  });
  const run = (at: number) => {
    const found = runs[at];
    assert.ok(found);
    return found;
  };
  return { service, runs, run };
}

Deno.test("kick() starts a run, and hands further kicks to it", async () => {
  const { service, runs, run } = aService();
  const first = service.kick("start");
  const second = service.kick("tick");
  assert.deepEqual([first.joined, second.joined, runs.length], [false, true, 1]);
  assert.deepEqual(run(0).kicks, ["start", "tick"]);
  run(0).end("a");
  assert.equal((await first.done).run_id, "a");
  assert.equal((await second.done).run_id, "a");
});

Deno.test("kick() starts another run when the one before has ended", async () => {
  const { service, runs, run } = aService();
  const first = service.kick("start");
  run(0).end("a");
  await first.done;
  assert.equal(service.kick("start").joined, false);
  assert.equal(runs.length, 2);
  assert.deepEqual([run(0).kicks, run(1).kicks], [["start"], ["start"]]);
});

Deno.test("kick() starts another run beside one that takes no more work, and tells both", () => {
  const { service, runs, run } = aService();
  service.kick("start");
  run(0).isAccepting = false;
  assert.equal(service.kick("cancel").joined, false);
  assert.equal(runs.length, 2);
  assert.deepEqual(
    run(0).kicks,
    ["start", "cancel"],
    "the message may be for a job that it still holds",
  );
  assert.equal(service.kick("message").joined, true);
  assert.deepEqual(run(0).kicks, ["start", "cancel", "message"]);
  assert.deepEqual(run(1).kicks, ["cancel", "message"]);
});

Deno.test("kick() starts another run when the one before has failed", async () => {
  const { service, runs, run } = aService();
  const { done } = service.kick("start");
  run(0).fail(new Error("the database is gone"));
  await assert.rejects(done, /the database is gone/);
  assert.equal(service.kick("start").joined, false);
  assert.equal(runs.length, 2);
});
