-- Metrics and alerts, as views for the service role. Each measurement is a function of its window,
-- planned anew for each call: with the window known the planner takes the index on the time for an
-- hour and reads the whole table only where the window asks for most of it.

alter table millrace.settings
  add column alert_failure_rate double precision not null default 0.2
    constraint settings_alert_failure_rate check (alert_failure_rate between 0 and 1),
  add column alert_failed_jobs integer not null default 5
    constraint settings_alert_failed_jobs check (alert_failed_jobs >= 1),
  add column alert_stalled_seconds integer not null default 300
    constraint settings_alert_stalled_seconds check (alert_stalled_seconds >= 1),
  add column alert_running_seconds integer not null default 3600
    constraint settings_alert_running_seconds check (alert_running_seconds >= 1),
  add column alert_queue_seconds integer not null default 60
    constraint settings_alert_queue_seconds check (alert_queue_seconds >= 1),
  add column alert_queue_length integer not null default 10000
    constraint settings_alert_queue_length check (alert_queue_length >= 1),
  add column alert_tick_seconds integer not null default 60
    constraint settings_alert_tick_seconds check (alert_tick_seconds >= 1);
comment on table millrace.settings is
  'Limits of the engine and thresholds of its alerts, one row; change them with an update.';
comment on column millrace.settings.alert_failure_rate is
  'Share of a workflow''s jobs ended in the last hour that failed, from 0 to 1.';
comment on column millrace.settings.alert_failed_jobs is
  'Fewer failed jobs of a workflow than this in the last hour raise no failure_rate alert.';
comment on column millrace.settings.alert_stalled_seconds is
  'How long a lease may be over, or a retry or timer due, before the job counts as stalled.';
comment on column millrace.settings.alert_running_seconds is
  'How long a job may run one step before it counts as stalled.';
comment on column millrace.settings.alert_queue_seconds is 'How long a due job may wait for a claim.';
comment on column millrace.settings.alert_queue_length is 'How many jobs may be due at once.';
comment on column millrace.settings.alert_tick_seconds is
  'How long ago tick() may have run while something is due.';

create view millrace.metric_periods with (security_invoker = true) as
select period.name as period, clock.now - period.length as from_at, clock.now as to_at
from (select millrace.now() as now offset 0) as clock
cross join (values ('last_hour', interval '1 hour'), ('last_day', interval '1 day'),
  ('last_week', interval '7 days')) as period (name, length);
comment on view millrace.metric_periods is 'The windows of the metrics: last_hour, last_day, last_week.';

-- Jobs that ended in the window, by workflow. A child that runs a branch is part of its parent and no
-- job of its own here. A job that was run again has been idle in between: it has no duration.
create function millrace.measure_jobs(p_from timestamptz, p_to timestamptz)
returns table (workflow_id text, ended bigint, completed bigint, failed bigint, cancelled bigint,
  completion_rate double precision, failure_rate double precision,
  duration_avg_seconds double precision, duration_p50_seconds double precision,
  duration_p95_seconds double precision, duration_p99_seconds double precision,
  queued_p50_seconds double precision, queued_p95_seconds double precision)
language plpgsql stable
set search_path = '' set plan_cache_mode = force_custom_plan set jit = off
as $$
begin
  return query
  select job.workflow_id, count(*),
    count(*) filter (where job.status = 'completed'),
    count(*) filter (where job.status = 'failed'),
    count(*) filter (where job.status = 'cancelled'),
    avg(case when job.status = 'completed' then 1.0 else 0.0 end)::double precision,
    avg(case when job.status = 'failed' then 1.0 else 0.0 end)::double precision,
    avg(job.duration) filter (where job.status = 'completed'),
    percentile_cont(0.50) within group (order by job.duration) filter (where job.status = 'completed'),
    percentile_cont(0.95) within group (order by job.duration) filter (where job.status = 'completed'),
    percentile_cont(0.99) within group (order by job.duration) filter (where job.status = 'completed'),
    percentile_cont(0.50) within group (order by job.queued),
    percentile_cont(0.95) within group (order by job.queued)
  from (
    select j.workflow_id, j.status,
      case when j.run_number = 1 then
        extract(epoch from j.completed_at - j.started_at)::double precision end as duration,
      extract(epoch from j.started_at - greatest(j.run_at, j.created_at))::double precision as queued
    from public.jobs j
    where j.completed_at >= p_from and j.completed_at <= p_to and j.branch is null
  ) as job
  group by job.workflow_id;
