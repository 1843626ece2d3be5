-- A job is an actor: one row, one mailbox, one owner at a time. next_run_at says when an
-- orchestrator should look at it next; that one column is queue, retry timer, wake-up and lease
-- expiry at once.

create table public.jobs (
  id uuid primary key default extensions.uuid_generate_v4(),
  user_id uuid not null default auth.uid()
    constraint jobs_user_fk references auth.users (id) on delete cascade,
  workflow_id text not null constraint jobs_workflow_fk references public.workflows (id),
  current_step_id text,
  status text not null default 'pending'
    constraint jobs_status_known check (status in ('pending', 'running', 'awaiting_retry',
      'waiting', 'paused', 'completed', 'failed', 'cancelled')),
  input_data jsonb,
  step_data jsonb not null default '{}'::jsonb
    constraint jobs_step_data_object check (jsonb_typeof(step_data) = 'object'),
  final_result jsonb,
  created_at timestamptz not null default millrace.now(),
  started_at timestamptz,
  last_updated_at timestamptz not null default millrace.now(),
  completed_at timestamptz,
  error_message text,
  retry_count integer not null default 0
    constraint jobs_retry_count_positive check (retry_count >= 0),
  max_retries integer not null default 3
    constraint jobs_max_retries_range check (max_retries between 0 and 1000),
  next_retry_at timestamptz,
  state_history jsonb not null default '[]'::jsonb
    constraint jobs_state_history_array check (jsonb_typeof(state_history) = 'array'),

  -- Beside the columns above, what durability needs.
  workflow_version integer not null,
  priority smallint not null default 5 constraint jobs_priority_range check (priority between 0 and 9),
  run_at timestamptz
    constraint jobs_run_at_range check (isfinite(run_at) and run_at < '10000-01-01 00:00:00+00'),
  deadline_at timestamptz,
  idempotency_key text
    constraint jobs_idempotency_key_length check (length(idempotency_key) between 1 and 200),
  metadata jsonb not null default '{}'::jsonb
    constraint jobs_metadata_object check (jsonb_typeof(metadata) = 'object')
    constraint jobs_metadata_size check (pg_column_size(metadata) <= 512
      or (pg_column_size(metadata) <= 65536 and millrace.json_bytes(metadata) <= 65536)),
  error jsonb,
  trace_id uuid not null default gen_random_uuid(),
  run_number integer not null default 1,

  -- Of a child: who waits for it, and what of the definition or of a list it does.
  parent_job_id uuid constraint jobs_parent_fk references public.jobs (id) on delete cascade,
  parent_step_id text,
  parent_visit integer,
  root_job_id uuid,
  depth smallint not null default 0 constraint jobs_depth_range check (depth between 0 and 10),
  branch text,
  item jsonb,
  item_index integer,
  open_children integer not null default 0,
  failed_children integer not null default 0,

  -- The engine's own.
  max_failed_children integer,
  slot_key text,
  wanted_slot text,
  held_slots text[],
  inherited_slots text[],
  queue_place bigint,
  next_run_at timestamptz,
  lease_token uuid,
  wake_requested boolean not null default false,
  version bigint not null default 0,
  redeliveries smallint not null default 0,
  state jsonb not null default '{}'::jsonb
    constraint jobs_state_object check (jsonb_typeof(state) = 'object'),

  constraint jobs_workflow_version_fk foreign key (workflow_id, workflow_version)
    references public.workflow_versions (workflow_id, version),
  -- Each constraint costs every statement that writes jobs some microseconds, so that these few say
  -- several things each.
  constraint jobs_parent_complete check (
    num_nulls(parent_job_id, parent_step_id, parent_visit, root_job_id)
      = case when depth > 0 then 0 else 4 end),
  constraint jobs_counts_not_negative check (
    run_number >= 1 and open_children >= 0 and failed_children >= 0),
  constraint jobs_ended_has_no_open_children check (
    open_children = 0 or status not in ('completed', 'failed', 'cancelled')),
  -- A run that believes that all have ended, while the end of one was refused, does not pass here.
  constraint jobs_open_children_are_awaited check (
    open_children = 0 or state ? 'ending'
    or state #>> '{waiting,kind}' is not distinct from 'children'),
  constraint jobs_waits_to_start_while_pending check (
    (queue_place is null and wanted_slot is null)
    or (status = 'pending' and (queue_place is null or next_run_at is not null))),
  constraint jobs_schedule_matches_status check (
    case
      when status = 'running' then lease_token is not null and next_run_at is not null
      when status = 'awaiting_retry' then
        lease_token is null and next_run_at is not null and next_retry_at is not null
      when status in ('pending', 'waiting', 'paused') then lease_token is null
      else lease_token is null and next_run_at is null
    end),
  constraint jobs_ended_has_end_time check (
    (completed_at is not null) = (status in ('completed', 'failed', 'cancelled'))),
  constraint jobs_failed_has_error check (status <> 'failed' or error_message is not null),
  constraint jobs_started_before_ended check (completed_at >= started_at)
)
-- Steps that move a job change no indexed column; the free space lets them stay on their page (HOT).
with (fillfactor = 75);

comment on table public.jobs is 'One row per execution of a workflow, owned by the user who started it.';
comment on column public.jobs.current_step_id is 'The program counter: the step that runs, waits or ran last.';
comment on column public.jobs.step_data is 'Latest result of each step: {step_id: {output, status, error, attempts}}.';
comment on column public.jobs.retry_count is 'Retries used by the current visit of the current step.';
comment on column public.jobs.max_retries is 'How many retries a step gets where neither step, definition nor transformer says.';
comment on column public.jobs.priority is '0 to 9, higher runs first.';
comment on column public.jobs.run_at is 'Not to be started before; null is at once.';
comment on column public.jobs.deadline_at is 'When the job fails with timeout if it has not ended.';
comment on column public.jobs.trace_id is 'W3C trace id that runs from the request to the executors.';
comment on column public.jobs.run_number is 'Counts the retries of the whole job, from 1.';
comment on column public.jobs.parent_visit is 'Which visit of parent_step_id started the job.';
comment on column public.jobs.root_job_id is 'The outermost of the jobs above; null for a root.';
comment on column public.jobs.branch is
  'The part of the definition that a child runs (fan.left, each/fan.left); null is all of it.';
comment on column public.jobs.item is 'Of a child of a map: its item, which may be JSON null.';
comment on column public.jobs.item_index is 'Place of a child among its siblings, from 0.';
comment on column public.jobs.failed_children is
  'Children of the current visit that failed or were cancelled.';
comment on column public.jobs.max_failed_children is
  'With more failed children than this the job is woken before the last has ended; null is never.';
comment on column public.jobs.slot_key is 'The slot without which a child of a map may not run.';
comment on column public.jobs.wanted_slot is 'The slot that a pending job waits for.';
comment on column public.jobs.held_slots is 'Slots that the job frees when it ends.';
comment on column public.jobs.inherited_slots is 'Slots that jobs above hold: they count for this job too.';
comment on column public.jobs.queue_place is
  'Place in the start queue of its priority; not null while a due job waits to be started.';
comment on column public.jobs.next_run_at is
  'When an orchestrator should look at the job next: due time, retry time, wake-up, or lease expiry while running; null while it waits for the outside or has ended.';
comment on column public.jobs.lease_token is 'The orchestrator run that owns the job; null when nobody does.';
comment on column public.jobs.wake_requested is 'A message came in while a lease was held: look again.';
comment on column public.jobs.version is 'Counts claims (by two) and commits (by one); a commit must name the one it read.';
comment on column public.jobs.redeliveries is 'How often the current attempt was delivered again after its owner was lost.';
comment on column public.jobs.state is 'The engine''s program state: visit, attempt and what a parked step waits for.';

-- The queue of what is to be started and, by its time, all else that falls due: leases, retries,
-- timers, wake-ups. Finished jobs are in neither, so their size is that of the work at hand.
create index jobs_queue_idx on public.jobs (priority desc, queue_place, next_run_at)
  where queue_place is not null;
create index jobs_timed_idx on public.jobs (priority desc, next_run_at)
  where next_run_at is not null and queue_place is null;
create index jobs_queue_of_user_idx on public.jobs (user_id, priority, queue_place)
  where queue_place is not null;
-- Those that were to be started later, until they are in the queue.
create index jobs_scheduled_idx on public.jobs (next_run_at)
  where run_at is not null and started_at is null and queue_place is null
    and held_slots is null and state = '{}' and next_run_at is not null;
create index jobs_wanted_slot_idx on public.jobs (wanted_slot, priority desc, created_at, item_index)
  where wanted_slot is not null;
create index jobs_user_created_idx on public.jobs (user_id, created_at desc, id desc);
-- Lists show roots, which a map of thousands of items must not hide from them.
create index jobs_user_roots_idx on public.jobs (user_id, created_at desc, id desc)
  where parent_job_id is null;
create index jobs_workflow_created_idx on public.jobs (workflow_id, workflow_version, created_at);
create unique index jobs_idempotency_key_idx on public.jobs (user_id, idempotency_key)
  where idempotency_key is not null;
create index jobs_parent_idx on public.jobs (parent_job_id, parent_step_id, parent_visit, item_index)
  where parent_job_id is not null;
create index jobs_completed_at_idx on public.jobs (completed_at) where completed_at is not null;

-- Round-robin over users within a priority, as start-time fair queueing with no shared counter: a
-- user's next job goes behind his last, and nobody's goes before what is at the head now. With
-- 10,000 jobs of one user in the queue, the first of another is the next but one.
create function millrace.next_queue_place(p_user_id uuid, p_priority smallint) returns bigint
language plpgsql set search_path = '' set enable_seqscan = off
as $$
begin
  return coalesce(
    -- Whoever has a job in the queue has its last place behind the head.
    (select j.queue_place from public.jobs j
      where j.user_id = p_user_id and j.priority = p_priority and j.queue_place is not null
      order by j.queue_place desc limit 1) + 1,
    (select j.queue_place from public.jobs j
      where j.priority = p_priority and j.queue_place is not null
      order by j.queue_place limit 1),
    0);
end;
$$;
comment on function millrace.next_queue_place(uuid, smallint) is
  'The place of a user''s next job in the start queue of a priority.';
revoke execute on function millrace.next_queue_place(uuid, smallint) from public;
grant execute on function millrace.next_queue_place(uuid, smallint) to service_role;

-- A timeout that is none is the engine's to report, as definition_invalid.
create function millrace.timeout_of(p_definition jsonb) returns double precision
language plpgsql immutable set search_path = ''
as $$
begin
  return case
    when jsonb_typeof(p_definition -> 'timeout_seconds') = 'number'
      and (p_definition -> 'timeout_seconds')::numeric between 0 and 1e9
    then (p_definition -> 'timeout_seconds')::double precision
  end;
end;
$$;
comment on function millrace.timeout_of(jsonb) is
  'timeout_seconds of a definition, null where it has none.';
revoke execute on function millrace.timeout_of(jsonb) from public;
grant execute on function millrace.timeout_of(jsonb) to service_role;

-- A new job, however it comes in: pinned to the current version, due at run_at. Security definer, as
-- the place in the queue depends on the jobs of others.
create function millrace.prepare_job() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_version integer;
  v_timeout_seconds double precision;
  v_bytes integer;
begin
  select w.version, millrace.timeout_of(w.definition) into v_version, v_timeout_seconds
  from public.workflows w where w.id = new.workflow_id;
  if not found then
    raise exception 'Cannot start job as there is no workflow ''%''', new.workflow_id
      using errcode = 'MR001';
  end if;
  v_bytes := millrace.json_bytes(new.input_data);
  if v_bytes > 4194304 then
    raise exception 'Cannot start job as its input_data must be <= 4194304 bytes: current size is %',
      v_bytes using errcode = 'MR006';
  end if;
  new.workflow_version := coalesce(new.workflow_version, v_version);
  if new.status = 'pending' and new.wanted_slot is null then
    new.next_run_at := coalesce(new.next_run_at, new.run_at, new.created_at);
    if new.queue_place is null and new.next_run_at <= millrace.now() then
      new.queue_place := millrace.next_queue_place(new.user_id, new.priority);
    end if;
  end if;
  if v_timeout_seconds is not null then
    new.deadline_at := coalesce(new.deadline_at,
      greatest(new.run_at, new.created_at) + make_interval(secs => v_timeout_seconds));
  end if;
  if new.parent_job_id is not null then
    select coalesce(p.root_job_id, p.id), p.depth + 1 into new.root_job_id, new.depth
    from public.jobs p where p.id = new.parent_job_id;
    -- Where there is no such job, jobs_parent_fk says so.
    new.root_job_id := coalesce(new.root_job_id, new.parent_job_id);
    new.depth := coalesce(new.depth, 1);
  end if;
  new.state_history := jsonb_build_array(
    jsonb_build_object('from', null, 'to', new.status, 'at', new.created_at));
  return new;
end;
$$;
comment on function millrace.prepare_job() is
  'Pins a new job to its workflow''s version and makes it due. Raises MR001 (no such workflow), MR006 (input too large).';
revoke execute on function millrace.prepare_job() from public;
-- A job that comes with its history was prepared by whoever inserts it, as spawned ones are.
create trigger jobs_prepare before insert on public.jobs
  for each row when (new.state_history = '[]') execute function millrace.prepare_job();

-- The history is the database's, so that no way of changing a status can forget it. Bounded: the
-- first entry and the last 99 stay.
create function millrace.record_job_transition() returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.state_history := case
      when jsonb_array_length(old.state_history) >= 100 then old.state_history - 1
      else old.state_history
    end || jsonb_strip_nulls(jsonb_build_object(
      'from', old.status, 'to', new.status, 'at', new.last_updated_at,
      'step_id', new.current_step_id, 'error', new.error ->> 'code'));
  return new;
end;
$$;
comment on function millrace.record_job_transition() is
  'Appends one entry to state_history for a change of status.';
revoke execute on function millrace.record_job_transition() from public;

create function millrace.touch_last_updated_at() returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.last_updated_at := millrace.now();
  return new;
end;
$$;
comment on function millrace.touch_last_updated_at() is
  'Sets last_updated_at where the update did not do so itself.';
revoke execute on function millrace.touch_last_updated_at() from public;

-- Triggers fire in the order of their names: the time first, as the history quotes it.
create trigger jobs_a_touch_last_updated_at before update on public.jobs
  for each row when (new.last_updated_at = old.last_updated_at)
  execute function millrace.touch_last_updated_at();
create trigger jobs_b_record_transition before update on public.jobs
  for each row when (new.status is distinct from old.status)
  execute function millrace.record_job_transition();

alter table public.jobs enable row level security;
revoke all on public.jobs from anon, authenticated, service_role;
grant select, insert, update, delete on public.jobs to service_role;
-- Users see their jobs whole, but write only what the engine does not decide by.
grant select, delete on public.jobs to authenticated;
grant insert (user_id, workflow_id, input_data, idempotency_key, priority, run_at, max_retries,
  metadata, trace_id) on public.jobs to authenticated;
grant update (metadata) on public.jobs to authenticated;

create policy jobs_select_own on public.jobs
  for select to authenticated using ((select auth.uid()) = user_id);
create policy jobs_insert_own on public.jobs
  for insert to authenticated with check ((select auth.uid()) = user_id);
create policy jobs_update_own on public.jobs
  for update to authenticated
  using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy jobs_delete_own_ended on public.jobs
  for delete to authenticated
  using ((select auth.uid()) = user_id and status in ('completed', 'failed', 'cancelled')
    -- The result of a child is its parent's, which may not have read it yet.
    and parent_job_id is null);
