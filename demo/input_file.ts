import { basename, resolve } from "node:path";
import { DemoError } from "./error.ts";
import { size } from "./format.ts";

/** Bytes that a file may have: it is downloaded and kept as a step's output. */
export const MAX_FILE_BYTES = 8 * 1024 * 1024;

/** A JSON file that the demo runs on. */
export interface InputFile {
  /** Without its folder. */
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** Reads the file that the demo is to run on. @throws DemoError when it is not one of JSON */
export async function readInputFile(given: string): Promise<InputFile> {
  // A task runs in the project's folder, wherever it was called.
  const path = resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), given);
  const bytes = await readBytes(path);
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) throw new DemoError(`${path} is not JSON: ${error.message}`);
    if (error instanceof TypeError) {
      throw new DemoError(`${path} is not JSON: it is not UTF-8 text`);
    }
    throw error;
  }
  return { name: basename(path), bytes };
}

async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { isDirectory, size: bytes } = await Deno.stat(path);
    if (isDirectory) throw new DemoError(`Cannot read ${path} as it is a folder`);
    if (bytes > MAX_FILE_BYTES) {
      throw new DemoError(
        `Cannot run on ${path} as it must be at most ${size(MAX_FILE_BYTES)}: ` +
          `current size is ${size(bytes)}`,
      );
    }
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new DemoError(`There is no file ${path}`);
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new DemoError(`Cannot read ${path} as its permissions do not allow it`);
    }
    throw error;
  }
}
