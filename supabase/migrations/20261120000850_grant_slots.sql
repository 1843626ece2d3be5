-- Slots given and taken. Lock order: jobs, then slots by key, then nothing that has to be waited for.

create function millrace.lock_slots(p_keys text[]) returns void
language plpgsql set search_path = '' set enable_seqscan = off
as $$
begin
  perform from millrace.slots s where s.key = any (p_keys) order by s.key for update;
end;
$$;
comment on function millrace.lock_slots(text[]) is 'Locks slots in the order of their keys.';

-- A waiting job whose row somebody holds is passed over, as to wait for him could be a deadlock: he
-- may hold many rows (a parent that cancels its children) and want one of ours. Nearly always he is
-- about to wake it, and whoever is claimed asks again himself; for the rest there is tick().
create function millrace.grant_slots(p_keys text[]) returns integer
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_now timestamptz := millrace.now();
  v_ids uuid[];
begin
  perform millrace.lock_slots(p_keys);
  v_ids := array(
    select waiting.id from unnest(p_keys) as wanted (key)
    cross join lateral (
      select slots.capacity, slots.in_use from millrace.slots where slots.key = wanted.key offset 0
    ) as s
    cross join lateral (
      select j.id from public.jobs j
      where j.wanted_slot = wanted.key
      order by j.priority desc, j.created_at, j.item_index
      limit greatest(s.capacity - s.in_use, 0)
      for update skip locked
    ) as waiting);
  if v_ids = '{}' then
    return 0;
  end if;
  update millrace.slots s set in_use = s.in_use + granted.number
  from (
    select j.wanted_slot as key, count(*) as number
    from public.jobs j where j.id = any (v_ids) group by j.wanted_slot
  ) as granted
  where s.key = granted.key;
  update public.jobs j
  set held_slots = array_append(j.held_slots, j.wanted_slot), wanted_slot = null,
      next_run_at = v_now, last_updated_at = v_now
  where j.id = any (v_ids);
  return cardinality(v_ids);
end;
$$;
comment on function millrace.grant_slots(text[]) is
  'Gives free slots of these keys to the jobs that wait for them, by priority and age, makes those due, and answers how many.';

create function millrace.free_slots(p_job_ids uuid[]) returns void
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_keys text[];
begin
  v_keys := array(
    select distinct held.key from public.jobs j cross join unnest(j.held_slots) as held (key)
    where j.id = any (p_job_ids));
  perform millrace.lock_slots(v_keys);
  update millrace.slots s set in_use = s.in_use - freed.number
  from (
    select held.key, count(*) as number
    from public.jobs j cross join unnest(j.held_slots) as held (key)
    where j.id = any (p_job_ids) group by held.key
  ) as freed
  where s.key = freed.key;
  update public.jobs set held_slots = null where id = any (p_job_ids);
  perform millrace.grant_slots(v_keys);
end;
$$;
comment on function millrace.free_slots(uuid[]) is
  'Takes the slots of jobs that have ended and gives them to those that wait.';

-- What tick() does in case a job was passed over, or a limit was raised.
create function millrace.sweep_slots() returns integer
language plpgsql set search_path = '' set enable_seqscan = off
as $$
declare
  v_keys text[];
begin
  -- One look-up a key, however many jobs wait for it.
  with recursive wanted as (
    (select j.wanted_slot as key from public.jobs j
      where j.wanted_slot is not null order by j.wanted_slot limit 1)
    union all
    select (select j.wanted_slot from public.jobs j
      where j.wanted_slot > wanted.key order by j.wanted_slot limit 1)
    from wanted where wanted.key is not null
  )
  select array_agg(s.key) into v_keys
  from wanted join millrace.slots s on s.key = wanted.key
  where s.in_use < s.capacity;
  return case when v_keys is null then 0 else millrace.grant_slots(v_keys) end;
end;
$$;
comment on function millrace.sweep_slots() is
  'Gives all free slots to jobs that wait for them and answers how many.';

-- Keys that nobody uses, such as those of customers who are gone, and starts that no rate limit can
-- ask for any more. Looked at twice: whoever parks a job for a slot holds the key, and may have done
-- so just before it was locked here. Who wants a key that is being deleted makes it anew.
create function millrace.prune_slots() returns integer
language plpgsql set search_path = '' set enable_seqscan = off
as $$
declare
  v_deleted integer;
  v_keys text[];
begin
  delete from millrace.rate_starts where starts_at < millrace.now() - interval '31 days';
  v_keys := array(
    select s.key from millrace.slots s
    where s.in_use = 0 and s.job_id is null
      and not exists (select from public.jobs j where j.wanted_slot = s.key offset 0)
    limit 1000
    for update skip locked);
  delete from millrace.slots s
  where s.key = any (v_keys)
    and not exists (select from public.jobs j where j.wanted_slot = s.key offset 0);
  get diagnostics v_deleted = row_count;
  return v_deleted;
end;
$$;
comment on function millrace.prune_slots() is
  'Deletes up to 1,000 keys that no job holds or waits for, and answers how many.';

-- Whoever deletes a job that has not ended: its slots are free, and its parent does not wait for it.
create function millrace.release_deleted_job() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_now timestamptz := millrace.now();
begin
  if old.parent_job_id is not null then
    update public.jobs p
    set open_children = p.open_children - 1,
        failed_children = p.failed_children + 1,
        next_run_at = case when p.status = 'waiting'
          and (p.open_children = 1 or p.failed_children + 1 > p.max_failed_children)
          then v_now else p.next_run_at end,
        last_updated_at = v_now
    where p.id = old.parent_job_id and p.open_children > 0;
  end if;
  -- Given to others by the next tick(): a delete of many jobs comes here for each. Slots that go with
  -- their job are left alone: a row that is changed twice has its foreign key checked, in vain.
  update millrace.slots s set in_use = s.in_use - 1
  where s.key = any (old.held_slots) and s.in_use > 0
    and (s.job_id is null or exists (select from public.jobs j where j.id = s.job_id));
  return null;
end;
$$;
comment on function millrace.release_deleted_job() is
  'Frees the slots of a deleted job and counts it as a failed child of its parent.';
create trigger jobs_release_deleted after delete on public.jobs
  for each row when (old.status not in ('completed', 'failed', 'cancelled')
    and (old.parent_job_id is not null or old.held_slots is not null))
  execute function millrace.release_deleted_job();

revoke execute on function millrace.lock_slots(text[]), millrace.grant_slots(text[]),
  millrace.free_slots(uuid[]), millrace.sweep_slots(), millrace.prune_slots(),
  millrace.release_deleted_job() from public;
grant execute on function millrace.lock_slots(text[]), millrace.grant_slots(text[]),
  millrace.free_slots(uuid[]), millrace.sweep_slots(), millrace.prune_slots() to service_role;
