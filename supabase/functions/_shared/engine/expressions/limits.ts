/** How many nodes one evaluation may visit: beyond it, a loop would hold up every other job. */
export const MAX_STEPS = 250_000;

/** How many items an array, and how many values a result, may have. */
export const MAX_ITEMS = 1_000_000;

/** How many characters all texts that an evaluation makes or looks at may have together. */
export const MAX_TEXT_WORK = 100_000_000;

/** How many characters a text, and all texts of a result together, may have. */
export const MAX_TEXT = 10_000_000;
