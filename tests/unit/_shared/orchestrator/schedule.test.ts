import assert from "node:assert/strict";
import type {
  ClaimedJob,
  JobWrite,
  TurnReply,
  TurnRequest,
} from "../../../../supabase/functions/_shared/contracts/turn.ts";
import { readOrchestratorConfig } from "../../../../supabase/functions/_shared/orchestrator/config.ts";
import { Schedule } from "../../../../supabase/functions/_shared/orchestrator/schedule.ts";

const CONFIG = {
  ...readOrchestratorConfig(() => undefined),
  slots: 10,
  claimSeconds: 60,
  wallSeconds: 140,
  maxSteps: 1_000,
  lingerMs: 5_000,
  leaseSeconds: 30,
};
const DATABASE_NOW = "2026-01-01T00:00:00.000Z";

/** A run's schedule that begins at 0, with its jobs counted by hand. */
class World {
  readonly schedule = new Schedule(CONFIG, 0);
  now = 0;
  held = 0;
  steps = 0;

  get accepting(): boolean {
    return this.schedule.isAccepting(this.now, this.steps);
  }

  get due(): boolean {
    return this.schedule.isTurnDue(this.now, this.held, this.accepting);
  }

  get over(): boolean {
    return this.schedule.isOver(this.now, this.held, this.accepting);
  }

  get msToNext(): number {
    return this.schedule.msToNext(this.now, this.held, this.accepting);
  }

  kick(reason: string): void {
    this.schedule.kicked(reason, this.now);
  }

  /** A turn without duration; answers whether it said that it leaves. */
  turn(
    { claimed = 0, writes = 0, parks = 0, dueIn }: {
      claimed?: number;
      writes?: number;
      parks?: number;
      /** Of the next job, in ms; none by default. */
      dueIn?: number;
    } = {},
  ): boolean {
    const all = Array.from({ length: writes }, (_, n) => ({
      job: { next_run_at: n < parks ? DATABASE_NOW : null },
    })) as JobWrite[];
    const remaining = this.held;
    const look_ahead = this.schedule.looksAhead(remaining, all);
    const leaving = remaining === 0 && this.schedule.mayLeave(this.now, writes, this.accepting);
    const claim = this.accepting ? CONFIG.slots - remaining : 0;
    const request = { writes: all, claim, look_ahead } as unknown as TurnRequest;
    this.schedule.turnStarted(this.now, request);
    const tells = look_ahead && claimed === 0 && dueIn !== undefined;
    this.schedule.turnEnded(this.now, request, {
      now: DATABASE_NOW,
      claimed: Array.from({ length: claimed }, () => ({} as ClaimedJob)),
      next_run_at: tells ? new Date(Date.parse(DATABASE_NOW) + dueIn).toISOString() : null,
    } as unknown as TurnReply);
    this.held += claimed;
    return leaving;
  }
}

Deno.test("Schedule looks at once, and is over when nothing is due", () => {
  const world = new World();
  assert.ok(world.due && !world.over);
  assert.equal(world.turn(), true);
  assert.ok(!world.due && world.over);
});

Deno.test("Schedule looks again for each kick, those during a turn too", () => {
  const world = new World();
  world.turn();
  world.kick("start");
  assert.ok(world.due && !world.over);
  world.turn();
  assert.ok(world.over);
});

const LOOKS: [words: string, dueIn: number | undefined, inMs: number | undefined][] = [
  ["is over where nothing falls due", undefined, undefined],
  ["is over where the next job falls due after its patience", 5_001, undefined],
  ["waits for a job that falls due soon", 3_000, 3_001],
  ["waits for a job at the end of its patience", 5_000, 5_001],
  ["does not look in a circle for a job that is all but due", 1, 5],
  ["does not look in a circle for a due job that somebody has locked", 0, 50],
  ["does not look in a circle for an overdue job that somebody has locked", -86_400_000, 50],
];

for (const [words, dueIn, inMs] of LOOKS) {
  Deno.test(`Schedule ${words}`, () => {
    const world = new World();
    world.turn(dueIn === undefined ? {} : { dueIn });
    assert.equal(world.over, inMs === undefined);
    if (inMs === undefined) return;
    assert.equal(world.msToNext, inMs);
    assert.ok(!world.due);
    world.now += inMs;
    assert.ok(world.due);
    world.turn();
    assert.ok(world.over);
  });
}

Deno.test("Schedule owes a look after a large batch, in which starts did not kick", () => {
  const world = new World();
  world.turn({ claimed: 8 });
  world.held = 0;
  assert.equal(world.turn({ writes: 8 }), false, "it may not leave in between");
  assert.ok(!world.over);
  assert.equal(world.msToNext, 30);
  // A small turn does not pay for it: it may have looked too early.
  world.now += 20;
  assert.equal(world.turn({ writes: 1 }), false);
  assert.ok(!world.over);
  assert.equal(world.msToNext, 10);
  world.now += 10;
  assert.ok(world.due);
  assert.equal(world.turn(), true);
  assert.ok(world.over);
});

for (const reason of ["insert", "message", "tick"]) {
  Deno.test(`Schedule owes a look after the kick '${reason}', after which the database sends none`, () => {
    const world = new World();
    world.kick(reason);
    assert.equal(world.turn(), false, "it may not leave in between");
    assert.ok(!world.over && !world.due);
    assert.equal(world.msToNext, 250);
    world.now += 250;
    assert.ok(world.due);
    assert.equal(world.turn(), true);
    assert.ok(world.over);
  });
}

Deno.test("Schedule looks for messages after a kick of the database though its slots are full", () => {
  const world = new World();
  world.turn({ claimed: CONFIG.slots });
  world.kick("message");
  world.turn();
  assert.equal(world.msToNext, 250);
  world.now += 250;
  assert.ok(world.due && world.schedule.isExtendDue(world.now));
  world.turn();
  assert.ok(!world.due);
  assert.equal(world.msToNext, 10_000);
});

