/** Most children that one step may start, such as the items of a map. */
export const MAX_CHILDREN = 20_000;

/** Most branches of one `parallel`. */
export const MAX_BRANCHES = 100;

/** How deep jobs may be nested: a root is 0, its children 1, and so on. */
export const MAX_CHILD_DEPTH = 10;

/** How many children of a map run at a time when it does not say. */
export const DEFAULT_MAX_CONCURRENCY = 10;

/** The longest that a step may be told to wait, in seconds: a year. */
export const MAX_WAIT_SECONDS = 366 * 86_400;

/** Time limit of a step in seconds, where the step waits for others than an executor. */
export const MAX_STEP_TIMEOUT_SECONDS = MAX_WAIT_SECONDS;
