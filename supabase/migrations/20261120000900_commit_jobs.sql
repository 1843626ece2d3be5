-- The commit: what an orchestrator decided for a batch of jobs, in one transaction and a fixed
-- number of statements.

create type millrace.job_commit as (
  job_id uuid,
  version bigint,
  status text,
  current_step_id text,
  state jsonb,
  step_data jsonb,
  next_run_at timestamptz,
  next_retry_at timestamptz,
  retry_count integer,
  redeliveries smallint,
  final_result jsonb,
  error jsonb
);
comment on type millrace.job_commit is
  'New columns of one job. step_data holds only the entries that changed; next_run_at is the wish of a job that parks.';

-- Whether a commit may be written is decided by the update itself: the lease is still the
-- caller's and nobody has moved the job since it was read. Locks are taken in the order of ids,
-- here as everywhere, so that no two batches can deadlock.
create function public.commit_jobs(p_commit jsonb) returns json
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
  v_token uuid := (p_commit ->> 'lease_token')::uuid;
  v_lease interval := make_interval(secs => (p_commit ->> 'lease_seconds')::integer);
  v_commits millrace.job_commit[];
  v_consumed bigint[] := array(
    select (c ->> 'id')::bigint from jsonb_array_elements(p_commit -> 'consumed') as c);
  v_applied uuid[];
  v_woken uuid[];
  v_missed uuid[];
  v_results json;
begin
  v_commits := array(
    select c from jsonb_populate_recordset(null::millrace.job_commit, p_commit -> 'jobs') as c);
  perform from public.jobs j
  where j.id = any (array(select c.job_id from unnest(v_commits) as c))
  order by j.id for update;

  with applied as (
    update public.jobs j
    set status = c.status,
        current_step_id = c.current_step_id,
        state = c.state,
        step_data = case when c.step_data = '{}' then j.step_data else j.step_data || c.step_data end,
        lease_token = case when c.status = 'running' then j.lease_token end,
        next_run_at = case
          -- Left alone while more than half of the lease remains: the row then stays on its page.
          when c.status = 'running' then
            case when j.next_run_at > v_now + v_lease / 2 then j.next_run_at else v_now + v_lease end
          when c.status in ('completed', 'failed', 'cancelled') then null
          -- A message came in that this commit does not know of. The rows were locked by a
          -- statement of its own, so this one sees all that senders have committed before it.
          when j.wake_requested and exists (
            select from public.job_inbox m where m.job_id = j.id and m.id <> all (v_consumed))
            then v_now
          else c.next_run_at
        end,
        -- Parking answers the request. Otherwise it stands until the last message is consumed, and
        -- not only until it was told: the answer that tells may be lost.
        wake_requested = case
          when not j.wake_requested or c.status in ('pending', 'awaiting_retry', 'waiting', 'paused')
            then false
          else exists (
            select from public.job_inbox m where m.job_id = j.id and m.id <> all (v_consumed))
        end,
        next_retry_at = c.next_retry_at,
        retry_count = c.retry_count,
        redeliveries = c.redeliveries,
        final_result = c.final_result,
        error = c.error,
        error_message = c.error ->> 'message',
        -- Not before it started, should the server's clock have been set back.
        completed_at = case when c.status in ('completed', 'failed', 'cancelled')
          then greatest(v_now, j.started_at) end,
        version = j.version + 1,
        last_updated_at = v_now
    from unnest(v_commits) as c
    where j.id = c.job_id and j.lease_token = v_token and j.version = c.version
    returning j.id, j.status, j.wake_requested
  )
  select coalesce(array_agg(a.id), '{}'),
    coalesce(array_agg(a.id) filter (where a.wake_requested and a.status = 'running'), '{}'),
    coalesce(array_agg(a.id) filter (where a.wake_requested and a.status <> 'running'), '{}')
  into v_applied, v_woken, v_missed
  from applied a;

  insert into public.job_steps (job_id, step_id, visit, attempt, status, transformer_id, input,
    output, error, redeliveries, started_at, ended_at)
  select s.job_id, s.step_id, s.visit, s.attempt, s.status, s.transformer_id, s.input,
    s.output, s.error, s.redeliveries, s.started_at, s.ended_at
  from jsonb_to_recordset(p_commit -> 'steps') as s (job_id uuid, step_id text, visit integer,
    attempt integer, status text, transformer_id text, input jsonb, output jsonb, error jsonb,
    redeliveries smallint, started_at timestamptz, ended_at timestamptz)
  where s.job_id = any (v_applied);

  if p_commit -> 'events' <> '[]' then
    insert into public.job_events (job_id, type, step_id, data, created_at)
    select e.job_id, e.type, e.step_id, e.data, v_now
    from jsonb_to_recordset(p_commit -> 'events') as e (job_id uuid, type text, step_id text, data jsonb)
    where e.job_id = any (v_applied);
  end if;
  if p_commit -> 'consumed' <> '[]' then
    delete from public.job_inbox m
    using jsonb_to_recordset(p_commit -> 'consumed') as c (job_id uuid, id bigint)
    where m.id = c.id and m.job_id = c.job_id and m.job_id = any (v_applied);
  end if;

  if v_missed <> '{}' then
    perform millrace.drop_messages(v_missed);
  end if;

  -- A commit whose answer was lost is sent again: its version is then one ahead, under the same
  -- lease, and it must be reported as what it is.
  select coalesce(json_agg(json_build_object('job_id', c.job_id, 'committed',
    c.job_id = any (v_applied) or (j.lease_token = v_token and j.version = c.version + 1) is true)),
    '[]'::json)
  into v_results
  from unnest(v_commits) as c
  left join lateral (
    select jobs.lease_token, jobs.version from public.jobs where jobs.id = c.job_id offset 0
  ) as j on true;

  return json_build_object('results', v_results, 'woken', millrace.unread_messages(v_woken));
