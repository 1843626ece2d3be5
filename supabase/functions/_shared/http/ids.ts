/** The caller's `x-request-id` where it is a sane one, else a new one. */
export function requestIdOf(headers: Headers): string {
  const given = headers.get("x-request-id") ?? "";
  return /^[A-Za-z0-9._:-]{1,128}$/.test(given) ? given : crypto.randomUUID();
}

/** The trace id of a W3C `traceparent` where it is valid, else a new one: 32 hexadecimal digits. */
export function traceIdOf(headers: Headers): string {
  const given = headers.get("traceparent")?.trim() ?? "";
  const match = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/.exec(given);
  const [, traceId = "", parentId = "", more] = match ?? [];
  const valid = /[1-9a-f]/.test(traceId) && /[1-9a-f]/.test(parentId) &&
    !(given.startsWith("00") && more !== undefined); // version 00 has four fields and no more
  return valid ? traceId : crypto.randomUUID().replaceAll("-", "");
}
