/** Whether a result of JSONata counts as true: the rules of its `$boolean`, nothing is false. */
export function isTruthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isTruthy);
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  // A function counts as false; so do NaN and the infinities, which are no JSON.
  if (typeof value === "function") return false;
  return typeof value === "number" ? Number.isFinite(value) && value !== 0 : Boolean(value);
}
