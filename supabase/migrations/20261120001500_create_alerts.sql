-- Alerts: what is wrong now, in sentences that say what to do. Cheap however long the queue is: it
-- is looked at by its index and no further than an alert needs.

create type millrace.alert as (
  severity text,
  kind text,
  subject text,
  message text,
  value double precision,
  threshold double precision,
  since timestamptz
);
comment on type millrace.alert is
  'Something wrong: severity (critical, warning), kind, what it is about, what to do, the value that broke the threshold, and since when.';
grant usage on type millrace.alert to service_role;

-- What the service role cannot or need not read itself: whether secrets are set (never which
-- values), how the platform answered the last kick, when the tick last ran.
create function millrace.platform_state(
  out missing_secrets text[], out last_tick_at timestamptz, out kick_answered_at timestamptz,
  out kick_problem text
)
language plpgsql stable security definer set search_path = ''
as $$
begin
  missing_secrets := array(
    select needed from unnest(array['millrace_project_url', 'millrace_secret_key']) as needed
    where not exists (select from vault.secrets s where s.name = needed));
  select p.last_tick_at into last_tick_at from millrace.pulse p;
  -- pg_net keeps answers for some hours, of other callers too, and has no index on their ids.
  select r.created, case
      when r.timed_out then 'did not answer within 10 seconds'
      when r.error_msg is not null then 'could not be reached: ' || left(r.error_msg, 200)
      when r.status_code = 401 then 'answered 401: check the Vault secret millrace_secret_key'
      when r.status_code = 404 then 'answered 404: deploy workflow-orchestrator and check the Vault secret millrace_project_url'
      when r.status_code >= 300 then 'answered ' || r.status_code
    end
  into kick_answered_at, kick_problem
  from millrace.pulse p
  join net._http_response r on r.id = any (p.watched_kick_ids)
    and r.created > p.watched_kick_at - interval '5 minutes'
  order by r.id desc
  limit 1;
end;
$$;
comment on function millrace.platform_state() is
  'Missing Vault secrets (names), the last tick, and the last answer of workflow-orchestrator to a kick with what is wrong with it, null when nothing is.';

-- Jobs of the last hour: too many failed, or for reasons that no retry can mend.
create function millrace.job_alerts() returns setof millrace.alert
language plpgsql stable set search_path = ''
as $$
declare
  v_now timestamptz := millrace.now();
  v_from timestamptz := v_now - interval '1 hour';
  v_settings millrace.settings;
