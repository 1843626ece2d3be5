-- The delivery of events: each once to every job that waits for it, none to nobody. An event is seen
-- only once its sender has committed, and a wait only once its job has parked; so it is not for the
-- sender to look who waits. Whoever delivers holds this lock alone and sees all who have parked;
-- whoever parks shares it and finds, among the events that were delivered, those that he missed.
create function millrace.event_lock() returns bigint
language sql immutable set search_path = ''
as $$ select 7309947252 $$;
comment on function millrace.event_lock() is
  'Advisory lock: shared by commits that park a job until an event, exclusive to the delivery of events.';

create function millrace.is_within(p_job_id uuid, p_ancestor_id uuid) returns boolean
language sql stable set search_path = '' set enable_seqscan = off
as $$
  with recursive line as (
    select j.id, j.parent_job_id from public.jobs j where j.id = p_job_id
    union all
    select j.id, j.parent_job_id from line join public.jobs j on j.id = line.parent_job_id
  )
  select exists (select from line where line.id = p_ancestor_id)
$$;
comment on function millrace.is_within(uuid, uuid) is
  'Whether a job is this one or a job below it.';

create function millrace.subscribe(p_subscriptions jsonb, p_applied uuid[]) returns void
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_woken uuid[];
begin
  perform pg_advisory_xact_lock_shared(millrace.event_lock());
  insert into public.event_waits as w (job_id, user_id, root_job_id, event, key, step_id, visit)
  select j.id, j.user_id, coalesce(j.root_job_id, j.id), s.event, s.key, s.step_id, s.visit
  from jsonb_to_recordset(p_subscriptions)
    as s (job_id uuid, step_id text, visit integer, event text, key text)
  cross join lateral (
    select jobs.id, jobs.user_id, jobs.root_job_id from public.jobs where jobs.id = s.job_id offset 0
  ) as j
  where s.job_id = any (p_applied)
  on conflict (job_id) do update
  set event = excluded.event, key = excluded.key, step_id = excluded.step_id, visit = excluded.visit;

  perform set_config('millrace.wake', 'sender', true);
  with sent as (
    insert into public.job_inbox (job_id, kind, step_id, visit, payload)
    select w.job_id, 'event', w.step_id, w.visit, jsonb_build_object('event_id', e.id, 'name', e.name,
      'key', e.key, 'payload', e.payload)
    from jsonb_to_recordset(p_subscriptions) as s (job_id uuid, after bigint, since timestamptz)
    join public.event_waits w on w.job_id = s.job_id
    cross join lateral (
      select found.* from (
        select events.* from public.events
        where w.key is null and events.name = w.event and events.created_at >= s.since
        union all
        select events.* from public.events
        where events.key = w.key and events.name = w.event and events.created_at >= s.since
        union all
        -- A signal names its job, which is more than a key could say.
        select events.* from public.events
        where w.key is not null and events.job_id is not null and events.key is distinct from w.key
          and events.name = w.event and events.created_at >= s.since
      ) as found
      where found.id > s.after and found.delivered_at is not null
        and (found.user_id is null or found.user_id = w.user_id)
        and (found.job_id is null or millrace.is_within(w.job_id, found.job_id))
      order by found.id limit 100
    ) as e
    where s.job_id = any (p_applied)
    order by w.job_id, e.id
    returning job_inbox.job_id
  )
  select array_agg(sent.job_id) into v_woken from sent;
  perform set_config('millrace.wake', '', true);
  if v_woken is not null then
    perform millrace.wake_jobs(v_woken);
  end if;
end;
$$;
comment on function millrace.subscribe(jsonb, uuid[]) is
  'Has committed jobs wait for events, and gives them those that came before: the oldest 100 each.';

-- Which jobs wait for these events, as pairs in the order of the events.
create function millrace.waits_for_events(
  p_events bigint[], out event_ids bigint[], out job_ids uuid[]
)
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  select coalesce(array_agg(matching.event_id order by matching.event_id), '{}'),
    coalesce(array_agg(matching.job_id order by matching.event_id), '{}')
  into event_ids, job_ids
  from (
    select e.id as event_id, w.job_id
    from unnest(p_events) as listed (id)
    cross join lateral (
      select events.id, events.name, events.key, events.user_id, events.job_id
      from public.events where events.id = listed.id offset 0
    ) as e
    cross join lateral (
      select keyless.* from public.event_waits keyless
      where keyless.event = e.name and keyless.key is null
      union all
      select keyed.* from public.event_waits keyed
      where keyed.event = e.name and keyed.key = e.key
      union all
      select signalled.* from public.event_waits signalled
      where e.job_id is not null and signalled.event = e.name
        and signalled.key is distinct from e.key and signalled.key is not null
    ) as w
    where (e.user_id is null or e.user_id = w.user_id)
      and (e.job_id is null or e.job_id in (w.job_id, w.root_job_id)
        or millrace.is_within(w.job_id, e.job_id))
  ) as matching;
