import type jsonata from "jsonata";
import { isRecord, setOwn } from "../json.ts";
import { distinct } from "./distinct.ts";
import { ExpressionFailure } from "./failure.ts";
import { MAX_TEXT } from "./limits.ts";
import { type Environment, runOf } from "./run.ts";
import { type Comparator, sort } from "./sort.ts";

/** What a function of JSONata is called on. */
interface Focus {
  environment: Environment;
}

type Implementation = (this: Focus, ...args: unknown[]) => unknown;

/** Functions that would make a result depend on anything but the context: on clock or chance. */
const DETERMINISTIC: Readonly<Record<string, readonly [signature: string, Implementation]>> = {
  now: ["<s?s?:s>", function (picture, timezone) {
    return runOf(this.environment).formatNow(this, picture, timezone);
  }],
  millis: ["<:n>", function () {
    return runOf(this.environment).now.getTime();
  }],
  random: ["<:n>", function () {
    return runOf(this.environment).random();
  }],
  shuffle: ["<a:a>", function (items) {
    return Array.isArray(items) ? shuffle(items, runOf(this.environment).random) : items;
  }],
};

/** Functions that one short expression could use to take all the memory there is. */
const BOUNDED: Readonly<Record<string, readonly [signature: string, Implementation]>> = {
  sort: [
    "<af?:a>",
    (items, comparator) =>
      Array.isArray(items) ? sort(items, comparator as Comparator | undefined) : items,
  ],
  distinct: [
    "<x:x>",
    (items) => Array.isArray(items) && items.length > 1 ? distinct(items) : items,
  ],
  spread: ["<x-:x>", (value) => spread(value)],
  pad: [
    "<s-ns?:s>",
    (text, width, char) =>
      typeof text === "string" ? pad(text, Number(width), String(char ?? "")) : text,
  ],
};

/** Replaces the functions of JSONata that a durable workflow cannot let be as they are. */
export function overrideFunctions(expression: jsonata.Expression): void {
  for (
    const [name, [signature, implementation]] of Object.entries({ ...DETERMINISTIC, ...BOUNDED })
  ) {
    expression.registerFunction(name, implementation as never, signature);
  }
}

/** `$spread`, in time that grows with what it gives; JSONata's own copies the rest with every item. */
function spread(value: unknown): unknown {
  if (Array.isArray(value)) return value.flatMap(spread);
  return isRecord(value) ? Object.entries(value).map(([key, item]) => pair(key, item)) : value;
}

function pair(key: string, item: unknown): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  setOwn(object, key, item);
  return object;
}

function shuffle(items: readonly unknown[], random: () => number): unknown[] {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
  }
  return shuffled;
}

/** Pads to a width in characters: on the right, or on the left where the width is negative. */
function pad(text: string, width: number, char: string): string {
  const missing = Math.abs(Math.trunc(width)) - [...text].length;
  if (missing <= 0) return text;
  if (missing > MAX_TEXT) {
    throw new ExpressionFailure(`it makes a text of more than ${MAX_TEXT} characters`);
  }
  const fill = [...(char === "" ? " " : char)];
  const rest = fill.slice(0, missing % fill.length).join("");
  const padding = fill.join("").repeat(Math.floor(missing / fill.length)) + rest;
  return width > 0 ? text + padding : padding + text;
}
