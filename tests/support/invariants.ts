import type { TestDatabase } from "./database.ts";

/**
 * What must hold of all jobs, or of those of one workflow, once nothing is going on: the rows that
 * break it, each with the rule's name.
 */
export async function findViolations(
  db: TestDatabase,
  workflowId: string | null = null,
): Promise<{ rule: string; job_id: string }[]> {
  return [
    ...await db<{ rule: string; job_id: string }[]>`
      with j as (
        select * from jobs where ${workflowId}::text is null or workflow_id = ${workflowId}
      ), history as (
        select j.id, entry.value, entry.position,
          lag(entry.value) over (partition by j.id order by entry.position) as before,
          entry.position = jsonb_array_length(j.state_history) as is_last, j.status
        from j, jsonb_array_elements(j.state_history) with ordinality as entry (value, position)
      ), s as (select s.* from job_steps s join j on j.id = s.job_id)
      select 'has not ended' as rule, id as job_id from j
        where status not in ('completed', 'failed', 'cancelled')
      union all select 'is leased', id from j where lease_token is not null
      union all select 'is queued', id from j where next_run_at is not null
      union all select 'asks to be woken', id from j where wake_requested
      union all select 'has mail', job_id from job_inbox where job_id in (select id from j)
      union all select 'waits for an event', job_id from event_waits
        where job_id in (select id from j)
      union all select 'asks a person', job_id from approvals
        where status = 'open' and job_id in (select id from j)
      union all select 'has children that go on', c.parent_job_id from jobs c
        where c.parent_job_id in (select id from j)
          and c.status not in ('completed', 'failed', 'cancelled')
      union all select 'counts children that are not there', id from j
        where open_children <> 0
      union all select 'a slot is counted wrong', s.job_id from millrace.slots s
        where s.in_use <> (select count(*) from jobs o where s.key = any (o.held_slots))
          and (${workflowId}::text is null or s.job_id in (select id from j)
            or starts_with(s.key, 'workflow:' || ${workflowId}::text))
      union all select 'times are out of order', id from j
        where not (created_at <= started_at and started_at <= completed_at)
      union all select 'history skips a status', id from history
        where position > 1 and value ->> 'from' is distinct from before ->> 'to'
      union all select 'history changes nothing', id from history
        where value ->> 'from' = value ->> 'to'
      union all select 'history goes back in time', id from history
        where (value ->> 'at')::timestamptz < (before ->> 'at')::timestamptz
      union all select 'history ends elsewhere', id from history
        where is_last and value ->> 'to' <> status
      union all select 'a step began before its job', s.job_id from s join j on j.id = s.job_id
        where s.started_at < date_trunc('milliseconds', j.started_at)
      union all select 'a visit ended twice', job_id from s where status = 'completed'
        group by job_id, step_id, visit having count(*) > 1
      union all select 'an attempt is missing', job_id from s where attempt > 0
        group by job_id, step_id, visit having max(attempt) <> count(*)
      union all select 'a completed job has an open step', j.id from j
        where j.status = 'completed' and not exists (select from s where s.job_id = j.id)
      order by 1, 2`,
  ];
}