end;
$$;
comment on function millrace.measure_jobs(timestamptz, timestamptz) is
  'Jobs that ended in a window by workflow: counts, rates of all that ended, durations of the completed ones from claim to end, and how long they were queued. Children that run a branch are not counted; jobs that were run again have no duration.';

-- Attempts that ended in the window, by step.
create function millrace.measure_steps(p_from timestamptz, p_to timestamptz)
returns table (workflow_id text, branch text, step_id text, attempts bigint, completed bigint,
  failed bigint, skipped bigint, retries bigint, redeliveries bigint, failure_rate double precision,
  duration_avg_seconds double precision, duration_p50_seconds double precision,
  duration_p95_seconds double precision, duration_p99_seconds double precision)
language plpgsql stable
set search_path = '' set plan_cache_mode = force_custom_plan set jit = off
as $$
begin
  return query
  select attempt.workflow_id, attempt.branch, attempt.step_id,
    count(*) filter (where attempt.status <> 'skipped'),
    count(*) filter (where attempt.status = 'completed'),
    count(*) filter (where attempt.status = 'failed'),
    count(*) filter (where attempt.status = 'skipped'),
    count(*) filter (where attempt.attempt > 1),
    sum(attempt.redeliveries)::bigint,
    (avg(case when attempt.status = 'failed' then 1.0 else 0.0 end)
      filter (where attempt.status <> 'skipped'))::double precision,
    avg(attempt.duration) filter (where attempt.status <> 'skipped'),
    percentile_cont(0.50) within group (order by attempt.duration) filter (where attempt.status <> 'skipped'),
    percentile_cont(0.95) within group (order by attempt.duration) filter (where attempt.status <> 'skipped'),
    percentile_cont(0.99) within group (order by attempt.duration) filter (where attempt.status <> 'skipped')
  from (
    select j.workflow_id, j.branch, s.step_id, s.status, s.attempt, s.redeliveries,
      extract(epoch from s.ended_at - s.started_at)::double precision as duration
    from public.job_steps s
    join public.jobs j on j.id = s.job_id
    where s.ended_at >= p_from and s.ended_at <= p_to
  ) as attempt
  group by attempt.workflow_id, attempt.branch, attempt.step_id;
end;
$$;
comment on function millrace.measure_steps(timestamptz, timestamptz) is
  'Attempts that ended in a window by workflow, branch (null: none) and step: counts and durations.';

-- What failed in the window and why: attempts (a retry may have saved the job) and jobs.
create function millrace.measure_failures(p_from timestamptz, p_to timestamptz)
returns table (workflow_id text, branch text, step_id text, error_code text,
  failed_attempts bigint, failed_jobs bigint, first_failed_at timestamptz, last_failed_at timestamptz)
language plpgsql stable
set search_path = '' set plan_cache_mode = force_custom_plan set jit = off
as $$
begin
  return query
  select failure.workflow_id, failure.branch, failure.step_id, failure.code,
    count(*) filter (where failure.of_attempt), count(*) filter (where not failure.of_attempt),
    min(failure.at), max(failure.at)
  from (
    select j.workflow_id, j.branch, s.step_id, s.error ->> 'code' as code, s.ended_at as at,
      true as of_attempt
    from public.job_steps s
    join public.jobs j on j.id = s.job_id
    where s.ended_at >= p_from and s.ended_at <= p_to and s.status = 'failed'
    union all
    select j.workflow_id, j.branch, j.current_step_id, j.error ->> 'code', j.completed_at, false
    from public.jobs j
    where j.completed_at >= p_from and j.completed_at <= p_to and j.status = 'failed'
  ) as failure
  group by failure.workflow_id, failure.branch, failure.step_id, failure.code;
end;
$$;
comment on function millrace.measure_failures(timestamptz, timestamptz) is
  'Failed attempts and failed jobs, children too, of a window by workflow, branch, step and error code.';