end;
$$;
comment on function public.commit_jobs(jsonb) is
  'Writes the decisions for a batch of leased jobs: {lease_token, lease_seconds, jobs: [job_commit], steps, events, consumed: [{job_id, id}]}. Answers {results: [{job_id, committed}], woken: [{job_id, messages}]}; a job that the caller no longer owns is not committed and nothing of it is written.';

-- Messages for jobs that are going on: told with each answer until a commit has consumed them.
create function millrace.unread_messages(p_job_ids uuid[]) returns json
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  if p_job_ids = '{}' then
    return '[]'::json;
  end if;
  return (
    select coalesce(json_agg(json_build_object('job_id', woken.id, 'messages', woken.messages)), '[]')
    from (
      select m.job_id as id, json_agg(json_build_object('id', m.id, 'kind', m.kind,
        'step_id', m.step_id, 'visit', m.visit, 'attempt', m.attempt, 'payload', m.payload)
        order by m.id) as messages
      from public.job_inbox m where m.job_id = any (p_job_ids)
      group by m.job_id
    ) as woken);
end;
$$;
comment on function millrace.unread_messages(uuid[]) is 'The mailboxes of jobs: [{job_id, messages}].';
revoke execute on function millrace.unread_messages(uuid[]) from public;
grant execute on function millrace.unread_messages(uuid[]) to service_role;

-- Messages that came while their jobs ended: nobody will read them any more.
create function millrace.drop_messages(p_job_ids uuid[]) returns void
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  update public.jobs set wake_requested = false where id = any (p_job_ids);
  with dropped as (
    delete from public.job_inbox m where m.job_id = any (p_job_ids)
    returning m.job_id, m.kind, m.step_id, m.visit, m.attempt
  )
  insert into public.job_events (job_id, type, step_id, data)
  select d.job_id, 'late_' || case d.kind when 'cancel' then 'cancel' else 'result' end || '_dropped',
    d.step_id, jsonb_strip_nulls(jsonb_build_object('visit', d.visit, 'attempt', d.attempt))
  from dropped d;
end;
$$;
comment on function millrace.drop_messages(uuid[]) is
  'Deletes the unread messages of jobs that have ended and records that they came too late.';
revoke execute on function millrace.drop_messages(uuid[]) from public;
grant execute on function millrace.drop_messages(uuid[]) to service_role;

-- Keeps leases while tasks are out, and brings the messages that came in meanwhile.
create function public.extend_leases(
  p_lease_token uuid, p_job_ids uuid[], p_lease_seconds integer default 30
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
  v_kept uuid[];
  v_woken uuid[];
begin
  perform from public.jobs j where j.id = any (p_job_ids) order by j.id for update;
  with kept as (
    update public.jobs j
    set next_run_at = v_now + make_interval(secs => p_lease_seconds), last_updated_at = v_now
    where j.id = any (p_job_ids) and j.lease_token = p_lease_token
    returning j.id, j.wake_requested
  )
  select coalesce(array_agg(k.id), '{}'), coalesce(array_agg(k.id) filter (where k.wake_requested), '{}')
  into v_kept, v_woken
  from kept k;
  return json_build_object(
    'lost', array_to_json(array(select id from unnest(p_job_ids) as id where id <> all (v_kept))),
    'woken', millrace.unread_messages(v_woken));
end;
$$;
comment on function public.extend_leases(uuid, uuid[], integer) is
  'Extends the leases that p_lease_token still holds to p_lease_seconds from now. Answers {lost: [job_id], woken: [{job_id, messages}]}.';

revoke execute on function public.commit_jobs(jsonb), public.extend_leases(uuid, uuid[], integer)
  from public, anon, authenticated;
grant execute on function public.commit_jobs(jsonb), public.extend_leases(uuid, uuid[], integer)
  to service_role;
grant usage on type millrace.job_commit to service_role;
