-- What a commit says, as types: read out of its JSON once.

create type millrace.job_commit as (
  job_id uuid,
  version bigint,
  status text,
  current_step_id text,
  state jsonb,
  step_data jsonb,
  next_run_at timestamptz,
  next_retry_at timestamptz,
  retry_count integer,
  redeliveries smallint,
  final_result jsonb,
  error jsonb,
  spawned integer,
  max_failed_children integer,
  awaits_children boolean,
  joined_failures integer,
  force boolean,
  admission jsonb,
  granted_slot text,
  wanted_slot text,
  reopened integer
);
comment on type millrace.job_commit is
  'New columns of one job. step_data holds only the entries that changed; next_run_at is the wish of a job that parks; joined_failures makes it void unless all children have ended with so many failures; force has a failure wait until the children that the job has are cancelled, which it would be refused for else; admission is what it asks for before it goes on, and granted_slot or wanted_slot the answer, which the database gives, as it counts the children that are reopened.';
grant usage on type millrace.job_commit to service_role;

create type millrace.spawn as (
  job_id uuid,
  step_id text,
  visit integer,
  max_running integer,
  lease boolean,
  detached boolean,
  workflow_id text,
  workflow_version integer,
  at timestamptz,
  children jsonb
);
comment on type millrace.spawn is
  'Children of one visit of one step: [{index, id?, branch?, start_step?, item?, input?}]. max_running 0: no limit; lease: they are the caller''s at once; detached: a root that nobody waits for.';
grant usage on type millrace.spawn to service_role;
