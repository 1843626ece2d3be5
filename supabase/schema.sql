-- The schema that supabase/migrations make, for reviewers: what a change of migrations changes in
-- the end. Written by `deno task schema:dump`, compared by `deno task schema:check`; never run.

create extension "uuid-ossp" schema extensions;

create extension pg_cron schema pg_catalog;

create extension pg_net schema extensions;

create extension pgcrypto schema extensions;

create schema millrace;
grant usage on schema millrace to authenticated;
grant usage on schema millrace to service_role;

create schema public;
grant usage on schema public to anon;
grant usage on schema public to authenticated;
grant usage on schema public to public;
grant usage on schema public to service_role;
comment on schema public is 'standard public schema';

create table millrace.catalog (
  id boolean not null default true,
  revision bigint not null default 1,
  constraint catalog_pkey PRIMARY KEY (id),
  constraint catalog_one_row CHECK (id)
);
alter table millrace.catalog enable row level security;
create policy catalog_select_service on millrace.catalog for select to service_role
  using (true);
grant select on millrace.catalog to service_role;
comment on table millrace.catalog is 'Revision of the transformers, one row; orchestrators cache by it.';

create unlogged table millrace.pulse (
  id boolean not null default true,
  last_tick_at timestamp with time zone,
  last_kick_at timestamp with time zone,
  watched_kick_at timestamp with time zone,
  watched_kick_ids bigint[] not null default '{}'::bigint[],
  constraint pulse_pkey PRIMARY KEY (id),
  constraint pulse_one_row CHECK (id)
);
alter table millrace.pulse enable row level security;
comment on table millrace.pulse is 'When tick() last ran and when the database last kicked an orchestrator, one row.';
comment on column millrace.pulse.watched_kick_ids is 'pg_net ids of two kicks at least 15 seconds apart, the newer first: the older has an answer, or has run into its time limit.';

create table millrace.rate_starts (
  id bigint not null generated always as identity,
  key text not null,
  starts_at timestamp with time zone not null,
  job_id uuid,
  constraint rate_starts_pkey PRIMARY KEY (id)
);
CREATE INDEX rate_starts_job_idx ON millrace.rate_starts USING btree (job_id) WHERE (job_id IS NOT NULL);
CREATE INDEX rate_starts_key_idx ON millrace.rate_starts USING btree (key, starts_at DESC);
CREATE INDEX rate_starts_starts_at_idx ON millrace.rate_starts USING btree (starts_at);
alter table millrace.rate_starts enable row level security;
create policy rate_starts_all_service on millrace.rate_starts for all to service_role
  using (true)
  with check (true);
grant delete, insert, select, update on millrace.rate_starts to service_role;
comment on table millrace.rate_starts is 'Starts that were given away under a rate limit, those of the future too; kept while they count.';
comment on column millrace.rate_starts.job_id is 'Whose start it is: a job that ends before gives it back. It counts longer than the job is there.';

create table millrace.settings (
  id boolean not null default true,
  max_orchestrators integer not null default 4,
  jobs_per_orchestrator integer not null default 100,
  retention_days integer not null default 30,
  callback_secret text not null default encode(extensions.gen_random_bytes(32), 'hex'::text),
  alert_failure_rate double precision not null default 0.2,
  alert_failed_jobs integer not null default 5,
  alert_stalled_seconds integer not null default 300,
  alert_running_seconds integer not null default 3600,
  alert_queue_seconds integer not null default 60,
  alert_queue_length integer not null default 10000,
  alert_tick_seconds integer not null default 60,
  constraint settings_pkey PRIMARY KEY (id),
  constraint settings_alert_failed_jobs CHECK ((alert_failed_jobs >= 1)),
  constraint settings_alert_failure_rate CHECK (((alert_failure_rate >= (0)::double precision) AND (alert_failure_rate <= (1)::double precision))),
  constraint settings_alert_queue_length CHECK ((alert_queue_length >= 1)),
  constraint settings_alert_queue_seconds CHECK ((alert_queue_seconds >= 1)),
  constraint settings_alert_running_seconds CHECK ((alert_running_seconds >= 1)),
  constraint settings_alert_stalled_seconds CHECK ((alert_stalled_seconds >= 1)),
  constraint settings_alert_tick_seconds CHECK ((alert_tick_seconds >= 1)),
  constraint settings_callback_secret CHECK ((length(callback_secret) >= 32)),
  constraint settings_jobs_per_orchestrator CHECK (((jobs_per_orchestrator >= 1) AND (jobs_per_orchestrator <= 10000))),
  constraint settings_max_orchestrators CHECK (((max_orchestrators >= 1) AND (max_orchestrators <= 100))),
  constraint settings_one_row CHECK (id),
  constraint settings_retention_days CHECK ((retention_days >= 1))
);
alter table millrace.settings enable row level security;
create policy settings_select_service on millrace.settings for select to service_role
  using (true);
grant select on millrace.settings to service_role;
comment on table millrace.settings is 'Limits of the engine and thresholds of its alerts, one row; change them with an update.';
comment on column millrace.settings.alert_failure_rate is 'Share of a workflow''s jobs ended in the last hour that failed, from 0 to 1.';
comment on column millrace.settings.alert_failed_jobs is 'Fewer failed jobs of a workflow than this in the last hour raise no failure_rate alert.';
comment on column millrace.settings.alert_stalled_seconds is 'How long a lease may be over, or a retry or timer due, before the job counts as stalled.';
comment on column millrace.settings.alert_running_seconds is 'How long a job may run one step before it counts as stalled.';
comment on column millrace.settings.alert_queue_seconds is 'How long a due job may wait for a claim.';
comment on column millrace.settings.alert_queue_length is 'How many jobs may be due at once.';
comment on column millrace.settings.alert_tick_seconds is 'How long ago tick() may have run while something is due.';

create table millrace.slots (
  key text not null,
  capacity integer not null,
  in_use integer not null default 0,
  job_id uuid,
  constraint slots_pkey PRIMARY KEY (key),
  constraint slots_job_fk FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE,
  constraint slots_capacity_positive CHECK ((capacity > 0)),
  constraint slots_in_use_not_negative CHECK ((in_use >= 0))
);
CREATE INDEX slots_job_idx ON millrace.slots USING btree (job_id) WHERE (job_id IS NOT NULL);
alter table millrace.slots enable row level security;
create policy slots_all_service on millrace.slots for all to service_role
  using (true)
  with check (true);
grant delete, insert, select, update on millrace.slots to service_role;
comment on table millrace.slots is 'One row per key that limits jobs. Whoever gives or frees a slot holds the lock on its row, taken after those on jobs and in the order of keys.';
comment on column millrace.slots.in_use is 'How many jobs that have not ended hold a slot; above capacity after that was lowered.';
comment on column millrace.slots.job_id is 'The job whose map the slots are for; null for those of a workflow.';

create unlogged table public.api_requests (
  endpoint text not null,
  method text not null,
  status smallint not null,
  duration_ms real not null,
  created_at timestamp with time zone not null default millrace.now()
);
CREATE INDEX api_requests_created_at_idx ON public.api_requests USING brin (created_at);
alter table public.api_requests enable row level security;
grant delete, insert, select, update on public.api_requests to service_role;
comment on table public.api_requests is 'Answered API requests with their duration; kept for a day.';

create table public.approvals (
  id uuid not null default gen_random_uuid(),
  job_id uuid not null,
  step_id text not null,
  visit integer not null,
  attempt integer not null,
  user_id uuid not null,
  title text not null,
  details jsonb,
  assignees text[],
  assignee_keys text[] generated always as (millrace.assignee_keys(assignees)) stored,
  form jsonb,
  allow_self boolean not null default true,
  status text not null default 'open'::text,
  decided_by uuid,
  decided_at timestamp with time zone,
  notes text,
  form_data jsonb,
  created_at timestamp with time zone not null default millrace.now(),
  expires_at timestamp with time zone,
  constraint approvals_pkey PRIMARY KEY (id),
  constraint approvals_attempt_asks_once UNIQUE (job_id, step_id, visit, attempt),
  constraint approvals_job_fk FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE,
  constraint approvals_attempt_positive CHECK ((attempt > 0)),
  constraint approvals_closed_has_time CHECK (((status = 'open'::text) = (decided_at IS NULL))),
  constraint approvals_form_data_size CHECK (((pg_column_size(form_data) <= 512) OR (millrace.json_bytes(form_data) <= 1048576))),
  constraint approvals_notes_length CHECK ((length(notes) <= 10000)),
  constraint approvals_only_decisions_have_answers CHECK (((status = ANY (ARRAY['approved'::text, 'rejected'::text])) OR ((decided_by IS NULL) AND (notes IS NULL) AND (form_data IS NULL)))),
  constraint approvals_status_known CHECK ((status = ANY (ARRAY['open'::text, 'approved'::text, 'rejected'::text, 'expired'::text, 'cancelled'::text]))),
  constraint approvals_visit_positive CHECK ((visit > 0))
);
CREATE INDEX approvals_assignee_keys_idx ON public.approvals USING gin (assignee_keys);
CREATE INDEX approvals_user_created_idx ON public.approvals USING btree (user_id, created_at DESC, id DESC);
alter table public.approvals enable row level security;
create policy approvals_select_own_and_assigned on public.approvals for select to authenticated
  using (((( SELECT auth.uid() AS uid) = user_id) OR (assignee_keys && ( SELECT millrace.caller_keys() AS caller_keys))));
grant select on public.approvals to authenticated;
grant delete, insert, select, update on public.approvals to service_role;
comment on table public.approvals is 'Questions to people, one row per attempt of a step that asks, with the answer; decide with decide_approval().';
comment on column public.approvals.user_id is 'The owner of the job.';
comment on column public.approvals.assignees is 'User ids, email addresses and roles of those who may decide; null: the owner of the job.';
comment on column public.approvals.assignee_keys is 'The assignees as they are compared.';
comment on column public.approvals.form is 'JSON Schema of the form that goes with the decision; null: none.';
comment on column public.approvals.allow_self is 'Whether the owner of the job may decide.';
comment on column public.approvals.decided_by is 'Who approved or rejected; null where the service role did so for nobody in particular.';
comment on column public.approvals.decided_at is 'When it was decided, expired or was withdrawn.';

create table public.event_waits (
  job_id uuid not null,
  user_id uuid not null,
  root_job_id uuid not null,
  event text not null,
  key text,
  step_id text not null,
  visit integer not null,
  constraint event_waits_pkey PRIMARY KEY (job_id),
  constraint event_waits_job_fk FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE
);
CREATE INDEX event_waits_event_idx ON public.event_waits USING btree (event, COALESCE(key, ''::text), job_id);
CREATE INDEX event_waits_root_idx ON public.event_waits USING btree (root_job_id, event, job_id);
CREATE INDEX event_waits_user_idx ON public.event_waits USING btree (user_id, (ARRAY[event, key]), job_id);
alter table public.event_waits enable row level security;
create policy event_waits_all_service on public.event_waits for all to service_role
  using (true)
  with check (true);
grant delete, insert, select, update on public.event_waits to service_role;
comment on table public.event_waits is 'Jobs that wait for an event: written by the commit that parks them, deleted by the one that goes on.';
comment on column public.event_waits.root_job_id is 'The outermost job above; the job itself for a root.';

create table public.events (
  id bigint not null generated always as identity,
  user_id uuid,
  name text not null,
  key text,
  payload jsonb not null default '{}'::jsonb,
  job_id uuid,
  created_at timestamp with time zone not null default millrace.now(),
  delivered_at timestamp with time zone,
  "position" bigint,
  served_job_id uuid,
  constraint events_pkey PRIMARY KEY (id),
  constraint events_job_fk FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE,
  constraint events_user_fk FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE,
  constraint events_key_length CHECK (((length(key) >= 1) AND (length(key) <= 200))),
  constraint events_name_length CHECK (((length(name) >= 1) AND (length(name) <= 200))),
  constraint events_payload_size CHECK (((pg_column_size(payload) <= 512) OR ((pg_column_size(payload) <= 65536) AND (millrace.json_bytes(payload) <= 65536)))),
  constraint events_position_once_begun CHECK ((("position" IS NULL) = ((delivered_at IS NULL) AND (served_job_id IS NULL))))
);
CREATE INDEX events_created_at_idx ON public.events USING btree (created_at);
CREATE INDEX events_job_idx ON public.events USING btree (job_id, "position") WHERE (job_id IS NOT NULL);
CREATE INDEX events_of_all_idx ON public.events USING btree (name, "position", created_at) WHERE ((user_id IS NULL) AND (job_id IS NULL));
CREATE INDEX events_of_all_key_idx ON public.events USING btree (name, key, "position", created_at) WHERE ((user_id IS NULL) AND (job_id IS NULL) AND (key IS NOT NULL));
CREATE INDEX events_of_user_idx ON public.events USING btree (user_id, name, "position", created_at) WHERE ((user_id IS NOT NULL) AND (job_id IS NULL));
CREATE INDEX events_of_user_key_idx ON public.events USING btree (user_id, name, key, "position", created_at) WHERE ((user_id IS NOT NULL) AND (job_id IS NULL) AND (key IS NOT NULL));
CREATE INDEX events_undelivered_idx ON public.events USING btree ("position", id) WHERE (delivered_at IS NULL);
CREATE INDEX events_user_idx ON public.events USING btree (user_id, id DESC) WHERE (user_id IS NOT NULL);
CREATE TRIGGER events_kick_after_insert AFTER INSERT ON public.events FOR EACH STATEMENT EXECUTE FUNCTION millrace.kick_after_insert('message');
alter table public.events enable row level security;
create policy events_select_own on public.events for select to authenticated
  using ((( SELECT auth.uid() AS uid) = user_id));
grant select on public.events to authenticated;
grant delete, insert, select, update on public.events to service_role;
comment on table public.events is 'Events, append-only. An orchestrator delivers each once to the jobs that wait for it, and whoever begins to wait later finds it here.';
comment on column public.events.user_id is 'Whose jobs see the event; null, from the service role, is everybody''s.';
comment on column public.events.job_id is 'Of a signal: only this job and those below it see the event.';
comment on column public.events.delivered_at is 'When the jobs that waited for it got it; null while it is on its way.';
comment on column public.events."position" is 'Its place in the order of deliveries, from when its own began.';
comment on column public.events.served_job_id is 'While its delivery takes several turns: jobs up to this id have been served.';

create table public.job_events (
  id bigint not null generated always as identity,
  job_id uuid not null,
  type text not null,
  step_id text,
  data jsonb,
  created_at timestamp with time zone not null default millrace.now(),
  constraint job_events_pkey PRIMARY KEY (id),
  constraint job_events_job_fk FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE,
  constraint job_events_type_format CHECK ((type ~ '^[a-z][a-z_]{0,63}$'::text))
);
CREATE INDEX job_events_job_idx ON public.job_events USING btree (job_id, id);
alter table public.job_events enable row level security;
create policy job_events_select_own on public.job_events for select to authenticated
  using ((EXISTS ( SELECT
   FROM public.jobs j
  WHERE ((j.id = job_events.job_id) AND (j.user_id = ( SELECT auth.uid() AS uid))))));
grant select on public.job_events to authenticated;
grant delete, insert, select, update on public.job_events to service_role;
comment on table public.job_events is 'What happened to a job and stands in no other row: retries, redeliveries, late results, requests to cancel.';

create table public.job_inbox (
  id bigint not null generated always as identity,
  job_id uuid not null,
  kind text not null,
  step_id text,
  visit integer,
  attempt integer,
  payload jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null default millrace.now(),
  constraint job_inbox_pkey PRIMARY KEY (id),
  constraint job_inbox_job_fk FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE,
  constraint job_inbox_kind_known CHECK ((kind = ANY (ARRAY['cancel'::text, 'pause'::text, 'resume'::text, 'retry'::text, 'step_result'::text, 'event'::text, 'decision'::text, 'spawn_refused'::text]))),
  constraint job_inbox_payload_object CHECK ((jsonb_typeof(payload) = 'object'::text)),
  constraint job_inbox_payload_size CHECK ((millrace.json_bytes(payload) <=
CASE
    WHEN (kind = ANY (ARRAY['cancel'::text, 'pause'::text, 'resume'::text, 'retry'::text])) THEN 8192
    ELSE 4260000
END)),
  constraint job_inbox_result_names_attempt CHECK (((kind <> ALL (ARRAY['step_result'::text, 'decision'::text])) OR ((step_id IS NOT NULL) AND (visit IS NOT NULL) AND (attempt IS NOT NULL))))
);
CREATE INDEX job_inbox_job_idx ON public.job_inbox USING btree (job_id, id);
CREATE UNIQUE INDEX job_inbox_one_cancel_idx ON public.job_inbox USING btree (job_id) WHERE (kind = 'cancel'::text);
CREATE UNIQUE INDEX job_inbox_one_pause_idx ON public.job_inbox USING btree (job_id) WHERE (kind = ANY (ARRAY['pause'::text, 'resume'::text]));
CREATE TRIGGER job_inbox_kick_after_insert AFTER INSERT ON public.job_inbox FOR EACH STATEMENT EXECUTE FUNCTION millrace.kick_after_insert('message');
CREATE TRIGGER job_inbox_wake_job BEFORE INSERT ON public.job_inbox FOR EACH ROW WHEN (((new.kind <> 'retry'::text) AND (COALESCE(current_setting('millrace.wake'::text, true), ''::text) <> 'sender'::text))) EXECUTE FUNCTION millrace.wake_job();
alter table public.job_inbox enable row level security;
create policy job_inbox_insert_cancel_own on public.job_inbox for insert to authenticated
  with check (((kind = 'cancel'::text) AND (EXISTS ( SELECT
   FROM public.jobs j
  WHERE ((j.id = job_inbox.job_id) AND (j.user_id = ( SELECT auth.uid() AS uid)))))));
grant delete, insert, select, update on public.job_inbox to service_role;
grant insert (job_id, kind, payload) on public.job_inbox to authenticated;
comment on table public.job_inbox is 'A job''s mailbox: what comes from outside waits here for the owner of the lease; the commit that consumed a message deletes it.';

create table public.job_steps (
  job_id uuid not null,
  step_id text not null,
  visit integer not null,
  attempt integer not null,
  status text not null,
  transformer_id text,
  input jsonb,
  output jsonb,
  error jsonb,
  redeliveries smallint not null default 0,
  started_at timestamp with time zone not null,
  ended_at timestamp with time zone not null,
  constraint job_steps_pk PRIMARY KEY (job_id, step_id, visit, attempt),
  constraint job_steps_job_fk FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE,
  constraint job_steps_attempt_not_negative CHECK ((attempt >= 0)),
  constraint job_steps_failed_has_error CHECK (((status = 'failed'::text) = (error IS NOT NULL))),
  constraint job_steps_started_before_ended CHECK ((started_at <= ended_at)),
  constraint job_steps_status_known CHECK ((status = ANY (ARRAY['completed'::text, 'failed'::text, 'skipped'::text, 'cancelled'::text]))),
  constraint job_steps_visit_positive CHECK ((visit > 0))
);
CREATE INDEX job_steps_ended_at_idx ON public.job_steps USING brin (ended_at);
alter table public.job_steps enable row level security;
create policy job_steps_select_own on public.job_steps for select to authenticated
  using ((EXISTS ( SELECT
   FROM public.jobs j
  WHERE ((j.id = job_steps.job_id) AND (j.user_id = ( SELECT auth.uid() AS uid))))));
grant select on public.job_steps to authenticated;
grant delete, insert, select, update on public.job_steps to service_role;
comment on table public.job_steps is 'One row per attempt of a step, written once, when the attempt ended. The key is what makes "recorded once" hold.';
comment on column public.job_steps.visit is 'Counts the entries into this step: a loop comes again.';
comment on column public.job_steps.attempt is '1 is the first try; 0 for a step that was skipped.';

create table public.jobs (
  id uuid not null default extensions.uuid_generate_v4(),
  user_id uuid not null default auth.uid(),
  workflow_id text not null,
  current_step_id text,
  status text not null default 'pending'::text,
  input_data jsonb,
  step_data jsonb not null default '{}'::jsonb,
  final_result jsonb,
  created_at timestamp with time zone not null default millrace.now(),
  started_at timestamp with time zone,
  last_updated_at timestamp with time zone not null default millrace.now(),
  completed_at timestamp with time zone,
  error_message text,
  retry_count integer not null default 0,
  max_retries integer not null default 3,
  next_retry_at timestamp with time zone,
  state_history jsonb not null default '[]'::jsonb,
  workflow_version integer not null,
  priority smallint not null default 5,
  run_at timestamp with time zone,
  deadline_at timestamp with time zone,
  idempotency_key text,
  metadata jsonb not null default '{}'::jsonb,
  error jsonb,
  trace_id uuid not null default gen_random_uuid(),
  run_number integer not null default 1,
  parent_job_id uuid,
  parent_step_id text,
  parent_visit integer,
  root_job_id uuid,
  depth smallint not null default 0,
  branch text,
  item jsonb,
  item_index integer,
  open_children integer not null default 0,
  failed_children integer not null default 0,
  max_failed_children integer,
  slot_key text,
  wanted_slot text,
  held_slots text[],
  inherited_slots text[],
  queue_place bigint,
  next_run_at timestamp with time zone,
  lease_token uuid,
  wake_requested boolean not null default false,
  version bigint not null default 0,
  redeliveries smallint not null default 0,
  state jsonb not null default '{}'::jsonb,
  constraint jobs_pkey PRIMARY KEY (id),
  constraint jobs_parent_fk FOREIGN KEY (parent_job_id) REFERENCES public.jobs(id) ON DELETE CASCADE,
  constraint jobs_user_fk FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE,
  constraint jobs_workflow_fk FOREIGN KEY (workflow_id) REFERENCES public.workflows(id),
  constraint jobs_workflow_version_fk FOREIGN KEY (workflow_id, workflow_version) REFERENCES public.workflow_versions(workflow_id, version),
  constraint jobs_counts_not_negative CHECK (((run_number >= 1) AND (open_children >= 0) AND (failed_children >= 0))),
  constraint jobs_depth_range CHECK (((depth >= 0) AND (depth <= 10))),
  constraint jobs_ended_has_end_time CHECK (((completed_at IS NOT NULL) = (status = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])))),
  constraint jobs_ended_has_no_open_children CHECK (((open_children = 0) OR (status <> ALL (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])))),
  constraint jobs_failed_has_error CHECK (((status <> 'failed'::text) OR (error_message IS NOT NULL))),
  constraint jobs_idempotency_key_length CHECK (((length(idempotency_key) >= 1) AND (length(idempotency_key) <= 200))),
  constraint jobs_max_retries_range CHECK (((max_retries >= 0) AND (max_retries <= 1000))),
  constraint jobs_metadata_object CHECK ((jsonb_typeof(metadata) = 'object'::text)),
  constraint jobs_metadata_size CHECK (((pg_column_size(metadata) <= 512) OR ((pg_column_size(metadata) <= 65536) AND (millrace.json_bytes(metadata) <= 65536)))),
  constraint jobs_open_children_are_awaited CHECK (((open_children = 0) OR (state ? 'ending'::text) OR (NOT ((state #>> '{waiting,kind}'::text[]) IS DISTINCT FROM 'children'::text)))),
  constraint jobs_parent_complete CHECK ((num_nulls(parent_job_id, parent_step_id, parent_visit, root_job_id) =
CASE
    WHEN (depth > 0) THEN 0
    ELSE 4
END)),
  constraint jobs_priority_range CHECK (((priority >= 0) AND (priority <= 9))),
  constraint jobs_retry_count_positive CHECK ((retry_count >= 0)),
  constraint jobs_run_at_range CHECK ((isfinite(run_at) AND (run_at < '10000-01-01 00:00:00+00'::timestamp with time zone))),
  constraint jobs_schedule_matches_status CHECK (
CASE
    WHEN (status = 'running'::text) THEN ((lease_token IS NOT NULL) AND (next_run_at IS NOT NULL))
    WHEN (status = 'awaiting_retry'::text) THEN ((lease_token IS NULL) AND (next_run_at IS NOT NULL) AND (next_retry_at IS NOT NULL))
    WHEN (status = ANY (ARRAY['pending'::text, 'waiting'::text, 'paused'::text])) THEN (lease_token IS NULL)
    ELSE ((lease_token IS NULL) AND (next_run_at IS NULL))
END),
  constraint jobs_started_before_ended CHECK ((completed_at >= started_at)),
  constraint jobs_state_history_array CHECK ((jsonb_typeof(state_history) = 'array'::text)),
  constraint jobs_state_object CHECK ((jsonb_typeof(state) = 'object'::text)),
  constraint jobs_status_known CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'awaiting_retry'::text, 'waiting'::text, 'paused'::text, 'completed'::text, 'failed'::text, 'cancelled'::text]))),
  constraint jobs_step_data_object CHECK ((jsonb_typeof(step_data) = 'object'::text)),
  constraint jobs_waits_to_start_while_pending CHECK ((((queue_place IS NULL) AND (wanted_slot IS NULL)) OR ((status = 'pending'::text) AND ((queue_place IS NULL) OR (next_run_at IS NOT NULL)))))
) with (fillfactor=75);
CREATE INDEX jobs_completed_at_idx ON public.jobs USING btree (completed_at) WHERE (completed_at IS NOT NULL);
CREATE UNIQUE INDEX jobs_idempotency_key_idx ON public.jobs USING btree (user_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);
CREATE INDEX jobs_parent_idx ON public.jobs USING btree (parent_job_id, parent_step_id, parent_visit, item_index) WHERE (parent_job_id IS NOT NULL);
CREATE INDEX jobs_queue_idx ON public.jobs USING btree (priority DESC, queue_place, next_run_at) WHERE (queue_place IS NOT NULL);
CREATE INDEX jobs_queue_of_user_idx ON public.jobs USING btree (user_id, priority, queue_place) WHERE (queue_place IS NOT NULL);
CREATE INDEX jobs_scheduled_idx ON public.jobs USING btree (next_run_at) WHERE ((run_at IS NOT NULL) AND (started_at IS NULL) AND (queue_place IS NULL) AND (held_slots IS NULL) AND (state = '{}'::jsonb) AND (next_run_at IS NOT NULL));
CREATE INDEX jobs_timed_idx ON public.jobs USING btree (priority DESC, next_run_at) WHERE ((next_run_at IS NOT NULL) AND (queue_place IS NULL));
CREATE INDEX jobs_user_created_idx ON public.jobs USING btree (user_id, created_at DESC, id DESC);
CREATE INDEX jobs_user_roots_idx ON public.jobs USING btree (user_id, created_at DESC, id DESC) WHERE (parent_job_id IS NULL);
CREATE INDEX jobs_wanted_slot_idx ON public.jobs USING btree (wanted_slot, priority DESC, created_at, item_index) WHERE (wanted_slot IS NOT NULL);
CREATE INDEX jobs_workflow_created_idx ON public.jobs USING btree (workflow_id, workflow_version, created_at);
CREATE TRIGGER jobs_a_touch_last_updated_at BEFORE UPDATE ON public.jobs FOR EACH ROW WHEN ((new.last_updated_at = old.last_updated_at)) EXECUTE FUNCTION millrace.touch_last_updated_at();
CREATE TRIGGER jobs_b_record_transition BEFORE UPDATE ON public.jobs FOR EACH ROW WHEN ((new.status IS DISTINCT FROM old.status)) EXECUTE FUNCTION millrace.record_job_transition();
CREATE TRIGGER jobs_kick_after_insert AFTER INSERT ON public.jobs FOR EACH STATEMENT EXECUTE FUNCTION millrace.kick_after_insert('insert');
CREATE TRIGGER jobs_prepare BEFORE INSERT ON public.jobs FOR EACH ROW WHEN ((new.state_history = '[]'::jsonb)) EXECUTE FUNCTION millrace.prepare_job();
CREATE TRIGGER jobs_release_deleted AFTER DELETE ON public.jobs FOR EACH ROW WHEN (((old.status <> ALL (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])) AND ((old.parent_job_id IS NOT NULL) OR (old.held_slots IS NOT NULL)))) EXECUTE FUNCTION millrace.release_deleted_job();
alter table public.jobs enable row level security;
create policy jobs_delete_own_ended on public.jobs for delete to authenticated
  using (((( SELECT auth.uid() AS uid) = user_id) AND (status = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])) AND (parent_job_id IS NULL)));
create policy jobs_insert_own on public.jobs for insert to authenticated
  with check ((( SELECT auth.uid() AS uid) = user_id));
create policy jobs_select_own on public.jobs for select to authenticated
  using ((( SELECT auth.uid() AS uid) = user_id));
create policy jobs_update_own on public.jobs for update to authenticated
  using ((( SELECT auth.uid() AS uid) = user_id))
  with check ((( SELECT auth.uid() AS uid) = user_id));
grant delete, select on public.jobs to authenticated;
grant delete, insert, select, update on public.jobs to service_role;
grant insert (user_id, workflow_id, input_data, max_retries, priority, run_at, idempotency_key, metadata, trace_id) on public.jobs to authenticated;
grant update (metadata) on public.jobs to authenticated;
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
comment on column public.jobs.branch is 'The part of the definition that a child runs (fan.left, each/fan.left); null is all of it.';
comment on column public.jobs.item is 'Of a child of a map: its item, which may be JSON null.';
comment on column public.jobs.item_index is 'Place of a child among its siblings, from 0.';
comment on column public.jobs.failed_children is 'Children of the current visit that failed or were cancelled.';
comment on column public.jobs.max_failed_children is 'With more failed children than this the job is woken before the last has ended; null is never.';
comment on column public.jobs.slot_key is 'The slot without which a child of a map may not run.';
comment on column public.jobs.wanted_slot is 'The slot that a pending job waits for.';
comment on column public.jobs.held_slots is 'Slots that the job frees when it ends.';
comment on column public.jobs.inherited_slots is 'Slots that jobs above hold: they count for this job too.';
comment on column public.jobs.queue_place is 'Place in the start queue of its priority; not null while a due job waits to be started.';
comment on column public.jobs.next_run_at is 'When an orchestrator should look at the job next: due time, retry time, wake-up, or lease expiry while running; null while it waits for the outside or has ended.';
comment on column public.jobs.lease_token is 'The orchestrator run that owns the job; null when nobody does.';
comment on column public.jobs.wake_requested is 'A message came in while a lease was held: look again.';
comment on column public.jobs.version is 'Counts claims (by two) and commits (by one); a commit must name the one it read.';
comment on column public.jobs.redeliveries is 'How often the current attempt was delivered again after its owner was lost.';
comment on column public.jobs.state is 'The engine''s program state: visit, attempt and what a parked step waits for.';

