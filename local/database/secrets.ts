import type { Sql } from "postgres";

/**
 * Puts the two secrets into Vault by which the database calls functions; a hosted project gets
 * them once by hand. `db` must be connected as superuser.
 */
export async function writeProjectSecrets(db: Sql, apiUrl: string, secretKey: string) {
  for (
    const [name, value] of [["millrace_project_url", apiUrl], ["millrace_secret_key", secretKey]]
  ) {
    const [known] = await db`select id from vault.secrets where name = ${name ?? null}`;
    if (known === undefined) {
      await db`select vault.create_secret(${value ?? null}, ${name ?? null})`;
    } else await db`select vault.update_secret(${known.id}, ${value ?? null})`;
  }
}
