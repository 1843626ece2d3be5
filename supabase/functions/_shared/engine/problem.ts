import type { Place } from "./place.ts";
import { cutText } from "./text.ts";

/** One fault that a check has found: where, and a clause that says what must be otherwise. */
export interface Problem {
  path: Place;
  message: string;
}

/** Takes the problems that a check finds, so that it can go on and find them all. */
export type Report = (problem: Problem) => void;

const LONGEST_SHOWN = 80;

/** A value as an error message shows it: JSON, cut where it is long. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= LONGEST_SHOWN ? text : `${cutText(text, LONGEST_SHOWN)}…`;
}
