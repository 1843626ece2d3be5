import type { Filter } from "./filter.ts";

/** What one step of a path picks among the children of a place. */
export type Selector =
  | { readonly kind: "key"; readonly key: string | number }
  | { readonly kind: "any" }
  | { readonly kind: "union"; readonly keys: readonly (string | number)[] }
  | {
    readonly kind: "slice";
    readonly start: number | undefined;
    readonly end: number | undefined;
    readonly step: number;
  }
  | { readonly kind: "filter"; readonly filter: Filter };

/** One step of a path; `deep` is `..`: the place itself and all that stands below it. */
export interface Segment {
  readonly deep: boolean;
  readonly selector: Selector;
}

/** A parsed JSONPath. */
export interface Path {
  /** As it was written, without the trailing `?`. */
  readonly text: string;
  /** The keys in turn, when the path can name only one place. */
  readonly keys: readonly (string | number)[] | undefined;
  readonly segments: readonly Segment[];
  /** Whether a trailing `?` allows that it finds nothing. */
  readonly optional: boolean;
}

/** Says why a text is not a path. */
export class PathSyntaxError extends Error {
  override readonly name = "PathSyntaxError";
}
