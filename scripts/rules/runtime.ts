import { codeOnly } from "./code.ts";
import { type Fault, faultsOf, type Files, type Rule, within } from "./rule.ts";

/**
 * What functions may use of `Deno`: it is there in Deno 2.1, on which Supabase runs them, and
 * Supabase allows it.
 */
const ALLOWED: ReadonlySet<string> = new Set([
  ...["build", "connect", "connectTls", "env", "errors", "resolveDns", "serve", "startTls"],
  // Types only:
  ...["Conn", "TcpConn", "TlsConn", "NetAddr", "ServeHandlerInfo"],
]);

const MEMBER = /\bDeno\s*\.\s*([A-Za-z]+)/g;
const WHOLE = /(?<!\btypeof\s)\bDeno\b(?!\s*\.\s*[A-Za-z])/g;

/** What Deno 2.1 (V8 13.0) does not have, or Supabase has switched off. */
const TOO_NEW: readonly (readonly [name: string, pattern: RegExp])[] = [
  ["Temporal", /\bTemporal\s*\./g],
  ["RegExp.escape()", /\bRegExp\s*\.\s*escape\b/g],
  ["Uint8Array.fromBase64()", /\bUint8Array\s*\.\s*from(?:Base64|Hex)\b/g],
  ["toBase64()", /\.\s*to(?:Base64|Hex)\s*\(/g],
  ["Math.sumPrecise()", /\bMath\s*\.\s*sumPrecise\b/g],
  ["Error.isError()", /\bError\s*\.\s*isError\b/g],
  ["Iterator.concat()", /\bIterator\s*\.\s*concat\b/g],
  ["DisposableStack", /\b(?:Async)?DisposableStack\b/g],
  ["WebSocketStream", /\bWebSocketStream\b/g],
  ["Worker", /\bnew\s+Worker\b/g],
];

/** Supabase's runtime is older than the Deno that develops this project. */
export const runtime: Rule = {
  name: "functions use nothing that Supabase's runtime (Deno 2.1) lacks",
  check(files: Files): Fault[] {
    return within(files, "supabase/functions/").flatMap(([path, text]) => {
      const code = codeOnly(text);
      return [
        ...faultsOf(path, code, MEMBER, ([, name = ""]) => name)
          .filter(({ message }) => !ALLOWED.has(message))
          .map(({ place, message }) => ({ place, message: `Deno.${message} is not on the list` })),
        ...faultsOf(path, code, WHOLE, () => "hands Deno on as a whole: name what is used of it"),
        ...TOO_NEW.flatMap(([name, pattern]) =>
          faultsOf(path, code, pattern, () => `${name} is not there on Supabase`)
        ),
      ];
    });
  },
};