create unlogged table public.orchestrators (
  lease_token uuid not null,
  started_at timestamp with time zone not null,
  last_turn_at timestamp with time zone not null,
  in_flight integer not null,
  free_slots integer not null,
  last_batch integer not null,
  constraint orchestrators_pkey PRIMARY KEY (lease_token)
);
alter table public.orchestrators enable row level security;
grant delete, insert, select, update on public.orchestrators to service_role;
comment on table public.orchestrators is 'The orchestrator runs at work: written by each turn, deleted when a run ends.';

create unlogged table public.rate_limits (
  user_id uuid not null,
  scope text not null,
  window_start timestamp with time zone not null,
  used integer not null,
  constraint rate_limits_pk PRIMARY KEY (user_id, scope),
  constraint rate_limits_used_positive CHECK ((used > 0))
);
alter table public.rate_limits enable row level security;
grant delete, insert, select, update on public.rate_limits to service_role;
comment on table public.rate_limits is 'Requests of each user in the current window, one row per user and scope.';

create table public.transformers (
  id text not null,
  type text not null,
  description text,
  config jsonb not null default '{}'::jsonb,
  target_function text not null,
  batch_size integer not null default 20,
  retry jsonb,
  created_at timestamp with time zone not null default millrace.now(),
  updated_at timestamp with time zone not null default millrace.now(),
  constraint transformers_pkey PRIMARY KEY (id),
  constraint transformers_batch_size_range CHECK (((batch_size >= 1) AND (batch_size <= 1000))),
  constraint transformers_config_object CHECK ((jsonb_typeof(config) = 'object'::text)),
  constraint transformers_id_format CHECK ((id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$'::text)),
  constraint transformers_retry_object CHECK ((jsonb_typeof(retry) = 'object'::text)),
  constraint transformers_target_function_format CHECK ((target_function ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$'::text)),
  constraint transformers_type_length CHECK (((length(type) >= 1) AND (length(type) <= 100)))
);
CREATE INDEX transformers_type_idx ON public.transformers USING btree (type);
CREATE TRIGGER transformers_bump_catalog AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.transformers FOR EACH STATEMENT EXECUTE FUNCTION millrace.bump_catalog();
CREATE TRIGGER transformers_touch_updated_at BEFORE UPDATE ON public.transformers FOR EACH ROW EXECUTE FUNCTION millrace.touch_updated_at();
alter table public.transformers enable row level security;
grant delete, insert, select, update on public.transformers to service_role;
comment on table public.transformers is 'Reusable units of work: which Edge Function does it, with which configuration. No secrets here: config names environment variables.';
comment on column public.transformers.batch_size is 'How many tasks may travel to the executor in one call.';
comment on column public.transformers.retry is 'Retry policy for steps whose step and definition set none.';

create table public.workflow_versions (
  workflow_id text not null,
  version integer not null,
  definition jsonb not null,
  start_step text not null generated always as ((definition ->> 'start_step'::text)) stored,
  created_at timestamp with time zone not null default millrace.now(),
  constraint workflow_versions_pk PRIMARY KEY (workflow_id, version),
  constraint workflow_versions_workflow_fk FOREIGN KEY (workflow_id) REFERENCES public.workflows(id) ON DELETE CASCADE
);
CREATE TRIGGER workflow_versions_immutable BEFORE UPDATE ON public.workflow_versions FOR EACH ROW EXECUTE FUNCTION millrace.refuse_version_change();
alter table public.workflow_versions enable row level security;
grant select on public.workflow_versions to service_role;
comment on table public.workflow_versions is 'Every version of every definition, immutable: a job is pinned to the version it started with.';

create table public.workflows (
  id text not null,
  description text,
  definition jsonb not null,
  version integer not null default 1,
  created_at timestamp with time zone not null default millrace.now(),
  updated_at timestamp with time zone not null default millrace.now(),
  constraint workflows_pkey PRIMARY KEY (id),
  constraint workflows_id_format CHECK ((id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$'::text)),
  constraint workflows_version_positive CHECK ((version > 0))
);
CREATE TRIGGER workflows_check_definition BEFORE INSERT OR UPDATE OF definition ON public.workflows FOR EACH ROW EXECUTE FUNCTION millrace.check_workflow_definition();
CREATE TRIGGER workflows_keep_version AFTER INSERT OR UPDATE OF definition ON public.workflows FOR EACH ROW EXECUTE FUNCTION millrace.keep_workflow_version();
CREATE TRIGGER workflows_number_version BEFORE INSERT OR UPDATE ON public.workflows FOR EACH ROW EXECUTE FUNCTION millrace.number_workflow_version();
CREATE TRIGGER workflows_touch_updated_at BEFORE UPDATE ON public.workflows FOR EACH ROW EXECUTE FUNCTION millrace.touch_updated_at();
alter table public.workflows enable row level security;
create policy workflows_select_authenticated on public.workflows for select to authenticated
  using (true);
grant select on public.workflows to authenticated;
grant delete, insert, select, update on public.workflows to service_role;
comment on table public.workflows is 'Workflow definitions. A change of definition makes a new version; running jobs keep theirs.';
comment on column public.workflows.version is 'Current version; kept by the database.';

create sequence millrace.event_positions as bigint increment by 1 minvalue 1 maxvalue 9223372036854775807 start with 1;
grant usage on sequence millrace.event_positions to service_role;

create view millrace.metric_periods with (security_invoker=true) as
 SELECT period.name AS period,
    (clock.now - period.length) AS from_at,
    clock.now AS to_at
   FROM (( SELECT millrace.now() AS now
         OFFSET 0) clock
     CROSS JOIN ( VALUES ('last_hour'::text,'01:00:00'::interval), ('last_day'::text,'1 day'::interval), ('last_week'::text,'7 days'::interval)) period(name, length));
grant select on millrace.metric_periods to service_role;
comment on view millrace.metric_periods is 'The windows of the metrics: last_hour, last_day, last_week.';

create view public.alerts with (security_invoker=true) as
 SELECT platform_alerts.severity,
    platform_alerts.kind,
    platform_alerts.subject,
    platform_alerts.message,
    platform_alerts.value,
    platform_alerts.threshold,
    platform_alerts.since
   FROM millrace.platform_alerts() platform_alerts(severity, kind, subject, message, value, threshold, since)
UNION ALL
 SELECT queue_alerts.severity,
    queue_alerts.kind,
    queue_alerts.subject,
    queue_alerts.message,
    queue_alerts.value,
    queue_alerts.threshold,
    queue_alerts.since
   FROM millrace.queue_alerts() queue_alerts(severity, kind, subject, message, value, threshold, since)
UNION ALL
 SELECT job_alerts.severity,
    job_alerts.kind,
    job_alerts.subject,
    job_alerts.message,
    job_alerts.value,
    job_alerts.threshold,
    job_alerts.since
   FROM millrace.job_alerts() job_alerts(severity, kind, subject, message, value, threshold, since);
grant select on public.alerts to service_role;
comment on view public.alerts is 'What is wrong now: severity (critical, warning), kind, subject, message (what to do), value, threshold (columns alert_… of millrace.settings), since. Empty when all is well.';

create view public.api_metrics with (security_invoker=true) as
 SELECT p.period,
    m.endpoint,
    m.method,
    m.requests,
    m.client_errors,
    m.server_errors,
    m.error_rate,
    m.duration_avg_ms,
    m.duration_p50_ms,
    m.duration_p95_ms,
    m.duration_p99_ms
   FROM (millrace.metric_periods p
     CROSS JOIN LATERAL millrace.measure_api(p.from_at, p.to_at) m(endpoint, method, requests, client_errors, server_errors, error_rate, duration_avg_ms, duration_p50_ms, duration_p95_ms, duration_p99_ms))
  WHERE (p.period <> 'last_week'::text);
grant select on public.api_metrics to service_role;
comment on view public.api_metrics is 'API requests by period (last_hour, last_day: measurements are kept for a day), endpoint and method: counts, share answered with 5xx, durations in milliseconds.';

create view public.approval_inbox with (security_invoker=true) as
 SELECT id,
    job_id,
    step_id,
    visit,
    attempt,
    user_id,
    title,
    details,
    assignees,
    form,
    allow_self,
    status,
    decided_by,
    decided_at,
    notes,
    form_data,
    created_at,
    expires_at,
    millrace.may_decide(user_id, assignee_keys, allow_self) AS may_decide
   FROM public.approvals a;
grant select on public.approval_inbox to authenticated;
grant select on public.approval_inbox to service_role;
comment on view public.approval_inbox is 'Approvals that the caller sees, with whether he may decide them (may_decide): filter by it and by status for an inbox.';

create view public.failure_metrics with (security_invoker=true) as
 SELECT p.period,
    m.workflow_id,
    m.branch,
    m.step_id,
    m.error_code,
    m.failed_attempts,
    m.failed_jobs,
    m.first_failed_at,
    m.last_failed_at
   FROM (millrace.metric_periods p
     CROSS JOIN LATERAL millrace.measure_failures(p.from_at, p.to_at) m(workflow_id, branch, step_id, error_code, failed_attempts, failed_jobs, first_failed_at, last_failed_at));
grant select on public.failure_metrics to service_role;
comment on view public.failure_metrics is 'Failed attempts and failed jobs, children too, by period, workflow, branch (null: none), step and error code.';

create view public.queue_metrics with (security_invoker=true) as
 SELECT status,
    jobs,
    due,
    not_due,
    waiting_for_slot,
    oldest_due_at,
    oldest_due_seconds
   FROM millrace.measure_queue() measure_queue(status, jobs, due, not_due, waiting_for_slot, oldest_due_at, oldest_due_seconds);
grant select on public.queue_metrics to service_role;
comment on view public.queue_metrics is 'The queue by status: jobs, how many of them are due, how many others wait for a slot, and since when the oldest has been due. For running, jobs are leases and due are leases that ran out.';

create view public.slot_metrics with (security_invoker=true) as
 SELECT key,
    capacity,
    in_use,
    jobs_waiting,
    oldest_created_at
   FROM millrace.measure_slots() measure_slots(key, capacity, in_use, jobs_waiting, oldest_created_at);
grant select on public.slot_metrics to service_role;
comment on view public.slot_metrics is 'Limits by key (concurrency of workflows, max_concurrency of maps): capacity, how many jobs hold a slot, how many wait for one and since when the first of these was started.';

create view public.step_metrics with (security_invoker=true) as
 SELECT p.period,
    m.workflow_id,
    m.branch,
    m.step_id,
    m.attempts,
    m.completed,
    m.failed,
    m.skipped,
    m.retries,
    m.redeliveries,
    m.failure_rate,
    m.duration_avg_seconds,
    m.duration_p50_seconds,
    m.duration_p95_seconds,
    m.duration_p99_seconds
   FROM (millrace.metric_periods p
     CROSS JOIN LATERAL millrace.measure_steps(p.from_at, p.to_at) m(workflow_id, branch, step_id, attempts, completed, failed, skipped, retries, redeliveries, failure_rate, duration_avg_seconds, duration_p50_seconds, duration_p95_seconds, duration_p99_seconds));
grant select on public.step_metrics to service_role;
comment on view public.step_metrics is 'Attempts by period, workflow, branch (null: none) and step: counts, retries, redeliveries, durations in seconds. Why they failed: failure_metrics.';

create view public.transformer_metrics with (security_invoker=true) as
 SELECT p.period,
    m.transformer_id,
    m.attempts,
    m.failed,
    m.failure_rate,
    m.duration_avg_seconds,
    m.duration_p50_seconds,
    m.duration_p95_seconds,
    m.duration_p99_seconds
   FROM (millrace.metric_periods p
     CROSS JOIN LATERAL millrace.measure_transformers(p.from_at, p.to_at) m(transformer_id, attempts, failed, failure_rate, duration_avg_seconds, duration_p50_seconds, duration_p95_seconds, duration_p99_seconds));
grant select on public.transformer_metrics to service_role;
comment on view public.transformer_metrics is 'Step execution times by period and transformer, in seconds, with the share of attempts that failed.';

create view public.workflow_metrics with (security_invoker=true) as
 SELECT p.period,
    m.workflow_id,
    m.ended,
    m.completed,
    m.failed,
    m.cancelled,
    m.completion_rate,
    m.failure_rate,
    m.duration_avg_seconds,
    m.duration_p50_seconds,
    m.duration_p95_seconds,
    m.duration_p99_seconds,
    m.queued_p50_seconds,
    m.queued_p95_seconds
   FROM (millrace.metric_periods p
     CROSS JOIN LATERAL millrace.measure_jobs(p.from_at, p.to_at) m(workflow_id, ended, completed, failed, cancelled, completion_rate, failure_rate, duration_avg_seconds, duration_p50_seconds, duration_p95_seconds, duration_p99_seconds, queued_p50_seconds, queued_p95_seconds));
grant select on public.workflow_metrics to service_role;
comment on view public.workflow_metrics is 'Jobs that ended by period (last_hour, last_day, last_week: filter by it) and workflow, without children that run a branch: counts, rates, duration from first claim to end of completed jobs, and how long jobs were queued, in seconds.';

CREATE OR REPLACE FUNCTION millrace.action_fits(p_action text, p_status text, p_state jsonb)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case p_action
    when 'retry' then p_status in ('failed', 'cancelled')
    when 'cancel' then p_status not in ('completed', 'failed', 'cancelled')
    when 'resume' then p_status not in ('completed', 'failed', 'cancelled')
      and (p_status = 'paused' or p_state -> 'paused' = 'true')
    when 'pause' then p_status not in ('completed', 'failed', 'cancelled', 'paused')
      and p_state -> 'paused' is distinct from 'true'
  end
$function$;
grant execute on function millrace.action_fits(p_action text, p_status text, p_state jsonb) to authenticated;
grant execute on function millrace.action_fits(p_action text, p_status text, p_state jsonb) to service_role;
comment on function millrace.action_fits(p_action text, p_status text, p_state jsonb) is 'Whether cancel, pause, resume or retry makes sense for a job of this status and state.';

CREATE OR REPLACE FUNCTION millrace.add_event(p_name text, p_key text, p_payload jsonb, p_user_id uuid, p_job_id uuid)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := coalesce(millrace.require_caller(), p_user_id);
  -- Both bounds of events_payload_size: many small numbers take more room on disk than as text.
  v_bytes integer := greatest(millrace.json_bytes(p_payload), pg_column_size(p_payload));
  v_id bigint;
begin
  if p_name is null or length(p_name) not between 1 and 200 then
    raise exception 'Cannot emit event as its name must be of 1 to 200 characters: current length is %',
      coalesce(length(p_name), 0) using errcode = 'MR008';
  elsif length(p_key) not between 1 and 200 then
    raise exception 'Cannot emit event as its key must be of 1 to 200 characters: current length is %',
      length(p_key) using errcode = 'MR008';
  elsif v_bytes > 65536 then
    raise exception 'Cannot emit event as its payload must be <= 65536 bytes: current size is %',
      v_bytes using errcode = 'MR006';
  end if;
  insert into public.events (user_id, name, key, payload, job_id)
  values (v_user_id, p_name, p_key, coalesce(p_payload, '{}'), p_job_id)
  returning id into v_id;
  return v_id;
end;
$function$;
grant execute on function millrace.add_event(p_name text, p_key text, p_payload jsonb, p_user_id uuid, p_job_id uuid) to authenticated;
grant execute on function millrace.add_event(p_name text, p_key text, p_payload jsonb, p_user_id uuid, p_job_id uuid) to service_role;
comment on function millrace.add_event(p_name text, p_key text, p_payload jsonb, p_user_id uuid, p_job_id uuid) is 'Appends an event of the caller, or of p_user_id (null: for everybody''s jobs) where the service role calls. Raises MR006, MR008, MR009.';

CREATE OR REPLACE FUNCTION millrace.addressed_children(p_commit jsonb)
 RETURNS uuid[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
grant execute on function millrace.addressed_children(p_commit jsonb) to service_role;
comment on function millrace.addressed_children(p_commit jsonb) is 'The children that a commit has messages for or opens again.';

CREATE OR REPLACE FUNCTION millrace.admit_jobs(p_commits millrace.job_commit[], p_now timestamp with time zone)
 RETURNS millrace.job_commit[]
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_changes jsonb := coalesce(millrace.admit_to_slots(p_commits), '{}')
    || coalesce(millrace.admit_to_start(p_commits, p_now), '{}');
begin
  return array(
    select jsonb_populate_record(c, v_changes -> c.job_id::text) from unnest(p_commits) as c);
end;
$function$;
grant execute on function millrace.admit_jobs(p_commits millrace.job_commit[], p_now timestamp with time zone) to service_role;
comment on function millrace.admit_jobs(p_commits millrace.job_commit[], p_now timestamp with time zone) is 'The commits with the answers to what they ask for: they go on, or park as pending.';

CREATE OR REPLACE FUNCTION millrace.admit_to_slots(p_commits millrace.job_commit[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_changes jsonb;
begin
  update millrace.slots s set capacity = said.capacity
  from (
    select c.admission ->> 'key' as key, max((c.admission ->> 'capacity')::integer) as capacity
    from unnest(p_commits) as c where c.admission ->> 'kind' = 'slot' group by 1
  ) as said
  where s.key = said.key and s.capacity <> said.capacity;

  select jsonb_object_agg(asking.job_id, case
      when asking.has_it then '{}'
      when asking.place <= asking.free then jsonb_build_object('granted_slot', asking.key)
      -- Its time limit goes on while it waits.
      else jsonb_build_object('status', 'pending', 'next_run_at', asking.deadline_at,
        'wanted_slot', asking.key)
    end)
  into v_changes
  from (
    select c.job_id, c.admission ->> 'key' as key, j.deadline_at, has.it as has_it,
      s.capacity - s.in_use as free,
      row_number() over (partition by c.admission ->> 'key', has.it
        order by j.priority desc, j.created_at, c.job_id) as place
    from unnest(p_commits) as c
    cross join lateral (
      select jobs.priority, jobs.created_at, jobs.deadline_at, jobs.held_slots, jobs.inherited_slots
      from public.jobs where jobs.id = c.job_id offset 0
    ) as j
    cross join lateral (
      select slots.capacity, slots.in_use from millrace.slots
      where slots.key = c.admission ->> 'key' offset 0
    ) as s
    cross join lateral (select c.admission ->> 'key' = any (
      coalesce(j.held_slots, '{}') || coalesce(j.inherited_slots, '{}')) as it offset 0) as has
    where c.admission ->> 'kind' = 'slot'
  ) as asking;

  update millrace.slots s set in_use = s.in_use + granted.number
  from (
    select change.value ->> 'granted_slot' as key, count(*) as number
    from jsonb_each(v_changes) as change where change.value ? 'granted_slot' group by 1
  ) as granted
  where s.key = granted.key;
  return v_changes;
end;
$function$;
grant execute on function millrace.admit_to_slots(p_commits millrace.job_commit[]) to service_role;
comment on function millrace.admit_to_slots(p_commits millrace.job_commit[]) is 'Gives the slots that jobs ask for, as far as there are any: {job_id: changes to its commit}. Holds the locks on the slots.';

CREATE OR REPLACE FUNCTION millrace.admit_to_start(p_commits millrace.job_commit[], p_now timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_changes jsonb;
begin
  with rule as (
    select c.admission ->> 'key' as key, max((c.admission ->> 'max_starts')::integer) as max_starts,
      make_interval(secs => max((c.admission ->> 'per_seconds')::double precision)) as period
    from unnest(p_commits) as c where c.admission ->> 'kind' = 'start' group by 1
  ), given as (
    select r.*, array(
      select s.starts_at from millrace.rate_starts s
      where s.key = r.key order by s.starts_at desc limit r.max_starts) as latest
    from rule r
  ), asking as (
    select c.job_id, c.state, c.admission ->> 'key' as key,
      (row_number() over (partition by c.admission ->> 'key'
        order by j.priority desc, j.created_at, c.job_id) - 1)::integer as place
    from unnest(p_commits) as c
    cross join lateral (
      select jobs.priority, jobs.created_at from public.jobs where jobs.id = c.job_id offset 0
    ) as j
    where c.admission ->> 'kind' = 'start'
  ), start as (
    select a.job_id, a.state, a.key,
      greatest(p_now, g.latest[g.max_starts - a.place % g.max_starts] + g.period)
        + (a.place / g.max_starts) * g.period as at
    from asking a join given g on g.key = a.key
  )
  select jsonb_object_agg(start.job_id,
    jsonb_build_object('state', start.state || jsonb_build_object('not_before', start.at))
    || case when start.at <= p_now then '{}'
        else jsonb_build_object('status', 'pending', 'next_run_at', start.at) end)
  into v_changes from start;

  delete from millrace.rate_starts s
  using (
    select c.admission ->> 'key' as key,
      make_interval(secs => max((c.admission ->> 'per_seconds')::double precision)) as period
    from unnest(p_commits) as c where c.admission ->> 'kind' = 'start' group by 1
  ) as rule
  where s.key = rule.key and s.starts_at <= p_now - rule.period;
  insert into millrace.rate_starts (key, job_id, starts_at)
  select c.admission ->> 'key', c.job_id,
    (v_changes #>> array[c.job_id::text, 'state', 'not_before'])::timestamptz
  from unnest(p_commits) as c where c.admission ->> 'kind' = 'start';
  return v_changes;
end;
$function$;
grant execute on function millrace.admit_to_start(p_commits millrace.job_commit[], p_now timestamp with time zone) to service_role;
comment on function millrace.admit_to_start(p_commits millrace.job_commit[], p_now timestamp with time zone) is 'Gives each job that asks for a start the earliest time that its rate limit allows: {job_id: changes to its commit}. Holds the locks on the keys.';

CREATE OR REPLACE FUNCTION millrace.ask_for(p_job_id uuid, p_kind text, p_payload jsonb, p_kick boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_status text;
begin
  select j.status into v_status from public.jobs j where j.id = p_job_id;
  if not found then
    raise exception 'Cannot % job as there is no job %', p_kind, p_job_id using errcode = 'MR002';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
  if millrace.post_wishes(array[p_job_id], p_kind, p_payload) = '{}' then
    raise exception 'Cannot % job % as it has ended', p_kind, p_job_id using errcode = 'MR007';
  end if;
  return jsonb_build_object('job_id', p_job_id, 'status', v_status, 'kick', not p_kick);
end;
$function$;
grant execute on function millrace.ask_for(p_job_id uuid, p_kind text, p_payload jsonb, p_kick boolean) to authenticated;
grant execute on function millrace.ask_for(p_job_id uuid, p_kind text, p_payload jsonb, p_kick boolean) to service_role;
comment on function millrace.ask_for(p_job_id uuid, p_kind text, p_payload jsonb, p_kick boolean) is 'Posts a wish for one job that the caller sees. Raises MR002 (no such job, or not the caller''s), MR007 (it has ended).';

CREATE OR REPLACE FUNCTION millrace.assignee_keys(p_assignees text[])
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case when p_assignees is not null then array(
    select case
        when a like '%@%' or a ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then lower(a)
        else a
      end
    from unnest(p_assignees) as a)
  end
$function$;
grant execute on function millrace.assignee_keys(p_assignees text[]) to authenticated;
grant execute on function millrace.assignee_keys(p_assignees text[]) to service_role;
comment on function millrace.assignee_keys(p_assignees text[]) is 'Assignees as they are compared: ids and addresses in lower case, roles as they are.';

CREATE OR REPLACE FUNCTION millrace.bump_catalog()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  update millrace.catalog set revision = revision + 1;
  return null;
end;
$function$;
comment on function millrace.bump_catalog() is 'Tells orchestrators to read the transformers again.';

CREATE OR REPLACE FUNCTION millrace.caller_keys()
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select array_remove(
    millrace.assignee_keys(array[(select auth.uid())::text, nullif(claims.jwt ->> 'email', '')])
    || array(
      select jsonb_array_elements_text(case jsonb_typeof(claims.jwt #> '{app_metadata,roles}')
        when 'array' then claims.jwt #> '{app_metadata,roles}' else '[]' end))
    || (claims.jwt #>> '{app_metadata,role}'), null)
  from (select coalesce((select auth.jwt()), '{}') as jwt) as claims
$function$;
grant execute on function millrace.caller_keys() to authenticated;
grant execute on function millrace.caller_keys() to service_role;
comment on function millrace.caller_keys() is 'What an approval may be assigned to that means the caller: his id, his email address and his roles (app_metadata.roles and app_metadata.role of his token).';

CREATE OR REPLACE FUNCTION millrace.check_workflow_definition()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_problems text;
begin
  select string_agg(problem.place || ': ' || problem.fault, '; ')
  into v_problems
  from (
    select place, fault from millrace.definition_problems(new.id, new.definition)
    order by place, fault limit 20
  ) as problem;
  if v_problems is not null then
    raise exception 'Cannot register workflow ''%'' as its definition is invalid: %', new.id, v_problems
      using errcode = 'MR004';
  end if;
  return new;
end;
$function$;
comment on function millrace.check_workflow_definition() is 'Refuses a definition that is structurally wrong with MR004, naming every place (at most 20).';

CREATE OR REPLACE FUNCTION millrace.child_ends(p_job_id uuid, p_step_id text, p_visit integer, p_open integer)
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
begin
  if p_open = 0 and millrace.child_results_bytes(p_job_id, p_step_id, p_visit) > 16777216 then
    return null;
  end if;
  return (
    select coalesce(json_agg(json_build_object('job_id', c.id, 'index', c.item_index,
      'status', c.status, 'result', c.final_result, 'error', c.error) order by c.item_index), '[]')
    from (
      select j.id, j.item_index, j.status, j.final_result, j.error from public.jobs j
      where j.parent_job_id = p_job_id and j.parent_step_id = p_step_id and j.parent_visit = p_visit
        and (p_open = 0 or j.status in ('failed', 'cancelled'))
      order by j.item_index
      limit case when p_open > 0 then 20 end
    ) as c);
end;
$function$;
grant execute on function millrace.child_ends(p_job_id uuid, p_step_id text, p_visit integer, p_open integer) to service_role;
comment on function millrace.child_ends(p_job_id uuid, p_step_id text, p_visit integer, p_open integer) is 'How the children of one visit ended, by index: all when p_open is 0, else at most 20 that failed; null when the results are more than 16 MiB.';

CREATE OR REPLACE FUNCTION millrace.child_results_bytes(p_job_id uuid, p_step_id text, p_visit integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_stored bigint;
  v_bytes bigint := 0;
  v_next bigint;
begin
  select coalesce(sum(pg_column_size(j.final_result)), 0) + coalesce(sum(pg_column_size(j.error)), 0)
  into v_stored from public.jobs j
  where j.parent_job_id = p_job_id and j.parent_step_id = p_step_id and j.parent_visit = p_visit;
  if v_stored <= 4096 or v_stored > 16777216 then
    return v_stored;
  end if;
  for v_next in
    select coalesce(octet_length(j.final_result::text), 0) + coalesce(octet_length(j.error::text), 0)
    from public.jobs j
    where j.parent_job_id = p_job_id and j.parent_step_id = p_step_id and j.parent_visit = p_visit
  loop
    v_bytes := v_bytes + v_next;
    exit when v_bytes > 16777216;
  end loop;
  return v_bytes;
end;
$function$;
grant execute on function millrace.child_results_bytes(p_job_id uuid, p_step_id text, p_visit integer) to service_role;
comment on function millrace.child_results_bytes(p_job_id uuid, p_step_id text, p_visit integer) is 'About how many bytes of text the results of the children of one visit are; counted up to 16 MiB.';

CREATE OR REPLACE FUNCTION millrace.claimed_jobs(p_job_ids uuid[])
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_mail record := millrace.look_at_mail(p_job_ids);
begin
  if v_mail.cut_at is not null then
    -- What is not handed over keeps its job awake.
    update public.jobs j set wake_requested = true
    where j.id = any (p_job_ids[v_mail.cut_at:])
      and exists (select from public.job_inbox m where m.job_id = j.id);
  end if;
  return (
    select coalesce(json_agg(json_build_object(
        'job_id', j.id, 'user_id', j.user_id, 'workflow_id', j.workflow_id,
        'workflow_version', j.workflow_version, 'current_step_id', j.current_step_id,
        'input_data', j.input_data, 'step_data', j.step_data, 'state', j.state,
        'version', j.version, 'redeliveries', j.redeliveries, 'retry_count', j.retry_count,
        'max_retries', j.max_retries, 'created_at', j.created_at, 'started_at', j.started_at,
        'run_at', j.run_at, 'deadline_at', j.deadline_at, 'trace_id', j.trace_id,
        'priority', j.priority,
        'parent_job_id', j.parent_job_id, 'parent_step_id', j.parent_step_id,
        'parent_visit', j.parent_visit, 'item_index', j.item_index, 'depth', j.depth,
        'branch', j.branch, 'item', j.item,
        'scope', case when j.branch is not null then
          millrace.scope_key(j.parent_job_id, j.parent_step_id, j.parent_visit, j.run_number)
          end,
        'open_children', j.open_children, 'failed_children', j.failed_children,
        'slot_key', j.slot_key, 'held_slots', coalesce(j.held_slots, '{}'),
        'inherited_slots', coalesce(j.inherited_slots, '{}'),
        'children', case when j.state #>> '{waiting,kind}' = 'children' then
          millrace.child_ends(j.id, j.current_step_id, coalesce((j.state ->> 'visit')::integer, 1),
            j.open_children) end,
        'retry', case when j.next_retry_at is not null then
          json_build_object('at', j.next_retry_at, 'error', j.error) end,
        'messages', case when v_mail.is_empty then '[]'::json else coalesce((
          select json_agg(json_build_object('id', m.id, 'kind', m.kind, 'step_id', m.step_id,
            'visit', m.visit, 'attempt', m.attempt, 'payload', m.payload) order by m.id)
          from public.job_inbox m
          where m.job_id = j.id and (v_mail.cut_at is null or listed.position < v_mail.cut_at
            or (listed.position = v_mail.cut_at and m.id <= v_mail.last_id))), '[]'::json) end
      ) order by listed.position), '[]'::json)
    from unnest(p_job_ids) with ordinality as listed (id, position)
    cross join lateral (select * from public.jobs where jobs.id = listed.id offset 0) as j);
end;
$function$;
grant execute on function millrace.claimed_jobs(p_job_ids uuid[]) to service_role;
comment on function millrace.claimed_jobs(p_job_ids uuid[]) is 'Jobs as their new owner needs them, with their messages: the oldest 16 MiB of them.';

CREATE OR REPLACE FUNCTION millrace.commit(p_commit jsonb, OUT results json, OUT woken json, OUT leased uuid[])
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_token uuid := (p_commit ->> 'lease_token')::uuid;
  v_lease interval := make_interval(secs => (p_commit ->> 'lease_seconds')::integer);
  v_kick text := coalesce(current_setting('millrace.kick', true), '');
  v_commits millrace.job_commit[];
  v_asked millrace.job_commit[];
  v_ids uuid[];
  v_asking boolean;
  v_joining boolean;
  v_forcing boolean;
  v_parents uuid[];
  v_done record;
  v_spawned record;
  v_told uuid[] := '{}';
begin
  v_asked := array(
    select c from jsonb_populate_recordset(null::millrace.job_commit, p_commit -> 'jobs') as c);
  v_commits := v_asked;
  select coalesce(array_agg(c.job_id), '{}'), bool_or(c.admission is not null),
    bool_or(c.joined_failures is not null), bool_or(c.force),
    coalesce(array_agg(j.parent_job_id) filter (where j.parent_job_id is not null), '{}')
  into v_ids, v_asking, v_joining, v_forcing, v_parents
  from unnest(v_asked) as c
  left join lateral (
    select jobs.parent_job_id from public.jobs
    where jobs.id = c.job_id and c.status in ('completed', 'failed', 'cancelled') offset 0
  ) as j on true;
  if v_forcing then
    p_commit := millrace.with_forced_cancels(p_commit);
  end if;
  if p_commit -> 'child_messages' <> '[]' or p_commit -> 'reopenings' <> '[]' then
    v_ids := v_ids || millrace.addressed_children(p_commit);
  end if;
  perform from public.jobs j where j.id = any (v_ids || v_parents) order by j.id for update;

  if v_parents <> '{}' or v_asking or v_joining or v_forcing or p_commit -> 'reopenings' <> '[]' then
    v_commits := millrace.prepare_commits(v_asked, p_commit -> 'reopenings', v_token, v_now);
  end if;
  v_done := millrace.write_jobs(v_commits, v_token, v_lease,
    array(select (c ->> 'id')::bigint from jsonb_array_elements(p_commit -> 'consumed') as c), v_now);
  if v_done.freeing <> '{}' then
    perform millrace.free_slots(v_done.freeing);
  end if;
  if v_done.limited <> '{}' then
    delete from millrace.rate_starts s where s.job_id = any (v_done.limited) and s.starts_at > v_now;
  end if;
  perform millrace.write_records(p_commit, v_done.applied, v_now);

  leased := '{}';
  if p_commit -> 'spawns' <> '[]' or p_commit -> 'child_messages' <> '[]'
    or p_commit -> 'subscriptions' <> '[]' then
    -- Whoever commits looks for what is due himself.
    perform set_config('millrace.kick', 'caller', true);
    if p_commit -> 'spawns' <> '[]' then
      v_spawned := millrace.spawn_children(p_commit -> 'spawns', v_done.applied, v_token, v_lease, v_now);
      leased := v_spawned.leased;
      -- The news for those that go on; the others are due by it.
      v_done.woken := v_done.woken || array(
        select j.id from public.jobs j
        where j.id = any (v_spawned.refused) and j.lease_token = v_token and j.id <> all (v_done.woken));
    end if;
    if p_commit -> 'child_messages' <> '[]' then
      v_told := millrace.tell_children(p_commit -> 'child_messages', v_done.applied, v_token);
    end if;
    if p_commit -> 'subscriptions' <> '[]' then
      perform millrace.subscribe(p_commit -> 'subscriptions', v_done.applied);
    end if;
    perform set_config('millrace.kick', v_kick, true);
  end if;
  if v_done.missed <> '{}' then
    perform millrace.drop_messages(v_done.missed);
  end if;
  results := millrace.commit_results(v_asked, v_done.applied, v_token);
  woken := millrace.unread_messages(v_done.woken || v_told);
end;
$function$;
grant execute on function millrace.commit(p_commit jsonb, OUT results json, OUT woken json, OUT leased uuid[]) to service_role;
comment on function millrace.commit(p_commit jsonb, OUT results json, OUT woken json, OUT leased uuid[]) is 'commit_jobs without reading the children that are leased to the caller: their ids.';

CREATE OR REPLACE FUNCTION millrace.commit_results(p_commits millrace.job_commit[], p_applied uuid[], p_token uuid)
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return (
    select coalesce(json_agg(case when c.admission is null
        then json_build_object('job_id', c.job_id, 'committed', done.it)
        else json_build_object('job_id', c.job_id, 'committed', done.it,
          'admitted', done.it and j.lease_token is not null)
      end), '[]')
    from unnest(p_commits) as c
    left join lateral (
      select jobs.lease_token, jobs.version from public.jobs where jobs.id = c.job_id offset 0
    ) as j on true
    cross join lateral (select c.job_id = any (p_applied)
      or (j.lease_token = p_token and j.version = c.version + 1) is true as it) as done);
end;
$function$;
grant execute on function millrace.commit_results(p_commits millrace.job_commit[], p_applied uuid[], p_token uuid) to service_role;
comment on function millrace.commit_results(p_commits millrace.job_commit[], p_applied uuid[], p_token uuid) is 'Whether each commit was written, and whether what it asked for was given.';

CREATE OR REPLACE FUNCTION millrace.count_down(p_commits millrace.job_commit[], p_now timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;
grant execute on function millrace.count_down(p_commits millrace.job_commit[], p_now timestamp with time zone) to service_role;
comment on function millrace.count_down(p_commits millrace.job_commit[], p_now timestamp with time zone) is 'Counts ended jobs at their parents, and wakes a waiting parent when none is open or too many failed.';

CREATE OR REPLACE FUNCTION millrace.definition_graphs(p_definition jsonb)
 RETURNS TABLE(place text, depth integer, graph jsonb)
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  with recursive graphs (place, depth, graph) as (
    select '', 0, p_definition
    union all
    select inside.place, graphs.depth + 1, inside.graph
    from graphs
    cross join lateral jsonb_each(case when jsonb_typeof(graphs.graph -> 'steps') = 'object'
      then graphs.graph -> 'steps' end) as step
    cross join lateral (
      select millrace.place_within(millrace.place_within(graphs.place, 'steps'), step.key) as place
    ) as step_place
    cross join lateral (
      select millrace.place_within(step_place.place || '.branches', branch.key) as place,
        branch.value as graph
      from jsonb_each(case when step.value ->> 'type' = 'parallel'
        and jsonb_typeof(step.value -> 'branches') = 'object'
        then step.value -> 'branches' end) as branch
      union all
      select step_place.place || '.branch', step.value -> 'branch'
      where step.value ->> 'type' = 'map' and step.value ? 'branch'
    ) as inside
    -- Deeper ones are refused at the step that holds them.
    where graphs.depth < 10
  )
  select graphs.place, graphs.depth, graphs.graph from graphs
$function$;
grant execute on function millrace.definition_graphs(p_definition jsonb) to service_role;
comment on function millrace.definition_graphs(p_definition jsonb) is 'The definition itself (at place '''', depth 0) and all branches in it, down to a depth of 10.';

CREATE OR REPLACE FUNCTION millrace.definition_problems(p_workflow_id text, p_definition jsonb)
 RETURNS TABLE(place text, fault text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if jsonb_typeof(p_definition) <> 'object' then
    return query select 'definition', 'must be an object';
    return;
  end if;
  if millrace.json_bytes(p_definition) > 1048576 then
    return query select 'definition', 'must be at most 1 MiB';
    return;
  end if;
  if (
    select count(*)
    from millrace.definition_graphs(p_definition) as source
    cross join lateral jsonb_object_keys(case when jsonb_typeof(source.graph -> 'steps') = 'object'
      then source.graph -> 'steps' end)
  ) > 500 then
    return query select 'steps', 'must be at most 500 steps, those of branches included';
    return;
  end if;
  return query select problem.place, problem.fault
    from millrace.limit_problems(p_definition) as problem;
  return query
    select problem.place, problem.fault
    from millrace.definition_graphs(p_definition) as source
    cross join lateral millrace.graph_problems(p_workflow_id, source.place, source.depth,
      source.graph) as problem;
end;
$function$;
grant execute on function millrace.definition_problems(p_workflow_id text, p_definition jsonb) to service_role;
comment on function millrace.definition_problems(p_workflow_id text, p_definition jsonb) is 'What is structurally wrong with a definition that is to be registered under an id: (place, fault) rows; none when it may be.';

CREATE OR REPLACE FUNCTION millrace.definitions_of(p_job_ids uuid[], p_known jsonb)
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
begin
  return (
    select json_agg(json_build_object('workflow_id', v.workflow_id, 'version', v.version,
      'definition', v.definition))
    from (
      select distinct j.workflow_id as id, j.workflow_version as version
      from public.jobs j where j.id = any (p_job_ids)
    ) as needed
    join public.workflow_versions v on v.workflow_id = needed.id and v.version = needed.version
    where not coalesce(p_known, '[]') ? (needed.id || '@' || needed.version));
end;
$function$;
grant execute on function millrace.definitions_of(p_job_ids uuid[], p_known jsonb) to service_role;
comment on function millrace.definitions_of(p_job_ids uuid[], p_known jsonb) is 'The definitions that these jobs are pinned to, without those that are known.';

CREATE OR REPLACE FUNCTION millrace.deliver_events()
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
grant execute on function millrace.deliver_events() to service_role;
comment on function millrace.deliver_events() is 'Puts events into the mailboxes of the jobs that wait for them, and answers whether some are left.';

CREATE OR REPLACE FUNCTION millrace.drop_messages(p_job_ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
begin
  update public.jobs set wake_requested = false where id = any (p_job_ids);
  with dropped as (
    delete from public.job_inbox m where m.job_id = any (p_job_ids)
    returning m.job_id, m.kind, m.step_id, m.visit, m.attempt
  )
  insert into public.job_events (job_id, type, step_id, data)
  select d.job_id, 'late_' || case d.kind when 'step_result' then 'result' else d.kind end || '_dropped',
    d.step_id, jsonb_strip_nulls(jsonb_build_object('visit', d.visit, 'attempt', d.attempt))
  from dropped d;
end;
$function$;
grant execute on function millrace.drop_messages(p_job_ids uuid[]) to service_role;
comment on function millrace.drop_messages(p_job_ids uuid[]) is 'Deletes the unread messages of jobs that have ended and records that they came too late.';

CREATE OR REPLACE FUNCTION millrace.due_jobs(p_limit integer, p_now timestamp with time zone)
 RETURNS uuid[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
declare
  v_half integer := (p_limit + 1) / 2;
begin
  return array(
    select due.id
    from generate_series(9, 0, -1) as level (priority)
    cross join lateral (
      with begun as (
        select j.id from public.jobs j
        where j.priority = level.priority and j.next_run_at <= p_now and j.queue_place is null
        order by j.next_run_at
        limit v_half
        for update skip locked
      )
      select begun.id from begun
      union all
      select queued.id from (
        select j.id from public.jobs j
        where j.priority = level.priority and j.queue_place is not null
          -- Not one that was made after this claim began: it would start before it was there.
          and j.next_run_at <= p_now
        order by j.queue_place, j.next_run_at
        limit p_limit
        for update skip locked
      ) as queued
      union all
      select rest.id from (
        select j.id from public.jobs j
        where j.priority = level.priority and j.next_run_at <= p_now and j.queue_place is null
          and (select count(*) from begun) = v_half
          and j.id <> all (array(select begun.id from begun))
        order by j.next_run_at
        limit p_limit
        for update skip locked
      ) as rest
    ) as due
    limit p_limit);
end;
$function$;
grant execute on function millrace.due_jobs(p_limit integer, p_now timestamp with time zone) to service_role;
comment on function millrace.due_jobs(p_limit integer, p_now timestamp with time zone) is 'Locks up to p_limit due jobs that nobody else has locked, in the order in which they are to be claimed.';

CREATE OR REPLACE FUNCTION millrace.event_lock()
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$ select 7309947252 $function$;
grant execute on function millrace.event_lock() to service_role;
comment on function millrace.event_lock() is 'Advisory lock: shared by commits that park a job until an event, exclusive to the delivery of events.';

CREATE OR REPLACE FUNCTION millrace.explain_approval(p_job public.jobs, p_until text)
 RETURNS millrace.explanation
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_approval public.approvals;
  v_whom text;
begin
  select a.* into v_approval from public.approvals a
  where a.job_id = p_job.id and a.status = 'open'
  order by a.created_at desc limit 1;
  if v_approval.id is null then
    return millrace.explained('waits_for_approval',
      format('Step ''%s'' waits for a decision that has been made or withdrawn', p_job.current_step_id),
      'Nothing to do: an orchestrator takes it up within moments', '{}'::jsonb);
  end if;
  v_whom := coalesce(
    (select string_agg(a, ', ') from (select unnest(v_approval.assignees) as a limit 10) as listed)
      || case when cardinality(v_approval.assignees) > 10 then ', …' else '' end,
    case when v_approval.assignees is null then 'the owner of the job' else 'nobody' end);
  return millrace.explained('waits_for_approval',
    format('Step ''%s'' waits for the decision of %s on ''%s'' %s', p_job.current_step_id, v_whom,
      left(v_approval.title, 200), p_until),
    format('Decide approval %s at POST /approvals/%s/decision', v_approval.id, v_approval.id),
    jsonb_build_object('approval_id', v_approval.id, 'title', v_approval.title,
      'assignees', v_approval.assignees, 'allow_self', v_approval.allow_self,
      'expires_at', v_approval.expires_at));
end;
$function$;
grant execute on function millrace.explain_approval(p_job public.jobs, p_until text) to authenticated;
grant execute on function millrace.explain_approval(p_job public.jobs, p_until text) to service_role;
comment on function millrace.explain_approval(p_job public.jobs, p_until text) is 'waits_for_approval, with whom it is waited for.';

CREATE OR REPLACE FUNCTION millrace.explain_children(p_job public.jobs, p_level integer)
 RETURNS millrace.explanation
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_child_id uuid;
  v_index integer;
  v_child jsonb;
  v_leaf jsonb;
  v_total integer := coalesce((p_job.state #>> '{waiting,total}')::integer, p_job.open_children);
  v_wait text := format('%s of %s of step ''%s''', p_job.open_children,
    millrace.say_count(v_total, 'child', 'children'), p_job.current_step_id);
  v_details jsonb;
begin
  v_wait := case when p_job.state ? 'ending'
    then format('Job ends as %s after the end of %s', p_job.state #>> '{ending,status}', v_wait)
    else 'Job waits for ' || v_wait end;
  v_details := jsonb_build_object('open_children', p_job.open_children, 'children', v_total,
    'failed_children', p_job.failed_children);
  select c.id, c.item_index into v_child_id, v_index from public.jobs c
  where c.parent_job_id = p_job.id and c.status not in ('completed', 'failed', 'cancelled')
  order by c.created_at, c.item_index, c.id limit 1;
  if v_child_id is null or p_level >= 10 then
    return millrace.explained('waits_for_children', v_wait,
      format('Look at its children at GET /jobs/%s/children', p_job.id), v_details);
  end if;
  v_child := millrace.explain_level(v_child_id, p_level + 1);
  v_leaf := coalesce(v_child #> '{details,leaf}',
    v_child || jsonb_build_object('item_index', v_index));
  return millrace.explained('waits_for_children',
    format('%s; of the oldest open one, %s%s: %s', v_wait, v_leaf ->> 'job_id',
      coalesce(' (item ' || (v_leaf ->> 'item_index') || ')', ''), v_leaf ->> 'explanation'),
    v_leaf ->> 'action',
    v_details || jsonb_build_object('child', v_child,
      'leaf', v_leaf - 'details'));
end;
$function$;
grant execute on function millrace.explain_children(p_job public.jobs, p_level integer) to authenticated;
grant execute on function millrace.explain_children(p_job public.jobs, p_level integer) to service_role;
comment on function millrace.explain_children(p_job public.jobs, p_level integer) is 'waits_for_children: how many, and why the oldest open one (details.child), or the job at the end of that chain (details.leaf), does not move.';

CREATE OR REPLACE FUNCTION millrace.explain_due(p_job public.jobs)
 RETURNS millrace.explanation
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_outage millrace.explanation := millrace.explain_outage(p_job);
  v_before integer;
  v_is_late boolean := p_job.next_run_at < v_now - interval '1 minute';
begin
  if v_outage.reason is not null then
    return v_outage;
  end if;
  v_before := millrace.explain_queue(p_job.id);
  return millrace.explained(
    case when p_job.status = 'pending' and p_job.queue_place is not null then 'not_started'
      else 'due' end,
    format('Job has been due since %s, with %s before it',
      millrace.say_time(p_job.next_run_at, v_now),
      millrace.say_count(v_before, 'due job', 'due jobs')),
    case when v_is_late
      then 'Look at the view alerts; where more is due than the orchestrators take, raise max_orchestrators in millrace.settings'
      else 'Nothing to do: an orchestrator takes it up within moments' end,
    jsonb_build_object('due_since', p_job.next_run_at, 'jobs_before', v_before,
      'priority', p_job.priority));
end;
$function$;
grant execute on function millrace.explain_due(p_job public.jobs) to authenticated;
grant execute on function millrace.explain_due(p_job public.jobs) to service_role;
comment on function millrace.explain_due(p_job public.jobs) is 'Why a due job is not taken: not_started (in the start queue), due, or what explain_outage finds.';

CREATE OR REPLACE FUNCTION millrace.explain_end(p_job public.jobs)
 RETURNS millrace.explanation
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_at text := millrace.say_time(p_job.completed_at, millrace.now());
  v_retry text := format('retry it at POST /jobs/%s/retry',
    coalesce(p_job.root_job_id, p_job.id));
  v_details jsonb := jsonb_build_object('ended_at', p_job.completed_at);
begin
  if p_job.status = 'completed' then
    return millrace.explained('completed', 'Job completed at ' || v_at,
      'Nothing to do: its result is final_result', v_details);
  elsif p_job.status = 'cancelled' then
    return millrace.explained('cancelled',
      format('Job was cancelled at %s%s', v_at, coalesce(': ' || p_job.error_message, '')),
      'To run it after all, ' || v_retry, v_details || jsonb_build_object('error', p_job.error));
  end if;
  return millrace.explained('failed',
    format('Job failed at %s%s with %s: %s', v_at,
      coalesce(' in step ''' || p_job.current_step_id || '''', ''),
      coalesce(p_job.error ->> 'code', 'no code'), p_job.error_message),
    coalesce(case p_job.error ->> 'code'
      when 'config_invalid' then 'Correct the config of the step or its transformer'
      when 'secret_missing' then 'Set the environment variable that the error names with supabase secrets set'
      when 'transformer_not_found' then 'Insert the transformer'
      when 'executor_unreachable' then format('Deploy the %s and check its logs', millrace.say_executor(p_job.id))
      when 'executor_crashed' then 'Look at the logs of the ' || millrace.say_executor(p_job.id)
      when 'children_failed' then format('Look at the failed children at GET /jobs/%s/children?status=failed', p_job.id)
      when 'definition_invalid' then 'Correct the definition and start a new job: this one keeps its version'
    end || ', then ', 'See to the error, then ') || v_retry,
    v_details || jsonb_build_object('error', p_job.error));
end;
$function$;
grant execute on function millrace.explain_end(p_job public.jobs) to authenticated;
grant execute on function millrace.explain_end(p_job public.jobs) to service_role;
comment on function millrace.explain_end(p_job public.jobs) is 'completed, failed or cancelled.';

CREATE OR REPLACE FUNCTION millrace.explain_event(p_job public.jobs, p_until text)
 RETURNS millrace.explanation
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select millrace.explained('waits_for_event',
    format('Step ''%s'' waits for the event ''%s''%s %s', p_job.current_step_id, w ->> 'event',
      coalesce(' with the key ''' || (w ->> 'key') || '''', ''), p_until),
    format('Emit it at POST /events, or for this job alone at POST /jobs/%s/signal', p_job.id),
    jsonb_build_object('event', w -> 'event', 'key', w -> 'key', 'until', w -> 'until'))
  from (select p_job.state -> 'waiting' as w) as waiting
$function$;
grant execute on function millrace.explain_event(p_job public.jobs, p_until text) to authenticated;
grant execute on function millrace.explain_event(p_job public.jobs, p_until text) to service_role;
comment on function millrace.explain_event(p_job public.jobs, p_until text) is 'waits_for_event.';

CREATE OR REPLACE FUNCTION millrace.explain_executor(p_job_id uuid)
 RETURNS text
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := millrace.require_caller();
begin
  return (
    select t.target_function
    from public.jobs j
    join public.job_steps s on s.job_id = j.id and s.step_id = j.current_step_id
    join public.transformers t on t.id = s.transformer_id
    where j.id = p_job_id and (v_user_id is null or j.user_id = v_user_id)
    order by s.visit desc, s.attempt desc
    limit 1);
end;
$function$;
grant execute on function millrace.explain_executor(p_job_id uuid) to authenticated;
grant execute on function millrace.explain_executor(p_job_id uuid) to service_role;
comment on function millrace.explain_executor(p_job_id uuid) is 'The function that made the last attempt of the current step of a job of the caller''s.';

CREATE OR REPLACE FUNCTION millrace.explain_lease(p_job public.jobs)
 RETURNS millrace.explanation
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_attempt text := coalesce(p_job.state ->> 'attempt', '1');
  v_owner text := left(p_job.lease_token::text, 8) || '…';
  v_outage millrace.explanation;
  v_details jsonb := jsonb_build_object('orchestrator', p_job.lease_token,
    'lease_expires_at', p_job.next_run_at, 'redeliveries', p_job.redeliveries);
begin
  if p_job.next_run_at > v_now then
    return millrace.explained('leased',
      format('Step ''%s'' is being made (attempt %s) by orchestrator %s, whose lease expires in %s (%s)',
        p_job.current_step_id, v_attempt, v_owner, millrace.say_duration(p_job.next_run_at - v_now),
        millrace.say_clock(p_job.next_run_at)),
      case when (p_job.state ->> 'paused')::boolean
        then 'A pause is requested: the job stops when the attempt ends; resume it to have it go on'
        else 'Nothing to do: it goes on when the attempt ends, and another orchestrator takes over when the lease expires'
      end,
      v_details);
  end if;
  v_outage := millrace.explain_outage(p_job);
  if v_outage.reason is not null then
    return v_outage;
  end if;
  return millrace.explained('lease_expired',
    format('The lease of orchestrator %s on step ''%s'' (attempt %s) expired at %s: it was lost',
      v_owner, p_job.current_step_id, v_attempt, millrace.say_time(p_job.next_run_at, v_now)),
    case when p_job.redeliveries > 0
      then format('Another orchestrator takes it over, as happened %s before: look at the logs of the executor, which may be killed by this step',
        millrace.say_count(p_job.redeliveries, 'time', 'times'))
      else 'Nothing to do: another orchestrator takes it over within moments' end,
    v_details);
end;
$function$;
grant execute on function millrace.explain_lease(p_job public.jobs) to authenticated;
grant execute on function millrace.explain_lease(p_job public.jobs) to service_role;
comment on function millrace.explain_lease(p_job public.jobs) is 'leased or lease_expired.';

CREATE OR REPLACE FUNCTION millrace.explain_level(p_job_id uuid, p_level integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_job public.jobs;
  v_found millrace.explanation;
  v_messages text[];
begin
  select j.* into v_job from public.jobs j where j.id = p_job_id;
  if not found then
    raise exception 'Cannot explain job as there is no job %', p_job_id using errcode = 'MR002';
  end if;
  v_messages := millrace.explain_mailbox(p_job_id);
  v_found := case
    when v_job.status in ('completed', 'failed', 'cancelled') then millrace.explain_end(v_job)
    -- Its orchestrator runs the children, too, and keeps the parent for as long.
    when v_job.status = 'running' and v_job.open_children > 0
      and v_job.next_run_at > millrace.now() then millrace.explain_children(v_job, p_level)
    when v_job.status = 'running' then millrace.explain_lease(v_job)
    when v_job.status <> 'pending' and v_job.next_run_at <= millrace.now()
      then millrace.explain_due(v_job)
    when v_job.status = 'paused' or v_job.state -> 'paused' = 'true'
      then millrace.explain_pause(v_job)
    when v_job.status = 'pending' then millrace.explain_pending(v_job)
    when v_job.status = 'awaiting_retry' then millrace.explain_retry(v_job)
    else millrace.explain_waiting(v_job, p_level)
  end;
  return jsonb_build_object('job_id', v_job.id, 'status', v_job.status,
    'reason', v_found.reason, 'explanation', v_found.explanation, 'action', v_found.action,
    'details', jsonb_strip_nulls(jsonb_build_object('step_id', v_job.current_step_id,
      'deadline_at', v_job.deadline_at,
      'unread_messages', case when v_messages <> '{}' then to_jsonb(v_messages) end))
      || coalesce(v_found.details, '{}'));
end;
$function$;
grant execute on function millrace.explain_level(p_job_id uuid, p_level integer) to authenticated;
grant execute on function millrace.explain_level(p_job_id uuid, p_level integer) to service_role;
comment on function millrace.explain_level(p_job_id uuid, p_level integer) is 'What explain_job() answers, for a job p_level levels below the one that was asked about.';

CREATE OR REPLACE FUNCTION millrace.explain_mailbox(p_job_id uuid)
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := millrace.require_caller();
begin
  return array(
    select m.kind from public.jobs j join public.job_inbox m on m.job_id = j.id
    where j.id = p_job_id and (v_user_id is null or j.user_id = v_user_id)
    order by m.id limit 20);
end;
$function$;
grant execute on function millrace.explain_mailbox(p_job_id uuid) to authenticated;
grant execute on function millrace.explain_mailbox(p_job_id uuid) to service_role;
comment on function millrace.explain_mailbox(p_job_id uuid) is 'The kinds of the first 20 unread messages of a job of the caller''s.';

CREATE OR REPLACE FUNCTION millrace.explain_outage(p_job public.jobs)
 RETURNS millrace.explanation
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_platform record;
  v_due text := 'the job has been due since ' || millrace.say_time(p_job.next_run_at, v_now);
  v_details jsonb;
begin
  select * into strict v_platform from millrace.explain_platform();
  if p_job.next_run_at > v_now - interval '10 seconds'
    or v_platform.last_turn_at > v_now - interval '10 seconds' then
    return null;
  end if;
  v_details := jsonb_build_object('due_since', p_job.next_run_at,
    'last_tick_at', v_platform.last_tick_at, 'last_turn_at', v_platform.last_turn_at);
  if v_platform.missing_secrets <> '{}' then
    return millrace.explained('not_configured',
      format('The database cannot call workflow-orchestrator without the %s %s, and %s',
        case cardinality(v_platform.missing_secrets) when 1 then 'Vault secret' else 'Vault secrets' end,
        array_to_string(v_platform.missing_secrets, ' and '), v_due),
      'Set them by SQL: ' || (
        select string_agg(format('select vault.create_secret(<value>, ''%s'')', name), '; ')
        from unnest(v_platform.missing_secrets) as name),
      v_details || jsonb_build_object('missing_secrets', v_platform.missing_secrets));
  elsif v_platform.tick_is_missing then
    return millrace.explained('cron_stopped',
      format('No tick has come %s: pg_cron does not run, and %s',
        case when v_platform.last_tick_at is null then 'since the database started'
          else format('for %s (since %s)', millrace.say_duration(v_now - v_platform.last_tick_at),
            millrace.say_clock(v_platform.last_tick_at)) end,
        v_due),
      'Enable pg_cron and look at its job ''millrace-tick'' in cron.job and cron.job_run_details',
      v_details);
  elsif v_platform.kick_problem is not null then
    return millrace.explained('orchestrator_unreachable',
      format('The database called workflow-orchestrator, which %s; %s', v_platform.kick_problem, v_due),
      'Deploy workflow-orchestrator, and check its logs and the Vault secrets millrace_project_url and millrace_secret_key',
      v_details || jsonb_build_object('problem', v_platform.kick_problem));
  end if;
  return null;
end;
$function$;
grant execute on function millrace.explain_outage(p_job public.jobs) to authenticated;
grant execute on function millrace.explain_outage(p_job public.jobs) to service_role;
comment on function millrace.explain_outage(p_job public.jobs) is 'What keeps the platform from taking up a due job: not_configured, cron_stopped, orchestrator_unreachable; null for nothing.';

CREATE OR REPLACE FUNCTION millrace.explain_pause(p_job public.jobs)
 RETURNS millrace.explanation
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_since timestamptz := (
    select max((entry ->> 'at')::timestamptz)
    from jsonb_array_elements(p_job.state_history) as entry where entry ->> 'to' = 'paused');
begin
  return millrace.explained('paused',
    'Job is paused' || coalesce(' since ' || millrace.say_time(v_since, millrace.now()), '')
      || case when p_job.open_children > 0
        then ', with ' || millrace.say_count(p_job.open_children, 'open child', 'open children')
        else '' end,
    format('Resume it at POST /jobs/%s/resume, or cancel it at POST /jobs/%s/cancel',
      p_job.id, p_job.id),
    jsonb_build_object('since', v_since, 'open_children', p_job.open_children,
      'held_slots', coalesce(to_jsonb(p_job.held_slots), '[]')));
end;
$function$;
grant execute on function millrace.explain_pause(p_job public.jobs) to authenticated;
grant execute on function millrace.explain_pause(p_job public.jobs) to service_role;
comment on function millrace.explain_pause(p_job public.jobs) is 'paused.';

CREATE OR REPLACE FUNCTION millrace.explain_pending(p_job public.jobs)
 RETURNS millrace.explanation
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_slot record;
begin
  if p_job.wanted_slot is not null then
    select * into strict v_slot from millrace.explain_slot(p_job.id);
    return millrace.explained('waits_for_slot',
      format('Job waits for a slot of ''%s'': %s of %s running, %s before it',
        p_job.wanted_slot, coalesce(v_slot.in_use, 0), coalesce(v_slot.capacity, 0),
        millrace.say_count(v_slot.jobs_before, 'job', 'jobs')),
      'Nothing to do: it starts when those before it have ended; for more at a time raise the limit ('
        || case when p_job.wanted_slot = p_job.slot_key then 'max_concurrency of the map'
          else 'concurrency.max_running of the workflow' end || ')',
      jsonb_build_object('slot', p_job.wanted_slot, 'in_use', coalesce(v_slot.in_use, 0),
        'capacity', coalesce(v_slot.capacity, 0), 'jobs_before', v_slot.jobs_before));
  elsif p_job.next_run_at <= v_now then
    return millrace.explain_due(p_job);
  elsif p_job.state ? 'not_before' then
    return millrace.explained('waits_for_rate_limit',
      format('Job waits for its turn in the rate limit of workflow ''%s'' and starts at %s',
        p_job.workflow_id, millrace.say_time(p_job.next_run_at, v_now)),
      'Nothing to do: it starts by itself; for more starts raise rate_limit.max_starts of the workflow',
      jsonb_build_object('starts_at', p_job.next_run_at));
  elsif p_job.next_run_at is not null then
    return millrace.explained('scheduled',
      format('Job is scheduled to start at %s', millrace.say_time(p_job.next_run_at, v_now)),
      'Nothing to do: it starts by itself', jsonb_build_object('starts_at', p_job.next_run_at));
  end if;
  return millrace.explained('unknown', 'Job is pending with no time at which it is looked at and no slot to wait for',
    'Report this: it is a fault of the engine', '{}'::jsonb);
end;
$function$;
grant execute on function millrace.explain_pending(p_job public.jobs) to authenticated;
grant execute on function millrace.explain_pending(p_job public.jobs) to service_role;
comment on function millrace.explain_pending(p_job public.jobs) is 'waits_for_slot, waits_for_rate_limit, scheduled, or what explain_due says of a due job.';

CREATE OR REPLACE FUNCTION millrace.explain_platform(OUT last_turn_at timestamp with time zone, OUT last_tick_at timestamp with time zone, OUT tick_is_missing boolean, OUT missing_secrets text[], OUT kick_problem text)
 RETURNS record
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  select s.missing_secrets, s.last_tick_at, s.kick_problem
  into missing_secrets, last_tick_at, kick_problem
  from millrace.platform_state() as s;
  select max(o.last_turn_at) into last_turn_at from public.orchestrators o;
  select coalesce(last_tick_at, '-infinity')
    < millrace.now() - make_interval(secs => s.alert_tick_seconds)
  into tick_is_missing from millrace.settings s;
end;
$function$;
grant execute on function millrace.explain_platform(OUT last_turn_at timestamp with time zone, OUT last_tick_at timestamp with time zone, OUT tick_is_missing boolean, OUT missing_secrets text[], OUT kick_problem text) to authenticated;
grant execute on function millrace.explain_platform(OUT last_turn_at timestamp with time zone, OUT last_tick_at timestamp with time zone, OUT tick_is_missing boolean, OUT missing_secrets text[], OUT kick_problem text) to service_role;
comment on function millrace.explain_platform(OUT last_turn_at timestamp with time zone, OUT last_tick_at timestamp with time zone, OUT tick_is_missing boolean, OUT missing_secrets text[], OUT kick_problem text) is 'Signs of life: the last turn of any orchestrator and the last tick; names of Vault secrets that are not set; what was wrong with the last kick.';

CREATE OR REPLACE FUNCTION millrace.explain_queue(p_job_id uuid)
 RETURNS integer
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_user_id uuid := millrace.require_caller();
  v_job public.jobs;
  v_level integer;
  v_before integer := 0;
begin
  select j.* into v_job from public.jobs j
  where j.id = p_job_id and (v_user_id is null or j.user_id = v_user_id);
  if not found then
    return null;
  end if;
  for v_level in v_job.priority..9 loop
    v_before := v_before + (
      select count(*) from (
        select from public.jobs other
        where other.priority = v_level and other.queue_place is null and other.next_run_at <= v_now
          and (v_level > v_job.priority or v_job.queue_place is not null
            or other.next_run_at < v_job.next_run_at)
        limit 10000) as timed) + (
      select count(*) from (
        select from public.jobs other
        where other.priority = v_level and other.queue_place is not null
          and (v_level > v_job.priority or other.queue_place < v_job.queue_place)
        limit 10000) as queued);
  end loop;
  return v_before;
end;
$function$;
grant execute on function millrace.explain_queue(p_job_id uuid) to authenticated;
grant execute on function millrace.explain_queue(p_job_id uuid) to service_role;
comment on function millrace.explain_queue(p_job_id uuid) is 'How many due jobs are taken before this due one of the caller''s, roughly; of each priority at most 10000 of either queue are counted.';

CREATE OR REPLACE FUNCTION millrace.explain_retry(p_job public.jobs)
 RETURNS millrace.explanation
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_again text := format('step ''%s'' is tried again at %s', p_job.current_step_id,
    millrace.say_time(p_job.next_retry_at, v_now));
  v_details jsonb := jsonb_build_object('retries_at', p_job.next_retry_at,
    'retry_count', p_job.retry_count, 'error', p_job.error);
begin
  if p_job.error ->> 'code' in ('executor_unreachable', 'executor_crashed') then
    return millrace.explained('executor_failing',
      format('%s; %s', p_job.error_message, v_again),
      case p_job.error ->> 'code'
        when 'executor_crashed' then format('Look at the logs of the %s: it was killed or lost while it worked', millrace.say_executor(p_job.id))
        else format('Deploy the %s and check its logs', millrace.say_executor(p_job.id)) end,
      v_details || jsonb_build_object('executor', millrace.explain_executor(p_job.id)));
  end if;
  return millrace.explained('waits_for_retry',
    format('Step ''%s'' failed with %s (%s) and is tried again at %s', p_job.current_step_id,
      p_job.error ->> 'code', p_job.error_message, millrace.say_time(p_job.next_retry_at, v_now)),
    'Nothing to do: it is tried again by itself', v_details);
end;
$function$;
grant execute on function millrace.explain_retry(p_job public.jobs) to authenticated;
grant execute on function millrace.explain_retry(p_job public.jobs) to service_role;
comment on function millrace.explain_retry(p_job public.jobs) is 'waits_for_retry or executor_failing.';

CREATE OR REPLACE FUNCTION millrace.explain_slot(p_job_id uuid, OUT capacity integer, OUT in_use integer, OUT jobs_before integer)
 RETURNS record
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := millrace.require_caller();
begin
  select s.capacity, s.in_use, (
    select count(*) from (
      select from public.jobs other
      where other.wanted_slot = j.wanted_slot and (other.priority > j.priority
        or (other.priority = j.priority
          and (other.created_at, coalesce(other.item_index, 0)) < (j.created_at, coalesce(j.item_index, 0))))
      limit 10000
    ) as before)
  into capacity, in_use, jobs_before
  from public.jobs j
  left join millrace.slots s on s.key = j.wanted_slot
  where j.id = p_job_id and (v_user_id is null or j.user_id = v_user_id);
end;
$function$;
grant execute on function millrace.explain_slot(p_job_id uuid, OUT capacity integer, OUT in_use integer, OUT jobs_before integer) to authenticated;
grant execute on function millrace.explain_slot(p_job_id uuid, OUT capacity integer, OUT in_use integer, OUT jobs_before integer) to service_role;
comment on function millrace.explain_slot(p_job_id uuid, OUT capacity integer, OUT in_use integer, OUT jobs_before integer) is 'The slots of the key that a job of the caller''s waits for, and how many jobs (up to 10000) are to get one before it.';

CREATE OR REPLACE FUNCTION millrace.explain_waiting(p_job public.jobs, p_level integer)
 RETURNS millrace.explanation
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_waiting jsonb := p_job.state -> 'waiting';
  v_until timestamptz := (v_waiting ->> 'until')::timestamptz;
  v_until_text text := coalesce('until ' || millrace.say_time(v_until, v_now),
    'for as long as it takes');
begin
  if p_job.next_run_at <= v_now then
    return millrace.explain_due(p_job);
  end if;
  case v_waiting ->> 'kind'
    when 'timer' then
      return millrace.explained('waits_for_timer',
        format('Step ''%s'' waits %s', p_job.current_step_id, v_until_text),
        'Nothing to do: it goes on by itself', jsonb_build_object('until', v_until));
    when 'callback' then
      return millrace.explained('waits_for_callback',
        format('Step ''%s'' (attempt %s) was accepted by its executor and waits for its callback %s',
          p_job.current_step_id, coalesce(p_job.state ->> 'attempt', '1'), v_until_text),
        'Finish it with the token of its task: complete_step() or fail_step()',
        jsonb_build_object('until', v_until));
    when 'event' then
      return millrace.explain_event(p_job, v_until_text);
    when 'approval' then
      return millrace.explain_approval(p_job, v_until_text);
    when 'children' then
      return millrace.explain_children(p_job, p_level);
    else
      return millrace.explained('waits_for_start',
        format('Step ''%s'' starts a job of its own', p_job.current_step_id),
        'Nothing to do: an orchestrator takes it up within moments', '{}'::jsonb);
  end case;
end;
$function$;
grant execute on function millrace.explain_waiting(p_job public.jobs, p_level integer) to authenticated;
grant execute on function millrace.explain_waiting(p_job public.jobs, p_level integer) to service_role;
comment on function millrace.explain_waiting(p_job public.jobs, p_level integer) is 'waits_for_timer, waits_for_callback, waits_for_event, waits_for_approval or waits_for_children.';

CREATE OR REPLACE FUNCTION millrace.explained(p_reason text, p_explanation text, p_action text, p_details jsonb)
 RETURNS millrace.explanation
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$ select p_reason, p_explanation, p_action, p_details $function$;
grant execute on function millrace.explained(p_reason text, p_explanation text, p_action text, p_details jsonb) to authenticated;
grant execute on function millrace.explained(p_reason text, p_explanation text, p_action text, p_details jsonb) to service_role;
comment on function millrace.explained(p_reason text, p_explanation text, p_action text, p_details jsonb) is 'An explanation of these parts.';

CREATE OR REPLACE FUNCTION millrace.fitting_jobs(p_job_ids uuid[])
 RETURNS uuid[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_fitting uuid[] := '{}';
  v_parents uuid[] := '{}';
  v_bytes bigint := 0;
  v_job record;
begin
  if cardinality(p_job_ids) = 1 then
    return p_job_ids;
  end if;
  for v_job in
    select listed.id, j.parent_id,
      coalesce(octet_length(j.input_data::text), 0) + octet_length(j.step_data::text)
        + coalesce(octet_length(j.item::text), 0)
        -- Whoever was never claimed has been sent wishes at most.
        + case when j.version > 0
            and exists (select from public.job_inbox m where m.job_id = listed.id)
          then millrace.mailbox_bytes(listed.id) else 0 end
        + case when j.open_children = 0 and j.state #>> '{waiting,kind}' = 'children' then
            millrace.child_results_bytes(listed.id, j.current_step_id,
              coalesce((j.state ->> 'visit')::integer, 1))
          else 0 end as bytes
    from unnest(p_job_ids) as listed (id)
    cross join lateral (
      select jobs.input_data, jobs.step_data, jobs.item, jobs.state, jobs.open_children,
        jobs.version, jobs.current_step_id, case when jobs.branch is not null then jobs.parent_job_id end as parent_id
      from public.jobs where jobs.id = listed.id offset 0
    ) as j
  loop
    -- With a branch comes its scope, once for all siblings.
    if v_job.parent_id is not null and v_job.parent_id <> all (v_parents) then
      v_parents := v_parents || v_job.parent_id;
      v_bytes := v_bytes + (
        select coalesce(octet_length(p.input_data::text), 0) + octet_length(p.step_data::text)
        from public.jobs p where p.id = v_job.parent_id);
    end if;
    v_bytes := v_bytes + v_job.bytes;
    exit when v_bytes > 16777216 and v_fitting <> '{}';
    v_fitting := v_fitting || v_job.id;
  end loop;
  return v_fitting;
end;
$function$;
grant execute on function millrace.fitting_jobs(p_job_ids uuid[]) to service_role;
comment on function millrace.fitting_jobs(p_job_ids uuid[]) is 'The first of these jobs that together are at most about 16 MiB as text, at least one.';

CREATE OR REPLACE FUNCTION millrace.form_problems(p_place text, p_step jsonb)
 RETURNS TABLE(place text, fault text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return query
    select p_place || '.choices', 'must be a list of 1 to 100 choices'
    where p_step ->> 'type' = 'choice' and p_step ? 'choices'
      and case when jsonb_typeof(p_step -> 'choices') = 'array'
        then jsonb_array_length(p_step -> 'choices') not between 1 and 100 else true end
    union all
    select problem.place, problem.fault
    from jsonb_array_elements(case when p_step ->> 'type' = 'choice'
      and jsonb_typeof(p_step -> 'choices') = 'array' then p_step -> 'choices' end)
      with ordinality as choice (value, position)
    cross join lateral (
      select format('%s.choices[%s]', p_place, choice.position - 1) as place
    ) as choice_place
    cross join lateral (
      select choice_place.place, 'must be an object' as fault
      where jsonb_typeof(choice.value) <> 'object'
      union all
      select keys.place, keys.fault
      from millrace.key_problems('choice', choice_place.place,
        case when jsonb_typeof(choice.value) = 'object' then choice.value end) as keys
      where jsonb_typeof(choice.value) = 'object'
    ) as problem
    union all
    select p_place, 'must have one of ''seconds'' and ''until'''
    where p_step ->> 'type' = 'wait' and (p_step ? 'seconds') = (p_step ? 'until')
    union all
    select p_place, 'must have exactly one of ''transformer_id'', ''branch'' and ''workflow_id'''
    where p_step ->> 'type' = 'map'
      and (select count(*) from unnest('{transformer_id,branch,workflow_id}'::text[]) as key
        where p_step ? key) <> 1
    union all
    select millrace.place_within(p_place, needs.key), 'needs ' || needs.bodies_text
    from (
      values
        ('input_map', '{transformer_id,workflow_id}'::text[], '''transformer_id'' or ''workflow_id'''),
        ('config', '{transformer_id}', '''transformer_id'''),
        ('retry', '{transformer_id}', '''transformer_id'''),
        ('item_timeout_seconds', '{transformer_id}', '''transformer_id'''),
        ('version', '{workflow_id}', '''workflow_id''')
    ) as needs (key, bodies, bodies_text)
    where p_step ->> 'type' = 'map' and p_step ? needs.key and not p_step ?| needs.bodies;
end;
$function$;
grant execute on function millrace.form_problems(p_place text, p_step jsonb) to service_role;
comment on function millrace.form_problems(p_place text, p_step jsonb) is 'Keys of a choice, a wait or a map that do not go together: (place, fault) rows.';

CREATE OR REPLACE FUNCTION millrace.free_slots(p_job_ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
grant execute on function millrace.free_slots(p_job_ids uuid[]) to service_role;
comment on function millrace.free_slots(p_job_ids uuid[]) is 'Takes the slots of jobs that have ended and gives them to those that wait.';

CREATE OR REPLACE FUNCTION millrace.grant_slots(p_keys text[])
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
grant execute on function millrace.grant_slots(p_keys text[]) to service_role;
comment on function millrace.grant_slots(p_keys text[]) is 'Gives free slots of these keys to the jobs that wait for them, by priority and age, makes those due, and answers how many.';

CREATE OR REPLACE FUNCTION millrace.graph_problems(p_workflow_id text, p_place text, p_depth integer, p_graph jsonb)
 RETURNS TABLE(place text, fault text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_steps jsonb := p_graph -> 'steps';
  v_steps_place text := millrace.place_within(p_place, 'steps');
  v_start_place text := millrace.place_within(p_place, 'start_step');
begin
  if jsonb_typeof(p_graph) <> 'object' then
    return query select p_place, 'must be an object';
    return;
  end if;
  return query
    select problem.place, problem.fault
    from millrace.key_problems(case p_depth when 0 then 'definition' else 'branch' end, p_place,
      p_graph) as problem;
  if jsonb_typeof(v_steps) is distinct from 'object' or v_steps = '{}' then
    return query select v_steps_place, 'must be an object with at least one step';
    return;
  end if;
  return query
    select problem.place, problem.fault
    from millrace.target_problems(v_steps, v_start_place, p_graph -> 'start_step') as problem
    union all
    select problem.place, problem.fault
    from millrace.on_error_targets('on_error', p_graph -> 'on_error') as handler
    cross join lateral millrace.target_problems(v_steps, handler.place, handler.target) as problem
    where p_depth = 0;
  return query
    select problem.place, problem.fault
    from jsonb_each(v_steps) as step
    cross join lateral millrace.step_problems(p_workflow_id, v_steps,
      millrace.place_within(v_steps_place, step.key), step.key, step.value) as problem
    union all
    select millrace.place_within(v_steps_place, step.key),
      'must not start jobs of its own: branches nest at most 10 deep'
    from jsonb_each(v_steps) as step
    where p_depth >= 10 and (step.value ->> 'type' in ('parallel', 'map')
      or (step.value ->> 'type' = 'workflow' and step.value -> 'detached' is distinct from 'true'))
    union all
    select millrace.place_within(v_steps_place, id), 'no step leads here'
    from millrace.unreachable_steps(p_graph) as id
    where v_steps ? (p_graph ->> 'start_step')
    union all
    select millrace.place_within(v_steps_place, id),
      'must lead to a wait, a task or an end: it goes in circles'
    from millrace.restless_steps(p_graph) as id;
end;
$function$;
grant execute on function millrace.graph_problems(p_workflow_id text, p_place text, p_depth integer, p_graph jsonb) to service_role;
comment on function millrace.graph_problems(p_workflow_id text, p_place text, p_depth integer, p_graph jsonb) is 'What is structurally wrong with the steps of a definition or a branch: (place, fault) rows.';

CREATE OR REPLACE FUNCTION millrace.hold_failures_back(p_commits millrace.job_commit[])
 RETURNS millrace.job_commit[]
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return array(
    select case when c.force and c.status = 'failed' and j.open_children > 0
        then jsonb_populate_record(c, jsonb_build_object('status', 'waiting',
          'awaits_children', true, 'next_run_at', null, 'error', null,
          'state', c.state || jsonb_build_object('ending',
            jsonb_build_object('status', c.status, 'error', c.error))))
        else c end
    from unnest(p_commits) as c
    left join lateral (
      select jobs.open_children from public.jobs where jobs.id = c.job_id offset 0
    ) as j on true);
end;
$function$;
grant execute on function millrace.hold_failures_back(p_commits millrace.job_commit[]) to service_role;
comment on function millrace.hold_failures_back(p_commits millrace.job_commit[]) is 'The commits, in which forced failures of jobs with open children wait for these.';

CREATE OR REPLACE FUNCTION millrace.insert_children(p_spawns millrace.spawn[], p_token uuid, p_lease interval, p_now timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
begin
  insert into public.jobs (id, user_id, workflow_id, workflow_version, current_step_id, input_data,
    max_retries, priority, trace_id, deadline_at, parent_job_id, parent_step_id, parent_visit,
    root_job_id, depth, branch, item, item_index, slot_key, wanted_slot, held_slots,
    inherited_slots, queue_place, next_run_at, status, lease_token, version, created_at,
    started_at, last_updated_at, state_history)
  with family as materialized (
    select s.position, s.max_running, s.lease, s.workflow_id is not null as is_whole, p.*,
      -- Where the caller has begun with them before this commit, which is never after it.
      least(s.at, p_now) as at,
      case when not s.detached then s.job_id end as parent_id,
      case when not s.detached then s.step_id end as step_id,
      case when not s.detached then s.visit end as visit,
      coalesce(v.workflow_id, p.own_workflow_id) as workflow_id,
      coalesce(v.version, p.own_version) as workflow_version, v.start_step,
      p_now + make_interval(secs => v.timeout_seconds) as deadline_at,
      case when s.max_running > 0 and s.max_running < jsonb_array_length(s.children)
        then millrace.map_slot(s.job_id, s.step_id, s.visit) end as slot_key,
      -- As next_queue_place() says.
      case when not s.lease then coalesce(
          (select j.queue_place from public.jobs j
            where j.user_id = p.user_id and j.priority = p.priority and j.queue_place is not null
            order by j.queue_place desc limit 1) + 1,
          (select j.queue_place from public.jobs j
            where j.priority = p.priority and j.queue_place is not null
            order by j.queue_place limit 1), 0)
        + coalesce(sum(jsonb_array_length(s.children)) over (partition by p.user_id, p.priority
          order by s.position rows between unbounded preceding and 1 preceding), 0) end as place
    from unnest(p_spawns) with ordinality as s (job_id, step_id, visit, max_running, lease, detached,
      workflow_id, workflow_version, at, children, position)
    cross join lateral (
      select j.user_id, j.priority, j.max_retries, j.trace_id, j.workflow_id as own_workflow_id,
        j.workflow_version as own_version,
        case when not s.detached then coalesce(j.root_job_id, j.id) end as root_id,
        case when s.detached then 0 else j.depth + 1 end as depth,
        case when not s.detached then
          nullif(coalesce(j.held_slots, '{}') || coalesce(j.inherited_slots, '{}'), '{}')
        end as slots
      from public.jobs j where j.id = s.job_id offset 0
    ) as p
    left join lateral (
      select w.workflow_id, w.version, w.start_step,
        millrace.timeout_of(w.definition) as timeout_seconds
      from public.workflow_versions w
      where w.workflow_id = s.workflow_id and w.version = coalesce(s.workflow_version, (
        select c.version from public.workflows c where c.id = s.workflow_id))
      offset 0
    ) as v on true
  )
  select coalesce((c.value ->> 'id')::uuid, gen_random_uuid()), f.user_id, f.workflow_id,
    f.workflow_version, coalesce(c.value ->> 'start_step', f.start_step),
    case when f.is_whole then c.value -> 'input' end, f.max_retries, f.priority, f.trace_id,
    f.deadline_at, f.parent_id, f.step_id, f.visit, f.root_id, f.depth, c.value ->> 'branch',
    c.value -> 'item', case when f.parent_id is not null then (c.value ->> 'index')::integer end,
    f.slot_key, case when c.number > f.max_running then f.slot_key end,
    case when f.slot_key is not null and c.number <= f.max_running then array[f.slot_key] end,
    f.slots,
    case when f.slot_key is null or c.number <= f.max_running then f.place + c.number - 1 end,
    case when f.lease then p_now + p_lease
      when f.slot_key is null or c.number <= f.max_running then p_now else f.deadline_at end,
    case when f.lease then 'running' else 'pending' end, case when f.lease then p_token end,
    -- As a claim counts.
    case when f.lease then 2 else 0 end, f.at, case when f.lease then f.at end, p_now,
    jsonb_build_array(jsonb_build_object('from', null, 'to', 'pending', 'at', f.at))
      || case when f.lease then jsonb_build_array(
        jsonb_build_object('from', 'pending', 'to', 'running', 'at', f.at)) else '[]' end
  from family f
  cross join lateral jsonb_array_elements((p_spawns[f.position]).children)
    with ordinality as c (value, number)
  -- What nobody waits for has been started before where there is such a job. Any other child is
  -- counted, so that an id that is taken must fail the commit, by the primary key.
  where f.parent_id is not null or c.value -> 'id' is null
    -- Without offset 0 the planner might read all jobs for a hash table.
    or not exists (select from public.jobs j where j.id = (c.value ->> 'id')::uuid offset 0);
end;
$function$;
grant execute on function millrace.insert_children(p_spawns millrace.spawn[], p_token uuid, p_lease interval, p_now timestamp with time zone) to service_role;
comment on function millrace.insert_children(p_spawns millrace.spawn[], p_token uuid, p_lease interval, p_now timestamp with time zone) is 'Inserts the children of spawns that nothing speaks against; a detached one that exists already was started before.';

CREATE OR REPLACE FUNCTION millrace.is_within(p_job_id uuid, p_ancestor_id uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
  with recursive line as (
    select j.id, j.parent_job_id from public.jobs j where j.id = p_job_id
    union all
    select j.id, j.parent_job_id from line join public.jobs j on j.id = line.parent_job_id
  )
  select exists (select from line where line.id = p_ancestor_id)
$function$;
grant execute on function millrace.is_within(p_job_id uuid, p_ancestor_id uuid) to service_role;
comment on function millrace.is_within(p_job_id uuid, p_ancestor_id uuid) is 'Whether a job is this one or a job below it.';

CREATE OR REPLACE FUNCTION millrace.job_alerts()
 RETURNS SETOF millrace.alert
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_from timestamptz := v_now - interval '1 hour';
  v_settings millrace.settings;
begin
  select s.* into strict v_settings from millrace.settings s;
  return query
  select case when m.failure_rate >= 0.5 then 'critical' else 'warning' end, 'failure_rate',
    m.workflow_id,
    format('%s of the %s jobs of workflow ''%s'' that ended in the last hour failed: look at failure_metrics for the steps and codes',
      m.failed, m.ended, m.workflow_id),
    m.failure_rate, v_settings.alert_failure_rate,
    (select min(j.completed_at) from public.jobs j
      where j.completed_at >= v_from and j.completed_at <= v_now
        and j.workflow_id = m.workflow_id and j.status = 'failed' and j.branch is null)
  from millrace.measure_jobs(v_from, v_now) as m
  where m.failed >= v_settings.alert_failed_jobs and m.failure_rate >= v_settings.alert_failure_rate;

  return query
  select 'critical', 'configuration',
    concat_ws('.', f.workflow_id, f.branch, f.step_id),
    format('%s%s failed with %s in the last hour: %s',
      coalesce('Step ''' || concat_ws('.', f.branch, f.step_id) || ''' of ', ''),
      'workflow ''' || f.workflow_id || '''',
      f.error_code, advice.text),
    greatest(f.failed_attempts, f.failed_jobs)::double precision, 1::double precision,
    f.first_failed_at
  from millrace.measure_failures(v_from, v_now) as f
  join (values
    ('config_invalid', 'correct the config of the step or its transformer'),
    ('secret_missing', 'set the environment variable that the job''s error names with supabase secrets set'),
    ('transformer_not_found', 'insert the transformer or correct the step''s transformer_id'),
    ('definition_invalid', 'correct the definition, the job''s error names the place'),
    ('executor_unreachable', 'deploy the transformer''s target_function and check its logs')
  ) as advice (code, text) on advice.code = f.error_code;
end;
$function$;
grant execute on function millrace.job_alerts() to service_role;
comment on function millrace.job_alerts() is 'Alerts failure_rate (by workflow) and configuration (by workflow and step) of the last hour.';

CREATE OR REPLACE FUNCTION millrace.jobs_that_are_to(p_kind text)
 RETURNS uuid[]
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := millrace.require_caller();
begin
  return array(
    select m.job_id from public.job_inbox m
    join public.jobs j on j.id = m.job_id
    where m.kind = p_kind and m.kind in ('pause', 'resume')
      and (v_user_id is null or j.user_id = v_user_id));
end;
$function$;
grant execute on function millrace.jobs_that_are_to(p_kind text) to authenticated;
grant execute on function millrace.jobs_that_are_to(p_kind text) to service_role;
comment on function millrace.jobs_that_are_to(p_kind text) is 'The caller''s jobs (the service role: everybody''s) with an unread wish to pause or to resume.';

CREATE OR REPLACE FUNCTION millrace.json_bytes(p_value jsonb)
 RETURNS integer
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  if pg_column_size(p_value) > 512 and jsonb_path_exists(p_value,
    'strict $.** ? (@.type() == "number" && (@ >= 1e309 || @ <= -1e309
      || (@ > -1e-400 && @ < 1e-400 && @ != 0)))') then
    return 2147483647;
  end if;
  return octet_length(p_value::text);
end;
$function$;
grant execute on function millrace.json_bytes(p_value jsonb) to authenticated;
grant execute on function millrace.json_bytes(p_value jsonb) to service_role;
comment on function millrace.json_bytes(p_value jsonb) is 'The size of a value as text, in bytes; 2147483647 for one with numbers that are hundreds of digits long.';

CREATE OR REPLACE FUNCTION millrace.keep_workflow_version()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  insert into public.workflow_versions (workflow_id, version, definition)
  values (new.id, new.version, new.definition)
  on conflict on constraint workflow_versions_pk do nothing;
  return null;
end;
$function$;
comment on function millrace.keep_workflow_version() is 'Keeps each version of a definition.';

CREATE OR REPLACE FUNCTION millrace.key_problems(p_kind text, p_place text, p_object jsonb)
 RETURNS TABLE(place text, fault text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return query
    with known as (
      select keys.required, keys.required || keys.optional || case
        when p_kind like 'step %' then '{type,title,description,when,next_step}'::text[]
        when p_kind like 'validate %' then '{type,next_step_on_pass,next_step_on_fail}'
        else '{}'
      end as allowed
      from millrace.object_keys() as keys
      where keys.kind = p_kind
    )
    select millrace.place_within(p_place, key), 'unknown key'
    from known
    cross join lateral jsonb_object_keys(p_object) as key
    where key <> all (known.allowed)
    union all
    select millrace.place_within(p_place, key), 'is required'
    from known
    cross join lateral unnest(known.required) as key
    where not p_object ? key;
end;
$function$;
grant execute on function millrace.key_problems(p_kind text, p_place text, p_object jsonb) to service_role;
comment on function millrace.key_problems(p_kind text, p_place text, p_object jsonb) is 'Keys that an object of a definition lacks or must not have: (place, fault) rows.';

CREATE OR REPLACE FUNCTION millrace.kick_after_insert()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;
comment on function millrace.kick_after_insert() is 'Kicks an orchestrator, with the trigger''s argument as the reason, unless the transaction set millrace.kick to caller.';

CREATE OR REPLACE FUNCTION millrace.kick_needed()
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_recently timestamptz := millrace.now() - interval '25 milliseconds';
begin
  return not exists (
    select from public.orchestrators o
    where o.last_turn_at > v_recently and o.last_batch >= 8 and o.free_slots > 0);
end;
$function$;
grant execute on function millrace.kick_needed() to authenticated;
grant execute on function millrace.kick_needed() to service_role;
comment on function millrace.kick_needed() is 'Whether a new due job needs a kick, or an orchestrator is bound to look within milliseconds.';

CREATE OR REPLACE FUNCTION millrace.lease_jobs(p_lease_token uuid, p_limit integer, p_lease_seconds integer)
 RETURNS uuid[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_ids uuid[];
begin
  perform millrace.queue_due_jobs(v_now);
  v_ids := millrace.due_jobs(p_limit, v_now);
  if v_ids = '{}' then
    return v_ids;
  end if;
  v_ids := millrace.fitting_jobs(v_ids);

  update public.jobs j
  set status = 'running',
      lease_token = p_lease_token,
      next_run_at = v_now + make_interval(secs => p_lease_seconds),
      queue_place = null,
      -- Whoever still needs it asks again.
      wanted_slot = null,
      wake_requested = false,
      -- A commit counts one: the two cannot be mistaken for each other by a run that claims again
      -- what it has lost, and then sends what it had decided before.
      version = j.version + 2,
      -- Running and due means that a lease ran out: what its owner had started starts again.
      -- Bounded, as an overflow would fail the claim of every other job with it.
      redeliveries = case when j.status = 'running'
        then least(j.redeliveries + 1, 32767) else j.redeliveries end,
      started_at = coalesce(j.started_at, v_now),
      -- Still to come: a message has woken the job, and its retry is not to be made early for it.
      next_retry_at = case when j.next_retry_at > v_now then j.next_retry_at end,
      current_step_id = coalesce(j.current_step_id, (
        select v.start_step from public.workflow_versions v
        where v.workflow_id = j.workflow_id and v.version = j.workflow_version)),
      last_updated_at = v_now
  where j.id = any (v_ids);
  return v_ids;
end;
$function$;
grant execute on function millrace.lease_jobs(p_lease_token uuid, p_limit integer, p_lease_seconds integer) to service_role;
comment on function millrace.lease_jobs(p_lease_token uuid, p_limit integer, p_lease_seconds integer) is 'Leases up to p_limit due jobs, and no more than 16 MiB of them, to p_lease_token for p_lease_seconds.';

CREATE OR REPLACE FUNCTION millrace.limit_problems(p_definition jsonb)
 RETURNS TABLE(place text, fault text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return query
    select key, 'must be an object'
    from unnest('{concurrency,rate_limit}'::text[]) as key
    where jsonb_typeof(p_definition -> key) <> 'object'
    union all
    select problem.place, problem.fault
    from unnest('{concurrency,rate_limit}'::text[]) as key
    cross join lateral millrace.key_problems(key, key,
      case when jsonb_typeof(p_definition -> key) = 'object' then p_definition -> key end) as problem
    where p_definition ? key
    union all
    select format('%s.%s', bound.outer_key, bound.key),
      format('must be %s from 1 to %s', case when bound.whole then 'an integer' else 'a number' end,
        bound.most)
    from (
      values ('concurrency', 'max_running', true, 100000), ('rate_limit', 'max_starts', true, 10000),
        ('rate_limit', 'per_seconds', false, 2678400)
    ) as bound (outer_key, key, whole, most)
    cross join lateral (select p_definition -> bound.outer_key -> bound.key as given) as value
    where value.given is not null and case when jsonb_typeof(value.given) = 'number'
      then value.given::numeric not between 1 and bound.most
        or (bound.whole and value.given::numeric <> trunc(value.given::numeric))
      else true end;
end;
$function$;
grant execute on function millrace.limit_problems(p_definition jsonb) to service_role;
comment on function millrace.limit_problems(p_definition jsonb) is 'What is wrong with the limits of a definition: (place, fault) rows.';

CREATE OR REPLACE FUNCTION millrace.lock_jobs_of(p_commits jsonb[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
declare
  v_ids uuid[] := array(
    select (c.value ->> 'job_id')::uuid
    from unnest(p_commits) as listed (value)
    cross join jsonb_array_elements(listed.value -> 'jobs') as c);
  v_parents uuid[];
  v_children uuid[] := array(
    select child.id from unnest(p_commits) as listed (value)
    cross join unnest(millrace.addressed_children(millrace.with_forced_cancels(listed.value)))
      as child (id));
begin
  v_parents := array(
    select j.parent_job_id from public.jobs j
    where j.id = any (v_ids) and j.parent_job_id is not null);
  perform from public.jobs j where j.id = any (v_ids || v_parents || v_children)
  order by j.id for update;
end;
$function$;
grant execute on function millrace.lock_jobs_of(p_commits jsonb[]) to service_role;
comment on function millrace.lock_jobs_of(p_commits jsonb[]) is 'Locks the jobs of these commits, their parents and the children that are addressed, in order.';

CREATE OR REPLACE FUNCTION millrace.lock_slots(p_keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
begin
  perform from millrace.slots s where s.key = any (p_keys) order by s.key for update;
end;
$function$;
grant execute on function millrace.lock_slots(p_keys text[]) to service_role;
comment on function millrace.lock_slots(p_keys text[]) is 'Locks slots in the order of their keys.';

CREATE OR REPLACE FUNCTION millrace.lock_slots_of_commit(p_commits millrace.job_commit[], p_reopened uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  -- What is there is locked by the conflict, though not written: to look for it before would be to
  -- look for what somebody may just be deleting.
  insert into millrace.slots (key, capacity)
  select touched.key, coalesce(max(touched.capacity), 1)
  from (
    select c.admission ->> 'key' as key, (c.admission ->> 'capacity')::integer as capacity
    from unnest(p_commits) as c where c.admission is not null
    union all
    select s.key, s.capacity from millrace.slots s
    where s.key = any (array(
      select held.key from unnest(p_commits) as c
      cross join lateral (
        select jobs.held_slots from public.jobs where jobs.id = c.job_id offset 0
      ) as j
      cross join unnest(j.held_slots) as held (key)
      where c.status in ('completed', 'failed', 'cancelled')
      union
      select j.slot_key from public.jobs j
      where j.id = any (p_reopened) and j.slot_key is not null))
  ) as touched
  group by touched.key order by touched.key
  on conflict (key) do update set capacity = excluded.capacity where false;
end;
$function$;
grant execute on function millrace.lock_slots_of_commit(p_commits millrace.job_commit[], p_reopened uuid[]) to service_role;
comment on function millrace.lock_slots_of_commit(p_commits millrace.job_commit[], p_reopened uuid[]) is 'Makes the slots that are asked for and locks all that a commit touches.';

CREATE OR REPLACE FUNCTION millrace.look_at_due(p_now timestamp with time zone, p_limit integer)
 RETURNS TABLE(id uuid, status text, next_run_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
begin
  return query
  select due.id, due.status, due.next_run_at
  from generate_series(0, 9) as level (priority)
  cross join lateral (
    (select j.id, j.status, j.next_run_at from public.jobs j
      where j.priority = level.priority and j.next_run_at <= p_now and j.queue_place is null
      order by j.next_run_at limit p_limit)
    union all
    (select j.id, j.status, j.next_run_at from public.jobs j
      where j.priority = level.priority and j.queue_place is not null
      order by j.queue_place limit p_limit)
  ) as due;
end;
$function$;
grant execute on function millrace.look_at_due(p_now timestamp with time zone, p_limit integer) to service_role;
comment on function millrace.look_at_due(p_now timestamp with time zone, p_limit integer) is 'Due jobs, of each priority and either queue at most p_limit, the first to be taken.';

CREATE OR REPLACE FUNCTION millrace.look_at_mail(p_job_ids uuid[], OUT is_empty boolean, OUT cut_at bigint, OUT last_id bigint)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
declare
  v_bytes bigint := 0;
  v_message record;
begin
  is_empty := true;
  for v_message in
    select listed.position, m.id, m.bytes
    from unnest(p_job_ids) with ordinality as listed (id, position)
    cross join lateral (
      select i.id, octet_length(i.payload::text) as bytes from public.job_inbox i
      where i.job_id = listed.id order by i.id offset 0
    ) as m
  loop
    v_bytes := v_bytes + v_message.bytes;
    if v_bytes > 16777216 and not is_empty then
      cut_at := v_message.position;
      return;
    end if;
    is_empty := false;
    last_id := v_message.id;
  end loop;
end;
$function$;
grant execute on function millrace.look_at_mail(p_job_ids uuid[], OUT is_empty boolean, OUT cut_at bigint, OUT last_id bigint) to service_role;
comment on function millrace.look_at_mail(p_job_ids uuid[], OUT is_empty boolean, OUT cut_at bigint, OUT last_id bigint) is 'How much of the mailboxes of these jobs goes into one answer: about 16 MiB.';

CREATE OR REPLACE FUNCTION millrace.mailbox_bytes(p_job_id uuid)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_bytes bigint := 0;
  v_next bigint;
begin
  for v_next in
    select octet_length(m.payload::text) from public.job_inbox m where m.job_id = p_job_id
  loop
    v_bytes := v_bytes + v_next;
    exit when v_bytes > 16777216;
  end loop;
  return v_bytes;
end;
$function$;
grant execute on function millrace.mailbox_bytes(p_job_id uuid) to service_role;
comment on function millrace.mailbox_bytes(p_job_id uuid) is 'How many bytes of text the messages to a job are; counted up to 16 MiB.';

CREATE OR REPLACE FUNCTION millrace.map_slot(p_job_id uuid, p_step_id text, p_visit integer)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return 'map:' || p_job_id || ':' || p_step_id || ':' || p_visit;
end;
$function$;
grant execute on function millrace.map_slot(p_job_id uuid, p_step_id text, p_visit integer) to service_role;
comment on function millrace.map_slot(p_job_id uuid, p_step_id text, p_visit integer) is 'The key of the slots of a map with max_concurrency.';

CREATE OR REPLACE FUNCTION millrace.may_decide(p_owner_id uuid, p_assignee_keys text[], p_allow_self boolean)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select coalesce(
    (p_allow_self or p_owner_id <> (select auth.uid()))
      and case when p_assignee_keys is null then p_owner_id = (select auth.uid())
        else p_assignee_keys && (select millrace.caller_keys()) end,
    false)
$function$;
grant execute on function millrace.may_decide(p_owner_id uuid, p_assignee_keys text[], p_allow_self boolean) to authenticated;
grant execute on function millrace.may_decide(p_owner_id uuid, p_assignee_keys text[], p_allow_self boolean) to service_role;
comment on function millrace.may_decide(p_owner_id uuid, p_assignee_keys text[], p_allow_self boolean) is 'Whether the caller is one of those who may decide an approval of this owner with these assignee_keys; allow_self false: never the owner.';

CREATE OR REPLACE FUNCTION millrace.measure_api(p_from timestamp with time zone, p_to timestamp with time zone)
 RETURNS TABLE(endpoint text, method text, requests bigint, client_errors bigint, server_errors bigint, error_rate double precision, duration_avg_ms double precision, duration_p50_ms double precision, duration_p95_ms double precision, duration_p99_ms double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
 SET jit TO 'off'
AS $function$
begin
  return query
  select r.endpoint, r.method, count(*),
    count(*) filter (where r.status between 400 and 499),
    count(*) filter (where r.status >= 500),
    avg(case when r.status >= 500 then 1.0 else 0.0 end)::double precision,
    avg(r.duration_ms),
    percentile_cont(0.50) within group (order by r.duration_ms),
    percentile_cont(0.95) within group (order by r.duration_ms),
    percentile_cont(0.99) within group (order by r.duration_ms)
  from public.api_requests r
  where r.created_at >= p_from and r.created_at <= p_to
  group by r.endpoint, r.method;
end;
$function$;
grant execute on function millrace.measure_api(p_from timestamp with time zone, p_to timestamp with time zone) to service_role;
comment on function millrace.measure_api(p_from timestamp with time zone, p_to timestamp with time zone) is 'API requests answered in a window by endpoint and method: counts, share of 5xx, durations.';

CREATE OR REPLACE FUNCTION millrace.measure_failures(p_from timestamp with time zone, p_to timestamp with time zone)
 RETURNS TABLE(workflow_id text, branch text, step_id text, error_code text, failed_attempts bigint, failed_jobs bigint, first_failed_at timestamp with time zone, last_failed_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
 SET jit TO 'off'
AS $function$
begin
  return query
  select failure.workflow_id, failure.branch, failure.step_id, failure.code,
    count(*) filter (where failure.of_attempt), count(*) filter (where not failure.of_attempt),
    min(failure.at), max(failure.at)
  from (
    select j.workflow_id, j.branch, s.step_id, s.error ->> 'code' as code, s.ended_at as at,
      true as of_attempt
    from public.job_steps s
    join public.jobs j on j.id = s.job_id
    where s.ended_at >= p_from and s.ended_at <= p_to and s.status = 'failed'
    union all
    select j.workflow_id, j.branch, j.current_step_id, j.error ->> 'code', j.completed_at, false
    from public.jobs j
    where j.completed_at >= p_from and j.completed_at <= p_to and j.status = 'failed'
  ) as failure
  group by failure.workflow_id, failure.branch, failure.step_id, failure.code;
end;
$function$;
grant execute on function millrace.measure_failures(p_from timestamp with time zone, p_to timestamp with time zone) to service_role;
comment on function millrace.measure_failures(p_from timestamp with time zone, p_to timestamp with time zone) is 'Failed attempts and failed jobs, children too, of a window by workflow, branch, step and error code.';

CREATE OR REPLACE FUNCTION millrace.measure_jobs(p_from timestamp with time zone, p_to timestamp with time zone)
 RETURNS TABLE(workflow_id text, ended bigint, completed bigint, failed bigint, cancelled bigint, completion_rate double precision, failure_rate double precision, duration_avg_seconds double precision, duration_p50_seconds double precision, duration_p95_seconds double precision, duration_p99_seconds double precision, queued_p50_seconds double precision, queued_p95_seconds double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
 SET jit TO 'off'
AS $function$
begin
  return query
  select job.workflow_id, count(*),
    count(*) filter (where job.status = 'completed'),
    count(*) filter (where job.status = 'failed'),
    count(*) filter (where job.status = 'cancelled'),
    avg(case when job.status = 'completed' then 1.0 else 0.0 end)::double precision,
    avg(case when job.status = 'failed' then 1.0 else 0.0 end)::double precision,
    avg(job.duration) filter (where job.status = 'completed'),
    percentile_cont(0.50) within group (order by job.duration) filter (where job.status = 'completed'),
    percentile_cont(0.95) within group (order by job.duration) filter (where job.status = 'completed'),
    percentile_cont(0.99) within group (order by job.duration) filter (where job.status = 'completed'),
    percentile_cont(0.50) within group (order by job.queued),
    percentile_cont(0.95) within group (order by job.queued)
  from (
    select j.workflow_id, j.status,
      case when j.run_number = 1 then
        extract(epoch from j.completed_at - j.started_at)::double precision end as duration,
      extract(epoch from j.started_at - greatest(j.run_at, j.created_at))::double precision as queued
    from public.jobs j
    where j.completed_at >= p_from and j.completed_at <= p_to and j.branch is null
  ) as job
  group by job.workflow_id;
end;
$function$;
grant execute on function millrace.measure_jobs(p_from timestamp with time zone, p_to timestamp with time zone) to service_role;
comment on function millrace.measure_jobs(p_from timestamp with time zone, p_to timestamp with time zone) is 'Jobs that ended in a window by workflow: counts, rates of all that ended, durations of the completed ones from claim to end, and how long they were queued. Children that run a branch are not counted; jobs that were run again have no duration.';

CREATE OR REPLACE FUNCTION millrace.measure_queue()
 RETURNS TABLE(status text, jobs bigint, due bigint, not_due bigint, waiting_for_slot bigint, oldest_due_at timestamp with time zone, oldest_due_seconds double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
declare
  v_now timestamptz := millrace.now();
begin
  return query
  select known.status, count(j.next_run_at), count(*) filter (where j.next_run_at <= v_now),
    count(*) filter (where j.next_run_at > v_now),
    case when known.status = 'pending' then (
      select count(*) from public.jobs w where w.wanted_slot is not null) else 0 end,
    min(j.next_run_at) filter (where j.next_run_at <= v_now),
    extract(epoch from v_now - min(j.next_run_at) filter (where j.next_run_at <= v_now))::double precision
  from unnest(array['pending', 'running', 'awaiting_retry', 'waiting']) with ordinality
    as known (status, position)
  left join (
    select queued.status, queued.next_run_at from public.jobs queued
    where queued.queue_place is not null
    union all
    select timed.status, timed.next_run_at from public.jobs timed
    where timed.next_run_at is not null and timed.queue_place is null
  ) as j on j.status = known.status
  group by known.status, known.position
  order by known.position;
end;
$function$;
grant execute on function millrace.measure_queue() to service_role;
comment on function millrace.measure_queue() is 'Jobs that have a time at which an orchestrator is to look at them, by status; those running and due have lost their orchestrator; those waiting_for_slot have no such time.';

CREATE OR REPLACE FUNCTION millrace.measure_slots()
 RETURNS TABLE(key text, capacity integer, in_use integer, jobs_waiting bigint, oldest_created_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
begin
  return query
  select s.key, s.capacity, s.in_use, count(w.created_at), min(w.created_at)
  from millrace.slots s
  left join public.jobs w on w.wanted_slot = s.key
  group by s.key;
end;
$function$;
grant execute on function millrace.measure_slots() to service_role;
comment on function millrace.measure_slots() is 'Slots by key, with the jobs that wait for one.';

CREATE OR REPLACE FUNCTION millrace.measure_steps(p_from timestamp with time zone, p_to timestamp with time zone)
 RETURNS TABLE(workflow_id text, branch text, step_id text, attempts bigint, completed bigint, failed bigint, skipped bigint, retries bigint, redeliveries bigint, failure_rate double precision, duration_avg_seconds double precision, duration_p50_seconds double precision, duration_p95_seconds double precision, duration_p99_seconds double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
 SET jit TO 'off'
AS $function$
begin
  return query
  select attempt.workflow_id, attempt.branch, attempt.step_id,
    count(*) filter (where attempt.status <> 'skipped'),
    count(*) filter (where attempt.status = 'completed'),
    count(*) filter (where attempt.status = 'failed'),
    count(*) filter (where attempt.status = 'skipped'),
    count(*) filter (where attempt.attempt > 1),
    sum(attempt.redeliveries)::bigint,
    (avg(case when attempt.status = 'failed' then 1.0 else 0.0 end)
      filter (where attempt.status <> 'skipped'))::double precision,
    avg(attempt.duration) filter (where attempt.status <> 'skipped'),
    percentile_cont(0.50) within group (order by attempt.duration) filter (where attempt.status <> 'skipped'),
    percentile_cont(0.95) within group (order by attempt.duration) filter (where attempt.status <> 'skipped'),
    percentile_cont(0.99) within group (order by attempt.duration) filter (where attempt.status <> 'skipped')
  from (
    select j.workflow_id, j.branch, s.step_id, s.status, s.attempt, s.redeliveries,
      extract(epoch from s.ended_at - s.started_at)::double precision as duration
    from public.job_steps s
    join public.jobs j on j.id = s.job_id
    where s.ended_at >= p_from and s.ended_at <= p_to
  ) as attempt
  group by attempt.workflow_id, attempt.branch, attempt.step_id;
end;
$function$;
grant execute on function millrace.measure_steps(p_from timestamp with time zone, p_to timestamp with time zone) to service_role;
comment on function millrace.measure_steps(p_from timestamp with time zone, p_to timestamp with time zone) is 'Attempts that ended in a window by workflow, branch (null: none) and step: counts and durations.';

CREATE OR REPLACE FUNCTION millrace.measure_transformers(p_from timestamp with time zone, p_to timestamp with time zone)
 RETURNS TABLE(transformer_id text, attempts bigint, failed bigint, failure_rate double precision, duration_avg_seconds double precision, duration_p50_seconds double precision, duration_p95_seconds double precision, duration_p99_seconds double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
 SET jit TO 'off'
AS $function$
begin
  return query
  select attempt.transformer_id, count(*), count(*) filter (where attempt.status = 'failed'),
    avg(case when attempt.status = 'failed' then 1.0 else 0.0 end)::double precision,
    avg(attempt.duration),
    percentile_cont(0.50) within group (order by attempt.duration),
    percentile_cont(0.95) within group (order by attempt.duration),
    percentile_cont(0.99) within group (order by attempt.duration)
  from (
    select s.transformer_id, s.status,
      extract(epoch from s.ended_at - s.started_at)::double precision as duration
    from public.job_steps s
    where s.ended_at >= p_from and s.ended_at <= p_to
      and s.transformer_id is not null and s.status <> 'skipped'
  ) as attempt
  group by attempt.transformer_id;
end;
$function$;
grant execute on function millrace.measure_transformers(p_from timestamp with time zone, p_to timestamp with time zone) to service_role;
comment on function millrace.measure_transformers(p_from timestamp with time zone, p_to timestamp with time zone) is 'Attempts that ended in a window by transformer: counts and durations.';

CREATE OR REPLACE FUNCTION millrace.next_due_at()
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
begin
  return (
    select min(due.next_run_at)
    from generate_series(0, 9) as level (priority)
    cross join lateral (
      (select j.next_run_at from public.jobs j
        where j.priority = level.priority and j.next_run_at is not null and j.queue_place is null
        order by j.next_run_at limit 1)
      union all
      (select j.next_run_at from public.jobs j
        where j.priority = level.priority and j.queue_place is not null
        order by j.queue_place limit 1)
    ) as due);
end;
$function$;
grant execute on function millrace.next_due_at() to service_role;
comment on function millrace.next_due_at() is 'When the next job falls due, or has.';

CREATE OR REPLACE FUNCTION millrace.next_queue_place(p_user_id uuid, p_priority smallint)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
grant execute on function millrace.next_queue_place(p_user_id uuid, p_priority smallint) to service_role;
comment on function millrace.next_queue_place(p_user_id uuid, p_priority smallint) is 'The place of a user''s next job in the start queue of a priority.';

CREATE OR REPLACE FUNCTION millrace.now()
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return clock_timestamp();
end;
$function$;
grant execute on function millrace.now() to authenticated;
grant execute on function millrace.now() to service_role;
comment on function millrace.now() is 'The current time for the whole engine. Tests replace it to move the clock of their database.';

CREATE OR REPLACE FUNCTION millrace.number_workflow_version()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if tg_op = 'INSERT' then
    new.version := 1;
  elsif new.definition is distinct from old.definition then
    new.version := old.version + 1;
  else
    new.version := old.version;
  end if;
  return new;
end;
$function$;
comment on function millrace.number_workflow_version() is 'Counts a workflow''s versions.';

CREATE OR REPLACE FUNCTION millrace.object_keys()
 RETURNS TABLE(kind text, required text[], optional text[])
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return query
    values
      ('definition', '{}'::text[], '{title,description,start_step,steps,output_map,input_schema,retry,
        on_error,max_step_visits,timeout_seconds,concurrency,rate_limit,metadata}'::text[]),
      ('branch', '{}', '{start_step,steps,output_map}'),
      ('concurrency', '{max_running}', '{key}'),
      ('rate_limit', '{max_starts,per_seconds}', '{}'),
      ('choice', '{when,next_step}', '{}'),
      ('validate regex', '{pattern}', '{value}'),
      ('validate json_schema', '{schema}', '{}'),
      ('validate expression', '{expression}', '{}'),
      ('validate function', '{transformer_id}', '{input_map}'),
      ('validate manual', '{}', '{title,details,assignees,form,allow_self,timeout_seconds}'),
      ('step task', '{transformer_id}',
        '{on_error,input_map,config,retry,timeout_seconds,validate,callback}'),
      ('step choice', '{choices}', '{on_error,default}'),
      ('step wait', '{}', '{on_error,seconds,until}'),
      ('step parallel', '{branches}', '{on_error,timeout_seconds}'),
      ('step map', '{items}', '{on_error,transformer_id,branch,workflow_id,version,input_map,config,
        retry,item_timeout_seconds,max_concurrency,tolerated_failures,timeout_seconds}'),
      ('step workflow', '{workflow_id}', '{on_error,version,input_map,detached,timeout_seconds}'),
      ('step wait_for_event', '{event}', '{on_error,key,match,timeout_seconds,on_timeout}'),
      ('step approval', '{}', '{on_error,details,assignees,form,allow_self,timeout_seconds,on_reject,
        on_timeout}'),
      ('step transform', '{output}', '{on_error}'),
      ('step succeed', '{}', '{output}'),
      ('step fail', '{}', '{code,message}');
end;
$function$;
grant execute on function millrace.object_keys() to service_role;
comment on function millrace.object_keys() is 'The keys that each kind of object in a definition must and may have, beside those that all steps or all rules of validate share.';

CREATE OR REPLACE FUNCTION millrace.on_error_targets(p_place text, p_on_error jsonb)
 RETURNS TABLE(place text, target jsonb)
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return query
    select p_place, p_on_error
    where p_on_error is not null and jsonb_typeof(p_on_error) <> 'array'
    union all
    select format('%s[%s].next_step', p_place, entry.position - 1), entry.value -> 'next_step'
    from jsonb_array_elements(case when jsonb_typeof(p_on_error) = 'array' then p_on_error end)
      with ordinality as entry (value, position);
end;
$function$;
grant execute on function millrace.on_error_targets(p_place text, p_on_error jsonb) to service_role;
comment on function millrace.on_error_targets(p_place text, p_on_error jsonb) is 'The targets of an on_error: (place, target) rows.';

CREATE OR REPLACE FUNCTION millrace.part_problems(p_place text, p_step jsonb)
 RETURNS TABLE(place text, fault text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return query
    select validate.place, 'must be an object'
    from (select p_place || '.validate' as place) as validate
    where coalesce(p_step ->> 'type', 'task') = 'task' and jsonb_typeof(p_step -> 'validate') <> 'object'
    union all
    select p_place || '.validate.type', case when p_step -> 'validate' ? 'type'
      then format('''%s'' is not a type of validate', p_step -> 'validate' ->> 'type')
      else 'is required' end
    where coalesce(p_step ->> 'type', 'task') = 'task' and jsonb_typeof(p_step -> 'validate') = 'object'
      and not exists (select from millrace.object_keys() as keys
        where keys.kind = 'validate ' || (p_step -> 'validate' ->> 'type'))
    union all
    select problem.place, problem.fault
    from millrace.key_problems('validate ' || (p_step -> 'validate' ->> 'type'),
      p_place || '.validate',
      case when jsonb_typeof(p_step -> 'validate') = 'object' then p_step -> 'validate' end) as problem
    where coalesce(p_step ->> 'type', 'task') = 'task'
    union all
    select p_place || '.branches', 'must be an object of 1 to 100 branches'
    where p_step ->> 'type' = 'parallel' and p_step ? 'branches'
      and case when jsonb_typeof(p_step -> 'branches') = 'object'
        then (select count(*) from jsonb_object_keys(p_step -> 'branches')) not between 1 and 100
        else true end
    union all
    select millrace.place_within(p_place || '.branches', name),
      'a branch name must match ^[A-Za-z][A-Za-z0-9_-]{0,63}$'
    from jsonb_object_keys(case when p_step ->> 'type' = 'parallel'
      and jsonb_typeof(p_step -> 'branches') = 'object' then p_step -> 'branches' end) as name
    where name !~ '^[A-Za-z][A-Za-z0-9_-]{0,63}$';
end;
$function$;
grant execute on function millrace.part_problems(p_place text, p_step jsonb) to service_role;
comment on function millrace.part_problems(p_place text, p_step jsonb) is 'What is structurally wrong with a validate and with the names of branches: (place, fault) rows.';

CREATE OR REPLACE FUNCTION millrace.place_within(p_place text, p_key text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return case
    when p_key !~ '^[A-Za-z_$][A-Za-z0-9_$-]*$' then format('%s[%s]', p_place, to_json(p_key))
    when p_place = '' then p_key
    else p_place || '.' || p_key
  end;
end;
$function$;
grant execute on function millrace.place_within(p_place text, p_key text) to service_role;
comment on function millrace.place_within(p_place text, p_key text) is 'The place of a key within a place, as users read it: steps.charge. The empty text is the whole.';

CREATE OR REPLACE FUNCTION millrace.platform_alerts()
 RETURNS SETOF millrace.alert
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_tick_seconds integer;
  v_state record;
  v_oldest timestamptz;
begin
  select s.alert_tick_seconds into strict v_tick_seconds from millrace.settings s;
  select * into strict v_state from millrace.platform_state();
  return query
  select 'critical', 'secret_missing', missing.name,
    format('The Vault secret ''%s'' is not set, so the database cannot call workflow-orchestrator: select vault.create_secret(<value>, ''%s'')',
      missing.name, missing.name),
    null::double precision, null::double precision, null::timestamptz
  from unnest(v_state.missing_secrets) as missing (name);

  if v_state.kick_problem is not null then
    return query select 'critical', 'orchestrator_unreachable', 'workflow-orchestrator',
      format('The database called workflow-orchestrator, which %s', v_state.kick_problem),
      null::double precision, null::double precision, v_state.kick_answered_at;
  end if;

  select least(min(due.next_run_at), (
    select e.created_at from public.events e where e.delivered_at is null order by e.position, e.id limit 1))
  into v_oldest
  from millrace.look_at_due(v_now, 1) as due;
  if v_oldest < v_now - make_interval(secs => v_tick_seconds)
    and coalesce(v_state.last_tick_at, '-infinity') < v_now - make_interval(secs => v_tick_seconds) then
    return query select 'critical', 'tick_missing', 'millrace-tick',
      format('tick() %s while jobs or events are due: check that pg_cron runs the job ''millrace-tick'' (cron.job, cron.job_run_details)',
        coalesce('last ran at ' || v_state.last_tick_at, 'has not run since the database started')),
      extract(epoch from v_now - v_state.last_tick_at)::double precision,
      v_tick_seconds::double precision, coalesce(v_state.last_tick_at, v_oldest);
  end if;
end;
$function$;
grant execute on function millrace.platform_alerts() to service_role;
comment on function millrace.platform_alerts() is 'Alerts secret_missing, orchestrator_unreachable and tick_missing.';

CREATE OR REPLACE FUNCTION millrace.platform_state(OUT missing_secrets text[], OUT last_tick_at timestamp with time zone, OUT kick_answered_at timestamp with time zone, OUT kick_problem text)
 RETURNS record
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  missing_secrets := array(
    select needed from unnest(array['millrace_project_url', 'millrace_secret_key']) as needed
    where not exists (select from vault.secrets s where s.name = needed));
  select p.last_tick_at into last_tick_at from millrace.pulse p;
  -- pg_net keeps answers for some hours, of other callers too, and has no index on their ids.
  select r.created, case
      when r.timed_out then 'did not answer within 10 seconds'
      when r.error_msg is not null then 'could not be reached: ' || left(r.error_msg, 200)
      when r.status_code = 401 then 'answered 401: check the Vault secret millrace_secret_key'
      when r.status_code = 404 then 'answered 404: deploy workflow-orchestrator and check the Vault secret millrace_project_url'
      when r.status_code >= 300 then 'answered ' || r.status_code
    end
  into kick_answered_at, kick_problem
  from millrace.pulse p
  join net._http_response r on r.id = any (p.watched_kick_ids)
    and r.created > p.watched_kick_at - interval '5 minutes'
  order by r.id desc
  limit 1;
end;
$function$;
grant execute on function millrace.platform_state(OUT missing_secrets text[], OUT last_tick_at timestamp with time zone, OUT kick_answered_at timestamp with time zone, OUT kick_problem text) to service_role;
comment on function millrace.platform_state(OUT missing_secrets text[], OUT last_tick_at timestamp with time zone, OUT kick_answered_at timestamp with time zone, OUT kick_problem text) is 'Missing Vault secrets (names), the last tick, and the last answer of workflow-orchestrator to a kick with what is wrong with it, null when nothing is.';

CREATE OR REPLACE FUNCTION millrace.post_kicks(p_count integer, p_reason text)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;
comment on function millrace.post_kicks(p_count integer, p_reason text) is 'Queues calls of workflow-orchestrator, sent after commit; null when the Vault secrets millrace_project_url and millrace_secret_key are not set.';

CREATE OR REPLACE FUNCTION millrace.post_step_result(p_token text, p_result jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_attempt record;
  v_bytes integer := millrace.json_bytes(coalesce(p_result -> 'output', p_result -> 'error'));
begin
  if v_bytes > 4194304 then
    raise exception 'Cannot finish step as its result must be <= 4194304 bytes: current size is %',
      v_bytes using errcode = 'MR006';
  end if;
  select * into strict v_attempt from millrace.read_callback_token(p_token);
  insert into public.job_inbox (job_id, kind, step_id, visit, attempt, payload)
  select j.id, 'step_result', v_attempt.step_id, v_attempt.visit, v_attempt.attempt, p_result
  from public.jobs j where j.id = v_attempt.job_id;
  if not found then
    raise exception 'Cannot finish step as there is no job %', v_attempt.job_id using errcode = 'MR002';
  end if;
  return jsonb_build_object('job_id', v_attempt.job_id, 'step_id', v_attempt.step_id);
end;
$function$;
grant execute on function millrace.post_step_result(p_token text, p_result jsonb) to service_role;
comment on function millrace.post_step_result(p_token text, p_result jsonb) is 'Puts a result into the mailbox of the job that a token names. Raises MR002, MR005, MR006, MR007.';

CREATE OR REPLACE FUNCTION millrace.post_wishes(p_job_ids uuid[], p_kind text, p_payload jsonb)
 RETURNS uuid[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
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
$function$;
grant execute on function millrace.post_wishes(p_job_ids uuid[], p_kind text, p_payload jsonb) to authenticated;
grant execute on function millrace.post_wishes(p_job_ids uuid[], p_kind text, p_payload jsonb) to service_role;
comment on function millrace.post_wishes(p_job_ids uuid[], p_kind text, p_payload jsonb) is 'Puts one cancel, pause or resume into the mailbox of each of these jobs that is the caller''s (the service role: anybody''s) and has not ended, and answers those. Raises MR009.';

CREATE OR REPLACE FUNCTION millrace.prepare_commits(p_commits millrace.job_commit[], p_reopenings jsonb, p_token uuid, p_now timestamp with time zone)
 RETURNS millrace.job_commit[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_commits millrace.job_commit[] := millrace.valid_commits(
    millrace.hold_failures_back(p_commits), p_token);
  v_asking boolean := exists (select from unnest(v_commits) as c where c.admission is not null);
  v_reopenings jsonb;
  v_reopened uuid[] := '{}';
  v_parents uuid[] := '{}';
begin
  perform millrace.count_down(v_commits, p_now);
  if p_reopenings <> '[]' then
    select coalesce(jsonb_agg(r.value), '[]'), coalesce(array_agg(c.job_id), '{}')
    into v_reopenings, v_parents
    from jsonb_array_elements(p_reopenings) as r
    join unnest(v_commits) as c on c.job_id = (r.value ->> 'job_id')::uuid;
    v_reopened := millrace.addressed_children(jsonb_build_object('reopenings', v_reopenings));
  end if;
  if v_asking or v_reopened <> '{}' then
    perform millrace.lock_slots_of_commit(v_commits, v_reopened);
  end if;
  if v_parents <> '{}' then
    v_commits := millrace.reopen_children(v_commits, v_parents, v_reopened, p_now);
  end if;
  return case when v_asking then millrace.admit_jobs(v_commits, p_now) else v_commits end;
end;
$function$;
grant execute on function millrace.prepare_commits(p_commits millrace.job_commit[], p_reopenings jsonb, p_token uuid, p_now timestamp with time zone) to service_role;
comment on function millrace.prepare_commits(p_commits millrace.job_commit[], p_reopenings jsonb, p_token uuid, p_now timestamp with time zone) is 'Does what has to be done before the jobs are written, and answers those commits that may be, with what they asked for.';

CREATE OR REPLACE FUNCTION millrace.prepare_job()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;
comment on function millrace.prepare_job() is 'Pins a new job to its workflow''s version and makes it due. Raises MR001 (no such workflow), MR006 (input too large).';

CREATE OR REPLACE FUNCTION millrace.prune()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_until timestamptz := clock_timestamp() + interval '5 seconds';
  v_jobs integer := 0;
  v_events integer := 0;
  v_deleted integer;
begin
  for i in 1..20 loop
    v_deleted := public.prune_jobs();
    v_jobs := v_jobs + v_deleted;
    exit when v_deleted = 0 or clock_timestamp() > v_until;
  end loop;
  v_until := clock_timestamp() + interval '5 seconds';
  for i in 1..20 loop
    v_deleted := millrace.prune_events();
    v_events := v_events + v_deleted;
    exit when v_deleted = 0 or clock_timestamp() > v_until;
  end loop;
  delete from public.orchestrators where last_turn_at < millrace.now() - interval '1 hour';
  return jsonb_build_object('jobs', v_jobs, 'events', v_events, 'slots', millrace.prune_slots());
end;
$function$;
grant execute on function millrace.prune() to service_role;
comment on function millrace.prune() is 'Deletes what is older than retention_days, for five seconds or 20 batches each of jobs and of events, and what nobody uses: slots, dead orchestrators. Answers {jobs (roots), events, slots}.';

CREATE OR REPLACE FUNCTION millrace.prune_events(p_batch integer DEFAULT 5000)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;
grant execute on function millrace.prune_events(p_batch integer) to service_role;
comment on function millrace.prune_events(p_batch integer) is 'Deletes up to p_batch events older than retention_days, and answers how many.';

CREATE OR REPLACE FUNCTION millrace.prune_slots()
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
grant execute on function millrace.prune_slots() to service_role;
comment on function millrace.prune_slots() is 'Deletes up to 1,000 keys that no job holds or waits for, and answers how many.';

CREATE OR REPLACE FUNCTION millrace.queue_alerts()
 RETURNS SETOF millrace.alert
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_settings millrace.settings;
  v_due integer;
  v_oldest timestamptz;
begin
  select s.* into strict v_settings from millrace.settings s;
  select count(*), min(due.next_run_at) into v_due, v_oldest
  from millrace.look_at_due(v_now, v_settings.alert_queue_length + 1) as due;
  if v_due > v_settings.alert_queue_length then
    return query select 'warning', 'queue_length', 'queue',
      format('More than %s jobs are due: raise max_orchestrators in millrace.settings, or slow down who starts jobs',
        v_settings.alert_queue_length),
      v_due::double precision, v_settings.alert_queue_length::double precision, v_oldest;
  end if;
  if v_oldest < v_now - make_interval(secs => v_settings.alert_queue_seconds) then
    return query select 'warning', 'queue_delay', 'queue',
      format('The oldest due job has waited for %s seconds: check that workflow-orchestrator is deployed and called, then raise max_orchestrators in millrace.settings',
        floor(extract(epoch from v_now - v_oldest))),
      extract(epoch from v_now - v_oldest)::double precision,
      v_settings.alert_queue_seconds::double precision, v_oldest;
  end if;

  return query
  select 'critical', 'stalled_jobs', overdue.status,
    format('Jobs in status ''%s'' are overdue by more than %s seconds (%s, the first is %s): check the logs of workflow-orchestrator',
      overdue.status, v_settings.alert_stalled_seconds, count(*),
      (array_agg(overdue.id order by overdue.next_run_at))[1]),
    count(*)::double precision, v_settings.alert_stalled_seconds::double precision,
    min(overdue.next_run_at)
  from generate_series(0, 9) as level (priority)
  cross join lateral (
    select j.id, j.status, j.next_run_at from public.jobs j
    where j.priority = level.priority and j.queue_place is null
      and j.next_run_at <= v_now - make_interval(secs => v_settings.alert_stalled_seconds)
    order by j.next_run_at limit 1000
  ) as overdue
  where overdue.status <> 'pending'
  group by overdue.status;

  select e.created_at into v_oldest from public.events e
  where e.delivered_at is null order by e.position, e.id limit 1;
  if v_oldest < v_now - make_interval(secs => v_settings.alert_queue_seconds) then
    return query select 'warning', 'event_delay', 'events',
      format('The oldest event that is to be delivered has waited for %s seconds: check that workflow-orchestrator is deployed and called',
        floor(extract(epoch from v_now - v_oldest))),
      extract(epoch from v_now - v_oldest)::double precision,
      v_settings.alert_queue_seconds::double precision, v_oldest;
  end if;

  return query
  select 'warning', 'long_running', held.id::text,
    format('Job %s has been in step ''%s'' of workflow ''%s'' for more than %s seconds: look at the logs of its executor, or cancel it',
      held.id, held.current_step_id, held.workflow_id, v_settings.alert_running_seconds),
    extract(epoch from v_now - held.entered_at)::double precision,
    v_settings.alert_running_seconds::double precision, held.entered_at
  from generate_series(0, 9) as level (priority)
  cross join lateral (
    select j.id, j.status, j.workflow_id, j.current_step_id, coalesce(
      to_timestamp((j.state ->> 'entered_at')::double precision / 1000), j.started_at) as entered_at
    from public.jobs j
    where j.priority = level.priority and j.next_run_at > v_now and j.queue_place is null
    order by j.next_run_at limit 1000
  ) as held
  where held.status = 'running'
    and held.entered_at < v_now - make_interval(secs => v_settings.alert_running_seconds);
end;
$function$;
grant execute on function millrace.queue_alerts() to service_role;
comment on function millrace.queue_alerts() is 'Alerts queue_length, queue_delay, stalled_jobs (by status: leases, retries and timers that are over and nobody took up), event_delay and long_running (by job).';

CREATE OR REPLACE FUNCTION millrace.queue_due_jobs(p_now timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_ids uuid[] := array(
    select j.id from public.jobs j
    -- Nothing of it has begun: it has no slot, nor a start within its rate.
    where j.run_at is not null and j.started_at is null and j.queue_place is null
      and j.held_slots is null and j.state = '{}'
      and j.next_run_at <= p_now and j.status = 'pending' and j.wanted_slot is null
      and not j.wake_requested
    order by j.next_run_at limit 1000
    for update skip locked);
begin
  if v_ids = '{}' then
    return;
  end if;
  with due as materialized (
    select j.id, j.user_id, j.priority, row_number() over (
      partition by j.user_id, j.priority order by j.next_run_at, j.created_at, j.id) as position
    from public.jobs j where j.id = any (v_ids)
  ), places as materialized (
    select o.user_id, o.priority, millrace.next_queue_place(o.user_id, o.priority) as first
    from (select distinct due.user_id, due.priority from due) as o
  )
  update public.jobs j set queue_place = p.first + due.position - 1
  from due join places p on p.user_id = due.user_id and p.priority = due.priority
  where j.id = due.id;
end;
$function$;
grant execute on function millrace.queue_due_jobs(p_now timestamp with time zone) to service_role;
comment on function millrace.queue_due_jobs(p_now timestamp with time zone) is 'Puts up to 1,000 jobs whose run_at has come into the start queue.';

CREATE OR REPLACE FUNCTION millrace.read_callback_token(p_token text)
 RETURNS TABLE(job_id uuid, step_id text, visit integer, attempt integer)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_body text := split_part(p_token, '.', 1);
  v_expected text;
  v_parts text[];
begin
  select translate(encode(extensions.hmac(v_body, s.callback_secret, 'sha256'), 'base64'), '+/=', '-_')
  into v_expected from millrace.settings s;
  -- Compared by their hashes, so that the time it takes tells nothing about the signature.
  if extensions.digest(split_part(p_token, '.', 2), 'sha256') <> extensions.digest(v_expected, 'sha256')
    or p_token is null then
    raise exception 'Cannot finish step as the token is not one of ours' using errcode = 'MR005';
  end if;
  v_parts := string_to_array(convert_from(decode(
    translate(v_body, '-_', '+/') || repeat('=', (4 - length(v_body) % 4) % 4), 'base64'), 'UTF8'), ':');
  return query select v_parts[1]::uuid, v_parts[2], v_parts[3]::integer, v_parts[4]::integer;
end;
$function$;
grant execute on function millrace.read_callback_token(p_token text) to service_role;
comment on function millrace.read_callback_token(p_token text) is 'The attempt that a callback token names. Raises MR005 when the token is forged or garbled.';

CREATE OR REPLACE FUNCTION millrace.read_job_filter(p_filter jsonb)
 RETURNS millrace.job_filter
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_unknown text;
  v_filter millrace.job_filter;
begin
  if p_filter is not null and jsonb_typeof(p_filter) <> 'object' then
    raise exception 'Cannot filter jobs as p_filter must be an object: current value is %',
      left(p_filter::text, 200) using errcode = 'MR008';
  end if;
  select key into v_unknown from jsonb_object_keys(p_filter) as key
  where key not in ('status', 'workflow_id', 'user_id', 'created_after', 'created_before',
    'error_code', 'metadata')
  order by key limit 1;
  if v_unknown is not null then
    raise exception 'Cannot filter jobs by ''%'': use status, workflow_id, user_id, created_after, created_before, error_code and metadata',
      left(v_unknown, 100) using errcode = 'MR008';
  elsif jsonb_typeof(p_filter -> 'metadata') not in ('object', 'null') then
    raise exception 'Cannot filter jobs as metadata must be an object: current value is %',
      left(p_filter ->> 'metadata', 200) using errcode = 'MR008';
  end if;
  if jsonb_typeof(p_filter -> 'status') = 'string' then
    p_filter := jsonb_set(p_filter, '{status}', jsonb_build_array(p_filter -> 'status'));
  end if;
  begin
    v_filter := jsonb_populate_record(null::millrace.job_filter, jsonb_strip_nulls(p_filter));
  exception when data_exception or feature_not_supported then
    raise exception 'Cannot filter jobs as %', sqlerrm using errcode = 'MR008';
  end;
  return v_filter;
end;
$function$;
grant execute on function millrace.read_job_filter(p_filter jsonb) to authenticated;
grant execute on function millrace.read_job_filter(p_filter jsonb) to service_role;
comment on function millrace.read_job_filter(p_filter jsonb) is 'A filter {status (one or several), workflow_id, user_id, created_after, created_before, error_code, metadata (what must be in it)}. Raises MR008 for what is none.';

CREATE OR REPLACE FUNCTION millrace.record_decision(p_approval_id uuid, p_status text, p_by uuid, p_notes text, p_form jsonb)
 RETURNS public.approvals
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := millrace.require_caller();
  v_now timestamptz := millrace.now();
  v_job_status text;
  v_approval public.approvals;
begin
  select j.status into v_job_status
  from public.approvals a join public.jobs j on j.id = a.job_id
  where a.id = p_approval_id
  for update of j;
  select a.* into v_approval from public.approvals a where a.id = p_approval_id for update;
  if v_approval.id is null then
    raise exception 'Cannot decide approval as there is no approval %', p_approval_id
      using errcode = 'MR012';
  end if;
  if v_user_id is not null and not millrace.may_decide(
    v_approval.user_id, v_approval.assignee_keys, v_approval.allow_self) then
    raise exception 'Cannot decide approval % as you are not one of those who may', p_approval_id
      using errcode = 'MR011';
  end if;
  if v_approval.status <> 'open' then
    raise exception 'Cannot decide approval % as it is % already', p_approval_id, v_approval.status
      using errcode = 'MR010';
  elsif v_approval.expires_at <= v_now then
    raise exception 'Cannot decide approval % as it expired at %', p_approval_id, v_approval.expires_at
      using errcode = 'MR010';
  elsif v_job_status in ('completed', 'failed', 'cancelled') then
    raise exception 'Cannot decide approval % as its job has ended', p_approval_id
      using errcode = 'MR010';
  end if;

  update public.approvals a
  set status = p_status, decided_by = coalesce(v_user_id, p_by), decided_at = v_now,
      notes = p_notes, form_data = p_form
  where a.id = p_approval_id
  returning a.* into v_approval;
  insert into public.job_inbox (job_id, kind, step_id, visit, attempt, payload)
  values (v_approval.job_id, 'decision', v_approval.step_id, v_approval.visit, v_approval.attempt,
    jsonb_build_object('approval_id', v_approval.id, 'decision', v_approval.status,
      'by', v_approval.decided_by, 'at', v_approval.decided_at, 'notes', v_approval.notes,
      'form', v_approval.form_data));
  -- The mailbox wakes for the job's owner and the service role; who decides may be somebody else.
  update public.jobs j
  set wake_requested = true,
      next_run_at = case when j.lease_token is null then v_now else j.next_run_at end,
      queue_place = null
  where j.id = v_approval.job_id and not j.wake_requested;
  return v_approval;
end;
$function$;
grant execute on function millrace.record_decision(p_approval_id uuid, p_status text, p_by uuid, p_notes text, p_form jsonb) to authenticated;
grant execute on function millrace.record_decision(p_approval_id uuid, p_status text, p_by uuid, p_notes text, p_form jsonb) to service_role;
comment on function millrace.record_decision(p_approval_id uuid, p_status text, p_by uuid, p_notes text, p_form jsonb) is 'Writes a decision of the caller (of p_by, where the service role calls) and tells the job. Raises MR009, MR010, MR011, MR012 as decide_approval does.';

CREATE OR REPLACE FUNCTION millrace.record_job_transition()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  new.state_history := case
      when jsonb_array_length(old.state_history) >= 100 then old.state_history - 1
      else old.state_history
    end || jsonb_strip_nulls(jsonb_build_object(
      'from', old.status, 'to', new.status, 'at', new.last_updated_at,
      'step_id', new.current_step_id, 'error', new.error ->> 'code'));
  return new;
end;
$function$;
comment on function millrace.record_job_transition() is 'Appends one entry to state_history for a change of status.';

CREATE OR REPLACE FUNCTION millrace.reference_problems(p_workflow_id text, p_place text, p_step jsonb)
 RETURNS TABLE(place text, fault text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return query
    with named (place, kind, reference) as (
      select p_place || '.transformer_id', 'transformer', p_step -> 'transformer_id'
      where coalesce(p_step ->> 'type', 'task') in ('task', 'map')
      union all
      select p_place || '.validate.transformer_id', 'transformer', p_step -> 'validate' -> 'transformer_id'
      where coalesce(p_step ->> 'type', 'task') = 'task'
        and p_step -> 'validate' ->> 'type' = 'function'
      union all
      select p_place || '.workflow_id', 'workflow', p_step -> 'workflow_id'
      where p_step ->> 'type' in ('workflow', 'map')
    )
    select named.place, format('must be the id of a %s', named.kind)
    from named where jsonb_typeof(named.reference) <> 'string'
    union all
    select named.place, format('no %s ''%s''', named.kind, named.reference #>> '{}')
    from named
    where jsonb_typeof(named.reference) = 'string' and case named.kind
      when 'transformer' then not exists (
        select from public.transformers as t where t.id = named.reference #>> '{}')
      -- A workflow may start itself.
      else named.reference #>> '{}' is distinct from p_workflow_id and not exists (
        select from public.workflows as w where w.id = named.reference #>> '{}')
    end
    union all
    select p_place || '.version',
      format('no version %s of workflow ''%s''', p_step ->> 'version', w.id)
    from public.workflows as w
    where p_step ->> 'type' in ('workflow', 'map') and w.id = p_step ->> 'workflow_id'
      and w.id is distinct from p_workflow_id and p_step ? 'version'
      and not exists (select from public.workflow_versions as v
        where v.workflow_id = w.id and v.version::text = p_step ->> 'version');
end;
$function$;
grant execute on function millrace.reference_problems(p_workflow_id text, p_place text, p_step jsonb) to service_role;
comment on function millrace.reference_problems(p_workflow_id text, p_place text, p_step jsonb) is 'Transformers, workflows and versions that a step names and that do not exist: (place, fault) rows.';

CREATE OR REPLACE FUNCTION millrace.refuse_spawns(p_spawns millrace.spawn[], p_problems text[])
 RETURNS uuid[]
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_refused uuid[];
begin
  update public.jobs p set open_children = p.open_children - refused.number
  from (
    select s.job_id, sum(jsonb_array_length(s.children)) as number
    from unnest(p_spawns) with ordinality as s (job_id, step_id, visit, max_running, lease, detached,
      workflow_id, workflow_version, at, children, position)
    where not s.detached and p_problems[s.position] is not null group by s.job_id
  ) as refused
  where p.id = refused.job_id;
  perform set_config('millrace.wake', 'sender', true);
  with sent as (
    insert into public.job_inbox (job_id, kind, step_id, visit, payload)
    select s.job_id, 'spawn_refused', s.step_id, s.visit,
      jsonb_build_object('message', p_problems[s.position])
    from unnest(p_spawns) with ordinality as s (job_id, step_id, visit, max_running, lease, detached,
      workflow_id, workflow_version, at, children, position)
    where p_problems[s.position] is not null
    returning job_inbox.job_id
  )
  select array_agg(sent.job_id) into v_refused from sent;
  perform set_config('millrace.wake', '', true);
  perform millrace.wake_jobs(v_refused);
  return v_refused;
end;
$function$;
grant execute on function millrace.refuse_spawns(p_spawns millrace.spawn[], p_problems text[]) to service_role;
comment on function millrace.refuse_spawns(p_spawns millrace.spawn[], p_problems text[]) is 'Tells parents why their children were not started, does not count those, and answers the parents.';

CREATE OR REPLACE FUNCTION millrace.refuse_version_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  raise exception 'Cannot change version % of workflow ''%'': versions are immutable, update public.workflows instead',
    old.version, old.workflow_id using errcode = 'MR004';
end;
$function$;
comment on function millrace.refuse_version_change() is 'Raises MR004: versions are immutable.';

CREATE OR REPLACE FUNCTION millrace.release_deleted_job()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;
comment on function millrace.release_deleted_job() is 'Frees the slots of a deleted job and counts it as a failed child of its parent.';

CREATE OR REPLACE FUNCTION millrace.reopen_children(p_commits millrace.job_commit[], p_parents uuid[], p_ids uuid[], p_now timestamp with time zone)
 RETURNS millrace.job_commit[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'on'
AS $function$
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
$function$;
grant execute on function millrace.reopen_children(p_commits millrace.job_commit[], p_parents uuid[], p_ids uuid[], p_now timestamp with time zone) to service_role;
comment on function millrace.reopen_children(p_commits millrace.job_commit[], p_parents uuid[], p_ids uuid[], p_now timestamp with time zone) is 'Makes ended children pending again, each with a retry message, and answers the commits with their number.';

CREATE OR REPLACE FUNCTION millrace.reopen_jobs(p_job_ids uuid[], p_input_data jsonb, p_message jsonb)
 RETURNS uuid[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_user_id uuid := millrace.require_caller();
  v_reopened uuid[];
begin
  perform from public.jobs j where j.id = any (p_job_ids) order by j.id for update;
  with reopened as (
    select j.id, j.user_id, j.priority, (
        select make_interval(secs => millrace.timeout_of(v.definition))
        from public.workflow_versions v
        where v.workflow_id = j.workflow_id and v.version = j.workflow_version) as timeout,
      row_number() over (partition by j.user_id, j.priority order by j.created_at, j.id) as position
    from unnest(p_job_ids) as listed (id)
    cross join lateral (select * from public.jobs where jobs.id = listed.id offset 0) as j
    where j.status in ('failed', 'cancelled') and j.parent_job_id is null
      and (v_user_id is null or j.user_id = v_user_id)
  ), places as materialized (
    select owner.user_id, owner.priority, millrace.next_queue_place(owner.user_id, owner.priority) as first
    from (select distinct r.user_id, r.priority from reopened r) as owner
  ), updated as (
    update public.jobs j
    set status = 'pending',
        next_run_at = v_now,
        queue_place = p.first + r.position - 1,
        completed_at = null, error = null, error_message = null, final_result = null,
        retry_count = 0, redeliveries = 0, next_retry_at = null,
        run_number = j.run_number + 1,
        input_data = coalesce(p_input_data, j.input_data),
        deadline_at = v_now
          + coalesce(r.timeout, j.deadline_at - greatest(j.run_at, j.created_at)),
        last_updated_at = v_now
    from reopened r
    join places p on p.user_id = r.user_id and p.priority = r.priority
    where j.id = r.id
    returning j.id
  )
  select coalesce(array_agg(u.id), '{}') into v_reopened from updated u;
  insert into public.job_inbox (job_id, kind, payload)
  select listed.id, 'retry', p_message from unnest(v_reopened) as listed (id);
  return v_reopened;
end;
$function$;
grant execute on function millrace.reopen_jobs(p_job_ids uuid[], p_input_data jsonb, p_message jsonb) to authenticated;
grant execute on function millrace.reopen_jobs(p_job_ids uuid[], p_input_data jsonb, p_message jsonb) to service_role;
comment on function millrace.reopen_jobs(p_job_ids uuid[], p_input_data jsonb, p_message jsonb) is 'Opens again those of these jobs that are roots, failed or cancelled and the caller''s (the service role: anybody''s), with new input where it is not null, tells each by a message retry, and answers them. Raises MR009.';

CREATE OR REPLACE FUNCTION millrace.require_caller()
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := (select auth.uid());
begin
  -- Null stands for the service role. A token of an end user that names nobody must not.
  if v_user_id is null and current_setting('role') in ('anon', 'authenticated') then
    raise exception 'Cannot do this as nobody is signed in' using errcode = 'MR009';
  end if;
  return v_user_id;
end;
$function$;
grant execute on function millrace.require_caller() to authenticated;
grant execute on function millrace.require_caller() to service_role;
comment on function millrace.require_caller() is 'The signed-in user; null for the service role, who acts for everybody. Raises MR009 (nobody is signed in).';

CREATE OR REPLACE FUNCTION millrace.restless_steps(p_graph jsonb)
 RETURNS SETOF text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return query
    with recursive ways as materialized (
      select step.key as source, way.target #>> '{}' as target
      from jsonb_each(p_graph -> 'steps') as step
      cross join lateral millrace.step_targets('', step.value) as way
    ),
    restful (step_id) as (
      (
        select step.key from jsonb_each(p_graph -> 'steps') as step where millrace.rests(step.value)
        union all
        -- A target that does not exist is a fault of its own.
        select source from ways where target is null or not p_graph -> 'steps' ? target
      )
      union
      select ways.source from restful join ways on ways.target = restful.step_id
    )
    select id from jsonb_object_keys(p_graph -> 'steps') as id
    except
    select step_id from restful;
end;
$function$;
grant execute on function millrace.restless_steps(p_graph jsonb) to service_role;
comment on function millrace.restless_steps(p_graph jsonb) is 'Ids of the steps from which a job would go around for ever: no wait, task or end can be come to.';

CREATE OR REPLACE FUNCTION millrace.rests(p_step jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_ends_here boolean := coalesce(jsonb_typeof(p_step -> 'next_step'), 'null') = 'null';
begin
  return case coalesce(p_step ->> 'type', 'task')
    when 'transform' then v_ends_here
    -- Without a default it may fail; its next_step counts only where `when` skips it.
    when 'choice' then not p_step ? 'default' or (p_step ? 'when' and v_ends_here)
    else true
  end;
end;
$function$;
grant execute on function millrace.rests(p_step jsonb) to service_role;
comment on function millrace.rests(p_step jsonb) is 'Whether a job that comes to this step may take a rest there, or end.';

CREATE OR REPLACE FUNCTION millrace.say_clock(p_time timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE STRICT
 SET search_path TO ''
AS $function$ select to_char(p_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') $function$;
grant execute on function millrace.say_clock(p_time timestamp with time zone) to authenticated;
grant execute on function millrace.say_clock(p_time timestamp with time zone) to service_role;
comment on function millrace.say_clock(p_time timestamp with time zone) is 'A time in UTC: 2030-01-31T12:00:00Z.';

CREATE OR REPLACE FUNCTION millrace.say_count(p_count bigint, p_one text, p_many text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE STRICT
 SET search_path TO ''
AS $function$ select p_count || ' ' || case when p_count = 1 then p_one else p_many end $function$;
grant execute on function millrace.say_count(p_count bigint, p_one text, p_many text) to authenticated;
grant execute on function millrace.say_count(p_count bigint, p_one text, p_many text) to service_role;
comment on function millrace.say_count(p_count bigint, p_one text, p_many text) is 'A count with its noun: 1 job, 2 jobs.';

CREATE OR REPLACE FUNCTION millrace.say_duration(p_duration interval)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE STRICT
 SET search_path TO ''
AS $function$
  -- Minutes, hours and days only where there are two of them.
  select case
    when s < 1 then 'less than a second'
    when s < 120 then floor(s) || ' s'
    when s < 7200 then floor(s / 60) || ' minutes'
    when s < 172800 then floor(s / 3600) || ' hours'
    else floor(s / 86400) || ' days'
  end
  from (select abs(extract(epoch from p_duration)) as s) as seconds
$function$;
grant execute on function millrace.say_duration(p_duration interval) to authenticated;
grant execute on function millrace.say_duration(p_duration interval) to service_role;
comment on function millrace.say_duration(p_duration interval) is 'A duration, rounded down: 12 s, 5 minutes, 3 hours, 2 days.';

CREATE OR REPLACE FUNCTION millrace.say_executor(p_job_id uuid)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select coalesce('function ''' || millrace.explain_executor(p_job_id) || '''',
    'function of the step''s transformer')
$function$;
grant execute on function millrace.say_executor(p_job_id uuid) to authenticated;
grant execute on function millrace.say_executor(p_job_id uuid) to service_role;
comment on function millrace.say_executor(p_job_id uuid) is 'The function of the current step in words.';

CREATE OR REPLACE FUNCTION millrace.say_time(p_time timestamp with time zone, p_now timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE STRICT
 SET search_path TO ''
AS $function$
  select format(case when p_time > p_now then '%s (in %s)' else '%s (%s ago)' end,
    millrace.say_clock(p_time), millrace.say_duration(p_time - p_now))
$function$;
grant execute on function millrace.say_time(p_time timestamp with time zone, p_now timestamp with time zone) to authenticated;
grant execute on function millrace.say_time(p_time timestamp with time zone, p_now timestamp with time zone) to service_role;
comment on function millrace.say_time(p_time timestamp with time zone, p_now timestamp with time zone) is 'A time, absolute and relative: 2030-01-31T12:00:00Z (in 5 minutes).';

CREATE OR REPLACE FUNCTION millrace.scope_key(p_job_id uuid, p_step_id text, p_visit integer, p_run integer)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return p_job_id || ':' || p_step_id || ':' || p_visit || ':' || p_run;
end;
$function$;
grant execute on function millrace.scope_key(p_job_id uuid, p_step_id text, p_visit integer, p_run integer) to service_role;
comment on function millrace.scope_key(p_job_id uuid, p_step_id text, p_visit integer, p_run integer) is 'The key of what children in some run of theirs see of their parent in some visit of a step.';

CREATE OR REPLACE FUNCTION millrace.scopes_of(p_job_ids uuid[], p_known jsonb)
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
begin
  return (
    with recursive scope as (
      select j.parent_job_id as job_id, j.parent_step_id as step_id, j.parent_visit as visit,
        j.run_number as run
      from public.jobs j where j.id = any (p_job_ids) and j.branch is not null
      union
      select p.parent_job_id, p.parent_step_id, p.parent_visit, p.run_number
      from scope join public.jobs p on p.id = scope.job_id
      where p.branch is not null
    )
    select json_agg(json_build_object('key', wanted.key,
        'parent', case when p.branch is not null then
          millrace.scope_key(p.parent_job_id, p.parent_step_id, p.parent_visit, p.run_number) end,
        'job_id', p.id, 'workflow_id', p.workflow_id, 'workflow_version', p.workflow_version,
        'user_id', p.user_id, 'created_at', p.created_at, 'started_at', p.started_at,
        'input_data', p.input_data, 'step_data', p.step_data, 'item', p.item,
        'item_index', case when p.branch is not null and p.item is not null then p.item_index end,
        'previous_step', p.state ->> 'previous_step') order by p.depth)
    from (
      select scope.job_id, millrace.scope_key(scope.job_id, scope.step_id, scope.visit, scope.run) as key
      from scope
    ) as wanted
    cross join lateral (select * from public.jobs where jobs.id = wanted.job_id offset 0) as p
    where not coalesce(p_known, '[]') ? wanted.key);
end;
$function$;
grant execute on function millrace.scopes_of(p_job_ids uuid[], p_known jsonb) to service_role;
comment on function millrace.scopes_of(p_job_ids uuid[], p_known jsonb) is 'What branches see of their parents: the scopes of these jobs that are not known yet, outer before inner.';

CREATE OR REPLACE FUNCTION millrace.serve_event(p_event public.events, p_limit integer, OUT served uuid[], OUT ended uuid[], OUT looked_at integer, OUT is_done boolean, OUT is_stopped boolean)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
grant execute on function millrace.serve_event(p_event public.events, p_limit integer, OUT served uuid[], OUT ended uuid[], OUT looked_at integer, OUT is_done boolean, OUT is_stopped boolean) to service_role;
comment on function millrace.serve_event(p_event public.events, p_limit integer, OUT served uuid[], OUT ended uuid[], OUT looked_at integer, OUT is_done boolean, OUT is_stopped boolean) is 'Locks the next jobs, up to p_limit, that are to get an event. Answers them by id, those locked that have ended, how many it has looked at, whether they are the last, and whether a job that is held has stopped it.';

CREATE OR REPLACE FUNCTION millrace.spawn_children(p_spawns jsonb, p_applied uuid[], p_token uuid, p_lease interval, p_now timestamp with time zone, OUT leased uuid[], OUT refused uuid[])
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_spawns millrace.spawn[] := array(
    select s from jsonb_populate_recordset(null::millrace.spawn, p_spawns) as s
    where s.job_id = any (p_applied));
  v_problems text[] := millrace.spawn_problems(v_spawns);
begin
  leased := '{}';
  refused := '{}';
  if array_remove(v_problems, null) <> '{}' then
    refused := millrace.refuse_spawns(v_spawns, v_problems);
    v_spawns := array(
      select v_spawns[i] from generate_subscripts(v_spawns, 1) as i where v_problems[i] is null);
  end if;
  if cardinality(v_spawns) = 0 then
    return;
  end if;
  insert into millrace.slots (key, capacity, in_use, job_id)
  select millrace.map_slot(s.job_id, s.step_id, s.visit), s.max_running, s.max_running, s.job_id
  from unnest(v_spawns) as s
  where s.max_running > 0 and s.max_running < jsonb_array_length(s.children);
  perform millrace.insert_children(v_spawns, p_token, p_lease, p_now);
  leased := array(
    select j.id from unnest(v_spawns) as s
    cross join lateral (
      select jobs.id, jobs.item_index from public.jobs
      where jobs.parent_job_id = s.job_id and jobs.parent_step_id = s.step_id
        and jobs.parent_visit = s.visit
      order by jobs.item_index offset 0
    ) as j
    -- Whoever gave them their ids knows them.
    where s.lease and s.children -> 0 -> 'id' is null);
end;
$function$;
grant execute on function millrace.spawn_children(p_spawns jsonb, p_applied uuid[], p_token uuid, p_lease interval, p_now timestamp with time zone, OUT leased uuid[], OUT refused uuid[]) to service_role;
comment on function millrace.spawn_children(p_spawns jsonb, p_applied uuid[], p_token uuid, p_lease interval, p_now timestamp with time zone, OUT leased uuid[], OUT refused uuid[]) is 'Starts the children of the jobs that were committed, and answers those that are leased to the caller and the parents whose children were refused.';

CREATE OR REPLACE FUNCTION millrace.spawn_problems(p_spawns millrace.spawn[])
 RETURNS text[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
begin
  return array(
    select case
        when p.depth >= 10 and not s.detached then
          'Cannot start children as jobs may be nested 10 deep: the parent is at 10'
        when s.workflow_id is null then null
        when v.version is null and s.workflow_version is null then
          format('Cannot start job as there is no workflow ''%s''', s.workflow_id)
        when v.version is null then
          format('Cannot start job as there is no version %s of workflow ''%s''', s.workflow_version,
            s.workflow_id)
        when input.bytes > 4194304 then
          format('Cannot start job as its input_data must be <= 4194304 bytes: current size is %s',
            input.bytes)
      end
    from unnest(p_spawns) with ordinality as s (job_id, step_id, visit, max_running, lease, detached,
      workflow_id, workflow_version, at, children, position)
    cross join lateral (select j.depth from public.jobs j where j.id = s.job_id offset 0) as p
    left join lateral (
      select w.version from public.workflow_versions w
      where w.workflow_id = s.workflow_id and w.version = coalesce(s.workflow_version, (
        select c.version from public.workflows c where c.id = s.workflow_id))
      offset 0
    ) as v on true
    left join lateral (
      select max(millrace.json_bytes(child.value -> 'input')) as bytes
      from jsonb_array_elements(s.children) as child where s.workflow_id is not null
    ) as input on true
    order by s.position);
end;
$function$;
grant execute on function millrace.spawn_problems(p_spawns millrace.spawn[]) to service_role;
comment on function millrace.spawn_problems(p_spawns millrace.spawn[]) is 'Why the children of each of these spawns cannot be started, as a sentence; null when they can.';

CREATE OR REPLACE FUNCTION millrace.step_problems(p_workflow_id text, p_steps jsonb, p_place text, p_step_id text, p_step jsonb)
 RETURNS TABLE(place text, fault text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_kind text := 'step ' || coalesce(p_step ->> 'type', case when p_step ? 'type' then 'null' else 'task' end);
begin
  return query
    select p_place, 'a step id must match ^[A-Za-z][A-Za-z0-9_-]{0,63}$'
    where p_step_id !~ '^[A-Za-z][A-Za-z0-9_-]{0,63}$'
    union all
    select p_place, format('''%s'' is reserved in the job document', p_step_id)
    where p_step_id in ('job_input', 'job', 'item', 'index');
  if jsonb_typeof(p_step) <> 'object' then
    return query select p_place, 'a step must be an object';
    return;
  end if;
  if not exists (select from millrace.object_keys() as keys where keys.kind = v_kind) then
    return query select p_place || '.type', format('''%s'' is not a step type', p_step ->> 'type');
    return;
  end if;
  return query
    select problem.place, problem.fault from millrace.key_problems(v_kind, p_place, p_step) as problem
    union all
    select problem.place, problem.fault from millrace.form_problems(p_place, p_step) as problem
    union all
    select problem.place, problem.fault from millrace.part_problems(p_place, p_step) as problem
    union all
    select problem.place, problem.fault
    from millrace.reference_problems(p_workflow_id, p_place, p_step) as problem
    union all
    select problem.place, problem.fault
    from millrace.step_targets(p_place, p_step) as target
    cross join lateral millrace.target_problems(p_steps, target.place, target.target) as problem;
end;
$function$;
grant execute on function millrace.step_problems(p_workflow_id text, p_steps jsonb, p_place text, p_step_id text, p_step jsonb) to service_role;
comment on function millrace.step_problems(p_workflow_id text, p_steps jsonb, p_place text, p_step_id text, p_step jsonb) is 'What is structurally wrong with one step of a definition or a branch: (place, fault) rows.';

CREATE OR REPLACE FUNCTION millrace.step_targets(p_place text, p_step jsonb)
 RETURNS TABLE(place text, target jsonb)
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return query
    select p_place || '.next_step', p_step -> 'next_step'
    where coalesce(jsonb_typeof(p_step -> 'next_step'), 'null') <> 'null'
    union all
    select handler.place, handler.target
    from millrace.on_error_targets(p_place || '.on_error', p_step -> 'on_error') as handler
    union all
    select p_place || '.' || key, p_step -> key
    from unnest(case p_step ->> 'type'
      when 'choice' then '{default}'::text[]
      when 'wait_for_event' then '{on_timeout}'
      when 'approval' then '{on_reject,on_timeout}'
    end) as key
    where p_step ? key
    union all
    select p_place || '.validate.' || key, p_step -> 'validate' -> key
    from unnest('{next_step_on_pass,next_step_on_fail}'::text[]) as key
    where coalesce(p_step ->> 'type', 'task') = 'task' and p_step -> 'validate' ? key
    union all
    select format('%s.choices[%s].next_step', p_place, choice.position - 1),
      choice.value -> 'next_step'
    from jsonb_array_elements(case when p_step ->> 'type' = 'choice'
      and jsonb_typeof(p_step -> 'choices') = 'array' then p_step -> 'choices' end)
      with ordinality as choice (value, position)
    where choice.value ? 'next_step';
end;
$function$;
grant execute on function millrace.step_targets(p_place text, p_step jsonb) to service_role;
comment on function millrace.step_targets(p_place text, p_step jsonb) is 'The steps that a step may lead to, and what stands in place of one: (place, target) rows.';

CREATE OR REPLACE FUNCTION millrace.subscribe(p_subscriptions jsonb, p_applied uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
grant execute on function millrace.subscribe(p_subscriptions jsonb, p_applied uuid[]) to service_role;
comment on function millrace.subscribe(p_subscriptions jsonb, p_applied uuid[]) is 'Has committed jobs wait for events, and gives them those that came before: the oldest 100 each.';

CREATE OR REPLACE FUNCTION millrace.sweep_slots()
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
grant execute on function millrace.sweep_slots() to service_role;
comment on function millrace.sweep_slots() is 'Gives all free slots to jobs that wait for them and answers how many.';

CREATE OR REPLACE FUNCTION millrace.target_problems(p_steps jsonb, p_place text, p_target jsonb)
 RETURNS TABLE(place text, fault text)
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return query
    select p_place, 'must be the id of a step'
    where jsonb_typeof(p_target) is distinct from 'string'
    union all
    select p_place, format('no step ''%s''', p_target #>> '{}')
    where jsonb_typeof(p_target) = 'string' and not p_steps ? (p_target #>> '{}');
end;
$function$;
grant execute on function millrace.target_problems(p_steps jsonb, p_place text, p_target jsonb) to service_role;
comment on function millrace.target_problems(p_steps jsonb, p_place text, p_target jsonb) is 'What is wrong with a reference to a step: (place, fault) rows.';

CREATE OR REPLACE FUNCTION millrace.tell_children(p_messages jsonb, p_applied uuid[], p_token uuid)
 RETURNS uuid[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
grant execute on function millrace.tell_children(p_messages jsonb, p_applied uuid[], p_token uuid) to service_role;
comment on function millrace.tell_children(p_messages jsonb, p_applied uuid[], p_token uuid) is 'Puts cancel, pause or resume into the mailboxes of the open children of committed jobs, and answers those that the caller holds.';

CREATE OR REPLACE FUNCTION millrace.timeout_of(p_definition jsonb)
 RETURNS double precision
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return case
    when jsonb_typeof(p_definition -> 'timeout_seconds') = 'number'
      and (p_definition -> 'timeout_seconds')::numeric between 0 and 1e9
    then (p_definition -> 'timeout_seconds')::double precision
  end;
end;
$function$;
grant execute on function millrace.timeout_of(p_definition jsonb) to service_role;
comment on function millrace.timeout_of(p_definition jsonb) is 'timeout_seconds of a definition, null where it has none.';

CREATE OR REPLACE FUNCTION millrace.touch_last_updated_at()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  new.last_updated_at := millrace.now();
  return new;
end;
$function$;
comment on function millrace.touch_last_updated_at() is 'Sets last_updated_at where the update did not do so itself.';

CREATE OR REPLACE FUNCTION millrace.touch_updated_at()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  new.updated_at := millrace.now();
  return new;
end;
$function$;
comment on function millrace.touch_updated_at() is 'Sets updated_at on every update.';

CREATE OR REPLACE FUNCTION millrace.unreachable_steps(p_graph jsonb)
 RETURNS SETOF text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return query
    with recursive reached (step_id) as (
      select entry.step_id
      from (
        select p_graph ->> 'start_step' as step_id
        union all
        select target #>> '{}' from millrace.on_error_targets('', p_graph -> 'on_error')
      ) as entry
      where p_graph -> 'steps' ? entry.step_id
      union
      select target.target #>> '{}'
      from reached
      cross join lateral millrace.step_targets('', p_graph -> 'steps' -> reached.step_id) as target
      where p_graph -> 'steps' ? (target.target #>> '{}')
    )
    select id from jsonb_object_keys(p_graph -> 'steps') as id
    except
    select step_id from reached;
end;
$function$;
grant execute on function millrace.unreachable_steps(p_graph jsonb) to service_role;
comment on function millrace.unreachable_steps(p_graph jsonb) is 'Ids of the steps of a definition or a branch that nothing leads to.';

CREATE OR REPLACE FUNCTION millrace.unread_messages(p_job_ids uuid[])
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_mail record;
begin
  if p_job_ids = '{}' then
    return '[]'::json;
  end if;
  p_job_ids := array(select distinct id from unnest(p_job_ids) as id);
  v_mail := millrace.look_at_mail(p_job_ids);
  return (
    select coalesce(json_agg(json_build_object('job_id', woken.id, 'messages', woken.messages)), '[]')
    from (
      select m.job_id as id, json_agg(json_build_object('id', m.id, 'kind', m.kind,
        'step_id', m.step_id, 'visit', m.visit, 'attempt', m.attempt, 'payload', m.payload)
        order by m.id) as messages
      from unnest(p_job_ids) with ordinality as listed (id, position)
      join public.job_inbox m on m.job_id = listed.id
      where v_mail.cut_at is null or listed.position < v_mail.cut_at
        or (listed.position = v_mail.cut_at and m.id <= v_mail.last_id)
      group by m.job_id
    ) as woken);
end;
$function$;
grant execute on function millrace.unread_messages(p_job_ids uuid[]) to service_role;
comment on function millrace.unread_messages(p_job_ids uuid[]) is 'The mailboxes of jobs: [{job_id, messages}], the first 16 MiB of them.';

CREATE OR REPLACE FUNCTION millrace.valid_commits(p_commits millrace.job_commit[], p_token uuid)
 RETURNS millrace.job_commit[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_hashjoin TO 'on'
AS $function$
declare
  v_valid millrace.job_commit[] := array(
    select c from unnest(p_commits) as c
    cross join lateral (
      select jobs.lease_token, jobs.version from public.jobs where jobs.id = c.job_id offset 0
    ) as j
    where j.lease_token = p_token and j.version = c.version);
  v_kept millrace.job_commit[];
begin
  -- A join that was decided ahead stands and falls with the ends that it was made of, which may be
  -- such joins themselves: once more for each level of which one has fallen.
  while exists (select from unnest(v_valid) as c where c.joined_failures is not null) loop
    v_kept := array(
      with ended as materialized (
        select child.parent_job_id as id, count(*) as number,
          count(*) filter (where c.status <> 'completed') as failed
        from unnest(v_valid) as c
        cross join lateral (
          select jobs.parent_job_id from public.jobs where jobs.id = c.job_id offset 0
        ) as child
        where c.status in ('completed', 'failed', 'cancelled')
        group by child.parent_job_id
      )
      select c from unnest(v_valid) as c
      cross join lateral (
        select jobs.open_children, jobs.failed_children from public.jobs
        where jobs.id = c.job_id offset 0
      ) as j
      left join ended on ended.id = c.job_id
      where c.joined_failures is null or (j.open_children = coalesce(ended.number, 0)
        and j.failed_children + coalesce(ended.failed, 0) = c.joined_failures));
    exit when cardinality(v_kept) = cardinality(v_valid);
    v_valid := v_kept;
  end loop;
  return v_valid;
end;
$function$;
grant execute on function millrace.valid_commits(p_commits millrace.job_commit[], p_token uuid) to service_role;
comment on function millrace.valid_commits(p_commits millrace.job_commit[], p_token uuid) is 'The commits that may be written: those of jobs that the caller owns as he read them, and whose children have ended as he says.';

CREATE OR REPLACE FUNCTION millrace.waiters_of(p_event public.events, p_limit integer)
 RETURNS uuid[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
grant execute on function millrace.waiters_of(p_event public.events, p_limit integer) to service_role;
comment on function millrace.waiters_of(p_event public.events, p_limit integer) is 'The first p_limit jobs that wait for an event and have not been served, by id.';

CREATE OR REPLACE FUNCTION millrace.wake_job()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;
comment on function millrace.wake_job() is 'Wakes the job that a message is for. Raises MR007 when the job has ended.';

CREATE OR REPLACE FUNCTION millrace.wake_jobs(p_job_ids uuid[], p_keeps_place boolean DEFAULT false)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
grant execute on function millrace.wake_jobs(p_job_ids uuid[], p_keeps_place boolean) to service_role;
comment on function millrace.wake_jobs(p_job_ids uuid[], p_keeps_place boolean) is 'Wakes jobs that have not ended, which the caller has locked and sends messages to under the setting millrace.wake = sender. p_keeps_place: those that are to be started stay where they are in the queue.';

CREATE OR REPLACE FUNCTION millrace.with_forced_cancels(p_commit jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return p_commit || jsonb_build_object('child_messages',
    coalesce(p_commit -> 'child_messages', '[]') || (
      select coalesce(jsonb_agg(jsonb_build_object('job_id', c.value -> 'job_id', 'kind', 'cancel',
        'reason', c.value #> '{error,message}')), '[]')
      from jsonb_array_elements(p_commit -> 'jobs') as c where c.value -> 'force' = 'true'));
end;
$function$;
grant execute on function millrace.with_forced_cancels(p_commit jsonb) to service_role;
comment on function millrace.with_forced_cancels(p_commit jsonb) is 'The commit, with a cancel for the children of each job that it forces to fail.';

CREATE OR REPLACE FUNCTION millrace.write_jobs(p_commits millrace.job_commit[], p_token uuid, p_lease interval, p_consumed bigint[], p_now timestamp with time zone, OUT applied uuid[], OUT woken uuid[], OUT missed uuid[], OUT freeing uuid[], OUT limited uuid[])
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  with written as (
    update public.jobs j
    set status = c.status,
        current_step_id = c.current_step_id,
        state = c.state,
        step_data = case when c.step_data = '{}' then j.step_data else j.step_data || c.step_data end,
        lease_token = case when c.status = 'running' then j.lease_token end,
        next_run_at = case
          -- Left alone while more than half of the lease remains: the row then stays on its page.
          when c.status = 'running' then
            case when j.next_run_at > p_now + p_lease / 2 then j.next_run_at else p_now + p_lease end
          when c.status in ('completed', 'failed', 'cancelled') then null
          -- A message came in that this commit does not know of. The rows were locked by a
          -- statement of its own, so this one sees all that senders have committed before it.
          when j.wake_requested and exists (
            select from public.job_inbox m where m.job_id = j.id and m.id <> all (p_consumed))
            then p_now
          -- Nobody is left to wake it: its last child ended while the lease was held.
          when c.awaits_children and c.status = 'waiting' and (
            j.open_children + coalesce(c.spawned, c.reopened, 0) = 0
            or (coalesce(c.spawned, c.reopened) is null
              and j.failed_children > c.max_failed_children)) then p_now
          else c.next_run_at
        end,
        -- Parking answers the request. Otherwise it stands until the last message is consumed, and
        -- not only until it was told: the answer that tells may be lost.
        wake_requested = case
          when not j.wake_requested or c.status in ('pending', 'awaiting_retry', 'waiting', 'paused')
            then false
          else exists (
            select from public.job_inbox m where m.job_id = j.id and m.id <> all (p_consumed))
        end,
        open_children = j.open_children + coalesce(c.spawned, c.reopened, 0),
        failed_children = case when coalesce(c.spawned, c.reopened) is null
          then j.failed_children else 0 end,
        max_failed_children = c.max_failed_children,
        wanted_slot = c.wanted_slot,
        held_slots = case when c.granted_slot is null then j.held_slots
          else array_append(j.held_slots, c.granted_slot) end,
        -- One that was not given what it needs to begin has not begun, nor one whose time has not come.
        started_at = case when c.status = 'pending' and j.run_number = 1
            and (c.admission is not null or j.run_at > p_now)
          then null else j.started_at end,
        next_retry_at = c.next_retry_at,
        retry_count = c.retry_count,
        redeliveries = c.redeliveries,
        final_result = c.final_result,
        error = c.error,
        error_message = c.error ->> 'message',
        -- Not before it started, should the server's clock have been set back.
        completed_at = case when c.status in ('completed', 'failed', 'cancelled')
          then greatest(p_now, j.started_at) end,
        version = j.version + 1,
        last_updated_at = p_now
    from unnest(p_commits) as c
    where j.id = c.job_id and j.lease_token = p_token and j.version = c.version
    returning j.id, j.status, j.wake_requested, j.held_slots,
      j.status in ('completed', 'failed', 'cancelled') and j.state ? 'not_before' as was_limited
  )
  select coalesce(array_agg(w.id), '{}'),
    coalesce(array_agg(w.id) filter (where w.wake_requested and w.status = 'running'), '{}'),
    coalesce(array_agg(w.id) filter (where w.wake_requested and w.status <> 'running'), '{}'),
    coalesce(array_agg(w.id) filter (where w.held_slots is not null
      and w.status in ('completed', 'failed', 'cancelled')), '{}'),
    coalesce(array_agg(w.id) filter (where w.was_limited), '{}')
  into applied, woken, missed, freeing, limited
  from written w;
end;
$function$;
grant execute on function millrace.write_jobs(p_commits millrace.job_commit[], p_token uuid, p_lease interval, p_consumed bigint[], p_now timestamp with time zone, OUT applied uuid[], OUT woken uuid[], OUT missed uuid[], OUT freeing uuid[], OUT limited uuid[]) to service_role;
comment on function millrace.write_jobs(p_commits millrace.job_commit[], p_token uuid, p_lease interval, p_consumed bigint[], p_now timestamp with time zone, OUT applied uuid[], OUT woken uuid[], OUT missed uuid[], OUT freeing uuid[], OUT limited uuid[]) is 'Writes the jobs whose lease and version still hold, and answers them; of those, the ones that go on with messages, and the ended ones with messages, with slots or with a start under a rate limit.';

CREATE OR REPLACE FUNCTION millrace.write_records(p_commit jsonb, p_applied uuid[], p_now timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into public.job_steps (job_id, step_id, visit, attempt, status, transformer_id, input,
    output, error, redeliveries, started_at, ended_at)
  select s.job_id, s.step_id, s.visit, s.attempt, s.status, s.transformer_id, s.input,
    s.output, s.error, s.redeliveries, s.started_at, s.ended_at
  from jsonb_to_recordset(p_commit -> 'steps') as s (job_id uuid, step_id text, visit integer,
    attempt integer, status text, transformer_id text, input jsonb, output jsonb, error jsonb,
    redeliveries smallint, started_at timestamptz, ended_at timestamptz)
  where s.job_id = any (p_applied);

  if p_commit -> 'events' <> '[]' then
    insert into public.job_events (job_id, type, step_id, data, created_at)
    select e.job_id, e.type, e.step_id, e.data, p_now
    from jsonb_to_recordset(p_commit -> 'events') as e (job_id uuid, type text, step_id text, data jsonb)
    where e.job_id = any (p_applied);
  end if;
  if p_commit -> 'consumed' <> '[]' then
    delete from public.job_inbox m
    using jsonb_to_recordset(p_commit -> 'consumed') as c (job_id uuid, id bigint)
    where m.id = c.id and m.job_id = c.job_id and m.job_id = any (p_applied);
  end if;
  if p_commit -> 'unsubscribed' <> '[]' then
    delete from public.event_waits w
    using jsonb_array_elements_text(p_commit -> 'unsubscribed') as u (job_id)
    where w.job_id = u.job_id::uuid and w.job_id = any (p_applied);
  end if;
  if p_commit -> 'approvals' <> '[]' then
    insert into public.approvals (job_id, step_id, visit, attempt, user_id, title, details, assignees,
      form, allow_self, status, created_at, expires_at)
    select a.job_id, a.step_id, a.visit, a.attempt, j.user_id, a.title, a.details, a.assignees,
      a.form, a.allow_self, 'open', p_now, a.expires_at
    from jsonb_to_recordset(p_commit -> 'approvals') as a (job_id uuid, step_id text, visit integer,
      attempt integer, title text, details jsonb, assignees text[], form jsonb, allow_self boolean,
      expires_at timestamptz)
    join public.jobs j on j.id = a.job_id
    where a.job_id = any (p_applied);
  end if;
  if p_commit -> 'closed_approvals' <> '[]' then
    update public.approvals a set status = c.status, decided_at = p_now
    from jsonb_to_recordset(p_commit -> 'closed_approvals') as c (job_id uuid, status text)
    where a.job_id = c.job_id and a.status = 'open' and a.job_id = any (p_applied);
  end if;
end;
$function$;
grant execute on function millrace.write_records(p_commit jsonb, p_applied uuid[], p_now timestamp with time zone) to service_role;
comment on function millrace.write_records(p_commit jsonb, p_applied uuid[], p_now timestamp with time zone) is 'Writes what goes with the jobs that were committed.';

CREATE OR REPLACE FUNCTION public.bulk_jobs(p_action text, p_filter jsonb DEFAULT '{}'::jsonb, p_limit integer DEFAULT 100, p_dry_run boolean DEFAULT false, p_reason text DEFAULT NULL::text, p_kick boolean DEFAULT true)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
declare
  v_user_id uuid := millrace.require_caller();
  v_filter millrace.job_filter := millrace.read_job_filter(p_filter);
  v_most integer := case when v_user_id is null then 10000 else 1000 end;
  v_contrary uuid[] := case p_action
    when 'pause' then millrace.jobs_that_are_to('resume')
    when 'resume' then millrace.jobs_that_are_to('pause') end;
  v_matched bigint;
  v_ids uuid[];
  v_affected integer := 0;
begin
  if p_action is null or p_action not in ('cancel', 'pause', 'resume', 'retry') then
    raise exception 'Cannot act in bulk as p_action must be cancel, pause, resume or retry: current value is %',
      coalesce(left(p_action, 100), 'null') using errcode = 'MR008';
  elsif p_limit is null or p_limit not between 1 and v_most then
    raise exception 'Cannot act in bulk as p_limit must be between 1 and %: current value is %',
      v_most, coalesce(p_limit::text, 'null') using errcode = 'MR008';
  elsif v_user_id <> v_filter.user_id then
    raise exception 'Cannot act on the jobs of somebody else' using errcode = 'MR011';
  end if;
  v_user_id := coalesce(v_user_id, v_filter.user_id);
  with matching as materialized (
    select j.id, j.created_at from public.jobs j
    where j.parent_job_id is null
      and (millrace.action_fits(p_action, j.status, j.state) or j.id = any (v_contrary))
      and (v_user_id is null or j.user_id = v_user_id)
      and (v_filter.status is null or j.status = any (v_filter.status))
      and (v_filter.workflow_id is null or j.workflow_id = v_filter.workflow_id)
      and (v_filter.created_after is null or j.created_at >= v_filter.created_after)
      and (v_filter.created_before is null or j.created_at < v_filter.created_before)
      and (v_filter.error_code is null or j.error ->> 'code' = v_filter.error_code)
      and (v_filter.metadata is null or j.metadata @> v_filter.metadata)
  )
  select (select count(*) from matching),
    array(select m.id from matching m order by m.created_at, m.id limit p_limit)
  into v_matched, v_ids;

  if not coalesce(p_dry_run, false) then
    perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
    v_affected := cardinality(case p_action
      when 'retry' then millrace.reopen_jobs(v_ids, null,
        jsonb_build_object('from_step', null, 'failed_items_only', true))
      else millrace.post_wishes(v_ids, p_action,
        jsonb_build_object('reason', left(p_reason, 1000)))
    end);
  end if;
  return jsonb_build_object('matched', v_matched, 'affected', v_affected,
    'job_ids', to_jsonb(v_ids[1:100]), 'dry_run', coalesce(p_dry_run, false),
    'kick', v_affected > 0 and not p_kick);
end;
$function$;
grant execute on function public.bulk_jobs(p_action text, p_filter jsonb, p_limit integer, p_dry_run boolean, p_reason text, p_kick boolean) to authenticated;
grant execute on function public.bulk_jobs(p_action text, p_filter jsonb, p_limit integer, p_dry_run boolean, p_reason text, p_kick boolean) to service_role;
comment on function public.bulk_jobs(p_action text, p_filter jsonb, p_limit integer, p_dry_run boolean, p_reason text, p_kick boolean) is 'Cancels, pauses, resumes or retries the caller''s jobs (the service role: everybody''s) that p_filter names, the oldest p_limit (at most 1000, for the service role 10000) of them; children follow their roots, and jobs for which it makes no sense are left out. p_dry_run: counts only. p_kick as in start_job. Answers {matched, affected, job_ids (the first 100), dry_run, kick}. Raises MR008 (action, limit, filter), MR009, MR011 (user_id of somebody else).';

CREATE OR REPLACE FUNCTION public.cancel_job(p_job_id uuid, p_reason text DEFAULT NULL::text, p_kick boolean DEFAULT true)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_status text;
begin
  select j.status into v_status from public.jobs j where j.id = p_job_id;
  if not found then
    raise exception 'Cannot cancel job as there is no job %', p_job_id using errcode = 'MR002';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
  -- Checked again, with the job's row locked, by the trigger on the mailbox.
  insert into public.job_inbox (job_id, kind, payload)
  values (p_job_id, 'cancel', jsonb_build_object('reason', left(p_reason, 1000)))
  on conflict do nothing;
  return jsonb_build_object('job_id', p_job_id, 'status', v_status, 'kick', not p_kick);
end;
$function$;
grant execute on function public.cancel_job(p_job_id uuid, p_reason text, p_kick boolean) to authenticated;
grant execute on function public.cancel_job(p_job_id uuid, p_reason text, p_kick boolean) to service_role;
comment on function public.cancel_job(p_job_id uuid, p_reason text, p_kick boolean) is 'Asks for a job to be cancelled and answers {job_id, status, kick}; the status is the one at the time of asking. p_kick as in start_job. Raises MR002 (no such job, or not the caller''s), MR007 (it has ended).';

CREATE OR REPLACE FUNCTION public.claim_jobs(p_lease_token uuid, p_limit integer, p_lease_seconds integer DEFAULT 30)
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if p_limit is null or p_limit < 0 or p_limit > 10000 then
    raise exception 'Cannot claim jobs as p_limit must be between 0 and 10000: current value is %', p_limit
      using errcode = 'MR008';
  end if;
  return millrace.claimed_jobs(millrace.lease_jobs(p_lease_token, p_limit, p_lease_seconds));
end;
$function$;
grant execute on function public.claim_jobs(p_lease_token uuid, p_limit integer, p_lease_seconds integer) to service_role;
comment on function public.claim_jobs(p_lease_token uuid, p_limit integer, p_lease_seconds integer) is 'Leases up to p_limit due jobs, and no more than 16 MiB of them, to p_lease_token for p_lease_seconds, by priority, and answers them with their mailbox. Of one priority, jobs that were begun (by due time) and jobs to be started (round-robin over users) are each sure of half. Raises MR008 (limit out of range).';

CREATE OR REPLACE FUNCTION public.commit_jobs(p_commit jsonb)
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_done record := millrace.commit(p_commit);
begin
  return json_build_object('results', v_done.results, 'woken', v_done.woken,
    'claimed', millrace.claimed_jobs(v_done.leased));
end;
$function$;
grant execute on function public.commit_jobs(p_commit jsonb) to service_role;
comment on function public.commit_jobs(p_commit jsonb) is 'Writes the decisions for a batch of leased jobs: {lease_token, lease_seconds, jobs: [job_commit], steps, events, consumed: [{job_id, id}], spawns, child_messages, reopenings, subscriptions, unsubscribed: [job_id], approvals, closed_approvals: [{job_id, status}]}, any list absent for none. Answers {results: [{job_id, committed, admitted?}], woken: [{job_id, messages}], claimed: children that are leased to the caller}; a job that the caller no longer owns is not committed and nothing of it is written.';

CREATE OR REPLACE FUNCTION public.complete_step(p_token text, p_output jsonb)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select millrace.post_step_result(p_token, jsonb_build_object('status', 'completed', 'output', p_output)) $function$;
grant execute on function public.complete_step(p_token text, p_output jsonb) to service_role;
comment on function public.complete_step(p_token text, p_output jsonb) is 'Completes the step that a callback token names with this output. Answers {job_id, step_id}. Raises MR002 (no such job), MR005 (token), MR006 (output too large), MR007 (job has ended). A result for an attempt that is over is recorded as late and dropped.';

CREATE OR REPLACE FUNCTION public.consume_rate_limit(p_user_id uuid, p_scope text, p_limit integer, p_window_seconds integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_window_start timestamptz := date_bin(make_interval(secs => p_window_seconds), v_now, 'epoch');
  v_used integer;
begin
  insert into public.rate_limits as r (user_id, scope, window_start, used)
  values (p_user_id, p_scope, v_window_start, 1)
  on conflict on constraint rate_limits_pk do update
  set window_start = v_window_start,
      -- No further than one past the limit: a flood cannot overflow the counter.
      used = case when r.window_start = v_window_start then least(r.used, p_limit) + 1 else 1 end
  returning r.used into v_used;
  return jsonb_build_object(
    'allowed', v_used <= p_limit,
    'remaining', greatest(p_limit - v_used, 0),
    'retry_after_seconds', case when v_used <= p_limit then 0 else
      ceil(extract(epoch from v_window_start + make_interval(secs => p_window_seconds) - v_now)) end);
end;
$function$;
grant execute on function public.consume_rate_limit(p_user_id uuid, p_scope text, p_limit integer, p_window_seconds integer) to service_role;
comment on function public.consume_rate_limit(p_user_id uuid, p_scope text, p_limit integer, p_window_seconds integer) is 'Counts one request of a user in the current window of p_window_seconds. Answers {allowed, remaining, retry_after_seconds}.';

CREATE OR REPLACE FUNCTION public.decide_approval(p_approval_id uuid, p_decision text, p_notes text DEFAULT NULL::text, p_form jsonb DEFAULT NULL::jsonb, p_by uuid DEFAULT NULL::uuid, p_kick boolean DEFAULT true)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_approval public.approvals;
begin
  if p_decision is null or p_decision not in ('approve', 'reject') then
    raise exception 'Cannot decide approval as p_decision must be approve or reject: current value is %',
      coalesce(left(p_decision, 100), 'null') using errcode = 'MR008';
  elsif length(p_notes) > 10000 then
    raise exception 'Cannot decide approval as p_notes must be <= 10000 characters: current length is %',
      length(p_notes) using errcode = 'MR008';
  elsif millrace.json_bytes(p_form) > 1048576 then
    raise exception 'Cannot decide approval as p_form must be <= 1048576 bytes: current size is %',
      millrace.json_bytes(p_form) using errcode = 'MR006';
  elsif p_by is not null and millrace.require_caller() <> p_by then
    raise exception 'Cannot decide approval for somebody else' using errcode = 'MR011';
  end if;
  perform from public.approvals a where a.id = p_approval_id;
  if not found then
    raise exception 'Cannot decide approval as there is no approval %', p_approval_id
      using errcode = 'MR012';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
  v_approval := millrace.record_decision(p_approval_id,
    case p_decision when 'approve' then 'approved' else 'rejected' end, p_by, p_notes, p_form);
  return jsonb_build_object('approval_id', v_approval.id, 'job_id', v_approval.job_id,
    'status', v_approval.status, 'kick', not p_kick);
end;
$function$;
grant execute on function public.decide_approval(p_approval_id uuid, p_decision text, p_notes text, p_form jsonb, p_by uuid, p_kick boolean) to authenticated;
grant execute on function public.decide_approval(p_approval_id uuid, p_decision text, p_notes text, p_form jsonb, p_by uuid, p_kick boolean) to service_role;
comment on function public.decide_approval(p_approval_id uuid, p_decision text, p_notes text, p_form jsonb, p_by uuid, p_kick boolean) is 'Decides an approval: p_decision is approve or reject. p_by: for whom the service role decides. p_kick as in start_job. Answers {approval_id, job_id, status, kick}. Raises MR006 (form too large), MR008 (no such decision, notes too long), MR010 (decided, expired or withdrawn already), MR011 (not one of those who may decide), MR012 (no such approval, or not visible to the caller).';

CREATE OR REPLACE FUNCTION public.emit_event(p_name text, p_payload jsonb DEFAULT '{}'::jsonb, p_key text DEFAULT NULL::text, p_user_id uuid DEFAULT NULL::uuid, p_kick boolean DEFAULT true)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if p_user_id is not null and millrace.require_caller() <> p_user_id then
    raise exception 'Cannot emit event for somebody else' using errcode = 'MR011';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
  return jsonb_build_object(
    'event_id', millrace.add_event(p_name, p_key, p_payload, p_user_id, null),
    'kick', not p_kick);
end;
$function$;
grant execute on function public.emit_event(p_name text, p_payload jsonb, p_key text, p_user_id uuid, p_kick boolean) to authenticated;
grant execute on function public.emit_event(p_name text, p_payload jsonb, p_key text, p_user_id uuid, p_kick boolean) to service_role;
comment on function public.emit_event(p_name text, p_payload jsonb, p_key text, p_user_id uuid, p_kick boolean) is 'Emits an event for the caller''s jobs that wait for p_name, with this p_key or with none asked for, and answers {event_id, kick}. The service role emits for the jobs of p_user_id, null: of everybody. p_kick as in start_job. Raises MR006 (payload too large), MR008 (name or key empty or too long), MR009, MR011 (for somebody else).';

CREATE OR REPLACE FUNCTION public.explain_job(p_job_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select millrace.explain_level(p_job_id, 0) $function$;
grant execute on function public.explain_job(p_job_id uuid) to authenticated;
grant execute on function public.explain_job(p_job_id uuid) to service_role;
comment on function public.explain_job(p_job_id uuid) is 'Why a job does not move: {job_id, status, reason (a code), explanation (a sentence), action (what to do), details}. Raises MR002 (no such job, or not the caller''s), MR009.';

CREATE OR REPLACE FUNCTION public.extend_leases(p_lease_token uuid, p_job_ids uuid[], p_lease_seconds integer DEFAULT 30)
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_locked uuid[];
  v_kept uuid[];
  v_woken uuid[];
begin
  -- Passed over where somebody holds them, as to wait for him could be a deadlock: he may want what
  -- the same turn has committed. Such a lease is kept as it is until the next time.
  v_locked := array(
    select j.id from public.jobs j where j.id = any (p_job_ids) for update skip locked);
  with kept as (
    update public.jobs j
    set next_run_at = v_now + make_interval(secs => p_lease_seconds), last_updated_at = v_now
    where j.id = any (v_locked) and j.lease_token = p_lease_token
    returning j.id, j.wake_requested
  )
  select coalesce(array_agg(k.id), '{}'), coalesce(array_agg(k.id) filter (where k.wake_requested), '{}')
  into v_kept, v_woken
  from kept k;
  if cardinality(v_locked) < cardinality(p_job_ids) then
    v_kept := v_kept || array(
      select held.id from (select unnest(p_job_ids) as id except select unnest(v_locked)) as held
      cross join lateral (
        select jobs.lease_token from public.jobs where jobs.id = held.id offset 0
      ) as j
      where j.lease_token = p_lease_token);
  end if;
  return json_build_object(
    'lost', array_to_json(array(select unnest(p_job_ids) except select unnest(v_kept))),
    'woken', millrace.unread_messages(v_woken));
end;
$function$;
grant execute on function public.extend_leases(p_lease_token uuid, p_job_ids uuid[], p_lease_seconds integer) to service_role;
comment on function public.extend_leases(p_lease_token uuid, p_job_ids uuid[], p_lease_seconds integer) is 'Extends the leases that p_lease_token still holds to p_lease_seconds from now, but for those of jobs that somebody has locked at this moment. Answers {lost: [job_id], woken: [{job_id, messages}]}.';

CREATE OR REPLACE FUNCTION public.fail_step(p_token text, p_error jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if jsonb_typeof(p_error -> 'code') is distinct from 'string'
    or jsonb_typeof(p_error -> 'message') is distinct from 'string' then
    raise exception 'Cannot fail step as p_error must be {code, message, …}: current value is %',
      left(p_error::text, 200) using errcode = 'MR008';
  end if;
  return millrace.post_step_result(p_token, jsonb_build_object('status', 'failed', 'error', p_error));
end;
$function$;
grant execute on function public.fail_step(p_token text, p_error jsonb) to service_role;
comment on function public.fail_step(p_token text, p_error jsonb) is 'Fails the attempt that a callback token names with {code, message, retryable?, details?, retry_after_seconds?}; its retry policy decides what follows. Raises MR002, MR005, MR006, MR007, MR008 (malformed error).';

CREATE OR REPLACE FUNCTION public.job_children(p_job_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select jsonb_build_object(
      'total', sum(counted.jobs),
      'by_status', jsonb_object_agg(counted.status, counted.jobs),
      'failed', coalesce((
        select jsonb_agg(jsonb_build_object('job_id', f.id, 'item_index', f.item_index,
          'step_id', f.parent_step_id, 'branch', f.branch, 'error', f.error)
          order by f.created_at, f.item_index, f.id)
        from (
          select c.id, c.item_index, c.parent_step_id, c.branch, c.error, c.created_at
          from public.jobs c
          where c.parent_job_id = p_job_id and c.status = 'failed'
          order by c.created_at, c.item_index, c.id
          limit 10
        ) as f), '[]'))
    from (
      select c.status, count(*) as jobs
      from public.jobs c where c.parent_job_id = p_job_id
      group by c.status
    ) as counted
    having count(*) > 0);
end;
$function$;
grant execute on function public.job_children(p_job_id uuid) to authenticated;
grant execute on function public.job_children(p_job_id uuid) to service_role;
comment on function public.job_children(p_job_id uuid) is 'The children of a job that the caller sees: {total, by_status: {status: count}, failed: [{job_id, item_index, step_id (that started it), branch, error}] (the first 10)}; null where there are none.';

CREATE OR REPLACE FUNCTION public.pause_job(p_job_id uuid, p_reason text DEFAULT NULL::text, p_kick boolean DEFAULT true)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select millrace.ask_for(
    p_job_id, 'pause', jsonb_build_object('reason', left(p_reason, 1000)), p_kick)
$function$;
grant execute on function public.pause_job(p_job_id uuid, p_reason text, p_kick boolean) to authenticated;
grant execute on function public.pause_job(p_job_id uuid, p_reason text, p_kick boolean) to service_role;
comment on function public.pause_job(p_job_id uuid, p_reason text, p_kick boolean) is 'Asks for a job and its children to be paused and answers {job_id, status, kick}; the status is the one at the time of asking. p_kick as in start_job. Raises MR002 (no such job, or not the caller''s), MR007 (it has ended).';

CREATE OR REPLACE FUNCTION public.prune_jobs(p_batch integer DEFAULT 5000)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_before timestamptz;
  v_deleted integer;
begin
  select millrace.now() - make_interval(days => s.retention_days) into strict v_before
  from millrace.settings s;
  -- Children go with their root, and are what makes it large.
  with old as materialized (
    select j.id, j.completed_at from public.jobs j
    where j.completed_at < v_before and j.parent_job_id is null
    order by j.completed_at limit p_batch
    for update skip locked
  ), sized as (
    select old.id, row_number() over oldest_first as number,
      sum(1 + (select count(*) from public.jobs c where c.parent_job_id = old.id))
        over oldest_first as jobs
    from old
    window oldest_first as (order by old.completed_at, old.id)
  )
  delete from public.jobs
  where id = any (array(select s.id from sized s where s.jobs <= p_batch or s.number = 1));
  get diagnostics v_deleted = row_count;
  return v_deleted;
end;
$function$;
grant execute on function public.prune_jobs(p_batch integer) to service_role;
comment on function public.prune_jobs(p_batch integer) is 'Deletes jobs that ended more than retention_days ago with all below them: at least one, else no more than p_batch jobs with their children. Answers how many roots.';

CREATE OR REPLACE FUNCTION public.record_api_requests(p_requests jsonb)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  insert into public.api_requests (endpoint, method, status, duration_ms)
  select r.endpoint, r.method, r.status, r.duration_ms
  from jsonb_to_recordset(p_requests)
    as r (endpoint text, method text, status smallint, duration_ms real)
$function$;
grant execute on function public.record_api_requests(p_requests jsonb) to service_role;
comment on function public.record_api_requests(p_requests jsonb) is 'Keeps measurements of answered requests: [{endpoint, method, status, duration_ms}].';

CREATE OR REPLACE FUNCTION public.resume_job(p_job_id uuid, p_kick boolean DEFAULT true)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select millrace.ask_for(p_job_id, 'resume', '{}', p_kick) $function$;
grant execute on function public.resume_job(p_job_id uuid, p_kick boolean) to authenticated;
grant execute on function public.resume_job(p_job_id uuid, p_kick boolean) to service_role;
comment on function public.resume_job(p_job_id uuid, p_kick boolean) is 'Asks for a paused job and its children to go on and answers as pause_job does; a job that is not paused just goes on. Raises MR002, MR007.';

CREATE OR REPLACE FUNCTION public.retry_job(p_job_id uuid, p_from_step text DEFAULT NULL::text, p_input_data jsonb DEFAULT NULL::jsonb, p_failed_items_only boolean DEFAULT NULL::boolean, p_kick boolean DEFAULT true)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_job record;
  v_bytes integer := millrace.json_bytes(p_input_data);
begin
  select j.status, j.current_step_id, j.parent_job_id, j.root_job_id, j.run_number,
    j.step_data ? p_from_step as was_visited
  into v_job from public.jobs j where j.id = p_job_id;
  if not found then
    raise exception 'Cannot retry job as there is no job %', p_job_id using errcode = 'MR002';
  elsif v_job.parent_job_id is not null then
    raise exception 'Cannot retry job % as it is a child: retry its root % instead',
      p_job_id, v_job.root_job_id using errcode = 'MR013';
  elsif v_job.status not in ('failed', 'cancelled') then
    raise exception 'Cannot retry job % as its status must be failed or cancelled: current value is %',
      p_job_id, v_job.status using errcode = 'MR013';
  elsif p_from_step <> coalesce(v_job.current_step_id, '') and not v_job.was_visited then
    raise exception 'Cannot retry job % from step ''%'' as the job has not been there',
      p_job_id, left(p_from_step, 100) using errcode = 'MR008';
  elsif v_bytes > 4194304 then
    raise exception 'Cannot retry job as its input_data must be <= 4194304 bytes: current size is %',
      v_bytes using errcode = 'MR006';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
  if millrace.reopen_jobs(array[p_job_id], p_input_data, jsonb_build_object(
    'from_step', p_from_step, 'failed_items_only', coalesce(p_failed_items_only, p_input_data is null))) = '{}' then
    raise exception 'Cannot retry job % as somebody else has just done so', p_job_id
      using errcode = 'MR013';
  end if;
  return jsonb_build_object('job_id', p_job_id, 'status', 'pending',
    'run_number', v_job.run_number + 1, 'kick', not p_kick);
end;
$function$;
grant execute on function public.retry_job(p_job_id uuid, p_from_step text, p_input_data jsonb, p_failed_items_only boolean, p_kick boolean) to authenticated;
grant execute on function public.retry_job(p_job_id uuid, p_from_step text, p_input_data jsonb, p_failed_items_only boolean, p_kick boolean) to service_role;
comment on function public.retry_job(p_job_id uuid, p_from_step text, p_input_data jsonb, p_failed_items_only boolean, p_kick boolean) is 'Runs a failed or cancelled job once more, from the step where it ended or from p_from_step, with its input or with p_input_data; earlier outputs stay. p_failed_items_only: of the children of the step where it ended only those that did not complete are run again; by default so, unless there is new input. p_kick as in start_job. Answers {job_id, status, run_number, kick}. Raises MR002 (no such job, or not the caller''s), MR006 (input too large), MR008 (the job has not been in that step), MR013 (status, or a child).';

CREATE OR REPLACE FUNCTION public.signal_job(p_job_id uuid, p_name text, p_payload jsonb DEFAULT '{}'::jsonb, p_kick boolean DEFAULT true)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_job record;
begin
  select j.user_id, j.status into v_job from public.jobs j where j.id = p_job_id;
  if not found then
    raise exception 'Cannot signal job as there is no job %', p_job_id using errcode = 'MR002';
  elsif v_job.status in ('completed', 'failed', 'cancelled') then
    raise exception 'Cannot signal job % as it has ended', p_job_id using errcode = 'MR007';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
  return jsonb_build_object(
    'job_id', p_job_id,
    'event_id', millrace.add_event(p_name, null, p_payload, v_job.user_id, p_job_id),
    'status', v_job.status, 'kick', not p_kick);
end;
$function$;
grant execute on function public.signal_job(p_job_id uuid, p_name text, p_payload jsonb, p_kick boolean) to authenticated;
grant execute on function public.signal_job(p_job_id uuid, p_name text, p_payload jsonb, p_kick boolean) to service_role;
comment on function public.signal_job(p_job_id uuid, p_name text, p_payload jsonb, p_kick boolean) is 'Emits an event that only this job and those below it see, and answers {job_id, event_id, status, kick}. p_kick as in start_job. Raises MR002 (no such job, or not the caller''s), MR006, MR007 (it has ended), MR008.';

CREATE OR REPLACE FUNCTION public.start_job(p_workflow_id text, p_input_data jsonb DEFAULT '{}'::jsonb, p_idempotency_key text DEFAULT NULL::text, p_priority integer DEFAULT NULL::integer, p_run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, p_metadata jsonb DEFAULT NULL::jsonb, p_max_retries integer DEFAULT NULL::integer, p_trace_id uuid DEFAULT NULL::uuid, p_user_id uuid DEFAULT NULL::uuid, p_kick boolean DEFAULT true)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := coalesce(p_user_id, (select auth.uid()));
  v_job record;
  v_created boolean := true;
begin
  if v_user_id is null then
    raise exception 'Cannot start job as there is no user: pass p_user_id or call as a signed-in user'
      using errcode = 'MR009';
  end if;
  perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);

  insert into public.jobs as j (user_id, workflow_id, input_data, idempotency_key, priority, run_at,
    metadata, max_retries, trace_id)
  values (v_user_id, p_workflow_id, p_input_data, p_idempotency_key, coalesce(p_priority, 5),
    p_run_at, coalesce(p_metadata, '{}'::jsonb), coalesce(p_max_retries, 3),
    coalesce(p_trace_id, gen_random_uuid()))
  on conflict (user_id, idempotency_key) where idempotency_key is not null do nothing
  returning j.id, j.status, j.created_at, j.workflow_id, j.input_data into v_job;

  if not found then
    v_created := false;
    select j.id, j.status, j.created_at, j.workflow_id, j.input_data into strict v_job
    from public.jobs j
    where j.user_id = v_user_id and j.idempotency_key = p_idempotency_key;
    if v_job.workflow_id <> p_workflow_id
      or v_job.input_data is distinct from p_input_data then
      raise exception 'Cannot start job as idempotency_key ''%'' was used with another workflow or input by job %',
        p_idempotency_key, v_job.id using errcode = 'MR003';
    end if;
  end if;

  return jsonb_build_object(
    'job_id', v_job.id, 'status', v_job.status, 'created_at', v_job.created_at,
    'created', v_created,
    'kick', v_created and not p_kick and coalesce(p_run_at, '-infinity') <= millrace.now()
      and millrace.kick_needed());
end;
$function$;
grant execute on function public.start_job(p_workflow_id text, p_input_data jsonb, p_idempotency_key text, p_priority integer, p_run_at timestamp with time zone, p_metadata jsonb, p_max_retries integer, p_trace_id uuid, p_user_id uuid, p_kick boolean) to authenticated;
grant execute on function public.start_job(p_workflow_id text, p_input_data jsonb, p_idempotency_key text, p_priority integer, p_run_at timestamp with time zone, p_metadata jsonb, p_max_retries integer, p_trace_id uuid, p_user_id uuid, p_kick boolean) to service_role;
comment on function public.start_job(p_workflow_id text, p_input_data jsonb, p_idempotency_key text, p_priority integer, p_run_at timestamp with time zone, p_metadata jsonb, p_max_retries integer, p_trace_id uuid, p_user_id uuid, p_kick boolean) is 'Starts a job and answers {job_id, status, created_at, created, kick}. The same p_idempotency_key again gives the same job. p_kick: the database kicks an orchestrator itself; false: the caller does, when kick is true. Raises MR001 (no such workflow), MR003 (key used with other input), MR006 (input too large), MR009 (no user).';

CREATE OR REPLACE FUNCTION public.tick()
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_due integer;
  v_kicks integer := 0;
  v_settings millrace.settings;
begin
  -- A crash empties the table, and without its row nothing that is inserted would be kicked.
  insert into millrace.pulse default values on conflict do nothing;
  update millrace.pulse set last_tick_at = v_now
  where id = (select p.id from millrace.pulse p for update skip locked);
  select s.* into strict v_settings from millrace.settings s;
  perform millrace.sweep_slots();
  select count(*) into v_due
  from (
    select from generate_series(0, 9) as level (priority)
    cross join lateral (
      (select from public.jobs j
        where j.priority = level.priority and j.next_run_at <= v_now and j.queue_place is null
        limit v_settings.max_orchestrators * v_settings.jobs_per_orchestrator)
      union all
      (select from public.jobs j
        where j.priority = level.priority and j.queue_place is not null
        limit v_settings.max_orchestrators * v_settings.jobs_per_orchestrator)
    ) as due
    limit v_settings.max_orchestrators * v_settings.jobs_per_orchestrator
  ) as looked_at;
  -- Events on their way are due work too, though one orchestrator can do it.
  v_due := v_due + (select count(*) from (
    select from public.events e where e.delivered_at is null limit 1) as undelivered);
  if v_due > 0 then
    v_kicks := least(v_settings.max_orchestrators,
      ceil(v_due::numeric / v_settings.jobs_per_orchestrator)::integer);
    if millrace.post_kicks(v_kicks, 'tick') is null then
      v_kicks := 0;
      raise warning 'Millrace cannot call its orchestrator: set the Vault secrets millrace_project_url and millrace_secret_key';
    end if;
  end if;
  return jsonb_build_object('due', v_due, 'kicks', v_kicks);
end;
$function$;
grant execute on function public.tick() to service_role;
comment on function public.tick() is 'Calls as many orchestrators as due jobs call for, none when nothing is due. Answers {due (counted up to max_orchestrators × jobs_per_orchestrator, one more when events are on their way), kicks}.';

CREATE OR REPLACE FUNCTION public.turn(p_turn jsonb)
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_token uuid := (p_turn ->> 'lease_token')::uuid;
  v_lease_seconds integer := (p_turn ->> 'lease_seconds')::integer;
  v_limit integer := (p_turn ->> 'claim')::integer;
  v_commit jsonb := p_turn -> 'commit';
  v_lease jsonb := jsonb_build_object('lease_token', v_token, 'lease_seconds', v_lease_seconds);
  v_done record;
  v_spawned json;
  v_results json;
  v_woken json;
  v_extended json;
  v_leased uuid[] := '{}';
  v_claimed_count integer;
  v_claimed json;
  v_definitions json;
  v_scopes json;
  v_events_left boolean := false;
  v_catalog bigint;
  v_transformers json;
  v_next_run_at timestamptz;
begin
  if v_token is null or v_lease_seconds is null or v_limit is null then
    raise exception 'Cannot take a turn as lease_token, lease_seconds and claim are required'
      using errcode = 'MR008';
  end if;
  if jsonb_typeof(p_turn -> 'spawning') = 'object' and jsonb_typeof(v_commit) = 'object' then
    perform millrace.lock_jobs_of(array[p_turn -> 'spawning', v_commit]);
  end if;
  -- First, as what follows may be of the children that are started by it.
  if jsonb_typeof(p_turn -> 'spawning') = 'object' then
    v_done := millrace.commit((p_turn -> 'spawning') || v_lease);
    v_spawned := v_done.results;
    v_woken := v_done.woken;
  end if;
  if jsonb_typeof(v_commit) = 'object' then
    v_done := millrace.commit(v_commit || v_lease);
    v_results := v_done.results;
    v_woken := case when v_woken is null then v_done.woken
      else (v_woken::jsonb || v_done.woken::jsonb)::json end;
    v_leased := v_done.leased;
  end if;
  if p_turn -> 'extend' <> '[]' then
    v_extended := public.extend_leases(v_token,
      array(select id::uuid from jsonb_array_elements_text(p_turn -> 'extend') as id),
      v_lease_seconds);
  end if;
  if exists (select from public.events e where e.delivered_at is null) then
    -- Whatever is wrong with an event must not keep jobs from being committed.
    begin
      v_events_left := millrace.deliver_events();
    exception when others then
      v_events_left := true;
      raise warning 'Millrace could not deliver events: %', sqlerrm;
    end;
  end if;
  if v_limit > 0 then
    v_leased := v_leased || millrace.lease_jobs(v_token, v_limit, v_lease_seconds);
  end if;
  v_claimed_count := cardinality(v_leased);
  if v_claimed_count > 0 then
    v_claimed := millrace.claimed_jobs(v_leased);
    v_definitions := millrace.definitions_of(v_leased, p_turn -> 'known_definitions');
    if exists (select from public.jobs j where j.id = any (v_leased) and j.branch is not null) then
      v_scopes := millrace.scopes_of(v_leased, p_turn -> 'known_scopes');
    end if;
  end if;
  select c.revision into v_catalog from millrace.catalog c;
  if v_catalog is distinct from (p_turn ->> 'catalog_revision')::bigint then
    select coalesce(json_agg(json_build_object('id', t.id, 'type', t.type, 'config', t.config,
      'target_function', t.target_function, 'batch_size', t.batch_size, 'retry', t.retry)), '[]')
    into v_transformers from public.transformers t;
  end if;
  if v_claimed_count = 0 and (p_turn ->> 'look_ahead')::boolean then
    v_next_run_at := millrace.next_due_at();
  end if;

  if (p_turn ->> 'leaving')::boolean and v_claimed_count = 0 then
    delete from public.orchestrators where lease_token = v_token;
  else
    insert into public.orchestrators as o (lease_token, started_at, last_turn_at, in_flight,
      free_slots, last_batch)
    values (v_token, v_now, v_now, (p_turn ->> 'in_flight')::integer + v_claimed_count,
      greatest(v_limit - v_claimed_count, 0),
      v_claimed_count + coalesce(jsonb_array_length(v_commit -> 'jobs'), 0))
    on conflict (lease_token) do update
    set last_turn_at = excluded.last_turn_at, in_flight = excluded.in_flight,
        free_slots = excluded.free_slots, last_batch = excluded.last_batch;
  end if;

  return json_build_object(
    -- Not v_now: what the caller goes on to do must not be older than what is written above.
    'now', millrace.now(),
    'results', coalesce(v_results, '[]'::json),
    'spawned', coalesce(v_spawned, '[]'::json),
    'woken', coalesce(v_woken, '[]'::json),
    'extended', coalesce(v_extended, '{"lost": [], "woken": []}'::json),
    'claimed', coalesce(v_claimed, '[]'::json),
    'scopes', coalesce(v_scopes, '[]'::json),
    'definitions', coalesce(v_definitions, '[]'::json),
    'catalog_revision', v_catalog,
    'transformers', v_transformers,
    'callback_secret', case when v_transformers is not null then
      (select s.callback_secret from millrace.settings s) end,
    'next_run_at', v_next_run_at,
    'events_left', v_events_left);
end;
$function$;
grant execute on function public.turn(p_turn jsonb) to service_role;
comment on function public.turn(p_turn jsonb) is 'One turn of an orchestrator run: {lease_token, lease_seconds, claim, in_flight, spawning?, commit?, extend?, known_definitions?, known_scopes?, catalog_revision?, look_ahead?, leaving?}. spawning is a commit of jobs that start children, whose ids it gives; it is written before commit, which may hold ends of these children. Answers {now, results, spawned, woken, extended, claimed, scopes, definitions, catalog_revision, transformers (null when unchanged), callback_secret, next_run_at, events_left}. Raises MR008 (missing argument).';

select cron.schedule('millrace-prune', '* * * * *', 'select millrace.prune()');

select cron.schedule('millrace-prune-api-requests', '41 * * * *', '
  delete from public.api_requests where created_at < now() - interval ''1 day'';
  delete from public.rate_limits where window_start < now() - interval ''1 day''
');

select cron.schedule('millrace-prune-cron-log', '23 * * * *', 'delete from cron.job_run_details where end_time < now() - interval ''1 day''');

select cron.schedule('millrace-tick', '5 seconds', 'select public.tick()');