create function millrace.measure_transformers(p_from timestamptz, p_to timestamptz)
returns table (transformer_id text, attempts bigint, failed bigint, failure_rate double precision,
  duration_avg_seconds double precision, duration_p50_seconds double precision,
  duration_p95_seconds double precision, duration_p99_seconds double precision)
language plpgsql stable
set search_path = '' set plan_cache_mode = force_custom_plan set jit = off
as $$
begin
  return query
  select attempt.transformer_id, count(*), count(*) filter (where attempt.status = 'failed'),
    avg(case when attempt.status = 'failed' then 1.0 else 0.0 end)::double precision,
    avg(attempt.duration),
    percentile_cont(0.50) within group (order by attempt.duration),
    percentile_cont(0.95) within group (order by attempt.duration),
    percentile_cont(0.99) within group (order by attempt.duration)
  from (
    select s.transformer_id, s.status,
      extract(epoch from s.ended_at - s.started_at)::double precision as duration
    from public.job_steps s
    where s.ended_at >= p_from and s.ended_at <= p_to
      and s.transformer_id is not null and s.status <> 'skipped'
  ) as attempt
  group by attempt.transformer_id;
end;
$$;
comment on function millrace.measure_transformers(timestamptz, timestamptz) is
  'Attempts that ended in a window by transformer: counts and durations.';

create function millrace.measure_api(p_from timestamptz, p_to timestamptz)
returns table (endpoint text, method text, requests bigint, client_errors bigint,
  server_errors bigint, error_rate double precision, duration_avg_ms double precision,
  duration_p50_ms double precision, duration_p95_ms double precision, duration_p99_ms double precision)
language plpgsql stable
set search_path = '' set plan_cache_mode = force_custom_plan set jit = off
as $$
begin
  return query
  select r.endpoint, r.method, count(*),
    count(*) filter (where r.status between 400 and 499),
    count(*) filter (where r.status >= 500),
    avg(case when r.status >= 500 then 1.0 else 0.0 end)::double precision,
    avg(r.duration_ms),
    percentile_cont(0.50) within group (order by r.duration_ms),
    percentile_cont(0.95) within group (order by r.duration_ms),
    percentile_cont(0.99) within group (order by r.duration_ms)
  from public.api_requests r
  where r.created_at >= p_from and r.created_at <= p_to
  group by r.endpoint, r.method;
end;
$$;
comment on function millrace.measure_api(timestamptz, timestamptz) is
  'API requests answered in a window by endpoint and method: counts, share of 5xx, durations.';

-- Everything in the indexes of the two queues and of jobs that wait for a slot, once: its cost grows
-- with the jobs at hand, not the finished ones.
create function millrace.measure_queue()
returns table (status text, jobs bigint, due bigint, not_due bigint, waiting_for_slot bigint,
  oldest_due_at timestamptz, oldest_due_seconds double precision)
language plpgsql stable
set search_path = '' set enable_seqscan = off set jit = off
as $$
declare
  v_now timestamptz := millrace.now();
begin
  return query
  select known.status, count(j.next_run_at), count(*) filter (where j.next_run_at <= v_now),
    count(*) filter (where j.next_run_at > v_now),
    case when known.status = 'pending' then (
      select count(*) from public.jobs w where w.wanted_slot is not null) else 0 end,
    min(j.next_run_at) filter (where j.next_run_at <= v_now),
    extract(epoch from v_now - min(j.next_run_at) filter (where j.next_run_at <= v_now))::double precision
  from unnest(array['pending', 'running', 'awaiting_retry', 'waiting']) with ordinality
    as known (status, position)
  left join (
    select queued.status, queued.next_run_at from public.jobs queued
    where queued.queue_place is not null
    union all
    select timed.status, timed.next_run_at from public.jobs timed
    where timed.next_run_at is not null and timed.queue_place is null
  ) as j on j.status = known.status
  group by known.status, known.position
  order by known.position;
end;
$$;
comment on function millrace.measure_queue() is
  'Jobs that have a time at which an orchestrator is to look at them, by status; those running and due have lost their orchestrator; those waiting_for_slot have no such time.';

