import type { z } from "zod";
import { readJson } from "../http/body.ts";
import type { RequestContext } from "../http/router.ts";
import { validate } from "../http/validate.ts";

/**
 * The request's body as the schema says it is; a body that is left out is an empty object.
 *
 * @throws {ApiError} 400, 413, 415.
 */
export async function readOptional<Schema extends z.ZodType>(
  context: RequestContext,
  schema: Schema,
  maxBytes: number,
): Promise<z.infer<Schema>> {
  const body = await readJson(context.request, maxBytes);
  return validate(schema, body === undefined ? {} : body);
}
