const COMMENT_OR_STRING =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g;
const IMPORT = /\b(?:from|import)\s*\(?\s*"([^"]+)"/g;

/** TypeScript without its comments; every line stays on its line. */
export function withoutComments(text: string): string {
  return text.replace(COMMENT_OR_STRING, (part) => part.startsWith("/") ? blank(part) : part);
}

/**
 * TypeScript without its comments, and without what stands in quotation marks. Template literals
 * stay, as there is code in them.
 */
export function codeOnly(text: string): string {
  return text.replace(COMMENT_OR_STRING, (part) => part.startsWith("`") ? part : blank(part));
}

/** What a file imports, statically or not, and exports from elsewhere: specifiers as written. */
export function importsOf(text: string): string[] {
  return [...withoutComments(text).matchAll(IMPORT)].flatMap(([, name]) => name ?? []);
}

function blank(part: string): string {
  return part.replaceAll(/[^\n]/g, " ");
}
