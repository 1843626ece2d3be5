import type { Delivery } from "../engine/decision.ts";
import type { Dispatcher, TaskOut } from "./dispatcher.ts";

/** Tasks that wait for the moment when all that belong together are ready. */
export class Outbox {
  private readonly ready = new Map<string, { out: TaskOut; delivery: Delivery }[]>();
  private readonly dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher) {
    this.dispatcher = dispatcher;
  }

  add(delivery: Delivery, out: TaskOut): void {
    const { target_function } = delivery.transformer;
    const waiting = this.ready.get(target_function);
    if (waiting === undefined) this.ready.set(target_function, [{ out, delivery }]);
    else waiting.push({ out, delivery });
  }

  /** Sends all that is ready, as few calls as batch sizes allow. Answers how many calls. */
  flush(): number {
    let calls = 0;
    for (const [name, tasks] of this.ready) {
      for (const batch of inBatches(tasks)) {
        this.dispatcher.dispatch(name, batch);
        calls++;
      }
    }
    this.ready.clear();
    return calls;
  }
}

/** A task that was lost before travels alone, so that it cannot take others with it again. */
function inBatches(tasks: readonly { out: TaskOut; delivery: Delivery }[]): TaskOut[][] {
  const batches: TaskOut[][] = [];
  let current: TaskOut[] = [];
  let room = Infinity;
  for (const { out, delivery } of tasks) {
    if (out.signal.aborted) continue;
    if (delivery.redeliveries > 0) {
      batches.push([out]);
      continue;
    }
    const size = delivery.transformer.batch_size;
    if (current.length >= Math.min(room, size)) {
      batches.push(current);
      current = [];
      room = Infinity;
    }
    room = Math.min(room, size);
    current.push(out);
  }
  if (current.length > 0) batches.push(current);
  return batches;
}
