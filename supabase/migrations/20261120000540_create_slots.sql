-- Slots: how many jobs may run under a key at a time (concurrency of a workflow, max_concurrency of
-- a map), and the starts that a rate limit has given away.

create table millrace.slots (
  key text primary key,
  capacity integer not null constraint slots_capacity_positive check (capacity > 0),
  in_use integer not null default 0 constraint slots_in_use_not_negative check (in_use >= 0),
  job_id uuid constraint slots_job_fk references public.jobs (id) on delete cascade
);
comment on table millrace.slots is
  'One row per key that limits jobs. Whoever gives or frees a slot holds the lock on its row, taken after those on jobs and in the order of keys.';
comment on column millrace.slots.in_use is 'How many jobs that have not ended hold a slot; above capacity after that was lowered.';
comment on column millrace.slots.job_id is 'The job whose map the slots are for; null for those of a workflow.';
create index slots_job_idx on millrace.slots (job_id) where job_id is not null;

create table millrace.rate_starts (
  id bigint generated always as identity primary key,
  key text not null,
  starts_at timestamptz not null,
  job_id uuid
);
comment on table millrace.rate_starts is
  'Starts that were given away under a rate limit, those of the future too; kept while they count.';
comment on column millrace.rate_starts.job_id is
  'Whose start it is: a job that ends before gives it back. It counts longer than the job is there.';
create index rate_starts_starts_at_idx on millrace.rate_starts (starts_at);
create index rate_starts_job_idx on millrace.rate_starts (job_id) where job_id is not null;
create index rate_starts_key_idx on millrace.rate_starts (key, starts_at desc);

alter table millrace.slots enable row level security;
alter table millrace.rate_starts enable row level security;
revoke all on millrace.slots, millrace.rate_starts from anon, authenticated, service_role;
grant select, insert, update, delete on millrace.slots, millrace.rate_starts to service_role;
create policy slots_all_service on millrace.slots to service_role using (true) with check (true);
create policy rate_starts_all_service on millrace.rate_starts
  to service_role using (true) with check (true);
