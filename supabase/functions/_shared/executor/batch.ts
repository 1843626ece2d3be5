import { type Task, taskBatchSchema } from "../contracts/executor.ts";
import { HttpError } from "./http_error.ts";

/**
 * Reads the tasks of a call: at most `maxBytes` of JSON, each task as the contract says, no task
 * twice.
 *
 * @throws {HttpError} 413 when it is larger, 400 naming the place of what does not fit.
 */
export async function readBatch(
  request: Request,
  maxBytes: number,
): Promise<Task[]> {
  const batch = taskBatchSchema.safeParse(
    parseJson(await readText(request, maxBytes)),
  );
  if (!batch.success) {
    throw invalid(
      batch.error.issues.map(({ path, message }) => ({
        path: place(path),
        message,
      })),
    );
  }
  const { tasks } = batch.data;
  const places = new Map<string, number>();
  for (const [index, task] of tasks.entries()) {
    const first = places.get(task.task_id);
    if (first !== undefined) {
      throw invalid([{
        path: `tasks[${index}].task_id`,
        message: `same as tasks[${first}]`,
      }]);
    }
    places.set(task.task_id, index);
    if (Number.isNaN(Date.parse(task.deadline))) {
      throw invalid([{
        path: `tasks[${index}].deadline`,
        message: "not an RFC 3339 time",
      }]);
    }
  }
  return tasks;
}

async function readText(request: Request, maxBytes: number): Promise<string> {
  const tooLarge = () =>
    new HttpError(
      413,
      "payload_too_large",
      `Cannot read a batch of more than ${maxBytes} bytes`,
    );
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) {
    throw tooLarge();
  }
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
    if (error instanceof HttpError) throw error;
    throw new HttpError(
      400,
      "invalid_json",
      "Cannot read the body as UTF-8 text",
    );
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, "invalid_json", "Cannot parse the body as JSON");
  }
}

function invalid(
  issues: readonly { path: string; message: string }[],
): HttpError {
  const [first] = issues;
  return new HttpError(
    400,
    "invalid_request",
    `Cannot accept the batch as ${first?.path || "the body"} is wrong: ${first?.message}`,
    { details: { issues: issues.slice(0, 10) } },
  );
}

function place(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) =>
      typeof key === "number"
        ? `${text}[${key}]`
        : text === ""
        ? String(key)
        : `${text}.${String(key)}`,
    "",
  );
}
