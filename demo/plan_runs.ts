import type { InputFile } from "./input_file.ts";
import type { SiteFile } from "./site.ts";

const EXAMPLES = new URL("../examples/", import.meta.url);

/** One workflow that the demo runs. */
export interface Run {
  workflowId: string;
  input: Record<string, unknown>;
}

/** What the demo's own site serves, by path. */
export async function siteFiles(file: InputFile | undefined): Promise<Record<string, SiteFile>> {
  return {
    "/orders.json": {
      bytes: await Deno.readFile(new URL("data/orders.json", EXAMPLES)),
      contentType: "application/json",
    },
    "/mill-report.mp3": {
      bytes: await Deno.readFile(new URL("audio/mill-report.mp3", EXAMPLES)),
      contentType: "audio/mpeg",
    },
    ...(file === undefined
      ? {}
      : { "/records.json": { bytes: file.bytes, contentType: "application/json" } }),
  };
}

/** What the demo runs, in this order. */
export async function planRuns(
  siteUrl: string,
  { hasFile, hasGeminiKey }: { hasFile: boolean; hasGeminiKey: boolean },
): Promise<Run[]> {
  const hello = JSON.parse(await Deno.readTextFile(new URL("input/hello_v1.json", EXAMPLES)));
  return [
    { workflowId: "hello_v1", input: hello },
    hasFile
      ? { workflowId: "records_profile_v1", input: { records_url: `${siteUrl}/records.json` } }
      : {
        workflowId: "orders_report_v1",
        input: {
          orders_url: `${siteUrl}/orders.json`,
          report_url: `${siteUrl}/hooks/report`,
          call_owner_above: 25,
        },
      },
    ...(hasGeminiKey
      ? [{
        workflowId: "audio_transcription_v1",
        input: { audio_url: `${siteUrl}/mill-report.mp3` },
      }]
      : []),
  ];
}
