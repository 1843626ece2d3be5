const UNITS_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
const DURATION =
  /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d{1,3})?)s)?(?:(\d+)ms)?$/;
const FACTORS_MS = [7 * UNITS_MS.d, ...Object.values(UNITS_MS)];

/** Reads a duration such as `1d2h`, `90s` or `250ms`; `undefined` for what is none, or no time. */
export function parseDuration(text: string): number | undefined {
  const parts = DURATION.exec(text)?.slice(1) ?? [];
  const ms = parts.reduce((sum, part, i) => sum + Number(part ?? 0) * (FACTORS_MS[i] ?? 0), 0);
  return ms > 0 && Number.isSafeInteger(Math.round(ms)) ? Math.round(ms) : undefined;
}

/** Writes a time in ms as {@link parseDuration} reads it; `0s` for none. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  const parts = Object.entries(UNITS_MS).map(([unit, length]) => {
    const count = Math.floor(rest / length);
    rest -= count * length;
    return count > 0 ? `${count}${unit}` : "";
  });
  return parts.join("") || "0s";
}
