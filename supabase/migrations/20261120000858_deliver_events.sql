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
    select w.job_id, 'event', w.step_id, w.visit, jsonb_build_object('event_id', e.id,
      'position', e.position, 'name', e.name, 'key', e.key, 'payload', e.payload)
      -- Those behind it come when this page has been looked at.
      || case when e.number = 100 then '{"more": true}' else '{}' end::jsonb
    from jsonb_to_recordset(p_subscriptions) as s (job_id uuid, after bigint, since timestamptz)
    join public.event_waits w on w.job_id = s.job_id
    cross join lateral (
      with recursive line as (
        select w.job_id as id
        union all
        select j.parent_job_id from line join public.jobs j on j.id = line.id
        where j.parent_job_id is not null
      )
      select found.*, row_number() over (order by found.position) as number from (
        (select events.* from public.events
          where w.key is null and events.user_id = w.user_id and events.job_id is null
            and events.name = w.event and events.position > s.after
            and events.created_at >= s.since
            and (events.delivered_at is not null or events.served_job_id >= w.job_id)
          order by events.position limit 100)
        union all
        (select events.* from public.events
          where w.key is null and events.user_id is null and events.job_id is null
            and events.name = w.event and events.position > s.after
            and events.created_at >= s.since
            and (events.delivered_at is not null or events.served_job_id >= w.job_id)
          order by events.position limit 100)
        union all
        (select events.* from public.events
          where events.key = w.key and events.user_id = w.user_id and events.job_id is null
            and events.name = w.event and events.position > s.after
            and events.created_at >= s.since
            and (events.delivered_at is not null or events.served_job_id >= w.job_id)
          order by events.position limit 100)
        union all
        (select events.* from public.events
          where events.key = w.key and events.user_id is null and events.job_id is null
            and events.name = w.event and events.position > s.after
            and events.created_at >= s.since
            and (events.delivered_at is not null or events.served_job_id >= w.job_id)
          order by events.position limit 100)
        union all
        -- A signal names its job, which is more than a key could say.
        select events.* from line join public.events on events.job_id = line.id
        where events.name = w.event and events.position > s.after
          and events.created_at >= s.since
          and (events.user_id is null or events.user_id = w.user_id)
          and (events.delivered_at is not null or events.served_job_id >= w.job_id)
      ) as found
      order by found.position limit 100
    ) as e
    where s.job_id = any (p_applied)
    order by w.job_id, e.position
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

-- The next of the jobs that wait for an event, in the order of their ids.
create function millrace.waiters_of(p_event public.events, p_limit integer) returns uuid[]
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_after uuid := coalesce(p_event.served_job_id, '00000000-0000-0000-0000-000000000000');
begin
  if p_event.job_id is not null then
    return array(
      select w.job_id from public.event_waits w
      where w.root_job_id = (
          select coalesce(j.root_job_id, j.id) from public.jobs j where j.id = p_event.job_id)
        and w.event = p_event.name and w.job_id > v_after
        and (p_event.user_id is null or w.user_id = p_event.user_id)
        and (p_event.job_id in (w.job_id, w.root_job_id)
          or millrace.is_within(w.job_id, p_event.job_id))
      order by w.job_id limit p_limit);
  elsif p_event.user_id is null then
    return array(
      select waiting.job_id from (
        (select w.job_id from public.event_waits w
          where w.event = p_event.name and coalesce(w.key, '') = '' and w.job_id > v_after
          order by w.job_id limit p_limit)
        union all
        (select w.job_id from public.event_waits w
          where w.event = p_event.name and coalesce(w.key, '') = p_event.key
            and w.job_id > v_after
          order by w.job_id limit p_limit)
      ) as waiting
      order by waiting.job_id limit p_limit);
  end if;
  return array(
    select waiting.job_id from (
      (select w.job_id from public.event_waits w
        where w.user_id = p_event.user_id and array[w.event, w.key] = array[p_event.name, null]
          and w.job_id > v_after
        order by w.job_id limit p_limit)
      union all
      (select w.job_id from public.event_waits w
        where w.user_id = p_event.user_id and p_event.key is not null
          and array[w.event, w.key] = array[p_event.name, p_event.key] and w.job_id > v_after
        order by w.job_id limit p_limit)
    ) as waiting
    order by waiting.job_id limit p_limit);
end;
$$;
comment on function millrace.waiters_of(public.events, integer) is
  'The first p_limit jobs that wait for an event and have not been served, by id.';

-- The next messages of an event: as many as there is room for. Jobs are locked but not waited for;
-- from one on that somebody holds, all are left to a later turn. An event of which all could be sent
-- but for such a one is not begun at all.
create function millrace.serve_event(
  p_event public.events, p_limit integer,
  out served uuid[], out ended uuid[], out looked_at integer, out is_done boolean,
  out is_stopped boolean
)
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_first_held uuid;
  v_locked uuid[];
