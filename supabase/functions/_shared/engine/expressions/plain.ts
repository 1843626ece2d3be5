import { isRecord, setOwn } from "../json.ts";
import { ExpressionFailure } from "./failure.ts";
import { MAX_ITEMS, MAX_TEXT } from "./limits.ts";

/**
 * Copies a result of JSONata to plain JSON: its arrays carry marks of their own (`sequence`).
 * @throws {ExpressionFailure} when it is nothing, a function, or too large
 */
export function toPlainJson(result: unknown): unknown {
  if (result === undefined) {
    throw new ExpressionFailure("it finds nothing (to allow that, end it with ?? null)");
  }
  return new Copier().copy(result);
}

class Copier {
  #items = 0;
  #text = 0;

  copy(value: unknown): unknown {
    this.#items += 1;
    if (this.#items > MAX_ITEMS) {
      throw new ExpressionFailure(`its result holds more than ${MAX_ITEMS} values`);
    }
    if (Array.isArray(value)) return value.map((item) => this.copy(item));
    if (isFunctionOfJsonata(value)) throw new ExpressionFailure("its result is a function");
    if (isRecord(value)) return this.#copyRecord(value);
    return this.#copyScalar(value);
  }

  #copyRecord(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const copy: Record<string, unknown> = {};
    for (const key of Object.keys(value)) setOwn(copy, key, this.copy(value[key]));
    return copy;
  }

  #copyScalar(value: unknown): unknown {
    switch (typeof value) {
      case "string":
        this.#text += value.length;
        if (this.#text <= MAX_TEXT) return value;
        throw new ExpressionFailure(`its result holds more than ${MAX_TEXT} characters`);
      case "number":
        if (Number.isFinite(value)) return value;
        throw new ExpressionFailure(`its result is a number out of range: ${value}`);
      case "boolean":
        return value;
      default:
        return null;
    }
  }
}

function isFunctionOfJsonata(value: unknown): boolean {
  if (typeof value === "function") return true;
  // Data may well carry the marks; it cannot carry what a real function has.
  if (!isRecord(value)) return false;
  return value["_jsonata_function"] === true && typeof value["implementation"] === "function" ||
    value["_jsonata_lambda"] === true && isRecord(value["environment"]) &&
      typeof value["environment"]["lookup"] === "function";
}