end;
$$;
comment on function millrace.waits_for_events(bigint[]) is
  'The jobs that wait for these events, as two lists of the same length.';

-- At most 100 events, and none more after 5,000 messages. Jobs are locked but not waited for: where
-- one is held, its event and all after it are left to the next turn, so that events come in order.
create function millrace.deliver_events() returns boolean
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_kick text := coalesce(current_setting('millrace.kick', true), '');
  v_events bigint[];
  v_pairs record;
  v_last bigint;
  v_locked uuid[];
  v_ended uuid[];
begin
  if not pg_try_advisory_xact_lock(millrace.event_lock()) then
    return true;
  end if;
  v_events := array(
    select e.id from public.events e where e.delivered_at is null order by e.id limit 100);
  v_pairs := millrace.waits_for_events(v_events);
  v_last := coalesce(v_pairs.event_ids[5000], v_events[cardinality(v_events)]);
  select coalesce(array_agg(held.id), '{}'),
    coalesce(array_agg(held.id) filter (where held.has_ended), '{}')
  into v_locked, v_ended
  from (
    select j.id, j.status in ('completed', 'failed', 'cancelled') as has_ended from public.jobs j
    where j.id = any (v_pairs.job_ids) for update skip locked
  ) as held;
  select coalesce(min(pair.event_id) - 1, v_last) into v_last
  from unnest(v_pairs.event_ids, v_pairs.job_ids) as pair (event_id, job_id)
  where pair.event_id <= v_last and pair.job_id <> all (v_locked);

  -- Whoever delivers is an orchestrator.
  perform set_config('millrace.kick', 'caller', true);
  perform set_config('millrace.wake', 'sender', true);
  insert into public.job_inbox (job_id, kind, step_id, visit, payload)
  select pair.job_id, 'event', w.step_id, w.visit, jsonb_build_object('event_id', e.id,
    'name', e.name, 'key', e.key, 'payload', e.payload)
  from unnest(v_pairs.event_ids, v_pairs.job_ids) as pair (event_id, job_id)
  join public.events e on e.id = pair.event_id
  join public.event_waits w on w.job_id = pair.job_id
  where pair.event_id <= v_last and pair.job_id <> all (v_ended)
  order by pair.event_id;
  perform set_config('millrace.wake', '', true);
  perform set_config('millrace.kick', v_kick, true);
  perform millrace.wake_jobs(array(
    select pair.job_id from unnest(v_pairs.event_ids, v_pairs.job_ids) as pair (event_id, job_id)
    where pair.event_id <= v_last and pair.job_id <> all (v_ended)));
  delete from public.event_waits w where w.job_id = any (v_ended);
  update public.events e set delivered_at = millrace.now()
  where e.id = any (v_events) and e.id <= v_last;
  return exists (select from public.events e where e.delivered_at is null);
end;
$$;
comment on function millrace.deliver_events() is
  'Puts events into the mailboxes of the jobs that wait for them, and answers whether some are left.';

-- Delivered or not, an event counts for the jobs of its time only.
create function millrace.prune_events(p_batch integer default 5000) returns integer
language plpgsql set search_path = ''
as $$
declare
  v_deleted integer;
begin
  delete from public.events
  where id = any (array(
    select e.id from public.events e
    where e.created_at < millrace.now() - make_interval(days => (
      select s.retention_days from millrace.settings s))
    order by e.created_at limit p_batch
    for update skip locked));
  get diagnostics v_deleted = row_count;
  return v_deleted;
end;
$$;
comment on function millrace.prune_events(integer) is
  'Deletes up to p_batch events older than retention_days, and answers how many.';

revoke execute on function millrace.event_lock(), millrace.is_within(uuid, uuid),
  millrace.subscribe(jsonb, uuid[]), millrace.waits_for_events(bigint[]),
  millrace.deliver_events(), millrace.prune_events(integer) from public;
grant execute on function millrace.event_lock(), millrace.is_within(uuid, uuid),
  millrace.subscribe(jsonb, uuid[]), millrace.waits_for_events(bigint[]),
  millrace.deliver_events(), millrace.prune_events(integer) to service_role;
