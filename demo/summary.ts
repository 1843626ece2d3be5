import { count, duration } from "./format.ts";
import type { Outcome } from "./run_workflow.ts";
import type { Span, Terminal } from "./terminal.ts";

/** Sums up the jobs of the demo in a table. */
export function showSummary(terminal: Terminal, outcomes: Outcome[], hasGeminiKey: boolean): void {
  const rows = outcomes.map(({ job, steps, milliseconds }) => ({
    good: job.status === "completed",
    cells: [
      job.workflow_id,
      job.status,
      count(steps.filter(({ state }) => state === "completed").length, "step"),
      duration(milliseconds),
      job.job_id,
    ],
  }));
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...rows.map(({ cells }) => cells[column]?.length ?? 0))
  );
  terminal.line();
  terminal.line(["Jobs", "bold"]);
  for (const { good, cells } of rows) {
    const spans = cells.map((cell, column): Span => {
      const width = widths[column] ?? 0;
      const text = `  ${column === 3 ? cell.padStart(width) : cell.padEnd(width)}`;
      return [text, column === 1 ? (good ? "good" : "bad") : column === 4 ? "dim" : "plain"];
    });
    terminal.line(...spans);
  }
  if (!hasGeminiKey) {
    terminal.line(
      "  audio_transcription_v1  ",
      ["to run it, set GEMINI_API_KEY: https://aistudio.google.com/apikey", "dim"],
    );
  }
}

/** Says what to do next: the same by hand, against a stack that keeps running. */
export function showNext(terminal: Terminal): void {
  const deno = Deno.env.get("npm_command") === "exec" ? `npx -y deno@${Deno.version.deno}` : "deno";
  terminal.line();
  terminal.line(["Next: keep it running, and start a job of your own", "bold"]);
  const lines = [
    `${deno} task dev`,
    "",
    "# in another terminal",
    `eval "$(${deno} task --quiet status -o env)"`,
    `TOKEN=$(curl -s "$API_URL/auth/v1/signup" -H "apikey: $PUBLISHABLE_KEY" \\`,
    `  -H 'content-type: application/json' -d '{"email":"me@example.com","password":"secret-123"}' \\`,
    `  | sed -E 's/.*"access_token":"([^"]+)".*/\\1/')`,
    `curl -s "$FUNCTIONS_URL/start-workflow" -H "apikey: $PUBLISHABLE_KEY" \\`,
    `  -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\`,
    `  -d '{"workflow_id":"hello_v1","input_data":{"payload":"Hello"}}'`,
    `curl -s "$FUNCTIONS_URL/list-jobs" -H "apikey: $PUBLISHABLE_KEY" -H "authorization: Bearer $TOKEN"`,
  ];
  for (const line of lines) terminal.line(`  ${line}`);
  terminal.line();
  terminal.line("  More examples: examples/README.md. Your own data: ", [
    `${deno} task demo FILE.json`,
    "bold",
  ]);
}
