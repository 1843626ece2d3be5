import type { Path } from "./path.ts";

const INDEX = /^(0|[1-9]\d*)$/;

/** The child of a value under a key or index; `undefined` where there is none. */
export function child(value: unknown, key: string | number): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) {
    return typeof key === "number" || isIndex(key) ? value[Number(key)] : undefined;
  }
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

/** The value at the one place that the keys name; `undefined` where there is none. */
export function find(root: unknown, keys: readonly (string | number)[]): unknown {
  let value = root;
  for (const key of keys) {
    value = child(value, key);
    if (value === undefined) return undefined;
  }
  return value;
}

/** Says why a path that names one place finds nothing: `$.job_input has no 'order'`. */
export function explainMissing(root: unknown, path: Path): string {
  let value = root;
  let reached = "$";
  for (const key of path.keys ?? []) {
    const next = child(value, key);
    if (next === undefined) return `${reached} ${lack(value, key)}`;
    reached += printKey(key);
    value = next;
  }
  return `${reached} has no value`;
}

function lack(value: unknown, key: string | number): string {
  if (Array.isArray(value)) {
    if (typeof key === "number" || isIndex(key)) return `has ${count(value.length)}`;
    return `is an array, which has no '${key}'`;
  }
  if (value === null) return "is null";
  return typeof value === "object" ? `has no '${key}'` : `is a ${typeof value}`;
}

function count(items: number): string {
  return items === 1 ? "only 1 item" : `only ${items} items`;
}

function printKey(key: string | number): string {
  if (typeof key === "number") return `[${key}]`;
  return /^[\w-]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** Whether a name written after a dot can also be the index of an array. */
function isIndex(name: string): boolean {
  return INDEX.test(name);
}
