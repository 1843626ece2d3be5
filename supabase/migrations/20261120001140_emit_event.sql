-- Events: emit_event() for whatever waits for the name, signal_job() for one job and those below
-- it. They are only written here; an orchestrator delivers them, once they are committed.

create function millrace.add_event(
  p_name text, p_key text, p_payload jsonb, p_user_id uuid, p_job_id uuid
) returns bigint
language plpgsql security definer set search_path = ''
as $$
declare
  v_user_id uuid := coalesce(millrace.require_caller(), p_user_id);
  -- Both bounds of events_payload_size: many small numbers take more room on disk than as text.
  v_bytes integer := greatest(millrace.json_bytes(p_payload), pg_column_size(p_payload));
  v_id bigint;
begin
  if p_name is null or length(p_name) not between 1 and 200 then
    raise exception 'Cannot emit event as its name must be of 1 to 200 characters: current length is %',
      coalesce(length(p_name), 0) using errcode = 'MR008';
  elsif length(p_key) not between 1 and 200 then
    raise exception 'Cannot emit event as its key must be of 1 to 200 characters: current length is %',
      length(p_key) using errcode = 'MR008';
  elsif v_bytes > 65536 then
    raise exception 'Cannot emit event as its payload must be <= 65536 bytes: current size is %',
      v_bytes using errcode = 'MR006';
  end if;
  insert into public.events (user_id, name, key, payload, job_id)
  values (v_user_id, p_name, p_key, coalesce(p_payload, '{}'), p_job_id)
  returning id into v_id;
  return v_id;
end;
$$;
comment on function millrace.add_event(text, text, jsonb, uuid, uuid) is
  'Appends an event of the caller, or of p_user_id (null: for everybody''s jobs) where the service role calls. Raises MR006, MR008, MR009.';
revoke execute on function millrace.add_event(text, text, jsonb, uuid, uuid) from public;
grant execute on function millrace.add_event(text, text, jsonb, uuid, uuid)
  to authenticated, service_role;

create function public.emit_event(
  p_name text,
  p_payload jsonb default '{}'::jsonb,
  p_key text default null,
  p_user_id uuid default null,
  p_kick boolean default true
) returns jsonb
language plpgsql set search_path = ''
as $$
begin
  if p_user_id is not null and millrace.require_caller() <> p_user_id then
    raise exception 'Cannot emit event for somebody else' using errcode = 'MR011';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
  return jsonb_build_object(
    'event_id', millrace.add_event(p_name, p_key, p_payload, p_user_id, null),
    'kick', not p_kick);
end;
$$;
comment on function public.emit_event(text, jsonb, text, uuid, boolean) is
  'Emits an event for the caller''s jobs that wait for p_name, with this p_key or with none asked for, and answers {event_id, kick}. The service role emits for the jobs of p_user_id, null: of everybody. p_kick as in start_job. Raises MR006 (payload too large), MR008 (name or key empty or too long), MR009, MR011 (for somebody else).';

create function public.signal_job(
  p_job_id uuid,
  p_name text,
  p_payload jsonb default '{}'::jsonb,
  p_kick boolean default true
) returns jsonb
language plpgsql set search_path = ''
as $$
declare
  v_job record;
begin
  select j.user_id, j.status into v_job from public.jobs j where j.id = p_job_id;
  if not found then
    raise exception 'Cannot signal job as there is no job %', p_job_id using errcode = 'MR002';
  elsif v_job.status in ('completed', 'failed', 'cancelled') then
    raise exception 'Cannot signal job % as it has ended', p_job_id using errcode = 'MR007';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
  return jsonb_build_object(
    'job_id', p_job_id,
    'event_id', millrace.add_event(p_name, null, p_payload, v_job.user_id, p_job_id),
    'status', v_job.status, 'kick', not p_kick);
end;
$$;
comment on function public.signal_job(uuid, text, jsonb, boolean) is
  'Emits an event that only this job and those below it see, and answers {job_id, event_id, status, kick}. p_kick as in start_job. Raises MR002 (no such job, or not the caller''s), MR006, MR007 (it has ended), MR008.';

revoke execute on function public.emit_event(text, jsonb, text, uuid, boolean),
  public.signal_job(uuid, text, jsonb, boolean) from public, anon;
grant execute on function public.emit_event(text, jsonb, text, uuid, boolean),
  public.signal_job(uuid, text, jsonb, boolean) to authenticated, service_role;

create or replace trigger events_kick_after_insert after insert on public.events
  for each statement execute function millrace.kick_after_insert('message');
