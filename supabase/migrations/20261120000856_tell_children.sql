-- What the commit of a parent does to the children that it has: counts those that end, tells the open
-- ones, opens ended ones again. All of them are locked with the jobs of the batch.

create function millrace.addressed_children(p_commit jsonb) returns uuid[]
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  return array(
    select j.id from jsonb_to_recordset(p_commit -> 'child_messages') as m (job_id uuid)
    cross join lateral (
      select jobs.id, jobs.status from public.jobs where jobs.parent_job_id = m.job_id offset 0
    ) as j
    where j.status not in ('completed', 'failed', 'cancelled')
    union all
    select j.id
    from jsonb_to_recordset(p_commit -> 'reopenings') as r (job_id uuid, step_id text, visit integer)
    cross join lateral (
      select jobs.id, jobs.status from public.jobs
      where jobs.parent_job_id = r.job_id and jobs.parent_step_id = r.step_id
        and jobs.parent_visit = r.visit
      offset 0
    ) as j
    where j.status in ('failed', 'cancelled'));
end;
$$;
comment on function millrace.addressed_children(jsonb) is
  'The children that a commit has messages for or opens again.';

-- Before the jobs themselves are written, so that a parent in the same batch can end. A parent that
-- somebody has leased is not woken: it sees the counts when it parks.
create function millrace.count_down(p_commits millrace.job_commit[], p_now timestamptz) returns void
language plpgsql set search_path = ''
as $$
begin
  update public.jobs p
  set open_children = p.open_children - ended.number,
      failed_children = p.failed_children + ended.failed,
      next_run_at = case
        when p.status = 'waiting' and (p.open_children = ended.number
          or p.failed_children + ended.failed > p.max_failed_children) then p_now
        else p.next_run_at
      end,
      last_updated_at = p_now
  from (
    select j.parent_job_id as id, count(*)::integer as number,
      (count(*) filter (where c.status <> 'completed'))::integer as failed
    from unnest(p_commits) as c
    cross join lateral (
      select jobs.parent_job_id from public.jobs where jobs.id = c.job_id offset 0
    ) as j
    where c.status in ('completed', 'failed', 'cancelled') and j.parent_job_id is not null
    group by j.parent_job_id
  ) as ended
  where p.id = ended.id;
end;
$$;
comment on function millrace.count_down(millrace.job_commit[], timestamptz) is
  'Counts ended jobs at their parents, and wakes a waiting parent when none is open or too many failed.';

create function millrace.tell_children(p_messages jsonb, p_applied uuid[], p_token uuid)
returns uuid[]
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_kick text := coalesce(current_setting('millrace.kick', true), '');
  v_ids uuid[];
  v_kinds text[];
  v_reasons text[];
  v_held uuid[];
  v_elsewhere boolean;
begin
  select array_agg(j.id), array_agg(m.kind), array_agg(m.reason),
    coalesce(array_agg(j.id) filter (where j.lease_token = p_token), '{}'),
    bool_or(j.lease_token <> p_token)
  into v_ids, v_kinds, v_reasons, v_held, v_elsewhere
  from jsonb_to_recordset(p_messages) as m (job_id uuid, kind text, reason text)
  cross join lateral (
    select jobs.id, jobs.status, jobs.lease_token from public.jobs
    where jobs.parent_job_id = m.job_id offset 0
  ) as j
  where m.job_id = any (p_applied) and j.status not in ('completed', 'failed', 'cancelled');
  -- The caller looks for what is due, and is told of what he holds; who else holds one is not.
  perform set_config('millrace.kick', case when v_elsewhere then '' else 'caller' end, true);
  perform millrace.wake_jobs(v_ids);
  -- One wish to cancel is enough; a pause and a resume take each other's place.
  delete from public.job_inbox m
  where m.job_id = any (v_ids) and m.kind in ('pause', 'resume') and 'cancel' <> any (v_kinds);
  perform set_config('millrace.wake', 'sender', true);
  insert into public.job_inbox (job_id, kind, payload)
  select told.id, told.kind, jsonb_build_object('reason', told.reason)
  from unnest(v_ids, v_kinds, v_reasons) as told (id, kind, reason)
  on conflict (job_id) where kind = 'cancel' do nothing;
  perform set_config('millrace.wake', '', true);
  perform set_config('millrace.kick', v_kick, true);
  return v_held;
end;
$$;
comment on function millrace.tell_children(jsonb, uuid[], uuid) is
  'Puts cancel, pause or resume into the mailboxes of the open children of committed jobs, and answers those that the caller holds.';

