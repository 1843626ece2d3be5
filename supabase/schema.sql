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
  constraint job_inbox_cancel_size CHECK (((kind <> 'cancel'::text) OR (millrace.json_bytes(payload) <= 8192))),
  constraint job_inbox_kind_known CHECK ((kind = ANY (ARRAY['cancel'::text, 'step_result'::text]))),
  constraint job_inbox_payload_object CHECK ((jsonb_typeof(payload) = 'object'::text)),
  constraint job_inbox_result_names_attempt CHECK (((kind <> 'step_result'::text) OR ((step_id IS NOT NULL) AND (visit IS NOT NULL) AND (attempt IS NOT NULL))))
);
CREATE INDEX job_inbox_job_idx ON public.job_inbox USING btree (job_id, id);
CREATE UNIQUE INDEX job_inbox_one_cancel_idx ON public.job_inbox USING btree (job_id) WHERE (kind = 'cancel'::text);
CREATE TRIGGER job_inbox_kick_after_insert AFTER INSERT ON public.job_inbox FOR EACH STATEMENT EXECUTE FUNCTION millrace.kick_after_insert('message');
CREATE TRIGGER job_inbox_wake_job BEFORE INSERT ON public.job_inbox FOR EACH ROW EXECUTE FUNCTION millrace.wake_job();
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
  parent_job_id uuid,
  parent_step_id text,
  item_index integer,
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
  constraint jobs_ended_has_end_time CHECK (((completed_at IS NOT NULL) = (status = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])))),
  constraint jobs_failed_has_error CHECK (((status <> 'failed'::text) OR (error_message IS NOT NULL))),
  constraint jobs_idempotency_key_length CHECK (((length(idempotency_key) >= 1) AND (length(idempotency_key) <= 200))),
  constraint jobs_max_retries_range CHECK (((max_retries >= 0) AND (max_retries <= 1000))),
  constraint jobs_metadata_object CHECK ((jsonb_typeof(metadata) = 'object'::text)),
  constraint jobs_metadata_size CHECK (((pg_column_size(metadata) <= 512) OR ((pg_column_size(metadata) <= 65536) AND (millrace.json_bytes(metadata) <= 65536)))),
  constraint jobs_parent_complete CHECK (((parent_job_id IS NULL) = (parent_step_id IS NULL))),
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
  constraint jobs_step_data_object CHECK ((jsonb_typeof(step_data) = 'object'::text))
) with (fillfactor=75);
CREATE INDEX jobs_completed_at_idx ON public.jobs USING btree (completed_at) WHERE (completed_at IS NOT NULL);
CREATE INDEX jobs_due_idx ON public.jobs USING btree (priority DESC, next_run_at) WHERE (next_run_at IS NOT NULL);
CREATE UNIQUE INDEX jobs_idempotency_key_idx ON public.jobs USING btree (user_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);
CREATE INDEX jobs_parent_idx ON public.jobs USING btree (parent_job_id) WHERE (parent_job_id IS NOT NULL);
CREATE INDEX jobs_user_created_idx ON public.jobs USING btree (user_id, created_at DESC, id DESC);
CREATE INDEX jobs_workflow_created_idx ON public.jobs USING btree (workflow_id, workflow_version, created_at);
CREATE TRIGGER jobs_a_touch_last_updated_at BEFORE UPDATE ON public.jobs FOR EACH ROW WHEN ((new.last_updated_at = old.last_updated_at)) EXECUTE FUNCTION millrace.touch_last_updated_at();
CREATE TRIGGER jobs_b_record_transition BEFORE UPDATE ON public.jobs FOR EACH ROW WHEN ((new.status IS DISTINCT FROM old.status)) EXECUTE FUNCTION millrace.record_job_transition();
CREATE TRIGGER jobs_kick_after_insert AFTER INSERT ON public.jobs FOR EACH STATEMENT EXECUTE FUNCTION millrace.kick_after_insert('insert');
CREATE TRIGGER jobs_prepare BEFORE INSERT ON public.jobs FOR EACH ROW EXECUTE FUNCTION millrace.prepare_job();
alter table public.jobs enable row level security;
create policy jobs_delete_own_ended on public.jobs for delete to authenticated
  using (((( SELECT auth.uid() AS uid) = user_id) AND (status = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text]))));
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

create view public.failure_metrics with (security_invoker=true) as
 SELECT p.period,
    m.workflow_id,
    m.step_id,
    m.error_code,
    m.failed_attempts,
    m.failed_jobs,
    m.first_failed_at,
    m.last_failed_at
   FROM (millrace.metric_periods p
     CROSS JOIN LATERAL millrace.measure_failures(p.from_at, p.to_at) m(workflow_id, step_id, error_code, failed_attempts, failed_jobs, first_failed_at, last_failed_at));
grant select on public.failure_metrics to service_role;
comment on view public.failure_metrics is 'Failed attempts and failed jobs by period, workflow, step and error code.';

create view public.queue_metrics with (security_invoker=true) as
 SELECT status,
    jobs,
    due,
    not_due,
    oldest_due_at,
    oldest_due_seconds
   FROM millrace.measure_queue() measure_queue(status, jobs, due, not_due, oldest_due_at, oldest_due_seconds);
