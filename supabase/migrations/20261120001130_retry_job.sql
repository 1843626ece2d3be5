-- The retry of a whole job: a failed or cancelled job is opened again and keeps what its steps have
-- given so far. From which step it goes on is the engine's to do, by the message.

-- Rows are locked in the order of ids. Each job takes a place in the start queue as a new one of
-- its owner would, and keeps the time that it had in all: a timeout of the whole job begins anew.
create function millrace.reopen_jobs(p_job_ids uuid[], p_input_data jsonb, p_message jsonb)
returns uuid[]
language plpgsql security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
  v_now timestamptz := millrace.now();
  v_user_id uuid := millrace.require_caller();
  v_reopened uuid[];
begin
  perform from public.jobs j where j.id = any (p_job_ids) order by j.id for update;
  with reopened as (
    select j.id, j.user_id, j.priority, (
        select make_interval(secs => millrace.timeout_of(v.definition))
        from public.workflow_versions v
        where v.workflow_id = j.workflow_id and v.version = j.workflow_version) as timeout,
      row_number() over (partition by j.user_id, j.priority order by j.created_at, j.id) as position
    from unnest(p_job_ids) as listed (id)
    cross join lateral (select * from public.jobs where jobs.id = listed.id offset 0) as j
    where j.status in ('failed', 'cancelled') and j.parent_job_id is null
      and (v_user_id is null or j.user_id = v_user_id)
  ), places as materialized (
    select owner.user_id, owner.priority, millrace.next_queue_place(owner.user_id, owner.priority) as first
    from (select distinct r.user_id, r.priority from reopened r) as owner
  ), updated as (
    update public.jobs j
    set status = 'pending',
        next_run_at = v_now,
        queue_place = p.first + r.position - 1,
        completed_at = null, error = null, error_message = null, final_result = null,
        retry_count = 0, redeliveries = 0, next_retry_at = null,
        run_number = j.run_number + 1,
        input_data = coalesce(p_input_data, j.input_data),
        deadline_at = v_now
          + coalesce(r.timeout, j.deadline_at - greatest(j.run_at, j.created_at)),
        last_updated_at = v_now
    from reopened r
    join places p on p.user_id = r.user_id and p.priority = r.priority
    where j.id = r.id
    returning j.id
  )
  select coalesce(array_agg(u.id), '{}') into v_reopened from updated u;
  insert into public.job_inbox (job_id, kind, payload)
  select listed.id, 'retry', p_message from unnest(v_reopened) as listed (id);
  return v_reopened;
end;
$$;
comment on function millrace.reopen_jobs(uuid[], jsonb, jsonb) is
  'Opens again those of these jobs that are roots, failed or cancelled and the caller''s (the service role: anybody''s), with new input where it is not null, tells each by a message retry, and answers them. Raises MR009.';
revoke execute on function millrace.reopen_jobs(uuid[], jsonb, jsonb) from public;
grant execute on function millrace.reopen_jobs(uuid[], jsonb, jsonb) to authenticated, service_role;

create function public.retry_job(
  p_job_id uuid,
  p_from_step text default null,
  p_input_data jsonb default null,
  p_failed_items_only boolean default null,
  p_kick boolean default true
) returns jsonb
language plpgsql set search_path = ''
as $$
declare
  v_job record;
  v_bytes integer := millrace.json_bytes(p_input_data);
begin
  select j.status, j.current_step_id, j.parent_job_id, j.root_job_id, j.run_number,
    j.step_data ? p_from_step as was_visited
  into v_job from public.jobs j where j.id = p_job_id;
  if not found then
    raise exception 'Cannot retry job as there is no job %', p_job_id using errcode = 'MR002';
  elsif v_job.parent_job_id is not null then
    raise exception 'Cannot retry job % as it is a child: retry its root % instead',
      p_job_id, v_job.root_job_id using errcode = 'MR013';
  elsif v_job.status not in ('failed', 'cancelled') then
    raise exception 'Cannot retry job % as its status must be failed or cancelled: current value is %',
      p_job_id, v_job.status using errcode = 'MR013';
  elsif p_from_step <> coalesce(v_job.current_step_id, '') and not v_job.was_visited then
    raise exception 'Cannot retry job % from step ''%'' as the job has not been there',
      p_job_id, left(p_from_step, 100) using errcode = 'MR008';
  elsif v_bytes > 4194304 then
    raise exception 'Cannot retry job as its input_data must be <= 4194304 bytes: current size is %',
      v_bytes using errcode = 'MR006';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
  if millrace.reopen_jobs(array[p_job_id], p_input_data, jsonb_build_object(
    'from_step', p_from_step, 'failed_items_only', coalesce(p_failed_items_only, p_input_data is null))) = '{}' then
    raise exception 'Cannot retry job % as somebody else has just done so', p_job_id
      using errcode = 'MR013';
  end if;
  return jsonb_build_object('job_id', p_job_id, 'status', 'pending',
    'run_number', v_job.run_number + 1, 'kick', not p_kick);
end;
$$;
comment on function public.retry_job(uuid, text, jsonb, boolean, boolean) is
  'Runs a failed or cancelled job once more, from the step where it ended or from p_from_step, with its input or with p_input_data; earlier outputs stay. p_failed_items_only: of the children of the step where it ended only those that did not complete are run again; by default so, unless there is new input. p_kick as in start_job. Answers {job_id, status, run_number, kick}. Raises MR002 (no such job, or not the caller''s), MR006 (input too large), MR008 (the job has not been in that step), MR013 (status, or a child).';
revoke execute on function public.retry_job(uuid, text, jsonb, boolean, boolean) from public, anon;
grant execute on function public.retry_job(uuid, text, jsonb, boolean, boolean)
  to authenticated, service_role;
