import { Signal } from "../../../../supabase/functions/_shared/orchestrator/signal.ts";

/** So long that a test that waits for it has failed; a timer that were left behind is reported. */
const LONG = 3_600_000;

Deno.test("wait() ends when the signal is raised", async () => {
  const signal = new Signal();
  const waiting = signal.wait(LONG);
  signal.raise();
  await waiting;
});

Deno.test("wait() ends at once for a signal that was raised before", async () => {
  const signal = new Signal();
  signal.raise();
  signal.raise();
  await signal.wait(LONG);
});

Deno.test("wait() takes one signal at a time, and none twice", async () => {
  const signal = new Signal();
  signal.raise();
  await signal.wait(LONG);
  await signal.wait(1); // would not need the timer if the signal were still raised
  signal.raise();
  await signal.wait(LONG);
});

Deno.test("wait() ends after its time, which may be none", async () => {
  const signal = new Signal();
  for (const ms of [1, 0, -5]) await signal.wait(ms);
});

Deno.test("wait() takes any time, for ever too", async () => {
  const signal = new Signal();
  for (const ms of [Infinity, 1e15]) {
    const waiting = signal.wait(ms);
    signal.raise();
    await waiting;
  }
});
