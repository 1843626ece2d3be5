const HOUR = 3600;

/**
 * Reads a timestamp in any of the forms that models write: seconds (`83.5`, `"83.5"`, `"83.5s"`),
 * `MM:SS`, `HH:MM:SS`, each with a fraction after `.` or `,`, and with `:` before three digits of
 * milliseconds, as some models do (`01:23:450`).
 *
 * @returns seconds, rounded to milliseconds; `undefined` when it is none of those.
 */
export function parseTimestamp(value: unknown): number | undefined {
  if (typeof value === "number") {
    return Number.isFinite(value) && value >= 0 ? toMilliseconds(value) : undefined;
  }
  if (typeof value !== "string") return undefined;
  const text = value.trim().replace(/:(\d{3})$/, ".$1").replace(",", ".");
  if (/^\d+(\.\d+)?s?$/.test(text)) {
    return toMilliseconds(Number(text.replace("s", "")));
  }
  const match = /^(?:(\d{1,3}):)?(\d{1,4}):(\d{1,2}(?:\.\d+)?)$/.exec(text);
  if (match === null) return undefined;
  const [, hours, minutes, seconds] = match;
  if (Number(seconds) >= 60 || (hours !== undefined && Number(minutes) >= 60)) {
    return undefined;
  }
  return toMilliseconds(Number(hours ?? 0) * HOUR + Number(minutes) * 60 + Number(seconds));
}

function toMilliseconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
