import { type Task, taskBatchSchema } from "../contracts/executor.ts";
import { ApiError, invalidRequest } from "../http/errors.ts";
import { validate } from "../http/validate.ts";

/**
 * Reads the tasks of a call: at most `maxBytes` of JSON, each task as the contract says, no task
 * twice. Unlike the API's own reader it takes any media type and does not look through the JSON,
 * as it is the engine that calls, often, with what the database held.
 *
 * @throws {ApiError} 413 when it is larger, 400 naming the places of what does not fit.
 */
export async function readBatch(request: Request, maxBytes: number): Promise<Task[]> {
  const { tasks } = validate(taskBatchSchema, parseJson(await readText(request, maxBytes)));
  const places = new Map<string, number>();
  for (const [index, task] of tasks.entries()) {
    const first = places.get(task.task_id);
    if (first !== undefined) {
      const path = `tasks[${index}].task_id`;
      throw invalidRequest([{ path, message: `is the same as tasks[${first}].task_id` }]);
    }
    places.set(task.task_id, index);
    if (Number.isNaN(Date.parse(task.deadline))) {
      throw invalidRequest([{ path: `tasks[${index}].deadline`, message: "must be a time" }]);
    }
  }
  return tasks;
}

async function readText(request: Request, maxBytes: number): Promise<string> {
  const tooLarge = () =>
    new ApiError("payload_too_large", `Cannot read a batch of more than ${maxBytes} bytes`);
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge();
  if (request.body === null) return "";
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let size = 0;
  try {
    for await (const chunk of request.body) {
      size += chunk.byteLength;
      if (size > maxBytes) throw tooLarge();
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError("malformed_json", "Cannot read the body as UTF-8 text");
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError("malformed_json", "Cannot parse the body as JSON");
  }
}
