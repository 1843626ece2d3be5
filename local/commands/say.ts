/** Writes a line for the person at the terminal: to standard error, results go to the other. */
export function say(line: string): void {
  // deno-lint-ignore no-console -- the terminal is what it is for
  console.error(line);
}

/** Writes a line of what the command was asked for to standard output. */
export function print(line: string): void {
  // deno-lint-ignore no-console -- results may be piped
  console.log(line);
}
