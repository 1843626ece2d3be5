/** A place in a JSON document as people write it: `input_data.items[3]["first name"]`. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (typeof part === "string" && /^[A-Za-z_$][\w$-]*$/.test(part)) {
      text += text === "" ? part : `.${part}`;
    } else text += `[${JSON.stringify(shorten(String(part)))}]`;
  }
  return text;
}

function shorten(key: string): string {
  return key.length <= 100 ? key : `${key.slice(0, 100)}…`;
}
