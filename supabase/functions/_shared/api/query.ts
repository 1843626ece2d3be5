import type { z } from "zod";
import { type Fault, invalidRequest } from "../http/errors.ts";
import type { RequestContext } from "../http/router.ts";
import { validate } from "../http/validate.ts";

/**
 * The request's query as the schema says it is.
 *
 * @throws {ApiError} 400 that lists every fault, parameters given twice among them.
 */
export function readQuery<Schema extends z.ZodType>(
  { query }: Pick<RequestContext, "query">,
  schema: Schema,
): z.infer<Schema> {
  const names = [...query.keys()];
  const repeated: Fault[] = names.filter((name, index) => names.indexOf(name) !== index)
    .map((name) => ({ path: name, message: "must be given once" }));
  if (repeated.length > 0) throw invalidRequest(repeated);
  return validate(schema, Object.fromEntries(query));
}
