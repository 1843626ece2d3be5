/**
 * The beginning of a text, of at most so many UTF-16 units. Not cut through a character: Postgres
 * cannot keep half of a surrogate pair.
 */
export function cutText(text: string, units: number): string {
  return text.length <= units ? text : text.slice(0, units).replace(/[\ud800-\udbff]$/, "");
}