create function millrace.measure_slots()
returns table (key text, capacity integer, in_use integer, jobs_waiting bigint, oldest_created_at timestamptz)
language plpgsql stable
set search_path = '' set enable_seqscan = off set jit = off
as $$
begin
  return query
  select s.key, s.capacity, s.in_use, count(w.created_at), min(w.created_at)
  from millrace.slots s
  left join public.jobs w on w.wanted_slot = s.key
  group by s.key;
end;
$$;
comment on function millrace.measure_slots() is
  'Slots by key, with the jobs that wait for one.';

create view public.workflow_metrics with (security_invoker = true) as
select p.period, m.* from millrace.metric_periods p
cross join lateral millrace.measure_jobs(p.from_at, p.to_at) as m;
comment on view public.workflow_metrics is
  'Jobs that ended by period (last_hour, last_day, last_week: filter by it) and workflow, without children that run a branch: counts, rates, duration from first claim to end of completed jobs, and how long jobs were queued, in seconds.';

create view public.step_metrics with (security_invoker = true) as
select p.period, m.* from millrace.metric_periods p
cross join lateral millrace.measure_steps(p.from_at, p.to_at) as m;
comment on view public.step_metrics is
  'Attempts by period, workflow, branch (null: none) and step: counts, retries, redeliveries, durations in seconds. Why they failed: failure_metrics.';

create view public.failure_metrics with (security_invoker = true) as
select p.period, m.* from millrace.metric_periods p
cross join lateral millrace.measure_failures(p.from_at, p.to_at) as m;
comment on view public.failure_metrics is
  'Failed attempts and failed jobs, children too, by period, workflow, branch (null: none), step and error code.';

create view public.transformer_metrics with (security_invoker = true) as
select p.period, m.* from millrace.metric_periods p
cross join lateral millrace.measure_transformers(p.from_at, p.to_at) as m;
comment on view public.transformer_metrics is
  'Step execution times by period and transformer, in seconds, with the share of attempts that failed.';

create view public.api_metrics with (security_invoker = true) as
select p.period, m.* from millrace.metric_periods p
cross join lateral millrace.measure_api(p.from_at, p.to_at) as m
where p.period <> 'last_week';
comment on view public.api_metrics is
  'API requests by period (last_hour, last_day: measurements are kept for a day), endpoint and method: counts, share answered with 5xx, durations in milliseconds.';

create view public.queue_metrics with (security_invoker = true) as
select * from millrace.measure_queue();
comment on view public.queue_metrics is
  'The queue by status: jobs, how many of them are due, how many others wait for a slot, and since when the oldest has been due. For running, jobs are leases and due are leases that ran out.';

create view public.slot_metrics with (security_invoker = true) as
select * from millrace.measure_slots();
comment on view public.slot_metrics is
  'Limits by key (concurrency of workflows, max_concurrency of maps): capacity, how many jobs hold a slot, how many wait for one and since when the first of these was started.';

revoke execute on function millrace.measure_jobs(timestamptz, timestamptz),
  millrace.measure_steps(timestamptz, timestamptz),
  millrace.measure_failures(timestamptz, timestamptz),
  millrace.measure_transformers(timestamptz, timestamptz),
  millrace.measure_api(timestamptz, timestamptz), millrace.measure_queue(),
  millrace.measure_slots() from public;
grant execute on function millrace.measure_jobs(timestamptz, timestamptz),
  millrace.measure_steps(timestamptz, timestamptz),
  millrace.measure_failures(timestamptz, timestamptz),
  millrace.measure_transformers(timestamptz, timestamptz),
  millrace.measure_api(timestamptz, timestamptz), millrace.measure_queue(),
  millrace.measure_slots() to service_role;
revoke all on millrace.metric_periods, public.workflow_metrics, public.step_metrics,
  public.failure_metrics, public.transformer_metrics, public.api_metrics, public.queue_metrics,
  public.slot_metrics
  from anon, authenticated, service_role;
grant select on millrace.metric_periods, public.workflow_metrics, public.step_metrics,
  public.failure_metrics, public.transformer_metrics, public.api_metrics, public.queue_metrics,
  public.slot_metrics
  to service_role;
