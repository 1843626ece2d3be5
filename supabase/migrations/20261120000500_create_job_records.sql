-- What a job leaves behind (attempts, events), what comes to it from outside (the mailbox), and
-- who is working (orchestrators).

create table public.job_steps (
  job_id uuid not null constraint job_steps_job_fk references public.jobs (id) on delete cascade,
  step_id text not null,
  visit integer not null constraint job_steps_visit_positive check (visit > 0),
  attempt integer not null constraint job_steps_attempt_not_negative check (attempt >= 0),
  status text not null constraint job_steps_status_known
    check (status in ('completed', 'failed', 'skipped', 'cancelled')),
  transformer_id text,
  input jsonb,
  output jsonb,
  error jsonb,
  redeliveries smallint not null default 0,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  constraint job_steps_pk primary key (job_id, step_id, visit, attempt),
  constraint job_steps_started_before_ended check (started_at <= ended_at),
  constraint job_steps_failed_has_error check ((status = 'failed') = (error is not null))
);
comment on table public.job_steps is
  'One row per attempt of a step, written once, when the attempt ended. The key is what makes "recorded once" hold.';
comment on column public.job_steps.visit is 'Counts the entries into this step: a loop comes again.';
comment on column public.job_steps.attempt is '1 is the first try; 0 for a step that was skipped.';
create index job_steps_ended_at_idx on public.job_steps using brin (ended_at);

create table public.job_events (
  id bigint generated always as identity primary key,
  job_id uuid not null constraint job_events_job_fk references public.jobs (id) on delete cascade,
  type text not null constraint job_events_type_format check (type ~ '^[a-z][a-z_]{0,63}$'),
  step_id text,
  data jsonb,
  created_at timestamptz not null default millrace.now()
);
comment on table public.job_events is
  'What happened to a job and stands in no other row: retries, redeliveries, late results, requests to cancel.';
create index job_events_job_idx on public.job_events (job_id, id);

create table public.job_inbox (
  id bigint generated always as identity primary key,
  job_id uuid not null constraint job_inbox_job_fk references public.jobs (id) on delete cascade,
  kind text not null constraint job_inbox_kind_known check (kind in ('cancel', 'pause', 'resume',
    'retry', 'step_result', 'event', 'decision', 'spawn_refused')),
  step_id text,
  visit integer,
  attempt integer,
  payload jsonb not null default '{}'::jsonb
    constraint job_inbox_payload_object check (jsonb_typeof(payload) = 'object'),
  created_at timestamptz not null default millrace.now(),
  -- A result is at most 4 MiB; the rest is for what surrounds it.
  constraint job_inbox_payload_size check (millrace.json_bytes(payload)
    <= case when kind in ('cancel', 'pause', 'resume', 'retry') then 8192 else 4260000 end),
  constraint job_inbox_result_names_attempt check (
    kind not in ('step_result', 'decision')
    or (step_id is not null and visit is not null and attempt is not null))
);
comment on table public.job_inbox is
  'A job''s mailbox: what comes from outside waits here for the owner of the lease; the commit that consumed a message deletes it.';
create index job_inbox_job_idx on public.job_inbox (job_id, id);
-- One wish to cancel is enough, and a user cannot fill a mailbox with them.
create unique index job_inbox_one_cancel_idx on public.job_inbox (job_id) where kind = 'cancel';
-- Of pause and resume the later wish counts.
create unique index job_inbox_one_pause_idx on public.job_inbox (job_id)
  where kind in ('pause', 'resume');

-- The wake-up belongs to the message. The job's row is locked first, so a commit that parks the
-- job either sees wake_requested or comes after this transaction and is seen by the next claim.
create function millrace.wake_job() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_now timestamptz := millrace.now();
  -- This comes before the policy: what is not the user's is left alone here, and refused there, so
  -- that the answer does not tell whether there is such a job.
  v_user_id uuid := (select auth.uid());
