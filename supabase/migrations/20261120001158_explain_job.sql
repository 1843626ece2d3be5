-- Why a job is not moving, in one sentence, and what to do.

create function millrace.explain_end(p_job public.jobs) returns millrace.explanation
language plpgsql stable set search_path = ''
as $$
declare
  v_at text := millrace.say_time(p_job.completed_at, millrace.now());
  v_retry text := format('retry it at POST /jobs/%s/retry',
    coalesce(p_job.root_job_id, p_job.id));
  v_details jsonb := jsonb_build_object('ended_at', p_job.completed_at);
begin
  if p_job.status = 'completed' then
    return millrace.explained('completed', 'Job completed at ' || v_at,
      'Nothing to do: its result is final_result', v_details);
  elsif p_job.status = 'cancelled' then
    return millrace.explained('cancelled',
      format('Job was cancelled at %s%s', v_at, coalesce(': ' || p_job.error_message, '')),
      'To run it after all, ' || v_retry, v_details || jsonb_build_object('error', p_job.error));
  end if;
  return millrace.explained('failed',
    format('Job failed at %s%s with %s: %s', v_at,
      coalesce(' in step ''' || p_job.current_step_id || '''', ''),
      coalesce(p_job.error ->> 'code', 'no code'), p_job.error_message),
    coalesce(case p_job.error ->> 'code'
      when 'config_invalid' then 'Correct the config of the step or its transformer'
      when 'secret_missing' then 'Set the environment variable that the error names with supabase secrets set'
      when 'transformer_not_found' then 'Insert the transformer'
      when 'executor_unreachable' then format('Deploy the %s and check its logs', millrace.say_executor(p_job.id))
      when 'executor_crashed' then 'Look at the logs of the ' || millrace.say_executor(p_job.id)
      when 'children_failed' then format('Look at the failed children at GET /jobs/%s/children?status=failed', p_job.id)
      when 'definition_invalid' then 'Correct the definition and start a new job: this one keeps its version'
    end || ', then ', 'See to the error, then ') || v_retry,
    v_details || jsonb_build_object('error', p_job.error));
end;
$$;
comment on function millrace.explain_end(public.jobs) is 'completed, failed or cancelled.';

create function millrace.explain_pause(p_job public.jobs) returns millrace.explanation
language plpgsql stable set search_path = ''
as $$
declare
  v_since timestamptz := (
    select max((entry ->> 'at')::timestamptz)
    from jsonb_array_elements(p_job.state_history) as entry where entry ->> 'to' = 'paused');
begin
  return millrace.explained('paused',
    'Job is paused' || coalesce(' since ' || millrace.say_time(v_since, millrace.now()), '')
      || case when p_job.open_children > 0
        then ', with ' || millrace.say_count(p_job.open_children, 'open child', 'open children')
        else '' end,
    format('Resume it at POST /jobs/%s/resume, or cancel it at POST /jobs/%s/cancel',
      p_job.id, p_job.id),
    jsonb_build_object('since', v_since, 'open_children', p_job.open_children,
      'held_slots', coalesce(to_jsonb(p_job.held_slots), '[]')));
end;
$$;
comment on function millrace.explain_pause(public.jobs) is 'paused.';

create function millrace.explain_level(p_job_id uuid, p_level integer) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_job public.jobs;
  v_found millrace.explanation;
  v_messages text[];
begin
  select j.* into v_job from public.jobs j where j.id = p_job_id;
  if not found then
    raise exception 'Cannot explain job as there is no job %', p_job_id using errcode = 'MR002';
  end if;
  v_messages := millrace.explain_mailbox(p_job_id);
  v_found := case
    when v_job.status in ('completed', 'failed', 'cancelled') then millrace.explain_end(v_job)
    -- Its orchestrator runs the children, too, and keeps the parent for as long.
    when v_job.status = 'running' and v_job.open_children > 0
      and v_job.next_run_at > millrace.now() then millrace.explain_children(v_job, p_level)
    when v_job.status = 'running' then millrace.explain_lease(v_job)
    when v_job.status <> 'pending' and v_job.next_run_at <= millrace.now()
      then millrace.explain_due(v_job)
    when v_job.status = 'paused' or v_job.state -> 'paused' = 'true'
      then millrace.explain_pause(v_job)
    when v_job.status = 'pending' then millrace.explain_pending(v_job)
    when v_job.status = 'awaiting_retry' then millrace.explain_retry(v_job)
    else millrace.explain_waiting(v_job, p_level)
  end;
  return jsonb_build_object('job_id', v_job.id, 'status', v_job.status,
    'reason', v_found.reason, 'explanation', v_found.explanation, 'action', v_found.action,
    'details', jsonb_strip_nulls(jsonb_build_object('step_id', v_job.current_step_id,
      'deadline_at', v_job.deadline_at,
      'unread_messages', case when v_messages <> '{}' then to_jsonb(v_messages) end))
      || coalesce(v_found.details, '{}'));
end;
$$;
comment on function millrace.explain_level(uuid, integer) is
  'What explain_job() answers, for a job p_level levels below the one that was asked about.';
revoke execute on function millrace.explain_end(public.jobs), millrace.explain_pause(public.jobs),
  millrace.explain_level(uuid, integer) from public;
grant execute on function millrace.explain_end(public.jobs), millrace.explain_pause(public.jobs),
  millrace.explain_level(uuid, integer) to authenticated, service_role;

create function public.explain_job(p_job_id uuid) returns jsonb
language sql stable set search_path = ''
as $$ select millrace.explain_level(p_job_id, 0) $$;
comment on function public.explain_job(uuid) is
  'Why a job does not move: {job_id, status, reason (a code), explanation (a sentence), action (what to do), details}. Raises MR002 (no such job, or not the caller''s), MR009.';
revoke execute on function public.explain_job(uuid) from public, anon;
grant execute on function public.explain_job(uuid) to authenticated, service_role;