grant select on public.queue_metrics to service_role;
comment on view public.queue_metrics is 'The queue by status: jobs, how many of them are due, and since when the oldest has been. For running, jobs are leases and due are leases that ran out.';

create view public.step_metrics with (security_invoker=true) as
 SELECT p.period,
    m.workflow_id,
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
     CROSS JOIN LATERAL millrace.measure_steps(p.from_at, p.to_at) m(workflow_id, step_id, attempts, completed, failed, skipped, retries, redeliveries, failure_rate, duration_avg_seconds, duration_p50_seconds, duration_p95_seconds, duration_p99_seconds));
grant select on public.step_metrics to service_role;
comment on view public.step_metrics is 'Attempts by period, workflow and step: counts, retries, redeliveries, durations in seconds. Why they failed: failure_metrics.';

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
comment on view public.workflow_metrics is 'Jobs that ended by period (last_hour, last_day, last_week: filter by it) and workflow: counts, rates, duration from first claim to end of completed jobs, and how long jobs were queued, in seconds.';

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
    select place, fault from millrace.definition_problems(new.definition)
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

CREATE OR REPLACE FUNCTION millrace.claimed_jobs(p_job_ids uuid[])
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
begin
  return (
    select coalesce(json_agg(json_build_object(
        'job_id', j.id, 'user_id', j.user_id, 'workflow_id', j.workflow_id,
        'workflow_version', j.workflow_version, 'current_step_id', j.current_step_id,
        'input_data', j.input_data, 'step_data', j.step_data, 'state', j.state,
        'version', j.version, 'redeliveries', j.redeliveries, 'retry_count', j.retry_count,
        'max_retries', j.max_retries, 'created_at', j.created_at, 'started_at', j.started_at,
        'deadline_at', j.deadline_at, 'trace_id', j.trace_id,
        'retry', case when j.next_retry_at is not null then
          json_build_object('at', j.next_retry_at, 'error', j.error) end,
        'messages', coalesce((
          select json_agg(json_build_object('id', m.id, 'kind', m.kind, 'step_id', m.step_id,
            'visit', m.visit, 'attempt', m.attempt, 'payload', m.payload) order by m.id)
          from public.job_inbox m where m.job_id = j.id), '[]'::json)
      ) order by listed.position), '[]'::json)
    from unnest(p_job_ids) with ordinality as listed (id, position)
    cross join lateral (select * from public.jobs where jobs.id = listed.id offset 0) as j);
end;
$function$;
grant execute on function millrace.claimed_jobs(p_job_ids uuid[]) to service_role;
comment on function millrace.claimed_jobs(p_job_ids uuid[]) is 'Jobs as their new owner needs them, with their messages.';

