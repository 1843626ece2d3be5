/** A finding of Supabase's advisors. */
export interface Finding {
  level: string;
  /** Names the check and what it found fault with. */
  cacheKey: string;
  detail: string;
}

/**
 * What is wrong with findings: those that no reason allows, and reasons for what is not found any
 * more. A reason is kept under the key of one finding, or of a whole check (`unused_index_*`), and
 * only for findings of level INFO.
 */
export function judgeAdvice(
  findings: readonly Finding[],
  allowed: Readonly<Record<string, string>>,
): string[] {
  const used = new Set<string>();
  const faults = findings.flatMap(({ level, cacheKey, detail }) => {
    const reason = level === "INFO" ? Object.keys(allowed).find(covers(cacheKey)) : undefined;
    if (reason === undefined) return [`${level} ${cacheKey}: ${detail}`];
    used.add(reason);
    return [];
  });
  const idle = Object.keys(allowed).filter((key) => !used.has(key));
  return [...faults, ...idle.map((key) => `${key} is allowed and not found: drop the reason`)];
}

function covers(cacheKey: string): (key: string) => boolean {
  return (key) => key.endsWith("*") ? cacheKey.startsWith(key.slice(0, -1)) : key === cacheKey;
}
