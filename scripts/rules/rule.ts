/** The project's text files: their content by their path, relative to the root. */
export type Files = ReadonlyMap<string, string>;

/** Something that breaks a rule. */
export interface Fault {
  /** Where: a path, with a line if there is one. */
  place: string;
  /** What is wrong, in a sentence without a full stop. */
  message: string;
}

/** One rule that the whole project has to keep. */
export interface Rule {
  /** What it asks for, in a few words. */
  name: string;
  check(files: Files): Fault[] | Promise<Fault[]>;
}

/** The files of a folder that end with this, in order. */
export function within(files: Files, folder: string, ending = ".ts"): [string, string][] {
  return [...files].filter(([path]) => path.startsWith(folder) && path.endsWith(ending));
}

/** The number of the line in which a character stands, counted from 1. */
export function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** A fault for each match of a pattern (with flag g) in a text. */
export function faultsOf(
  path: string,
  text: string,
  pattern: RegExp,
  message: (match: RegExpExecArray) => string,
): Fault[] {
  return [...text.matchAll(pattern)].map((match) => ({
    place: `${path}:${lineOf(text, match.index)}`,
    message: message(match),
  }));
}