CREATE OR REPLACE FUNCTION millrace.definition_problems(p_definition jsonb)
 RETURNS TABLE(place text, fault text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_steps jsonb := p_definition -> 'steps';
begin
  if jsonb_typeof(p_definition) <> 'object' then
    return query select 'definition', 'must be an object';
    return;
  end if;
  return query
    select key, 'unknown key' from jsonb_object_keys(p_definition) as key
    where key <> all (array['title', 'description', 'start_step', 'steps', 'output_map',
      'input_schema', 'retry', 'on_error', 'max_step_visits', 'timeout_seconds', 'metadata']);
  if octet_length(p_definition::text) > 1048576 then
    return query select 'definition', 'must be at most 1 MiB';
    return;
  end if;
  if jsonb_typeof(v_steps) is distinct from 'object' or v_steps = '{}' then
    return query select 'steps', 'must be an object with at least one step';
    return;
  end if;
  if (select count(*) from jsonb_object_keys(v_steps)) > 500 then
    return query select 'steps', 'must be at most 500 steps';
    return;
  end if;
  if jsonb_typeof(p_definition -> 'start_step') is distinct from 'string' then
    return query select 'start_step', 'must be the id of a step';
  elsif not v_steps ? (p_definition ->> 'start_step') then
    return query select 'start_step', format('no step ''%s''', p_definition ->> 'start_step');
  end if;
  return query
    select problem.place, problem.fault
    from millrace.on_error_targets('on_error', p_definition -> 'on_error') as handler
    cross join lateral millrace.target_problems(v_steps, handler.place, handler.target) as problem;
  return query
    select problem.place, problem.fault
    from jsonb_each(v_steps) as step
    cross join lateral millrace.step_problems(v_steps, step.key, step.value) as problem;
  return query
    select 'steps.' || id, 'no step leads here'
    from millrace.unreachable_steps(p_definition) as id
    where v_steps ? (p_definition ->> 'start_step');
end;
$function$;
grant execute on function millrace.definition_problems(p_definition jsonb) to service_role;
comment on function millrace.definition_problems(p_definition jsonb) is 'What is structurally wrong with a definition: (place, fault) rows; none when it may be registered.';

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
  select d.job_id, 'late_' || case d.kind when 'cancel' then 'cancel' else 'result' end || '_dropped',
    d.step_id, jsonb_strip_nulls(jsonb_build_object('visit', d.visit, 'attempt', d.attempt))
  from dropped d;
end;
$function$;
grant execute on function millrace.drop_messages(p_job_ids uuid[]) to service_role;
comment on function millrace.drop_messages(p_job_ids uuid[]) is 'Deletes the unread messages of jobs that have ended and records that they came too late.';

CREATE OR REPLACE FUNCTION millrace.fitting_jobs(p_job_ids uuid[])
 RETURNS uuid[]
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_fitting uuid[] := '{}';
  v_bytes bigint := 0;
  v_job record;
begin
  for v_job in
    select listed.id,
      coalesce(octet_length(j.input_data::text), 0) + octet_length(j.step_data::text) as bytes
    from unnest(p_job_ids) as listed (id)
    cross join lateral (
      select jobs.input_data, jobs.step_data from public.jobs where jobs.id = listed.id offset 0
    ) as j
  loop
    v_bytes := v_bytes + v_job.bytes;
    exit when v_bytes > 16777216 and v_fitting <> '{}';
    v_fitting := v_fitting || v_job.id;
  end loop;
  return v_fitting;
end;
$function$;
grant execute on function millrace.fitting_jobs(p_job_ids uuid[]) to service_role;
comment on function millrace.fitting_jobs(p_job_ids uuid[]) is 'The first of these jobs that together are at most 16 MiB as text, at least one.';

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
        and j.workflow_id = m.workflow_id and j.status = 'failed')
  from millrace.measure_jobs(v_from, v_now) as m
  where m.failed >= v_settings.alert_failed_jobs and m.failure_rate >= v_settings.alert_failure_rate;

  return query
  select 'critical', 'configuration', f.workflow_id || coalesce('.' || f.step_id, ''),
    format('%s%s failed with %s in the last hour: %s',
      coalesce(format('Step ''%s'' of ', f.step_id), ''), format('workflow ''%s''', f.workflow_id),
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
 RETURNS TABLE(workflow_id text, step_id text, error_code text, failed_attempts bigint, failed_jobs bigint, first_failed_at timestamp with time zone, last_failed_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
 SET jit TO 'off'
AS $function$
begin
  return query
  select failure.workflow_id, failure.step_id, failure.code,
    count(*) filter (where failure.of_attempt), count(*) filter (where not failure.of_attempt),
    min(failure.at), max(failure.at)
  from (
    select j.workflow_id, s.step_id, s.error ->> 'code' as code, s.ended_at as at, true as of_attempt
    from public.job_steps s
    join public.jobs j on j.id = s.job_id
    where s.ended_at >= p_from and s.ended_at <= p_to and s.status = 'failed'
    union all
    select j.workflow_id, j.current_step_id, j.error ->> 'code', j.completed_at, false
    from public.jobs j
    where j.completed_at >= p_from and j.completed_at <= p_to and j.status = 'failed'
  ) as failure
  group by failure.workflow_id, failure.step_id, failure.code;
end;
$function$;
grant execute on function millrace.measure_failures(p_from timestamp with time zone, p_to timestamp with time zone) to service_role;
comment on function millrace.measure_failures(p_from timestamp with time zone, p_to timestamp with time zone) is 'Failed attempts and failed jobs of a window by workflow, step and error code.';

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
      extract(epoch from j.completed_at - j.started_at)::double precision as duration,
      extract(epoch from j.started_at - greatest(j.run_at, j.created_at))::double precision as queued
    from public.jobs j
    where j.completed_at >= p_from and j.completed_at <= p_to
  ) as job
  group by job.workflow_id;
end;
$function$;
grant execute on function millrace.measure_jobs(p_from timestamp with time zone, p_to timestamp with time zone) to service_role;
comment on function millrace.measure_jobs(p_from timestamp with time zone, p_to timestamp with time zone) is 'Jobs that ended in a window by workflow: counts, rates of all that ended, durations of the completed ones from claim to end, and how long they were queued.';

CREATE OR REPLACE FUNCTION millrace.measure_queue()
 RETURNS TABLE(status text, jobs bigint, due bigint, not_due bigint, oldest_due_at timestamp with time zone, oldest_due_seconds double precision)
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
  select known.status, count(j.id), count(j.id) filter (where j.next_run_at <= v_now),
    count(j.id) filter (where j.next_run_at > v_now),
    min(j.next_run_at) filter (where j.next_run_at <= v_now),
    extract(epoch from v_now - min(j.next_run_at) filter (where j.next_run_at <= v_now))::double precision
  from unnest(array['pending', 'running', 'awaiting_retry', 'waiting']) with ordinality
    as known (status, position)
  left join public.jobs j on j.status = known.status and j.next_run_at is not null
  group by known.status, known.position
  order by known.position;
end;
$function$;
grant execute on function millrace.measure_queue() to service_role;
comment on function millrace.measure_queue() is 'Jobs that have a time at which an orchestrator is to look at them, by status; those running and due have lost their orchestrator.';

CREATE OR REPLACE FUNCTION millrace.measure_steps(p_from timestamp with time zone, p_to timestamp with time zone)
 RETURNS TABLE(workflow_id text, step_id text, attempts bigint, completed bigint, failed bigint, skipped bigint, retries bigint, redeliveries bigint, failure_rate double precision, duration_avg_seconds double precision, duration_p50_seconds double precision, duration_p95_seconds double precision, duration_p99_seconds double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
 SET jit TO 'off'
AS $function$
begin
  return query
  select attempt.workflow_id, attempt.step_id,
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
    select j.workflow_id, s.step_id, s.status, s.attempt, s.redeliveries,
      extract(epoch from s.ended_at - s.started_at)::double precision as duration
    from public.job_steps s
    join public.jobs j on j.id = s.job_id
    where s.ended_at >= p_from and s.ended_at <= p_to
  ) as attempt
  group by attempt.workflow_id, attempt.step_id;
end;
$function$;
grant execute on function millrace.measure_steps(p_from timestamp with time zone, p_to timestamp with time zone) to service_role;
comment on function millrace.measure_steps(p_from timestamp with time zone, p_to timestamp with time zone) is 'Attempts that ended in a window by workflow and step: counts and durations.';

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

CREATE OR REPLACE FUNCTION millrace.on_error_targets(p_place text, p_on_error jsonb)
 RETURNS TABLE(place text, target jsonb)
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select p_place, p_on_error
  where p_on_error is not null and jsonb_typeof(p_on_error) <> 'array'
  union all
  select format('%s[%s].next_step', p_place, entry.position - 1), entry.value -> 'next_step'
  from jsonb_array_elements(case when jsonb_typeof(p_on_error) = 'array' then p_on_error end)
    with ordinality as entry (value, position)
$function$;
grant execute on function millrace.on_error_targets(p_place text, p_on_error jsonb) to service_role;
comment on function millrace.on_error_targets(p_place text, p_on_error jsonb) is 'The targets of an on_error: (place, target) rows.';

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

  select min(due.next_run_at) into v_oldest
  from generate_series(0, 9) as level (priority)
  cross join lateral (
    select j.next_run_at from public.jobs j
    where j.priority = level.priority and j.next_run_at <= v_now
    order by j.next_run_at limit 1
  ) as due;
  if v_oldest < v_now - make_interval(secs => v_tick_seconds)
    and coalesce(v_state.last_tick_at, '-infinity') < v_now - make_interval(secs => v_tick_seconds) then
    return query select 'critical', 'tick_missing', 'millrace-tick',
      format('tick() %s while jobs are due: check that pg_cron runs the job ''millrace-tick'' (cron.job, cron.job_run_details)',
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
begin
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
comment on function millrace.post_step_result(p_token text, p_result jsonb) is 'Puts a result into the mailbox of the job that a token names. Raises MR002, MR005, MR007.';

CREATE OR REPLACE FUNCTION millrace.prepare_job()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_version integer;
  v_timeout_seconds double precision;
  v_bytes integer;
begin
  -- A timeout that is none is the engine's to report, as definition_invalid.
  select w.version, case
      when jsonb_typeof(w.definition -> 'timeout_seconds') = 'number'
        and (w.definition -> 'timeout_seconds')::numeric between 0 and 1e9
      then (w.definition -> 'timeout_seconds')::double precision
    end
  into v_version, v_timeout_seconds
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
  if new.status = 'pending' then
    new.next_run_at := coalesce(new.next_run_at, new.run_at, new.created_at);
  end if;
  if v_timeout_seconds is not null then
    new.deadline_at := coalesce(new.deadline_at,
      greatest(new.run_at, new.created_at) + make_interval(secs => v_timeout_seconds));
  end if;
  new.state_history := jsonb_build_array(
    jsonb_build_object('from', null, 'to', new.status, 'at', new.created_at));
  return new;
end;
$function$;
comment on function millrace.prepare_job() is 'Pins a new job to its workflow''s version and makes it due. Raises MR001 (no such workflow), MR006 (input too large).';

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
  from generate_series(0, 9) as level (priority)
  cross join lateral (
    select j.next_run_at from public.jobs j
    where j.priority = level.priority and j.next_run_at <= v_now
    order by j.next_run_at limit v_settings.alert_queue_length + 1
  ) as due;
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
    where j.priority = level.priority
      and j.next_run_at <= v_now - make_interval(secs => v_settings.alert_stalled_seconds)
    order by j.next_run_at limit 1000
  ) as overdue
  where overdue.status <> 'pending'
  group by overdue.status;

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
    where j.priority = level.priority and j.next_run_at > v_now
    order by j.next_run_at limit 1000
  ) as held
  where held.status = 'running'
    and held.entered_at < v_now - make_interval(secs => v_settings.alert_running_seconds);
