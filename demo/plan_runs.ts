import type { Client } from "./client.ts";
import type { InputFile } from "./input_file.ts";
import type { SiteFile } from "./site.ts";

const EXAMPLES = new URL("../examples/", import.meta.url);

/** One workflow that the demo runs. */
export interface Run {
  workflowId: string;
  input: Record<string, unknown>;
  /** What its job waits for from outside: done once, as soon as it waits. */
  outside?: Outside;
}

/** Something that happens outside of a workflow. */
export interface Outside {
  /** In a line for the person who watches. */
  text: string;
  happen(client: Client): Promise<void>;
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
  return [
    await example("hello_v1"),
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
    await example("trip_quote_v1"),
    await example("image_batch_v1"),
    { ...await example("payment_wait_v1"), outside: PAYMENT },
    ...(hasGeminiKey
      ? [{
        workflowId: "audio_transcription_v1",
        input: { audio_url: `${siteUrl}/mill-report.mp3` },
      }]
      : []),
  ];
}

const PAYMENT: Outside = {
  text: "the payment comes in: POST /functions/v1/events",
  happen: (client) =>
    client.emit({
      name: "payment.received",
      key: "A-17",
      payload: { cents: 3190, method: "card" },
    }),
};

/** An example with the input that lies beside it. */
async function example(workflowId: string): Promise<Run> {
  const file = new URL(`input/${workflowId}.json`, EXAMPLES);
  return { workflowId, input: JSON.parse(await Deno.readTextFile(file)) };
}