-- As many as fit get their slots back at once, the others wait for one. The parents are not written
-- here but told by their commits how many children they wait for again.
create function millrace.reopen_children(
  p_commits millrace.job_commit[], p_parents uuid[], p_ids uuid[], p_now timestamptz
) returns millrace.job_commit[]
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = on
as $$
begin
  with reopened as materialized (
    select c.*, row_number() over (partition by c.slot_key order by c.item_index) as number,
      row_number() over (partition by c.user_id, c.priority
        order by c.parent_job_id, c.item_index) - 1 as position
    from unnest(p_ids) as listed (id)
    cross join lateral (
      select jobs.id, jobs.slot_key, jobs.item_index, jobs.user_id, jobs.priority,
        jobs.parent_job_id,
        -- As for a new job; only whole workflows have one.
        case when jobs.deadline_at is not null then p_now + make_interval(secs => (
          select millrace.timeout_of(v.definition) from public.workflow_versions v
          where v.workflow_id = jobs.workflow_id and v.version = jobs.workflow_version))
        end as deadline_at
      from public.jobs where jobs.id = listed.id offset 0
    ) as c
  ), owner as materialized (
    -- Looked up before the update, which fills the index.
    select o.user_id, o.priority, millrace.next_queue_place(o.user_id, o.priority) as place
    from (select distinct r.user_id, r.priority from reopened r) as o
  ), slot as materialized (
    select k.slot_key, s.capacity - s.in_use as free
    from (select distinct r.slot_key from reopened r where r.slot_key is not null) as k
    join millrace.slots s on s.key = k.slot_key
  ), parent as materialized (
    select p.id,
      nullif(coalesce(p.held_slots, '{}') || coalesce(p.inherited_slots, '{}'), '{}') as slots
    from public.jobs p where p.id = any (p_parents)
  ), again as materialized (
    select r.id, r.deadline_at, r.number > slot.free as waits, o.place + r.position as place,
      parent.slots
    from reopened r
    join owner o on o.user_id = r.user_id and o.priority = r.priority
    join parent on parent.id = r.parent_job_id
    left join slot on slot.slot_key = r.slot_key
  )
  update public.jobs j
  set status = 'pending', run_number = j.run_number + 1, completed_at = null, final_result = null,
      error = null, error_message = null, retry_count = 0, redeliveries = 0, next_retry_at = null,
      deadline_at = again.deadline_at,
      wanted_slot = case when again.waits then j.slot_key end,
      held_slots = case when not again.waits then array[j.slot_key] end,
      inherited_slots = again.slots,
      queue_place = case when again.waits is not true then again.place end,
      next_run_at = case when again.waits is not true then p_now else again.deadline_at end,
      last_updated_at = p_now
  from again
  where j.id = again.id;

  update millrace.slots s set in_use = s.in_use + granted.number
  from (
    select j.slot_key as key, count(*) as number from public.jobs j
    where j.id = any (p_ids) and j.held_slots is not null group by j.slot_key
  ) as granted
  where s.key = granted.key;
  insert into public.job_inbox (job_id, kind) select id, 'retry' from unnest(p_ids) as id;
  return array(
    with reopened as materialized (
      select j.parent_job_id as id, count(*) as number from public.jobs j
      where j.id = any (p_ids) group by j.parent_job_id
    )
    select case when listed.id is null then c else jsonb_populate_record(c,
      jsonb_build_object('reopened', coalesce(r.number, 0))) end
    from unnest(p_commits) as c
    left join (select distinct id from unnest(p_parents) as id) as listed on listed.id = c.job_id
    left join reopened r on r.id = c.job_id);
end;
$$;
comment on function millrace.reopen_children(millrace.job_commit[], uuid[], uuid[], timestamptz) is
  'Makes ended children pending again, each with a retry message, and answers the commits with their number.';

revoke execute on function millrace.addressed_children(jsonb),
  millrace.count_down(millrace.job_commit[], timestamptz), millrace.tell_children(jsonb, uuid[], uuid),
  millrace.reopen_children(millrace.job_commit[], uuid[], uuid[], timestamptz) from public;
grant execute on function millrace.addressed_children(jsonb),
  millrace.count_down(millrace.job_commit[], timestamptz), millrace.tell_children(jsonb, uuid[], uuid),
  millrace.reopen_children(millrace.job_commit[], uuid[], uuid[], timestamptz) to service_role;