begin
  select s.* into strict v_settings from millrace.settings s;
  return query
  select case when m.failure_rate >= 0.5 then 'critical' else 'warning' end, 'failure_rate',
    m.workflow_id,
    format('%s of the %s jobs of workflow ''%s'' that ended in the last hour failed: look at failure_metrics for the steps and codes',
      m.failed, m.ended, m.workflow_id),
    m.failure_rate, v_settings.alert_failure_rate,
    (select min(j.completed_at) from public.jobs j
      where j.completed_at >= v_from and j.completed_at <= v_now
        and j.workflow_id = m.workflow_id and j.status = 'failed' and j.branch is null)
  from millrace.measure_jobs(v_from, v_now) as m
  where m.failed >= v_settings.alert_failed_jobs and m.failure_rate >= v_settings.alert_failure_rate;

  return query
  select 'critical', 'configuration',
    concat_ws('.', f.workflow_id, f.branch, f.step_id),
    format('%s%s failed with %s in the last hour: %s',
      coalesce('Step ''' || concat_ws('.', f.branch, f.step_id) || ''' of ', ''),
      'workflow ''' || f.workflow_id || '''',
      f.error_code, advice.text),
    greatest(f.failed_attempts, f.failed_jobs)::double precision, 1::double precision,
    f.first_failed_at
  from millrace.measure_failures(v_from, v_now) as f
  join (values
    ('config_invalid', 'correct the config of the step or its transformer'),
    ('secret_missing', 'set the environment variable that the job''s error names with supabase secrets set'),
    ('transformer_not_found', 'insert the transformer or correct the step''s transformer_id'),
    ('definition_invalid', 'correct the definition, the job''s error names the place'),
    ('executor_unreachable', 'deploy the transformer''s target_function and check its logs')
  ) as advice (code, text) on advice.code = f.error_code;
end;
$$;
comment on function millrace.job_alerts() is
  'Alerts failure_rate (by workflow) and configuration (by workflow and step) of the last hour.';

-- Due jobs: those whose time has come and those in the start queue. A job that waits for a slot, for
-- children, for a person or for an event is in neither, however long that takes.
create function millrace.look_at_due(p_now timestamptz, p_limit integer)
returns table (id uuid, status text, next_run_at timestamptz)
language plpgsql stable
set search_path = '' set enable_seqscan = off set jit = off
as $$
begin
  return query
  select due.id, due.status, due.next_run_at
  from generate_series(0, 9) as level (priority)
  cross join lateral (
    (select j.id, j.status, j.next_run_at from public.jobs j
      where j.priority = level.priority and j.next_run_at <= p_now and j.queue_place is null
      order by j.next_run_at limit p_limit)
    union all
    (select j.id, j.status, j.next_run_at from public.jobs j
      where j.priority = level.priority and j.queue_place is not null
      order by j.queue_place limit p_limit)
  ) as due;
end;
$$;
comment on function millrace.look_at_due(timestamptz, integer) is
  'Due jobs, of each priority and either queue at most p_limit, the first to be taken.';

-- The queue, at most 1,000 entries of each priority on either side of now.
create function millrace.queue_alerts() returns setof millrace.alert
language plpgsql stable
set search_path = '' set enable_seqscan = off set jit = off
as $$
declare
  v_now timestamptz := millrace.now();
  v_settings millrace.settings;
  v_due integer;
  v_oldest timestamptz;
begin
  select s.* into strict v_settings from millrace.settings s;
  select count(*), min(due.next_run_at) into v_due, v_oldest
  from millrace.look_at_due(v_now, v_settings.alert_queue_length + 1) as due;
  if v_due > v_settings.alert_queue_length then
    return query select 'warning', 'queue_length', 'queue',
      format('More than %s jobs are due: raise max_orchestrators in millrace.settings, or slow down who starts jobs',
        v_settings.alert_queue_length),
      v_due::double precision, v_settings.alert_queue_length::double precision, v_oldest;
  end if;
  if v_oldest < v_now - make_interval(secs => v_settings.alert_queue_seconds) then
    return query select 'warning', 'queue_delay', 'queue',
      format('The oldest due job has waited for %s seconds: check that workflow-orchestrator is deployed and called, then raise max_orchestrators in millrace.settings',
        floor(extract(epoch from v_now - v_oldest))),
      extract(epoch from v_now - v_oldest)::double precision,
      v_settings.alert_queue_seconds::double precision, v_oldest;
  end if;

  return query
  select 'critical', 'stalled_jobs', overdue.status,
    format('Jobs in status ''%s'' are overdue by more than %s seconds (%s, the first is %s): check the logs of workflow-orchestrator',
      overdue.status, v_settings.alert_stalled_seconds, count(*),
      (array_agg(overdue.id order by overdue.next_run_at))[1]),
    count(*)::double precision, v_settings.alert_stalled_seconds::double precision,
    min(overdue.next_run_at)
  from generate_series(0, 9) as level (priority)
  cross join lateral (
    select j.id, j.status, j.next_run_at from public.jobs j
    where j.priority = level.priority and j.queue_place is null
      and j.next_run_at <= v_now - make_interval(secs => v_settings.alert_stalled_seconds)
    order by j.next_run_at limit 1000
  ) as overdue
  where overdue.status <> 'pending'
  group by overdue.status;

  select e.created_at into v_oldest from public.events e
  where e.delivered_at is null order by e.position, e.id limit 1;
  if v_oldest < v_now - make_interval(secs => v_settings.alert_queue_seconds) then
    return query select 'warning', 'event_delay', 'events',
      format('The oldest event that is to be delivered has waited for %s seconds: check that workflow-orchestrator is deployed and called',
        floor(extract(epoch from v_now - v_oldest))),
      extract(epoch from v_now - v_oldest)::double precision,
      v_settings.alert_queue_seconds::double precision, v_oldest;
  end if;

  return query
  select 'warning', 'long_running', held.id::text,
    format('Job %s has been in step ''%s'' of workflow ''%s'' for more than %s seconds: look at the logs of its executor, or cancel it',
      held.id, held.current_step_id, held.workflow_id, v_settings.alert_running_seconds),
    extract(epoch from v_now - held.entered_at)::double precision,
    v_settings.alert_running_seconds::double precision, held.entered_at
  from generate_series(0, 9) as level (priority)
  cross join lateral (
    select j.id, j.status, j.workflow_id, j.current_step_id, coalesce(
      to_timestamp((j.state ->> 'entered_at')::double precision / 1000), j.started_at) as entered_at
    from public.jobs j
    where j.priority = level.priority and j.next_run_at > v_now and j.queue_place is null
    order by j.next_run_at limit 1000
  ) as held
  where held.status = 'running'
    and held.entered_at < v_now - make_interval(secs => v_settings.alert_running_seconds);
end;
$$;
comment on function millrace.queue_alerts() is
  'Alerts queue_length, queue_delay, stalled_jobs (by status: leases, retries and timers that are over and nobody took up), event_delay and long_running (by job).';

create function millrace.platform_alerts() returns setof millrace.alert
language plpgsql stable
set search_path = '' set enable_seqscan = off set jit = off
as $$
declare
  v_now timestamptz := millrace.now();
  v_tick_seconds integer;
  v_state record;
  v_oldest timestamptz;
begin
  select s.alert_tick_seconds into strict v_tick_seconds from millrace.settings s;
  select * into strict v_state from millrace.platform_state();
  return query
  select 'critical', 'secret_missing', missing.name,
    format('The Vault secret ''%s'' is not set, so the database cannot call workflow-orchestrator: select vault.create_secret(<value>, ''%s'')',
      missing.name, missing.name),
    null::double precision, null::double precision, null::timestamptz
  from unnest(v_state.missing_secrets) as missing (name);

  if v_state.kick_problem is not null then
    return query select 'critical', 'orchestrator_unreachable', 'workflow-orchestrator',
      format('The database called workflow-orchestrator, which %s', v_state.kick_problem),
      null::double precision, null::double precision, v_state.kick_answered_at;
  end if;

  select least(min(due.next_run_at), (
    select e.created_at from public.events e where e.delivered_at is null order by e.position, e.id limit 1))
  into v_oldest
  from millrace.look_at_due(v_now, 1) as due;
  if v_oldest < v_now - make_interval(secs => v_tick_seconds)
    and coalesce(v_state.last_tick_at, '-infinity') < v_now - make_interval(secs => v_tick_seconds) then
    return query select 'critical', 'tick_missing', 'millrace-tick',
      format('tick() %s while jobs or events are due: check that pg_cron runs the job ''millrace-tick'' (cron.job, cron.job_run_details)',
        coalesce('last ran at ' || v_state.last_tick_at, 'has not run since the database started')),
      extract(epoch from v_now - v_state.last_tick_at)::double precision,
      v_tick_seconds::double precision, coalesce(v_state.last_tick_at, v_oldest);
  end if;
end;
$$;
comment on function millrace.platform_alerts() is
  'Alerts secret_missing, orchestrator_unreachable and tick_missing.';

create view public.alerts with (security_invoker = true) as
select * from millrace.platform_alerts()
union all
select * from millrace.queue_alerts()
union all
select * from millrace.job_alerts();
comment on view public.alerts is
  'What is wrong now: severity (critical, warning), kind, subject, message (what to do), value, threshold (columns alert_… of millrace.settings), since. Empty when all is well.';

revoke execute on function millrace.platform_state(), millrace.job_alerts(),
  millrace.look_at_due(timestamptz, integer), millrace.queue_alerts(), millrace.platform_alerts()
  from public;
grant execute on function millrace.platform_state(), millrace.job_alerts(),
  millrace.look_at_due(timestamptz, integer), millrace.queue_alerts(), millrace.platform_alerts()
  to service_role;
revoke all on public.alerts from anon, authenticated, service_role;
grant select on public.alerts to service_role;
