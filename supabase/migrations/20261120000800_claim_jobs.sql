-- The claim: due jobs to one orchestrator run, each to one only.

-- A job as its new owner needs it, with its mailbox. Read after the lease is taken: a message is
-- either in here, or its sender saw the lease and has set wake_requested.
create function millrace.claimed_jobs(p_job_ids uuid[]) returns json
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  return (
    select coalesce(json_agg(json_build_object(
        'job_id', j.id, 'user_id', j.user_id, 'workflow_id', j.workflow_id,
        'workflow_version', j.workflow_version, 'current_step_id', j.current_step_id,
        'input_data', j.input_data, 'step_data', j.step_data, 'state', j.state,
        'version', j.version, 'redeliveries', j.redeliveries, 'retry_count', j.retry_count,
        'max_retries', j.max_retries, 'created_at', j.created_at, 'started_at', j.started_at,
        'deadline_at', j.deadline_at, 'trace_id', j.trace_id,
        'retry', case when j.next_retry_at is not null then
          json_build_object('at', j.next_retry_at, 'error', j.error) end,
        'messages', coalesce((
          select json_agg(json_build_object('id', m.id, 'kind', m.kind, 'step_id', m.step_id,
            'visit', m.visit, 'attempt', m.attempt, 'payload', m.payload) order by m.id)
          from public.job_inbox m where m.job_id = j.id), '[]'::json)
      ) order by listed.position), '[]'::json)
    from unnest(p_job_ids) with ordinality as listed (id, position)
    cross join lateral (select * from public.jobs where jobs.id = listed.id offset 0) as j);
end;
$$;

comment on function millrace.claimed_jobs(uuid[]) is 'Jobs as their new owner needs them, with their messages.';
revoke execute on function millrace.claimed_jobs(uuid[]) from public;
grant execute on function millrace.claimed_jobs(uuid[]) to service_role;

-- How many of these jobs fit into one answer: at least one, and no more than 16 MiB of text. What is
-- beyond is left to the next claim. Measured as text, since what takes little room on disk
-- (repetition, long numbers) may be very large in an answer; row by row, so that it stops in time.
create function millrace.fitting_jobs(p_job_ids uuid[]) returns uuid[]
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_fitting uuid[] := '{}';
  v_bytes bigint := 0;
  v_job record;
begin
  for v_job in
    select listed.id,
      coalesce(octet_length(j.input_data::text), 0) + octet_length(j.step_data::text) as bytes
    from unnest(p_job_ids) as listed (id)
    cross join lateral (
      select jobs.input_data, jobs.step_data from public.jobs where jobs.id = listed.id offset 0
    ) as j
  loop
    v_bytes := v_bytes + v_job.bytes;
    exit when v_bytes > 16777216 and v_fitting <> '{}';
    v_fitting := v_fitting || v_job.id;
  end loop;
  return v_fitting;
end;
$$;
comment on function millrace.fitting_jobs(uuid[]) is
  'The first of these jobs that together are at most 16 MiB as text, at least one.';
revoke execute on function millrace.fitting_jobs(uuid[]) from public;
grant execute on function millrace.fitting_jobs(uuid[]) to service_role;

-- Priorities are few, so each is looked up by itself: the index then never walks over the future
-- entries (timers, leases) of a higher priority to reach the due ones of a lower.
create function public.claim_jobs(
  p_lease_token uuid, p_limit integer, p_lease_seconds integer default 30
) returns json
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
  v_now timestamptz := millrace.now();
  v_ids uuid[];
begin
  if p_limit is null or p_limit < 0 or p_limit > 10000 then
    raise exception 'Cannot claim jobs as p_limit must be between 0 and 10000: current value is %', p_limit
      using errcode = 'MR008';
  end if;
  v_ids := array(
    select due.id
    from generate_series(9, 0, -1) as level (priority)
    cross join lateral (
      select j.id from public.jobs j
      where j.priority = level.priority and j.next_run_at <= v_now
      order by j.next_run_at
      limit p_limit
      for update skip locked
    ) as due
    limit p_limit);
  if v_ids = '{}' then
    return '[]'::json;
  end if;
  v_ids := millrace.fitting_jobs(v_ids);

  update public.jobs j
  set status = 'running',
      lease_token = p_lease_token,
      next_run_at = v_now + make_interval(secs => p_lease_seconds),
      wake_requested = false,
      -- A commit counts one: the two cannot be mistaken for each other by a run that claims again
      -- what it has lost, and then sends what it had decided before.
      version = j.version + 2,
      -- Running and due means that a lease ran out: what its owner had started starts again.
      -- Bounded, as an overflow would fail the claim of every other job with it.
      redeliveries = case when j.status = 'running'
        then least(j.redeliveries + 1, 32767) else j.redeliveries end,
      started_at = coalesce(j.started_at, v_now),
      -- Still to come: a message has woken the job, and its retry is not to be made early for it.
      next_retry_at = case when j.next_retry_at > v_now then j.next_retry_at end,
      current_step_id = coalesce(j.current_step_id, (
        select v.start_step from public.workflow_versions v
        where v.workflow_id = j.workflow_id and v.version = j.workflow_version)),
      last_updated_at = v_now
  where j.id = any (v_ids);

  return millrace.claimed_jobs(v_ids);
end;
$$;
comment on function public.claim_jobs(uuid, integer, integer) is
  'Leases up to p_limit due jobs, and no more than 16 MiB of them, to p_lease_token for p_lease_seconds, by priority and due time, and answers them with their mailbox. Raises MR008 (limit out of range).';
revoke execute on function public.claim_jobs(uuid, integer, integer) from public, anon, authenticated;
grant execute on function public.claim_jobs(uuid, integer, integer) to service_role;