begin
  update public.jobs
  set wake_requested = true,
      next_run_at = case when lease_token is null then v_now else next_run_at end,
      -- What something has happened to does not wait behind what is yet to be started; but a wish
      -- that is free to repeat must not be a way past the others.
      queue_place = case when new.kind in ('pause', 'resume') then queue_place end,
      last_updated_at = v_now
  where id = new.job_id and status not in ('completed', 'failed', 'cancelled')
    and (v_user_id is null or user_id = v_user_id);
  if not found and (v_user_id is null or exists (
    select from public.jobs j where j.id = new.job_id and j.user_id = v_user_id)) then
    raise exception 'Cannot send a message to job % as it has ended', new.job_id
      using errcode = 'MR007';
  end if;
  -- Deleted, not changed: the owner may have read the earlier wish and consume it by its id.
  if new.kind in ('pause', 'resume') then
    delete from public.job_inbox m where m.job_id = new.job_id and m.kind in ('pause', 'resume');
  end if;
  return new;
end;
$$;
comment on function millrace.wake_job() is
  'Wakes the job that a message is for. Raises MR007 when the job has ended.';
revoke execute on function millrace.wake_job() from public;
-- Whoever opens an ended job again makes it due himself, in the same transaction; whoever sends to
-- many that he has locked wakes them all at once, with wake_jobs().
create trigger job_inbox_wake_job before insert on public.job_inbox
  for each row when (new.kind <> 'retry'
    and coalesce(current_setting('millrace.wake', true), '') <> 'sender')
  execute function millrace.wake_job();

create function millrace.wake_jobs(p_job_ids uuid[], p_keeps_place boolean default false)
returns void
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_now timestamptz := millrace.now();
begin
  update public.jobs j
  set wake_requested = true,
      next_run_at = case when j.lease_token is null then v_now else j.next_run_at end,
      queue_place = case when p_keeps_place then j.queue_place end,
      last_updated_at = v_now
  where j.id = any (p_job_ids);
end;
$$;
comment on function millrace.wake_jobs(uuid[], boolean) is
  'Wakes jobs that have not ended, which the caller has locked and sends messages to under the setting millrace.wake = sender. p_keeps_place: those that are to be started stay where they are in the queue.';
revoke execute on function millrace.wake_jobs(uuid[], boolean) from public;
grant execute on function millrace.wake_jobs(uuid[], boolean) to service_role;

-- Unlogged: signs of life, worthless after a crash.
create unlogged table public.orchestrators (
  lease_token uuid primary key,
  started_at timestamptz not null,
  last_turn_at timestamptz not null,
  in_flight integer not null,
  free_slots integer not null,
  last_batch integer not null
);
comment on table public.orchestrators is
  'The orchestrator runs at work: written by each turn, deleted when a run ends.';

alter table public.job_steps enable row level security;
alter table public.job_events enable row level security;
alter table public.job_inbox enable row level security;
alter table public.orchestrators enable row level security;
revoke all on public.job_steps, public.job_events, public.job_inbox, public.orchestrators
  from anon, authenticated, service_role;
grant select, insert, update, delete
  on public.job_steps, public.job_events, public.job_inbox, public.orchestrators to service_role;
grant select on public.job_steps, public.job_events to authenticated;
-- A user may ask for one thing only: that a job of his be cancelled.
grant insert (job_id, kind, payload) on public.job_inbox to authenticated;

create policy job_steps_select_own on public.job_steps
  for select to authenticated using (exists (
    select from public.jobs j where j.id = job_id and j.user_id = (select auth.uid())));
create policy job_events_select_own on public.job_events
  for select to authenticated using (exists (
    select from public.jobs j where j.id = job_id and j.user_id = (select auth.uid())));
create policy job_inbox_insert_cancel_own on public.job_inbox
  for insert to authenticated with check (kind = 'cancel' and exists (
    select from public.jobs j where j.id = job_id and j.user_id = (select auth.uid())));
