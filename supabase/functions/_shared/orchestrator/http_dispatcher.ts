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

/** Tasks of more than this together travel apart: executors bound what they read at once. */
const MAX_CALL_CHARACTERS = 8 * 1024 * 1024;

/** Posts tasks to Edge Functions and reads their results as they stream back. */
export function createHttpDispatcher(options: HttpDispatcherOptions): Dispatcher {
  return {
    dispatch(targetFunction, tasks) {
      for (const call of inCalls(tasks)) {
        const batch = new Batch(targetFunction, call.tasks, options);
        send(targetFunction, call.body, batch, options).catch((error: unknown) => {
          options.log.error("dispatch_failed", { target_function: targetFunction, error });
          batch.loseAll("the call failed");
        });
      }
    },
  };
}

interface Call {
  tasks: TaskOut[];
  body: string;
}

function inCalls(tasks: readonly TaskOut[]): Call[] {
  const calls: { tasks: TaskOut[]; texts: string[]; length: number }[] = [];
  for (const out of tasks) {
    const text = JSON.stringify(out.task);
    const last = calls.at(-1);
    if (last !== undefined && last.length + text.length <= MAX_CALL_CHARACTERS) {
      last.tasks.push(out);
      last.texts.push(text);
      last.length += text.length;
    } else {
      calls.push({ tasks: [out], texts: [text], length: text.length });
    }
  }
  return calls.map((call) => ({ tasks: call.tasks, body: `{"tasks":[${call.texts.join(",")}]}` }));
}

async function send(
  targetFunction: string,
  body: string,
  batch: Batch,
  { functionsUrl, secretKey, maxPayloadBytes }: HttpDispatcherOptions,
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(`${functionsUrl}/${targetFunction}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", apikey: secretKey },
      body,
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