Deno.test("Schedule keeps a look that was asked for until there is a slot for it", () => {
  const world = new World();
  world.turn({ claimed: CONFIG.slots });
  assert.ok(!world.due);
  world.turn({ writes: 1 }); // full: it can claim nothing
  world.held--;
  assert.ok(world.due, "more may be due than it could take");
  world.turn();
  assert.ok(!world.due);
});

Deno.test("Schedule extends leases at a third of their length", () => {
  const world = new World();
  world.turn({ claimed: 1 });
  assert.equal(world.msToNext, 10_000);
  world.now = 9_999;
  assert.ok(!world.due);
  for (const at of [10_000, 20_000, 30_000]) {
    world.now = at;
    assert.ok(world.due && world.schedule.isExtendDue(world.now));
    world.turn();
    assert.ok(!world.due && !world.over);
    assert.equal(world.msToNext, 10_000);
  }
});

Deno.test("Schedule extends at once, for the messages, when it is kicked for another reason than a start", () => {
  const world = new World();
  world.turn({ claimed: 1 });
  world.kick("start");
  assert.ok(!world.schedule.isExtendDue(world.now));
  world.kick("cancel");
  assert.ok(world.schedule.isExtendDue(world.now));
  world.turn();
  assert.ok(!world.due);
});

Deno.test("Schedule asks when a job falls due that it has parked, until it knows", () => {
  const world = new World();
  world.turn({ claimed: 2 });
  assert.ok(!world.schedule.looksAhead(2, []));
  world.held = 1;
  world.turn({ writes: 1, parks: 1, claimed: 1 }); // nothing is told where jobs were claimed
  assert.ok(world.schedule.looksAhead(2, []));
  world.turn({ dueIn: 2_000 });
  assert.equal(world.msToNext, 2_001);
  world.now += 1_000;
  world.turn({ dueIn: 1_000 });
  assert.equal(world.msToNext, 1_001);
  world.now += 1_001;
  assert.ok(world.due);
  world.turn({ dueIn: 3_600_000 });
  assert.ok(!world.schedule.looksAhead(2, []));
  assert.equal(world.msToNext, 7_999, "only the extension is left");
});

Deno.test("Schedule may leave with its last turn once it takes no more work", () => {
  const world = new World();
  world.turn({ claimed: 8 });
  world.schedule.stop();
  world.held = 0;
  assert.equal(world.turn({ writes: 8 }), true);
  assert.ok(!world.over, "the database relies on a look");
  assert.ok(!world.schedule.takeOwedLook(world.now));
  world.now += 30;
  assert.ok(world.schedule.takeOwedLook(world.now));
  assert.ok(world.over);
});

const ENDS: [words: string, change: (world: World) => void][] = [
  ["has claimed for its time", (world) => world.now = 60_000],
  ["has made its steps", (world) => world.steps = 1_000],
  ["is told to", (world) => world.schedule.stop()],
];

for (const [words, change] of ENDS) {
  Deno.test(`Schedule takes no more work when it ${words}, but finishes what it holds`, () => {
    const world = new World();
    world.turn({ claimed: 8 }); // it owes a look
    world.kick("start");
    change(world);
    assert.ok(!world.accepting);
    world.turn(); // the extension that may be due
    assert.ok(!world.due && !world.over);
    // It neither looks nor turns in a circle for what it will not take.
    world.now += 100;
    assert.ok(world.schedule.takeOwedLook(world.now), "another run is to look");
    assert.ok(world.msToNext >= 9_000, `waits for ${world.msToNext} ms`);
    world.held = 0;
    assert.ok(world.over);
  });
}

Deno.test("Schedule is over at its wall clock, whatever it holds", () => {
  const world = new World();
  world.turn({ claimed: 1 });
  world.now = 139_999;
  assert.ok(!world.over);
  world.now = 140_000;
  assert.ok(world.over);
  assert.equal(world.msToNext, 0);
});

const TASKS: [now: number, timeoutSeconds: number, hasTime: boolean][] = [
  [0, 60, true],
  [0, 135, true],
  [0, 135.1, true], // fits into no run
  [0, 86_400, true],
  [75_000, 60, true],
  [75_001, 60, false],
  [1, 135, false],
  [139_000, 0.5, false],
  [139_000, 1_000, true],
];

for (const [now, timeout, hasTime] of TASKS) {
  Deno.test(`hasTimeFor() a task of ${timeout} s after ${now} ms is ${hasTime}`, () => {
    assert.equal(new Schedule(CONFIG, 0).hasTimeFor(now, timeout), hasTime);
  });
}

Deno.test("Schedule never waits for what is past, and never for ever", () => {
  for (const now of [0, 59_999, 60_000, 140_000, 1e12]) {
    for (const held of [0, 1, CONFIG.slots]) {
      const world = new World();
      world.turn({ claimed: held });
      world.now = now;
      assert.ok(world.msToNext >= 0 && Number.isFinite(world.msToNext));
    }
  }
});

Deno.test("Schedule does not wait for a job whose time it cannot read", () => {
  for (const next_run_at of ["infinity", "10000-01-01T00:00:00+00:00"]) {
    const schedule = new Schedule(CONFIG, 0);
    const request = { writes: [], claim: CONFIG.slots, look_ahead: true } as unknown as TurnRequest;
    schedule.turnStarted(0, request);
    schedule.turnEnded(
      0,
      request,
      { now: DATABASE_NOW, claimed: [], next_run_at } as unknown as TurnReply,
    );
    assert.ok(schedule.isOver(0, 0, true), next_run_at);
  }
});
