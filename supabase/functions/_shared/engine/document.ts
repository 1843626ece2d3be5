/** The columns of a job that its document shows. Times are RFC 3339. */
export interface DocumentSource {
  id: string;
  workflow_id: string;
  workflow_version: number;
  user_id: string;
  created_at: string;
  started_at: string | null;
  input_data: unknown;
  step_data: Readonly<Record<string, unknown>>;
  /** In a child of a map: its item, and where in the list it stands. */
  item?: unknown;
  index?: number | undefined;
}

/** The one document that every path and expression of a definition reads. */
export type JobDocument = Readonly<Record<string, unknown>>;

/** Builds the document of a job; what it holds is shared with the job, not copied. */
export function jobDocument(job: DocumentSource): JobDocument {
  return {
    ...job.step_data,
    job_input: job.input_data,
    job: {
      id: job.id,
      workflow_id: job.workflow_id,
      workflow_version: job.workflow_version,
      user_id: job.user_id,
      created_at: job.created_at,
      started_at: job.started_at,
    },
    ...(job.index === undefined ? {} : { item: job.item, index: job.index }),
  };
}
