-- Starting a job, as the caller and under RLS: an end user for himself, the service role for
-- anybody.
create function public.start_job(
  p_workflow_id text,
  p_input_data jsonb default '{}'::jsonb,
  p_idempotency_key text default null,
  p_priority integer default null,
  p_run_at timestamptz default null,
  p_metadata jsonb default null,
  p_max_retries integer default null,
  p_trace_id uuid default null,
  p_user_id uuid default null,
  p_kick boolean default true
) returns jsonb
language plpgsql set search_path = ''
as $$
declare
  v_user_id uuid := coalesce(p_user_id, (select auth.uid()));
  v_job record;
  v_created boolean := true;
begin
  if v_user_id is null then
    raise exception 'Cannot start job as there is no user: pass p_user_id or call as a signed-in user'
      using errcode = 'MR009';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);

  insert into public.jobs as j (user_id, workflow_id, input_data, idempotency_key, priority, run_at,
    metadata, max_retries, trace_id)
  values (v_user_id, p_workflow_id, p_input_data, p_idempotency_key, coalesce(p_priority, 5),
    p_run_at, coalesce(p_metadata, '{}'::jsonb), coalesce(p_max_retries, 3),
    coalesce(p_trace_id, gen_random_uuid()))
  on conflict (user_id, idempotency_key) where idempotency_key is not null do nothing
  returning j.id, j.status, j.created_at, j.workflow_id, j.input_data into v_job;

  if not found then
    v_created := false;
    select j.id, j.status, j.created_at, j.workflow_id, j.input_data into strict v_job
    from public.jobs j
    where j.user_id = v_user_id and j.idempotency_key = p_idempotency_key;
    if v_job.workflow_id <> p_workflow_id
      or v_job.input_data is distinct from p_input_data then
      raise exception 'Cannot start job as idempotency_key ''%'' was used with another workflow or input by job %',
        p_idempotency_key, v_job.id using errcode = 'MR003';
    end if;
  end if;

  return jsonb_build_object(
    'job_id', v_job.id, 'status', v_job.status, 'created_at', v_job.created_at,
    'created', v_created,
    'kick', v_created and not p_kick and coalesce(p_run_at, '-infinity') <= millrace.now()
      and millrace.kick_needed());
end;
$$;
comment on function public.start_job(text, jsonb, text, integer, timestamptz, jsonb, integer, uuid, uuid, boolean) is
  'Starts a job and answers {job_id, status, created_at, created, kick}. The same p_idempotency_key again gives the same job. p_kick: the database kicks an orchestrator itself; false: the caller does, when kick is true. Raises MR001 (no such workflow), MR003 (key used with other input), MR006 (input too large), MR009 (no user).';
revoke execute on function public.start_job(text, jsonb, text, integer, timestamptz, jsonb, integer, uuid, uuid, boolean)
  from public, anon;
grant execute on function public.start_job(text, jsonb, text, integer, timestamptz, jsonb, integer, uuid, uuid, boolean)
  to authenticated, service_role;

-- Asks for the end of a job; its owner carries it out. As the caller, under RLS.
create function public.cancel_job(
  p_job_id uuid, p_reason text default null, p_kick boolean default true
) returns jsonb
language plpgsql set search_path = ''
as $$
declare
  v_status text;
begin
  select j.status into v_status from public.jobs j where j.id = p_job_id;
  if not found then
    raise exception 'Cannot cancel job as there is no job %', p_job_id using errcode = 'MR002';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
  -- Checked again, with the job's row locked, by the trigger on the mailbox.
  insert into public.job_inbox (job_id, kind, payload)
  values (p_job_id, 'cancel', jsonb_build_object('reason', left(p_reason, 1000)))
  on conflict do nothing;
  return jsonb_build_object('job_id', p_job_id, 'status', v_status, 'kick', not p_kick);
end;
$$;
comment on function public.cancel_job(uuid, text, boolean) is
  'Asks for a job to be cancelled and answers {job_id, status, kick}; the status is the one at the time of asking. p_kick as in start_job. Raises MR002 (no such job, or not the caller''s), MR007 (it has ended).';
revoke execute on function public.cancel_job(uuid, text, boolean) from public, anon;
grant execute on function public.cancel_job(uuid, text, boolean) to authenticated, service_role;
