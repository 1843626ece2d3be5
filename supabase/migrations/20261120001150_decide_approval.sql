-- Deciding an approval: the row keeps who, when and what; the job is told by a message.

-- The job's row is locked first, as in a commit, which closes approvals with it locked: of two
-- callers who decide at once, or one and the commit that withdraws the question, the later finds
-- it closed.
create function millrace.record_decision(
  p_approval_id uuid, p_status text, p_by uuid, p_notes text, p_form jsonb
) returns public.approvals
language plpgsql security definer set search_path = ''
as $$
declare
  v_user_id uuid := millrace.require_caller();
  v_now timestamptz := millrace.now();
  v_job_status text;
  v_approval public.approvals;
begin
  select j.status into v_job_status
  from public.approvals a join public.jobs j on j.id = a.job_id
  where a.id = p_approval_id
  for update of j;
  select a.* into v_approval from public.approvals a where a.id = p_approval_id for update;
  if v_approval.id is null then
    raise exception 'Cannot decide approval as there is no approval %', p_approval_id
      using errcode = 'MR012';
  end if;
  if v_user_id is not null and not millrace.may_decide(
    v_approval.user_id, v_approval.assignee_keys, v_approval.allow_self) then
    raise exception 'Cannot decide approval % as you are not one of those who may', p_approval_id
      using errcode = 'MR011';
  end if;
  if v_approval.status <> 'open' then
    raise exception 'Cannot decide approval % as it is % already', p_approval_id, v_approval.status
      using errcode = 'MR010';
  elsif v_approval.expires_at <= v_now then
    raise exception 'Cannot decide approval % as it expired at %', p_approval_id, v_approval.expires_at
      using errcode = 'MR010';
  elsif v_job_status in ('completed', 'failed', 'cancelled') then
    raise exception 'Cannot decide approval % as its job has ended', p_approval_id
      using errcode = 'MR010';
  end if;

  update public.approvals a
  set status = p_status, decided_by = coalesce(v_user_id, p_by), decided_at = v_now,
      notes = p_notes, form_data = p_form
  where a.id = p_approval_id
  returning a.* into v_approval;
  insert into public.job_inbox (job_id, kind, step_id, visit, attempt, payload)
  values (v_approval.job_id, 'decision', v_approval.step_id, v_approval.visit, v_approval.attempt,
    jsonb_build_object('approval_id', v_approval.id, 'decision', v_approval.status,
      'by', v_approval.decided_by, 'at', v_approval.decided_at, 'notes', v_approval.notes,
      'form', v_approval.form_data));
  -- The mailbox wakes for the job's owner and the service role; who decides may be somebody else.
  update public.jobs j
  set wake_requested = true,
      next_run_at = case when j.lease_token is null then v_now else j.next_run_at end,
      queue_place = null
  where j.id = v_approval.job_id and not j.wake_requested;
  return v_approval;
end;
$$;
comment on function millrace.record_decision(uuid, text, uuid, text, jsonb) is
  'Writes a decision of the caller (of p_by, where the service role calls) and tells the job. Raises MR009, MR010, MR011, MR012 as decide_approval does.';
revoke execute on function millrace.record_decision(uuid, text, uuid, text, jsonb) from public;
grant execute on function millrace.record_decision(uuid, text, uuid, text, jsonb)
  to authenticated, service_role;

create function public.decide_approval(
  p_approval_id uuid,
  p_decision text,
  p_notes text default null,
  p_form jsonb default null,
  p_by uuid default null,
  p_kick boolean default true
) returns jsonb
language plpgsql set search_path = ''
as $$
declare
  v_approval public.approvals;
begin
  if p_decision is null or p_decision not in ('approve', 'reject') then
    raise exception 'Cannot decide approval as p_decision must be approve or reject: current value is %',
      coalesce(left(p_decision, 100), 'null') using errcode = 'MR008';
  elsif length(p_notes) > 10000 then
    raise exception 'Cannot decide approval as p_notes must be <= 10000 characters: current length is %',
      length(p_notes) using errcode = 'MR008';
  elsif millrace.json_bytes(p_form) > 1048576 then
    raise exception 'Cannot decide approval as p_form must be <= 1048576 bytes: current size is %',
      millrace.json_bytes(p_form) using errcode = 'MR006';
  elsif p_by is not null and millrace.require_caller() <> p_by then
    raise exception 'Cannot decide approval for somebody else' using errcode = 'MR011';
  end if;
  perform from public.approvals a where a.id = p_approval_id;
  if not found then
    raise exception 'Cannot decide approval as there is no approval %', p_approval_id
      using errcode = 'MR012';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
  v_approval := millrace.record_decision(p_approval_id,
    case p_decision when 'approve' then 'approved' else 'rejected' end, p_by, p_notes, p_form);
  return jsonb_build_object('approval_id', v_approval.id, 'job_id', v_approval.job_id,
    'status', v_approval.status, 'kick', not p_kick);
end;
$$;
comment on function public.decide_approval(uuid, text, text, jsonb, uuid, boolean) is
  'Decides an approval: p_decision is approve or reject. p_by: for whom the service role decides. p_kick as in start_job. Answers {approval_id, job_id, status, kick}. Raises MR006 (form too large), MR008 (no such decision, notes too long), MR010 (decided, expired or withdrawn already), MR011 (not one of those who may decide), MR012 (no such approval, or not visible to the caller).';
revoke execute on function public.decide_approval(uuid, text, text, jsonb, uuid, boolean)
  from public, anon;
grant execute on function public.decide_approval(uuid, text, text, jsonb, uuid, boolean)
  to authenticated, service_role;
