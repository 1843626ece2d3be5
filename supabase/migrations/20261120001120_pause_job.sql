-- Pausing and resuming a job: wishes that the owner of its lease carries out. What has been begun
-- is finished; nothing new is begun.

create function millrace.ask_for(p_job_id uuid, p_kind text, p_payload jsonb, p_kick boolean)
returns jsonb
language plpgsql set search_path = ''
as $$
declare
  v_status text;
begin
  select j.status into v_status from public.jobs j where j.id = p_job_id;
  if not found then
    raise exception 'Cannot % job as there is no job %', p_kind, p_job_id using errcode = 'MR002';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
  if millrace.post_wishes(array[p_job_id], p_kind, p_payload) = '{}' then
    raise exception 'Cannot % job % as it has ended', p_kind, p_job_id using errcode = 'MR007';
  end if;
  return jsonb_build_object('job_id', p_job_id, 'status', v_status, 'kick', not p_kick);
end;
$$;
comment on function millrace.ask_for(uuid, text, jsonb, boolean) is
  'Posts a wish for one job that the caller sees. Raises MR002 (no such job, or not the caller''s), MR007 (it has ended).';
revoke execute on function millrace.ask_for(uuid, text, jsonb, boolean) from public;
grant execute on function millrace.ask_for(uuid, text, jsonb, boolean) to authenticated, service_role;

create function public.pause_job(
  p_job_id uuid, p_reason text default null, p_kick boolean default true
) returns jsonb
language sql set search_path = ''
as $$
  select millrace.ask_for(
    p_job_id, 'pause', jsonb_build_object('reason', left(p_reason, 1000)), p_kick)
$$;
comment on function public.pause_job(uuid, text, boolean) is
  'Asks for a job and its children to be paused and answers {job_id, status, kick}; the status is the one at the time of asking. p_kick as in start_job. Raises MR002 (no such job, or not the caller''s), MR007 (it has ended).';

create function public.resume_job(p_job_id uuid, p_kick boolean default true) returns jsonb
language sql set search_path = ''
as $$ select millrace.ask_for(p_job_id, 'resume', '{}', p_kick) $$;
comment on function public.resume_job(uuid, boolean) is
  'Asks for a paused job and its children to go on and answers as pause_job does; a job that is not paused just goes on. Raises MR002, MR007.';

revoke execute on function public.pause_job(uuid, text, boolean), public.resume_job(uuid, boolean)
  from public, anon;
grant execute on function public.pause_job(uuid, text, boolean), public.resume_job(uuid, boolean)
  to authenticated, service_role;
