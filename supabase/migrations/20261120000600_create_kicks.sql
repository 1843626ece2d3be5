-- Kicks: telling an orchestrator that there is work. A kick may be lost; tick() makes up for it.

-- Where the orchestrator is and the key for it, from Vault; null where an operator has not set them.
create function millrace.post_kicks(p_count integer, p_reason text) returns bigint
language plpgsql security definer set search_path = ''
as $$
declare
  v_url text;
  v_key text;
  v_request_id bigint;
  v_now timestamptz := millrace.now();
begin
  select max(decrypted_secret) filter (where name = 'millrace_project_url'),
    max(decrypted_secret) filter (where name = 'millrace_secret_key')
  into v_url, v_key
  from vault.decrypted_secrets where name in ('millrace_project_url', 'millrace_secret_key');
  if v_url is null or v_key is null then
    return null;
  end if;
  select max(net.http_post(
    url => rtrim(v_url, '/') || '/functions/v1/workflow-orchestrator',
    body => jsonb_build_object('reason', p_reason),
    headers => jsonb_build_object('Content-Type', 'application/json', 'apikey', v_key),
    timeout_milliseconds => 10000))
  into v_request_id
  from generate_series(1, p_count);
  -- Skipped where another transaction holds the row: nobody waits for a sign of life.
  update millrace.pulse as p
  set last_kick_at = v_now,
      watched_kick_at = case when p.watched_kick_at > v_now - interval '15 seconds'
        then p.watched_kick_at else v_now end,
      watched_kick_ids = case when p.watched_kick_at > v_now - interval '15 seconds'
        then p.watched_kick_ids else v_request_id || p.watched_kick_ids[1:1] end
  where p.id = (select locked.id from millrace.pulse locked for update skip locked);
  return v_request_id;
end;
$$;
comment on function millrace.post_kicks(integer, text) is
  'Queues calls of workflow-orchestrator, sent after commit; null when the Vault secrets millrace_project_url and millrace_secret_key are not set.';
revoke execute on function millrace.post_kicks(integer, text) from public;

-- A burst of starts must not be a burst of calls: no kick is needed while an orchestrator with
-- free slots works in batches, as it takes a turn every few milliseconds and one more at the end.
create function millrace.kick_needed() returns boolean
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_recently timestamptz := millrace.now() - interval '25 milliseconds';
begin
  return not exists (
    select from public.orchestrators o
    where o.last_turn_at > v_recently and o.last_batch >= 8 and o.free_slots > 0);
end;
$$;
comment on function millrace.kick_needed() is
  'Whether a new due job needs a kick, or an orchestrator is bound to look within milliseconds.';
revoke execute on function millrace.kick_needed() from public;
grant execute on function millrace.kick_needed() to authenticated, service_role;

-- Whoever inserts jobs or messages without the API kicks too, at most every 200 ms: the run that
-- was kicked looks once more after that. The row is skipped, not waited for, when another
-- transaction is just kicking.
create function millrace.kick_after_insert() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_reason text := tg_argv[0];
begin
  if coalesce(current_setting('millrace.kick', true), '') = 'caller' then
    return null;
  end if;
  -- A message may be for a job that is held: a busy orchestrator does not look for those.
  if v_reason = 'message' or millrace.kick_needed() then
    perform from millrace.pulse
    where last_kick_at is null or last_kick_at < millrace.now() - interval '200 milliseconds'
    for update skip locked;
    if found then
      perform millrace.post_kicks(1, v_reason);
    end if;
  end if;
  return null;
end;
$$;
comment on function millrace.kick_after_insert() is
  'Kicks an orchestrator, with the trigger''s argument as the reason, unless the transaction set millrace.kick to caller.';
revoke execute on function millrace.kick_after_insert() from public;
create trigger jobs_kick_after_insert after insert on public.jobs
  for each statement execute function millrace.kick_after_insert('insert');
create trigger job_inbox_kick_after_insert after insert on public.job_inbox
  for each statement execute function millrace.kick_after_insert('message');