begin
  served := millrace.waiters_of(p_event, p_limit + 1);
  is_done := cardinality(served) <= p_limit;
  is_stopped := false;
  served := served[1:p_limit];
  looked_at := cardinality(served);
  ended := '{}';
  if served = '{}' then
    return;
  end if;
  select coalesce(array_agg(held.id), '{}'),
    coalesce(array_agg(held.id) filter (where held.has_ended), '{}')
  into v_locked, ended
  from (
    select j.id, j.status in ('completed', 'failed', 'cancelled') as has_ended from public.jobs j
    where j.id = any (served) for update skip locked
  ) as held;
  if cardinality(v_locked) < cardinality(served) then
    is_stopped := true;
    select held.id into v_first_held
    from (select unnest(served) as id except select unnest(v_locked)) as held
    order by held.id limit 1;
    served := case when is_done and p_event.position is null then '{}'
      else array(select id from unnest(served) as id where id < v_first_held order by id) end;
    is_done := false;
  end if;
end;
$$;
comment on function millrace.serve_event(public.events, integer) is
  'Locks the next jobs, up to p_limit, that are to get an event. Answers them by id, those locked that have ended, how many it has looked at, whether they are the last, and whether a job that is held has stopped it.';

-- At most 100 events, 5,000 messages and 4 MiB of payload. Where a job is held, its event and those
-- of the same sender wait for the next turn, so that they come in order. While an event has reached
-- some of its jobs only, it holds back whatever else these jobs might get: it has its position, and
-- nobody who has not got it may look at a later one.
create function millrace.deliver_events() returns boolean
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_kick text := coalesce(current_setting('millrace.kick', true), '');
  v_room integer := 5000;
  v_bytes integer := 4194304;
  v_event public.events;
  v_size integer;
  v_page record;
  v_held uuid[] := '{}';
  v_all_held boolean := false;
  v_begun bigint[] := '{}';
  v_positions bigint[] := '{}';
  v_served uuid[] := '{}';
  v_event_ids bigint[] := '{}';
  v_job_ids uuid[] := '{}';
  v_ended uuid[] := '{}';
begin
  if not pg_try_advisory_xact_lock(millrace.event_lock()) then
    return true;
  end if;
  for v_event in
    select e.* from public.events e where e.delivered_at is null
    order by e.position, e.id limit 100
  loop
    exit when v_room <= 0 or v_bytes <= 0;
    continue when case when v_event.user_id is null then v_all_held
      else v_event.user_id = any (v_held) end;
    v_size := greatest(octet_length(v_event.payload::text), 1);
    v_page := millrace.serve_event(v_event, least(v_room, greatest(v_bytes / v_size, 1)));
    v_room := v_room - v_page.looked_at;
    v_bytes := v_bytes - v_size * cardinality(v_page.served);
    v_ended := v_ended || v_page.ended;
    if v_page.served <> '{}' or v_page.is_done then
      v_begun := v_begun || v_event.id;
      v_event.position := coalesce(v_event.position, nextval('millrace.event_positions'));
      v_positions := v_positions || v_event.position;
      v_served := v_served
        || case when not v_page.is_done then v_page.served[cardinality(v_page.served)] end;
      v_event_ids := v_event_ids || array_fill(v_event.id, array[cardinality(v_page.served)]);
      v_job_ids := v_job_ids || v_page.served;
    end if;
    exit when not v_page.is_done
      and (not v_page.is_stopped or (v_event.user_id is null and v_event.position is not null));
    if v_page.is_stopped then
      v_held := v_held || v_event.user_id;
      v_all_held := v_all_held or v_event.user_id is null or v_event.position is not null;
    end if;
  end loop;

  update public.events e
  set position = begun.position, served_job_id = begun.served_job_id,
      delivered_at = case when begun.served_job_id is null then millrace.now() end
  from unnest(v_begun, v_positions, v_served) as begun (id, position, served_job_id)
  where e.id = begun.id;
  delete from public.event_waits w where w.job_id = any (v_ended);
  -- Whoever delivers is an orchestrator.
  perform set_config('millrace.kick', 'caller', true);
  perform set_config('millrace.wake', 'sender', true);
  insert into public.job_inbox (job_id, kind, step_id, visit, payload)
  select pair.job_id, 'event', w.step_id, w.visit, jsonb_build_object('event_id', e.id,
    'position', e.position, 'name', e.name, 'key', e.key, 'payload', e.payload)
  from unnest(v_event_ids, v_job_ids) with ordinality as pair (event_id, job_id, place)
  join public.events e on e.id = pair.event_id
  join public.event_waits w on w.job_id = pair.job_id
  order by pair.place;
  perform set_config('millrace.wake', '', true);
  perform set_config('millrace.kick', v_kick, true);
  perform millrace.wake_jobs(array(
    select unnest(v_job_ids) except select unnest(v_ended)));
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
  millrace.subscribe(jsonb, uuid[]), millrace.waiters_of(public.events, integer),
  millrace.serve_event(public.events, integer), millrace.deliver_events(),
  millrace.prune_events(integer) from public;
grant execute on function millrace.event_lock(), millrace.is_within(uuid, uuid),
  millrace.subscribe(jsonb, uuid[]), millrace.waiters_of(public.events, integer),
  millrace.serve_event(public.events, integer), millrace.deliver_events(),
  millrace.prune_events(integer) to service_role;
