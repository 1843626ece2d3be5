import { ExecutorError } from "../_shared/executor/error.ts";

const PLACE = /\{\{(.*?)\}\}/gs;
const PATH = /^(?:\$\.)?[A-Za-z_$][\w-]*(?:\.[\w-]+|\[\d+\])*\??$/;

/** Says what is wrong with a template; `undefined` when nothing is. */
export function checkTemplate(template: string): string | undefined {
  for (const [place, path = ""] of template.matchAll(PLACE)) {
    if (!PATH.test(path.trim())) {
      return `${place} is not a path such as {{name}} or {{a.b[0]}}`;
    }
  }
  const rest = template.replace(PLACE, "");
  return rest.includes("{{") ? "holds {{ without }}" : undefined;
}

/**
 * Fills each `{{path}}` of a template from the task's input. Values are data: a value that holds
 * `{{…}}` is put in as it stands. Objects and arrays appear as JSON; a path with a trailing `?` may
 * find nothing.
 *
 * @throws {ExecutorError} `mapping_failed` when a path finds nothing; it names key and path.
 */
export function fillTemplate(key: string, template: string, input: unknown): string {
  return template.replace(PLACE, (_place, inner: string) => {
    const path = inner.trim();
    const optional = path.endsWith("?");
    const value = lookUp(optional ? path.slice(0, -1) : path, input);
    if (value === undefined || (value === null && optional)) {
      if (optional) return "";
      throw new ExecutorError(
        "mapping_failed",
        `${key}: {{${path}}} finds nothing in the step's input`,
      );
    }
    return typeof value === "string" ? value : JSON.stringify(value);
  });
}

function lookUp(path: string, input: unknown): unknown {
  const keys = path.replace(/^\$\./, "").replaceAll(/\[(\d+)\]/g, ".$1").split(".");
  let value: unknown = input;
  for (const key of keys) {
    // Own properties only: a path never reaches what every object has (constructor, __proto__).
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
