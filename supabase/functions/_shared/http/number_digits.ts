/** What is wrong with a number as written in JSON; `null` when it can be kept as it stands. */
export function numberFault(token: string): string | null {
  const value = Number(token);
  if (!Number.isFinite(value)) return "must be a number within ±1.8e308";
  if (value === 0) {
    return significantDigits(token) === "" ? null : "must not be so small that it becomes 0";
  }
  // A fraction is rounded to 17 digits like everywhere else; beyond 2^53 whole digits would go.
  if (Math.abs(value) < 2 ** 53 || significantDigits(token) === significantDigits(String(value))) {
    return null;
  }
  return "must be a number that keeps its digits beyond 2^53 (send it as a string)";
}

/** The digits that count: no sign, point, exponent, leading or trailing zeros. */
function significantDigits(token: string): string {
  const [mantissa = ""] = token.split(/[eE]/);
  return mantissa.replace(/[-.]/g, "").replace(/^0+/, "").replace(/0+$/, "");
}
