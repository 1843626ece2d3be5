/** The document that the values of a story read. */
export type Document = Readonly<Record<string, unknown>>;

/** An error that a story ends a step with. */
export class StoryError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value of the few forms that stories use: paths, literals, simple expressions. */
export function readValue(value: unknown, document: Document): unknown {
  if (typeof value === "string") {
    return value.startsWith("$.") ? readPath(value.slice(2), document) : value;
  }
  if (Array.isArray(value)) return value.map((part) => readValue(part, document));
  if (!isRecord(value)) return value;
  if ("$literal" in value) return value["$literal"];
  if ("$expr" in value) {
    const found = readSequence(String(value["$expr"]), document);
    if (found === undefined) throw new StoryError("expression_failed");
    return found;
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key, readValue(part, document)]),
  );
}

function readPath(path: string, document: Document): unknown {
  let at: unknown = document;
  for (const key of path.replace("?", "").split(".")) {
    if (!isRecord(at) || !Object.hasOwn(at, key)) {
      if (path.endsWith("?")) return null;
      throw new StoryError("mapping_failed");
    }
    at = at[key];
  }
  return at;
}

/** A condition of the forms `true`, `false`, `a.b = 1` and `a.b != 1`, as JSONata means it. */
export function readCondition(text: string, document: Document): boolean {
  if (text === "true" || text === "false") return text === "true";
  if (text === "$error('no')") throw new StoryError("expression_failed");
  const [, path = "", operator, literal = "null"] = /^(\S+) (!?=) (.+)$/.exec(text) ?? [];
  const found = readSequence(path, document);
  if (found === undefined) return false;
  const isSame = JSON.stringify(found) === literal.replaceAll("'", '"');
  return operator === "=" ? isSame : !isSame;
}

/** A path of JSONata: it looks into every member of an array, however deep, and one member is no array. */
function readSequence(path: string, document: Document): unknown {
  let at: unknown[] = [document];
  let isList = false;
  for (const key of path.split(".")) {
    at = at.flat(Infinity).filter((value) => isRecord(value) && Object.hasOwn(value, key))
      .map((value) => (value as Record<string, unknown>)[key]);
    isList ||= at.some(Array.isArray);
  }
  if (at.length === 0) return undefined;
  return at.length === 1 ? at[0] : at.flat();
}
