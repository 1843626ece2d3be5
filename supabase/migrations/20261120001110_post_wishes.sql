-- What its owner wishes of a job goes into its mailbox. The writers behind the functions of run
-- control act with their owner's rights, since a user has none on mailboxes and engine columns:
-- so each of them asks here who is calling, and touches the caller's jobs only.

create function millrace.require_caller() returns uuid
language plpgsql stable set search_path = ''
as $$
declare
  v_user_id uuid := (select auth.uid());
begin
  -- Null stands for the service role. A token of an end user that names nobody must not.
  if v_user_id is null and current_setting('role') in ('anon', 'authenticated') then
    raise exception 'Cannot do this as nobody is signed in' using errcode = 'MR009';
  end if;
  return v_user_id;
end;
$$;
comment on function millrace.require_caller() is
  'The signed-in user; null for the service role, who acts for everybody. Raises MR009 (nobody is signed in).';
revoke execute on function millrace.require_caller() from public;
grant execute on function millrace.require_caller() to authenticated, service_role;

-- Rows are locked in the order of ids, as everywhere; with them locked, no job ends and no other
-- wish comes in between. One wish to cancel is enough; of pause and resume the mailbox keeps the later.
create function millrace.post_wishes(p_job_ids uuid[], p_kind text, p_payload jsonb) returns uuid[]
language plpgsql security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
  v_user_id uuid := millrace.require_caller();
  v_open uuid[];
begin
  v_open := array(
    select locked.id from (
      select j.id, j.status from public.jobs j
      where j.id = any (p_job_ids) and (v_user_id is null or j.user_id = v_user_id)
      order by j.id for update
    ) as locked
    where locked.status not in ('completed', 'failed', 'cancelled'));
  -- All at once what the mailbox does for one message; a wish that is free to repeat is no way past
  -- the others in the queue.
  perform millrace.wake_jobs(v_open, p_kind in ('pause', 'resume'));
  if p_kind in ('pause', 'resume') then
    delete from public.job_inbox m
    where m.job_id = any (v_open) and m.kind in ('pause', 'resume');
  end if;
  perform set_config('millrace.wake', 'sender', true);
  insert into public.job_inbox (job_id, kind, payload)
  select listed.id, p_kind, p_payload from unnest(v_open) as listed (id)
  on conflict do nothing;
  perform set_config('millrace.wake', '', true);
  return v_open;
end;
$$;
comment on function millrace.post_wishes(uuid[], text, jsonb) is
  'Puts one cancel, pause or resume into the mailbox of each of these jobs that is the caller''s (the service role: anybody''s) and has not ended, and answers those. Raises MR009.';
revoke execute on function millrace.post_wishes(uuid[], text, jsonb) from public;
grant execute on function millrace.post_wishes(uuid[], text, jsonb) to authenticated, service_role;
