import { type Fault, type Files, type Rule, within } from "./rule.ts";

const FOLDER = "supabase/migrations/";
const NAME = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})_[a-z][a-z0-9]*(?:_[a-z0-9]+)*\.sql$/;

/** The order of migrations is that of their names, here, in the CLI and on hosted projects. */
export const migrations: Rule = {
  name: "migrations are named YYYYMMDDHHMMSS_verb_object.sql, one per moment, and say why",
  check(files: Files): Fault[] {
    const seen = new Map<string, string>();
    return within(files, FOLDER, "").flatMap(([place, text]): Fault[] => {
      const name = place.slice(FOLDER.length);
      const fields = NAME.exec(name)?.slice(1).map(Number);
      const message = (text: string): Fault[] => [{ place, message: text }];
      if (fields === undefined) return message("must be named YYYYMMDDHHMMSS_verb_object.sql");
      if (!isTime(fields)) return message("must begin with a date and time that exist");
      const version = name.slice(0, 14);
      const other = seen.get(version);
      if (other !== undefined) return message(`has the same version as ${other}`);
      seen.set(version, name);
      if (!text.startsWith("-- ")) return message("must begin with a comment that says why");
      return /^\s*(?:begin|commit|rollback)\s*;/im.test(withoutBodies(text))
        ? message("must leave transactions to whoever applies it")
        : [];
    });
  },
};

function isTime(
  [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0]: number[],
): boolean {
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 &&
    minute < 60 && second < 60;
}

/** SQL without the bodies of functions, in which `begin` opens a block. */
function withoutBodies(sql: string): string {
  return sql.replaceAll(/\$(\w*)\$[\s\S]*?\$\1\$/g, "");
}
