import { ApiError, type Fault } from "../http/errors.ts";

/**
 * 422: the message tells the first fault, `details` lists all.
 *
 * @param verb what cannot be done: `start 'hello_v1' (version 2)`
 */
export function inputInvalid(verb: string, faults: readonly Fault[]): ApiError {
  const [first] = faults;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : "";
  return new ApiError(
    "input_invalid",
    `Cannot ${verb} as '${first?.path}' ${first?.message}${more}`,
    { details: faults },
  );
}
