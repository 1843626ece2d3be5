import { errorInfo } from "../contracts/errors.ts";
import type { Log } from "../log.ts";
import { Batch } from "./batch.ts";
import type { Dispatcher, TaskOut } from "./dispatcher.ts";
import { readLines } from "./read_lines.ts";

/** What calls of executors need. */
export interface HttpDispatcherOptions {
  /** `…/functions/v1`, without a trailing slash. */
  functionsUrl: string;
  /** Goes in the `apikey` header. */
  secretKey: string;
  /** Largest output of a task, in bytes of its JSON. */
  maxPayloadBytes: number;
  log: Log;
}

/** Room for the line around an output. */
const LINE_OVERHEAD = 65_536;

/** Posts tasks to Edge Functions and reads their results as they stream back. */
export function createHttpDispatcher(options: HttpDispatcherOptions): Dispatcher {
  return {
    dispatch(targetFunction, tasks) {
      const batch = new Batch(targetFunction, tasks, options);
      send(targetFunction, tasks, batch, options).catch((error: unknown) => {
        options.log.error("dispatch_failed", { target_function: targetFunction, error });
        batch.loseAll("the call failed");
      });
    },
  };
}

async function send(
  targetFunction: string,
  tasks: readonly TaskOut[],
  batch: Batch,
  { functionsUrl, secretKey, maxPayloadBytes }: HttpDispatcherOptions,
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(`${functionsUrl}/${targetFunction}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", apikey: secretKey },
      body: JSON.stringify({ tasks: tasks.map(({ task }) => task) }),
      signal: batch.signal,
    });
  } catch (error) {
    if (batch.isOver) return;
    return batch.failedToConnect(error);
  }
  if (response.status !== 200) return await batch.refused(response);
  if (response.body === null) return batch.ended();
  try {
    for await (const line of readLines(response.body, maxPayloadBytes + LINE_OVERHEAD)) {
      batch.line(line);
    }
  } catch (error) {
    if (batch.isOver) return;
    return error instanceof RangeError
      ? batch.failAll(
        errorInfo("payload_too_large", `Executor '${targetFunction}': ${error.message}`),
      )
      : batch.loseAll("its answer broke off");
  }
  batch.ended();
}
