-- Events: what happened outside, by name, for whichever job waits for it or will; and which jobs
-- wait. A signal is an event for one job and those below it.

create table public.events (
  id bigint generated always as identity primary key,
  user_id uuid constraint events_user_fk references auth.users (id) on delete cascade,
  name text not null constraint events_name_length check (length(name) between 1 and 200),
  key text constraint events_key_length check (length(key) between 1 and 200),
  payload jsonb not null default '{}'::jsonb
    constraint events_payload_size check (pg_column_size(payload) <= 512
      or (pg_column_size(payload) <= 65536 and millrace.json_bytes(payload) <= 65536)),
  job_id uuid constraint events_job_fk references public.jobs (id) on delete cascade,
  created_at timestamptz not null default millrace.now(),
  delivered_at timestamptz,
  position bigint,
  served_job_id uuid,
  constraint events_position_once_begun check (
    (position is null) = (delivered_at is null and served_job_id is null))
);
-- Counts deliveries. Ids are given when events are inserted, and an earlier one may come to light
-- after a later one has been delivered: whoever has looked as far as some position has missed none.
create sequence millrace.event_positions;
revoke all on sequence millrace.event_positions from public;
grant usage on sequence millrace.event_positions to service_role;
comment on table public.events is
  'Events, append-only. An orchestrator delivers each once to the jobs that wait for it, and whoever begins to wait later finds it here.';
comment on column public.events.user_id is
  'Whose jobs see the event; null, from the service role, is everybody''s.';
comment on column public.events.job_id is 'Of a signal: only this job and those below it see the event.';
comment on column public.events.delivered_at is
  'When the jobs that waited for it got it; null while it is on its way.';
comment on column public.events.position is
  'Its place in the order of deliveries, from when its own began.';
comment on column public.events.served_job_id is
  'While its delivery takes several turns: jobs up to this id have been served.';
-- Those whose delivery has begun come first.
create index events_undelivered_idx on public.events (position, id) where delivered_at is null;
-- For whoever begins to wait: what there is of his user's, of everybody's, and for his job. So the
-- events of one user cost no other. The time is in them to be compared there.
create index events_of_user_idx on public.events (user_id, name, position, created_at)
  where user_id is not null and job_id is null;
create index events_of_all_idx on public.events (name, position, created_at)
  where user_id is null and job_id is null;
create index events_of_user_key_idx on public.events (user_id, name, key, position, created_at)
  where user_id is not null and job_id is null and key is not null;
create index events_of_all_key_idx on public.events (name, key, position, created_at)
  where user_id is null and job_id is null and key is not null;
create index events_created_at_idx on public.events (created_at);
create index events_user_idx on public.events (user_id, id desc) where user_id is not null;
create index events_job_idx on public.events (job_id, position) where job_id is not null;

create table public.event_waits (
  job_id uuid primary key
    constraint event_waits_job_fk references public.jobs (id) on delete cascade,
  user_id uuid not null,
  root_job_id uuid not null,
  event text not null,
  key text,
  step_id text not null,
  visit integer not null
);
comment on table public.event_waits is
  'Jobs that wait for an event: written by the commit that parks them, deleted by the one that goes on.';
comment on column public.event_waits.root_job_id is 'The outermost job above; the job itself for a root.';
-- In the order in which a delivery goes through them. An empty key is none, as no event has one. Keys
-- are written in two ways so that the planner cannot take the one index for the other.
create index event_waits_event_idx on public.event_waits (event, coalesce(key, ''), job_id);
create index event_waits_user_idx on public.event_waits (user_id, (array[event, key]), job_id);
create index event_waits_root_idx on public.event_waits (root_job_id, event, job_id);

alter table public.events enable row level security;
alter table public.event_waits enable row level security;
revoke all on public.events, public.event_waits from anon, authenticated, service_role;
grant select, insert, update, delete on public.events, public.event_waits to service_role;
grant select on public.events to authenticated;
create policy event_waits_all_service on public.event_waits
  to service_role using (true) with check (true);
create policy events_select_own on public.events
  for select to authenticated using ((select auth.uid()) = user_id);