end;
$function$;
grant execute on function millrace.queue_alerts() to service_role;
comment on function millrace.queue_alerts() is 'Alerts queue_length, queue_delay, stalled_jobs (by status: leases, retries and timers that are over and nobody took up) and long_running (by job).';

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

CREATE OR REPLACE FUNCTION millrace.step_problems(p_steps jsonb, p_step_id text, p_step jsonb)
 RETURNS TABLE(place text, fault text)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  with targets as (
    select format('steps.%s.next_step', p_step_id) as place, p_step -> 'next_step' as target
    where coalesce(jsonb_typeof(p_step -> 'next_step'), 'null') <> 'null'
    union all
    select handler.place, handler.target
    from millrace.on_error_targets(format('steps.%s.on_error', p_step_id), p_step -> 'on_error') as handler
  )
  select 'steps.' || p_step_id, 'a step id must match ^[A-Za-z][A-Za-z0-9_-]{0,63}$'
  where p_step_id !~ '^[A-Za-z][A-Za-z0-9_-]{0,63}$'
  union all
  select 'steps.' || p_step_id, format('''%s'' is reserved in the job document', p_step_id)
  where p_step_id in ('job_input', 'job', 'item', 'index')
  union all
  select 'steps.' || p_step_id, 'a step must be an object'
  where jsonb_typeof(p_step) <> 'object'
  union all
  select format('steps.%s.type', p_step_id),
    format('''%s'' is not a step type', p_step ->> 'type')
  where jsonb_typeof(p_step) = 'object' and coalesce(p_step -> 'type', '"task"') <> '"task"'
  union all
  select format('steps.%s.%s', p_step_id, key), 'unknown key'
  from jsonb_object_keys(case when jsonb_typeof(p_step) = 'object' then p_step end) as key
  where key <> all (array['type', 'title', 'description', 'when', 'next_step', 'transformer_id',
    'input_map', 'config', 'retry', 'timeout_seconds', 'on_error', 'callback'])
  union all
  select format('steps.%s.transformer_id', p_step_id), 'a task needs the id of a transformer'
  where jsonb_typeof(p_step) = 'object'
    and jsonb_typeof(p_step -> 'transformer_id') is distinct from 'string'
  union all
  select format('steps.%s.transformer_id', p_step_id),
    format('no transformer ''%s''', p_step ->> 'transformer_id')
  where jsonb_typeof(p_step -> 'transformer_id') = 'string'
    and not exists (select from public.transformers t where t.id = p_step ->> 'transformer_id')
  union all
  select problem.place, problem.fault
  from targets
  cross join lateral millrace.target_problems(p_steps, targets.place, targets.target) as problem
$function$;
grant execute on function millrace.step_problems(p_steps jsonb, p_step_id text, p_step jsonb) to service_role;
comment on function millrace.step_problems(p_steps jsonb, p_step_id text, p_step jsonb) is 'What is structurally wrong with one step of a definition: (place, fault) rows.';

CREATE OR REPLACE FUNCTION millrace.target_problems(p_steps jsonb, p_place text, p_target jsonb)
 RETURNS TABLE(place text, fault text)
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select p_place, 'must be the id of a step'
  where jsonb_typeof(p_target) is distinct from 'string'
  union all
  select p_place, format('no step ''%s''', p_target #>> '{}')
  where jsonb_typeof(p_target) = 'string' and not p_steps ? (p_target #>> '{}')
$function$;
grant execute on function millrace.target_problems(p_steps jsonb, p_place text, p_target jsonb) to service_role;
comment on function millrace.target_problems(p_steps jsonb, p_place text, p_target jsonb) is 'What is wrong with a reference to a step: (place, fault) rows.';

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

CREATE OR REPLACE FUNCTION millrace.unreachable_steps(p_definition jsonb)
 RETURNS SETOF text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  with recursive reached (step_id) as (
    select start.step_id
    from (
      select p_definition ->> 'start_step' as step_id
      union all
      select target #>> '{}' from millrace.on_error_targets('', p_definition -> 'on_error')
    ) as start
    where p_definition -> 'steps' ? start.step_id
    union
    select target.step_id
    from reached
    cross join lateral (
      select p_definition -> 'steps' -> reached.step_id as step
    ) as from_step
    cross join lateral (
      select from_step.step ->> 'next_step' as step_id
      union all
      select target #>> '{}' from millrace.on_error_targets('', from_step.step -> 'on_error')
    ) as target
    where p_definition -> 'steps' ? target.step_id
  )
  select id from jsonb_object_keys(p_definition -> 'steps') as id
  except
  select step_id from reached
$function$;
grant execute on function millrace.unreachable_steps(p_definition jsonb) to service_role;
comment on function millrace.unreachable_steps(p_definition jsonb) is 'Ids of the steps that nothing leads to.';

CREATE OR REPLACE FUNCTION millrace.unread_messages(p_job_ids uuid[])
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
begin
  if p_job_ids = '{}' then
    return '[]'::json;
  end if;
  return (
    select coalesce(json_agg(json_build_object('job_id', woken.id, 'messages', woken.messages)), '[]')
    from (
      select m.job_id as id, json_agg(json_build_object('id', m.id, 'kind', m.kind,
        'step_id', m.step_id, 'visit', m.visit, 'attempt', m.attempt, 'payload', m.payload)
        order by m.id) as messages
      from public.job_inbox m where m.job_id = any (p_job_ids)
      group by m.job_id
    ) as woken);
end;
$function$;
grant execute on function millrace.unread_messages(p_job_ids uuid[]) to service_role;
comment on function millrace.unread_messages(p_job_ids uuid[]) is 'The mailboxes of jobs: [{job_id, messages}].';

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
      last_updated_at = v_now
  where id = new.job_id and status not in ('completed', 'failed', 'cancelled')
    and (v_user_id is null or user_id = v_user_id);
  if not found and (v_user_id is null or exists (
    select from public.jobs j where j.id = new.job_id and j.user_id = v_user_id)) then
    raise exception 'Cannot send a message to job % as it has ended', new.job_id
      using errcode = 'MR007';
  end if;
  return new;
end;
$function$;
comment on function millrace.wake_job() is 'Wakes the job that a message is for. Raises MR007 when the job has ended.';

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
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_ids uuid[];
begin
  if p_limit is null or p_limit < 0 or p_limit > 10000 then
    raise exception 'Cannot claim jobs as p_limit must be between 0 and 10000: current value is %', p_limit
      using errcode = 'MR008';
  end if;
  v_ids := array(
    select due.id
    from generate_series(9, 0, -1) as level (priority)
    cross join lateral (
      select j.id from public.jobs j
      where j.priority = level.priority and j.next_run_at <= v_now
      order by j.next_run_at
      limit p_limit
      for update skip locked
    ) as due
    limit p_limit);
  if v_ids = '{}' then
    return '[]'::json;
  end if;
  v_ids := millrace.fitting_jobs(v_ids);

  update public.jobs j
  set status = 'running',
      lease_token = p_lease_token,
      next_run_at = v_now + make_interval(secs => p_lease_seconds),
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

  return millrace.claimed_jobs(v_ids);
end;
$function$;
grant execute on function public.claim_jobs(p_lease_token uuid, p_limit integer, p_lease_seconds integer) to service_role;
comment on function public.claim_jobs(p_lease_token uuid, p_limit integer, p_lease_seconds integer) is 'Leases up to p_limit due jobs, and no more than 16 MiB of them, to p_lease_token for p_lease_seconds, by priority and due time, and answers them with their mailbox. Raises MR008 (limit out of range).';

CREATE OR REPLACE FUNCTION public.commit_jobs(p_commit jsonb)
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
  v_token uuid := (p_commit ->> 'lease_token')::uuid;
  v_lease interval := make_interval(secs => (p_commit ->> 'lease_seconds')::integer);
  v_commits millrace.job_commit[];
  v_consumed bigint[] := array(
    select (c ->> 'id')::bigint from jsonb_array_elements(p_commit -> 'consumed') as c);
  v_applied uuid[];
  v_woken uuid[];
  v_missed uuid[];
  v_results json;
begin
  v_commits := array(
    select c from jsonb_populate_recordset(null::millrace.job_commit, p_commit -> 'jobs') as c);
  perform from public.jobs j
  where j.id = any (array(select c.job_id from unnest(v_commits) as c))
  order by j.id for update;

  with applied as (
    update public.jobs j
    set status = c.status,
        current_step_id = c.current_step_id,
        state = c.state,
        step_data = case when c.step_data = '{}' then j.step_data else j.step_data || c.step_data end,
        lease_token = case when c.status = 'running' then j.lease_token end,
        next_run_at = case
          -- Left alone while more than half of the lease remains: the row then stays on its page.
          when c.status = 'running' then
            case when j.next_run_at > v_now + v_lease / 2 then j.next_run_at else v_now + v_lease end
          when c.status in ('completed', 'failed', 'cancelled') then null
          -- A message came in that this commit does not know of. The rows were locked by a
          -- statement of its own, so this one sees all that senders have committed before it.
          when j.wake_requested and exists (
            select from public.job_inbox m where m.job_id = j.id and m.id <> all (v_consumed))
            then v_now
          else c.next_run_at
        end,
        -- Parking answers the request. Otherwise it stands until the last message is consumed, and
        -- not only until it was told: the answer that tells may be lost.
        wake_requested = case
          when not j.wake_requested or c.status in ('pending', 'awaiting_retry', 'waiting', 'paused')
            then false
          else exists (
            select from public.job_inbox m where m.job_id = j.id and m.id <> all (v_consumed))
        end,
        next_retry_at = c.next_retry_at,
        retry_count = c.retry_count,
        redeliveries = c.redeliveries,
        final_result = c.final_result,
        error = c.error,
        error_message = c.error ->> 'message',
        -- Not before it started, should the server's clock have been set back.
        completed_at = case when c.status in ('completed', 'failed', 'cancelled')
          then greatest(v_now, j.started_at) end,
        version = j.version + 1,
        last_updated_at = v_now
    from unnest(v_commits) as c
    where j.id = c.job_id and j.lease_token = v_token and j.version = c.version
    returning j.id, j.status, j.wake_requested
  )
  select coalesce(array_agg(a.id), '{}'),
    coalesce(array_agg(a.id) filter (where a.wake_requested and a.status = 'running'), '{}'),
    coalesce(array_agg(a.id) filter (where a.wake_requested and a.status <> 'running'), '{}')
  into v_applied, v_woken, v_missed
  from applied a;

  insert into public.job_steps (job_id, step_id, visit, attempt, status, transformer_id, input,
    output, error, redeliveries, started_at, ended_at)
  select s.job_id, s.step_id, s.visit, s.attempt, s.status, s.transformer_id, s.input,
    s.output, s.error, s.redeliveries, s.started_at, s.ended_at
  from jsonb_to_recordset(p_commit -> 'steps') as s (job_id uuid, step_id text, visit integer,
    attempt integer, status text, transformer_id text, input jsonb, output jsonb, error jsonb,
    redeliveries smallint, started_at timestamptz, ended_at timestamptz)
  where s.job_id = any (v_applied);

  if p_commit -> 'events' <> '[]' then
    insert into public.job_events (job_id, type, step_id, data, created_at)
    select e.job_id, e.type, e.step_id, e.data, v_now
    from jsonb_to_recordset(p_commit -> 'events') as e (job_id uuid, type text, step_id text, data jsonb)
    where e.job_id = any (v_applied);
  end if;
  if p_commit -> 'consumed' <> '[]' then
    delete from public.job_inbox m
    using jsonb_to_recordset(p_commit -> 'consumed') as c (job_id uuid, id bigint)
    where m.id = c.id and m.job_id = c.job_id and m.job_id = any (v_applied);
  end if;

  if v_missed <> '{}' then
    perform millrace.drop_messages(v_missed);
  end if;

  -- A commit whose answer was lost is sent again: its version is then one ahead, under the same
  -- lease, and it must be reported as what it is.
  select coalesce(json_agg(json_build_object('job_id', c.job_id, 'committed',
    c.job_id = any (v_applied) or (j.lease_token = v_token and j.version = c.version + 1) is true)),
    '[]'::json)
  into v_results
  from unnest(v_commits) as c
  left join lateral (
    select jobs.lease_token, jobs.version from public.jobs where jobs.id = c.job_id offset 0
  ) as j on true;

  return json_build_object('results', v_results, 'woken', millrace.unread_messages(v_woken));
end;
$function$;
grant execute on function public.commit_jobs(p_commit jsonb) to service_role;
comment on function public.commit_jobs(p_commit jsonb) is 'Writes the decisions for a batch of leased jobs: {lease_token, lease_seconds, jobs: [job_commit], steps, events, consumed: [{job_id, id}]}. Answers {results: [{job_id, committed}], woken: [{job_id, messages}]}; a job that the caller no longer owns is not committed and nothing of it is written.';

CREATE OR REPLACE FUNCTION public.complete_step(p_token text, p_output jsonb)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select millrace.post_step_result(p_token, jsonb_build_object('status', 'completed', 'output', p_output)) $function$;
grant execute on function public.complete_step(p_token text, p_output jsonb) to service_role;
comment on function public.complete_step(p_token text, p_output jsonb) is 'Completes the step that a callback token names with this output. Answers {job_id, step_id}. Raises MR002 (no such job), MR005 (token), MR007 (job has ended). A result for an attempt that is over is recorded as late and dropped.';

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
  v_kept uuid[];
  v_woken uuid[];
begin
  perform from public.jobs j where j.id = any (p_job_ids) order by j.id for update;
  with kept as (
    update public.jobs j
    set next_run_at = v_now + make_interval(secs => p_lease_seconds), last_updated_at = v_now
    where j.id = any (p_job_ids) and j.lease_token = p_lease_token
    returning j.id, j.wake_requested
  )
  select coalesce(array_agg(k.id), '{}'), coalesce(array_agg(k.id) filter (where k.wake_requested), '{}')
  into v_kept, v_woken
  from kept k;
  return json_build_object(
    'lost', array_to_json(array(select id from unnest(p_job_ids) as id where id <> all (v_kept))),
    'woken', millrace.unread_messages(v_woken));
end;
$function$;
grant execute on function public.extend_leases(p_lease_token uuid, p_job_ids uuid[], p_lease_seconds integer) to service_role;
comment on function public.extend_leases(p_lease_token uuid, p_job_ids uuid[], p_lease_seconds integer) is 'Extends the leases that p_lease_token still holds to p_lease_seconds from now. Answers {lost: [job_id], woken: [{job_id, messages}]}.';

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
comment on function public.fail_step(p_token text, p_error jsonb) is 'Fails the attempt that a callback token names with {code, message, retryable?, details?, retry_after_seconds?}; its retry policy decides what follows. Raises MR002, MR005, MR007, MR008 (malformed error).';

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
  delete from public.jobs
  where id = any (array(
    select j.id from public.jobs j
    where j.completed_at < v_before and j.parent_job_id is null
    order by j.completed_at limit p_batch
    for update skip locked));
  get diagnostics v_deleted = row_count;
  delete from public.orchestrators where last_turn_at < millrace.now() - interval '1 hour';
  return v_deleted;
end;
$function$;
grant execute on function public.prune_jobs(p_batch integer) to service_role;
comment on function public.prune_jobs(p_batch integer) is 'Deletes up to p_batch jobs that ended more than retention_days ago, and answers how many.';

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
  select count(*) into v_due
  from (
    select from generate_series(0, 9) as level (priority)
    cross join lateral (
      select from public.jobs j
      where j.priority = level.priority and j.next_run_at <= v_now
      limit v_settings.max_orchestrators * v_settings.jobs_per_orchestrator
    ) as due
    limit v_settings.max_orchestrators * v_settings.jobs_per_orchestrator
  ) as looked_at;
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
comment on function public.tick() is 'Calls as many orchestrators as due jobs call for, none when nothing is due. Answers {due (counted up to max_orchestrators × jobs_per_orchestrator), kicks}.';

CREATE OR REPLACE FUNCTION public.turn(p_turn jsonb)
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
declare
  v_now timestamptz := millrace.now();
  v_token uuid := (p_turn ->> 'lease_token')::uuid;
  v_lease_seconds integer := (p_turn ->> 'lease_seconds')::integer;
  v_limit integer := (p_turn ->> 'claim')::integer;
  v_commit jsonb := p_turn -> 'commit';
  v_committed json;
  v_extended json;
  v_claimed json := '[]'::json;
  v_claimed_count integer := 0;
  v_definitions json;
  v_catalog bigint;
  v_transformers json;
  v_next_run_at timestamptz;
begin
  if v_token is null or v_lease_seconds is null or v_limit is null then
    raise exception 'Cannot take a turn as lease_token, lease_seconds and claim are required'
      using errcode = 'MR008';
  end if;
  if jsonb_typeof(v_commit) = 'object' then
    v_committed := public.commit_jobs(v_commit || jsonb_build_object(
      'lease_token', v_token, 'lease_seconds', v_lease_seconds));
  end if;
  if p_turn -> 'extend' <> '[]' then
    v_extended := public.extend_leases(v_token,
      array(select id::uuid from jsonb_array_elements_text(p_turn -> 'extend') as id),
      v_lease_seconds);
  end if;
  if v_limit > 0 then
    v_claimed := public.claim_jobs(v_token, v_limit, v_lease_seconds);
    v_claimed_count := json_array_length(v_claimed);
  end if;

  if v_claimed_count > 0 then
    select json_agg(json_build_object('workflow_id', v.workflow_id, 'version', v.version,
      'definition', v.definition))
    into v_definitions
    from (
      select distinct job ->> 'workflow_id' as id, (job ->> 'workflow_version')::integer as version
      from json_array_elements(v_claimed) as job
    ) as needed
    join public.workflow_versions v on v.workflow_id = needed.id and v.version = needed.version
    where not coalesce(p_turn -> 'known_definitions', '[]') ? (needed.id || '@' || needed.version);
  end if;
  select c.revision into v_catalog from millrace.catalog c;
  if v_catalog is distinct from (p_turn ->> 'catalog_revision')::bigint then
    select coalesce(json_agg(json_build_object('id', t.id, 'type', t.type, 'config', t.config,
      'target_function', t.target_function, 'batch_size', t.batch_size, 'retry', t.retry)), '[]')
    into v_transformers from public.transformers t;
  end if;
  if v_claimed_count = 0 and (p_turn ->> 'look_ahead')::boolean then
    select min(due.next_run_at) into v_next_run_at
    from generate_series(0, 9) as level (priority)
    cross join lateral (
      select j.next_run_at from public.jobs j
      where j.priority = level.priority and j.next_run_at is not null
      order by j.next_run_at limit 1
    ) as due;
  end if;

  if (p_turn ->> 'leaving')::boolean and v_claimed_count = 0 then
    delete from public.orchestrators where lease_token = v_token;
  else
    insert into public.orchestrators as o (lease_token, started_at, last_turn_at, in_flight,
      free_slots, last_batch)
    values (v_token, v_now, v_now, (p_turn ->> 'in_flight')::integer + v_claimed_count,
      v_limit - v_claimed_count,
      v_claimed_count + coalesce(jsonb_array_length(v_commit -> 'jobs'), 0))
    on conflict (lease_token) do update
    set last_turn_at = excluded.last_turn_at, in_flight = excluded.in_flight,
        free_slots = excluded.free_slots, last_batch = excluded.last_batch;
  end if;

  return json_build_object(
    -- Not v_now: what the caller goes on to do must not be older than what is written above.
    'now', millrace.now(),
    'results', coalesce(v_committed -> 'results', '[]'::json),
    'woken', coalesce(v_committed -> 'woken', '[]'::json),
    'extended', coalesce(v_extended, '{"lost": [], "woken": []}'::json),
    'claimed', v_claimed,
    'definitions', coalesce(v_definitions, '[]'::json),
    'catalog_revision', v_catalog,
    'transformers', v_transformers,
    'callback_secret', case when v_transformers is not null then
      (select s.callback_secret from millrace.settings s) end,
    'next_run_at', v_next_run_at);
end;
$function$;
grant execute on function public.turn(p_turn jsonb) to service_role;
comment on function public.turn(p_turn jsonb) is 'One turn of an orchestrator run: {lease_token, lease_seconds, claim, in_flight, commit?, extend?, known_definitions?, catalog_revision?, look_ahead?, leaving?}. Answers {now, results, woken, extended, claimed, definitions, catalog_revision, transformers (null when unchanged), callback_secret, next_run_at}. Raises MR008 (missing argument).';

select cron.schedule('millrace-prune-api-requests', '41 * * * *', '
  delete from public.api_requests where created_at < now() - interval ''1 day'';
  delete from public.rate_limits where window_start < now() - interval ''1 day''
');

select cron.schedule('millrace-prune-cron-log', '23 * * * *', 'delete from cron.job_run_details where end_time < now() - interval ''1 day''');

select cron.schedule('millrace-prune-jobs', '*/10 * * * *', 'select public.prune_jobs()');

select cron.schedule('millrace-tick', '5 seconds', 'select public.tick()');
