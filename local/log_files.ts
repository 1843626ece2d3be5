import { join } from "node:path";

/** One log file per source (`<folder>/<source>.log`), begun anew by each run of the stack. */
export class LogFiles {
  readonly #files = new Map<string, Deno.FsFile>();

  constructor(readonly folder: string) {
    Deno.mkdirSync(folder, { recursive: true });
  }

  /** Appends a line. */
  write(source: string, line: string): void {
    let file = this.#files.get(source);
    if (file === undefined) {
      file = Deno.openSync(join(this.folder, `${source}.log`), {
        create: true,
        write: true,
        truncate: true,
      });
      this.#files.set(source, file);
    }
    const bytes = new TextEncoder().encode(line + "\n");
    for (let written = 0; written < bytes.length;) {
      written += file.writeSync(bytes.subarray(written));
    }
  }

  /** Closes the files. */
  close(): void {
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
  }
}
